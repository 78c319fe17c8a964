// ci/accuracy: what the harness adds to a bare loop, and how the ring of slots stands against its baseline
// and its floor. Every figure is a ratio of turns taken in alternation by the same two pinned processes, with
// a 95 % interval and, beside it, the same ratio of the baseline against itself (A/A).
//
// Exit status 1 when a goal is missed. One that is out of reach is not: the floor, which ran in the same
// turns, says that nothing could have met it on this machine as it was.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <exception>
#include <functional>

#include "ci/baseline/goal.h"
#include "ci/baseline/side_by_side.h"
#include "harness/placement.h"
#include "harness/suite.h"
#include "results/statistics.h"

namespace ipcmark::accuracy {
namespace {

constexpr unsigned launches = 20;
constexpr unsigned rounds_per_launch = 3;
constexpr unsigned rounds = launches * rounds_per_launch;

constexpr int name_width = 27;  // of the table's first column

using Round = std::array<double, most_contestants>;  // ns of each contestant's messages or round trips

// Of some positive figure that every round has: each launch's median of its logarithms. The launch is the
// independent unit.
template <class Figure>
std::vector<double> logarithms_by_launch(const std::vector<Round>& times, Figure figure) {
  std::vector<double> of_launches;
  for (unsigned i = 0; i < launches; ++i) {
    std::vector<double> logarithms;
    for (unsigned round = 0; round < rounds_per_launch; ++round) {
      logarithms.push_back(std::log(figure(times.at(i * rounds_per_launch + round))));
    }
    of_launches.push_back(median(logarithms));
  }
  return of_launches;
}

Estimate estimate(const std::vector<double>& logarithms) {
  const Interval interval = *median_interval(logarithms);
  return {std::exp(median(logarithms)), std::exp(interval.low), std::exp(interval.high)};
}

std::vector<double> log_ratios(const std::vector<Round>& times, unsigned numerator, unsigned denominator) {
  return logarithms_by_launch(times,
                              [&](const Round& turns) { return turns[numerator] / turns[denominator]; });
}

Estimate ratio_of(const std::vector<Round>& times, unsigned numerator, unsigned denominator) {
  return estimate(log_ratios(times, numerator, denominator));
}

double median_ns(const std::vector<Round>& times, unsigned contestant) {
  std::vector<double> each;
  for (const Round& round : times) each.push_back(round[contestant]);
  return median(each);
}

struct Question {
  std::function<std::unique_ptr<Contest>()> make;
  std::string_view against;
  std::string_view wanted;
  // numerator and denominator of the ratio that is asked for
  unsigned over, under;
  Goal goal;
};

std::string show(const Estimate& of) {
  return fmt::format("{:.3f} [{:.3f}, {:.3f}]", of.median, of.low, of.high);
}

std::string_view word_for(Outcome outcome) {
  switch (outcome) {
    case Outcome::holds:
      return "holds";
    case Outcome::out_of_reach:
      return "out of reach";
    case Outcome::does_not_hold:
      break;
  }
  return "DOES NOT HOLD";
}

// The best ratio that anything could have had: the floor's, asked for as the contestant's is.
std::vector<double> floor_log_ratios(const std::vector<Round>& times, const Question& question) {
  const auto floor_for = [](unsigned contestant) { return contestant == 0 ? floor_contestant : contestant; };
  return log_ratios(times, floor_for(question.over), floor_for(question.under));
}

void print_floor(const std::vector<Round>& times, const Goal& goal, const std::vector<double>& limits) {
  const auto floor_ns = [](const Round& turns) { return turns[floor_contestant]; };
  const auto within_reach = std::count_if(limits.begin(), limits.end(), [&](double logarithm) {
    return std::exp(logarithm) >= goal.at_least && std::exp(logarithm) <= goal.at_most;
  });
  fmt::print("{:<{}} the floor takes {} ns, has a ratio of {} and meets the goal in {} of {} launches;\n", "",
             name_width, show(estimate(logarithms_by_launch(times, floor_ns))), show(estimate(limits)),
             within_reach, launches);
  fmt::print("{:<{}} the ring takes {} x the floor\n", "", name_width,
             show(ratio_of(times, 0, floor_contestant)));
}

int run() {
  const Topology topology = Topology::of_this_machine();
  std::string wanted_placement;
  for (const std::string& alternative : default_placement().first_of) {
    wanted_placement += (wanted_placement.empty() ? "" : "|") + alternative;
  }
  const Placement placement = resolve(topology, wanted_placement, 2);
  const Isolation isolation = probe_isolation(Limits::host);

  const Goal within_5_percent{.at_least = 0.95, .at_most = 1.05};
  const std::vector<Question> questions{
      {pipe_contest, "bare write/read", "within 0.95 .. 1.05", 0, 1, within_5_percent},
      {unix_stream_contest, "bare write/read", "within 0.95 .. 1.05", 0, 1, within_5_percent},
      {tcp_contest, "bare write/read", "within 0.95 .. 1.05", 0, 1, within_5_percent},
      {ring_stream_contest, "two-index ring", "rate at least 3 times", 1, 0, {.at_least = 3}},
      {ring_round_trip_contest, "bare cache line", "time at most 1.5 times", 0, 1, {.at_most = 1.5}},
      {long_ring_round_trip_contest, "bare cache line", "time at most 1.5 times", 0, 1, {.at_most = 1.5}},
  };

  fmt::print(
      "64-byte messages, {} interleaved rounds over {} launches, placement {} (PUs {} and {})\n"
      "ring: posix_shm, spinning on loaned slots\n\n",
      rounds, launches, placement.name, placement.role_pus[0][0], placement.role_pus[1][0]);
  fmt::print("{:<{}} {:<16} {:>10} {:>10}   {:<22} {:<24} {:<22}\n", "", name_width, "against", "ns",
             "ns against", "ratio [95 %]", "wanted", "A/A [95 %]");
  bool failed = false;
  for (const Question& question : questions) {
    std::unique_ptr<Contest> contest;
    std::vector<Round> times;
    std::optional<LaunchFailure> failure;
    for (unsigned i = 0; i < launches && !failure; ++i) {
      contest = question.make();
      SideBySide work(*contest, rounds_per_launch, i);
      const SharedLaunchBoard board;
      LaunchSpec spec{.roles = {{"lead 0", placement.role_pus[0]}, {"follower 1", placement.role_pus[1]}},
                      .isolation = isolation};
      spec.bind = [&](const std::vector<int>& pus) -> Granted {
        const Binding binding = bind_this_process(topology, pus);
        return {binding.granted_pus, binding.numa_node, binding.memory_bound};
      };
      failure = launch(spec, work, *board);
      for (unsigned round = 0; round < rounds_per_launch; ++round) {
        Round& turns = times.emplace_back();
        for (unsigned who = 0; who < contest->contestants(); ++who) turns[who] = work.ns(round, who);
      }
    }
    if (failure) {
      fmt::print("{:<{}} failed: {}\n", contest->name(), name_width, failure->reason);
      failed = true;
      continue;
    }
    const Estimate ratio = ratio_of(times, question.over, question.under);
    std::vector<double> limits;
    if (contest->has_floor()) limits = floor_log_ratios(times, question);
    const auto limit = limits.empty() ? std::nullopt : std::optional(estimate(limits));
    const Outcome outcome = judge(question.goal, ratio, limit);
    failed = failed || outcome == Outcome::does_not_hold;
    fmt::print("{:<{}} {:<16} {:>10.1f} {:>10.1f}   {:<22} {:<24} {:<22} {}\n", contest->name(), name_width,
               question.against, median_ns(times, 0), median_ns(times, 1), show(ratio), question.wanted,
               show(ratio_of(times, 2, 1)), word_for(outcome));
    if (limit) print_floor(times, question.goal, limits);
    std::fflush(stdout);
  }
  return failed ? 1 : 0;
}

}  // namespace
}  // namespace ipcmark::accuracy

int main() {
  try {
    return ipcmark::accuracy::run();
  } catch (const std::exception& error) {
    fmt::print(stderr, "ci/accuracy: {}\n", error.what());
    return 2;
  }
}
