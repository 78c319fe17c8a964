// What several readers ask of the launches of one case.
#pragma once

#include <span>
#include <vector>

#include "harness/histogram.h"
#include "results/result_file.h"

namespace ipcmark {

// Whether it keeps its processor while it waits, so that what it waits for comes by way of the cache.
inline bool spins(Wait wait) { return wait == Wait::spin || wait == Wait::yield || wait == Wait::adaptive; }

// Of the launches that measured it, in their order.
std::vector<double> cache_line_round_trips(std::span<const LaunchRecord* const> launches);

// The samples of all launches that have a distribution, together. Throws std::invalid_argument on one that
// does not decode.
Histogram pooled_histogram(std::span<const LaunchRecord* const> launches);

}  // namespace ipcmark
