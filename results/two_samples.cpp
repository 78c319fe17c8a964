#include "results/two_samples.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <random>
#include <stdexcept>
#include <utility>

namespace ipcmark {
namespace {

constexpr double significance = 0.05;  // of an interval of 95 %
constexpr double z_of_significance = 1.959963984540054;
constexpr std::size_t launches_for_bootstrap = 6;  // as for the interval of a median

std::vector<double> ascending(std::span<const double> values) {
  if (values.empty()) throw std::invalid_argument("a comparison with no values");
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

// Ranks of all values, doubled so that the mean rank of ties is a whole number.
struct DoubledRanks {
  std::vector<std::size_t> ranks;  // ascending
  std::size_t sum_of_base = 0;
  double tie_sum = 0;  // of t^3 - t over groups of t equal values
};

DoubledRanks doubled_ranks(std::span<const double> base, std::span<const double> now) {
  struct Value {
    double value;
    bool is_base;
  };
  std::vector<Value> all;
  for (const double value : base) all.push_back({value, true});
  for (const double value : now) all.push_back({value, false});
  std::ranges::sort(all, {}, &Value::value);
  DoubledRanks result;
  for (std::size_t from = 0, to; from < all.size(); from = to) {
    for (to = from; to < all.size() && all[to].value == all[from].value; ++to) {
    }
    const double ties = static_cast<double>(to - from);
    result.tie_sum += ties * ties * ties - ties;
    for (std::size_t i = from; i < to; ++i) {
      result.ranks.push_back(from + 1 + to);
      if (all[i].is_base) result.sum_of_base += result.ranks.back();
    }
  }
  return result;
}

// How many ways there are to choose m of m + n values without ties so that U is 0, 1 ... m n: the
// coefficients of the Gaussian binomial, the product over i of (1 - q^(n+i)) / (1 - q^i). Whole numbers that
// a double holds exactly for as many values as are counted out here.
std::vector<double> ways_of_u(std::size_t m, std::size_t n) {
  std::vector<double> ways(m * n + 1);
  ways[0] = 1;
  for (std::size_t i = 1; i <= m; ++i) {
    for (std::size_t u = ways.size(); u-- > n + i;) ways[u] -= ways[u - n - i];
    for (std::size_t u = i; u < ways.size(); ++u) ways[u] += ways[u - i];
  }
  return ways;
}

// How many ways there are to choose m of the ranks with each sum.
std::vector<double> ways_of_sum(const std::vector<std::size_t>& ranks, std::size_t m) {
  const std::size_t greatest =
      std::accumulate(ranks.end() - static_cast<std::ptrdiff_t>(m), ranks.end(), std::size_t{0});
  std::vector<std::vector<double>> ways(m + 1, std::vector<double>(greatest + 1));
  ways[0][0] = 1;
  for (const std::size_t rank : ranks) {
    for (std::size_t chosen = m; chosen > 0; --chosen) {
      for (std::size_t sum = rank; sum <= greatest; ++sum) ways[chosen][sum] += ways[chosen - 1][sum - rank];
    }
  }
  return ways[m];
}

// Of a statistic that takes the value i in ways[i] of all equally likely ways.
double two_sided(const std::vector<double>& ways, std::size_t seen) {
  const auto at = ways.begin() + static_cast<std::ptrdiff_t>(seen);
  const double all = std::accumulate(ways.begin(), ways.end(), 0.0);
  const double at_most = std::accumulate(ways.begin(), at + 1, 0.0);
  const double at_least = std::accumulate(at, ways.end(), 0.0);
  return std::min(1.0, 2 * std::min(at_most, at_least) / all);
}

// Of the differences in order, the place k (from 1) where the interval begins; it ends at the k-th from
// above. 0: even all of them cover less than 95 %.
std::size_t interval_begin(std::size_t m, std::size_t n) {
  if (m + n <= exact_up_to_values) {
    const std::vector<double> ways = ways_of_u(m, n);
    const double allowed = significance / 2 * std::accumulate(ways.begin(), ways.end(), 0.0);
    std::size_t k = 0;
    for (double under = ways[0]; under <= allowed; under += ways[k]) ++k;
    return k;
  }
  const double product = static_cast<double>(m) * static_cast<double>(n);
  const double deviation = std::sqrt(product * static_cast<double>(m + n + 1) / 12);
  return static_cast<std::size_t>(std::max(0.0, product / 2 - z_of_significance * deviation + 0.5));
}

// Doubles and whole numbers in one order, so that halving a range of them ends.
std::int64_t ordinal(double value) {
  const auto bits = std::bit_cast<std::int64_t>(value);
  return bits < 0 ? std::numeric_limits<std::int64_t>::min() - bits : bits;
}
double from_ordinal(std::int64_t ordinal) {
  return std::bit_cast<double>(ordinal < 0 ? std::numeric_limits<std::int64_t>::min() - ordinal : ordinal);
}

// The k-th smallest (from 1) of all now - base, without making them: how many do not exceed a bound is
// counted along both samples at once, and the bound is halved in on.
double kth_difference(const std::vector<double>& base, const std::vector<double>& now, std::size_t k) {
  const auto reaches = [&](double bound) {
    std::size_t count = 0, refused = 0;  // the first `refused` of base are too far below now's value
    for (const double value : now) {
      while (refused < base.size() && value - base[refused] > bound) ++refused;
      count += base.size() - refused;
    }
    return count >= k;
  };
  std::int64_t low = ordinal(now.front() - base.back()), high = ordinal(now.back() - base.front());
  while (low < high) {
    const std::int64_t middle = std::midpoint(low, high);
    if (reaches(from_ordinal(middle))) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return from_ordinal(high);
}

// Medians of resamples of a sample. The median of n values drawn with repetition is the value at the middle
// of n uniform ranks, or the mean of two; such an order statistic is a quotient of sums of exponential
// variables, so no resample need be made. (David & Nagaraja, Order Statistics, 3rd ed., 2.3 and 2.5)
class MedianResampler {
 public:
  explicit MedianResampler(std::vector<double> ascending_values)
      : values_(std::move(ascending_values)),
        below_(static_cast<double>((values_.size() + 1) / 2)),
        above_(static_cast<double>(values_.size() / 2 + (values_.size() % 2))) {}

  double operator()(std::mt19937_64& random) {
    const double below = below_(random), above = above_(random);
    if (values_.size() % 2 == 1) return at(below / (below + above));
    const double between = -std::log1p(-uniform_(random));
    const double all = below + between + above;
    return (at(below / all) + at((below + between) / all)) / 2;
  }

 private:
  double at(double share) const {
    const auto rank = static_cast<std::size_t>(share * static_cast<double>(values_.size()));
    return values_[std::min(rank, values_.size() - 1)];
  }

  std::vector<double> values_;
  std::gamma_distribution<double> below_, above_;
  std::uniform_real_distribution<double> uniform_;
};

// Indexes of the p-values from the least to the greatest.
std::vector<std::size_t> from_least(std::span<const double> p_values) {
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return p_values[i]; });
  return order;
}

}  // namespace

double mann_whitney_p(std::span<const double> base, std::span<const double> now) {
  if (base.empty() || now.empty()) throw std::invalid_argument("a comparison with no values");
  const DoubledRanks ranked = doubled_ranks(base, now);
  const std::size_t m = base.size(), n = now.size(), all = m + n;
  if (all <= exact_up_to_values) {
    const bool ties = ranked.tie_sum > 0;
    if (!ties) return two_sided(ways_of_u(m, n), (ranked.sum_of_base - m * (m + 1)) / 2);
    return two_sided(ways_of_sum(ranked.ranks, m), ranked.sum_of_base);
  }
  const double product = static_cast<double>(m) * static_cast<double>(n), values = static_cast<double>(all);
  const double variance = product / 12 * (values + 1 - ranked.tie_sum / (values * (values - 1)));
  if (variance <= 0) return 1;
  const double u = (static_cast<double>(ranked.sum_of_base) - static_cast<double>(m * (m + 1))) / 2;
  const double distance = std::max(0.0, std::abs(u - product / 2) - 0.5);
  return std::min(1.0, std::erfc(distance / std::sqrt(2 * variance)));
}

Estimate hodges_lehmann(std::span<const double> base, std::span<const double> now) {
  const std::vector<double> x = ascending(base), y = ascending(now);
  if (!std::isfinite(x.front()) || !std::isfinite(x.back()) || !std::isfinite(y.front()) ||
      !std::isfinite(y.back())) {
    throw std::invalid_argument("a comparison of values that are not finite");
  }
  const std::size_t pairs = x.size() * y.size();
  Estimate estimate;
  estimate.value = std::midpoint(kth_difference(x, y, (pairs + 1) / 2), kth_difference(x, y, pairs / 2 + 1));
  if (const std::size_t k = interval_begin(x.size(), y.size()); k > 0) {
    estimate.interval = {kth_difference(x, y, k), kth_difference(x, y, pairs + 1 - k)};
  }
  return estimate;
}

Estimate ratio_of_medians(std::span<const double> base, std::span<const double> now, std::uint64_t seed,
                          std::size_t resamples) {
  const double base_median = median(base), now_median = median(now);
  if (!(base_median > 0 && now_median > 0))
    throw std::invalid_argument("a ratio of medians that are not over 0");
  Estimate estimate{now_median / base_median, {}};
  if (std::min(base.size(), now.size()) < launches_for_bootstrap) return estimate;
  std::mt19937_64 random(seed);
  MedianResampler base_again(ascending(base)), now_again(ascending(now));
  std::vector<double> ratios(resamples);
  for (double& ratio : ratios) {
    const double below = base_again(random);
    ratio = now_again(random) / below;
  }
  std::ranges::sort(ratios);
  const auto cut = static_cast<std::size_t>(significance / 2 * static_cast<double>(resamples));
  estimate.interval = {ratios[cut], ratios[resamples - 1 - cut]};
  return estimate;
}

std::vector<double> holm(std::span<const double> p_values) {
  std::vector<double> corrected(p_values.size());
  double greatest = 0;
  std::size_t left = p_values.size();
  for (const std::size_t i : from_least(p_values)) {
    greatest = std::max(greatest, p_values[i] * static_cast<double>(left--));
    corrected[i] = std::min(1.0, greatest);
  }
  return corrected;
}

std::vector<double> benjamini_hochberg(std::span<const double> p_values) {
  std::vector<double> corrected(p_values.size());
  const std::vector<std::size_t> order = from_least(p_values);
  double least = 1;
  for (std::size_t place = order.size(); place > 0; --place) {
    const std::size_t i = order[place - 1];
    least = std::min(least, p_values[i] * static_cast<double>(order.size()) / static_cast<double>(place));
    corrected[i] = least;
  }
  return corrected;
}

double least_p(std::size_t base_launches, std::size_t now_launches) {
  std::vector<double> base(base_launches), now(now_launches);
  std::iota(base.begin(), base.end(), 0.0);
  std::iota(now.begin(), now.end(), static_cast<double>(base_launches));
  return mann_whitney_p(base, now);
}

std::size_t launches_to_reach(double level) {
  std::size_t n = 1;
  // 2 / C(2n, n), the chance that all launches of one side lie above all of the other.
  for (double least_p = 1; least_p >= level; ++n) {
    least_p *= static_cast<double>(n + 1) / (2 * (2 * static_cast<double>(n) + 1));
  }
  return n;
}

}  // namespace ipcmark
