#include "harness/shared_ring.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <exception>
#include <numeric>
#include <optional>
#include <set>
#include <stdexcept>
#include <thread>
#include <tuple>
#include <vector>

#include "harness/fail.h"
#include "harness/memory_map.h"
#include "harness/payload.h"
#include "harness/test_stress.h"
#include "harness/test_work.h"

namespace ipcmark {
namespace {

MemoryMap zeroed_shared_memory(std::size_t bytes) {
  void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail("mmap");
  return {memory, bytes};
}

class SharedRingRegion {
 public:
  explicit SharedRingRegion(const SharedRingShape& shape, std::uint64_t first_position = 0)
      : memory_(zeroed_shared_memory(SharedRing::bytes_needed(shape.capacity, shape.message_bytes))) {
    SharedRing::initialise(memory_.bytes(), shape, first_position);
  }
  std::span<std::byte> span() const { return memory_.bytes(); }

 private:
  MemoryMap memory_;
};

Io put(SharedRingSender& sender, std::size_t size, unsigned index, std::uint64_t sequence, Access access) {
  const auto wait = [&] { sender.wait_to_send(); };
  if (access == Access::copy) {
    std::vector<std::byte> message(size);
    fill(message, index, sequence, Touch::full);
    return persist([&] { return sender.send(message); }, wait);
  }
  std::span<std::byte> slot;
  const Io io = persist([&] { return sender.loan(slot); }, wait);
  if (io != Io::done) return io;
  fill(slot, index, sequence, Touch::full);
  return sender.commit();
}

template <class Look>
Io get(SharedRingReceiver& receiver, std::size_t size, Access access, Look look) {
  const auto wait = [&] { receiver.wait_to_receive(); };
  if (access == Access::copy) {
    std::vector<std::byte> message(size);
    const Io io = persist([&] { return receiver.receive(message); }, wait);
    if (io == Io::done) look(std::span<const std::byte>(message));
    return io;
  }
  std::span<const std::byte> message;
  const Io io = persist([&] { return receiver.peek(message); }, wait);
  if (io != Io::done) return io;
  look(message);
  return receiver.release();
}

// Messages of P senders arriving at C receivers, judged as plainly as can be: one counter for each message
// that will be sent, in memory that processes share.
class Oracle {
 public:
  Oracle(unsigned senders, std::uint64_t messages_each)
      : messages_each_(messages_each),
        memory_(zeroed_shared_memory(senders * messages_each * sizeof(Count))),
        counts_(reinterpret_cast<Count*>(memory_.bytes().data()), senders * messages_each) {}

  // For one receiver: every message intact, and those of one sender in order.
  class Receiver {
   public:
    explicit Receiver(Oracle& oracle) : oracle_(oracle) {}
    void operator()(std::span<const std::byte> message) {
      const std::uint64_t stamp = read(message, Touch::header).stamp;
      const auto sender = static_cast<unsigned>(stamp >> 48);
      const std::uint64_t sequence = stamp & 0xffff'ffff'ffff;
      const std::uint64_t which = sender * oracle_.messages_each_ + sequence;
      require(verify(message, sender, sequence, Touch::full), "a message of mixed bytes");
      require(sequence < oracle_.messages_each_ && which < oracle_.counts_.size(), "a message nobody sent");
      next_.resize(std::max<std::size_t>(next_.size(), sender + 1));
      require(sequence >= next_[sender], "a message of one sender overtook another");
      next_[sender] = sequence + 1;
      oracle_.counts_[which].fetch_add(1, std::memory_order_relaxed);
    }

   private:
    Oracle& oracle_;
    std::vector<std::uint64_t> next_;
  };

  bool each_exactly_once() const { return each_at_most_once() && received() == counts_.size(); }
  bool each_at_most_once() const {
    return std::ranges::all_of(counts_,
                               [](const Count& count) { return count.load(std::memory_order_relaxed) <= 1; });
  }
  std::uint64_t received() const {
    return std::accumulate(
        counts_.begin(), counts_.end(), std::uint64_t{0},
        [](std::uint64_t sum, const Count& count) { return sum + count.load(std::memory_order_relaxed); });
  }

 private:
  using Count = std::atomic<std::uint32_t>;
  std::uint64_t messages_each_;
  MemoryMap memory_;
  std::span<Count> counts_;
};

Access access_of(unsigned index) { return index % 2 == 0 ? Access::loan : Access::copy; }

void send_all(std::span<std::byte> region, std::size_t size, unsigned index, std::uint64_t messages,
              const LinkDoorbellParts& parts = {}) {
  SharedRingSender sender(region, parts);
  for (std::uint64_t i = 0; i < messages; ++i) {
    require(put(sender, size, index, i, access_of(index)) == Io::done, "a sender was refused");
  }
  require(sender.finish() == Io::done, "a sender could not finish");
}

void receive_all(std::span<std::byte> region, std::size_t size, unsigned index, Oracle& oracle,
                 const LinkDoorbellParts& parts = {}) {
  SharedRingReceiver receiver(region, parts);
  Oracle::Receiver judge(oracle);
  while (get(receiver, size, access_of(index), judge) == Io::done) {
  }
}

// Sends all, and drops the oldest message whenever there is no room. How many it has dropped.
std::uint64_t send_or_drop_all(std::span<std::byte> region, std::size_t size, unsigned index,
                               std::uint64_t messages) {
  SharedRingSender sender(region);
  std::uint64_t dropped = 0;
  std::vector<std::byte> message(size);
  const auto attempt = [&] {
    const Io io = sender.send(message);
    if (io != Io::again || sender.drop_oldest() != Io::done) return io;
    ++dropped;
    return sender.send(message);
  };
  for (std::uint64_t i = 0; i < messages; ++i) {
    fill(message, index, i, Touch::full);
    require(persist(attempt, [&] { sender.wait_to_send(); }) == Io::done, "a sender was refused");
  }
  return dropped;
}

// Runs `send(index)` and `receive(index)` as threads; what they threw, or nothing.
template <class Send, class Receive>
std::string trouble_among_threads(const SharedRingShape& shape, Send send, Receive receive) {
  std::vector<std::string> troubles(shape.senders + shape.receivers);
  std::vector<std::thread> threads;
  const auto start = [&](auto work, unsigned index) {
    threads.emplace_back([work, index, &trouble = troubles[threads.size()]] {
      try {
        work(index);
      } catch (const std::exception& error) {
        trouble = error.what();
      }
    });
  };
  for (unsigned i = 0; i < shape.receivers; ++i) start(receive, i);
  for (unsigned i = 0; i < shape.senders; ++i) start(send, i);
  for (std::thread& thread : threads) thread.join();
  std::string all;
  for (const std::string& trouble : troubles) all += trouble;
  return all;
}
std::string trouble_among_threads(std::span<std::byte> region, const SharedRingShape& shape,
                                  std::uint64_t messages_each, Oracle& oracle,
                                  const LinkDoorbellParts& parts = {}) {
  return trouble_among_threads(
      shape, [&](unsigned index) { send_all(region, shape.message_bytes, index, messages_each, parts); },
      [&](unsigned index) { receive_all(region, shape.message_bytes, index, oracle, parts); });
}

// -------------------------------------------------------------------------------------- rules, one thread

class SharedRingOfCapacity : public testing::TestWithParam<std::uint64_t> {};
INSTANTIATE_TEST_SUITE_P(Capacities, SharedRingOfCapacity, testing::Values(1, 2, 3, 7, 1000, 1024),
                         testing::PrintToStringParamName());

TEST_P(SharedRingOfCapacity, HoldsExactlyItsCapacityAndFreesEachSlotAtOnce) {
  const SharedRingRegion region({GetParam(), 16});
  SharedRingSender sender(region.span());
  SharedRingReceiver receiver(region.span());
  std::vector<std::byte> message(16);
  for (int lap = 0; lap < 3; ++lap) {
    for (std::uint64_t i = 0; i < GetParam(); ++i) ASSERT_EQ(sender.send(message), Io::done) << i;
    EXPECT_EQ(sender.send(message), Io::again);
    EXPECT_EQ(sender.send(message), Io::again);
    ASSERT_EQ(receiver.receive(message), Io::done);
    ASSERT_EQ(sender.send(message), Io::done) << "one release, one place";
    EXPECT_EQ(sender.send(message), Io::again);
    for (std::uint64_t i = 0; i < GetParam(); ++i) ASSERT_EQ(receiver.receive(message), Io::done) << i;
    EXPECT_EQ(receiver.receive(message), Io::again);
    EXPECT_EQ(receiver.receive(message), Io::again);
  }
  EXPECT_EQ(sender.limit()->value, GetParam());
  EXPECT_EQ(receiver.limit()->unit, "messages");
}

TEST_P(SharedRingOfCapacity, KeepsOrderAndBytesOverManyLapsWherePositionsGrowLarge) {
  const std::uint64_t capacity = GetParam();
  const std::uint64_t each_sends = (capacity < 100 ? 200 : 40) * capacity;
  for (const std::uint64_t first : {std::uint64_t{0}, (std::uint64_t{1} << 32) - 5,
                                    std::uint64_t{6'148'914'691'236'517'205} - 40,  // where 3 * lap wraps
                                    UINT64_MAX - 5'000'000}) {
    const SharedRingRegion region({capacity, 24, 2, 2}, first);
    std::array senders{SharedRingSender(region.span()), SharedRingSender(region.span())};
    std::array receivers{SharedRingReceiver(region.span()), SharedRingReceiver(region.span())};
    Oracle oracle(2, each_sends);
    std::array judges{Oracle::Receiver(oracle), Oracle::Receiver(oracle)};
    std::array<std::uint64_t, 2> sent{};
    std::uint64_t received = 0;
    std::vector<std::byte> message(24);
    const auto try_to_send = [&](unsigned sender) {
      if (sent[sender] == each_sends) return Io::closed;
      fill(message, sender, sent[sender], Touch::full);
      const Io io = senders[sender].send(message);
      if (io == Io::done) ++sent[sender];
      return io;
    };
    const auto try_to_receive = [&](unsigned receiver) {
      const Io io = receivers[receiver].receive(message);
      if (io == Io::done) judges[receiver](message), ++received;
      return io;
    };
    // Bursts of changing length, up to full and down to empty, each side's two taking turns unevenly.
    for (unsigned round = 0; sent[0] + sent[1] < 2 * each_sends; ++round) {
      const std::uint64_t burst = 1 + round * 7 % (2 * capacity);
      for (std::uint64_t i = 0; i < burst; ++i) try_to_send((i + round) % 3 == 0);
      for (std::uint64_t i = 0; i < burst; ++i) try_to_receive((i + round) % 5 < 2);
    }
    while (try_to_receive(0) == Io::done) {
    }
    EXPECT_EQ(received, 2 * each_sends);
    EXPECT_TRUE(oracle.each_exactly_once());
  }
}

TEST_P(SharedRingOfCapacity, ClosedComesAfterAllSendersFinishedAndAllTheySentWasReceived) {
  const SharedRingRegion region({GetParam(), 8, 2, 2});
  SharedRingSender first(region.span()), second(region.span());
  SharedRingReceiver one(region.span()), other(region.span());
  std::vector<std::byte> message(8);
  for (std::uint64_t i = 0; i < GetParam(); ++i) ASSERT_EQ(first.send(message), Io::done);
  EXPECT_EQ(first.finish(), Io::done);
  EXPECT_EQ(first.finish(), Io::done);
  for (std::uint64_t i = 0; i < GetParam(); ++i) ASSERT_EQ((i % 2 ? one : other).receive(message), Io::done);
  EXPECT_EQ(one.receive(message), Io::again) << "one sender is still there, the other finished twice";
  ASSERT_EQ(second.send(message), Io::done);
  EXPECT_EQ(second.finish(), Io::done);
  EXPECT_EQ(one.receive(message), Io::done);
  EXPECT_EQ(one.receive(message), Io::closed);
  EXPECT_EQ(one.receive(message), Io::closed);
  EXPECT_EQ(other.receive(message), Io::closed);
}

TEST_P(SharedRingOfCapacity, AFullRingIsClosedOnceEveryReceiverHasLeft) {
  const SharedRingRegion region({GetParam(), 8, 1, 2});
  SharedRingSender sender(region.span());
  std::optional<SharedRingReceiver> one(region.span()), other(region.span());
  const std::vector<std::byte> message(8);
  for (std::uint64_t i = 0; i < GetParam(); ++i) ASSERT_EQ(sender.send(message), Io::done);
  one.reset();
  EXPECT_EQ(sender.send(message), Io::again);
  other.reset();
  EXPECT_EQ(sender.send(message), Io::closed);
  std::span<std::byte> slot;
  EXPECT_EQ(sender.loan(slot), Io::closed);
}

TEST_P(SharedRingOfCapacity, AFullRingDropsItsOldestMessageOneForEachThatIsToGoIn) {
  const std::uint64_t capacity = GetParam();
  for (const std::uint64_t first : {std::uint64_t{0}, std::uint64_t{6'148'914'691'236'517'205} - 40}) {
    const SharedRingRegion region({capacity, 16}, first);
    SharedRingSender sender(region.span());
    SharedRingReceiver receiver(region.span());
    std::vector<std::byte> message(16);
    std::uint64_t sent = 0;
    for (std::uint64_t i = 0; i < capacity; ++i) {
      EXPECT_EQ(sender.drop_oldest(), Io::again) << "there is room";
      fill(message, 0, sent++, Touch::full);
      ASSERT_EQ(sender.send(message), Io::done);
    }
    for (std::uint64_t i = 0; i < 2 * capacity + 1; ++i) {
      fill(message, 0, sent++, Touch::full);
      ASSERT_EQ(sender.send(message), Io::again);
      ASSERT_EQ(sender.drop_oldest(), Io::done);
      EXPECT_EQ(sender.drop_oldest(), Io::again) << "one is enough";
      ASSERT_EQ(sender.send(message), Io::done);
    }
    for (std::uint64_t next = sent - capacity; next < sent; ++next) {
      ASSERT_EQ(receiver.receive(message), Io::done);
      EXPECT_TRUE(verify(message, 0, next, Touch::full)) << next;
    }
    EXPECT_EQ(receiver.receive(message), Io::again);
  }
}

TEST_P(SharedRingOfCapacity, AMessageThatAReceiverIsInsideOfIsNeitherDroppedNorOverwritten) {
  const SharedRingRegion region({GetParam(), 16});
  SharedRingSender sender(region.span());
  SharedRingReceiver receiver(region.span());
  std::vector<std::byte> other(16);
  for (std::uint64_t i = 0; i < GetParam(); ++i) {
    fill(other, 0, i, Touch::full);
    ASSERT_EQ(sender.send(other), Io::done);
  }
  std::span<const std::byte> inside;
  ASSERT_EQ(receiver.peek(inside), Io::done);
  fill(other, 0, GetParam(), Touch::full);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(sender.send(other), Io::again);
    EXPECT_EQ(sender.drop_oldest(), Io::again) << "to drop another would not help";
  }
  EXPECT_TRUE(verify(inside, 0, 0, Touch::full));
  ASSERT_EQ(receiver.release(), Io::done);
  EXPECT_EQ(sender.send(other), Io::done);
  for (std::uint64_t next = 1; next <= GetParam(); ++next) {
    ASSERT_EQ(receiver.receive(other), Io::done);
    EXPECT_TRUE(verify(other, 0, next, Touch::full)) << "none but received ones are gone";
  }
}

TEST(SharedRing, ASlotThatWasGivenUpComesFreeButIsNoMessageDropped) {
  const SharedRingRegion region({1, 8, 2, 1});
  SharedRingSender sender(region.span());
  const std::vector<std::byte> message(8);
  {
    SharedRingSender gives_up(region.span());
    std::span<std::byte> slot;
    ASSERT_EQ(gives_up.loan(slot), Io::done);
    EXPECT_EQ(sender.drop_oldest(), Io::again) << "it is being written";
  }
  EXPECT_EQ(sender.send(message), Io::again);
  EXPECT_EQ(sender.drop_oldest(), Io::again);
  EXPECT_EQ(sender.send(message), Io::done);
}

TEST(SharedRing, WhatIsLoanedIsNotSeenBeforeTheCommit) {
  const SharedRingRegion region({4, 8});
  SharedRingSender sender(region.span());
  SharedRingReceiver receiver(region.span());
  std::span<std::byte> slot;
  std::span<const std::byte> message;
  ASSERT_EQ(sender.loan(slot), Io::done);
  fill(slot, 0, 77, Touch::full);
  EXPECT_EQ(receiver.peek(message), Io::again);
  ASSERT_EQ(sender.commit(), Io::done);
  ASSERT_EQ(receiver.peek(message), Io::done);
  EXPECT_TRUE(verify(message, 0, 77, Touch::full));
}

TEST(SharedRing, ALoanOrAPeekRepeatedGivesTheSameSlot) {
  const SharedRingRegion region({4, 8});
  SharedRingSender sender(region.span());
  SharedRingReceiver receiver(region.span());
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

TEST(SharedRing, NoTwoEndpointsHoldTheSameSlot) {
  const SharedRingRegion region({3, 8, 3, 3});
  std::vector<SharedRingSender> senders;
  std::vector<SharedRingReceiver> receivers;
  for (int i = 0; i < 3; ++i) senders.emplace_back(region.span()), receivers.emplace_back(region.span());
  std::set<const std::byte*> loaned, peeked;
  for (unsigned i = 0; i < 3; ++i) {
    std::span<std::byte> slot;
    ASSERT_EQ(senders[i].loan(slot), Io::done);
    loaned.insert(slot.data());
    fill(slot, i, 0, Touch::full);
  }
  EXPECT_EQ(loaned.size(), 3u);
  for (SharedRingSender& sender : senders) ASSERT_EQ(sender.commit(), Io::done);
  for (unsigned i = 0; i < 3; ++i) {
    std::span<const std::byte> message;
    ASSERT_EQ(receivers[i].peek(message), Io::done);
    EXPECT_TRUE(verify(message, i, 0, Touch::full)) << "claimed in the order of the senders' claims";
    peeked.insert(message.data());
  }
  EXPECT_EQ(peeked, loaned);
}

TEST(SharedRing, ASlowSenderHoldsUpTheReceiversButNoOtherSender) {
  const SharedRingRegion region({4, 8, 2, 1});
  SharedRingSender slow(region.span()), quick(region.span());
  SharedRingReceiver receiver(region.span());
  std::vector<std::byte> message(8);
  std::span<std::byte> slot;
  ASSERT_EQ(slow.loan(slot), Io::done);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(quick.send(message), Io::done);
  EXPECT_EQ(quick.send(message), Io::again);
  EXPECT_EQ(receiver.receive(message), Io::again);
  ASSERT_EQ(slow.commit(), Io::done);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(receiver.receive(message), Io::done);
}

TEST(SharedRing, ASlotIsNotLoanedAgainBeforeItsRelease) {
  const SharedRingRegion region({1, 8});
  SharedRingSender sender(region.span());
  SharedRingReceiver receiver(region.span());
  std::span<std::byte> slot;
  std::span<const std::byte> message;
  ASSERT_EQ(sender.loan(slot), Io::done);
  ASSERT_EQ(sender.commit(), Io::done);
  ASSERT_EQ(receiver.peek(message), Io::done);
  EXPECT_EQ(sender.loan(slot), Io::again);
  ASSERT_EQ(receiver.release(), Io::done);
  EXPECT_EQ(sender.loan(slot), Io::done);
}

TEST(SharedRing, ASlotThatWasLoanedAndGivenUpIsPassedOver) {
  for (const std::uint64_t capacity : {1u, 2u, 5u}) {
    const SharedRingRegion region({capacity, 8, 3, 1});
    SharedRingReceiver receiver(region.span());
    std::vector<std::byte> message(8);
    std::span<std::byte> slot;
    {
      SharedRingSender finishes(region.span());
      ASSERT_EQ(finishes.loan(slot), Io::done);
      EXPECT_EQ(finishes.finish(), Io::done);
    }
    EXPECT_EQ(receiver.receive(message), Io::again);
    SharedRingSender sends(region.span());
    fill(message, 1, 9, Touch::full);
    ASSERT_EQ(sends.send(message), Io::done);
    if (capacity > 1) {
      SharedRingSender dies(region.span());
      ASSERT_EQ(dies.loan(slot), Io::done);
    }
    ASSERT_EQ(receiver.receive(message), Io::done);
    EXPECT_TRUE(verify(message, 1, 9, Touch::full));
    sends.finish();
    EXPECT_EQ(receiver.receive(message), capacity > 1 ? Io::closed : Io::again);
  }
}

TEST(SharedRing, SlotsAreAlignedExactAndOnLinesOfTheirOwn) {
  for (const std::size_t size : {1u, 3u, 7u, 8u, 9u, 56u, 57u, 64u, 100u, 4096u, 100'003u}) {
    const SharedRingRegion region({3, size});
    SharedRingSender sender(region.span());
    SharedRingReceiver receiver(region.span());
    std::uintptr_t last_line = 0;
    for (std::uint64_t i = 0; i < 3; ++i) {
      std::span<std::byte> slot;
      ASSERT_EQ(sender.loan(slot), Io::done);
      const auto begin = reinterpret_cast<std::uintptr_t>(slot.data());
      EXPECT_EQ(slot.size(), size);
      EXPECT_EQ(begin % 8, 0u);
      EXPECT_GT(begin / 64, last_line);
      last_line = (begin + size - 1) / 64;
      EXPECT_LE(slot.data() + size, region.span().data() + region.span().size());
      fill(slot, 0, i, Touch::full);
      sender.commit();
    }
    std::uint64_t next = 0;
    while (next < 3) {
      ASSERT_EQ(get(receiver, size, access_of(static_cast<unsigned>(next)),
                    [&](auto message) { EXPECT_TRUE(verify(message, 0, next++, Touch::full)) << size; }),
                Io::done);
    }
  }
}

TEST(SharedRing, AnEndpointThatIsMovedHasNotLeft) {
  const SharedRingRegion region({4, 8});
  std::vector<std::byte> message(8);
  SharedRingReceiver receiver(region.span());
  {
    SharedRingSender sender(region.span());
    std::span<std::byte> slot;
    ASSERT_EQ(sender.loan(slot), Io::done);
    fill(slot, 0, 5, Touch::full);
    SharedRingSender moved(std::move(sender));
    ASSERT_EQ(moved.commit(), Io::done) << "the loan moved too";
    SharedRingReceiver moved_receiver(std::move(receiver));
    EXPECT_EQ(moved_receiver.receive(message), Io::done);
    EXPECT_TRUE(verify(message, 0, 5, Touch::full));
    EXPECT_EQ(moved_receiver.receive(message), Io::again);
    receiver.~SharedRingReceiver();
    new (&receiver) SharedRingReceiver(std::move(moved_receiver));
  }
  EXPECT_EQ(receiver.receive(message), Io::closed);
}

TEST(SharedRing, RefusesShapesItCannotHave) {
  alignas(SharedRing::alignment) static std::array<std::byte, 4096> memory{};
  const auto initialise = [](const SharedRingShape& shape) { SharedRing::initialise(memory, shape); };
  EXPECT_THROW(initialise({0, 8}), std::invalid_argument);
  EXPECT_THROW(initialise({1, 0}), std::invalid_argument);
  EXPECT_THROW(initialise({1, 8, 0, 1}), std::invalid_argument);
  EXPECT_THROW(initialise({1, 8, 1, 0}), std::invalid_argument);
  EXPECT_THROW(initialise({1'000, 8}), std::invalid_argument);
  EXPECT_THROW(initialise({1, 8, 1, 1, Wait::block, Wait::spin}), std::invalid_argument);
  EXPECT_THROW(initialise({1, 8, 1, 1, Wait::spin, Wait::epoll}), std::invalid_argument);
  EXPECT_THROW(SharedRing::initialise(std::span(memory).subspan(8), {1, 8}), std::invalid_argument);
  EXPECT_THROW(SharedRingSender{memory}, std::invalid_argument) << "no ring has been made there";
  EXPECT_THROW(SharedRingReceiver{std::span(memory).first(16)}, std::invalid_argument);
  EXPECT_THROW(SharedRing::bytes_needed(UINT64_MAX, 8), std::length_error);
  EXPECT_THROW(SharedRing::bytes_needed(1, SIZE_MAX), std::length_error);
  EXPECT_THROW(SharedRing::bytes_needed(std::uint64_t{1} << 40, std::size_t{1} << 30), std::length_error);
}

// ------------------------------------------------------------------------- many threads, many processes

constexpr std::array waits{Wait::spin, Wait::yield, Wait::futex, Wait::adaptive};

// senders, receivers, capacity
class SharedRingUnderStress : public testing::TestWithParam<std::tuple<unsigned, unsigned, std::uint64_t>> {
 protected:
  SharedRingShape shape(Wait send_wait, Wait receive_wait) const {
    const auto [senders, receivers, capacity] = GetParam();
    return {capacity, 40, senders, receivers, send_wait, receive_wait};
  }
};
INSTANTIATE_TEST_SUITE_P(Crowds, SharedRingUnderStress,
                         testing::Combine(testing::Values(1, 2, 4, 8), testing::Values(1, 2, 4, 8),
                                          testing::Values(1, 2, 3, 1000)),
                         [](const auto& stress) {
                           return std::to_string(std::get<0>(stress.param)) + "x" +
                                  std::to_string(std::get<1>(stress.param)) + "_" +
                                  std::to_string(std::get<2>(stress.param));
                         });

TEST_P(SharedRingUnderStress, ThreadsReceiveEveryMessageExactlyOnceAndEachSendersInOrder) {
  for (const Wait send_wait : waits) {
    for (const Wait receive_wait : waits) {
      const SharedRingShape ring = shape(send_wait, receive_wait);
      const std::uint64_t messages_each = 100 * patience / ring.senders;
      const SharedRingRegion region(ring);
      Oracle oracle(ring.senders, messages_each);
      ASSERT_EQ(trouble_among_threads(region.span(), ring, messages_each, oracle), "");
      ASSERT_TRUE(oracle.each_exactly_once()) << to_string(send_wait, receive_wait);
    }
  }
}

TEST_P(SharedRingUnderStress, ProcessesReceiveEveryMessageExactlyOnceAndEachSendersInOrder) {
  for (const Wait wait : {Wait::yield, Wait::futex}) {
    const SharedRingShape ring = shape(wait, wait);
    const std::uint64_t messages_each = 250 * patience / ring.senders;
    const SharedRingRegion region(ring);
    Oracle oracle(ring.senders, messages_each);
    TestWork work;
    work.on_run = [&](Role& role) {
      if (role.index() < ring.senders) {
        send_all(region.span(), ring.message_bytes, role.index(), messages_each);
      } else {
        receive_all(region.span(), ring.message_bytes, role.index() - ring.senders, oracle);
      }
    };
    ASSERT_EQ(outcome_of(test_spec(ring.senders + ring.receivers), work), "");
    ASSERT_TRUE(oracle.each_exactly_once()) << to_string(wait);
  }
}

TEST_P(SharedRingUnderStress, WhatIsNotReceivedWasDropped) {
  for (const Wait wait : waits) {
    const SharedRingShape ring = shape(wait, wait);
    const std::uint64_t messages_each = 200 * patience / ring.senders;
    const SharedRingRegion region(ring);
    Oracle oracle(ring.senders, messages_each);
    std::atomic<std::uint64_t> dropped{0};
    ASSERT_EQ(trouble_among_threads(
                  ring,
                  [&](unsigned index) {
                    dropped += send_or_drop_all(region.span(), ring.message_bytes, index, messages_each);
                  },
                  [&](unsigned index) { receive_all(region.span(), ring.message_bytes, index, oracle); }),
              "");
    ASSERT_TRUE(oracle.each_at_most_once()) << to_string(wait);
    ASSERT_EQ(oracle.received() + dropped, ring.senders * messages_each) << to_string(wait);
  }
}

// Receivers that dawdle inside a message, so that senders drop those around it all the while.
TEST(SharedRing, OfMillionsOfMessagesEachIsReceivedWholeOrDropped) {
  for (const std::uint64_t capacity : {1u, 4u, 64u}) {
    const SharedRingShape ring{capacity, 64, 2, 2, Wait::adaptive, Wait::adaptive};
    const std::uint64_t messages_each = 50'000 * patience;
    const SharedRingRegion region(ring);
    Oracle oracle(ring.senders, messages_each);
    std::atomic<std::uint64_t> dropped{0};
    const auto receive = [&](unsigned index) {
      SharedRingReceiver receiver(region.span());
      Oracle::Receiver judge(oracle);
      std::uint64_t received = 0;
      const auto dawdle = [&](std::span<const std::byte> message) {
        const std::uint64_t stamp = read(message, Touch::header).stamp;
        if (++received % 64 == 0) ::sched_yield();
        require(read(message, Touch::header).stamp == stamp, "a message changed under its receiver");
        judge(message);
      };
      while (get(receiver, ring.message_bytes, access_of(index), dawdle) == Io::done) {
      }
    };
    ASSERT_EQ(trouble_among_threads(
                  ring,
                  [&](unsigned index) {
                    dropped += send_or_drop_all(region.span(), ring.message_bytes, index, messages_each);
                  },
                  receive),
              "");
    EXPECT_TRUE(oracle.each_at_most_once());
    EXPECT_EQ(oracle.received() + dropped, 2 * messages_each);
    EXPECT_GT(dropped, 0u);
    EXPECT_GT(oracle.received(), 0u);
  }
}

TEST(SharedRing, WaitsInEveryWayThatADoorbellOffers) {
  for (const Wait wait : all_waits()) {
    if (!doorbell_waits.contains(wait)) continue;
    const SharedRingShape ring{2, 40, 3, 3, wait, wait};
    const std::uint64_t messages_each = 100 * patience;
    const SharedRingRegion region(ring);
    const LinkDoorbellParts parts{DoorbellParts("shared_ring", wait), DoorbellParts("shared_ring", wait)};
    Oracle oracle(ring.senders, messages_each);
    EXPECT_EQ(trouble_among_threads(region.span(), ring, messages_each, oracle, parts), "");
    EXPECT_TRUE(oracle.each_exactly_once()) << to_string(wait);
  }
}

TEST(SharedRing, MillionsOfMessagesArriveExactlyOnce) {
  for (const Wait wait : {Wait::spin, Wait::adaptive}) {
    const SharedRingShape ring{1000, 64, 2, 2, wait, wait};
    const std::uint64_t messages_each = 50'000 * patience;
    const SharedRingRegion region(ring);
    Oracle oracle(ring.senders, messages_each);
    EXPECT_EQ(trouble_among_threads(region.span(), ring, messages_each, oracle), "");
    EXPECT_TRUE(oracle.each_exactly_once());
  }
}

// The moment that matters is the one between a receiver's look at the slot and its look at who has left. Two
// processors seldom hit it; a signal whose handler sends the last message and finishes strikes anywhere.
SharedRingSender* sends_when_signalled = nullptr;

TEST(SharedRing, ALastMessageJustBeforeTheEndIsNotOverlooked) {
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = [](int) {
    sends_when_signalled->commit();
    sends_when_signalled->finish();
  };
  ASSERT_EQ(sigaction(SIGALRM, &action, &before), 0);
  for (std::uint64_t i = 0; i < 200 * patience; ++i) {
    const SharedRingRegion region({1, 8});
    SharedRingSender sender(region.span());
    SharedRingReceiver receiver(region.span());
    std::span<std::byte> slot;
    ASSERT_EQ(sender.loan(slot), Io::done);
    sends_when_signalled = &sender;
    const itimerval soon{{0, 0}, {0, 30 + static_cast<suseconds_t>(i % 7)}};
    ASSERT_EQ(setitimer(ITIMER_REAL, &soon, nullptr), 0);
    std::span<const std::byte> message;
    Io io;
    while ((io = receiver.peek(message)) == Io::again) {
    }
    ASSERT_EQ(io, Io::done) << i;
    receiver.release();
    ASSERT_EQ(receiver.peek(message), Io::closed);
  }
  ASSERT_EQ(sigaction(SIGALRM, &before, nullptr), 0);
}

// The endpoints outlive the threads, so that one that has been woken wakes no other by leaving.
TEST(SharedRing, SleepingReceiversAreAllWokenByTheEnd) {
  for (const Wait wait : {Wait::futex, Wait::adaptive}) {
    const SharedRingRegion region({4, 8, 1, 4, wait, wait});
    std::vector<SharedRingReceiver> ends;
    for (int i = 0; i < 4; ++i) ends.emplace_back(region.span());
    std::array<Io, 4> last{};
    std::vector<std::thread> receivers;
    for (unsigned i = 0; i < 4; ++i) {
      receivers.emplace_back([&, i] {
        std::vector<std::byte> message(8);
        last[i] = persist([&] { return ends[i].receive(message); }, [&] { ends[i].wait_to_receive(); });
      });
    }
    {
      SharedRingSender sender(region.span());
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    for (std::thread& receiver : receivers) receiver.join();
    EXPECT_EQ(last, (std::array{Io::closed, Io::closed, Io::closed, Io::closed}));
  }
}

TEST(SharedRing, SleepingSendersAreAllWokenWhenTheLastReceiverLeaves) {
  for (const Wait wait : {Wait::futex, Wait::adaptive}) {
    const SharedRingRegion region({1, 8, 4, 1, wait, wait});
    std::vector<SharedRingSender> ends;
    for (int i = 0; i < 4; ++i) ends.emplace_back(region.span());
    std::array<unsigned, 4> sent{};
    std::vector<std::thread> senders;
    std::optional<SharedRingReceiver> receiver(region.span());
    for (unsigned i = 0; i < 4; ++i) {
      senders.emplace_back([&, i] {
        const std::vector<std::byte> message(8);
        const auto attempt = [&] { return ends[i].send(message); };
        while (persist(attempt, [&] { ends[i].wait_to_send(); }) == Io::done) ++sent[i];
      });
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    receiver.reset();
    for (std::thread& sender : senders) sender.join();
    EXPECT_EQ(sent[0] + sent[1] + sent[2] + sent[3], 1u);
  }
}

// The one that waits for the slot next in line is the one that must be woken although the slot behind it was
// filled first; here the two receivers sleep until both are filled, in the wrong order.
TEST(SharedRing, MessagesCommittedInTheWrongOrderWakeAReceiverEach) {
  const SharedRingRegion region({2, 8, 2, 2, Wait::futex, Wait::futex});
  SharedRingSender first(region.span()), second(region.span());
  std::span<std::byte> slot;
  ASSERT_EQ(first.loan(slot), Io::done);
  fill(slot, 0, 0, Touch::full);
  ASSERT_EQ(second.loan(slot), Io::done);
  fill(slot, 1, 0, Touch::full);
  std::atomic<int> holding{0};
  std::vector<std::thread> receivers;
  for (int i = 0; i < 2; ++i) {
    receivers.emplace_back([&] {
      SharedRingReceiver end(region.span());
      std::span<const std::byte> message;
      EXPECT_EQ(persist([&] { return end.peek(message); }, [&] { end.wait_to_receive(); }), Io::done);
      ++holding;
      while (holding < 2) std::this_thread::yield();  // neither takes both
    });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  second.commit();
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  first.commit();
  for (std::thread& receiver : receivers) receiver.join();
  EXPECT_EQ(holding, 2);
}

}  // namespace
}  // namespace ipcmark
