#include "results/suite_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "results/temporary_directory.h"

namespace ipcmark {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

std::string error_of(const std::string& text) {
  try {
    parse_suite(text, "my.json");
  } catch (const FileError& error) {
    return error.what();
  }
  return "no error";
}

std::string grid_error(const std::string& entry) {
  return error_of(R"({"name": "s", "grids": [{"workload": "stream"}, {"workload": "stream", )" + entry +
                  "}]}");
}

TEST(SuiteFile, NeedsANameAndOneGridAndDefaultsTheRest) {
  const Suite suite = parse_suite(R"({"name": "mine", "grids": {"workload": "stream"}})", "my.json");
  EXPECT_EQ(suite.name, "mine");
  EXPECT_EQ(suite.launches, Suite{}.launches);
  EXPECT_EQ(suite.min_time_ns, Suite{}.min_time_ns);
  EXPECT_FALSE(suite.seed);
  ASSERT_EQ(suite.grids.size(), 1U);
  EXPECT_THAT(suite.grids[0].workloads, ElementsAre("stream"));
  EXPECT_THAT(suite.grids[0].transports, ElementsAre("*"));
  EXPECT_EQ(suite.grids[0].waits, Grid{}.waits);
}

TEST(SuiteFile, ReadsEveryKey) {
  const Suite suite = parse_suite(R"({
    "name": "all", "description": "one line", "launches": 6, "min_time": "120ms", "seed": 18446744073709551615,
    "cover": "pairwise",
    "grids": [{"workload": ["ping_pong", "stream"], "transport": ["pipe", "tcp"], "size": ["64..256", 64, "1Mi"],
               "capacity": ["default", 16, "0", "unbounded"], "wait": ["*", "spin+block"], "access": "loan+copy",
               "placement": ["same_l3|same_package", "0+1"], "touch": "header", "limits": "raised",
               "sched": "fifo:10", "senders": 2, "receivers": 3}]})",
                                  "my.json");
  EXPECT_EQ(suite.description, "one line");
  EXPECT_EQ(suite.launches, 6U);
  EXPECT_EQ(suite.min_time_ns, 120'000'000U);
  EXPECT_EQ(suite.seed, 18446744073709551615U);
  EXPECT_EQ(suite.cover, Suite::Cover::pairwise);
  const Grid& grid = suite.grids.at(0);
  EXPECT_THAT(grid.workloads, ElementsAre("ping_pong", "stream"));
  EXPECT_THAT(grid.transports, ElementsAre("pipe", "tcp"));
  EXPECT_THAT(grid.message_bytes, ElementsAre(64, 128, 256, 1 << 20));
  EXPECT_THAT(grid.capacities,
              ElementsAre(Capacity{}, Capacity::bounded(16), Capacity::rendezvous(), Capacity::unbounded()));
  ASSERT_EQ(grid.waits.size(), 2U);
  EXPECT_TRUE(grid.waits[0].every);
  EXPECT_THAT(grid.waits[1].first_of, ElementsAre(WaitPair{Wait::spin, Wait::block}));
  EXPECT_THAT(grid.accesses.at(0).first_of, ElementsAre(AccessPair{Access::loan, Access::copy}));
  EXPECT_THAT(grid.placements.at(0).first_of, ElementsAre("same_l3", "same_package"));
  EXPECT_EQ(grid.touch, Touch::header);
  EXPECT_EQ(grid.limits, Limits::raised);
  EXPECT_EQ(grid.sched, "fifo:10");
  EXPECT_THAT(grid.further.at("senders"), ElementsAre("2"));
  EXPECT_THAT(grid.further.at("receivers"), ElementsAre("3"));
}

TEST(SuiteFile, AsksForMixesBesideSizes) {
  const Suite suite = parse_suite(
      R"({"name": "m", "grids": [{"workload": "stream", "mix": ["none", "4Ki:10+64:90"]}]})", "my.json");
  EXPECT_THAT(suite.grids.at(0).further.at("mix"), ElementsAre("none", "64:90+4Ki:10"));
  EXPECT_THAT(grid_error(R"("mix": "64:90,4Ki:10")"),
              HasSubstr("mix: must be sizes with weights joined by +"));
}

TEST(SuiteFile, NamesFileLineAndColumnOfBrokenJson) {
  EXPECT_THAT(error_of("{\n  \"name\": \"x\",,\n}"), StartsWith("my.json:2:15: not valid JSON: "));
  EXPECT_THAT(error_of("{\"name\": 1e999}"), StartsWith("my.json: not valid JSON: "));
  EXPECT_THAT(error_of(""), StartsWith("my.json:1:1: not valid JSON: "));
}

TEST(SuiteFile, NamesTheKeyAndWhatIsAllowed) {
  EXPECT_EQ(error_of("[]"), "my.json: must be an object, not []");
  EXPECT_EQ(error_of("{}"), "my.json: has no \"name\"");
  EXPECT_THAT(error_of(R"({"name": "s"})"), HasSubstr("has no \"grids\""));
  EXPECT_THAT(error_of(R"({"name": "s", "grids": []})"), HasSubstr("grids: must have at least one entry"));
  EXPECT_THAT(error_of(R"({"name": "s", "launchs": 3, "grids": []})"),
              AllOf(HasSubstr("unknown key \"launchs\"; allowed: "), HasSubstr("launches")));
  EXPECT_THAT(error_of(R"({"a\nb": 1})"), HasSubstr(R"(unknown key "a\nb"; allowed)"));
  EXPECT_EQ(error_of(R"({"name": "S!", "grids": []})"),
            "my.json: name: must be a name of a-z, 0-9, _ and -, not \"S!\"");
  EXPECT_THAT(error_of(R"({"name": "s", "launches": 0, "grids": []})"),
              HasSubstr("launches: must be a whole number from 1 to 1000, not 0"));
  EXPECT_THAT(error_of(R"({"name": "s", "min_time": "soon", "grids": []})"), HasSubstr("min_time: must be "));
  EXPECT_THAT(error_of(R"({"name": "s", "seed": -1, "grids": []})"),
              HasSubstr("seed: must be a whole number from 0"));
  EXPECT_THAT(error_of(R"({"name": "s", "cover": "some", "grids": []})"), HasSubstr("cover: must be full"));
}

TEST(SuiteFile, NamesTheGridAndTheEntry) {
  EXPECT_THAT(grid_error(R"("siz": 64)"),
              StartsWith("my.json: grids[1]: unknown key \"siz\"; allowed: workload, "));
  EXPECT_THAT(grid_error(R"("size": ["64", "10Ti"])"),
              StartsWith("my.json: grids[1].size[1]: must be 1 to 1Ti"));
  EXPECT_THAT(grid_error(R"("size": 0)"), StartsWith("my.json: grids[1].size: must be 1 to 1Ti"));
  EXPECT_THAT(grid_error(R"("size": null)"), HasSubstr("not null"));
  EXPECT_THAT(grid_error(R"("size": [])"), HasSubstr("grids[1].size: must have at least one entry"));
  EXPECT_THAT(grid_error(R"("capacity": -1)"), HasSubstr("capacity: must be default, 0 (rendezvous)"));
  EXPECT_THAT(grid_error(R"("wait": "bloc")"), AllOf(HasSubstr("wait: must be "), HasSubstr("not \"bloc\"")));
  EXPECT_THAT(grid_error(R"("access": "lend")"), HasSubstr("access: must be copy, loan"));
  EXPECT_THAT(grid_error(R"("placement": "nearby")"), HasSubstr("placement: must be same_pu"));
  EXPECT_THAT(grid_error(R"("touch": ["full"])"), HasSubstr("touch: must be full or header"));
  EXPECT_THAT(grid_error(R"("sched": "fifo:100")"), HasSubstr("sched: must be other, fifo:N"));
  EXPECT_THAT(grid_error(R"("senders": 1.5)"), HasSubstr("senders: must be a whole number from 1"));
  EXPECT_THAT(error_of(R"({"name": "s", "grids": [{"transport": "pipe"}]})"),
              HasSubstr("has no \"workload\""));
}

TEST(SuiteFile, WithAKeyTwiceIsRefusedByThePlaceOfTheKey) {
  EXPECT_EQ(error_of(R"({"name": "s", "launches": 1, "grids": [], "launches": 2})"),
            "my.json: has \"launches\" twice");
  EXPECT_EQ(grid_error(R"("size": 1, "size": 2)"), "my.json: grids[1]: has \"size\" twice");
  EXPECT_EQ(grid_error(R"("size": [[], {"a": {"b": 1, "b": 1}}])"),
            "my.json: grids[1].size[1].a: has \"b\" twice");
  EXPECT_EQ(error_of(R"({"name": "s", "grids": [{"workload": "stream"}, {"workload": "stream"}]})"),
            "no error");
}

TEST(SuiteFile, ThatIsNestedDeeplyIsRefusedInOneLine) {
  const auto nested = [](std::size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); };
  EXPECT_EQ(error_of(nested(1'000'000)), "my.json: nested over 64 levels");
  EXPECT_EQ(error_of(nested(65)), "my.json: nested over 64 levels");
  EXPECT_THAT(error_of(nested(64)), StartsWith("my.json: must be an object"));
}

TEST(SuiteFile, ThatIsLargerThanAnyPersonWritesIsRefusedInOneLine) {
  std::string sizes = "1";
  for (int i = 0; i < 1'000; ++i) sizes += ", 1";
  EXPECT_EQ(grid_error(R"("size": [)" + sizes + "]"),
            "my.json: grids[1].size: must have at most 1000 entries, not 1001");
  try {
    read_suite("/dev/zero");
    FAIL() << "read to an end that /dev/zero does not have";
  } catch (const FileError& error) {
    EXPECT_STREQ(error.what(), "/dev/zero: larger than 1048576 B");
  }
}

TEST(SuiteFile, ThatIsNotThereIsOneLine) {
  const TemporaryDirectory directory;
  EXPECT_THROW(read_suite(directory / "none.json"), FileError);
}

}  // namespace
}  // namespace ipcmark
