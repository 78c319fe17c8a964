#include "results/summary.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <utility>

#include "results/knee.h"
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

TEST(Summary, TakesTheWaitingInsideAnEventForNoLatency) {
  ResultFile results = sample::results(7);
  for (LaunchRecord& launch : results.launches) {
    if (launch.benchmark_case == sample::ping_pong_over_pipe()) {
      launch.measurement.distribution->of = "sender_wait_ns";
    }
  }
  for (const CaseSummary& summary : summarize_cases(results)) EXPECT_FALSE(summary.p50_ns || summary.pooled);
}

TEST(Summary, TakesNoTimeOfAScheduleForAFigureThatStandsOnAFloor) {
  ResultFile results = sample::results(7);
  for (LaunchRecord& launch : results.launches) {
    if (launch.measurement.distribution) launch.measurement.distribution->of = "one_way_ns";
  }
  CaseSummary one_way = summarize_cases(results).front();
  EXPECT_TRUE(one_way.scheduled);
  ASSERT_TRUE(one_way.floor);
  EXPECT_EQ(one_way.floor->under, "p50_ns");
  results.launches[0].measurement.distribution->p50_ns.reset();
  one_way = summarize_cases(results).front();
  EXPECT_FALSE(one_way.p50_ns || one_way.floor);
  EXPECT_FALSE(summarize_cases(sample::results(7)).front().scheduled);
}

TEST(Summary, PoolsNoPercentileBelowTheStepOfTheClock) {
  ResultFile results = sample::results(7);
  const double p50_ns = *summarize_cases(results)[0].pooled->p50_ns;
  results.header.machine.clock.step_ns = p50_ns;
  EXPECT_EQ(summarize_cases(results)[0].pooled->p50_ns, p50_ns);
  results.header.machine.clock.step_ns = p50_ns + 1;
  EXPECT_FALSE(summarize_cases(results)[0].pooled->p50_ns);
  EXPECT_TRUE(summarize_cases(results)[0].pooled->p99_ns);
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

// Saturation wanders from launch to launch, and what is offered with it.
TEST(Summary, TakesTheLoadOfEachLaunchByItsOwnSaturation) {
  ResultFile file = sample::results(3);
  const std::vector<std::pair<double, double>> seen{{50, 100}, {10, 100}, {90, 110}};
  auto next = seen.begin();
  for (LaunchRecord& launch : file.launches) {
    if (launch.benchmark_case != sample::ping_pong_over_pipe()) continue;
    launch.measurement.observations = {{"offered", "messages_per_second", next->first},
                                       {"saturation", "messages_per_second", next->second}};
    ++next;
  }
  EXPECT_EQ(summarize_cases(file)[0].load, 0.5);
  EXPECT_FALSE(summarize_cases(file)[1].load);
}

CaseSummary load(std::uint64_t rate, double p99_ns, Grade grade = Grade::ok, double saturation = 1e4) {
  CaseSummary summary;
  summary.benchmark_case = {
      .workload = "paced", .transport = "pipe", .rate = {rate}, .p99_bound_ns = 1'000'000};
  const auto offered = static_cast<double>(rate);
  summary.observations = {{"offered", "messages_per_second", {.median = offered, .interval = {}}},
                          {"saturation", "messages_per_second", {.median = saturation, .interval = {}}}};
  summary.load = offered / saturation;
  summary.p99_ns = Statistic{.median = p99_ns, .interval = {}};
  summary.verdict.grade = grade;
  return summary;
}

TEST(Knee, IsTheHighestRateWhosePercentileStaysUnderTheBound) {
  std::vector<CaseSummary> curve{load(3'000, 2e6), load(1'000, 1e4), load(2'000, 9e5, Grade::noisy)};
  ASSERT_EQ(find_knees(curve).size(), 1U);
  EXPECT_EQ(find_knees(curve).front().knee, &curve[2]);
  EXPECT_EQ(find_knees(curve).front().lightest, &curve[1]);
  // What did not achieve its rate is no evidence, and neither is a percentile that was withheld.
  curve[2].verdict.grade = Grade::invalid;
  EXPECT_EQ(find_knees(curve).front().knee, &curve[1]);
  curve[1].p99_ns.reset();
  EXPECT_EQ(find_knees(curve).front().knee, nullptr);
  EXPECT_TRUE(find_knees(curve).front().is_known) << "3000 a second is over the bound";
  curve[0].verdict.grade = Grade::invalid;
  EXPECT_FALSE(find_knees(curve).front().is_known);
  curve[1].pooled =
      PooledPercentiles{.p50_ns = {}, .p90_ns = {}, .p99_ns = 5e4, .p999_ns = {}, .launches_pooled = 6};
  EXPECT_EQ(find_knees(curve).front().knee, &curve[1]);
}

TEST(Knee, IsByTheShareOfSaturationWhichWanders) {
  const std::vector<CaseSummary> curve{load(8'500, 1e4, Grade::ok, 1e4), load(8'100, 1e4, Grade::ok, 9e3)};
  EXPECT_EQ(find_knees(curve).front().knee, &curve[1]);
  EXPECT_EQ(find_knees(curve).front().lightest, &curve[0]);
}

TEST(Knee, IsLookedForInEachCurveApartAndOnlyUnderABound) {
  std::vector<CaseSummary> all{load(1'000, 1e4), load(2'000, 1e4), load(1'000, 1e4), load(1'000, 1e4)};
  all[2].benchmark_case.transport = "tcp";
  all[3].benchmark_case.p99_bound_ns = 0;
  const auto knees = find_knees(all);
  ASSERT_EQ(knees.size(), 2U);
  EXPECT_EQ(knees[0].knee, &all[1]);
  EXPECT_EQ(knees[1].knee, &all[2]);
}

TEST(Summary, TellsWhatEachRoleUsesForAMessage) {
  const std::vector<CaseSummary> cases = summarize_cases(sample::results(3));
  const RoleCostSummary& sender = cases[0].costs.at(0);
  EXPECT_EQ(sender.role, "sender 0");
  EXPECT_DOUBLE_EQ(sender.voluntary_switches, 12 / 20000.0);
  EXPECT_DOUBLE_EQ(sender.faults, 1 / 20000.0);
  EXPECT_DOUBLE_EQ(sender.run_delay_ns.value(), 1500 / 20000.0);
  EXPECT_DOUBLE_EQ(sender.system_calls.value(), 801 / 400.0);
  EXPECT_DOUBLE_EQ(sender.instructions.value(), 4000);
  EXPECT_FALSE(sender.branch_misses);
  const RoleCostSummary& unexamined = cases[1].costs.at(1);
  EXPECT_FALSE(unexamined.system_calls);
  EXPECT_FALSE(unexamined.cycles);
  EXPECT_FALSE(unexamined.run_delay_ns);
}

}  // namespace
}  // namespace ipcmark
