#include "harness/suite.h"

#include <gtest/gtest.h>

namespace ipcmark {
namespace {

std::vector<std::uint64_t> sizes(std::string_view text) {
  return parse_sizes(text).value_or(std::vector<std::uint64_t>{});
}
using Sizes = std::vector<std::uint64_t>;

TEST(Sizes, AreASizeOrARangeOfThem) {
  EXPECT_EQ(sizes("100"), Sizes{100});
  EXPECT_EQ(sizes("4Ki"), Sizes{4096});
  EXPECT_EQ(sizes("64..512"), (Sizes{64, 128, 256, 512}));
  EXPECT_EQ(sizes("64..1Ki*4"), (Sizes{64, 256, 1024}));
  EXPECT_EQ(sizes("64..1000*4"), (Sizes{64, 256}));
  EXPECT_EQ(sizes("1..1Mi").size(), 21u);
  EXPECT_EQ(sizes("1Ti..1Ti"), Sizes{1ull << 40});
  for (const std::string_view bad : {"", "0", "-64", "10Ti", "64..", "..64", "64...128", "128..64",
                                     "64..128*1", "64..128*0", "64..128*", "64*2", "0..64"}) {
    EXPECT_EQ(parse_sizes(bad), std::nullopt) << bad;
  }
}

TEST(Choices, AreOneEntryAlternativesOrEvery) {
  EXPECT_EQ(parse_wait_choice("block"), (WaitChoice{{{Wait::block, Wait::block}}, false}));
  EXPECT_EQ(parse_wait_choice("block+spin|futex"),
            (WaitChoice{{{Wait::block, Wait::spin}, {Wait::futex, Wait::futex}}, false}));
  EXPECT_EQ(parse_wait_choice("*"), (WaitChoice{{}, true}));
  EXPECT_EQ(parse_access_choice("loan+copy"), (AccessChoice{{{Access::loan, Access::copy}}, false}));
  EXPECT_EQ(parse_placement_choice("same_l3|same_package"),
            (PlacementChoice{{"same_l3", "same_package"}, false}));
  EXPECT_EQ(parse_placement_choice("0+1"), (PlacementChoice{{"0+1"}, false}));
  EXPECT_EQ(parse_placement_choice("*"), (PlacementChoice{{}, true}));
  for (const std::string_view bad :
       {"", "|", "block|", "sleep", "block+", "+block", "block+spin+spin", "*|block"}) {
    EXPECT_EQ(parse_wait_choice(bad), std::nullopt) << bad;
  }
  for (const std::string_view bad : {"", "same", "same_l3|", "*|0+1", "0+", "-1"}) {
    EXPECT_EQ(parse_placement_choice(bad), std::nullopt) << bad;
  }
}

TEST(Choices, ReadBackAsWritten) {
  for (const std::string_view text : {"*", "block", "block+spin|futex"}) {
    EXPECT_EQ(to_string(parse_wait_choice(text).value()), text);
  }
  EXPECT_EQ(to_string(default_placement()),
            to_string(parse_placement_choice(to_string(default_placement())).value()));
}

TEST(Sched, IsOtherOrFifoWithAPriority) {
  for (const std::string_view good : {"other", "fifo:1", "fifo:99"}) EXPECT_TRUE(valid_sched(good)) << good;
  for (const std::string_view bad : {"", "fifo", "fifo:", "fifo:0", "fifo:100", "fifo:01", "rr:1"}) {
    EXPECT_FALSE(valid_sched(bad)) << bad;
  }
}

}  // namespace
}  // namespace ipcmark
