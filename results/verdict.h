// What the launches of a case are worth together. A launch is judged where it is measured; this joins those
// verdicts with what only several launches can show.
#pragma once

#include <span>

#include "harness/judging.h"
#include "results/result_file.h"

namespace ipcmark {

// Invalid: any launch failed or is invalid itself, or most lost much of their time to others. Noisy: a bound
// is passed (harness/judging.h). Else ok. All reasons that apply are given, with their numbers; those that
// bound nothing too: launches too few for an interval, and a first launch that was unlike the others. A
// launch's time is that of a message; where messages come by a schedule it is their p50, or not known.
// Both spans belong to one case; `launches` is not empty.
Verdict judge_case(std::span<const LaunchRecord* const> launches,
                   std::span<const FailureRecord* const> failures);

}  // namespace ipcmark
