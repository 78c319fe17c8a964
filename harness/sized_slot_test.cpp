#include "harness/sized_slot.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "harness/ring.h"
#include "harness/segment_queue.h"
#include "harness/shared_ring.h"

namespace ipcmark {
namespace {

constexpr std::size_t largest = 100;

struct alignas(4096) LargeRegion {
  std::array<std::byte, 1 << 20> bytes{};
};

// Sends every size by copy, receives each by loan and by copy in turn.
template <class Sender, class Receiver>
void expect_every_size(Sender sender, Receiver receiver) {
  std::vector<std::byte> message(largest), buffer(largest);
  for (std::size_t size = 1; size <= largest; ++size) {
    std::fill(message.begin(), message.end(), static_cast<std::byte>(size));
    ASSERT_EQ(send_sized(sender, std::span(message).first(size)), Io::done);
    if (size % 2 == 0) {
      std::span<const std::byte> slot;
      ASSERT_EQ(receiver.peek(slot), Io::done);
      const auto got = sized_message(slot);
      EXPECT_TRUE(
          std::equal(got.begin(), got.end(), message.begin(), message.begin() + std::ptrdiff_t(size)));
      EXPECT_EQ(receiver.release(), Io::done);
    } else {
      std::size_t got = 0;
      ASSERT_EQ(receive_sized(receiver, std::span(buffer), got), Io::done);
      EXPECT_EQ(got, size);
      EXPECT_TRUE(std::equal(message.begin(), message.begin() + std::ptrdiff_t(size), buffer.begin()));
    }
  }
  std::size_t got = 0;
  EXPECT_EQ(receive_sized(receiver, std::span(buffer), got), Io::again);
}

TEST(SizedSlots, KeepTheSizeInEveryKindOfQueueThatLendsThem) {
  const auto region = std::make_unique<LargeRegion>();
  Ring::initialise(region->bytes, {.capacity = 3, .message_bytes = sized_slot_bytes(largest)});
  expect_every_size(RingSender(region->bytes), RingReceiver(region->bytes));

  const auto shared = std::make_unique<LargeRegion>();
  SharedRing::initialise(shared->bytes, {.capacity = 3, .message_bytes = sized_slot_bytes(largest)});
  expect_every_size(SharedRingSender(shared->bytes), SharedRingReceiver(shared->bytes));

  const auto queue = std::make_unique<LargeRegion>();
  SegmentQueue::initialise(queue->bytes,
                           {.message_bytes = sized_slot_bytes(largest), .limit_bytes = 512 << 10});
  expect_every_size(SegmentSender(queue->bytes), SegmentReceiver(queue->bytes));
}

TEST(SizedSlots, HoldTheLargestMessageAndItsSizeAndNoMoreThanThat) {
  for (const std::size_t bytes : {1u, 7u, 8u, 9u, 64u, 4096u}) {
    EXPECT_GE(largest_in_slot(sized_slot_bytes(bytes)), bytes);
    EXPECT_LT(largest_in_slot(sized_slot_bytes(bytes)), bytes + 8);
    EXPECT_EQ(sized_slot_bytes(bytes) % 8, 0u);
  }
}

TEST(SizedSlots, ThatTellASizeWhichNoMessageHasAreErrors) {
  alignas(8) std::array<std::byte, sized_slot_bytes(64)> slot{};
  EXPECT_THROW(sized_message(slot), std::system_error);
  tell_size(slot, 65);
  EXPECT_THROW(sized_message(slot), std::system_error);
  tell_size(slot, 64);
  EXPECT_EQ(sized_message(slot).size(), 64u);
}

}  // namespace
}  // namespace ipcmark
