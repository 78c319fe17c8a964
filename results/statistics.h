// What is said about a handful of launches. Order statistics only: nothing here assumes a distribution.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace ipcmark {

struct Interval {
  double low = 0;
  double high = 0;
};

// One figure over the launches of a case, in the figure's own unit.
struct Statistic {
  double median = 0;
  std::optional<Interval> interval;  // of the median; nullopt under 6 launches
  double min = 0;
  double max = 0;
  std::size_t launches = 0;
};

// Middle value, or the mean of the two middle ones. Throws std::invalid_argument when empty.
double median(std::span<const double> values);

// The narrowest pair of order statistics [x(k), x(n+1-k)] that covers the population's median with at least
// that probability: 1 - 2 P(Binomial(n, 1/2) < k), exact for any continuous distribution. nullopt where even
// [min, max] covers less, at 95 % under 6 values. (David & Nagaraja, Order Statistics, 3rd ed., 7.1)
std::optional<Interval> median_interval(std::span<const double> values, double confidence = 0.95);

// (upper quartile - lower quartile) / median; quartiles by linear interpolation (Hyndman & Fan type 7,
// numpy's default). Throws std::invalid_argument when empty; 0 when the quartiles are equal.
double quartile_spread(std::span<const double> values);

// All of the above. Throws std::invalid_argument when empty.
Statistic summarize(std::span<const double> values);

}  // namespace ipcmark
