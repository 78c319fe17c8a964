#include "harness/ring.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <tuple>
#include <vector>

#include "harness/allowed_pus.h"
#include "harness/payload.h"
#include "harness/pinned_pair.h"
#include "harness/test_stress.h"

namespace ipcmark {
namespace {

// Zero-filled shared memory for one ring, and what its waits need besides.
class RingRegion {
 public:
  explicit RingRegion(const RingShape& shape, std::uint64_t first_position = 0)
      : bytes_(Ring::bytes_needed(shape.capacity, shape.message_bytes)),
        memory_(::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)),
        doorbells_{DoorbellParts("ring", shape.send_wait), DoorbellParts("ring", shape.receive_wait)} {
    if (memory_ == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
    Ring::initialise(span(), shape, first_position);
  }
  RingRegion(const RingRegion&) = delete;
  RingRegion& operator=(const RingRegion&) = delete;
  ~RingRegion() { ::munmap(memory_, bytes_); }

  std::span<std::byte> span() const { return {static_cast<std::byte*>(memory_), bytes_}; }
  RingSender sender() const { return RingSender(span(), doorbells_); }
  RingReceiver receiver() const { return RingReceiver(span(), doorbells_); }

 private:
  std::size_t bytes_;
  void* memory_;
  LinkDoorbellParts doorbells_;
};

Io put(RingSender& sender, std::size_t size, std::uint64_t sequence, Access access) {
  const auto wait = [&] { sender.wait_to_send(); };
  if (access == Access::copy) {
    std::vector<std::byte> message(size);
    fill(message, 0, sequence, Touch::full);
    return persist([&] { return sender.send(message); }, wait);
  }
  std::span<std::byte> slot;
  const Io io = persist([&] { return sender.loan(slot); }, wait);
  if (io != Io::done) return io;
  fill(slot, 0, sequence, Touch::full);
  return sender.commit();
}

Io get(RingReceiver& receiver, std::size_t size, SequenceChecker& checker, Access access) {
  const auto wait = [&] { receiver.wait_to_receive(); };
  if (access == Access::copy) {
    std::vector<std::byte> message(size);
    const Io io = persist([&] { return receiver.receive(message); }, wait);
    if (io == Io::done) checker.observe_every_byte(message);
    return io;
  }
  std::span<const std::byte> message;
  const Io io = persist([&] { return receiver.peek(message); }, wait);
  if (io != Io::done) return io;
  checker.observe_every_byte(message);
  return receiver.release();
}

void send_all(const RingRegion& region, std::size_t size, std::uint64_t messages, Access access) {
  RingSender sender = region.sender();
  for (std::uint64_t i = 0; i < messages; ++i) ASSERT_EQ(put(sender, size, i, access), Io::done);
  EXPECT_EQ(sender.finish(), Io::done);
}

bool receives_all(const RingRegion& region, std::size_t size, std::uint64_t messages, Access access) {
  RingReceiver receiver = region.receiver();
  SequenceChecker checker(0, size, Touch::full);
  while (get(receiver, size, checker, access) == Io::done) {
  }
  checker.finish(messages);
  return checker.counts().clean() && checker.counts().checked == messages;
}

// ------------------------------------------------------------------------------------------------ rules, one
// thread

class RingOfCapacity : public testing::TestWithParam<std::uint64_t> {};
INSTANTIATE_TEST_SUITE_P(Capacities, RingOfCapacity, testing::Values(1, 2, 3, 7, 1000, 1024),
                         testing::PrintToStringParamName());

TEST_P(RingOfCapacity, HoldsExactlyItsCapacity) {
  const RingRegion region({GetParam(), 16});
  RingSender sender = region.sender();
  const std::vector<std::byte> message(16);
  for (std::uint64_t i = 0; i < GetParam(); ++i) ASSERT_EQ(sender.send(message), Io::done) << i;
  EXPECT_EQ(sender.send(message), Io::again);
  EXPECT_EQ(sender.send(message), Io::again);
  EXPECT_EQ(sender.limit()->value, GetParam());
  EXPECT_EQ(sender.limit()->unit, "messages");
}

TEST_P(RingOfCapacity, TheSenderGoesOnAfterAtMostOneCursorStepOfReleases) {
  const RingRegion region({GetParam(), 16});
  RingSender sender = region.sender();
  RingReceiver receiver = region.receiver();
  std::vector<std::byte> message(16);
  for (std::uint64_t i = 0; i < GetParam(); ++i) ASSERT_EQ(sender.send(message), Io::done);
  EXPECT_LE(Ring::cursor_step(GetParam()), GetParam());
  for (std::uint64_t i = 0; i < Ring::cursor_step(GetParam()); ++i)
    ASSERT_EQ(receiver.receive(message), Io::done);
  EXPECT_EQ(sender.send(message), Io::done);
}

TEST_P(RingOfCapacity, HoldsItsCapacityAgainOnceItIsDrained) {
  const RingRegion region({GetParam(), 16});
  RingSender sender = region.sender();
  RingReceiver receiver = region.receiver();
  std::vector<std::byte> message(16);
  const std::uint64_t step = Ring::cursor_step(GetParam());
  for (const std::uint64_t several :
       {std::uint64_t{1}, step - 1, step, step + 1, GetParam() - 1, GetParam()}) {
    if (several == 0 || several > GetParam()) continue;
    for (std::uint64_t i = 0; i < several; ++i) ASSERT_EQ(sender.send(message), Io::done);
    for (std::uint64_t i = 0; i < several; ++i) ASSERT_EQ(receiver.receive(message), Io::done);
    for (std::uint64_t i = 0; i < GetParam(); ++i) {
      ASSERT_EQ(sender.send(message), Io::done) << i << " after " << several;
    }
    EXPECT_EQ(sender.send(message), Io::again);
    for (std::uint64_t i = 0; i < GetParam(); ++i) ASSERT_EQ(receiver.receive(message), Io::done);
  }
}

TEST_P(RingOfCapacity, KeepsOrderAndBytesOverManyLapsWherePositionsGrowLarge) {
  for (const std::uint64_t first : {std::uint64_t{0}, (std::uint64_t{1} << 32) - 5, UINT64_MAX - 40}) {
    const RingRegion region({GetParam(), 24}, first);
    RingSender sender = region.sender();
    RingReceiver receiver = region.receiver();
    SequenceChecker checker(0, 24, Touch::full);
    std::uint64_t sent = 0, received = 0;
    std::vector<std::byte> message(24);
    // Bursts of changing length, up to full and down to empty.
    for (std::uint64_t round = 0; round < 200; ++round) {
      const std::uint64_t burst = 1 + round * 7 % GetParam();
      for (std::uint64_t i = 0; i < burst; ++i) {
        fill(message, 0, sent, Touch::full);
        if (sender.send(message) == Io::done) ++sent;
      }
      for (std::uint64_t i = 0; i < burst + round % 3; ++i) {
        if (receiver.receive(message) != Io::done) break;
        checker.observe_every_byte(message);
        ++received;
      }
    }
    while (receiver.receive(message) == Io::done) {
      checker.observe_every_byte(message);
      ++received;
    }
    checker.finish(sent);
    EXPECT_EQ(received, sent);
    EXPECT_GE(sent, 200u);
    EXPECT_TRUE(checker.counts().clean());
  }
}

TEST_P(RingOfCapacity, ClosedComesAfterEverythingThatWasCommitted) {
  const RingRegion region({GetParam(), 8});
  RingSender sender = region.sender();
  RingReceiver receiver = region.receiver();
  std::vector<std::byte> message(8);
  for (std::uint64_t i = 0; i < GetParam(); ++i) ASSERT_EQ(sender.send(message), Io::done);
  EXPECT_EQ(sender.finish(), Io::done);
  EXPECT_EQ(sender.finish(), Io::done);
  for (std::uint64_t i = 0; i < GetParam(); ++i) ASSERT_EQ(receiver.receive(message), Io::done);
  EXPECT_EQ(receiver.receive(message), Io::closed);
  EXPECT_EQ(receiver.receive(message), Io::closed);
}

TEST(Ring, AnEmptyRingSaysAgain) {
  const RingRegion region({4, 8});
  RingReceiver receiver = region.receiver();
  std::vector<std::byte> message(8);
  std::span<const std::byte> slot;
  EXPECT_EQ(receiver.receive(message), Io::again);
  EXPECT_EQ(receiver.peek(slot), Io::again);
}

TEST(Ring, WhatIsLoanedIsNotSeenBeforeTheCommit) {
  const RingRegion region({4, 8});
  RingSender sender = region.sender();
  RingReceiver receiver = region.receiver();
  std::span<std::byte> slot;
  std::span<const std::byte> message;
  ASSERT_EQ(sender.loan(slot), Io::done);
  fill(slot, 0, 77, Touch::full);
  EXPECT_EQ(receiver.peek(message), Io::again);
  ASSERT_EQ(sender.commit(), Io::done);
  ASSERT_EQ(receiver.peek(message), Io::done);
  EXPECT_TRUE(verify(message, 0, 77, Touch::full));
}

TEST(Ring, ALoanOrAPeekRepeatedGivesTheSameSlot) {
  const RingRegion region({4, 8});
  RingSender sender = region.sender();
  RingReceiver receiver = region.receiver();
  std::span<std::byte> first, second;
  ASSERT_EQ(sender.loan(first), Io::done);
  ASSERT_EQ(sender.loan(second), Io::done);
  EXPECT_EQ(first.data(), second.data());
  ASSERT_EQ(sender.commit(), Io::done);
  std::span<const std::byte> one, two;
  ASSERT_EQ(receiver.peek(one), Io::done);
  ASSERT_EQ(receiver.peek(two), Io::done);
  EXPECT_EQ(one.data(), two.data());
  EXPECT_EQ(one.data(), first.data()) << "nothing is copied";
}

TEST(Ring, ASlotIsNotLoanedAgainBeforeItsRelease) {
  const RingRegion region({1, 8});
  RingSender sender = region.sender();
  RingReceiver receiver = region.receiver();
  std::span<std::byte> slot;
  std::span<const std::byte> message;
  ASSERT_EQ(sender.loan(slot), Io::done);
  ASSERT_EQ(sender.commit(), Io::done);
  ASSERT_EQ(receiver.peek(message), Io::done);
  EXPECT_EQ(sender.loan(slot), Io::again);
  ASSERT_EQ(receiver.release(), Io::done);
  EXPECT_EQ(sender.loan(slot), Io::done);
}

TEST(Ring, SlotsAreAlignedExactAndApart) {
  for (const std::size_t size : {1u, 3u, 7u, 8u, 9u, 56u, 57u, 64u, 100u, 4096u, 100'003u}) {
    const RingRegion region({3, size});
    RingSender sender = region.sender();
    RingReceiver receiver = region.receiver();
    const std::byte* end = region.span().data();
    for (int i = 0; i < 3; ++i) {
      std::span<std::byte> slot;
      ASSERT_EQ(sender.loan(slot), Io::done);
      EXPECT_EQ(slot.size(), size);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(slot.data()) % 8, 0u);
      EXPECT_GE(slot.data(), end);
      end = slot.data() + slot.size();
      EXPECT_LE(end, region.span().data() + region.span().size());
      fill(slot, 0, static_cast<std::uint64_t>(i), Touch::full);
      sender.commit();
    }
    SequenceChecker checker(0, size, Touch::full);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(get(receiver, size, checker, Access::loan), Io::done);
    EXPECT_TRUE(checker.counts().clean()) << size;
  }
}

TEST(Ring, TakesMessagesOfMoreThanFourMebibytes) {
  constexpr std::size_t size = (4 << 20) + 3;
  const RingRegion region({2, size});
  send_all(region, size, 2, Access::copy);
  EXPECT_TRUE(receives_all(region, size, 2, Access::copy));
}

TEST(Ring, ASenderThatIsDestroyedHasFinished) {
  const RingRegion region({4, 8});
  RingReceiver receiver = region.receiver();
  std::vector<std::byte> message(8);
  {
    RingSender sender = region.sender();
    ASSERT_EQ(sender.send(message), Io::done);
    RingSender moved(std::move(sender));
    ASSERT_EQ(moved.send(message), Io::done);
    EXPECT_EQ(receiver.receive(message), Io::done);
    EXPECT_EQ(receiver.receive(message), Io::done);
    EXPECT_EQ(receiver.receive(message), Io::again) << "a move is no end";
  }
  EXPECT_EQ(receiver.receive(message), Io::closed);
}

TEST(Ring, AFullRingWithoutAReceiverIsClosed) {
  const RingRegion region({2, 8});
  RingSender sender = region.sender();
  const std::vector<std::byte> message(8);
  { RingReceiver receiver = region.receiver(); }
  EXPECT_EQ(sender.send(message), Io::done);
  EXPECT_EQ(sender.send(message), Io::done);
  EXPECT_EQ(sender.send(message), Io::closed);
  std::span<std::byte> slot;
  EXPECT_EQ(sender.loan(slot), Io::closed);
}

TEST(Ring, RefusesShapesItCannotHave) {
  alignas(Ring::alignment) static std::array<std::byte, 4096> memory{};
  const auto initialise = [](const RingShape& shape) { Ring::initialise(memory, shape); };
  EXPECT_THROW(initialise({0, 8}), std::invalid_argument);
  EXPECT_THROW(initialise({1, 0}), std::invalid_argument);
  EXPECT_THROW(initialise({1'000, 8}), std::invalid_argument);
  EXPECT_THROW(initialise({1, 8, Wait::block, Wait::spin}), std::invalid_argument);
  EXPECT_THROW(initialise({1, 8, Wait::spin, Wait::epoll}), std::invalid_argument);
  EXPECT_THROW(Ring::initialise(std::span(memory).subspan(8), {1, 8}), std::invalid_argument);
  EXPECT_THROW(RingSender{memory}, std::invalid_argument) << "no ring has been made there";
  EXPECT_THROW(RingReceiver{std::span(memory).first(16)}, std::invalid_argument);
  EXPECT_THROW(Ring::bytes_needed(UINT64_MAX, 8), std::length_error);
  EXPECT_THROW(Ring::bytes_needed(1, SIZE_MAX), std::length_error);
  EXPECT_THROW(Ring::bytes_needed(std::uint64_t{1} << 40, std::size_t{1} << 30), std::length_error);
}

// ------------------------------------------------------------------------------------ two threads, two
// processes

std::vector<Wait> waits_that(bool sleep) {
  std::vector<Wait> waits;
  for (const Wait wait : all_waits()) {
    const bool sleeps = wait != Wait::spin && wait != Wait::yield;
    if (doorbell_waits.contains(wait) && (sleeps || !sleep)) waits.push_back(wait);
  }
  return waits;
}

// send wait, receive wait
class RingUnderStress : public testing::TestWithParam<std::tuple<Wait, Wait>> {
 protected:
  template <class Test>
  void at_each_capacity(std::size_t size, Test test) const {
    const auto [send_wait, receive_wait] = GetParam();
    for (const std::uint64_t capacity : {1, 2, 7, 1024}) {
      SCOPED_TRACE(capacity);
      test(RingShape{capacity, size, send_wait, receive_wait});
    }
  }
};
INSTANTIATE_TEST_SUITE_P(AllWaits, RingUnderStress,
                         testing::Combine(testing::ValuesIn(waits_that(false)),
                                          testing::ValuesIn(waits_that(false))),
                         [](const auto& stress) {
                           return std::string(to_string(std::get<0>(stress.param))) + "_" +
                                  std::string(to_string(std::get<1>(stress.param)));
                         });

TEST_P(RingUnderStress, TwoThreadsHandOverEveryByteInOrder) {
  constexpr std::uint64_t messages = 100 * patience;
  at_each_capacity(72, [&](const RingShape& shape) {
    for (const Access send_access : {Access::copy, Access::loan}) {
      for (const Access receive_access : {Access::copy, Access::loan}) {
        const RingRegion region(shape);
        std::thread sender([&] { send_all(region, 72, messages, send_access); });
        EXPECT_TRUE(receives_all(region, 72, messages, receive_access));
        sender.join();
      }
    }
  });
}

TEST_P(RingUnderStress, TwoProcessesHandOverEveryByteInOrder) {
  constexpr std::uint64_t messages = 100 * patience;
  const auto [first, last] = first_and_last_allowed_pu();
  at_each_capacity(100, [&, first = first, last = last](const RingShape& shape) {
    for (const Access access : {Access::copy, Access::loan}) {
      const RingRegion region(shape);
      run_pinned_pair(
          first,
          [&] {
            send_all(region, 100, messages, access);
            return !testing::Test::HasFailure();
          },
          last, [&] { return receives_all(region, 100, messages, access); }, 60'000'000'000);
    }
  });
}

// Both sides dawdle at moments of their own, so that each finds the other asleep, about to sleep and awake.
TEST_P(RingUnderStress, SidesThatDawdleNowAndThenLoseNothing) {
  constexpr std::uint64_t messages = 100 * patience;
  const auto dawdle = [](std::uint64_t i, std::uint64_t salt) {
    const std::uint64_t dice = (i + salt) * 0x9e3779b97f4a7c15u >> 32;
    if (dice % 32 == 0) std::this_thread::sleep_for(std::chrono::microseconds(dice % 61));
  };
  at_each_capacity(8, [&](const RingShape& shape) {
    const RingRegion region(shape);
    std::thread sending([&] {
      RingSender sender = region.sender();
      for (std::uint64_t i = 0; i < messages; ++i) {
        ASSERT_EQ(put(sender, 8, i, Access::loan), Io::done);
        dawdle(i, 1);
      }
    });
    RingReceiver receiver = region.receiver();
    SequenceChecker checker(0, 8, Touch::full);
    for (std::uint64_t i = 0; get(receiver, 8, checker, Access::loan) == Io::done; ++i) dawdle(i, 1'000'003);
    checker.finish(messages);
    EXPECT_TRUE(checker.counts().clean());
    EXPECT_EQ(checker.counts().checked, messages);
    sending.join();
  });
}

// Short tests pass without the handshake of sleepers and wakers; one launch in three of these then hangs.
class SleepingRing : public testing::TestWithParam<Wait> {};
INSTANTIATE_TEST_SUITE_P(AllWaits, SleepingRing, testing::ValuesIn(waits_that(true)),
                         [](const auto& wait) { return std::string(to_string(wait.param)); });

TEST_P(SleepingRing, LosesNoWakeUpInManyPingPongsThroughOneSlot) {
  constexpr std::uint64_t round_trips = 3'000 * patience;
  const auto [first, last] = first_and_last_allowed_pu();
  const Wait wait = GetParam();
  const RingRegion there({1, 8, wait, wait}), back({1, 8, wait, wait});
  const auto lead = [&] {
    RingSender sender = there.sender();
    RingReceiver receiver = back.receiver();
    SequenceChecker checker(0, 8, Touch::full);
    for (std::uint64_t i = 0; i < round_trips; ++i) {
      if (put(sender, 8, i, Access::loan) != Io::done) return false;
      if (get(receiver, 8, checker, Access::loan) != Io::done) return false;
    }
    return checker.counts().clean();
  };
  const auto follow = [&] {
    RingReceiver receiver = there.receiver();
    RingSender sender = back.sender();
    SequenceChecker checker(0, 8, Touch::full);
    for (std::uint64_t i = 0; i < round_trips; ++i) {
      if (get(receiver, 8, checker, Access::loan) != Io::done) return false;
      if (put(sender, 8, i, Access::loan) != Io::done) return false;
    }
    return checker.counts().clean();
  };
  run_pinned_pair(first, lead, last, follow, 60'000'000'000);
}

TEST(Ring, MillionsOfMessagesStayInOrder) {
  constexpr std::uint64_t messages = 200'000 * patience;
  const RingRegion region({1024, 64});
  std::thread sender([&] {
    RingSender end = region.sender();
    for (std::uint64_t i = 0; i < messages; ++i) ASSERT_EQ(put(end, 64, i, Access::loan), Io::done);
  });
  EXPECT_TRUE(receives_all(region, 64, messages, Access::loan));
  sender.join();
}

TEST_P(SleepingRing, WakesItsReceiverAtTheEnd) {
  const Wait wait = GetParam();
  const RingRegion region({4, 8, wait, wait});
  RingReceiver receiver = region.receiver();
  std::thread sender([&] {
    RingSender end = region.sender();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  });
  std::vector<std::byte> message(8);
  EXPECT_EQ(persist([&] { return receiver.receive(message); }, [&] { receiver.wait_to_receive(); }),
            Io::closed);
  sender.join();
}

TEST_P(SleepingRing, WakesItsSenderWhenTheReceiverLeaves) {
  const Wait wait = GetParam();
  const RingRegion region({1, 8, wait, wait});
  RingSender sender = region.sender();
  std::thread receiver([&] {
    RingReceiver end = region.receiver();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  });
  const std::vector<std::byte> message(8);
  EXPECT_EQ(sender.send(message), Io::done);
  EXPECT_EQ(persist([&] { return sender.send(message); }, [&] { sender.wait_to_send(); }), Io::closed);
  receiver.join();
}

}  // namespace
}  // namespace ipcmark
