#include "results/statistics.h"

#include <gtest/gtest.h>

#include <numeric>
#include <stdexcept>
#include <utility>
#include <vector>

namespace ipcmark {
namespace {

std::vector<double> one_to(std::size_t n) {
  std::vector<double> values(n);
  std::iota(values.rbegin(), values.rend(), 1.0);  // descending: order must not matter
  return values;
}

TEST(Median, IsTheMiddleValueOrTheMeanOfTheTwoMiddleOnes) {
  EXPECT_EQ(median(std::vector{7.0}), 7);
  EXPECT_EQ(median(std::vector{9.0, 1.0, 4.0}), 4);
  EXPECT_EQ(median(std::vector{9.0, 1.0, 4.0, 6.0}), 5);
}

TEST(Median, OfNothingIsAnError) { EXPECT_THROW(median({}), std::invalid_argument); }

TEST(MedianInterval, NeedsSixValues) {
  for (std::size_t n = 0; n < 6; ++n) EXPECT_FALSE(median_interval(one_to(n))) << n;
  EXPECT_TRUE(median_interval(one_to(6)));
}

// The ranks of the tables in the literature (n: k), for 95 %.
TEST(MedianInterval, TakesTheTabulatedRanks) {
  const std::vector<std::pair<std::size_t, double>> ranks = {{6, 1},   {8, 1},   {9, 2},   {11, 2},
                                                             {12, 3},  {15, 4},  {20, 6},  {25, 8},
                                                             {30, 10}, {50, 18}, {60, 22}, {100, 40}};
  for (const auto& [n, k] : ranks) {
    const auto interval = median_interval(one_to(n));
    ASSERT_TRUE(interval) << n;
    EXPECT_EQ(interval->low, k) << n;
    EXPECT_EQ(interval->high, static_cast<double>(n) + 1 - k) << n;
  }
}

TEST(MedianInterval, HoldsForMoreValuesThanAPowerOfTwoCanCount) {
  const auto interval = median_interval(one_to(20000));
  ASSERT_TRUE(interval);
  EXPECT_NEAR(interval->low, 10000 - 1.96 * 70.71, 2);
  EXPECT_EQ(interval->low + interval->high, 20001);
}

TEST(QuartileSpread, IsTheQuartilesDistanceOverTheMedian) {
  EXPECT_DOUBLE_EQ(quartile_spread(std::vector{1.0, 2.0, 3.0, 4.0, 5.0}), 2.0 / 3);
  EXPECT_DOUBLE_EQ(quartile_spread(std::vector{4.0, 1.0, 3.0, 2.0}), 1.5 / 2.5);
  EXPECT_EQ(quartile_spread(std::vector{5.0, 5.0, 5.0}), 0);
  EXPECT_EQ(quartile_spread(std::vector{0.0, 0.0}), 0);
}

TEST(Summarize, CollectsAll) {
  const Statistic statistic = summarize(one_to(9));
  EXPECT_EQ(statistic.median, 5);
  EXPECT_EQ(statistic.min, 1);
  EXPECT_EQ(statistic.max, 9);
  EXPECT_EQ(statistic.launches, 9U);
  ASSERT_TRUE(statistic.interval);
  EXPECT_EQ(statistic.interval->low, 2);
  EXPECT_EQ(statistic.interval->high, 8);
}

}  // namespace
}  // namespace ipcmark
