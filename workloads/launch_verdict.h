// What a single launch is worth, judged by what the kernel says of its roles and of their processors. Bounds:
// harness/judging.h; what only several launches can show is judged in results/verdict.h.
#pragma once

#include "harness/judging.h"
#include "harness/measurement.h"

namespace ipcmark {

// Invalid: a role did not run where it was pinned, or was stopped. Noisy: a bound is passed, a processor was
// slowed down for its temperature, or pages came from a disk. All reasons that apply are given.
Verdict judge_launch(const Case& benchmark_case, const Measurement& measurement);

}  // namespace ipcmark
