#include "harness/floors.h"

#include <gtest/gtest.h>

#include <array>

#include "harness/allowed_pus.h"

namespace ipcmark {
namespace {

TEST(Floors, EveryFloorIsMeasuredForEverySize) {
  constexpr std::array<std::uint64_t, 4> sizes{1, 64, 100, 1 << 20};
  const Floors floors = measure_floors(sizes);
  EXPECT_GT(floors.clock_read_ns, 0);
  EXPECT_GT(floors.system_call_ns, 0);
  ASSERT_EQ(floors.touch.size(), sizes.size());
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    EXPECT_EQ(floors.touch[i].message_bytes, sizes[i]);
    EXPECT_GT(floors.touch[i].write_ns, 0);
    EXPECT_GT(floors.touch[i].read_ns, 0);
    EXPECT_GT(floors.touch[i].memcpy_ns, 0);
  }
}

TEST(Floors, OfAPuAndOfAPairAreAllMeasured) {
  const auto [first, last] = first_and_last_allowed_pu();
  constexpr std::array<std::uint64_t, 2> sizes{64, 4096};
  const std::array<NumberedPu, 1> pus{NumberedPu{7, first}};
  const std::array<std::pair<NumberedPu, NumberedPu>, 1> pairs{{{{7, first}, {8, last}}}};
  Floors floors;
  add_floors_of(floors, pus, pairs, sizes, 60'000'000'000);
  EXPECT_EQ(floors.note, "");
  ASSERT_EQ(floors.pus.size(), 1u);
  EXPECT_EQ(floors.pus[0].pu, 7);
  EXPECT_GT(floors.pus[0].clock_read_ns, 0);
  EXPECT_GT(floors.pus[0].context_switch_ns, floors.pus[0].system_call_ns);  // it takes several of them
  ASSERT_EQ(floors.pus[0].touch.size(), 2u);
  EXPECT_EQ(floors.pus[0].touch[1].message_bytes, 4096u);
  ASSERT_EQ(floors.pairs.size(), 1u);
  EXPECT_EQ(floors.pairs[0].second_pu, 8);
  EXPECT_GT(floors.pairs[0].cache_line_round_trip_ns, 0);
  EXPECT_GT(floors.pairs[0].futex_wake_ns, 0);
}

TEST(Floors, WhatCannotBeMeasuredOrHasNoTimeLeftIsSaid) {
  const std::array<NumberedPu, 1> absent{NumberedPu{0, 1023}};
  Floors floors;
  add_floors_of(floors, absent, {}, {}, 60'000'000'000);
  EXPECT_TRUE(floors.pus.empty());
  EXPECT_NE(floors.note.find("processor 1023"), std::string::npos) << floors.note;

  Floors late;
  add_floors_of(late, absent, {}, {}, 0);
  EXPECT_EQ(late.note, "1 of 1 PUs and pairs not measured: the 0 s for it were up");
}

}  // namespace
}  // namespace ipcmark
