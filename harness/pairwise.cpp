#include "harness/pairwise.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <queue>
#include <tuple>

#include "harness/shuffle.h"

namespace ipcmark {
namespace {

// Numbers the values of the columns from 0, so that a pair of two values is a place in a square table. A column with the
// same value in all rows is left out: who meets the values of the others meets them beside it.
class Values {
 public:
  explicit Values(std::span<const std::vector<unsigned>> rows) {
    const std::vector<std::size_t> columns = columns_that_vary(rows);
    for (const auto& row : rows) {
      for (const std::size_t column : columns) {
        all_.push_back(numbers_.try_emplace({column, row[column]}, numbers_.size()).first->second);
      }
      ends_.push_back(all_.size());
    }
  }
  std::size_t count() const { return numbers_.size(); }
  std::span<const std::size_t> of(std::size_t row) const {
    const std::size_t begin = row == 0 ? 0 : ends_[row - 1];
    return std::span(all_).subspan(begin, ends_[row] - begin);
  }

  // Calls VISIT(place of the pair, one value, other value) for every pair of values in a row.
  template <class Visit>
  void each_pair_of(std::size_t row, Visit visit) const {
    const std::span<const std::size_t> values = of(row);
    for (std::size_t a = 0; a < values.size(); ++a) {
      for (std::size_t b = a + 1; b < values.size(); ++b) {
        visit(values[a] * count() + values[b], values[a], values[b]);
      }
    }
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

  std::map<std::pair<std::size_t, unsigned>, std::size_t> numbers_;
  std::vector<std::size_t> all_;   // row after row
  std::vector<std::size_t> ends_;  // of the rows
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
  // Not bits: planning is looking pairs up.
  std::vector<unsigned char> pair_met(values.count() * values.count());
  std::vector<bool> value_met(values.count());
  const auto missing_in = [&](std::size_t row) {
    std::size_t missing = 0;
    values.each_pair_of(row, [&](std::size_t pair, std::size_t, std::size_t) { missing += !pair_met[pair]; });
    return missing;
  };

  std::vector<std::size_t> order(rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  SplitMix64 random(seed);
  shuffle(std::span(order), random);

  PairwiseCover cover;
  std::vector<std::size_t> refused;
  std::priority_queue<Candidate> candidates;
  for (std::size_t i = 0; i < order.size(); ++i) candidates.push({missing_in(order[i]), i, order[i]});
  while (!candidates.empty()) {
    Candidate best = candidates.top();
    candidates.pop();
    const std::size_t gain = missing_in(best.row);
    if (gain == 0) continue;
    if (gain < best.gain) {  // a gain only ever falls, so the first that has not is the largest
      best.gain = gain;
      candidates.push(best);
    } else if (admissible(best.row)) {
      cover.chosen.push_back(best.row);
      for (const std::size_t value : values.of(best.row)) value_met[value] = true;
      values.each_pair_of(best.row,
                          [&](std::size_t pair, std::size_t, std::size_t) { pair_met[pair] = true; });
    } else {
      refused.push_back(best.row);
    }
  }

  // Those that miss least come first: their reason is most likely about just that. A value that no row could
  // bring is told once, and not again with each value it could have met.
  std::vector<std::size_t> missing(rows.size());
  for (const std::size_t row : refused) missing[row] = missing_in(row);
  std::ranges::stable_sort(refused, {}, [&](std::size_t row) { return missing[row]; });
  std::vector<bool> value_told = value_met;
  for (const std::size_t row : refused) {
    bool tells = false;
    for (const std::size_t value : values.of(row)) {
      tells |= !value_told[value];
      value_told[value] = true;
    }
    values.each_pair_of(row, [&](std::size_t pair, std::size_t one, std::size_t other) {
      tells |= !pair_met[pair] && value_met[one] && value_met[other];
      pair_met[pair] = true;
    });
    if (tells) cover.refused.push_back(row);
  }
  return cover;
}

}  // namespace ipcmark
