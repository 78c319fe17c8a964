#include "harness/command/list.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "harness/text.h"

namespace ipcmark {
namespace {

using testing::Each;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

class ListTest : public testing::Test {
 protected:
  std::string text(ListOptions::What what, bool json = false, CaseOptions cases = {},
                   std::size_t columns = 100) {
    return list({.what = what, .json = json, .cases = std::move(cases)}, workbench_, columns);
  }
  std::string refusal(const CaseOptions& options) {
    try {
      chosen_plan(options, workbench_);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  }
  // The table alone.
  std::string transports(std::size_t columns) {
    const std::string all = text(ListOptions::What::transports, false, {}, columns);
    const std::string below =
        exceptions_text(columns) + overlays_text(Registry::instance().overlays(), columns) +
        named_only_text(Registry::instance().named_only(), columns) + not_built_text(not_built(), columns);
    EXPECT_THAT(all, EndsWith(below));
    return all.substr(0, all.size() - below.size());
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

TEST_F(ListTest, ShowsEveryTransportInEveryBlockThatFitsTheTerminal) {
  for (const std::size_t columns : {80, 120, 1'000}) {
    SCOPED_TRACE(columns);
    std::size_t blocks = 1;
    std::map<std::string, std::size_t> shown;
    for (const std::string& line : lines_of(transports(columns))) {
      EXPECT_LE(text_width(line), columns) << line;
      if (!line.empty() && line[0] != ' ') ++shown[line.substr(0, line.find(' '))];
      if (line.empty()) ++blocks;
    }
    --blocks;  // the text ends with a line's end
    EXPECT_EQ(blocks > 1, columns < 1'000);
    EXPECT_EQ(shown.size(), workbench_.transports().size() + 1);
    for (const auto& [name, times] : shown) EXPECT_EQ(times, blocks) << name;
  }
}

TEST_F(ListTest, LosesNoFactWhereverItBreaks) {
  const auto words_of_row = [&](std::size_t columns) {
    std::multiset<std::string> words;
    std::istringstream read(transports(columns));
    for (std::string word; read >> word;) {
      if (word != "transport") words.insert(word);
    }
    for (const std::string& name : workbench_.transport_names()) words.erase(name);
    return words;
  };
  EXPECT_EQ(words_of_row(80), words_of_row(1'000));
  EXPECT_EQ(words_of_row(40), words_of_row(1'000));
}

TEST_F(ListTest, AlignsItsColumns) {
  const std::vector<std::string> lines = lines_of(transports(1'000));
  const auto head = std::find_if(lines.begin(), lines.end(),
                                 [](const std::string& line) { return line.starts_with("transport"); });
  ASSERT_NE(head, lines.end());
  const std::size_t column = head->find("model");
  for (auto line = head + 1; line + 1 < lines.end(); ++line) {
    if ((*line)[0] == ' ') continue;  // a long cell goes on
    EXPECT_EQ((*line)[column - 1], ' ');
    EXPECT_NE((*line)[column], ' ');
  }
}

TEST_F(ListTest, NamesWhatGetsPastTheFactsBelowThem) {
  const std::string exceptions = exceptions_text(80);
  EXPECT_THAT(text(ListOptions::What::transports, false, {}, 80), HasSubstr(exceptions));
  for (const char* name : {"SCM_RIGHTS", "pidfd_getfd", "/proc/PID/fd", "ptrace", "packets"}) {
    EXPECT_THAT(exceptions, HasSubstr(name));
  }
  for (const std::string& line : lines_of(exceptions)) EXPECT_LE(text_width(line), 80u) << line;
}

TEST(NotBuiltTransports, AreToldWithTheirPackages) {
  const NotBuilt left_out[]{{"rpc", "librpc-dev"}, {"rpc_tcp", "librpc-dev"}, {"bus", "libbus-dev"}};
  EXPECT_EQ(not_built_text(left_out, 100),
            "\nnot built: rpc (needs librpc-dev), rpc_tcp (needs librpc-dev), bus (needs libbus-dev)\n");
  EXPECT_EQ(not_built_text(left_out, 40),
            "\nnot built: rpc (needs librpc-dev),\nrpc_tcp (needs librpc-dev), bus (needs\nlibbus-dev)\n");
  EXPECT_EQ(not_built_json(left_out).at(2), R"({"transport": "bus", "not_built_without": "libbus-dev"})");
  EXPECT_EQ(not_built_text({}, 100), "");
}

TEST_F(ListTest, TellsEveryTransportThatWasNotBuilt) {
  if (not_built().empty()) GTEST_SKIP() << "every transport was built";
  const std::string people = text(ListOptions::What::transports, false, {}, 1'000),
                    programs = text(ListOptions::What::transports, true);
  for (const NotBuilt& one : not_built()) {
    EXPECT_THAT(people, HasSubstr(fmt::format("{} (needs {})", one.transport, one.package)));
    EXPECT_THAT(programs, HasSubstr(fmt::format(R"("not_built_without": "{}")", one.package)));
    EXPECT_THAT(complain_if_unknown("transport", one.transport, workbench_.transport_names()),
                HasSubstr(fmt::format("for want of {}", one.package)));
  }
}

TEST_F(ListTest, GivesProgramsTypedValues) {
  const std::string transports = text(ListOptions::What::transports, true);
  EXPECT_THAT(transports, HasSubstr(R"({"transport": "pipe", )"));
  EXPECT_THAT(transports, HasSubstr(R"("send_waits": ["block", )"));
  EXPECT_THAT(transports, HasSubstr(R"("lossy": false)"));
  EXPECT_THAT(transports, HasSubstr(R"("most_senders": 1, )"));
  EXPECT_THAT(transports, HasSubstr(R"("most_senders": null, )"));
  EXPECT_THAT(transports, HasSubstr(R"("largest_shared_message": 4096, )"));
  EXPECT_THAT(transports, HasSubstr(R"("bounded_by": "kernel.msgmax", )"));
  EXPECT_THAT(text(ListOptions::What::workloads, true), HasSubstr(R"("workload": "ping_pong")"));
  EXPECT_THAT(text(ListOptions::What::placements, true),
              HasSubstr(R"({"placement": "same_pu", "here": true, "pus": [)"));
}

TEST_F(ListTest, GivesAResultFileTheFactsOfTheTransportsItMeasures) {
  CaseOptions options;
  options.narrowing.transports = {"pipe", "tcp"};
  const std::vector<TransportFacts> facts = facts_of(chosen_plan(options, workbench_), workbench_);
  ASSERT_EQ(facts.size(), 2U);
  EXPECT_EQ(facts[0].transport, "pipe");
  EXPECT_EQ(find_value(facts[0].facts, "direction"), "one-way");
  EXPECT_EQ(find_value(facts[0].facts, "receive waits"), "block poll epoll spin yield");
  EXPECT_EQ(find_value(facts[1].facts, "direction"), "duplex");
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
  EXPECT_THAT(cases, StartsWith("stream\n  transport  size  capacity  wait   access  placement\n"
                                "  pipe       64 B  default   block  copy    "));
  EXPECT_THAT(cases, HasSubstr("\n\nskipped: pipe has no loan access to send\n"
                               "  stream: pipe, 64 B, default, block, loan, "));
  EXPECT_THAT(cases, EndsWith("\n\n1 cases, 1 skipped; --json has each with its id and reason\n"));
  EXPECT_THAT(text(ListOptions::What::cases, true, options), HasSubstr(R"("skipped_because": null)"));
}

TEST_F(ListTest, TellsManySkippedCasesByReasonInTheTerminalAndEachAsJson) {
  CaseOptions options;
  options.narrowing.transports = {"pipe"};
  options.narrowing.workloads = {"stream", "mailbox"};
  options.narrowing.message_bytes = {1, 2, 3, 4, 5};
  options.narrowing.accesses = {parse_access_choice("loan").value()};
  const std::string cases = text(ListOptions::What::cases, false, options, 60);
  EXPECT_THAT(cases, StartsWith("skipped: pipe has no loan access to send\n  stream: pipe, 1 B, "));
  EXPECT_THAT(cases, HasSubstr("\n  and 7 more; list cases --json has each\n"));
  const std::string json = text(ListOptions::What::cases, true, options);
  EXPECT_EQ(std::count(json.begin(), json.end(), '\n'), 12);
}

TEST_F(ListTest, CountsWhatAPairwiseSuiteLeavesOutAndHasItAllAsJson) {
  CaseOptions options;
  options.suite = "smoke";
  options.narrowing.transports = {"posix_mq"};
  const Plan plan = chosen_plan(options, workbench_, true);
  ASSERT_GT(plan.left_out.size(), 1'000u);
  const std::string cases = text(ListOptions::What::cases, false, options, 100);
  EXPECT_LT(std::count(cases.begin(), cases.end(), '\n'),
            static_cast<std::ptrdiff_t>(2 * plan.cases.size() + 5 * plan.skipped.size() + 60));
  EXPECT_THAT(cases, HasSubstr(" further combinations are left out: "));
  for (const std::string& line : lines_of(cases)) EXPECT_LE(text_width(line), 100u) << line;
  const std::string json = text(ListOptions::What::cases, true, options);
  EXPECT_EQ(static_cast<std::size_t>(std::count(json.begin(), json.end(), '\n')),
            2 + plan.cases.size() + plan.skipped.size() + plan.left_out.size());
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
    if (suite.name == "smoke") continue;  // the largest plan: its cases are looked at below
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
  // A machine may have none of one, and says why.
  for (const std::string& transport : workbench_.transport_names()) {
    const auto over_it = [&](const auto& planned) { return planned.benchmark_case.transport == transport; };
    EXPECT_TRUE(std::ranges::any_of(plan.cases, over_it) || std::ranges::any_of(plan.skipped, over_it))
        << transport;
  }
}

// The values of a case that a cover pairs: as words, each with the name of its dimension before it.
std::vector<std::string> paired_values(const Case& c) {
  return {"transport " + c.transport, "workload " + c.workload, "capacity " + to_string(c.capacity),
          "wait " + to_string(c.send_wait, c.receive_wait),
          "access " + to_string(c.send_access, c.receive_access)};
}

TEST_F(ListTest, TheSmokeSuiteMeetsOrExplainsEveryPairOfATransportAWorkloadACapacityAWaitAndAnAccess) {
  const Suite smoke = load_suite("smoke");
  const Plan plan = workbench_.plan(smoke, {}, smoke.seed.value());
  std::set<std::pair<std::string, std::string>> met;
  const auto meet = [&](const Case& c) {
    const std::vector<std::string> values = paired_values(c);
    for (const std::string& one : values) {
      for (const std::string& other : values) met.insert({one, other});
    }
  };
  for (const PlannedCase& planned : plan.cases) meet(planned.benchmark_case);
  for (const SkippedCase& skipped : plan.skipped) {
    EXPECT_FALSE(skipped.reason.empty()) << skipped.id;
    meet(skipped.benchmark_case);
  }

  std::vector<std::string> transports, workloads, capacities, waits, accesses;
  for (const std::string& name : workbench_.transport_names()) transports.push_back("transport " + name);
  for (const std::string& name : workbench_.workload_names()) workloads.push_back("workload " + name);
  for (const char* capacity : {"default", "0", "1", "4", "64", "unbounded"}) {
    capacities.push_back("capacity " + std::string(capacity));
  }
  for (const Wait wait : all_waits()) waits.push_back("wait " + to_string(wait, wait));
  for (const Access send : {Access::copy, Access::loan}) {
    for (const Access receive : {Access::copy, Access::loan}) {
      accesses.push_back("access " + to_string(send, receive));
    }
  }
  const auto expect_all = [&](const std::vector<std::string>& some, const std::vector<std::string>& others) {
    for (const std::string& one : some) {
      for (const std::string& other : others) EXPECT_TRUE(met.contains({one, other})) << one << ", " << other;
    }
  };
  expect_all(transports, workloads);
  expect_all(transports, capacities);
  expect_all(transports, waits);
  expect_all(transports, {accesses.front(), accesses.back()});
  expect_all(workloads, capacities);
  expect_all(workloads, waits);
  expect_all(workloads, accesses);
  expect_all(capacities, waits);
  expect_all(capacities, accesses);
  expect_all(waits, {accesses.front()});
}

TEST_F(ListTest, TheSmokeSuiteMeetsEveryWorkloadInMoreThanOnePlacement) {
  const Suite smoke = load_suite("smoke");
  const Plan plan = workbench_.plan(smoke, {}, smoke.seed.value());
  EXPECT_FALSE(plan.cases.empty());
  if (workbench_.topology().pus().size() < 2) GTEST_SKIP() << "one processor has few placements";
  std::map<std::string, std::set<std::string>> placements;
  for (const PlannedCase& planned : plan.cases) {
    placements[planned.benchmark_case.workload].insert(planned.benchmark_case.placement);
  }
  for (const std::string& workload : workbench_.workload_names()) {
    EXPECT_GE(placements[workload].size(), 2u) << workload;
  }
}

}  // namespace
}  // namespace ipcmark
