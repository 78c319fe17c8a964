#include "harness/clock.h"

#include <gtest/gtest.h>

#include <system_error>

#include "harness/allowed_pus.h"
#include "harness/fake_root.h"

namespace ipcmark {
namespace {

TEST(Clock, NeverGoesBack) {
  std::uint64_t previous = now_ns();
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t now = now_ns();
    ASSERT_GE(now, previous);
    previous = now;
  }
}

TEST(Clock, IsTheMonotonicClock) {
  timespec before, after;
  clock_gettime(CLOCK_MONOTONIC, &before);
  const std::uint64_t now = now_ns();
  clock_gettime(CLOCK_MONOTONIC, &after);
  const auto ns = [](const timespec& t) {
    return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(t.tv_nsec);
  };
  EXPECT_LE(ns(before), now);
  EXPECT_LE(now, ns(after));
}

TEST(Clock, EveryReadingHandedOverIsCompared) {
  const auto [first, last] = first_and_last_allowed_pu();
  const ClockOrder order = check_clock_order(first, last, 2'000);
  EXPECT_EQ(order.checks, 2'000u);
  EXPECT_EQ(order.violations, 0u);
}

TEST(Clock, TheHandOverWorksOnOneProcessor) {
  const int pu = first_and_last_allowed_pu().first;
  EXPECT_EQ(check_clock_order(pu, pu, 20).checks, 20u);
}

TEST(Clock, AProcessorThatDoesNotExistIsAnError) {
  const int pu = first_and_last_allowed_pu().first;
  EXPECT_THROW(check_clock_order(pu, 1023, 10), std::system_error);
  EXPECT_THROW(check_clock_order(-1, pu, 10), std::system_error);
}

// Puts things back as other tests expect them.
class ClockChoice : public testing::Test {
 protected:
  void TearDown() override { use_monotonic_clock(); }

  static OsPuPairs a_pair() { return {first_and_last_allowed_pu()}; }
};

TEST_F(ClockChoice, IsExaminedAndGivesItsReason) {
  const ClockInfo info = choose_clock(a_pair());
  EXPECT_EQ(info.source == "TSC", time_stamp_scale.in_use) << info.source;
  EXPECT_FALSE(info.why.empty());
  EXPECT_GE(info.step_ns, 1);
  EXPECT_GT(info.read_ns, 0);
  EXPECT_TRUE(info.ordered) << info.why;
  EXPECT_GT(info.order_checks, 0u);
  EXPECT_EQ(info.order_pairs, 1u);
}

TEST_F(ClockChoice, OfTheCounterIsStillOnTheMonotonicScale) {
  choose_clock(a_pair());
  if (!time_stamp_scale.in_use) GTEST_SKIP() << choose_clock(a_pair()).why;
  EXPECT_EQ(align_clock(), "");
  timespec monotonic;
  const std::uint64_t before = now_ns();
  clock_gettime(CLOCK_MONOTONIC, &monotonic);
  const std::uint64_t after = now_ns();
  const auto between_ns = static_cast<std::uint64_t>(monotonic.tv_sec) * 1'000'000'000 +
                          static_cast<std::uint64_t>(monotonic.tv_nsec);
  constexpr std::uint64_t close_ns = 10'000;  // the two are read one after the other when they are aligned
  EXPECT_LE(before, between_ns + close_ns);
  EXPECT_LE(between_ns, after + close_ns);
}

#if defined(__x86_64__)
TEST_F(ClockChoice, GivesUpACounterThatLostItsPaceAndSaysSo) {
  constexpr std::uint64_t far_too_fast = std::uint64_t{1} << 42;  // 1,024 ns a tick
  time_stamp_scale = {true, time_stamp(), monotonic_ns(), far_too_fast};
  const std::uint64_t begin_ns = monotonic_ns();
  while (monotonic_ns() - begin_ns < 1'000'000) {
  }
  EXPECT_NE(align_clock().find("ahead of CLOCK_MONOTONIC"), std::string::npos);
  EXPECT_FALSE(time_stamp_scale.in_use);
  EXPECT_EQ(align_clock(), "");
}
#endif

TEST_F(ClockChoice, LeavesACounterThatNobodyVouchesFor) {
  const std::string promised = "flags\t\t: fpu tsc constant_tsc nonstop_tsc sse";
  const std::string source = "sys/devices/system/clocksource/clocksource0/current_clocksource";
  struct Machine {
    std::string flags, source, says;
  };
  for (const Machine& machine : {Machine{"flags\t\t: fpu tsc constant_tsc sse", "tsc", "nonstop_tsc"},
                                 Machine{promised, "hpet", "hpet"}}) {
    FakeRoot root;
    root.with("proc/cpuinfo", machine.flags).with(source, machine.source);
    const ClockInfo info = choose_clock(a_pair(), root.path());
    EXPECT_EQ(info.source, "CLOCK_MONOTONIC (" + machine.source + ")");
    EXPECT_FALSE(time_stamp_scale.in_use);
#if defined(__x86_64__)
    EXPECT_NE(info.why.find(machine.says), std::string::npos) << info.why;
#endif
  }
}

}  // namespace
}  // namespace ipcmark
