#include "harness/command/console.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "harness/text.h"

namespace ipcmark {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Statistic statistic(double median, double half_interval = 0) {
  Statistic made{.median = median, .interval = {}, .min = median, .max = median, .launches = 6};
  if (half_interval > 0) made.interval = Interval{median - half_interval, median + half_interval};
  return made;
}

CaseSummary ping_pong(std::string transport) {
  CaseSummary summary;
  summary.benchmark_case.workload = "ping_pong";
  summary.benchmark_case.transport = std::move(transport);
  summary.benchmark_case.placement = "same_l3";
  summary.verdict = {Grade::ok, {"6 launches agree"}};
  summary.ns_per_message = statistic(10'000);
  summary.cpu_ns_per_message = statistic(7'300);
  summary.p50_ns = statistic(9'840, 118);
  summary.p99_ns = statistic(12'100);
  return summary;
}

CaseSummary stream(std::string transport) {
  CaseSummary summary = ping_pong(std::move(transport));
  summary.benchmark_case.workload = "stream";
  summary.p50_ns = summary.p99_ns = std::nullopt;
  summary.messages_per_second = statistic(1'234'567, 12'345);
  summary.bytes_per_second = statistic(78'900'000);
  return summary;
}

std::vector<std::string> filled_lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (const std::string_view line : split(text, '\n')) {
    if (!line.empty()) lines.emplace_back(line);
  }
  return lines;
}

// The words of a line, however far apart.
std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  for (const std::string_view word : split(line, ' ')) {
    if (!word.empty()) words.emplace_back(word);
  }
  return words;
}

TEST(CaseTable, SaysOfARoundTripItsPercentilesPrecisionCostAndVerdict) {
  const auto lines = filled_lines_of(case_table({ping_pong("pipe")}, false, 0));
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0], "ping_pong");
  EXPECT_THAT(words_of(lines[2]), ElementsAre("pipe", "64", "B", "default", "block", "copy", "same_l3",
                                              "9.84", "µs", "12.1", "µs", "±1.2", "%", "7.30", "µs", "ok"));
}

TEST(CaseTable, SaysOfAStreamItsRates) {
  const auto lines = filled_lines_of(case_table({stream("pipe")}, false, 0));
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_THAT(words_of(lines[2]),
              ElementsAre("pipe", "64", "B", "default", "block", "copy", "same_l3", "1.23", "M/s", "78.9",
                          "MB/s", "±1.0", "%", "7.30", "µs", "ok"));
}

TEST(CaseTable, SaysWhatACaseHasBeyondTheParametersOfAllAndWhatItObserved) {
  CaseSummary summary = stream("pipe");
  summary.benchmark_case.overflow = Overflow::drop_new;
  summary.benchmark_case.work = 10;
  summary.observations = {{"dropped", "messages", statistic(12'300)},
                          {"opened_by_fork", "1: yes", statistic(1)},
                          {"close", "ns, median", statistic(2'500)},
                          {"jain_index", "ratio", statistic(0.98765)},
                          {"create", "ns", statistic(1'500)}};
  const auto lines = filled_lines_of(case_table({summary, stream("fifo")}, false, 0));
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_THAT(lines[2], HasSubstr("same_l3    overflow:drop_new work:10"));
  EXPECT_EQ(
      lines[3],
      "      dropped 12.3 k messages, opened_by_fork yes, close 2.50 µs, jain_index 0.988, create 1.50 µs");
}

TEST(CaseTable, GroupsByWorkloadAndAlignsAllLinesOfAGroup) {
  CaseSummary wide = ping_pong("unix_seqpacket");
  wide.benchmark_case.message_bytes = 1 << 20;
  wide.p50_ns = statistic(999, 1);
  const auto lines = filled_lines_of(case_table({ping_pong("pipe"), stream("pipe"), wide}, false, 0));
  ASSERT_EQ(lines.size(), 7u);
  EXPECT_EQ(lines[0], "ping_pong");
  EXPECT_EQ(lines[4], "stream");
  const std::size_t verdict = text_width(lines[1].substr(0, lines[1].find("verdict")));
  EXPECT_EQ(text_width(lines[2]), verdict + 2);
  EXPECT_EQ(text_width(lines[3]), verdict + 2);
}

TEST(CaseTable, GivesTheFirstReasonOfAVerdictThatIsNotOk) {
  CaseSummary summary = ping_pong("pipe");
  summary.verdict = {Grade::noisy, {"launches differ by 30 %", "preempted"}};
  const std::string table = case_table({summary}, false, 0);
  EXPECT_THAT(table, HasSubstr("noisy: launches differ by 30 %"));
  EXPECT_THAT(table, Not(HasSubstr("preempted")));
}

TEST(CaseTable, LeavesADashWhereThereIsNoFigureAndMarksPooledOnes) {
  CaseSummary summary = ping_pong("pipe");
  summary.p50_ns = statistic(9'840);
  summary.p99_ns = std::nullopt;
  EXPECT_THAT(words_of(filled_lines_of(case_table({summary}, false, 0))[2]),
              ElementsAre("pipe", "64", "B", "default", "block", "copy", "same_l3", "9.84", "µs", "–", "–",
                          "7.30", "µs", "ok"));
  summary.pooled =
      PooledPercentiles{.p50_ns = {}, .p90_ns = {}, .p99_ns = 12'100, .p999_ns = {}, .launches_pooled = 6};
  const std::string table = case_table({summary}, false, 0);
  EXPECT_THAT(table, HasSubstr("12.1 µs*"));
  EXPECT_THAT(table, HasSubstr("* from the samples of all launches together"));
}

TEST(CaseTable, ShowsNoIntervalOfASchedule) {
  CaseSummary summary = ping_pong("pipe");
  summary.ns_per_message = statistic(10'000, 500);
  summary.p50_ns = summary.p99_ns = std::nullopt;
  summary.pooled =
      PooledPercentiles{.p50_ns = 9'000, .p90_ns = {}, .p99_ns = {}, .p999_ns = {}, .launches_pooled = 6};
  EXPECT_THAT(case_table({summary}, false, 0), HasSubstr("±5.0 %"));
  summary.scheduled = true;
  const std::string table = case_table({summary}, false, 0);
  EXPECT_THAT(words_of(filled_lines_of(table)[2]),
              ElementsAre("pipe", "64", "B", "default", "block", "copy", "same_l3", "9.00", "µs*", "–", "–",
                          "7.30", "µs", "ok"));
  EXPECT_THAT(table, HasSubstr("* from the samples of all launches together"));
}

TEST(CaseTable, HasNoFiguresForWhatDidNotComplete) {
  CaseSummary summary = stream("pipe");
  summary.observations = {{"completed", "ratio", statistic(1)}};
  EXPECT_THAT(case_table({summary}, false, 0), HasSubstr("1.23 M/s"));
  summary.observations = {{"completed", "ratio", statistic(0)},
                          {"deadlock_after", "messages", statistic(128)}};
  const auto lines = filled_lines_of(case_table({summary}, false, 0));
  EXPECT_THAT(words_of(lines[2]), ElementsAre("pipe", "64", "B", "default", "block", "copy", "same_l3", "–",
                                              "–", "–", "–", "ok"));
  EXPECT_EQ(lines[3], "      completed 0, deadlock_after 128 messages");
}

TEST(CaseTable, AddsUpTheSwitchesAndSystemCallsOfTheRoles) {
  CaseSummary summary = ping_pong("pipe");
  summary.costs.resize(2);
  summary.costs[0].voluntary_switches = 1;
  summary.costs[0].involuntary_switches = 0.25;
  summary.costs[1].voluntary_switches = 0.5;
  EXPECT_THAT(case_table({summary}, false, 0),
              AllOf(HasSubstr("switches"), HasSubstr(" 1.75 "), Not(HasSubstr("calls"))));
  summary.costs[0].system_calls = 2.01;
  summary.costs[1].system_calls = 40;
  EXPECT_THAT(case_table({summary}, false, 0), AllOf(HasSubstr("calls"), HasSubstr(" 42 ")));
}

TEST(CaseTable, ColoursNothingUnlessAsked) {
  EXPECT_THAT(case_table({ping_pong("pipe")}, false, 0), Not(HasSubstr("\x1b")));
  EXPECT_THAT(case_table({ping_pong("pipe")}, true, 0), HasSubstr("\x1b[32mok\x1b[0m"));
}

CaseSummary paced(std::uint64_t percent, double p99_ns) {
  CaseSummary summary = ping_pong("pipe");
  summary.benchmark_case.workload = "paced";
  summary.benchmark_case.rate = {percent, true};
  summary.benchmark_case.p99_bound_ns = 1'000'000;
  summary.observations = {
      {"saturation", "messages_per_second", statistic(2e6)},
      {"offered", "messages_per_second", statistic(20'000 * static_cast<double>(percent))}};
  summary.load = 0.01 * static_cast<double>(percent);
  summary.p99_ns = statistic(p99_ns);
  return summary;
}

TEST(CaseTable, EndsWithTheKneeOfEachLoadCurve) {
  const std::string curve = "knee  pipe 64 B default block copy same_l3: p99 ";
  EXPECT_EQ(filled_lines_of(case_table({paced(50, 1e5), paced(80, 9e5), paced(90, 2e6)}, false, 0)).back(),
            curve + "under 1ms up to 80% of saturation, 1.60 M/s");
  EXPECT_EQ(filled_lines_of(case_table({paced(50, 3e6), paced(80, 9e6)}, false, 0)).back(),
            curve + "under 1ms at no load from 1.00 M/s on");
  CaseSummary withheld = paced(50, 1e5);
  withheld.p99_ns.reset();
  EXPECT_EQ(filled_lines_of(case_table({withheld}, false, 0)).back(),
            curve + "under 1ms not known: no valid case has a p99");
  const std::string table = case_table({paced(50, 1e5)}, false, 0);
  EXPECT_THAT(table, HasSubstr("response p99"));
  EXPECT_THAT(table, HasSubstr("offered 1.00 M/s"));
}

TEST(CaseTable, OfNothingIsEmpty) { EXPECT_EQ(case_table({}, false, 0), ""); }

RunProgress progress_at(double elapsed_s, std::string_view id = "workload:stream/transport:pipe") {
  return {.stage = "round 2 of 6",
          .launches_done = 12,
          .launches_planned = 60,
          .elapsed_s = elapsed_s,
          .remaining_s = 125,
          .case_id = id};
}

TEST(Progress, IsAPlainLineEveryTenSecondsWhereThereIsNoTerminal) {
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  {
    ProgressPrinter printer(file);
    for (const double elapsed_s : {0.0, 1.0, 9.9, 10.1, 15.0}) printer.show(progress_at(elapsed_s));
    printer.clear();
  }
  std::rewind(file);
  std::array<char, 4096> buffer{};
  const std::string text(buffer.data(), std::fread(buffer.data(), 1, buffer.size(), file));
  std::fclose(file);
  EXPECT_EQ(filled_lines_of(text).size(), 2u);
  EXPECT_EQ(filled_lines_of(text)[0], "round 2 of 6  12/60  2 min 05 s left  workload:stream/transport:pipe");
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

class Terminal {
 public:
  explicit Terminal(unsigned short columns) {
    winsize size{.ws_row = 24, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    int end = -1;
    if (openpty(&screen_, &end, nullptr, nullptr, &size) != 0) return;
    fcntl(screen_, F_SETFL, O_NONBLOCK);
    stream_ = fdopen(end, "w");
  }
  ~Terminal() {
    if (stream_ != nullptr) std::fclose(stream_);
    if (screen_ >= 0) ::close(screen_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  std::FILE* stream() { return stream_; }
  std::string shown() {
    std::fflush(stream_);
    std::array<char, 4096> buffer;
    const ssize_t length = ::read(screen_, buffer.data(), buffer.size());
    return {buffer.data(), length > 0 ? static_cast<std::size_t>(length) : 0};
  }

 private:
  int screen_ = -1;
  std::FILE* stream_ = nullptr;
};

TEST(Progress, IsOneLineWrittenOverThatNeverWrapsOnATerminal) {
  Terminal terminal(40);
  if (terminal.stream() == nullptr) GTEST_SKIP() << "no pseudo-terminal here";
  ProgressPrinter printer(terminal.stream());
  printer.show(progress_at(0, "µ" + std::string(100, 'x')));
  const std::string shown = terminal.shown();
  EXPECT_EQ(shown.substr(0, 4), "\r\x1b[K");
  EXPECT_THAT(shown, Not(HasSubstr("\n")));
  EXPECT_EQ(text_width(shown.substr(4)), 39u);
  printer.show(progress_at(0.01));
  EXPECT_EQ(terminal.shown(), "") << "a terminal is not written to faster than it can be read";
  printer.show(progress_at(1));
  EXPECT_THAT(terminal.shown(), HasSubstr("12/60"));
  printer.clear();
  EXPECT_EQ(terminal.shown(), "\r\x1b[K");
  printer.clear();
  EXPECT_EQ(terminal.shown(), "");
}

TEST(Colour, IsForTerminalsWithoutNoColor) {
  Terminal terminal(80);
  if (terminal.stream() == nullptr) GTEST_SKIP() << "no pseudo-terminal here";
  unsetenv("NO_COLOR");
  EXPECT_TRUE(wants_colour(terminal.stream()));
  setenv("NO_COLOR", "1", 1);
  EXPECT_FALSE(wants_colour(terminal.stream()));
  unsetenv("NO_COLOR");
  std::FILE* file = std::tmpfile();
  EXPECT_FALSE(wants_colour(file));
  std::fclose(file);
}

TEST(Columns, AreTheTerminalsElseThoseOfTheEnvironment) {
  Terminal terminal(57);
  if (terminal.stream() == nullptr) GTEST_SKIP() << "no pseudo-terminal here";
  EXPECT_EQ(columns_of(terminal.stream()), 57u);
  std::FILE* file = std::tmpfile();
  setenv("COLUMNS", "72", 1);
  EXPECT_EQ(columns_of(file), 72u);
  setenv("COLUMNS", "wide", 1);
  EXPECT_EQ(columns_of(file), 100u);
  unsetenv("COLUMNS");
  EXPECT_EQ(columns_of(file), 100u);
  std::fclose(file);
}

}  // namespace
}  // namespace ipcmark
