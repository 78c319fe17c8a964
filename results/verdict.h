// What the launches of a case are worth together. A launch is judged where it is measured; this joins those
// verdicts with what only several launches can show.
#pragma once

#include <cstddef>
#include <span>

#include "results/result_file.h"

namespace ipcmark {

// Under 6 launches not even [min, max] covers the median with 95 % (results/statistics.h).
inline constexpr std::size_t launches_for_interval = 6;

// Quartiles of fewer values are interpolated from the extremes alone, and say nothing the range does not.
inline constexpr std::size_t launches_for_spread = 4;

// Quartile spread of ns per message over its median. For a normal sample the 95 % interval of a median of 6
// launches is about 3/4 of the quartile spread to each side: at 10 %, two cases closer than 15 % cannot be
// told apart.
inline constexpr double noisy_spread = 0.10;

// Quartiles break down when a quarter of the values is arbitrary; with more noisy launches than that the
// spread above proves nothing.
inline constexpr double noisy_launches = 0.25;

// Quartile spread of the cache-line round trip, for cases that spin across processors: their time is made of
// such round trips, so when those drift (as they do on virtual machines) the case measured the drift.
inline constexpr double noisy_cache_line_spread = 0.25;

// Invalid: any launch failed or is invalid itself. Noisy: one of the bounds above is passed. Else ok. All
// reasons that apply are given, with their numbers; under launches_for_interval that too is said, without
// lowering the grade. Both spans belong to one case; `launches` is not empty.
Verdict judge_case(std::span<const LaunchRecord* const> launches,
                   std::span<const FailureRecord* const> failures);

}  // namespace ipcmark
