// Whether two handfuls of launches differ, and by how much. Rank statistics: nothing here assumes a
// distribution. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "results/statistics.h"

namespace ipcmark {

// Up to this many values of both samples together ranks are counted out; above, the normal approximation is
// good enough for samples of like sizes, and for a very small one beside a large one too careful: for 2 and
// 100 that lie apart it says .016, where it is .0004.
inline constexpr std::size_t exact_up_to_values = 40;

// Two-sided p-value of the Mann-Whitney U test: the chance that launches dealt at random into samples of
// these sizes lie at least as far apart. Exact, with ties at their mean rank, up to exact_up_to_values; else
// the normal approximation with corrections for ties and for continuity. Throws std::invalid_argument when a
// sample is empty. (Hollander, Wolfe & Chicken, Nonparametric Statistical Methods, 3rd ed., 4.1)
double mann_whitney_p(std::span<const double> base, std::span<const double> now);

struct Estimate {
  double value = 0;
  std::optional<Interval> interval;  // 95 %; nullopt where the samples are too small for one
};

// By how much `now` lies above `base`: the median of all differences between one value of each
// (Hodges-Lehmann), with the interval of the differences that the test above does not refuse. Exact as long
// as no two values are equal. Takes time in proportion to the sum of the sizes, not to their product.
// Throws std::invalid_argument when a sample is empty or a value is not finite. (Hollander, Wolfe & Chicken,
// 4.2 and 4.3)
Estimate hodges_lehmann(std::span<const double> base, std::span<const double> now);

// median(now) / median(base), for positive samples that are not of one population, as those of two machines.
// The interval is the percentile bootstrap's over `resamples` drawn from `seed`; nullopt under 6 values in
// either sample, as for a median alone. Throws std::invalid_argument when a sample is empty or its median is
// not over 0. (Efron & Tibshirani, An Introduction to the Bootstrap, 13.3)
Estimate ratio_of_medians(std::span<const double> base, std::span<const double> now, std::uint64_t seed,
                          std::size_t resamples = 4000);

// Corrected for how many were asked, in the order given; each at least the p-value it came from. Refusing
// what is under a level after Holm keeps the chance of even one false alarm under that level; after
// Benjamini-Hochberg the share of false alarms among all alarms. (Holm 1979; Benjamini & Hochberg 1995)
std::vector<double> holm(std::span<const double> p_values);
std::vector<double> benjamini_hochberg(std::span<const double> p_values);

// The least p-value that mann_whitney_p can have for samples of these sizes: when they lie apart. Neither is
// 0.
double least_p(std::size_t base_launches, std::size_t now_launches);

// The fewest launches on each side with which mann_whitney_p can come under `level` at all.
std::size_t launches_to_reach(double level);

}  // namespace ipcmark
