#include "harness/pairwise.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <queue>
#include <tuple>

#include "harness/shuffle.h"

namespace ipcmark {
namespace {

// What a row meets: its values, and its pairs of two values; both numbered from 0 over all rows.
struct Met {
  struct Pair {
    std::size_t number;
    std::size_t first, second;  // the two values
  };
  std::vector<std::size_t> values;
  std::vector<Pair> pairs;
};

class Numbering {
 public:
  Met of(const std::vector<unsigned>& row) {
    Met met;
    for (std::size_t column = 0; column < row.size(); ++column) {
      met.values.push_back(values_.try_emplace({column, row[column]}, values_.size()).first->second);
    }
    for (std::size_t a = 0; a < row.size(); ++a) {
      for (std::size_t b = a + 1; b < row.size(); ++b) {
        const std::pair key{met.values[a], met.values[b]};
        met.pairs.push_back({pairs_.try_emplace(key, pairs_.size()).first->second, key.first, key.second});
      }
    }
    return met;
  }
  std::size_t values() const { return values_.size(); }
  std::size_t pairs() const { return pairs_.size(); }

 private:
  std::map<std::pair<std::size_t, unsigned>, std::size_t> values_;
  std::map<std::pair<std::size_t, std::size_t>, std::size_t> pairs_;
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
  Numbering numbering;
  std::vector<Met> met;
  for (const auto& row : rows) met.push_back(numbering.of(row));
  std::vector<bool> pair_met(numbering.pairs());
  std::vector<bool> value_met(numbering.values());
  const auto missing_in = [&](std::size_t row) {
    return std::ranges::count_if(met[row].pairs,
                                 [&](const Met::Pair& pair) { return !pair_met[pair.number]; });
  };

  std::vector<std::size_t> order(rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  SplitMix64 random(seed);
  shuffle(std::span(order), random);

  PairwiseCover cover;
  std::vector<std::size_t> refused;
  std::priority_queue<Candidate> candidates;
  for (std::size_t i = 0; i < order.size(); ++i) candidates.push({met[order[i]].pairs.size(), i, order[i]});
  while (!candidates.empty()) {
    Candidate best = candidates.top();
    candidates.pop();
    const auto gain = static_cast<std::size_t>(missing_in(best.row));
    if (gain == 0) continue;
    if (gain < best.gain) {  // a gain only ever falls, so the first that has not is the largest
      best.gain = gain;
      candidates.push(best);
    } else if (admissible(best.row)) {
      cover.chosen.push_back(best.row);
      for (const std::size_t value : met[best.row].values) value_met[value] = true;
      for (const Met::Pair& pair : met[best.row].pairs) pair_met[pair.number] = true;
    } else {
      refused.push_back(best.row);
    }
  }

  // Those that miss least come first: their reason is most likely about just that. A value that no row could
  // bring is told once, and not again with each value it could have met.
  std::ranges::stable_sort(refused, {}, missing_in);
  std::vector<bool> value_told = value_met;
  for (const std::size_t row : refused) {
    bool tells = false;
    for (const std::size_t value : met[row].values) {
      tells |= !value_told[value];
      value_told[value] = true;
    }
    for (const Met::Pair& pair : met[row].pairs) {
      tells |= !pair_met[pair.number] && value_met[pair.first] && value_met[pair.second];
      pair_met[pair.number] = true;
    }
    if (tells) cover.refused.push_back(row);
  }
  return cover;
}

}  // namespace ipcmark
