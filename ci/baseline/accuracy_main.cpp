// ci/accuracy: what the harness adds to a bare loop, and how the ring of slots stands against its baseline
// and its floor. Every figure is a ratio of turns taken in alternation by the same two pinned processes, with
// a 95 % interval and, beside it, the same ratio of the baseline against itself (A/A).

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <functional>

#include "ci/baseline/side_by_side.h"
#include "harness/placement.h"
#include "harness/suite.h"
#include "results/statistics.h"

namespace ipcmark::accuracy {
namespace {

constexpr unsigned launches = 20;
constexpr unsigned rounds_per_launch = 3;
constexpr unsigned rounds = launches * rounds_per_launch;

using Round = std::array<double, contestants>;  // ns of each contestant's turn

struct Ratio {
  double median, low, high;
};

// Of the paired turns. The launch is the independent unit: each gives the median of its logarithms, and the
// interval is that of the launches' median.
Ratio ratio_of(const std::vector<Round>& times, unsigned numerator, unsigned denominator) {
  std::vector<double> of_launches;
  for (unsigned i = 0; i < launches; ++i) {
    std::vector<double> logarithms;
    for (unsigned round = 0; round < rounds_per_launch; ++round) {
      const Round& turns = times.at(i * rounds_per_launch + round);
      logarithms.push_back(std::log(turns[numerator] / turns[denominator]));
    }
    of_launches.push_back(median(logarithms));
  }
  const Interval interval = *median_interval(of_launches);
  return {std::exp(median(of_launches)), std::exp(interval.low), std::exp(interval.high)};
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
  std::function<bool(const Ratio&)> holds;
};

std::string show(const Ratio& ratio) {
  return fmt::format("{:.3f} [{:.3f}, {:.3f}]", ratio.median, ratio.low, ratio.high);
}

int run() {
  const Topology topology = Topology::of_this_machine();
  std::string wanted_placement;
  for (const std::string& alternative : default_placement().first_of) {
    wanted_placement += (wanted_placement.empty() ? "" : "|") + alternative;
  }
  const Placement placement = resolve(topology, wanted_placement, 2);
  const Isolation isolation = probe_isolation(Limits::host);

  const auto within_5_percent = [](const Ratio& r) { return r.low > 0.95 && r.high < 1.05; };
  const std::vector<Question> questions{
      {pipe_contest, "bare write/read", "within 0.95 .. 1.05", 0, 1, within_5_percent},
      {unix_stream_contest, "bare write/read", "within 0.95 .. 1.05", 0, 1, within_5_percent},
      {tcp_contest, "bare write/read", "within 0.95 .. 1.05", 0, 1, within_5_percent},
      {ring_stream_contest, "two-index ring", "rate at least 3 times", 1, 0,
       [](const Ratio& r) { return r.low >= 3; }},
      {ring_round_trip_contest, "bare cache line", "time at most 1.5 times", 0, 1,
       [](const Ratio& r) { return r.high <= 1.5; }},
  };

  fmt::print("64-byte messages, {} interleaved rounds over {} launches, placement {} (PUs {} and {})\n\n",
             rounds, launches, placement.name, placement.role_pus[0][0], placement.role_pus[1][0]);
  fmt::print("{:<20} {:<16} {:>10} {:>10}   {:<22} {:<24} {:<22}\n", "", "against", "ns", "ns against",
             "ratio [95 %]", "wanted", "A/A [95 %]");
  bool all_hold = true;
  for (const Question& question : questions) {
    std::unique_ptr<Contest> contest;
    std::vector<Round> times;
    std::optional<LaunchFailure> failure;
    for (unsigned i = 0; i < launches && !failure; ++i) {
      contest = question.make();
      SideBySide work(*contest, rounds_per_launch);
      const SharedLaunchBoard board;
      LaunchSpec spec{.roles = {{"lead 0", placement.role_pus[0]}, {"follower 1", placement.role_pus[1]}},
                      .isolation = isolation};
      spec.bind = [&](const std::vector<int>& pus) -> Granted {
        const Binding binding = bind_this_process(topology, pus);
        return {binding.granted_pus, binding.numa_node, binding.memory_bound};
      };
      failure = launch(spec, work, *board);
      for (unsigned round = 0; round < rounds_per_launch; ++round) {
        times.push_back({work.ns(round, 0), work.ns(round, 1), work.ns(round, 2)});
      }
    }
    if (failure) {
      fmt::print("{:<20} failed: {}\n", contest->name(), failure->reason);
      all_hold = false;
      continue;
    }
    const Ratio ratio = ratio_of(times, question.over, question.under);
    const bool holds = question.holds(ratio);
    all_hold = all_hold && holds;
    fmt::print("{:<20} {:<16} {:>10.1f} {:>10.1f}   {:<22} {:<24} {:<22} {}\n", contest->name(),
               question.against, median_ns(times, *contest, 0), median_ns(times, *contest, 1), show(ratio),
               question.wanted, show(ratio_of(times, 2, 1)), holds ? "holds" : "DOES NOT HOLD");
    std::fflush(stdout);
  }
  return all_hold ? 0 : 1;
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
