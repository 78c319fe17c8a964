#include "harness/command/comparison_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/text.h"

namespace ipcmark {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

CaseComparison compared(const std::string& transport, double ratio, Outcome outcome, Change change) {
  CaseComparison each;
  each.benchmark_case.workload = "ping_pong";
  each.benchmark_case.transport = transport;
  each.id = case_id(each.benchmark_case);
  each.column = 1;
  each.outcome = outcome;
  FigureComparison p50;
  p50.base.median = 8000;
  p50.now.median = 8000 * ratio;
  p50.base.launches = p50.now.launches = 10;
  p50.ratio = ratio;
  p50.interval = Interval{ratio - 0.02, ratio + 0.02};
  p50.bound = 0.05;
  p50.p = 0.00001;
  p50.p_holm = 0.00002;
  p50.q = 0.00002;
  p50.change = change;
  FigureComparison cpu = p50;
  cpu.figure = Figure::cpu_per_message;
  cpu.ratio = 2.5;
  cpu.change = Change::worse;
  each.figures = {p50, cpu};
  return each;
}

Comparison sample() {
  Comparison comparison;
  comparison.columns = {{"old.json", "host, cpu", "f00d", true, 1, 20},
                        {"new.json", "host, cpu", "f00d", false, 2, 20}};
  comparison.cases = {compared("fifo", 1.0, Outcome::same, Change::same),
                      compared("pipe", 1.12, Outcome::regression, Change::worse)};
  comparison.cases[0].figures.pop_back();
  comparison.tests = 2;
  comparison.launches_to_judge = 6;
  comparison.lonely = {
      {.id = "workload:x", .column = 0, .lacking = 1, .failed = true, .reason = "failed: it hung"}};
  comparison.notes = {"a and b are kept apart"};
  return comparison;
}

TEST(ComparisonTable, HasAnAlignedLineForEachCaseAndSaysWhatItIsHeldAgainst) {
  const std::string text = comparison_table(sample(), false, 0);
  EXPECT_EQ(text,
            "base  old.json (host, cpu; 1 file, 20 launches)\n"
            "new   new.json (host, cpu; 2 files, 20 launches)\n"
            "\n"
            "ping_pong, RTT p50, size 64 B, capacity default, wait block, access copy, placement unpinned\n"
            "  verdict     transport     base      new   change               95 %  p (Holm)\n"
            "  same        fifo       8.00 µs  8.00 µs   +0.0 %    -2.0 % … +2.0 %   <0.0001\n"
            "  regression  pipe       8.00 µs  8.96 µs  +12.0 %  +10.0 % … +14.0 %   <0.0001\n"
            "      CPU ×2.5 (+10.0 % … +14.0 %)\n"
            "\n"
            "2 cases: 1 regression, 1 same\n"
            "a change: p < 0.01 after Holm over 2 cases, and beyond 5 %; A/A noise of the base: not known, "
            "it takes several files of the base\n"
            "a and b are kept apart\n"
            "only in old.json: workload:x: failed: it hung\n");
}

TEST(ComparisonTable, IsColouredOnlyWhenAskedAndCutToTheTerminal) {
  EXPECT_THAT(comparison_table(sample(), true, 0), HasSubstr("\x1b[31mregression\x1b[0m  pipe"));
  EXPECT_THAT(comparison_table(sample(), false, 0), Not(HasSubstr("\x1b")));
  Comparison comparison = sample();
  comparison.cases[1].outcome = Outcome::undecided;
  comparison.cases[1].would_be = Outcome::regression;
  comparison.cases[1].reasons = {"new is noisy: " + std::string(200, 'x')};
  const std::string text = comparison_table(comparison, false, 100);
  EXPECT_THAT(text, HasSubstr("<0.0001  new is\n"));
  const std::string tables = text.substr(0, text.find("2 cases:"));
  for (const std::string_view line : split(tables, '\n')) EXPECT_LE(text_width(line), 100U) << line;
}

TEST(ComparisonTable, ShowsProfilesInFloorsBetweenMachinesAndSaysOnceWhyThereIsNoVerdict) {
  Comparison comparison = sample();
  comparison.tests = 0;
  for (CaseComparison& each : comparison.cases) {
    each.outcome = Outcome::not_compared;
    each.reasons = {"not one machine in one state: kernel 6 / 7"};
    each.floors = {{"cache-line round trip", 400, 200}};
    for (FigureComparison& figure : each.figures) {
      figure.p = figure.p_holm = figure.q = std::nullopt;
      figure.change.reset();
    }
  }
  const std::string text = comparison_table(comparison, false, 0);
  EXPECT_THAT(text, HasSubstr("no verdict: not one machine in one state: kernel 6 / 7\n"));
  EXPECT_THAT(text, HasSubstr("in floors\n"));
  EXPECT_THAT(text, HasSubstr("20.0 / 44.8 × cache-line round trip\n"));
  EXPECT_THAT(text, HasSubstr("2 cases: 2 not compared\n"));
  EXPECT_THAT(text, Not(HasSubstr("  verdict")));
}

TEST(ComparisonTable, SaysOfEachFigureWhatItIsHeldAgainst) {
  Comparison comparison = sample();
  comparison.cases[1].figures[0].figure = Figure::messages_per_second;
  comparison.cases[1].figures[0].bound = 0.082;
  EXPECT_THAT(comparison_table(comparison, false, 0),
              HasSubstr("and beyond 5 % (p50), 8.2 % (messages); A/A"));
}

TEST(ComparisonTable, MissesNoLaunchesWhereOneSideHasMany) {
  Comparison comparison = sample();
  for (CaseComparison& each : comparison.cases) {
    each.figures[0].base.launches = 60;
    each.figures[0].now.launches = 5;
  }
  EXPECT_THAT(comparison_table(comparison, false, 0), Not(HasSubstr("too few launches")));
  comparison.cases[0].figures[0].base.launches = 5;
  EXPECT_THAT(comparison_table(comparison, false, 0), HasSubstr("too few launches for a change"));
}

TEST(ComparisonTable, TellsACaseThatBothSidesHaveFromOneThatOneHas) {
  Comparison comparison = sample();
  comparison.lonely[0].on_both_sides = true;
  EXPECT_THAT(comparison_table(comparison, false, 0),
              HasSubstr("\nnot compared: workload:x: failed: it hung\n"));
}

TEST(ComparisonTable, CallsDifferentCasesBetterOrWorse) {
  Comparison comparison = sample();
  comparison.by = "transport";
  comparison.same_case = false;
  comparison.columns[0].label = "pipe";
  const std::string text = comparison_table(comparison, false, 0);
  EXPECT_THAT(text, HasSubstr("base  transport pipe\n"));
  EXPECT_THAT(text, HasSubstr("\n  worse "));
  EXPECT_THAT(text, HasSubstr("2 cases: 1 worse, 1 same\n"));
  EXPECT_THAT(text, HasSubstr("1 case that only one side has figures of\n"));
}

TEST(ComparisonMarkdown, ShowsWhatChangedAndFoldsTheRestAway) {
  Comparison comparison = sample();
  comparison.cases[1].reasons = {"a | b"};
  const std::string text = comparison_markdown(comparison);
  EXPECT_THAT(text, testing::StartsWith("**2 cases: 1 regression, 1 same**\n"));
  EXPECT_THAT(text, HasSubstr("| **regression**: a \\| b; CPU"));
  EXPECT_THAT(text, HasSubstr("<details><summary>all 2 cases</summary>\n\n| case |"));
  EXPECT_THAT(text, HasSubstr("- only in old.json: workload:x: failed: it hung\n"));
  const std::size_t folded = text.find("<details>");
  EXPECT_EQ(text.substr(0, folded).find("fifo"), std::string::npos);
  EXPECT_NE(text.substr(folded).find("fifo"), std::string::npos);
}

}  // namespace
}  // namespace ipcmark
