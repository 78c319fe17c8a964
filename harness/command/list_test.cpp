#include "harness/command/list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "harness/text.h"

namespace ipcmark {
namespace {

using testing::Each;
using testing::HasSubstr;
using testing::StartsWith;

class ListTest : public testing::Test {
 protected:
  std::string text(ListOptions::What what, bool json = false, CaseOptions cases = {}) {
    return list({.what = what, .json = json, .cases = std::move(cases)}, workbench_);
  }
  std::string refusal(const CaseOptions& options) {
    try {
      chosen_plan(options, workbench_);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  }
  // A class that no pair of this machine's PUs belongs to; empty when there is none.
  std::string missing_class() {
    for (const PlacementClass one : all_placement_classes()) {
      const auto here = workbench_.topology().classes();
      if (one != PlacementClass::unpinned && std::find(here.begin(), here.end(), one) == here.end()) {
        return std::string(to_string(one));
      }
    }
    return "";
  }

  Workbench workbench_;
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (const std::string_view line : split(text, '\n')) lines.emplace_back(line);
  return lines;
}

TEST_F(ListTest, ShowsEveryTransportOnALineUnderTheHead) {
  const std::vector<std::string> lines = lines_of(text(ListOptions::What::transports));
  ASSERT_EQ(lines.size(), workbench_.transports().size() + 2);
  EXPECT_THAT(lines[0], StartsWith("transport"));
  for (std::size_t i = 0; i < workbench_.transports().size(); ++i) {
    EXPECT_THAT(lines[i + 1], StartsWith(workbench_.transports()[i].name));
  }
}

TEST_F(ListTest, AlignsItsColumns) {
  const std::vector<std::string> lines = lines_of(text(ListOptions::What::transports));
  const std::size_t column = lines[0].find("model");
  for (std::size_t i = 1; i + 1 < lines.size(); ++i) {
    EXPECT_EQ(lines[i][column - 1], ' ');
    EXPECT_NE(lines[i][column], ' ');
  }
}

TEST_F(ListTest, GivesProgramsTypedValues) {
  const std::string transports = text(ListOptions::What::transports, true);
  EXPECT_THAT(transports, HasSubstr(R"({"transport": "pipe", )"));
  EXPECT_THAT(transports, HasSubstr(R"("send_waits": ["block", )"));
  EXPECT_THAT(transports, HasSubstr(R"("lossy": false)"));
  EXPECT_THAT(text(ListOptions::What::workloads, true), HasSubstr(R"("workload": "ping_pong")"));
  EXPECT_THAT(text(ListOptions::What::placements, true),
              HasSubstr(R"({"placement": "same_pu", "here": true, "pus": [)"));
}

TEST_F(ListTest, NamesEveryPlacementClassAndWhyOneIsMissing) {
  const std::string placements = text(ListOptions::What::placements);
  for (const PlacementClass one : all_placement_classes()) {
    EXPECT_THAT(placements, HasSubstr(std::string(to_string(one))));
  }
}

TEST_F(ListTest, ShowsCasesAndSkippedCasesWithTheirReason) {
  CaseOptions options;
  options.narrowing.transports = {"pipe"};
  options.narrowing.workloads = {"stream"};
  options.narrowing.accesses = {parse_access_choice("copy").value(), parse_access_choice("loan").value()};
  const std::string cases = text(ListOptions::What::cases, false, options);
  EXPECT_THAT(cases, HasSubstr("workload:stream/transport:pipe/size:64"));
  EXPECT_THAT(cases, HasSubstr("pipe has no loan access to send"));
  EXPECT_THAT(text(ListOptions::What::cases, true, options), HasSubstr(R"("skipped_because": null)"));
}

TEST_F(ListTest, SaysWhenNoSuiteIsNamedSo) {
  CaseOptions options;
  options.suite = "nope";
  try {
    chosen_plan(options, workbench_);
    FAIL() << "a suite that is not there was found";
  } catch (const std::exception& error) {
    EXPECT_THAT(error.what(), StartsWith("--suite: "));
    EXPECT_THAT(error.what(), HasSubstr("quick"));
  }
}

TEST_F(ListTest, NamesTheOptionWhenASuiteFileIsBroken) {
  std::string path = testing::TempDir() + "ipcmark-suite-XXXXXX";
  const int fd = mkstemp(path.data());
  ASSERT_GE(fd, 0);
  close(fd);
  std::ofstream(path) << R"({"name": "x", "grids": [{"workload": "stream", "size": "0"}]})";
  CaseOptions options;
  options.suite = path;
  const std::string message = refusal(options);
  std::filesystem::remove(path);
  EXPECT_THAT(message, StartsWith("--suite: " + path));
  EXPECT_THAT(message, HasSubstr("1 to 1Ti bytes"));
}

TEST_F(ListTest, RefusesAPlacementThatThisMachineLacks) {
  CaseOptions options;
  const std::string missing = missing_class();
  if (missing.empty()) GTEST_SKIP() << "this machine has pairs of every class";
  options.narrowing.placements = {parse_placement_choice("same_pu").value(),
                                  parse_placement_choice(missing).value()};
  EXPECT_THAT(refusal(options), StartsWith("--placement "));
  EXPECT_THAT(refusal(options), HasSubstr("allowed here: same_pu"));
  options.narrowing.placements = {parse_placement_choice("0+100000").value()};
  EXPECT_THAT(refusal(options), StartsWith("--placement "));
  options.narrowing.placements = {parse_placement_choice(missing + "|same_pu").value()};
  EXPECT_EQ(refusal(options), "");
}

TEST_F(ListTest, AppliesTheFilterToCasesAndSkippedCases) {
  CaseOptions options;
  options.suite = "quick";
  options.filter = "transport:posix_mq/.*size:64/";
  const Plan plan = chosen_plan(options, workbench_);
  EXPECT_FALSE(plan.cases.empty());
  for (const PlannedCase& planned : plan.cases)
    EXPECT_THAT(planned.id, HasSubstr("transport:posix_mq/size:64/"));
  for (const SkippedCase& skipped : plan.skipped)
    EXPECT_THAT(skipped.id, HasSubstr("transport:posix_mq/size:64/"));
}

TEST_F(ListTest, TakesTheQuickSuiteUnlessAskedOtherwise) {
  EXPECT_EQ(chosen_suite({}).name, "quick");
  CaseOptions options;
  options.launches = 3;
  options.min_time_ns = 5;
  EXPECT_EQ(chosen_suite(options).launches, 3u);
  EXPECT_EQ(chosen_suite(options).min_time_ns, 5u);
  options.narrowing.transports = {"pipe"};
  EXPECT_EQ(chosen_suite(options).name, "custom");
  options.suite = "smoke";
  EXPECT_EQ(chosen_suite(options).name, "smoke");
}

TEST_F(ListTest, EverySuiteIsNamedAsItsFileAndHasCasesHere) {
  for (const Suite& suite : built_in_suites()) {
    EXPECT_EQ(load_suite(suite.name).description, suite.description);
    EXPECT_FALSE(suite.description.empty());
    EXPECT_FALSE(workbench_.plan(suite, {}, 1).cases.empty()) << suite.name;
  }
}

// What is asked of them: quick is worth 100 cases of 6 launches, and smoke meets everything.
TEST_F(ListTest, TheQuickSuiteIsBroadAndRepeatsEnoughForAnInterval) {
  const Suite quick = load_suite("quick");
  EXPECT_GE(quick.launches, 6u);
  const Plan plan = workbench_.plan(quick, {}, 1);
  if (workbench_.topology().pus().size() > 1) {
    EXPECT_GE(plan.cases.size(), 100u);
  }
  for (const std::string& transport : workbench_.transport_names()) {
    EXPECT_TRUE(std::ranges::any_of(plan.cases, [&](const PlannedCase& planned) {
      return planned.benchmark_case.transport == transport;
    })) << transport;
  }
}

}  // namespace
}  // namespace ipcmark
