#include "harness/cache_line.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "harness/allowed_pus.h"
#include "harness/clock.h"

namespace ipcmark {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;

TEST(CacheLine, TheTwoDirectionsLieInPairsOfLinesOfTheirOwn) {
  EXPECT_EQ(alignof(CacheLinePair), 128u);
  EXPECT_EQ(offsetof(CacheLinePair, pong) - offsetof(CacheLinePair, ping), 128u);
}

TEST(CacheLine, BothSidesCountTheSameRoundTripsBatchAfterBatch) {
  CacheLinePair pair;
  bool followed = false;
  std::thread follower([&] { followed = bounce_follow(pair, 1'000, now_ns() + 30 * second_ns); });
  for (int batch = 0; batch < 10; ++batch)
    EXPECT_TRUE(bounce_lead(pair, 100, now_ns() + 30 * second_ns).has_value());
  follower.join();
  EXPECT_TRUE(followed);
  EXPECT_EQ(pair.ping.load(), 1'000u);
  EXPECT_EQ(pair.pong.load(), 1'000u);
}

TEST(CacheLine, APeerThatIsNotThereDoesNotHangUs) {
  CacheLinePair pair;
  EXPECT_FALSE(bounce_lead(pair, 10, now_ns() + second_ns / 100).has_value());
  CacheLinePair other;
  EXPECT_FALSE(bounce_follow(other, 10, now_ns() + second_ns / 100));
}

TEST(CacheLine, IsMeasuredBetweenTwoProcesses) {
  const auto [first, last] = first_and_last_allowed_pu();
  const CacheLineRoundTrip found = measure_cache_line_round_trip(first, last, 5, 20);
  EXPECT_EQ(found.batches, 5u);
  EXPECT_GT(found.low_ns, 0);
  EXPECT_LE(found.low_ns, found.median_ns);
  EXPECT_LE(found.median_ns, found.high_ns);
}

TEST(CacheLine, RefusesWhatItCannotMeasure) {
  const int pu = first_and_last_allowed_pu().first;
  EXPECT_THROW(measure_cache_line_round_trip(pu, 1023), std::system_error);
  EXPECT_THROW(measure_cache_line_round_trip(pu, pu, 0), std::invalid_argument);
}

}  // namespace
}  // namespace ipcmark
