// What workloads do about links whose sender never waits: no phase is so long that its backlog could pass the
// limit, and the most that lay in the link is told; and what else a sender has to tell once it has finished.
#pragma once

#include <algorithm>
#include <vector>

#include "harness/contract.h"
#include "harness/launch.h"
#include "harness/measurement.h"
#include "workloads/timed_work.h"

namespace ipcmark {

// A phase takes at most half of what the link can hold, and begins when the link is empty.
template <class Sender>
TrialOptions within_backlog(TrialOptions options, const Sender& sender) {
  if constexpr (ReportsBacklog<Sender>) {
    options.most_messages = std::max<std::uint64_t>(1, sender.most_messages() / 2);
  }
  return options;
}

// Positions of the sender's figures on its RoleBoard.
struct BacklogFigures {
  static constexpr unsigned messages = 0, bytes = 1;
};

// Once the sender has finished.
template <class Sender>
void keep_what_it_tells(Role& role, Sender& sender) {
  if constexpr (ReportsBacklog<Sender>) {
    const Backlog peak = sender.peak_backlog();
    role.board().figures[BacklogFigures::messages] = peak.messages;
    role.board().figures[BacklogFigures::bytes] = peak.bytes;
  }
  if constexpr (ReportsFigures<Sender>) role.keep_figures(sender.figures());
}

inline void observe_backlog(const Case& benchmark_case, const RoleBoard& sender,
                            std::vector<Observation>& observations) {
  if (benchmark_case.capacity.kind != Capacity::Kind::unbounded) return;
  observations.push_back(
      {"peak_backlog", "messages", static_cast<double>(sender.figures[BacklogFigures::messages])});
  observations.push_back(
      {"peak_backlog_memory", "bytes", static_cast<double>(sender.figures[BacklogFigures::bytes])});
}

}  // namespace ipcmark
