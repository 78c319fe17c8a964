#include "harness/pairwise.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <numeric>
#include <queue>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "harness/shuffle.h"

namespace ipcmark {
namespace {

// Numbers the values of the columns from 0, so that a pair of two values is a place in a square table. A
// column with the same value in all rows is left out: who meets the values of the others meets them beside
// it.
class Values {
 public:
  using Number = std::uint16_t;  // the rows are gone through again and again

  explicit Values(std::span<const std::vector<unsigned>> rows) : columns_(columns_that_vary(rows)) {
    all_.reserve(rows.size() * columns_.size());
    for (const auto& row : rows) {
      for (const std::size_t column : columns_) {
        const std::size_t number = numbers_.try_emplace({column, row[column]}, numbers_.size()).first->second;
        if (number > std::numeric_limits<Number>::max())
          throw std::length_error("a cover of over 65,536 values");
        all_.push_back(static_cast<Number>(number));
      }
    }
  }
  std::size_t count() const { return numbers_.size(); }
  std::span<const Number> of(std::size_t row) const {
    return std::span(all_).subspan(row * columns_.size(), columns_.size());
  }

 private:
  // All of them where fewer than two do: a single value has no pair.
  static std::vector<std::size_t> columns_that_vary(std::span<const std::vector<unsigned>> rows) {
    const std::size_t count = rows.empty() ? 0 : rows.front().size();
    std::vector<std::size_t> columns;
    for (std::size_t column = 0; column < count; ++column) {
      const auto differs = [&](const auto& row) { return row[column] != rows.front()[column]; };
      if (std::ranges::any_of(rows, differs)) columns.push_back(column);
    }
    if (columns.size() < 2) {
      columns.resize(count);
      std::iota(columns.begin(), columns.end(), std::size_t{0});
    }
    return columns;
  }

  std::vector<std::size_t> columns_;
  std::map<std::pair<std::size_t, unsigned>, std::size_t> numbers_;
  std::vector<Number> all_;  // row after row
};

// Which pairs of values no row has brought yet.
class MissingPairs {
 public:
  explicit MissingPairs(const Values& values)
      : values_(values), count_(values.count()), is_missing_(count_ * count_, 1) {}

  std::size_t in(std::size_t row) const {
    std::size_t missing = 0;
    each_of(row, [&](std::size_t pair, std::size_t, std::size_t) { missing += is_missing_[pair]; });
    return missing;
  }
  void bring(std::size_t row) {
    each_of(row, [&](std::size_t pair, std::size_t, std::size_t) { is_missing_[pair] = 0; });
  }
  // As bring(), after having called VISIT(one value, other value) for each pair that was missing.
  template <class Visit>
  void bring(std::size_t row, Visit visit) {
    each_of(row, [&](std::size_t pair, std::size_t one, std::size_t other) {
      if (is_missing_[pair] != 0) visit(one, other);
      is_missing_[pair] = 0;
    });
  }

 private:
  template <class Visit>
  void each_of(std::size_t row, Visit visit) const {
    const std::span<const Values::Number> values = values_.of(row);
    for (std::size_t a = 0; a < values.size(); ++a) {
      const std::size_t line = values[a] * count_;
      for (std::size_t b = a + 1; b < values.size(); ++b) visit(line + values[b], values[a], values[b]);
    }
  }

  const Values& values_;
  std::size_t count_;
  std::vector<unsigned char> is_missing_;  // not bits: planning is looking pairs up
};

struct Candidate {
  std::size_t gain;  // pairs it adds; may have fallen since
  std::size_t draw;  // its place in the random order, which breaks ties
  std::size_t row;
  friend bool operator<(const Candidate& a, const Candidate& b) {
    return std::tie(a.gain, a.draw) < std::tie(b.gain, b.draw);
  }
};

}  // namespace

PairwiseCover pairwise_cover(std::span<const std::vector<unsigned>> rows, std::uint64_t seed,
                             const std::function<bool(std::size_t row)>& admissible) {
  const Values values(rows);
  MissingPairs missing(values);
  std::vector<bool> value_met(values.count());

  std::vector<std::size_t> order(rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  SplitMix64 random(seed);
  shuffle(std::span(order), random);

  PairwiseCover cover;
  std::vector<std::size_t> refused;
  std::priority_queue<Candidate> candidates;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (admissible(order[i])) {
      candidates.push({missing.in(order[i]), i, order[i]});
    } else {
      refused.push_back(order[i]);
    }
  }
  while (!candidates.empty()) {
    Candidate best = candidates.top();
    candidates.pop();
    const std::size_t gain = missing.in(best.row);
    if (gain == 0) continue;
    if (gain < best.gain) {  // a gain only ever falls, so the first that has not is the largest
      best.gain = gain;
      candidates.push(best);
    } else {
      cover.chosen.push_back(best.row);
      for (const Values::Number value : values.of(best.row)) value_met[value] = true;
      missing.bring(best.row);
    }
  }

  // Those that miss least come first: their reason is most likely about just that. A value that no row could
  // bring is told once, and not again with each value it could have met.
  std::vector<std::size_t> missed(rows.size());
  for (const std::size_t row : refused) missed[row] = missing.in(row);
  std::erase_if(refused, [&](std::size_t row) { return missed[row] == 0; });
  std::ranges::stable_sort(refused, {}, [&](std::size_t row) { return missed[row]; });
  std::vector<bool> value_told = value_met;
  for (const std::size_t row : refused) {
    bool tells = false;
    for (const Values::Number value : values.of(row)) {
      tells |= !value_told[value];
      value_told[value] = true;
    }
    missing.bring(row,
                  [&](std::size_t one, std::size_t other) { tells |= value_met[one] && value_met[other]; });
    if (tells) cover.refused.push_back(row);
  }
  return cover;
}

}  // namespace ipcmark
