#include "results/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

TEST(CaseVerdict, SaysWhenThereAreTooFewLaunches) {
  const Verdict verdict = judge(launches_of({100, 900, 100}));
  EXPECT_EQ(verdict.grade, Grade::ok);
  EXPECT_THAT(verdict.reasons, ElementsAre("3 launches of the 6 a 95 % interval needs"));
}

}  // namespace
}  // namespace ipcmark
