// What ci/accuracy measures against.

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <thread>

#include "ci/baseline/bare_slots.h"
#include "ci/baseline/goal.h"
#include "ci/baseline/line_floor.h"
#include "ci/baseline/turns.h"
#include "ci/baseline/two_index_ring.h"
#include "harness/payload.h"

namespace ipcmark::baseline {
namespace {

constexpr std::size_t message_bytes = 64;

struct Memory {
  explicit Memory(std::uint64_t capacity) { TwoIndexRing::initialise(bytes, capacity, message_bytes); }
  alignas(64) std::array<std::byte, 80'000> bytes{};
};

TEST(TwoIndexRing, HoldsExactlyItsCapacityAndFreesEachSlotAtOnce) {
  for (const std::uint64_t capacity : {1u, 2u, 3u, 1000u, 1024u}) {
    ASSERT_LE(TwoIndexRing::bytes_needed(capacity, message_bytes), sizeof(Memory));
    Memory memory(capacity);
    TwoIndexSender sender(memory.bytes);
    TwoIndexReceiver receiver(memory.bytes);
    SequenceChecker checker(0, message_bytes, Touch::full);
    std::uint64_t sequence = 0;
    const auto try_to_send = [&] {
      std::span<std::byte> slot;
      if (sender.loan(slot) != Io::done) return false;
      fill(slot, 0, sequence++, Touch::full);
      return sender.commit() == Io::done;
    };
    for (int lap = 0; lap < 3; ++lap) {
      for (std::uint64_t i = 0; i < capacity; ++i) ASSERT_TRUE(try_to_send());
      ASSERT_FALSE(try_to_send());
      std::span<const std::byte> message;
      for (std::uint64_t i = 0; i < capacity; ++i) {
        ASSERT_EQ(receiver.peek(message), Io::done);
        checker.observe_every_byte(message);
        receiver.release();
        if (i > 0) continue;
        ASSERT_TRUE(try_to_send()) << "one release, one place";
        ASSERT_FALSE(try_to_send());
      }
      ASSERT_EQ(receiver.peek(message), Io::done);
      checker.observe_every_byte(message);
      receiver.release();
      ASSERT_EQ(receiver.peek(message), Io::again);
    }
    EXPECT_TRUE(checker.counts().clean());
  }
}

template <class Sender, class Receiver>
void expect_two_threads_hand_over_every_byte(std::span<std::byte> memory, std::uint64_t messages) {
  std::thread sender([&] {
    Sender end(memory);
    for (std::uint64_t i = 0; i < messages; ++i) {
      std::span<std::byte> slot;
      while (end.loan(slot) != Io::done) end.wait_to_send();
      fill(slot, 0, i, Touch::full);
      end.commit();
    }
  });
  Receiver receiver(memory);
  SequenceChecker checker(0, message_bytes, Touch::full);
  for (std::uint64_t i = 0; i < messages; ++i) {
    std::span<const std::byte> message;
    while (receiver.peek(message) != Io::done) receiver.wait_to_receive();
    checker.observe_every_byte(message);
    receiver.release();
  }
  sender.join();
  EXPECT_TRUE(checker.counts().clean());
}

TEST(TwoIndexRing, TwoThreadsHandOverEveryByteInOrder) {
  Memory memory(1024);
  expect_two_threads_hand_over_every_byte<TwoIndexSender, TwoIndexReceiver>(memory.bytes, 100'000);
}

struct FloorMemory {
  FloorMemory() { LineFloor::initialise(bytes); }
  alignas(128) std::array<std::byte, LineFloor::bytes_needed()> bytes;
};

TEST(RingFloor, HasTwoBatchesAndHandsEachOverWhole) {
  const auto memory = std::make_unique<FloorMemory>();
  LineFloorSender sender(memory->bytes);
  LineFloorReceiver receiver(memory->bytes);
  SequenceChecker checker(0, message_bytes, Touch::full);
  std::uint64_t sequence = 0;
  std::span<std::byte> slot;
  std::span<const std::byte> message;
  const auto send = [&] {
    ASSERT_EQ(sender.loan(slot), Io::done);
    ASSERT_EQ(slot.size(), message_bytes);
    fill(slot, 0, sequence++, Touch::full);
    sender.commit();
  };
  for (std::uint64_t i = 0; i < LineFloor::batch_messages; ++i) {
    ASSERT_EQ(receiver.peek(message), Io::again) << i << " of a batch sent";
    send();
  }
  for (int lap = 0; lap < 3; ++lap) {
    for (std::uint64_t i = 0; i < LineFloor::batch_messages; ++i) send();
    for (std::uint64_t i = 0; i < LineFloor::batch_messages; ++i) {
      ASSERT_EQ(sender.loan(slot), Io::again) << i << " of a batch received";
      ASSERT_EQ(receiver.peek(message), Io::done);
      checker.observe_every_byte(message);
      receiver.release();
    }
  }
  EXPECT_TRUE(checker.counts().clean());
}

TEST(RingFloor, TwoThreadsHandOverEveryByteInOrder) {
  const auto memory = std::make_unique<FloorMemory>();
  expect_two_threads_hand_over_every_byte<LineFloorSender, LineFloorReceiver>(memory->bytes,
                                                                              50 * LineFloor::batch_messages);
}

TEST(BareSlots, HandOverOneMessageAtATimeInOrder) {
  for (const std::uint64_t slots : {1u, 2u, 31u}) {
    alignas(128) std::array<std::byte, BareSlots::bytes_needed(31)> there{}, back{};
    constexpr std::uint64_t round_trips = 10'000;
    const auto send = [](BareSlotSender& sender, std::uint64_t sequence) {
      std::span<std::byte> slot;
      ASSERT_EQ(sender.loan(slot), Io::done);
      fill(slot, 0, sequence, Touch::full);
      sender.commit();
    };
    const auto receive = [](BareSlotReceiver& receiver, SequenceChecker& checker) {
      std::span<const std::byte> message;
      while (receiver.peek(message) != Io::done) receiver.wait_to_receive();
      checker.observe_every_byte(message);
      receiver.release();
    };
    SequenceChecker answers(0, message_bytes, Touch::full), questions(0, message_bytes, Touch::full);
    std::thread answering([&] {
      BareSlotReceiver receiver(there, slots);
      BareSlotSender sender(back, slots);
      for (std::uint64_t i = 0; i < round_trips; ++i) {
        receive(receiver, questions);
        send(sender, i);
      }
    });
    BareSlotSender sender(there, slots);
    BareSlotReceiver receiver(back, slots);
    for (std::uint64_t i = 0; i < round_trips; ++i) {
      send(sender, i);
      receive(receiver, answers);
    }
    answering.join();
    EXPECT_TRUE(questions.counts().clean());
    EXPECT_TRUE(answers.counts().clean());
  }
}

TEST(Turns, GiveEachContestantEachPlaceEquallyOftenInEveryRound) {
  for (const unsigned contestants : {3U, 4U}) {
    for (unsigned launch = 0; launch < 5; ++launch) {
      std::array<std::array<unsigned, 4>, 4> times{};
      for (unsigned pass = 0; pass < accuracy::passes_per_round; ++pass) {
        for (unsigned place = 0; place < contestants; ++place)
          ++times.at(accuracy::contestant_at(launch, pass, place, contestants)).at(place);
      }
      for (unsigned who = 0; who < contestants; ++who) {
        for (unsigned place = 0; place < contestants; ++place) {
          EXPECT_EQ(times[who][place], accuracy::passes_per_round / contestants);
        }
      }
    }
  }
}

TEST(Goal, IsOutOfReachOnlyWhereItsWholeIntervalDeniesIt) {
  using namespace accuracy;
  const Goal goal{.at_least = 3};
  EXPECT_EQ(judge(goal, {3.4, 3.0, 3.9}, std::nullopt), Outcome::holds);
  EXPECT_EQ(judge(goal, {3.4, 2.9, 3.9}, std::nullopt), Outcome::does_not_hold);
  EXPECT_EQ(judge(goal, {3.4, 2.9, 3.9}, Estimate{4.1, 3.8, 4.5}), Outcome::does_not_hold);
  EXPECT_EQ(judge(goal, {2.5, 2.4, 2.6}, Estimate{2.9, 2.8, 3.0}), Outcome::does_not_hold);
  EXPECT_EQ(judge(goal, {1.5, 1.4, 1.6}, Estimate{1.9, 1.8, 2.9}), Outcome::out_of_reach);
  EXPECT_EQ(judge(goal, {3.4, 3.0, 3.9}, Estimate{2.0, 1.8, 2.9}), Outcome::holds)
      << "what was reached was in reach";
  EXPECT_EQ(judge({.at_most = 1.5}, {1.4, 1.3, 1.5}, std::nullopt), Outcome::holds);
  EXPECT_EQ(judge({.at_most = 1.5}, {1.4, 1.3, 1.6}, std::nullopt), Outcome::does_not_hold);
  EXPECT_EQ(judge({.at_most = 1.5}, {1.8, 1.7, 1.9}, Estimate{1.5, 1.4, 1.6}), Outcome::does_not_hold);
  EXPECT_EQ(judge({.at_most = 1.5}, {1.8, 1.7, 1.9}, Estimate{1.7, 1.6, 1.8}), Outcome::out_of_reach);
}

}  // namespace
}  // namespace ipcmark::baseline
