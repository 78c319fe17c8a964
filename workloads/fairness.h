// How equally several of a kind fared.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "harness/measurement.h"

namespace ipcmark {

// Of shares or rates, none negative: 1 when all are equal, 1 / n when one has everything, 0 when there is
// nothing (Jain, Chiu and Hawe, "A Quantitative Measure of Fairness and Discrimination", DEC-TR-301, 1984).
inline double jain_index(std::span<const double> values) {
  double sum = 0, squares = 0;
  for (const double value : values) {
    sum += value;
    squares += value * value;
  }
  return squares > 0 ? sum * sum / (static_cast<double>(values.size()) * squares) : 0;
}

// slowest_`kind`, fastest_`kind` and jain_index, of at least one rate.
inline void observe_rates(std::string_view kind, std::span<const double> messages_per_second,
                          std::vector<Observation>& observations) {
  const auto [slowest, fastest] = std::ranges::minmax(messages_per_second);
  observations.push_back({"slowest_" + std::string(kind), "messages_per_second", slowest});
  observations.push_back({"fastest_" + std::string(kind), "messages_per_second", fastest});
  observations.push_back({"jain_index", "ratio", jain_index(messages_per_second)});
}

}  // namespace ipcmark
