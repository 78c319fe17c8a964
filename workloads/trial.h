// One trial: one case launched once, measured and judged.
#pragma once

#include <functional>
#include <variant>

#include "harness/launch.h"
#include "harness/measurement.h"
#include "harness/placement.h"
#include "workloads/registry.h"

namespace ipcmark {

struct TrialContext {
  const Topology& topology;
  const Isolation& isolation;  // as probed for the case's limits
  int interrupt_fd = -1;       // readable = give up
  // As LaunchSpec::at_edge, of timed launches alone; also told the processors that the roles use (OS
  // indexes).
  std::function<void(TimedEdge edge, const std::vector<pid_t>& roles, const std::vector<int>& os_processors)>
      at_edge = {};
};

using TrialOutcome = std::variant<Measurement, LaunchFailure>;

// Runs the case in processes of its own on `role_pus` (one list per role; empty lists pin nothing). Lost,
// duplicated, reordered or corrupted messages are a failure, unless the transport's facts say lossy and some
// were merely lost. Throws std::out_of_range when transport or workload are not registered, std::system_error
// as launch() does.
TrialOutcome run_trial(const Case& benchmark_case, const std::vector<std::vector<int>>& role_pus,
                       const TrialOptions& options, const TrialContext& context);

// What a message of the case costs besides time. Each takes a launch of some tens of milliseconds, which is
// not timed; the notes tell what could not be had. Throw as run_trial().
void count_hardware_events(const Case& benchmark_case, const std::vector<std::vector<int>>& role_pus,
                           const TrialContext& context, CostExamination& found);
void trace_system_calls(const Case& benchmark_case, const std::vector<std::vector<int>>& role_pus,
                        const TrialContext& context, CostExamination& found);

// What the case's link holds, probed by two unpinned roles; sizes and limits as in the case, waits do not
// matter. `note` tells what could not be found.
CapacityFacts probe_capacity(const Case& benchmark_case, const TrialContext& context);

// For each case the reason why its link cannot be made on this machine, or an empty string. All are tried in
// one child under the context's isolation, so the cases must agree in their limits. Throws std::system_error.
std::vector<std::string> why_not_buildable(const std::vector<Case>& cases, const TrialContext& context);

}  // namespace ipcmark
