#include "results/summary.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "results/sample_results.h"

namespace ipcmark {
namespace {

TEST(Summary, HasOneEntryPerCaseInTheOrderOfFirstLaunches) {
  const auto cases = summarize_cases(sample::results(7));
  ASSERT_EQ(cases.size(), 2U);
  EXPECT_EQ(cases[0].id, case_id(sample::ping_pong_over_pipe()));
  EXPECT_EQ(cases[1].id, case_id(sample::stream_over_ring()));
  EXPECT_EQ(cases[0].launches, 7U);
}

TEST(Summary, ReadsItsFiguresFromTheLaunches) {
  ResultFile results = sample::results(3);
  std::uint64_t span_ns = 1000;
  for (LaunchRecord& launch : results.launches) {
    launch.measurement.messages = 10;
    launch.measurement.bytes = 640;
    launch.measurement.span_ns = span_ns;
    for (RoleReport& role : launch.measurement.roles) role.cost.cpu_ns = 300;
    span_ns += 500;  // ping_pong: 1000, 2000, 3000
  }
  const CaseSummary summary = summarize_cases(results).front();
  EXPECT_EQ(summary.ns_per_message.median, 200);
  EXPECT_EQ(summary.ns_per_message.max, 300);
  EXPECT_EQ(summary.messages_per_second.median, 5e6);
  EXPECT_EQ(summary.bytes_per_second.median, 3.2e8);
  EXPECT_EQ(summary.cpu_ns_per_message.median, 60);
  EXPECT_FALSE(summary.ns_per_message.interval);
}

TEST(Summary, GivesRoundTripPercentilesToRoundTripsOnly) {
  const auto cases = summarize_cases(sample::results(7));
  EXPECT_TRUE(cases[0].p50_ns && cases[0].p99_ns && cases[0].pooled);
  EXPECT_FALSE(cases[1].p50_ns || cases[1].p99_ns || cases[1].pooled);
}

TEST(Summary, WithholdsAPercentileThatOneLaunchLacks) {
  ResultFile results = sample::results(7);
  results.launches[0].measurement.distribution->p99_ns.reset();
  const auto cases = summarize_cases(results);
  EXPECT_TRUE(cases[0].p50_ns);
  EXPECT_FALSE(cases[0].p99_ns);
}

TEST(Summary, PoolsTheSamplesOfAllLaunches) {
  ResultFile results = sample::results(7);
  Histogram together;
  for (LaunchRecord& launch : results.launches) {
    if (launch.benchmark_case != sample::ping_pong_over_pipe()) continue;
    EXPECT_FALSE(launch.measurement.distribution->p999_ns) << "one launch alone must not reach that far";
    together.merge(*Histogram::decode(launch.measurement.distribution->histogram));
  }
  const auto pooled = summarize_cases(results).front().pooled;
  ASSERT_TRUE(pooled);
  EXPECT_EQ(pooled->launches_pooled, 7U);
  EXPECT_EQ(pooled->p50_ns, together.percentile(0.5));
  ASSERT_TRUE(pooled->p999_ns);
  EXPECT_EQ(pooled->p999_ns, together.percentile(0.999));
}

TEST(Summary, RefusesAHistogramItCannotRead) {
  ResultFile results = sample::results(1);
  results.launches[0].measurement.distribution->histogram = "h1;oops";
  EXPECT_THROW(summarize_cases(results), std::invalid_argument);
}

TEST(Summary, TakesTheLeastAndTheMostThatEverFitted) {
  ResultFile results = sample::results(2);
  results.launches[2].capacity.fits_min = 900;
  results.launches[2].capacity.fits_max = 1000;
  const CapacityFacts capacity = summarize_cases(results).front().capacity;
  EXPECT_EQ(capacity.fits_min, 900U);
  EXPECT_EQ(capacity.fits_max, 1024U);
}

TEST(Summary, PutsAFailedLaunchIntoItsCasesVerdict) {
  const auto cases = summarize_cases(sample::results(7));
  EXPECT_EQ(cases[0].verdict.grade, Grade::ok);
  EXPECT_EQ(cases[1].verdict.grade, Grade::invalid);
}

TEST(Summary, TakesAnObservationOverTheLaunchesThatMadeIt) {
  ResultFile file = sample::results(7);
  const Case first = file.launches.front().benchmark_case;
  double value = 1;
  std::size_t made = 0;
  for (LaunchRecord& launch : file.launches) {
    if (case_id(launch.benchmark_case) != case_id(first) || made == 3) continue;
    launch.measurement.observations = {{"jain_index", "ratio", value}, {"dropped", "messages", 10 * value}};
    value += 1;
    ++made;
  }
  const CaseSummary summary = summarize_cases(file).front();
  ASSERT_EQ(summary.observations.size(), 2u);
  EXPECT_EQ(summary.observations[0].name, "jain_index");
  EXPECT_EQ(summary.observations[0].statistic.median, 2);
  EXPECT_EQ(summary.observations[1].unit, "messages");
  EXPECT_EQ(summary.observations[1].statistic.max, 30);
  EXPECT_EQ(summary.observations[1].statistic.launches, 3u);
}

}  // namespace
}  // namespace ipcmark
