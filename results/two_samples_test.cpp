#include "results/two_samples.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>
#include <utility>
#include <vector>

#include "results/temporary_directory.h"

namespace ipcmark {
namespace {

using Values = std::vector<double>;

TEST(MannWhitney, SmallestPValuesAreThoseOfTheTables) {
  EXPECT_DOUBLE_EQ(mann_whitney_p(Values{1, 2, 3, 4}, Values{5, 6, 7, 8}), 2.0 / 70);
  EXPECT_DOUBLE_EQ(mann_whitney_p(Values{1, 2, 3, 4, 5}, Values{6, 7, 8, 9, 10}), 2.0 / 252);
  EXPECT_DOUBLE_EQ(mann_whitney_p(Values{1, 2, 3, 4, 5, 6, 7}, Values{8, 9, 10, 11, 12, 13, 14}), 2.0 / 3432);
}

TEST(MannWhitney, CountsOutWhatCanBeCountedByHand) {
  // Of the ten ways to choose two ranks of five, 1+3 and what lies below it, 1+2, are two.
  EXPECT_DOUBLE_EQ(mann_whitney_p(Values{1, 3}, Values{2, 4, 5}), 0.4);
  // One pair of ties: the doubled ranks are 2, 5, 5, 8; of six ways one has 7 or less twice, so 2 * 2 / 6.
  EXPECT_DOUBLE_EQ(mann_whitney_p(Values{1, 2}, Values{2, 3}), 2.0 / 3);
}

TEST(MannWhitney, SeesNothingWhereAllIsEqual) {
  EXPECT_EQ(mann_whitney_p(Values{7, 7, 7}, Values{7, 7}), 1);
  EXPECT_EQ(mann_whitney_p(Values(50, 7.0), Values(50, 7.0)), 1);
}

TEST(MannWhitney, DoesNotCareWhichSampleComesFirst) {
  const Values a{1, 4, 4, 9, 10}, b{2, 4, 6, 11, 12, 13};
  EXPECT_DOUBLE_EQ(mann_whitney_p(a, b), mann_whitney_p(b, a));
}

TEST(MannWhitney, OfNothingIsAnError) {
  EXPECT_THROW(mann_whitney_p({}, Values{1}), std::invalid_argument);
  EXPECT_THROW(hodges_lehmann(Values{1}, {}), std::invalid_argument);
}

TEST(HodgesLehmann, IsTheMiddleOfAllDifferencesAndItsIntervalTwoOfThem) {
  std::mt19937_64 random(7);
  for (const auto& [m, n] : {std::pair{1, 1}, {4, 4}, {5, 8}, {10, 10}, {20, 20}, {30, 31}}) {
    std::normal_distribution<double> figure(-3, 2);
    Values base(static_cast<std::size_t>(m)), now(static_cast<std::size_t>(n)), differences;
    for (double& value : base) value = std::round(10 * figure(random)) / 10;  // with ties
    for (double& value : now) value = figure(random) + 1;
    for (const double x : base) {
      for (const double y : now) differences.push_back(y - x);
    }
    std::ranges::sort(differences);
    const Estimate estimate = hodges_lehmann(base, now);
    EXPECT_DOUBLE_EQ(estimate.value, median(differences)) << m << " and " << n;
    ASSERT_EQ(estimate.interval.has_value(), m > 3) << m << " and " << n;
    if (!estimate.interval) continue;
    const auto low = std::ranges::find(differences, estimate.interval->low);
    const auto high = std::find(differences.rbegin(), differences.rend(), estimate.interval->high);
    EXPECT_EQ(low - differences.begin(), high - differences.rbegin()) << "as many lie below as above";
  }
}

TEST(HodgesLehmann, TakesTheTabulatedRanksForItsInterval) {
  // (n, n, k): Hollander, Wolfe & Chicken, table of the Mann-Whitney distribution at .025.
  for (const auto& [n, k] : {std::pair{4, 1}, {5, 3}, {6, 6}, {8, 14}, {10, 24}, {20, 128}}) {
    Values base, now;  // differences 1 .. n^2, each once
    for (int i = 0; i < n; ++i) {
      base.push_back(-i);
      now.push_back(1 + i * n);
    }
    const Estimate estimate = hodges_lehmann(base, now);
    ASSERT_TRUE(estimate.interval) << n;
    EXPECT_EQ(estimate.interval->low, k) << n;
    EXPECT_EQ(estimate.interval->high, n * n + 1 - k) << n;
  }
}

TEST(HodgesLehmann, RefusesWhatIsNotFinite) {
  EXPECT_THROW(hodges_lehmann(Values{1}, Values{std::numeric_limits<double>::infinity()}),
               std::invalid_argument);
}

TEST(RatioOfMedians, HasAnIntervalFromSixLaunchesOn) {
  const Values five{1, 2, 3, 4, 5}, six{2, 4, 6, 8, 10, 12};
  EXPECT_FALSE(ratio_of_medians(five, six, 1).interval);
  const Estimate estimate = ratio_of_medians(six, six, 1);
  EXPECT_EQ(estimate.value, 1);
  ASSERT_TRUE(estimate.interval);
  EXPECT_LT(estimate.interval->low, 1);
  EXPECT_GT(estimate.interval->high, 1);
  EXPECT_THROW(ratio_of_medians(Values{0, 0}, six, 1), std::invalid_argument);
}

TEST(Corrections, AreThoseOfTheTextbooks) {
  const Values p{0.01, 0.04, 0.03, 0.005};
  const Values holm_corrected = holm(p), shares = benjamini_hochberg(p);
  const Values wanted_holm{0.03, 0.06, 0.06, 0.02}, wanted_shares{0.02, 0.04, 0.04, 0.02};
  for (std::size_t i = 0; i < p.size(); ++i) {
    EXPECT_DOUBLE_EQ(holm_corrected[i], wanted_holm[i]) << i;
    EXPECT_DOUBLE_EQ(shares[i], wanted_shares[i]) << i;
  }
  EXPECT_EQ(holm(Values{0.9, 0.8}), (Values{1, 1}));
  EXPECT_TRUE(holm({}).empty());
}

TEST(LaunchesToReach, IsTheFirstWhoseSmallestPValueIsUnderTheLevel) {
  EXPECT_EQ(launches_to_reach(0.01), 5U);       // 2 / 252
  EXPECT_EQ(launches_to_reach(2.0 / 252), 6U);  // under, not at
  EXPECT_EQ(launches_to_reach(0.01 / 60), 8U);  // 2 / 12870
}

// For the oracles in Python: with IPCMARK_SAMPLE_DIRECTORY set, the file stays there.
TEST(LeastP, IsThatOfSamplesThatLieApart) {
  EXPECT_DOUBLE_EQ(least_p(4, 4), 2.0 / 70);
  EXPECT_DOUBLE_EQ(least_p(2, 10), 2.0 / 66);
  EXPECT_EQ(least_p(1, 1), 1);
  EXPECT_LT(least_p(60, 6), 1e-4);
  EXPECT_NEAR(least_p(2, 100), 0.016, 0.001);
}

TEST(TwoSamples, GivesOtherReadersSamples) {
  using Json = nlohmann::json;
  const TemporaryDirectory temporary;
  const char* wanted = std::getenv("IPCMARK_SAMPLE_DIRECTORY");
  const std::filesystem::path directory = wanted ? wanted : temporary / "";
  const auto encoded = [](const Estimate& estimate) -> Json {
    return {{"value", estimate.value},
            {"interval", estimate.interval ? Json{estimate.interval->low, estimate.interval->high} : Json()}};
  };
  Json all = Json::array();
  std::mt19937_64 random(11);
  const std::vector<std::pair<std::size_t, std::size_t>> sizes{{1, 1},  {2, 3},   {4, 4},   {5, 7},
                                                               {8, 8},  {6, 12},  {10, 10}, {20, 20},
                                                               {7, 33}, {21, 20}, {30, 60}, {200, 150}};
  for (const auto& [m, n] : sizes) {
    for (const bool ties : {false, true}) {
      for (const double shift : {0.0, 0.15, 1.0}) {
        std::lognormal_distribution<double> figure(3, 0.3);
        const auto drawn = [&](double factor) {
          return ties ? std::ceil(factor * figure(random) / 2) : factor * figure(random);
        };
        Values base(m), now(n);
        for (double& value : base) value = drawn(1);
        for (double& value : now) value = drawn(std::exp(shift));
        all.push_back({{"base", base},
                       {"new", now},
                       {"p", mann_whitney_p(base, now)},
                       {"shift", encoded(hodges_lehmann(base, now))},
                       {"ratio", encoded(ratio_of_medians(base, now, 5))}});
      }
    }
  }
  std::ofstream(directory / "two_samples.json") << all.dump();
  EXPECT_GT(std::filesystem::file_size(directory / "two_samples.json"), 0U);
}

}  // namespace
}  // namespace ipcmark
