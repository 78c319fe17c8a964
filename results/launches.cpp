#include "results/launches.h"

#include <stdexcept>

namespace ipcmark {

std::vector<double> cache_line_round_trips(std::span<const LaunchRecord* const> launches) {
  std::vector<double> values;
  for (const LaunchRecord* launch : launches) {
    if (launch->measurement.cache_line_round_trip_ns > 0)
      values.push_back(launch->measurement.cache_line_round_trip_ns);
  }
  return values;
}

Histogram pooled_histogram(std::span<const LaunchRecord* const> launches) {
  Histogram all;
  for (const LaunchRecord* launch : launches) {
    if (!launch->measurement.distribution) continue;
    const auto histogram = Histogram::decode(launch->measurement.distribution->histogram);
    if (!histogram)
      throw std::invalid_argument("a launch of " + case_id(launch->benchmark_case) +
                                  " holds no histogram that can be read");
    all.merge(*histogram);
  }
  return all;
}

}  // namespace ipcmark
