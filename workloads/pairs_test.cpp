#include "workloads/pairs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "workloads/test_trial.h"

namespace ipcmark {
namespace {

constexpr std::uint64_t of_each_pair = 300;

TEST(Pairs, EveryPairMovesAsManyMessagesOverALinkOfItsOwn) {
  for (const Case& plain : over_every_transport({.workload = "pairs", .pairs = 3})) {
    const Case c = with_a_wait(plain);
    SCOPED_TRACE(case_id(c));
    const Measurement measured = measure_case(c, of_each_pair);
    EXPECT_EQ(measured.messages, 3 * of_each_pair);
    EXPECT_EQ(measured.integrity.checked, 3 * of_each_pair);
    ASSERT_EQ(measured.roles.size(), 6u);
    for (const RoleReport& role : measured.roles) EXPECT_EQ(role.messages, of_each_pair) << role.role;
    EXPECT_GT(observed(measured, "jain_index"), 1.0 / 3 - 1e-9);
    EXPECT_LE(observed(measured, "jain_index"), 1.0 + 1e-9);
    EXPECT_GT(observed(measured, "slowest_pair"), 0);
    EXPECT_LE(observed(measured, "slowest_pair"), observed(measured, "fastest_pair"));
  }
}

TEST(Pairs, OverNullAreTheFloor) {
  EXPECT_EQ(measure_case({.workload = "pairs", .transport = "null", .pairs = 3}, of_each_pair).messages,
            3 * of_each_pair);
}

TEST(Pairs, AreOneUnlessMoreAreAskedFor) {
  EXPECT_EQ(measure_case({.workload = "pairs", .transport = "pipe"}, of_each_pair).roles.size(), 2u);
}

TEST(Pairs, AreRefusedWhenThereAreMoreThanALaunchHasRoles) {
  Case c{.workload = "pairs", .transport = "pipe", .pairs = max_roles / 2};
  EXPECT_EQ(why_not(c), "");
  ++c.pairs;
  EXPECT_THAT(why_not(c), testing::HasSubstr("at most 12"));
}

}  // namespace
}  // namespace ipcmark
