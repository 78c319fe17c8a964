#include "harness/seqlock.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <thread>
#include <vector>

#include "harness/payload.h"

namespace ipcmark {
namespace {

class Record {
 public:
  explicit Record(std::size_t bytes) : memory_(Seqlock::bytes_needed(bytes) + Seqlock::alignment) {
    const auto at = reinterpret_cast<std::uintptr_t>(memory_.data()) % Seqlock::alignment;
    region_ = std::span(memory_).subspan(at == 0 ? 0 : Seqlock::alignment - at, Seqlock::bytes_needed(bytes));
    Seqlock::initialise(region_, bytes);
  }
  std::span<std::byte> region() const { return region_; }

 private:
  std::vector<std::byte> memory_;
  std::span<std::byte> region_;
};

TEST(Seqlock, KeepsTheLatestRecordAndCountsUpdates) {
  for (const std::size_t bytes : {1u, 7u, 8u, 9u, 64u, 1000u}) {
    const Record record(bytes);
    Seqlock writer(record.region());
    const Seqlock reader(record.region());
    std::vector<std::byte> in(bytes), out(bytes, std::byte{1});
    EXPECT_EQ(reader.try_load(out), 0u);
    EXPECT_EQ(out, in);
    for (std::uint64_t update = 1; update <= 3; ++update) {
      fill(in, 0, update, Touch::full);
      writer.store(in);
    }
    EXPECT_EQ(reader.try_load(out), 3u);
    EXPECT_EQ(out, in) << bytes;
  }
}

TEST(Seqlock, RefusesARegionThatIsTooSmallOrHoldsNone) {
  const Record record(64);
  EXPECT_THROW(Seqlock::initialise(record.region(), 65 + 7), std::invalid_argument);
  EXPECT_THROW(Seqlock::initialise(record.region().subspan(8), 8), std::invalid_argument);
  alignas(Seqlock::alignment) std::byte nothing[256]{};
  EXPECT_THROW(Seqlock{std::span<std::byte>(nothing)}, std::invalid_argument);
  EXPECT_THROW(Seqlock::bytes_needed(SIZE_MAX), std::length_error);
}

// The writer's stores and the readers' attempts overlap however the scheduler has it; what an attempt gives
// out must be one update, whole, and never an older one than before.
TEST(Seqlock, NeverGivesOutATornRecord) {
  constexpr std::size_t bytes = 4'096;
  constexpr std::uint64_t updates = 20'000;
  const Record record(bytes);
  {
    std::vector<std::byte> first(bytes);
    fill(first, 0, 1, Touch::full);
    Seqlock(record.region()).store(first);
  }
  const auto read_on = [&] {
    const Seqlock reader(record.region());
    std::vector<std::byte> copy(bytes);
    for (std::uint64_t seen = 0; seen < updates;) {
      const std::optional<std::uint64_t> update = reader.try_load(copy);
      if (!update) {
        sched_yield();
        continue;
      }
      ASSERT_GE(*update, seen);
      ASSERT_TRUE(verify(copy, 0, *update, Touch::full)) << "update " << *update;
      seen = *update;
    }
  };
  std::thread one(read_on), other(read_on);
  Seqlock writer(record.region());
  std::vector<std::byte> next(bytes);
  for (std::uint64_t update = 2; update <= updates; ++update) {
    fill(next, 0, update, Touch::full);
    writer.store(next);
    if (update % 64 == 0) sched_yield();
  }
  one.join();
  other.join();
}

}  // namespace
}  // namespace ipcmark
