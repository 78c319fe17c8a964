#include "harness/pairwise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <set>
#include <tuple>

#include "harness/shuffle.h"

namespace ipcmark {
namespace {

using Row = std::vector<unsigned>;
using Pair = std::tuple<std::size_t, unsigned, std::size_t, unsigned>;

std::vector<Row> product(const std::vector<unsigned>& values) {
  std::vector<Row> rows{{}};
  for (const unsigned count : values) {
    std::vector<Row> longer;
    for (const Row& row : rows) {
      for (unsigned value = 0; value < count; ++value) {
        longer.push_back(row);
        longer.back().push_back(value);
      }
    }
    rows = std::move(longer);
  }
  return rows;
}

void add_pairs(const Row& row, std::set<Pair>& pairs) {
  for (std::size_t a = 0; a < row.size(); ++a) {
    for (std::size_t b = a + 1; b < row.size(); ++b) pairs.insert({a, row[a], b, row[b]});
  }
}

// All pairs of all admissible rows, and those of the chosen ones, by brute force.
void expect_every_admissible_pair(const std::vector<Row>& rows,
                                  const std::function<bool(const Row&)>& admissible,
                                  const PairwiseCover& cover) {
  std::set<Pair> wanted, met;
  for (const Row& row : rows) {
    if (admissible(row)) add_pairs(row, wanted);
  }
  for (const std::size_t chosen : cover.chosen) {
    EXPECT_TRUE(admissible(rows[chosen]));
    add_pairs(rows[chosen], met);
  }
  EXPECT_EQ(met, wanted);
}

PairwiseCover cover_of(const std::vector<Row>& rows, std::uint64_t seed,
                       const std::function<bool(const Row&)>& admissible) {
  return pairwise_cover(rows, seed, [&](std::size_t row) { return admissible(rows[row]); });
}

TEST(PairwiseCover, MeetsEveryPairWhenAllIsAdmissible) {
  const auto rows = product({4, 3, 3, 2, 5});
  const auto all = [](const Row&) { return true; };
  const PairwiseCover cover = cover_of(rows, 1, all);
  expect_every_admissible_pair(rows, all, cover);
  EXPECT_TRUE(cover.refused.empty());
}

TEST(PairwiseCover, MeetsEveryAdmissiblePairAndNoOther) {
  const auto rows = product({4, 3, 3, 2, 5});
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    SplitMix64 random(seed);
    // Forbidden combinations of two and of three values, drawn anew each time.
    std::array<unsigned, 5> at{};
    for (unsigned& value : at) value = static_cast<unsigned>(random.below(2));
    const auto admissible = [&at](const Row& row) {
      const bool two = row[0] == at[0] && row[4] == at[4] + 1;
      const bool three = row[1] == at[1] && row[2] == at[2] && row[3] == at[3];
      const bool value = row[0] == 3 && row[1] != 2;
      return !two && !three && !value;
    };
    expect_every_admissible_pair(rows, admissible, cover_of(rows, seed, admissible));
  }
}

TEST(PairwiseCover, MeetsThePairsOfColumnsThatNeverChangeToo) {
  for (const auto& shape : {std::vector<unsigned>{4, 1, 3, 1, 2}, {1, 3, 1}, {1, 1}}) {
    const auto rows = product(shape);
    for (const bool all : {true, false}) {
      const auto admissible = [&](const Row& row) { return all || row[0] + row[1] != 1; };
      expect_every_admissible_pair(rows, admissible, cover_of(rows, 11, admissible));
    }
  }
}

TEST(PairwiseCover, IsSmall) {
  const auto rows = product({12, 2, 5, 4, 3});  // 1440 rows; 12 x 5 pairs alone need 60
  const auto cover = cover_of(rows, 7, [](const Row&) { return true; });
  EXPECT_GE(cover.chosen.size(), 60u);
  EXPECT_LE(cover.chosen.size(), 80u);
}

TEST(PairwiseCover, TellsEachPairThatNothingBrings) {
  const auto rows = product({3, 3, 3});
  const auto admissible = [](const Row& row) { return !(row[0] == 1 && row[1] == 2); };
  const PairwiseCover cover = cover_of(rows, 3, admissible);
  ASSERT_EQ(cover.refused.size(), 1u);
  EXPECT_EQ(rows[cover.refused[0]][0], 1u);
  EXPECT_EQ(rows[cover.refused[0]][1], 2u);
}

TEST(PairwiseCover, TellsAValueThatNothingBringsOnce) {
  const auto rows = product({3, 3, 3});
  const auto admissible = [](const Row& row) { return row[2] != 1; };
  const PairwiseCover cover = cover_of(rows, 3, admissible);
  ASSERT_EQ(cover.refused.size(), 1u);
  EXPECT_EQ(rows[cover.refused[0]][2], 1u);
}

TEST(PairwiseCover, AsksForNoRowTwice) {
  const auto rows = product({4, 4, 4});
  std::multiset<std::size_t> asked;
  pairwise_cover(rows, 5, [&](std::size_t row) {
    asked.insert(row);
    return rows[row][0] != rows[row][1];
  });
  for (const std::size_t row : asked) EXPECT_EQ(asked.count(row), 1u);
}

TEST(PairwiseCover, IsDecidedByTheSeed) {
  const auto rows = product({4, 4, 4, 4});
  const auto all = [](const Row&) { return true; };
  EXPECT_EQ(cover_of(rows, 5, all).chosen, cover_of(rows, 5, all).chosen);
  EXPECT_NE(cover_of(rows, 5, all).chosen, cover_of(rows, 6, all).chosen);
}

TEST(PairwiseCover, OfNothingIsNothing) {
  const PairwiseCover cover = pairwise_cover({}, 1, [](std::size_t) { return true; });
  EXPECT_TRUE(cover.chosen.empty());
  EXPECT_TRUE(cover.refused.empty());
}

TEST(SplitMix64, GivesThePublishedSequence) {
  SplitMix64 random(1234567);  // reference values: prng.di.unimi.it/splitmix64.c
  EXPECT_EQ(random(), 6457827717110365317u);
  EXPECT_EQ(random(), 3203168211198807973u);
  EXPECT_EQ(random(), 9817491932198370423u);
}

TEST(SplitMix64, DrawsBelowItsBoundAndReachesAllOfIt) {
  SplitMix64 random(9);
  std::set<std::uint64_t> drawn;
  for (int i = 0; i < 1000; ++i) drawn.insert(random.below(7));
  EXPECT_EQ(drawn, (std::set<std::uint64_t>{0, 1, 2, 3, 4, 5, 6}));
}

TEST(Shuffle, ReachesEveryOrder) {
  std::set<std::vector<int>> orders;
  SplitMix64 random(1);
  for (int i = 0; i < 1000; ++i) {
    std::vector<int> values{1, 2, 3, 4};
    shuffle(std::span(values), random);
    orders.insert(values);
  }
  EXPECT_EQ(orders.size(), 24u);
}

}  // namespace
}  // namespace ipcmark
