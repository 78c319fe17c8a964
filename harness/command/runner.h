// Runs a plan: every case verified once, then rounds of launches in random order, each kept in the journal as
// it ends.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "harness/command/workbench.h"
#include "harness/plan.h"
#include "results/result_file.h"

namespace ipcmark {

struct RunSettings {
  std::string output;  // the result file
  bool resume = false;
  std::optional<std::uint64_t> time_limit_ns;
  std::optional<std::string> on_start, on_end;  // harness/command/hooks.h
  std::vector<NamedValue> context;              // --benchmark_context
  std::vector<std::string> command_line;
};

// What a console wants to know while the run goes on.
struct RunProgress {
  std::string_view stage;  // "verifying" | "round 2 of 6"
  std::size_t launches_done = 0;
  std::size_t launches_planned = 0;
  double elapsed_s = 0;
  double remaining_s = 0;  // from the launches so far; the plan's estimate before any
  std::string_view case_id;
};

using ProgressListener = std::function<void(const RunProgress&)>;
// Something a person should hear of at once: a case that failed, a limit that was reached.
using WarningListener = std::function<void(const std::string&)>;

// The result file is written even when a person or the time limit ends the run; `complete` tells. Failed
// launches and cases that turn out to be unsupported are in the result, not thrown. Throws what Journal does
// when the output cannot be written or --resume does not fit.
ResultFile run_plan(const Plan& plan, const RunSettings& settings, Workbench& workbench,
                    const ProgressListener& progress, const WarningListener& warn);

// hwloc logical indexes.
struct PusInUse {
  std::vector<int> pus;
  std::vector<std::pair<int, int>> pairs;
};

// This machine with its clock and floors, measured now: a fraction of a second, and up to three seconds more
// for the floors of many PUs. The clock's order is looked at between the first and the last PU and between
// all pairs in use.
Machine examine_machine(const Topology& topology, const std::vector<std::uint64_t>& message_sizes,
                        const PusInUse& in_use);

}  // namespace ipcmark
