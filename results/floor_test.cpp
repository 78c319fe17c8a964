#include "results/floor.h"

#include <gtest/gtest.h>

#include "results/sample_results.h"
#include "results/summary.h"

namespace ipcmark {
namespace {

Floors sample_floors() { return sample::header().machine.floors; }

std::optional<Floor> latency(const LaunchRecord& launch) {
  const LaunchRecord* const one = &launch;
  return latency_floor(sample_floors(), {&one, 1});
}

std::optional<Floor> throughput(const LaunchRecord& launch) {
  const LaunchRecord* const one = &launch;
  return throughput_floor(sample_floors(), {&one, 1});
}

LaunchRecord round_trips_on(int first_pu, int second_pu, Wait wait = Wait::block) {
  std::mt19937_64 random(1);
  LaunchRecord launch = sample::ping_pong_launch(1, 1, random);
  launch.benchmark_case.receive_wait = wait;
  launch.measurement.roles[0].granted_pus = {first_pu};
  launch.measurement.roles[1].granted_pus = {second_pu};
  return launch;
}

LaunchRecord stream_on(int first_pu, int second_pu, Access access, Touch touch) {
  std::mt19937_64 random(1);
  LaunchRecord launch = sample::stream_launch(1, 1, random);
  launch.benchmark_case.send_access = launch.benchmark_case.receive_access = access;
  launch.benchmark_case.touch = touch;
  launch.measurement.roles[0].granted_pus = {first_pu};
  launch.measurement.roles[1].granted_pus = {second_pu};
  return launch;
}

TEST(CaseFloor, OfRolesThatSleepIsTwoWakeUpsWhicheverOfThePairCameFirst) {
  ASSERT_TRUE(latency(round_trips_on(0, 1)));
  EXPECT_EQ(latency(round_trips_on(0, 1))->what, "two wake-ups");
  EXPECT_EQ(latency(round_trips_on(0, 1))->ns, 8800);
  EXPECT_EQ(latency(round_trips_on(1, 0))->ns, 8800);
}

TEST(CaseFloor, OfRolesThatSpinIsTheCacheLineOfTheVeryLaunches) {
  EXPECT_EQ(latency(round_trips_on(0, 1, Wait::spin))->what, "cache-line round trip");
  EXPECT_EQ(latency(round_trips_on(0, 1, Wait::spin))->ns, 310.5);
}

TEST(CaseFloor, OnOneProcessorIsTwoContextSwitches) {
  EXPECT_EQ(latency(round_trips_on(1, 1))->what, "two context switches");
  EXPECT_EQ(latency(round_trips_on(1, 1))->ns, 2 * 1260);
}

TEST(CaseFloor, OfOneWayIsHalfOfARoundTrips) {
  const auto one_way_on = [](int first_pu, int second_pu, Wait wait) {
    LaunchRecord launch = round_trips_on(first_pu, second_pu, wait);
    launch.measurement.distribution->of = "one_way_ns";
    return latency(launch);
  };
  EXPECT_EQ(one_way_on(0, 1, Wait::block)->what, "a wake-up");
  EXPECT_EQ(one_way_on(0, 1, Wait::block)->ns, 4400);
  EXPECT_EQ(one_way_on(0, 1, Wait::spin)->what, "half a cache-line round trip");
  EXPECT_EQ(one_way_on(0, 1, Wait::spin)->ns, 310.5 / 2);
  EXPECT_EQ(one_way_on(1, 1, Wait::block)->what, "a context switch");
  EXPECT_EQ(one_way_on(1, 1, Wait::block)->ns, 1260);
}

TEST(CaseFloor, IsNotMadeUpWhereItWasNotMeasured) {
  EXPECT_FALSE(latency(round_trips_on(0, 7)));
  EXPECT_FALSE(latency(round_trips_on(7, 7)));
  EXPECT_FALSE(latency(stream_on(0, 1, Access::copy, Touch::full)));
  LaunchRecord unpinned = round_trips_on(0, 1);
  unpinned.measurement.roles[0].granted_pus = {0, 1};
  EXPECT_FALSE(latency(unpinned));
  LaunchRecord another_size = stream_on(0, 1, Access::copy, Touch::full);
  another_size.benchmark_case.message_bytes = 100;
  EXPECT_FALSE(throughput(another_size));
  EXPECT_FALSE(throughput(round_trips_on(0, 1)));
}

TEST(CaseFloor, OfAStreamIsTheSlowerSideAtOnceOrBothInTurn) {
  EXPECT_EQ(throughput(stream_on(0, 1, Access::copy, Touch::full))->ns, 130 + 60);
  EXPECT_EQ(throughput(stream_on(0, 0, Access::copy, Touch::full))->ns, 110 + 60 + 130 + 60);
  EXPECT_EQ(throughput(stream_on(0, 1, Access::loan, Touch::full))->ns, 130);
  EXPECT_EQ(throughput(stream_on(0, 1, Access::copy, Touch::header))->what, "copying the payload");
  EXPECT_FALSE(throughput(stream_on(0, 1, Access::loan, Touch::header)));
}

TEST(CaseFloor, StandsInTheSummaryUnderTheFigureItBelongsTo) {
  const std::vector<CaseSummary> cases = summarize_cases(sample::results(6));
  ASSERT_EQ(cases.size(), 2u);
  ASSERT_TRUE(cases[0].floor);
  EXPECT_EQ(cases[0].floor->under, "p50_ns");
  EXPECT_DOUBLE_EQ(cases[0].floor->multiple, cases[0].p50_ns->median / 8800);
}

}  // namespace
}  // namespace ipcmark
