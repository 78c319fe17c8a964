// A small selection of a grid's cases that still meets every pair of parameter values. Most faults need no
// more than two values to meet (Kuhn, Wallace, Gallo: Software Fault Interactions, IEEE TSE 30(6), 2004).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace ipcmark {

struct PairwiseCover {
  std::vector<std::size_t>
      chosen;  // rows, in the order they were chosen: those that meet most new pairs first
  // Refused rows, one for each value that no admissible row has, and one for each pair of other values that
  // no admissible row has: what the cover leaves out, and where to read why.
  std::vector<std::size_t> refused;
};

// Each row is one combination: the number of its value in every parameter (column). All rows are of the same
// length, at least two. Every pair of values in two columns that some admissible row has is in a chosen row.
// `admissible` is asked once for each row. Greedy, so near the smallest cover and not always it; the
// same seed gives the same cover.
PairwiseCover pairwise_cover(std::span<const std::vector<unsigned>> rows, std::uint64_t seed,
                             const std::function<bool(std::size_t row)>& admissible);

}  // namespace ipcmark
