#include "results/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>
#include <sstream>
#include <stdexcept>

#include "results/sample_results.h"
#include "results/summary.h"

namespace ipcmark {
namespace {

using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

Case stream_over(const std::string& transport) {
  Case c;
  c.workload = "stream";
  c.transport = transport;
  return c;
}

// A table filled by hand: files, and for a case of a file one launch for each ns per message.
class Table {
 public:
  Table& file(std::size_t side, const std::string& fingerprint = "f00d") {
    SourceFile source{"file" + std::to_string(table.files.size()), side, sample::header()};
    source.header.machine.fingerprint = fingerprint;
    table.files.push_back(source);
    return *this;
  }
  Table& launches(const Case& c, const std::vector<double>& ns_per_message, double cache_line_ns = 0) {
    for (const double ns : ns_per_message) {
      LaunchFigures figures = common(c);
      figures.messages = 1'000'000;
      figures.span_ns = static_cast<std::uint64_t>(ns * 1e6);
      figures.cache_line_round_trip_ns = cache_line_ns;
      table.launches.push_back(figures);
    }
    return *this;
  }
  LaunchFigures common(const Case& c) {
    LaunchFigures figures;
    figures.case_index = table.case_index(case_id(c));
    figures.file_index = static_cast<std::uint32_t>(table.files.size() - 1);
    figures.settings = table.texts.index_of("isolation: subreaper\n");
    figures.reason = table.texts.index_of("the reason");
    figures.timed = table.texts.index_of("");
    return figures;
  }
  Table& failure(const Case& c, const std::string& reason) {
    const LaunchFigures where = common(c);
    table.failures.push_back({where.case_index, where.file_index, table.texts.index_of(reason)});
    return *this;
  }
  Comparison compared(const ComparisonRules& rules = {}) const { return compare(table, rules); }

  LaunchTable table;
};

// `count` values around `middle`, each a little apart from the next.
std::vector<double> around(double middle, double spread = 0.02, int count = 10) {
  std::vector<double> values;
  for (int i = 0; i < count; ++i) values.push_back(middle * (1 + spread * (i - (count - 1) / 2.0) / count));
  return values;
}

TEST(Compare, FindsWhatBecameSlowerFasterOrStayed) {
  const Comparison comparison = Table()
                                    .file(0)
                                    .launches(stream_over("fifo"), around(100))
                                    .launches(stream_over("pipe"), around(100))
                                    .launches(stream_over("tcp"), around(100))
                                    .file(1)
                                    .launches(stream_over("fifo"), around(112))
                                    .launches(stream_over("pipe"), around(88))
                                    .launches(stream_over("tcp"), around(101))
                                    .compared();
  ASSERT_THAT(comparison.cases, SizeIs(3));
  EXPECT_EQ(comparison.tests, 3U);
  EXPECT_EQ(comparison.cases[0].outcome, Outcome::regression);
  EXPECT_EQ(comparison.cases[1].outcome, Outcome::improvement);
  EXPECT_EQ(comparison.cases[2].outcome, Outcome::same);
  const FigureComparison& rate = comparison.cases[0].figures.front();
  EXPECT_EQ(rate.figure, Figure::messages_per_second);
  EXPECT_NEAR(rate.ratio, 100.0 / 112, 1e-3);
  EXPECT_LT(rate.interval->low, rate.ratio);
  EXPECT_GT(rate.interval->high, rate.ratio);
  EXPECT_DOUBLE_EQ(*rate.p, 2.0 / 184756);
  EXPECT_DOUBLE_EQ(*rate.p_holm, 3 * *rate.p);
}

TEST(Compare, CallsNothingAChangeThatIsSureButSmall) {
  Table table;
  table.file(0)
      .launches(stream_over("pipe"), around(100, 0.001))
      .file(1)
      .launches(stream_over("pipe"), around(104, 0.001));
  EXPECT_EQ(table.compared().cases[0].outcome, Outcome::same);
  EXPECT_EQ(table.compared({.threshold = 0.03}).cases[0].outcome, Outcome::regression);
}

TEST(Compare, CallsNothingAPassThatIsNotSure) {
  Table table;
  table.file(0)
      .launches(stream_over("pipe"), around(100, 0.3))
      .file(1)
      .launches(stream_over("pipe"), around(103, 0.3));
  const Comparison comparison = table.compared();
  // So wide a spread is noisy as well.
  EXPECT_EQ(comparison.cases[0].outcome, Outcome::undecided);
  EXPECT_EQ(comparison.cases[0].would_be, Outcome::inconclusive);
  ASSERT_TRUE(comparison.cases[0].launches_needed);
  EXPECT_GT(*comparison.cases[0].launches_needed, 10U);
}

// A gap of 10 ms makes 100 messages a second, however long each takes.
TEST(Compare, HoldsMessagesThatComeByAScheduleAgainstEachOtherByTheirMediansOnly) {
  Case c;
  c.workload = "idle_gap";
  c.transport = "pipe";
  c.gap_ns = 10'000'000;
  Table table;
  table.file(0).launches(c, around(1e7, 0.001)).file(1).launches(c, around(1e7, 0.001));
  const std::vector<double> before = around(4'000), after = around(8'000);
  for (std::size_t i = 0; i < 20; ++i) {
    table.table.launches[i].timed = table.table.texts.index_of("one_way_ns");
    table.table.launches[i].p50_ns = i < 10 ? before[i] : after[i - 10];
  }
  Comparison comparison = table.compared();
  EXPECT_EQ(comparison.cases[0].outcome, Outcome::regression);
  ASSERT_THAT(comparison.cases[0].figures, SizeIs(1));
  EXPECT_EQ(comparison.cases[0].figures[0].figure, Figure::p50);

  table.table.launches[3].p50_ns = not_measured;
  comparison = table.compared();
  EXPECT_THAT(comparison.cases, IsEmpty());
  ASSERT_THAT(comparison.lonely, SizeIs(1));
  EXPECT_TRUE(comparison.lonely[0].on_both_sides);
  EXPECT_THAT(comparison.lonely[0].reason, HasSubstr("too few samples for a p50"));
}

TEST(Compare, SaysWhenThereAreTooFewLaunchesForAnyChange) {
  Table table;
  table.file(0)
      .launches(stream_over("pipe"), around(100, 0.02, 4))
      .file(1)
      .launches(stream_over("pipe"), around(200, 0.02, 4));
  const Comparison comparison = table.compared();
  EXPECT_EQ(comparison.cases[0].outcome, Outcome::inconclusive);
  EXPECT_EQ(comparison.launches_to_judge, 5U);
  EXPECT_EQ(comparison.cases[0].launches_needed, 5U);
}

// It only has to be sure; that it is large, the first launches show.
TEST(Compare, AsksForFewMoreLaunchesWhereTheChangeIsLarge) {
  Table table;
  for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) {
    table.file(side);
    for (std::uint64_t bytes = 1; bytes <= 60; ++bytes) {
      Case c = stream_over("pipe");
      c.message_bytes = bytes;
      table.launches(c, around(side == 0 ? 100 : 2'000, 0.09, 6));
    }
  }
  const Comparison comparison = table.compared();
  for (const CaseComparison& each : comparison.cases) {
    EXPECT_EQ(each.would_be.value_or(each.outcome), Outcome::inconclusive);
    EXPECT_EQ(each.launches_needed, comparison.launches_to_judge);
  }
}

TEST(Compare, LetsNoisyAndInvalidResultsDecideNothing) {
  for (const Grade grade : {Grade::noisy, Grade::invalid}) {
    Table table;
    table.file(0)
        .launches(stream_over("pipe"), around(100))
        .file(1)
        .launches(stream_over("pipe"), around(130));
    for (std::size_t i = 10; i < 16; ++i) table.table.launches[i].grade = grade;
    const CaseComparison compared = table.compared().cases[0];
    EXPECT_EQ(compared.outcome, Outcome::undecided);
    EXPECT_EQ(compared.would_be, Outcome::regression);
    ASSERT_THAT(compared.reasons, SizeIs(1));
    EXPECT_THAT(compared.reasons[0], HasSubstr(std::string("new is ") + std::string(to_string(grade))));
    EXPECT_THAT(compared.reasons[0], HasSubstr("the reason"));
  }
}

void set_round_trips(ResultFile& results, void (*change)(LaunchRecord&)) {
  for (LaunchRecord& launch : results.launches) {
    if (launch.benchmark_case == sample::ping_pong_over_pipe()) change(launch);
  }
}

// What only all launches together show, too.
TEST(Compare, JudgesACaseAsItsOwnFileDoes) {
  const std::vector<void (*)(LaunchRecord&)> disturbances{
      [](LaunchRecord&) {},
      [](LaunchRecord& launch) { launch.measurement.disturbance->steal_ns = 10'000'000; },
      [](LaunchRecord& launch) { launch.measurement.disturbance->mhz = 2000.0 + 100 * launch.round; },
      [](LaunchRecord& launch) {
        launch.measurement.disturbance->quota_throttled_ns = launch.measurement.span_ns;
      },
      [](LaunchRecord& launch) {
        launch.measurement.roles[1].cost.run_delay_ns = launch.measurement.span_ns / 3;
      },
      [](LaunchRecord& launch) { launch.measurement.span_ns *= launch.round == 1 ? 2 : 1; },
      [](LaunchRecord& launch) { launch.measurement.cache_line_round_trip_ns = 100.0 + 100 * launch.round; },
      [](LaunchRecord& launch) {
        launch.measurement.verdict = {Grade::noisy, {"few", "others"}};
      }};
  std::set<std::vector<std::string>> seen;
  for (auto* const change : disturbances) {
    ResultFile results = sample::results(20);
    results.header.precision
        .reset();  // whether it was attained is told beside the verdict, and no part of it
    set_round_trips(results, change);
    const Verdict verdict = summarize_cases(results).front().verdict;
    seen.insert(verdict.reasons);
    std::ostringstream text;
    write_results(text, results);
    LaunchTable table;
    for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) table.parse(text.str(), "r.json", side);
    const CaseComparison compared = compare(table, {}).cases.front();
    EXPECT_EQ(compared.verdict.grade, verdict.grade);
    EXPECT_EQ(compared.verdict.reasons, verdict.reasons);
  }
  EXPECT_EQ(seen.size(), disturbances.size() - 1) << "blocking roles do not stand on the cache line";
}

TEST(Compare, TellsAFailedLaunchAndAFailedCase) {
  Table table;
  table.file(0).launches(stream_over("pipe"), around(100)).launches(stream_over("tcp"), around(100));
  table.file(1).launches(stream_over("pipe"), around(100)).failure(stream_over("pipe"), "receiver 1: hung");
  table.failure(stream_over("tcp"), "sender 0: killed");
  const Comparison comparison = table.compared();
  EXPECT_EQ(comparison.cases[0].outcome, Outcome::undecided);
  EXPECT_THAT(comparison.cases[0].reasons[0], HasSubstr("receiver 1: hung"));
  EXPECT_EQ(comparison.cases[0].base_failures, 0U);
  EXPECT_EQ(comparison.cases[0].failures, 1U);
  ASSERT_THAT(comparison.lonely, SizeIs(1));
  EXPECT_TRUE(comparison.lonely[0].failed);
  EXPECT_EQ(comparison.lonely[0].lacking, 1U);
  EXPECT_EQ(comparison.lonely[0].reason, "failed: sender 0: killed");
}

TEST(Compare, JudgesNothingBetweenMachinesAndShowsTheirFloors) {
  Table table;
  table.file(0)
      .launches(stream_over("pipe"), around(100), 50)
      .file(1, "beef")
      .launches(stream_over("pipe"), around(300), 100);
  table.table.files[1].header.machine.kernel = "7.0";
  table.table.files[1].header.machine.floors.system_call_ns = 0;  // not known
  const Comparison comparison = table.compared();
  const CaseComparison& compared = comparison.cases[0];
  EXPECT_EQ(compared.outcome, Outcome::not_compared);
  EXPECT_EQ(comparison.tests, 0U);
  EXPECT_FALSE(compared.figures[0].p || compared.figures[0].change);
  EXPECT_NEAR(compared.figures[0].ratio, 1.0 / 3, 1e-3);
  EXPECT_TRUE(compared.figures[0].interval);
  ASSERT_THAT(compared.reasons, SizeIs(1));
  EXPECT_THAT(compared.reasons[0], HasSubstr("kernel 6.1.0 / 7.0"));
  ASSERT_THAT(compared.floors, SizeIs(1));
  EXPECT_EQ(compared.floors[0].name, "cache-line round trip");
  EXPECT_EQ(compared.floors[0].base_ns, 50);
  EXPECT_EQ(compared.floors[0].now_ns, 100);
}

TEST(Compare, MeasuresEachMachineByWhatTheCaseStandsOn) {
  Case c = stream_over("pipe");
  c.workload = "ping_pong";
  Table table;
  table.file(0).launches(c, around(8000), 50).file(1, "beef").launches(c, around(5000), 100);
  RoleReport sender, receiver;
  sender.granted_pus = {0};
  receiver.granted_pus = {1};
  double futex_wake_ns = 2000;
  for (SourceFile& file : table.table.files) {
    file.header.machine.floors.pairs = {{0, 1, 60, futex_wake_ns}};
    futex_wake_ns /= 2;
  }
  for (LaunchFigures& launch : table.table.launches) {
    launch.timed = table.table.texts.index_of("round_trip_ns");
    table.table.roles[launch.settings] = {sender, receiver};
  }
  const auto floors = table.compared().cases[0].floors;
  ASSERT_THAT(floors, SizeIs(3));
  EXPECT_EQ(floors[0].name, "two wake-ups");
  EXPECT_EQ(floors[0].base_ns, 4000);
  EXPECT_EQ(floors[0].now_ns, 2000);
  EXPECT_EQ(floors[2].name, "system call");
}

TEST(Compare, NamesWhatWasNotMeasuredAlike) {
  Table build;
  build.file(0).launches(stream_over("pipe"), around(100)).file(1).launches(stream_over("pipe"), around(200));
  Table settings = build;
  build.table.files[1].header.library_build_type = "debug";
  EXPECT_EQ(build.compared().cases[0].outcome, Outcome::not_compared);
  EXPECT_THAT(build.compared().cases[0].reasons, Each(HasSubstr("build release / debug")));
  Table clock = settings;
  clock.table.files[1].header.machine.clock.source = "TSC";
  EXPECT_EQ(clock.compared().cases[0].outcome, Outcome::not_compared);
  EXPECT_THAT(clock.compared().cases[0].reasons, Each(HasSubstr("clock CLOCK_MONOTONIC (tsc) / TSC")));

  for (std::size_t i = 10; i < 20; ++i) {
    settings.table.launches[i].settings = settings.table.texts.index_of("isolation: namespaces\n");
  }
  EXPECT_EQ(settings.compared().cases[0].outcome, Outcome::not_compared);
  EXPECT_THAT(settings.compared().cases[0].reasons,
              Each(HasSubstr("isolation: subreaper / isolation: namespaces")));
}

TEST(Compare, NamesCasesThatDifferInTouchOrLimitsAlone) {
  Case header = stream_over("pipe"), raised = stream_over("tcp");
  header.touch = Touch::header;
  raised.limits = Limits::raised;
  const Comparison comparison = Table()
                                    .file(0)
                                    .launches(stream_over("pipe"), around(100))
                                    .launches(raised, around(100))
                                    .file(1)
                                    .launches(header, around(50))
                                    .launches(stream_over("tcp"), around(50))
                                    .compared();
  EXPECT_THAT(comparison.cases, IsEmpty());
  ASSERT_THAT(comparison.lonely, SizeIs(4));
  EXPECT_EQ(comparison.lonely[0].reason, "there it has touch header, not full");
  EXPECT_EQ(comparison.lonely[1].reason, "there it has limits host, not raised");
}

TEST(Compare, KeepsApartWhatASideHoldsOfSeveralMachinesAndFindsEachItsOwn) {
  const Case pipe = stream_over("pipe");
  const Comparison comparison = Table()
                                    .file(0, "a")
                                    .launches(pipe, around(100))
                                    .file(0, "b")
                                    .launches(pipe, around(500))
                                    .file(1, "b")
                                    .launches(pipe, around(501))
                                    .file(1, "a")
                                    .launches(pipe, around(120))
                                    .compared();
  ASSERT_THAT(comparison.columns, SizeIs(4));
  ASSERT_THAT(comparison.cases, SizeIs(2));
  EXPECT_EQ(comparison.cases[0].outcome, Outcome::same);
  EXPECT_EQ(comparison.columns[comparison.cases[0].base_column].fingerprint, "b");
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(comparison.columns[i].base, i < 2);
  EXPECT_EQ(comparison.cases[1].outcome, Outcome::regression);
  EXPECT_THAT(comparison.notes, SizeIs(2));
  EXPECT_THAT(comparison.notes, Each(HasSubstr("are kept apart: fingerprint")));
}

TEST(Compare, KnowsTheMachinesNoiseFromSeveralRunsOfTheBase) {
  Table table;
  // Two runs of 20 cases, 8 % apart; then one 9 % and one 6 % slower than the middle.
  for (const double run : {100.0, 108.0}) {
    table.file(0);
    for (int i = 1; i <= 20; ++i) {
      Case c = stream_over("pipe");
      c.message_bytes = static_cast<std::uint64_t>(i);
      table.launches(c, around(run, 0.01));
    }
  }
  Case first = stream_over("pipe"), second = stream_over("pipe");
  first.message_bytes = 1;
  second.message_bytes = 2;
  table.file(1).launches(first, around(104 * 1.07, 0.01, 20)).launches(second, around(104 * 1.12, 0.01, 20));
  const Comparison comparison = table.compared();
  const auto noise = comparison.noise[static_cast<std::size_t>(Figure::messages_per_second)];
  ASSERT_TRUE(noise);
  EXPECT_NEAR(*noise, 0.08, 1e-6);
  EXPECT_NE(comparison.cases[0].outcome, Outcome::regression);
  EXPECT_EQ(comparison.cases[1].outcome, Outcome::regression);
  EXPECT_FALSE(comparison.noise[static_cast<std::size_t>(Figure::p50)]);
}

TEST(Compare, TakesNoOutlierAndNothingNoisyForTheMachinesNoise) {
  Table table;
  for (const double run : {100.0, 102.0}) {
    table.file(0);
    for (int i = 1; i <= 21; ++i) {
      Case c = stream_over("pipe");
      c.message_bytes = static_cast<std::uint64_t>(i);
      const bool outlier = i == 1 && run > 101, noisy = i == 2;
      table.launches(c, around(outlier ? 300 : noisy ? run * run : run, noisy ? 0.5 : 0.01));
    }
  }
  table.file(1);
  const auto noise = table.compared().noise[static_cast<std::size_t>(Figure::messages_per_second)];
  ASSERT_TRUE(noise) << "20 pairs of runs are ok";
  EXPECT_NEAR(*noise, 0.02, 1e-6);
  table.failure(stream_over("pipe"), "nowhere");
  for (std::uint32_t file : {0U, 1U}) {
    table.table.failures.push_back({table.table.case_index(table.table.ids[5]), file, 0});
  }
  EXPECT_FALSE(table.compared().noise[static_cast<std::size_t>(Figure::messages_per_second)])
      << "now only 19 are";
}

TEST(Compare, ComparesByAKeyOfTheCase) {
  Table table;
  table.file(0).launches(stream_over("tcp"), around(300)).launches(stream_over("pipe"), around(100));
  table.launches(stream_over("fifo"), around(101));
  const Comparison comparison = table.compared({.by = "transport"});
  EXPECT_FALSE(comparison.same_case);
  ASSERT_THAT(comparison.columns, SizeIs(3));
  EXPECT_EQ(comparison.columns[0].label, "fifo");
  ASSERT_THAT(comparison.cases, SizeIs(2));
  EXPECT_EQ(comparison.cases[0].outcome, Outcome::same);
  EXPECT_EQ(comparison.cases[1].outcome, Outcome::regression);
  EXPECT_THAT(comparison.cases[0].id, testing::Not(HasSubstr("transport")));
  EXPECT_EQ(table.compared({.by = "transport=tcp"}).columns[0].label, "tcp");
}

TEST(Compare, OrdersSizesByTheirNumberAndTakesAKeyThatMostCasesLack) {
  Table table;
  table.file(0);
  for (const std::uint64_t bytes : {4096U, 64U, 1000U}) {
    Case c = stream_over("pipe");
    c.message_bytes = bytes;
    table.launches(c, around(100));
  }
  std::vector<std::string> labels;
  for (const Column& column : table.compared({.by = "size"}).columns) labels.push_back(column.label);
  EXPECT_EQ(labels, (std::vector<std::string>{"64", "1000", "4Ki"}));

  Case bursts = stream_over("pipe");
  bursts.burst = 8;
  bursts.message_bytes = 64;
  table.launches(bursts, around(100));
  const Comparison comparison = table.compared({.by = "burst"});
  ASSERT_THAT(comparison.columns, SizeIs(2));
  EXPECT_EQ(comparison.columns[0].label, "0");
  EXPECT_THAT(comparison.cases, SizeIs(1));
}

TEST(Compare, OrdersDurationsAndRatesByWhatTheySay) {
  Table table;
  table.file(0);
  for (const std::uint64_t value : {100U, 120U, 20U}) {
    Case c = stream_over("pipe");
    c.gap_ns = value * 1000;
    table.launches(c, around(100));
    c.gap_ns *= 1000;
    table.launches(c, around(100));
    c.gap_ns = 0;
    c.rate = {value, true};
    table.launches(c, around(100));
    c.rate = {value * 1000};
    table.launches(c, around(100));
  }
  const auto labels = [&](const std::string& by) {
    std::vector<std::string> found;
    for (const Column& column : table.compared({.by = by}).columns) found.push_back(column.label);
    return found;
  };
  EXPECT_THAT(labels("gap"), testing::ElementsAre("0", "20us", "100us", "120us", "20ms", "100ms", "120ms"));
  EXPECT_THAT(labels("rate"),
              testing::ElementsAre(testing::_, "20000", "100000", "120000", "20%", "100%", "120%"));
}

TEST(Compare, ComparesByAKeyOfTheMachine) {
  Table table;
  table.file(0).launches(stream_over("pipe"), around(100)).file(0).launches(stream_over("pipe"), around(120));
  table.table.files[1].header.machine.settings = {{"governor", "powersave"}};
  const Comparison comparison = table.compared({.by = "governor"});
  EXPECT_EQ(comparison.columns[0].label, "performance");
  EXPECT_EQ(comparison.columns[1].label, "powersave");
  EXPECT_EQ(comparison.cases[0].outcome, Outcome::regression) << "one fingerprint is one machine";
  EXPECT_EQ(table.compared({.by = "governor=powersave"}).cases[0].outcome, Outcome::improvement);
}

TEST(Compare, RefusesAKeyThatIsNone) {
  Table table;
  table.file(0).launches(stream_over("pipe"), around(100));
  const auto error = [&](const std::string& by) {
    try {
      table.compared({.by = by});
    } catch (const std::invalid_argument& refused) {
      return std::string(refused.what());
    }
    return std::string("no error");
  };
  EXPECT_THAT(error("colour"), HasSubstr("'colour' is no key of these files; allowed: workload, transport"));
  EXPECT_THAT(error("transport=tcp"), HasSubstr("no result has transport tcp; there are pipe"));
}

TEST(Compare, NamesFilesOfSeveralCommitsThatItTakesTogether) {
  Table table;
  table.file(0)
      .launches(stream_over("pipe"), around(100))
      .file(0)
      .file(1)
      .launches(stream_over("pipe"), around(100));
  table.table.files[0].header.context = {{"ipcmark_commit", "one"}};
  table.table.files[1].header.context = {{"ipcmark_commit", "two"}};
  EXPECT_THAT(table.compared().notes,
              testing::ElementsAre(HasSubstr("more than one commit are taken together: one, two")));
}

// ---- what is promised of a gate, simulated ----

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int suites = 20;  // the sanitizers see as much in these
#else
constexpr int suites = 1000;
#endif
constexpr int cases_of_a_suite = 60;

// Two runs of a suite on one machine, the second `slowdown` times as slow in its first case.
class TwoRuns {
 public:
  TwoRuns(int launches, double noise, double slowdown)
      : launches_(launches), noise_(0, noise), slowdown_(slowdown) {
    for (std::size_t side = 0; side < 2; ++side) {
      table_.file(side);
      for (int i = 1; i <= cases_of_a_suite; ++i) {
        Case c = stream_over("pipe");
        c.message_bytes = static_cast<std::uint64_t>(i);
        table_.launches(c, around(1000, 0, launches));
      }
    }
  }
  Comparison drawn(std::mt19937_64& random) {
    std::size_t at = 0;
    for (LaunchFigures& launch : table_.table.launches) {
      const std::size_t of_second_run = static_cast<std::size_t>(cases_of_a_suite * launches_);
      const bool slow = at >= of_second_run && at < of_second_run + static_cast<std::size_t>(launches_);
      launch.span_ns = static_cast<std::uint64_t>(1e9 * noise_(random) * (slow ? slowdown_ : 1));
      ++at;
    }
    return table_.compared();
  }

 private:
  Table table_;
  int launches_;
  std::lognormal_distribution<double> noise_;
  double slowdown_;
};

// As if noisy results could decide: a spread as wide as here would keep most of them from it.
Outcome statistical(const CaseComparison& compared) { return compared.would_be.value_or(compared.outcome); }

TEST(Gate, GivesAFalseAlarmInOneOfAHundredSuitesAtMost) {
  std::mt19937_64 random(2027);
  TwoRuns runs(10, 0.15, 1);
  int false_alarms = 0;
  double uncorrected = 0;
  for (int suite = 0; suite < suites; ++suite) {
    const Comparison comparison = runs.drawn(random);
    ASSERT_EQ(comparison.tests, static_cast<std::size_t>(cases_of_a_suite));
    bool alarm = false;
    for (const CaseComparison& compared : comparison.cases) {
      alarm = alarm || statistical(compared) == Outcome::regression;
      uncorrected += *compared.figures.front().p < change_level;
    }
    false_alarms += alarm;
  }
  EXPECT_LE(false_alarms, suites / 100);
  // Each test by itself cries as often as its level says; without the correction half of the suites would.
  EXPECT_NEAR(uncorrected / (suites * cases_of_a_suite), change_level, suites < 1000 ? 0.01 : 0.002);
}

TEST(Gate, FindsASlowdownOfTwelvePercentUnderNoiseOfFive) {
  std::mt19937_64 random(2028);
  const int tries = suites / 5;
  TwoRuns runs(20, 0.05, 1.12);
  int found = 0, others = 0;
  for (int suite = 0; suite < tries; ++suite) {
    const Comparison comparison = runs.drawn(random);
    found += comparison.cases.front().outcome == Outcome::regression;
    for (const CaseComparison& compared : comparison.cases)
      others += &compared != &comparison.cases.front() && statistical(compared) == Outcome::regression;
  }
  EXPECT_GE(found, 0.95 * tries) << "of " << tries;
  EXPECT_LE(others, tries / 100);
}

}  // namespace
}  // namespace ipcmark
