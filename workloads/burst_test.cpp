#include "workloads/burst.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "workloads/test_trial.h"

namespace ipcmark {
namespace {

constexpr std::uint64_t bursts = 5;

TEST(Burst, ThatFitsNeverWaitsAndOutlivesItsSender) {
  for (const Case& plain : over_every_transport({.workload = "burst", .burst = 4})) {
    for (const Case& c : with_every_wait(plain)) {
      SCOPED_TRACE(case_id(c));
      const Measurement measured = measure_case(c, bursts * c.burst);
      EXPECT_EQ(measured.messages, bursts * c.burst);
      EXPECT_EQ(observed(measured, "bursts"), static_cast<double>(bursts));
      EXPECT_EQ(observed(measured, "bursts_that_waited"), 0);
      EXPECT_EQ(observed(measured, "delivered_after_exit"), static_cast<double>(c.burst));
      ASSERT_TRUE(measured.distribution);
      EXPECT_EQ(measured.distribution->count, bursts);
      EXPECT_EQ(measured.distribution->max_ns, 0u);
    }
  }
}

// However little room it leaves, and wherever in a ring it begins.
TEST(Burst, ThatNearlyFillsItsLinkNeverWaitsEither) {
  for (const char* transport : {"pipe", "posix_shm", "sysv_mq", "fifo"}) {
    for (Case c : with_every_wait({.workload = "burst", .transport = transport})) {
      const CapacityFacts facts = probe_capacity(c, test_context());
      ASSERT_TRUE(facts.fits_min.has_value()) << case_id(c) << ": " << facts.note;
      c.burst = *facts.fits_min - *facts.fits_min / 16;
      SCOPED_TRACE(case_id(c));
      EXPECT_EQ(observed(measure_case(c, 20 * c.burst), "bursts_that_waited"), 0);
    }
  }
}

TEST(Burst, ThatDoesNotFitWaits) {
  for (const char* transport : {"pipe", "posix_shm", "posix_mq", "unix_stream", "unix_dgram", "sysv_mq"}) {
    for (Case c : with_every_wait({.workload = "burst", .transport = transport})) {
      const CapacityFacts facts = probe_capacity(c, test_context());
      ASSERT_TRUE(facts.fits_max.has_value()) << case_id(c) << ": " << facts.note;
      c.burst = 2 * *facts.fits_max + 2;
      SCOPED_TRACE(case_id(c));
      const Measurement measured = measure_case(c, bursts * c.burst);
      EXPECT_EQ(observed(measured, "bursts_that_waited"), static_cast<double>(bursts));
      EXPECT_GT(observed(measured, "delivered_after_exit"), 0);
      EXPECT_LT(observed(measured, "delivered_after_exit"), static_cast<double>(c.burst));
      ASSERT_TRUE(measured.distribution);
      EXPECT_GT(measured.distribution->min_ns, 0u);
    }
  }
}

TEST(Burst, OverARendezvousWaitsAndLeavesNothingBehind) {
  for (Case plain :
       over_every_transport({.workload = "burst", .capacity = Capacity::rendezvous(), .burst = 3})) {
    plain.rendezvous = Registry::instance().find(plain.transport)->traits.rendezvous;
    const Case c = with_a_wait(plain);
    if (plain.rendezvous == Rendezvous::none) continue;
    SCOPED_TRACE(case_id(c));
    const Measurement measured = measure_case(c, bursts * c.burst);
    // Not each: now and then the receiver has taken all before the sender looks.
    EXPECT_GT(observed(measured, "bursts_that_waited"), 0);
    EXPECT_EQ(observed(measured, "delivered_after_exit"), 0);
  }
}

TEST(Burst, WithoutABoundNeverWaits) {
  for (const Case& c : with_every_wait({.workload = "burst",
                       .transport = "posix_shm",
                       .capacity = Capacity::unbounded(),
                       .burst = 5'000})) {
    SCOPED_TRACE(case_id(c));
    const Measurement measured = measure_case(c, bursts * c.burst);
    EXPECT_EQ(observed(measured, "bursts_that_waited"), 0);
    EXPECT_EQ(observed(measured, "delivered_after_exit"), static_cast<double>(c.burst));
  }
}

TEST(Burst, IsRefusedWhereNothingIsHeld) {
  EXPECT_THAT(why_not({.workload = "burst", .transport = "null"}), testing::HasSubstr("holds nothing"));
}

}  // namespace
}  // namespace ipcmark
