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

using Round = std::array<double, most_contestants>;  // ns of each contestant's turn

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

double median_ns(const std::vector<Round>& times, const Contest& contest, unsigned contestant) {
  std::vector<double> each;
  for (const Round& round : times) each.push_back(round[contestant] / static_cast<double>(contest.count()));
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

void print_floor(const std::vector<Round>& times, const Contest& contest, const Goal& goal) {
  const auto ns_per_message = [&](const Round& turns) {
    return turns[3] / static_cast<double>(contest.count());
  };
  const std::vector<double> limits = log_ratios(times, 1, 3);
  const Estimate limit = estimate(limits);
  const auto within_reach = std::count_if(
      limits.begin(), limits.end(), [&](double logarithm) { return std::exp(logarithm) >= goal.at_least; });
  fmt::print("{:<20} floor {} ns per message; no ring could exceed {} x the baseline here\n", "",
             show(estimate(logarithms_by_launch(times, ns_per_message))), show(limit));
  fmt::print("{:<20} ({} x in {} of {} launches); this ring takes {} x the floor\n", "", goal.at_least,
             within_reach, launches, show(ratio_of(times, 0, 3)));
  if (limit.high < goal.at_least) {
    fmt::print("{:<20} {} x the baseline is out of this machine's reach at present\n", "", goal.at_least);
  }
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
  };

  fmt::print("64-byte messages, {} interleaved rounds over {} launches, placement {} (PUs {} and {})\n\n",
             rounds, launches, placement.name, placement.role_pus[0][0], placement.role_pus[1][0]);
  fmt::print("{:<20} {:<16} {:>10} {:>10}   {:<22} {:<24} {:<22}\n", "", "against", "ns", "ns against",
             "ratio [95 %]", "wanted", "A/A [95 %]");
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
      fmt::print("{:<20} failed: {}\n", contest->name(), failure->reason);
      failed = true;
      continue;
    }
    const Estimate ratio = ratio_of(times, question.over, question.under);
    std::optional<Estimate> limit;
    if (contest->has_floor()) limit = ratio_of(times, 1, 3);
    const Outcome outcome = judge(question.goal, ratio, limit);
    failed = failed || outcome == Outcome::does_not_hold;
    fmt::print("{:<20} {:<16} {:>10.1f} {:>10.1f}   {:<22} {:<24} {:<22} {}\n", contest->name(),
               question.against, median_ns(times, *contest, 0), median_ns(times, *contest, 1), show(ratio),
               question.wanted, show(ratio_of(times, 2, 1)), word_for(outcome));
    if (limit) print_floor(times, *contest, question.goal);
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
