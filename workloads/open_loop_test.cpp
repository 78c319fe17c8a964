#include "workloads/open_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

namespace ipcmark {
namespace {

using Times = std::vector<std::uint64_t>;

Times due(const Schedule& schedule, std::size_t messages) {
  Times times(messages);
  schedule.fill(times);
  return times;
}

TEST(Schedule, FixedArrivalsAreEquallyFarApart) {
  const Schedule schedule{.messages_per_second = 1e6};
  EXPECT_EQ(due(schedule, 4), (Times{0, 1000, 2000, 3000}));
  Times times(4);
  EXPECT_EQ(schedule.fill(times), 4000u);
  // A distance that is no whole number of nanoseconds does not add up its rounding.
  EXPECT_EQ(due({.messages_per_second = 3e6}, 3'000'001).back(), 1'000'000'000u);
}

TEST(Schedule, BurstsAreDueAtOnceAndAsOftenAsTheirMessagesAllow) {
  const Schedule schedule{.arrivals = Arrivals::burst, .messages_per_second = 1e6, .burst = 3};
  EXPECT_EQ(due(schedule, 7), (Times{0, 0, 0, 3000, 3000, 3000, 6000}));
  Times times(7);
  EXPECT_EQ(schedule.fill(times), 9000u);
}

TEST(Schedule, PoissonArrivalsFollowFromTheirSeedAndIndexAlone) {
  const auto poisson = [](std::uint64_t seed, std::size_t messages) {
    return due({.arrivals = Arrivals::poisson, .messages_per_second = 1e6, .seed = seed}, messages);
  };
  const Times few = poisson(7, 10), many = poisson(7, 100'000);
  EXPECT_TRUE(std::equal(few.begin(), few.end(), many.begin()));
  EXPECT_NE(few, poisson(8, 10));
  EXPECT_TRUE(std::ranges::is_sorted(many));
  // Exponential distances: mean and standard deviation are the same, and a share 1/e is over the mean. Five
  // standard errors of each.
  Times apart(many.size());
  std::adjacent_difference(many.begin(), many.end(), apart.begin());
  double sum = 0, squares = 0, over = 0;
  for (const std::uint64_t ns : apart) {
    const auto x = static_cast<double>(ns);
    sum += x;
    squares += x * x;
    if (x > 1000) ++over;
  }
  const auto n = static_cast<double>(apart.size());
  EXPECT_NEAR(sum / n, 1000, 5 * 1000 / std::sqrt(n));
  EXPECT_NEAR(std::sqrt(squares / n - sum / n * (sum / n)), 1000, 5 * 1000 * std::sqrt(2 / n));
  EXPECT_NEAR(over / n, std::exp(-1), 5 * 0.5 / std::sqrt(n));
}

// ---- a scripted receiver on a scripted clock ----

struct Script {
  std::uint64_t take_ns = 5'000;  // that receiving a message takes
  std::uint64_t stall_ns = 0;     // that it stands still
  std::uint64_t every_ns = 1'000'000'000;
};

struct Played {
  std::uint64_t next_due_ns = 0;
  Times due, sent, received;
};

// A link that holds one message; a sender that hands over the next as soon as it is due and there is room.
Played play(const Schedule& schedule, std::size_t messages, const Script& script) {
  constexpr std::uint64_t hand_over_ns = 500;
  Played played{0, Times(messages), Times(messages), Times(messages)};
  played.next_due_ns = schedule.fill(played.due);
  std::uint64_t sender_free_ns = 0, receiver_free_ns = 0;
  for (std::size_t i = 0; i < messages; ++i) {
    played.sent[i] = std::max(played.due[i], sender_free_ns);
    sender_free_ns = std::max(played.sent[i], i > 0 ? played.received[i - 1] : 0) + hand_over_ns;
    std::uint64_t begin_ns = std::max(sender_free_ns, receiver_free_ns);
    if (const std::uint64_t within_ns = begin_ns % script.every_ns; within_ns < script.stall_ns) {
      begin_ns += script.stall_ns - within_ns;
    }
    played.received[i] = receiver_free_ns = begin_ns + script.take_ns;
  }
  return played;
}

std::unique_ptr<OpenLoop> figures_of(const Played& played) {
  auto loop = std::make_unique<OpenLoop>();
  loop->account(0, played.due, played.next_due_ns, played.sent, played.received);
  return loop;
}

constexpr double ms = 1e6;
const Schedule ten_thousand_a_second{.messages_per_second = 10'000};
constexpr std::size_t ten_seconds = 100'000;
constexpr std::uint64_t stall_ns = 20'000'000;

TEST(OpenLoop, ShowsAStallToEveryMessageThatWasDueInIt) {
  const auto loop = figures_of(play(ten_thousand_a_second, ten_seconds, {.stall_ns = stall_ns}));
  EXPECT_EQ(loop->complaint(), "");
  EXPECT_GE(*loop->response.quantile(0.999), 10 * ms);
  EXPECT_GE(*loop->send_lag.quantile(0.999), 10 * ms);
  // Of the 200 messages due in a stall two were on their way: what a loop sees that times each from when it
  // got to sending it.
  EXPECT_LT(*loop->service.quantile(0.999), 1 * ms);
  EXPECT_LT(*loop->service.quantile(0.99), 0.1 * ms);
}

TEST(OpenLoop, NoFigureGetsBetterByAReceiverThatIsHeldUp) {
  for (const Arrivals arrivals : {Arrivals::fixed, Arrivals::poisson, Arrivals::burst}) {
    const Schedule schedule{.arrivals = arrivals, .messages_per_second = 10'000, .burst = 10, .seed = 3};
    const auto usual = figures_of(play(schedule, ten_seconds, {}));
    EXPECT_EQ(usual->complaint(), "");
    const auto not_better = [&](const Script& script, const std::string& what) {
      const auto held_up = figures_of(play(schedule, ten_seconds, script));
      for (const auto series : {&OpenLoop::response, &OpenLoop::service, &OpenLoop::send_lag}) {
        const Histogram &before = (*usual).*series, &after = (*held_up).*series;
        EXPECT_EQ(after.count(), before.count()) << what;
        EXPECT_GE(after.mean_ns(), before.mean_ns()) << what;
        EXPECT_GE(after.max_ns(), before.max_ns()) << what;
        for (const double share : {0.5, 0.9, 0.99, 0.999})
          EXPECT_GE(*after.quantile(share), *before.quantile(share)) << what << " " << share;
      }
      EXPECT_LE(held_up->achieved_per_s, usual->achieved_per_s) << what;
      EXPECT_EQ(held_up->offered_per_s, usual->offered_per_s) << what;
      return held_up->complaint();
    };
    EXPECT_EQ(not_better({.stall_ns = stall_ns}, "stalled"), "");
    EXPECT_EQ(not_better({.take_ns = 50'000}, "slowed"), "");
    EXPECT_THAT(not_better({.take_ns = 150'000}, "too slow"), testing::StartsWith("achieved 66"));
    // In the last quarter of the time, and beyond its end: until 12.5 s.
    EXPECT_THAT(not_better({.stall_ns = 5'000'000'000, .every_ns = 7'500'000'000}, "stopped"),
                testing::StartsWith("achieved 7"));
  }
}

TEST(OpenLoop, ARateThatIsNotAchievedSaysSo) {
  // 1 / 0.71 of the time between two messages.
  const auto loop = figures_of(play({.messages_per_second = 1e6}, 100'000, {.take_ns = 908}));
  EXPECT_EQ(loop->complaint(), "achieved 71 % of the offered rate");
  EXPECT_NEAR(loop->offered_per_s, 1e6, 1);
  EXPECT_NEAR(loop->achieved_per_s, 0.71e6, 0.002e6);
}

TEST(OpenLoop, CatchingUpIsNoFasterThanOffered) {
  // The receiver begins a second late, and is done in time.
  Played played =
      play(ten_thousand_a_second, ten_seconds, {.stall_ns = 1'000'000'000, .every_ns = 100'000'000'000});
  const auto loop = figures_of(played);
  EXPECT_EQ(loop->complaint(), "");
  EXPECT_EQ(loop->achieved_per_s, loop->offered_per_s);
}

TEST(OpenLoop, TimesBelowZeroAreCountedNotClamped) {
  Played played = play(ten_thousand_a_second, 1'000, {});
  const std::uint64_t apart_ns = 400'000'000;
  for (const std::size_t i : {10u, 20u, 30u}) played.received[i] = played.sent[i] - 7 * i;
  const auto loop = figures_of(played);
  EXPECT_EQ(loop->service.count(), 997u);
  EXPECT_GT(loop->service.min_ns(), 0u);
  EXPECT_EQ(loop->times.negative(), 6u);
  EXPECT_THAT(loop->complaint(),
              testing::StartsWith("6 of 3000 one-way times are below zero, by up to 210 ns"));
  // A receiver's clock that is ahead cannot be seen in single times, one that is behind must be.
  for (std::uint64_t& ns : played.received) ns = ns < apart_ns ? 0 : ns - apart_ns;
  EXPECT_THAT(figures_of(played)->complaint(), testing::HasSubstr("below zero"));
}

}  // namespace
}  // namespace ipcmark
