#include "harness/broadcast_ring.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>

#include <thread>
#include <vector>

#include "harness/memory_map.h"
#include "harness/payload.h"

namespace ipcmark {
namespace {

const BroadcastDoorbellParts nothing(2);  // spinning needs none

MemoryMap ring_in_memory(const BroadcastRingShape& shape) {
  const std::size_t bytes = BroadcastRing::bytes_needed(shape);
  MemoryMap memory(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), bytes);
  BroadcastRing::initialise(memory.bytes(), shape);
  return memory;
}

std::vector<std::byte> message(std::uint64_t number, std::size_t bytes) {
  std::vector<std::byte> filled(bytes);
  fill(filled, 0, number, Touch::full);
  return filled;
}

TEST(BroadcastRing, EveryReceiverGetsEveryMessageAndTheEnd) {
  for (const std::size_t bytes : {1u, 64u, 65u, 5'000u}) {
    const MemoryMap memory = ring_in_memory({.capacity = 3, .message_bytes = bytes, .receivers = 2});
    BroadcastSender sender(memory.bytes(), nothing);
    BroadcastReceiver one(memory.bytes(), 0, nothing), other(memory.bytes(), 1, nothing);
    std::vector<std::byte> got(bytes);
    EXPECT_EQ(one.receive(got), Io::again);
    for (std::uint64_t lap = 0; lap < 10; ++lap) {
      EXPECT_EQ(sender.send(message(2 * lap, bytes)), Io::done);
      EXPECT_EQ(sender.send(message(2 * lap + 1, bytes)), Io::done);
      for (BroadcastReceiver* receiver : {&one, &other}) {
        for (std::uint64_t i = 0; i < 2; ++i) {
          EXPECT_EQ(receiver->receive(got), Io::done);
          EXPECT_EQ(got, message(2 * lap + i, bytes));
        }
        EXPECT_EQ(receiver->receive(got), Io::again);
      }
    }
    EXPECT_EQ(sender.send(message(20, bytes)), Io::done);
    EXPECT_EQ(sender.finish(), Io::done);
    EXPECT_EQ(one.receive(got), Io::done);
    EXPECT_EQ(one.receive(got), Io::closed);
    EXPECT_EQ(other.receive(got), Io::done);
    EXPECT_EQ(other.receive(got), Io::closed);
  }
}

TEST(BroadcastRing, TheSenderWaitsForTheSlowestUntilItLeaves) {
  const MemoryMap memory = ring_in_memory({.capacity = 2, .message_bytes = 8, .receivers = 2});
  BroadcastSender sender(memory.bytes(), nothing);
  std::optional<BroadcastReceiver> quick, slow;
  quick.emplace(memory.bytes(), 0, nothing);
  slow.emplace(memory.bytes(), 1, nothing);
  std::vector<std::byte> got(8);
  EXPECT_EQ(sender.send(message(0, 8)), Io::done);
  EXPECT_EQ(sender.send(message(1, 8)), Io::done);
  EXPECT_EQ(sender.send(message(2, 8)), Io::again);
  EXPECT_EQ(quick->receive(got), Io::done);
  EXPECT_EQ(quick->receive(got), Io::done);
  EXPECT_EQ(sender.send(message(2, 8)), Io::again);
  slow.reset();
  EXPECT_EQ(sender.send(message(2, 8)), Io::done);
  EXPECT_EQ(quick->receive(got), Io::done);
  EXPECT_EQ(got, message(2, 8));
  quick.reset();
  while (sender.send(message(3, 8)) == Io::done) {
  }
  EXPECT_EQ(sender.send(message(3, 8)), Io::closed);
}

TEST(BroadcastRing, ASlotOnLoanIsNotOverwritten) {
  const MemoryMap memory = ring_in_memory({.capacity = 1, .message_bytes = 8, .receivers = 1});
  BroadcastSender sender(memory.bytes(), nothing);
  BroadcastReceiver receiver(memory.bytes(), 0, nothing);
  std::span<std::byte> slot;
  ASSERT_EQ(sender.loan(slot), Io::done);
  fill(slot, 0, 7, Touch::full);
  std::span<const std::byte> seen;
  EXPECT_EQ(receiver.peek(seen), Io::again);
  EXPECT_EQ(sender.commit(), Io::done);
  ASSERT_EQ(receiver.peek(seen), Io::done);
  EXPECT_TRUE(verify(seen, 0, 7, Touch::full));
  EXPECT_EQ(sender.loan(slot), Io::again);
  EXPECT_EQ(receiver.release(), Io::done);
  EXPECT_EQ(sender.loan(slot), Io::done);
}

TEST(BroadcastRing, RefusesShapesAndRegionsThatCannotBe) {
  alignas(BroadcastRing::alignment) std::byte region[4'096]{};
  EXPECT_THROW(BroadcastRing::initialise(region, {.capacity = 0}), std::invalid_argument);
  EXPECT_THROW(BroadcastRing::initialise(region, {.receivers = 0}), std::invalid_argument);
  EXPECT_THROW(BroadcastRing::initialise(region, {.capacity = 100'000}), std::invalid_argument);
  EXPECT_THROW(BroadcastRing::bytes_needed({.capacity = UINT64_MAX}), std::length_error);
  const MemoryMap memory = ring_in_memory({.receivers = 2});
  EXPECT_THROW(BroadcastReceiver(memory.bytes(), 2, nothing), std::out_of_range);
}

// A wake-up that is lost leaves somebody asleep for ever.
TEST(BroadcastRing, NobodyIsForgottenByAnyWait) {
  constexpr std::uint64_t messages = 3'000;
  constexpr unsigned receivers = 3;
  constexpr std::size_t bytes = 40;
  for (const Wait wait : {Wait::yield, Wait::futex, Wait::adaptive, Wait::semaphore, Wait::sysv_semaphore,
                          Wait::condvar, Wait::eventfd}) {
    for (const std::uint64_t capacity : {1u, 5u}) {
      SCOPED_TRACE(std::string(to_string(wait)) + ", capacity " + std::to_string(capacity));
      const BroadcastRingShape shape{.capacity = capacity,
                                     .message_bytes = bytes,
                                     .receivers = receivers,
                                     .send_wait = wait,
                                     .receive_wait = wait};
      const BroadcastDoorbellParts parts("test", shape);
      const MemoryMap memory = ring_in_memory(shape);
      std::vector<std::thread> threads;
      for (unsigned index = 0; index < receivers; ++index) {
        threads.emplace_back([&, index] {
          BroadcastReceiver receiver(memory.bytes(), index, parts);
          SequenceChecker checker(0, bytes, Touch::full);
          std::vector<std::byte> got(bytes);
          for (Io io; (io = receiver.receive(got)) != Io::closed;) {
            if (io == Io::done) {
              checker.observe_every_byte(got);
            } else {
              receiver.wait_to_receive();
            }
          }
          checker.finish(messages);
          EXPECT_EQ(checker.counts().checked, messages);
          EXPECT_TRUE(checker.counts().clean()) << index;
        });
      }
      BroadcastSender sender(memory.bytes(), parts);
      for (std::uint64_t number = 0; number < messages; ++number) {
        while (sender.send(message(number, bytes)) == Io::again) sender.wait_to_send();
      }
      sender.finish();
      for (std::thread& thread : threads) thread.join();
    }
  }
}

}  // namespace
}  // namespace ipcmark
