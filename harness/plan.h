// From a suite to the cases of one run on one machine. Nothing goes missing silently: every combination a
// suite asks for is a case, or is skipped with a reason a person can read (in a pairwise suite: every pair of
// values).
//
// Pure functions of their arguments; what they must know of the machine comes in as two functions.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "harness/build_info.h"
#include "harness/case.h"
#include "harness/suite.h"
#include "harness/traits.h"

namespace ipcmark {

struct PlacementAnswer {
  std::string name;                        // the class taken, explicit indexes, or "unpinned"
  std::vector<std::vector<int>> role_pus;  // per role; an inner vector is empty when unpinned
  std::string reason;                      // not empty: this machine lacks it, and all above is empty
};

struct PlanInputs {
  std::span<const TransportTraits> transports;
  std::span<const TransportTraits> named_only{};  // not among "*"
  std::span<const std::string> workloads;
  // The processes of this case, in order.
  std::function<std::vector<RoleKind>(const Case&)> roles;
  // Why its workload cannot have these parameters over this transport; empty when it can.
  std::function<std::string(const Case&)> unfit;
  // A placement as harness/placement.h reads it ("same_l3|same_package", "0+1"), and the number of roles.
  std::function<PlacementAnswer(std::string_view placement, unsigned roles)> place;
  std::vector<std::string> every_placement;  // what * stands for
  // The links that a launch of this case makes, each as a case that has such a one.
  std::function<std::vector<Case>(const Case&)> links = [](const Case& c) { return std::vector{c}; };
  // For each of these cases, empty, or the reason why this machine or this mechanism does not give its link.
  // Called once for each value of limits, with cases that all have it; of those with the same link, one
  // stands for all.
  std::function<std::vector<std::string>(const std::vector<Case>& links)> admit;
  std::span<const NotBuilt> not_built{};  // what a suite may name all the same
  unsigned processing_units = 1;          // that an unpinned role may run on
  bool account_for_all = false;           // fill Plan::left_out, which may be long
};

struct PlannedCase {
  std::string id;
  Case benchmark_case;
  std::vector<std::vector<int>> role_pus;
};

struct SkippedCase {
  std::string id;
  Case benchmark_case;
  std::string reason;
};

// SkippedCase::reason of what a pairwise suite need not launch.
inline constexpr std::string_view covered = "every pair of its values is in a case that is listed";

struct Plan {
  std::string suite;
  unsigned launches = 1;
  std::uint64_t min_time_ns = 0;
  std::uint64_t seed = 0;
  // Launches are added until the interval of each case is this narrow, up to `launches`
  // (results/precision.h).
  std::optional<double> precision{};
  // A cover is there to see faults, not for its figures: every byte of its timed messages is compared, in
  // place of a launch before them that does.
  bool verified_while_timed = false;
  std::vector<PlannedCase> cases;  // in the suite's order, without repeats
  std::vector<SkippedCase> skipped;
  // If asked for, what a pairwise suite leaves out besides: combinations whose every pair of values is in one
  // of the above, and others that cannot be had, with their reason.
  std::vector<SkippedCase> left_out;
};

// What the command line asks of each dimension; empty means nothing asked.
struct Narrowing {
  std::vector<std::string> transports;
  std::vector<std::string> workloads;
  std::vector<std::uint64_t> message_bytes;
  std::vector<Capacity> capacities;
  std::vector<WaitChoice> waits;
  std::vector<AccessChoice> accesses;
  std::vector<PlacementChoice> placements;
  std::optional<Touch> touch;
  std::optional<Limits> limits;
  std::optional<std::string> sched;
  std::map<std::string, std::vector<std::string>, std::less<>> further;  // as Grid::further

  // True when nothing spans a grid.
  bool empty() const;
};

// A grid of the narrowing's own, for when no suite is named: what it leaves open is ping_pong and stream,
// over every transport, 64 B, default capacity, default_wait(), copy, default_placement(); six launches of
// 100 ms. Named "custom".
Suite suite_of(const Narrowing& narrowing);

// A suite's cases, narrowed: in each dimension only the values asked for remain. A value asked for that no
// part of the suite has is taken by every part that is left, so `--size 100` measures 100 B with any suite.
// Touch, limits and sched replace the suite's. A pairwise suite is narrowed first and covered then.
//
// Of a transport that was not built one case is skipped for each workload, size and capacity.
//
// A case that names the hops of a pipeline is one over the first of them: a grid over every transport has it
// once. What waits and accesses it can have is what all its hops have.
//
// Throws std::invalid_argument, one line, when the suite names a transport or workload that is not there, or
// spans more than half a million combinations.
Plan make_plan(const Suite& suite, const Narrowing& narrowing, const PlanInputs& inputs, std::uint64_t seed);

// The order of one round (from 1): every case once, a permutation of 0 .. cases - 1 that seed and round alone
// decide.
std::vector<std::size_t> round_order(std::uint64_t seed, unsigned round, std::size_t cases);

// Whether what a message costs is looked at in launches of their own (workloads/trial.h). A single launch is
// a check, not a measurement.
inline bool is_examined(const Plan& plan) { return plan.launches > 1; }

// Wall time of all launches and of those that each case passes first. An estimate: warming up, forking and
// reaping are taken at typical values.
double estimated_seconds(const Plan& plan);

// A seed for a run that was given none: 32 bits from std::random_device, short enough to be typed again.
std::uint64_t draw_seed();

// "unknown transport 'pip' (did you mean pipe?); known: fifo, pipe, tcp"; empty when it is known.
std::string complain_if_unknown(std::string_view kind, std::string_view word,
                                std::span<const std::string> known);

}  // namespace ipcmark
