#include "ci/baseline/two_index_ring.h"

#include <gtest/gtest.h>

#include <array>
#include <thread>

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

TEST(TwoIndexRing, TwoThreadsHandOverEveryByteInOrder) {
  constexpr std::uint64_t messages = 100'000;
  Memory memory(1024);
  std::thread sender([&] {
    TwoIndexSender end(memory.bytes);
    for (std::uint64_t i = 0; i < messages; ++i) {
      std::span<std::byte> slot;
      while (end.loan(slot) != Io::done) end.wait_to_send();
      fill(slot, 0, i, Touch::full);
      end.commit();
    }
  });
  TwoIndexReceiver receiver(memory.bytes);
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

}  // namespace
}  // namespace ipcmark::baseline
