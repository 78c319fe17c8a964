// What ci/accuracy asks of a ratio, and whether it got it.
#pragma once

#include <limits>
#include <optional>

namespace ipcmark::accuracy {

struct Estimate {
  double median, low, high;  // the 95 % interval, both ends counted
};

enum class Outcome { holds, does_not_hold, out_of_reach };

// The whole interval must lie between these.
struct Goal {
  double at_least = 0;
  double at_most = std::numeric_limits<double>::infinity();
};

// `limit`, where it is known, is the best ratio that anything could reach on this machine as it is just now:
// the highest for a goal that asks for at least so much, the lowest for one that allows at most so much. Out
// of reach is only what the limit's whole interval denies: in doubt it is the contestant that falls short.
inline Outcome judge(const Goal& goal, const Estimate& ratio, const std::optional<Estimate>& limit) {
  if (ratio.low >= goal.at_least && ratio.high <= goal.at_most) return Outcome::holds;
  const bool denied = limit && (limit->high < goal.at_least || limit->low > goal.at_most);
  return denied ? Outcome::out_of_reach : Outcome::does_not_hold;
}

}  // namespace ipcmark::accuracy
