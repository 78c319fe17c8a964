#include "harness/clock.h"

#include <gtest/gtest.h>

#include <system_error>

#include "harness/allowed_pus.h"

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

TEST(Clock, TheExaminationFillsEveryField) {
  const auto [first, last] = first_and_last_allowed_pu();
  const ClockInfo info = examine_clock(first, last);
  EXPECT_EQ(info.source.rfind("CLOCK_MONOTONIC", 0), 0u) << info.source;
  EXPECT_GE(info.step_ns, 1);
  EXPECT_GT(info.read_ns, 0);
  EXPECT_TRUE(info.ordered);
  EXPECT_GT(info.order_checks, 0u);
}

}  // namespace
}  // namespace ipcmark
