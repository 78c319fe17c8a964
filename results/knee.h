// The knee of a load curve: how much load a transport bears before its response times leave a bound.
#pragma once

#include <span>
#include <vector>

#include "results/summary.h"

namespace ipcmark {

struct Knee {
  const CaseSummary* lightest;  // the case of the curve with the lowest load: never null
  // The one with the highest load whose p99 response time is under the bound; null where none is.
  const CaseSummary* knee;
  bool is_known;  // false: no valid case of the curve has a p99, so that none is under the bound says nothing
};

// One for each curve: cases with a bound that differ in their rates alone. The load is the offered rate as a
// share of the saturation that the same launches saw, since saturation wanders from case to case; cases that
// are invalid, and percentiles withheld for want of samples, are no evidence. In the order of the curves'
// first cases; the pointers are into `summaries`.
std::vector<Knee> find_knees(std::span<const CaseSummary> summaries);

// The median over launches; 0 when it was not observed.
double offered_per_second(const CaseSummary& summary);

}  // namespace ipcmark
