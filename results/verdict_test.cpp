#include "results/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "results/sample_results.h"

namespace ipcmark {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

LaunchRecord launch_of(std::uint64_t ns_per_message) {
  LaunchRecord launch;
  launch.benchmark_case = sample::ping_pong_over_pipe();
  launch.measurement.messages = 10;
  launch.measurement.span_ns = 10 * ns_per_message;
  launch.measurement.verdict = {Grade::ok, {"checked"}};
  return launch;
}

std::vector<LaunchRecord> launches_of(std::initializer_list<std::uint64_t> ns_per_message) {
  std::vector<LaunchRecord> launches;
  for (const std::uint64_t ns : ns_per_message) launches.push_back(launch_of(ns));
  return launches;
}

Verdict judge(const std::vector<LaunchRecord>& launches, const std::vector<FailureRecord>& failures = {}) {
  std::vector<const LaunchRecord*> launch_pointers;
  for (const LaunchRecord& launch : launches) launch_pointers.push_back(&launch);
  std::vector<const FailureRecord*> failure_pointers;
  for (const FailureRecord& failure : failures) failure_pointers.push_back(&failure);
  return judge_case(launch_pointers, failure_pointers);
}

TEST(CaseVerdict, IsOkForSteadyLaunchesAndSaysWhatWasLookedAt) {
  const Verdict verdict = judge(launches_of({100, 101, 102, 103, 104, 105}));
  EXPECT_EQ(verdict.grade, Grade::ok);
  EXPECT_THAT(verdict.reasons,
              ElementsAre("launch-to-launch quartile spread 2.4 % of the median (within 10 %)"));
}

TEST(CaseVerdict, IsNoisyWhenLaunchesDisagree) {
  const Verdict verdict = judge(launches_of({100, 100, 110, 120, 130, 140}));
  EXPECT_EQ(verdict.grade, Grade::noisy);
  EXPECT_THAT(verdict.reasons,
              ElementsAre("launch-to-launch quartile spread 21.7 % of the median (over 10 %)"));
}

// They all take as long as the schedule does.
TEST(CaseVerdict, JudgesMessagesThatComeByAScheduleByTheirMedians) {
  auto launches = launches_of({100, 100, 100, 100, 100, 100});
  double p50_ns = 50;
  for (LaunchRecord& launch : launches) {
    Distribution& distribution = launch.measurement.distribution.emplace();
    distribution.of = "one_way_ns";
    distribution.p50_ns = p50_ns += 10;
  }
  EXPECT_EQ(judge(launches).grade, Grade::noisy);
  EXPECT_THAT(judge(launches).reasons[0], HasSubstr("quartile spread 29.4 % of the median"));
  launches[3].measurement.distribution->p50_ns.reset();
  EXPECT_EQ(judge(launches).grade, Grade::ok);
  EXPECT_EQ(judge(launches).reasons[0],
            "1 of 6 launches have too few samples for a p50: how far they lie apart is not known");
}

TEST(CaseVerdict, ForgivesOneOutlier) {
  EXPECT_EQ(judge(launches_of({100, 101, 102, 103, 104, 900})).grade, Grade::ok);
}

TEST(CaseVerdict, IsInvalidWhenALaunchFailedWhateverTheOthersSay) {
  const Verdict verdict = judge(launches_of({100, 101, 102, 103, 104, 105}),
                                {{sample::ping_pong_over_pipe(), 7, "receiver 1: hung"}});
  EXPECT_EQ(verdict.grade, Grade::invalid);
  EXPECT_EQ(verdict.reasons.front(), "1 of 7 launches failed: receiver 1: hung");
}

TEST(CaseVerdict, IsInvalidWhenOneLaunchIs) {
  auto launches = launches_of({100, 101, 102, 103, 104, 105});
  launches[2].measurement.verdict = {Grade::invalid, {"3 negative times"}};
  const Verdict verdict = judge(launches);
  EXPECT_EQ(verdict.grade, Grade::invalid);
  EXPECT_EQ(verdict.reasons.front(), "1 of 6 launches are invalid: 3 negative times");
}

TEST(CaseVerdict, IsNoisyOnlyWhenMoreThanAQuarterOfTheLaunchesAre) {
  auto launches = launches_of({100, 101, 102, 103, 104, 105, 106, 107});
  const auto spoil = [&launches](std::size_t i) {
    launches[i].measurement.verdict = {Grade::noisy, {"run delay"}};
  };
  spoil(0);
  spoil(1);
  EXPECT_EQ(judge(launches).grade, Grade::ok);
  EXPECT_EQ(judge(launches).reasons.front(), "2 of 8 launches are noisy: run delay");
  spoil(2);
  EXPECT_EQ(judge(launches).grade, Grade::noisy);
}

TEST(CaseVerdict, TakesACacheLineDriftAgainstSpinningCasesOnly) {
  auto launches = launches_of({100, 101, 102, 103, 104, 105});
  double round_trip_ns = 60;
  for (LaunchRecord& launch : launches) launch.measurement.cache_line_round_trip_ns = round_trip_ns += 100;
  EXPECT_EQ(judge(launches).grade, Grade::ok);
  for (LaunchRecord& launch : launches) launch.benchmark_case.receive_wait = Wait::spin;
  const Verdict verdict = judge(launches);
  EXPECT_EQ(verdict.grade, Grade::noisy);
  EXPECT_THAT(verdict.reasons.back(), HasSubstr("drifted between 160 and 660 ns"));
}

// One processor, looked at for as long as the span.
Disturbance disturbance_of(const LaunchRecord& launch) {
  Disturbance found;
  found.os_processors = {0};
  found.observed_ns = launch.measurement.span_ns;
  return found;
}

TEST(CaseVerdict, IsInvalidWhenMostLaunchesLostMuchOfTheirTimeAndOnlyThen) {
  auto launches = launches_of({100, 101, 102, 103, 104, 105});
  for (std::size_t i = 0; i < 3; ++i) {
    launches[i].measurement.disturbance = disturbance_of(launches[i]);
    launches[i].measurement.disturbance->quota_throttled_ns = launches[i].measurement.span_ns / 2;
  }
  EXPECT_EQ(judge(launches).grade, Grade::ok);
  launches[3].measurement.disturbance = launches[2].measurement.disturbance;
  const Verdict verdict = judge(launches);
  EXPECT_EQ(verdict.grade, Grade::invalid);
  EXPECT_EQ(verdict.reasons.front(),
            "4 of 6 launches lost over 25 % of their span to others, in the median 50 %");
}

TEST(CaseVerdict, TakesStealOfAllLaunchesTogetherThoughEachIsWithinItsStep) {
  std::vector<LaunchRecord> launches =
      launches_of({30'000'000, 30'000'000, 30'000'000, 30'000'000, 30'000'000, 30'000'000});  // 300 ms each
  for (LaunchRecord& launch : launches) {
    launch.measurement.disturbance = disturbance_of(launch);
    launch.measurement.disturbance->steal_ns = 10'000'000;
  }
  const Verdict verdict = judge(launches);
  EXPECT_EQ(verdict.grade, Grade::noisy);
  EXPECT_THAT(verdict.reasons,
              testing::Contains(HasSubstr("the host took 3.3 % of the processors' time away")));
}

TEST(CaseVerdict, IsNoisyWhenTheFrequencyWanders) {
  auto launches = launches_of({100, 101, 102, 103, 104, 105});
  double mhz = 2'000;
  for (LaunchRecord& launch : launches) {
    launch.measurement.disturbance = disturbance_of(launch);
    launch.measurement.disturbance->mhz = mhz += 200;
  }
  EXPECT_EQ(judge(launches).grade, Grade::noisy);
  EXPECT_THAT(judge(launches).reasons, testing::Contains(HasSubstr("between 2200 and 3200 MHz")));
}

TEST(CaseVerdict, SaysThatTheFirstLaunchWasUnlikeTheOthers) {
  auto launches = launches_of({150, 101, 102, 100, 104, 103});
  for (std::size_t i = 0; i < launches.size(); ++i) launches[i].round = static_cast<unsigned>(i + 1);
  const Verdict verdict = judge(launches);
  EXPECT_EQ(verdict.grade, Grade::ok);
  EXPECT_EQ(verdict.reasons.back(), "the first launch took 47 % longer than the median of the others");
  std::swap(launches[0].round, launches[1].round);  // then it is merely an outlier
  EXPECT_THAT(judge(launches).reasons, testing::Not(testing::Contains(HasSubstr("first launch"))));
}

TEST(CaseVerdict, SaysWhenThereAreTooFewLaunches) {
  const Verdict verdict = judge(launches_of({100, 900, 100}));
  EXPECT_EQ(verdict.grade, Grade::ok);
  EXPECT_THAT(verdict.reasons, ElementsAre("3 launches of the 6 a 95 % interval needs"));
}

}  // namespace
}  // namespace ipcmark
