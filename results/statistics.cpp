#include "results/statistics.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>
#include <vector>

namespace ipcmark {
namespace {

std::vector<double> sorted(std::span<const double> values) {
  if (values.empty()) throw std::invalid_argument("a statistic of no values");
  std::vector<double> copy(values.begin(), values.end());
  std::sort(copy.begin(), copy.end());
  return copy;
}

double quantile(const std::vector<double>& ascending, double p) {
  const double position = p * static_cast<double>(ascending.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const auto above = std::min(below + 1, ascending.size() - 1);
  return std::lerp(ascending[below], ascending[above], position - std::floor(position));
}

// P(Binomial(n, 1/2) = i), by logarithms so that no n underflows.
double coin_probability(std::size_t n, std::size_t i) {
  const auto log_factorial = [](std::size_t k) { return std::lgamma(static_cast<double>(k) + 1); };
  return std::exp(log_factorial(n) - log_factorial(i) - log_factorial(n - i) -
                  static_cast<double>(n) * std::numbers::ln2);
}

}  // namespace

double median(std::span<const double> values) { return quantile(sorted(values), 0.5); }

std::optional<Interval> median_interval(std::span<const double> values, double confidence) {
  const std::size_t n = values.size();
  std::size_t k = 0;
  for (double below = coin_probability(n, 0); k < n / 2 && 1 - 2 * below >= confidence;) {
    ++k;
    below += coin_probability(n, k);
  }
  if (k == 0) return {};
  const std::vector<double> ascending = sorted(values);
  return Interval{ascending[k - 1], ascending[n - k]};
}

double quartile_spread(std::span<const double> values) {
  const std::vector<double> ascending = sorted(values);
  const double width = quantile(ascending, 0.75) - quantile(ascending, 0.25);
  return width == 0 ? 0 : width / quantile(ascending, 0.5);
}

Statistic summarize(std::span<const double> values) {
  const std::vector<double> ascending = sorted(values);
  return {quantile(ascending, 0.5), median_interval(ascending), ascending.front(), ascending.back(),
          ascending.size()};
}

}  // namespace ipcmark
