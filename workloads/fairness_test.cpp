#include "workloads/fairness.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "harness/shuffle.h"

namespace ipcmark {
namespace {

double index_of(const std::vector<double>& shares) { return jain_index(shares); }

TEST(JainsIndex, IsOneWhenAllGotTheSame) {
  EXPECT_DOUBLE_EQ(index_of({7}), 1);
  EXPECT_DOUBLE_EQ(index_of({1'000'000'007, 1'000'000'007, 1'000'000'007}), 1);
}

TEST(JainsIndex, IsTheShareOfThoseWhoGotSomethingWhenTheyGotTheSame) {
  EXPECT_DOUBLE_EQ(index_of({0, 5, 0, 0}), 0.25);
  EXPECT_DOUBLE_EQ(index_of({9, 0, 9, 0, 9, 0, 0, 0}), 3.0 / 8);
}

TEST(JainsIndex, IsZeroWhenThereWasNothingToShare) {
  EXPECT_DOUBLE_EQ(index_of({}), 0);
  EXPECT_DOUBLE_EQ(index_of({0, 0}), 0);
}

// The paper's other form of it: 1 / (1 + the square of the coefficient of variation).
TEST(JainsIndex, AgreesWithTheCoefficientOfVariation) {
  SplitMix64 random(1);
  for (int round = 0; round < 100; ++round) {
    std::vector<double> shares(1 + random() % 20);
    long double mean = 0, variance = 0;
    for (double& share : shares) mean += share = static_cast<double>(1 + random() % 1'000'000);
    mean /= static_cast<long double>(shares.size());
    for (const double share : shares) {
      variance += (share - mean) * (share - mean);
    }
    variance /= static_cast<long double>(shares.size());
    EXPECT_NEAR(index_of(shares), static_cast<double>(1 / (1 + variance / (mean * mean))), 1e-12);
  }
}

}  // namespace
}  // namespace ipcmark
