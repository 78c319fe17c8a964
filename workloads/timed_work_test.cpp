#include "workloads/timed_work.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace ipcmark {
namespace {

constexpr WarmUpPlan judged{.window_ns = 2e6, .judged = 5, .most_windows = 15, .patience_ns = 80e6};
constexpr WarmUpPlan pace_only{.window_ns = 2e6};

// Remembers how many messages each phase was asked to move; `ns_of(phase, messages)` is how long it takes.
template <class NsOf>
auto phases_into(std::vector<std::uint64_t>& phases, NsOf ns_of) {
  return [&phases, ns_of](std::uint64_t messages) {
    phases.push_back(messages);
    return static_cast<std::uint64_t>(ns_of(phases.size(), messages));
  };
}

TEST(WarmUp, GrowsUntilAPhaseTakesAWindowAndStopsAfterFiveThatAreSteady) {
  std::vector<std::uint64_t> phases;
  const WarmUp done(
      judged, phases_into(phases, [](std::size_t, std::uint64_t messages) { return 1'000 * messages; }));
  EXPECT_DOUBLE_EQ(done.ns_per_message(), 1'000);
  EXPECT_EQ(done.report().windows, 5u);
  EXPECT_TRUE(done.report().judged && done.report().steady);
  EXPECT_GE(done.report().window_ns, judged.window_ns);
  EXPECT_LE(done.report().window_ns, 2 * judged.window_ns);
  EXPECT_EQ(std::ranges::count(phases, phases.back()), 5);
  std::uint64_t sum = 0;
  for (const std::uint64_t messages : phases) sum += messages;
  EXPECT_EQ(done.moved(), sum);
}

TEST(WarmUp, MovesInNoPhaseMoreThanItMay) {
  std::vector<std::uint64_t> phases;
  WarmUpPlan plan = judged;
  plan.most_messages = 50;
  const WarmUp done(plan,
                    phases_into(phases, [](std::size_t, std::uint64_t messages) { return 10 * messages; }));
  EXPECT_EQ(std::ranges::max(phases), 50u);
  EXPECT_DOUBLE_EQ(done.ns_per_message(), 10);
}

TEST(WarmUp, DoesNotTakeOneDisturbedPhaseForThePace) {
  for (const WarmUpPlan& plan : {judged, pace_only}) {
    for (std::size_t disturbed = 1; disturbed <= 5; ++disturbed) {
      std::vector<std::uint64_t> phases;
      const WarmUp done(plan, phases_into(phases, [disturbed](std::size_t phase, std::uint64_t messages) {
                          return 100 * messages + (phase == disturbed ? 300'000'000 : 0);
                        }));
      EXPECT_DOUBLE_EQ(done.ns_per_message(), 100) << "phase " << disturbed;
    }
  }
}

// The first messages find room; every one after them waits.
TEST(WarmUp, BelievesAPaceThatFallsAndStaysLow) {
  for (const WarmUpPlan& plan : {judged, pace_only}) {
    std::vector<std::uint64_t> phases;
    std::uint64_t moved = 0;
    const WarmUp done(plan, phases_into(phases, [&moved](std::size_t, std::uint64_t messages) {
                        std::uint64_t ns = 0;
                        for (std::uint64_t i = 0; i < messages; ++i) ns += moved++ < 60 ? 500 : 200'000'000;
                        return ns;
                      }));
    EXPECT_GT(done.ns_per_message(), 100'000'000);
  }
}

// What a warm-up of a fixed length would not notice.
TEST(WarmUp, GoesOnUntilWhatGetsFasterHasSettled) {
  std::vector<std::uint64_t> phases;
  std::uint64_t moved = 0;
  const WarmUp done(judged, phases_into(phases, [&moved](std::size_t, std::uint64_t messages) {
                      moved += messages;
                      const double slower = moved < 6'000 ? 3.0 - static_cast<double>(moved) / 3'000 : 1.0;
                      return 1'000 * static_cast<double>(messages) * slower;
                    }));
  EXPECT_GT(done.report().windows, 5u);
  EXPECT_TRUE(done.report().steady);
  EXPECT_NEAR(done.ns_per_message(), 1'000, 100);
}

TEST(WarmUp, GivesUpAndSaysSoWhereNothingSettles) {
  const auto drifts = [](std::size_t phase, std::uint64_t messages) {
    return 1'000 * static_cast<double>(messages) * std::pow(1.05, static_cast<double>(phase));
  };
  const auto alternates = [](std::size_t phase, std::uint64_t messages) {
    return 1'000 * static_cast<double>(messages) * (phase % 2 == 0 ? 1.0 : 1.4);
  };
  std::vector<std::uint64_t> phases;
  const WarmUp drifting(judged, phases_into(phases, drifts));
  EXPECT_EQ(drifting.report().windows, 15u);
  EXPECT_TRUE(drifting.report().judged);
  EXPECT_FALSE(drifting.report().steady);
  EXPECT_NEAR(drifting.report().drift, 0.2, 0.03);
  phases.clear();
  const WarmUp alternating(judged, phases_into(phases, alternates));
  EXPECT_FALSE(alternating.report().steady);
  EXPECT_NEAR(alternating.report().spread, 0.4, 0.15);
  EXPECT_NEAR(alternating.report().drift, 0, 0.1);
}

TEST(WarmUp, DoesNotJudgeWhatTakesTooLongForManyWindows) {
  std::vector<std::uint64_t> phases;
  const WarmUp done(
      judged, phases_into(phases, [](std::size_t, std::uint64_t messages) { return 50'000'000 * messages; }));
  EXPECT_EQ(phases.size(), 2u);
  EXPECT_FALSE(done.report().judged);
  EXPECT_DOUBLE_EQ(done.ns_per_message(), 50'000'000);
}

TEST(Verifying, MovesAllMessagesWhereTheyAreQuick) {
  std::vector<std::uint64_t> phases;
  const auto quick = [](std::size_t, std::uint64_t messages) { return 10 * messages; };
  for (const std::uint64_t messages : {1, 2, 8, 63, 64, 65, 4'000}) {
    phases.clear();
    std::uint64_t moved = verify_but_the_last(messages, 50'000'000, phases_into(phases, quick));
    EXPECT_GE(moved, 1u);
    for (const std::uint64_t phase : phases) moved += phase;
    EXPECT_EQ(moved, messages);
  }
  EXPECT_LE(phases.size(), 8u) << "each is a meeting of all roles";
}

TEST(Verifying, TakesAboutTheTimeItHasWhereMessagesAreSlow) {
  std::vector<std::uint64_t> phases;
  const std::uint64_t last = verify_but_the_last(
      4'000, 50'000'000, phases_into(phases, [](std::size_t, std::uint64_t n) { return 100'000 * n; }));
  std::uint64_t moved = last;
  for (const std::uint64_t phase : phases) moved += phase;
  EXPECT_GE(moved, 490u);
  EXPECT_LE(moved, 510u);
}

TEST(Verifying, MeetsASuddenSlownessWithinFewMessages) {
  for (const std::uint64_t quick : {0, 60, 200, 1'000}) {
    std::uint64_t before = 0;
    std::vector<std::uint64_t> phases;
    const std::uint64_t last =
        verify_but_the_last(4'000, 50'000'000, phases_into(phases, [&](std::size_t, std::uint64_t messages) {
                              std::uint64_t ns = 1;
                              for (std::uint64_t i = 0; i < messages; ++i)
                                ns += before++ < quick ? 500 : 40'000'000;
                              return ns;
                            }));
    EXPECT_EQ(last, 1u);
    EXPECT_LE(before, std::max<std::uint64_t>(62, 2 * quick + 124)) << quick;
  }
}

TEST(Steadiness, IsNotSpoiledByOneWindow) {
  const std::vector<double> one_long{100, 101, 300, 100, 99};
  EXPECT_TRUE(Steadiness(one_long).steady());
  const std::vector<double> two_long{100, 300, 300, 100, 99};
  EXPECT_FALSE(Steadiness(two_long).steady());
  const std::vector<double> falling{120, 115, 110, 105, 100};
  EXPECT_NEAR(Steadiness(falling).drift, -20.0 / 110, 1e-9);
  EXPECT_FALSE(Steadiness(falling).steady());
}

}  // namespace
}  // namespace ipcmark
