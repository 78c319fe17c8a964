#include "harness/segment_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <set>
#include <thread>
#include <vector>

#include "harness/allowed_pus.h"
#include "harness/fail.h"
#include "harness/memory_map.h"
#include "harness/payload.h"
#include "harness/pinned_pair.h"
#include "harness/test_stress.h"

namespace ipcmark {
namespace {

constexpr std::uint64_t mebibyte = 1 << 20;

// Zero-filled shared memory for one queue, touched only as it is used.
class QueueRegion {
 public:
  explicit QueueRegion(const SegmentQueueShape& shape)
      : parts_{{}, DoorbellParts("queue", shape.receive_wait)}, memory_(mapped(shape)) {
    SegmentQueue::initialise(span(), shape);
  }
  std::span<std::byte> span() const { return memory_.bytes(); }
  const LinkDoorbellParts& parts() const { return parts_; }

  std::size_t pages_touched() const {
    std::vector<unsigned char> present(span().size() / 4096);
    if (mincore(span().data(), span().size(), present.data()) != 0) fail("mincore");
    std::size_t pages = 0;
    for (const unsigned char page : present) pages += page & 1;
    return pages;
  }

 private:
  static MemoryMap mapped(const SegmentQueueShape& shape) {
    const std::size_t bytes = SegmentQueue::bytes_needed(shape);
    void* memory =
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) fail("mmap");
    return {memory, bytes};
  }

  LinkDoorbellParts parts_;
  MemoryMap memory_;
};

// Each access is exercised in turn.
void put(SegmentSender& sender, std::size_t size, std::uint64_t sequence) {
  if (sequence % 2 == 0) {
    std::vector<std::byte> message(size);
    fill(message, 0, sequence, Touch::full);
    if (sender.send(message) != Io::done) throw std::runtime_error("an unbounded sender was not done");
    return;
  }
  std::span<std::byte> slot;
  if (sender.loan(slot) != Io::done) throw std::runtime_error("an unbounded sender got no slot");
  fill(slot, 0, sequence, Touch::full);
  if (sender.commit() != Io::done) throw std::runtime_error("an unbounded sender was not done");
}

Io take(SegmentReceiver& receiver, std::size_t size, SequenceChecker& checker, std::uint64_t sequence) {
  if (sequence % 3 == 0) {
    std::vector<std::byte> message(size);
    const Io io = receiver.receive(message);
    if (io == Io::done) checker.observe_every_byte(message);
    return io;
  }
  std::span<const std::byte> message;
  if (const Io io = receiver.peek(message); io != Io::done) return io;
  checker.observe_every_byte(message);
  return receiver.release();
}

// With a pause now and then, so that backlogs of all sizes come and go.
bool receives_all(const QueueRegion& region, std::size_t size, std::uint64_t messages,
                  std::uint64_t pause_every = 0) {
  SegmentReceiver receiver(region.span(), region.parts());
  SequenceChecker checker(0, size, Touch::full);
  std::uint64_t received = 0;
  for (unsigned attempts = 1;; ++attempts) {
    const Io io = take(receiver, size, checker, received);
    if (io == Io::closed) break;
    if (io == Io::again) {
      receiver.wait_to_receive();
      if (attempts % 256 == 0) ::sched_yield();
    } else if (++received; pause_every != 0 && received % pause_every == 0) {
      usleep(500);
    }
  }
  checker.finish(messages);
  return checker.counts().clean() && received == messages;
}

TEST(SegmentQueue, TakesManySegmentsOfMessagesWithoutAReceiverAndGivesThemInOrder) {
  for (const std::size_t size : {1u, 7u, 8u, 64u, 100u, 4'096u, 100'003u}) {
    SCOPED_TRACE(size);
    const QueueRegion region({.message_bytes = size, .limit_bytes = 64 * mebibyte});
    const std::uint64_t messages = std::min<std::uint64_t>(100'000, 32 * mebibyte / size);
    SegmentSender sender(region.span());
    for (std::uint64_t i = 0; i < messages; ++i) put(sender, size, i);
    sender.finish();
    EXPECT_EQ(sender.peak_backlog().messages, messages);
    EXPECT_GE(sender.peak_backlog().bytes, messages * size);
    EXPECT_TRUE(receives_all(region, size, messages));
  }
}

TEST(SegmentQueue, ASenderThatWouldPassTheLimitFailsByNameAndLosesNothingBeforeIt) {
  const QueueRegion region({.message_bytes = 1'000, .limit_bytes = mebibyte});
  std::uint64_t sent = 0;
  std::string reason;
  {
    SegmentSender sender(region.span());
    EXPECT_EQ(sender.limit()->unit, "bytes");
    EXPECT_EQ(sender.limit()->value, mebibyte);
    try {
      for (; sent < 2'000; ++sent) put(sender, 1'000, sent);
    } catch (const std::runtime_error& error) {
      reason = error.what();
    }
    EXPECT_THAT(reason, testing::StartsWith("backlog over 1 MiB"));
    EXPECT_LE(sender.peak_backlog().bytes, mebibyte);
  }
  EXPECT_GT(sent, 1'000u);
  EXPECT_LT(sent * 1'000, mebibyte);
  EXPECT_TRUE(receives_all(region, 1'000, sent));
}

TEST(SegmentQueue, ReusesWhatWasReadSoThatASteadyFlowStaysInFewPages) {
  constexpr std::size_t size = 4'000;
  const SegmentQueueShape shape{.message_bytes = size, .limit_bytes = 256 * mebibyte};
  const QueueRegion region(shape);
  SegmentSender sender(region.span());
  SegmentReceiver receiver(region.span());
  SequenceChecker checker(0, size, Touch::full);
  std::uint64_t sent = 0, received = 0;
  const auto pass = [&](std::uint64_t messages, std::uint64_t backlog) {
    for (const std::uint64_t all = sent + messages; received < all;) {
      for (; sent < all && sent - received < backlog; ++sent) put(sender, size, sent);
      ASSERT_EQ(take(receiver, size, checker, received++), Io::done);
    }
  };
  pass(20'000, 50);  // 80 MB through the queue
  EXPECT_LE(region.pages_touched() * 4096, SegmentQueue::prefaulted_bytes(shape));
  EXPECT_EQ(sender.peak_backlog().messages, 50u);

  pass(5'000, 5'000);
  const std::size_t touched = region.pages_touched();
  EXPECT_GT(touched * 4096, 5'000 * size);
  const std::uint64_t bytes = sender.peak_backlog().bytes;
  EXPECT_LE(touched * 4096, bytes + 4096);

  // What came back last is used first: no tour of all that the peak needed.
  std::set<const std::byte*> slots;
  for (int i = 0; i < 5'000; ++i, ++sent, ++received) {
    std::span<std::byte> slot;
    ASSERT_EQ(sender.loan(slot), Io::done);
    slots.insert(slot.data());
    put(sender, size, sent);
    ASSERT_EQ(take(receiver, size, checker, received), Io::done);
  }
  EXPECT_LE(slots.size() * size, 4 * 64 * 1024u);
  pass(20'000, 5'000);
  // The same backlog may begin elsewhere in its first segment, and so need one or two more.
  constexpr std::size_t two_segments = 2 * 64 * 1024;
  EXPECT_LE(region.pages_touched() * 4096, touched * 4096 + two_segments);
  EXPECT_EQ(sender.peak_backlog().messages, 5'000u);
  EXPECT_LE(sender.peak_backlog().bytes, bytes + two_segments);
  EXPECT_TRUE(checker.counts().clean());
}

TEST(SegmentQueue, AFewMessagesInFlightAreCountedAsFew) {
  const QueueRegion region({.message_bytes = 64, .limit_bytes = 4 * mebibyte});
  SegmentSender sender(region.span());
  SegmentReceiver receiver(region.span());
  SequenceChecker checker(0, 64, Touch::full);
  EXPECT_EQ(sender.peak_backlog().messages, 0u);
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    put(sender, 64, i);
    ASSERT_EQ(take(receiver, 64, checker, i), Io::done);
  }
  EXPECT_EQ(sender.peak_backlog().messages, 1u);
  EXPECT_LE(sender.peak_backlog().bytes, 2 * 64 * 1024u);
}

TEST(SegmentQueue, IsEmptyAtFirstAndClosedAfterWhatWasCommitted) {
  const QueueRegion region({.message_bytes = 8, .limit_bytes = mebibyte});
  SegmentReceiver receiver(region.span());
  std::vector<std::byte> message(8);
  std::span<const std::byte> slot;
  EXPECT_EQ(receiver.receive(message), Io::again);
  EXPECT_EQ(receiver.peek(slot), Io::again);
  {
    SegmentSender sender(region.span());
    std::span<std::byte> loaned;
    ASSERT_EQ(sender.loan(loaned), Io::done);
    EXPECT_EQ(receiver.peek(slot), Io::again) << "not committed yet";
    ASSERT_EQ(sender.commit(), Io::done);
    SegmentSender moved(std::move(sender));
    ASSERT_EQ(moved.send(message), Io::done);
    EXPECT_EQ(receiver.receive(message), Io::done);
    EXPECT_EQ(receiver.receive(message), Io::done);
    EXPECT_EQ(receiver.receive(message), Io::again) << "a move is no end";
  }
  EXPECT_EQ(receiver.receive(message), Io::closed);
  EXPECT_EQ(receiver.receive(message), Io::closed);
}

TEST(SegmentQueue, ASenderIsToldThatItsReceiverHasGone) {
  const QueueRegion region({.message_bytes = 64, .limit_bytes = 16 * mebibyte});
  SegmentSender sender(region.span());
  { SegmentReceiver receiver(region.span()); }
  const std::vector<std::byte> message(64);
  std::uint64_t sent = 0;
  while (sent < 100'000 && sender.send(message) == Io::done) ++sent;
  EXPECT_LT(sent, 2'000u);
  EXPECT_EQ(sender.send(message), Io::closed);
}

TEST(SegmentQueue, ItsSenderHasNothingToWaitFor) {
  const QueueRegion region({.message_bytes = 64, .limit_bytes = mebibyte});
  EXPECT_THROW(SegmentSender(region.span()).wait_to_send(), std::logic_error);
}

TEST(SegmentQueue, RefusesShapesItCannotHave) {
  EXPECT_THROW(SegmentQueue::bytes_needed({.message_bytes = 600'000, .limit_bytes = mebibyte}),
               std::length_error);
  EXPECT_THROW(SegmentQueue::bytes_needed({.message_bytes = SIZE_MAX}), std::length_error);
  EXPECT_THROW(SegmentQueue::bytes_needed({.message_bytes = 1, .limit_bytes = 100'000}), std::length_error);
  alignas(SegmentQueue::alignment) static std::array<std::byte, 300'000> memory{};
  const auto initialise = [](const SegmentQueueShape& shape) { SegmentQueue::initialise(memory, shape); };
  EXPECT_THROW(initialise({.message_bytes = 0, .limit_bytes = 200'000}), std::invalid_argument);
  EXPECT_THROW(initialise({.message_bytes = 8, .limit_bytes = mebibyte}), std::invalid_argument);
  EXPECT_THROW(initialise({.message_bytes = 8, .limit_bytes = 200'000, .receive_wait = Wait::block}),
               std::invalid_argument);
  EXPECT_THROW(SegmentQueue::initialise(std::span(memory).subspan(8), {.limit_bytes = 200'000}),
               std::invalid_argument);
  EXPECT_THROW(SegmentSender{memory}, std::invalid_argument) << "no queue has been made there";
  EXPECT_THROW(SegmentReceiver{std::span(memory).first(16)}, std::invalid_argument);
}

class SegmentQueueUnderStress : public testing::TestWithParam<Wait> {};
INSTANTIATE_TEST_SUITE_P(AllWaits, SegmentQueueUnderStress,
                         testing::Values(Wait::spin, Wait::yield, Wait::futex, Wait::adaptive,
                                         Wait::semaphore, Wait::sysv_semaphore, Wait::condvar, Wait::eventfd),
                         [](const auto& test) { return std::string(to_string(test.param)); });

TEST_P(SegmentQueueUnderStress, TwoThreadsHandOverEveryByteInOrder) {
  // Segments of one and of many slots.
  for (const std::size_t size : {72u, 40'000u}) {
    const std::uint64_t messages = size == 72 ? 20'000 * patience : 400 * patience;
    const QueueRegion region(
        {.message_bytes = size, .limit_bytes = 512 * mebibyte, .receive_wait = GetParam()});
    std::thread sending([&] {
      SegmentSender sender(region.span(), region.parts());
      for (std::uint64_t i = 0; i < messages; ++i) put(sender, size, i);
    });
    EXPECT_TRUE(receives_all(region, size, messages, messages / 50));
    sending.join();
  }
}

TEST_P(SegmentQueueUnderStress, TwoProcessesHandOverEveryByteInOrder) {
  const std::uint64_t messages = 5'000 * patience;
  const auto [first, last] = first_and_last_allowed_pu();
  const QueueRegion region({.message_bytes = 100, .limit_bytes = 64 * mebibyte, .receive_wait = GetParam()});
  run_pinned_pair(
      first,
      [&] {
        SegmentSender sender(region.span(), region.parts());
        for (std::uint64_t i = 0; i < messages; ++i) {
          put(sender, 100, i);
          if (i % 4'096 == 0) usleep(200);  // the receiver runs dry, and sleeps where it can
        }
        return true;
      },
      last, [&] { return receives_all(region, 100, messages, messages / 7); }, 60'000'000'000);
}

TEST(SegmentQueue, MillionsOfMessagesStayInOrderWhileTheBacklogSwells) {
  constexpr std::uint64_t messages = 300'000 * patience;
  const QueueRegion region({.message_bytes = 64, .limit_bytes = 512 * mebibyte});
  Backlog peak;
  std::thread sending([&] {
    SegmentSender sender(region.span());
    for (std::uint64_t i = 0; i < messages; ++i) put(sender, 64, i);
    sender.finish();
    peak = sender.peak_backlog();
  });
  EXPECT_TRUE(receives_all(region, 64, messages, messages / 20));
  sending.join();
  EXPECT_GE(peak.messages, 1u);
  EXPECT_LE(peak.messages, messages);
}

}  // namespace
}  // namespace ipcmark
