#include "harness/slot_rendezvous.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>
#include <thread>
#include <vector>

#include "harness/fail.h"
#include "harness/memory_map.h"
#include "harness/payload.h"
#include "harness/ring.h"
#include "harness/test_stress.h"

namespace ipcmark {
namespace {

constexpr std::size_t size = 24;

class Slot {
 public:
  explicit Slot(Wait wait) : parts_{DoorbellParts("slot", wait), DoorbellParts("slot", wait)} {
    const std::size_t bytes = Ring::bytes_needed(1, size);
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) fail("mmap");
    memory_ = MemoryMap(memory, bytes);
    Ring::initialise(memory_.bytes(), {1, size, wait, wait});
  }
  auto sender() const { return SlotRendezvousSender(RingSender(memory_.bytes(), parts_)); }
  auto receiver() const { return RingReceiver(memory_.bytes(), parts_); }

 private:
  LinkDoorbellParts parts_;
  MemoryMap memory_;
};

std::vector<std::byte> message(std::uint64_t sequence) {
  std::vector<std::byte> bytes(size);
  fill(bytes, 0, sequence, Touch::full);
  return bytes;
}

TEST(SlotRendezvous, ASendSaysAgainUntilItsMessageIsReceivedAndSendsItOnce) {
  const Slot slot(Wait::spin);
  auto sender = slot.sender();
  auto receiver = slot.receiver();
  std::vector<std::byte> received(size);
  for (std::uint64_t i = 0; i < 3; ++i) {
    for (int attempt = 0; attempt < 5; ++attempt) ASSERT_EQ(sender.send(message(i)), Io::again);
    ASSERT_EQ(receiver.receive(received), Io::done);
    EXPECT_TRUE(verify(received, 0, i, Touch::full));
    EXPECT_EQ(receiver.receive(received), Io::again) << "sent twice";
    EXPECT_EQ(sender.send(message(i)), Io::done);
  }
  EXPECT_EQ(sender.finish(), Io::done);
  EXPECT_EQ(receiver.receive(received), Io::closed);
  EXPECT_EQ(sender.limit()->value, 0u);
}

TEST(SlotRendezvous, ACommitSaysAgainUntilTheReleaseAndNotOnlyThePeek) {
  const Slot slot(Wait::spin);
  auto sender = slot.sender();
  auto receiver = slot.receiver();
  std::span<std::byte> loaned;
  std::span<const std::byte> peeked;
  for (std::uint64_t i = 0; i < 3; ++i) {
    ASSERT_EQ(sender.loan(loaned), Io::done);
    fill(loaned, 0, i, Touch::full);
    ASSERT_EQ(receiver.peek(peeked), Io::again);
    ASSERT_EQ(sender.commit(), Io::again);
    ASSERT_EQ(receiver.peek(peeked), Io::done);
    EXPECT_TRUE(verify(peeked, 0, i, Touch::full));
    ASSERT_EQ(sender.commit(), Io::again);
    ASSERT_EQ(receiver.release(), Io::done);
    ASSERT_EQ(sender.commit(), Io::done);
  }
}

TEST(SlotRendezvous, AReceiverThatLeavesHasReceivedOnlyWhatItReleased) {
  for (const bool releases : {true, false}) {
    const Slot slot(Wait::spin);
    auto sender = slot.sender();
    {
      auto receiver = slot.receiver();
      ASSERT_EQ(sender.send(message(0)), Io::again);
      std::span<const std::byte> peeked;
      ASSERT_EQ(receiver.peek(peeked), Io::done);
      if (releases) receiver.release();
    }
    EXPECT_EQ(sender.send(message(0)), releases ? Io::done : Io::closed);
  }
}

class SlotRendezvousUnderStress : public testing::TestWithParam<Wait> {};
INSTANTIATE_TEST_SUITE_P(AllWaits, SlotRendezvousUnderStress,
                         testing::Values(Wait::yield, Wait::futex, Wait::adaptive, Wait::semaphore,
                                         Wait::sysv_semaphore, Wait::condvar, Wait::eventfd),
                         [](const auto& test) { return std::string(to_string(test.param)); });

TEST_P(SlotRendezvousUnderStress, ItsSenderNeverReturnsBeforeTheReceiverHasRead) {
  const std::uint64_t messages = 2'000 * patience;
  const Slot slot(GetParam());
  std::atomic<std::uint64_t> read{0};
  std::thread sending([&] {
    auto sender = slot.sender();
    for (std::uint64_t i = 0; i < messages; ++i) {
      const std::vector<std::byte> sent = message(i);
      for (Io io; (io = sender.send(sent)) != Io::done;) {
        ASSERT_EQ(io, Io::again);
        sender.wait_to_send();
      }
      ASSERT_EQ(read.load(), i + 1);
    }
  });
  auto receiver = slot.receiver();
  SequenceChecker checker(0, size, Touch::full);
  for (;;) {
    std::span<const std::byte> peeked;
    const Io io = receiver.peek(peeked);
    if (io == Io::closed) break;
    if (io == Io::again) {
      receiver.wait_to_receive();
      continue;
    }
    checker.observe_every_byte(peeked);
    ++read;
    receiver.release();
  }
  sending.join();
  checker.finish(messages);
  EXPECT_TRUE(checker.counts().clean());
  EXPECT_EQ(read.load(), messages);
}

}  // namespace
}  // namespace ipcmark
