// What a single launch is worth, judged by what the kernel says of its roles. The thresholds stand here and
// nowhere else; what only several launches can show is judged in results/verdict.h.
#pragma once

#include "harness/measurement.h"

namespace ipcmark {

// Share of the timed span that a role which has its processor for itself spent runnable but not running.
// Somebody else had the processor; above this share the figure is partly theirs.
inline constexpr double noisy_run_delay_share = 0.02;

// A timed part shorter than this is made of its edges: the first faults, the last wake-up.
inline constexpr double noisy_span_ns = 1e6;

// Invalid: a role did not run where it was pinned. Noisy: a threshold above is passed, or pages came from a
// disk.
Verdict judge_launch(const Case& benchmark_case, const Measurement& measurement);

}  // namespace ipcmark
