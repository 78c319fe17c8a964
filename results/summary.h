// From launches to cases: what is said about each case of a result file.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "results/precision.h"
#include "results/result_file.h"
#include "results/statistics.h"

namespace ipcmark {

// Percentiles of all launches' samples taken together: more samples reach further into the tail, at the price
// of mixing launches. nullopt with fewer than 100 samples beyond, and where it is less than the clock's step.
struct PooledPercentiles {
  std::optional<double> p50_ns, p90_ns, p99_ns, p999_ns;
  std::size_t launches_pooled = 0;
};

// An observation over the launches that made it.
struct ObservationSummary {
  std::string name;
  std::string unit;
  Statistic statistic;
};

// What the case's own figure cannot go below on its processors; figures are never corrected by it.
struct CaseFloor {
  std::string under;  // the figure it stands under: p50_ns | ns_per_message
  std::string what;   // "cache-line round trip"
  double ns = 0;
  double multiple = 0;  // that figure's median over launches / ns
};

// What one role uses for each message of the case: the launch's messages, whether it moved all of them or
// not. Medians over launches; from system_calls on, of the launch that was examined, nullopt where there was
// none.
struct RoleCostSummary {
  std::string role;
  double cpu_ns = 0;
  double voluntary_switches = 0;
  double involuntary_switches = 0;
  double faults = 0;
  std::optional<double> run_delay_ns;
  std::optional<double> system_calls, cycles, instructions, cache_misses, branch_misses;
};

struct CaseSummary {
  std::string id;
  Case benchmark_case;
  CapacityFacts capacity;  // over all launches: the least and the most that fitted
  std::size_t launches = 0;
  Verdict verdict;
  bool scheduled = false;  // messages came when they were due: the next three are the schedule's
  Statistic ns_per_message;
  Statistic messages_per_second;
  Statistic bytes_per_second;
  Statistic cpu_ns_per_message;  // of all roles together
  // Of single events (round trips, calls), not of windows of many messages; only if every launch has it, else
  // the sample is biased.
  std::optional<Statistic> p50_ns, p99_ns;
  std::optional<PooledPercentiles> pooled;       // of single events
  std::vector<ObservationSummary> observations;  // in the order first made
  // What was offered as a share of the saturation that the same launch saw: the median over launches that
  // observed both.
  std::optional<double> load;
  // Of round trips, calls and streams between pinned roles whose floors were measured (results/floor.h); of
  // messages that come by a schedule only under their p50.
  std::optional<CaseFloor> floor;
  std::vector<RoleCostSummary> costs;  // in the order of the roles
  // Where a precision was asked for, and it was looked at.
  std::optional<PrecisionReached> precision;
};

// One figure of one launch. All need messages > 0 and span_ns > 0.
double ns_per_message(const Measurement& measurement);
double messages_per_second(const Measurement& measurement);
double bytes_per_second(const Measurement& measurement);
double cpu_ns_per_message(const Measurement& measurement);

// One per case with at least one launch, in the order of first launches. Throws std::invalid_argument on a
// histogram that does not decode.
std::vector<CaseSummary> summarize_cases(const ResultFile& results);

}  // namespace ipcmark
