#include "harness/command/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <utility>

namespace ipcmark {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

const KnownNames known{{"fifo", "pipe", "posix_mq", "posix_shm"}, {"ping_pong", "stream"}, "1.2.3"};

using Words = std::vector<std::string>;

template <class T>
T parsed(Words words) {
  return std::get<T>(parse_options(std::move(words), known));
}

std::string refusal(Words words) {
  try {
    parse_options(std::move(words), known);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(Options, OfABareRunAskForNothing) {
  const RunOptions run = parsed<RunOptions>({"run"});
  EXPECT_TRUE(run.cases.narrowing.empty());
  EXPECT_FALSE(run.cases.suite || run.cases.launches || run.cases.min_time_ns || run.cases.seed ||
               run.cases.filter);
  EXPECT_FALSE(run.dry_run || run.list_tests || run.resume || run.quiet || run.output || run.time_limit_ns);
}

TEST(Options, OfACompareNameAKeyAndItsBaseOrNeither) {
  for (const char* by : {"=1", "=", "transport="})
    EXPECT_THAT(refusal({"compare", "a.json", "--by", by}), HasSubstr("allowed: KEY or KEY=BASE")) << by;
}

TEST(Options, OfARunAreAllTaken) {
  const RunOptions run = parsed<RunOptions>({"run",
                                             "--suite",
                                             "sizes",
                                             "--transport",
                                             "pipe,posix_shm",
                                             "--workload=stream",
                                             "--wait",
                                             "block+spin,*",
                                             "--access",
                                             "loan+copy",
                                             "--size",
                                             "100,64..256",
                                             "--capacity",
                                             "default,0,16",
                                             "--limits",
                                             "raised",
                                             "--placement",
                                             "same_l3|same_pu,0+1",
                                             "--senders",
                                             "1",
                                             "--receivers",
                                             "1",
                                             "--touch",
                                             "header",
                                             "--sched",
                                             "fifo:5",
                                             "--launches",
                                             "12",
                                             "--precision",
                                             "2.5%",
                                             "--min-time",
                                             "20ms",
                                             "--time-limit",
                                             "1min",
                                             "--seed",
                                             "7",
                                             "--dry-run",
                                             "-o",
                                             "x.json",
                                             "--on-start",
                                             "perf stat -p $IPCMARK_PIDS & echo $! >pid",
                                             "--on-end=kill -INT $(cat pid)",
                                             "--resume",
                                             "--quiet"});
  const Narrowing& narrowing = run.cases.narrowing;
  EXPECT_EQ(run.cases.suite, "sizes");
  EXPECT_THAT(narrowing.transports, ElementsAre("pipe", "posix_shm"));
  EXPECT_THAT(narrowing.workloads, ElementsAre("stream"));
  ASSERT_EQ(narrowing.waits.size(), 2u);
  EXPECT_EQ(to_string(narrowing.waits[0]), "block+spin");
  EXPECT_TRUE(narrowing.waits[1].every);
  EXPECT_EQ(to_string(narrowing.accesses.at(0)), "loan+copy");
  EXPECT_THAT(narrowing.message_bytes, ElementsAre(100, 64, 128, 256));
  EXPECT_THAT(narrowing.capacities, ElementsAre(Capacity{}, Capacity::rendezvous(), Capacity::bounded(16)));
  EXPECT_EQ(narrowing.limits, Limits::raised);
  EXPECT_EQ(to_string(narrowing.placements.at(0)), "same_l3|same_pu");
  EXPECT_EQ(to_string(narrowing.placements.at(1)), "0+1");
  EXPECT_EQ(narrowing.touch, Touch::header);
  EXPECT_EQ(narrowing.sched, "fifo:5");
  EXPECT_EQ(run.cases.launches, 12u);
  EXPECT_DOUBLE_EQ(run.cases.precision.value(), 0.025);
  EXPECT_EQ(run.cases.min_time_ns, 20'000'000u);
  EXPECT_EQ(run.time_limit_ns, 60'000'000'000u);
  EXPECT_EQ(run.cases.seed, 7u);
  EXPECT_EQ(run.output, "x.json");
  EXPECT_EQ(run.on_start, "perf stat -p $IPCMARK_PIDS & echo $! >pid");
  EXPECT_EQ(run.on_end, "kill -INT $(cat pid)");
  EXPECT_TRUE(run.dry_run && run.resume && run.quiet);
}

TEST(Options, ASizeListWithWeightsIsOneMix) {
  for (const char* text : {"64:90,4Ki:10", "4Ki:10,64:90", "64:90+4096:10"}) {
    const Narrowing narrowing = parsed<RunOptions>({"run", "--size", text}).cases.narrowing;
    EXPECT_THAT(narrowing.message_bytes, IsEmpty());
    EXPECT_THAT(narrowing.further, ElementsAre(testing::Pair("mix", ElementsAre("64:90+4Ki:10"))));
  }
  EXPECT_THAT(parsed<RunOptions>({"run", "--size", "64,4Ki"}).cases.narrowing.further, IsEmpty());
}

TEST(Options, TakeOutputByEitherName) {
  for (const Words& words :
       {Words{"run", "-o", "a"}, {"run", "--output", "a"}, {"run", "--output=a"}, {"run", "-o=a"}}) {
    EXPECT_EQ(parsed<RunOptions>(words).output, "a");
  }
  EXPECT_EQ(parsed<RunOptions>({"run", "-o", "-"}).output, "-");
}

TEST(Options, OfListSayWhatAndWhichCases) {
  EXPECT_EQ(parsed<ListOptions>({"list"}).what, ListOptions::What::transports);
  EXPECT_EQ(parsed<ListOptions>({"list", "workloads"}).what, ListOptions::What::workloads);
  EXPECT_EQ(parsed<ListOptions>({"list", "placements"}).what, ListOptions::What::placements);
  EXPECT_EQ(parsed<ListOptions>({"list", "suites"}).what, ListOptions::What::suites);
  const ListOptions list =
      parsed<ListOptions>({"list", "cases", "--suite", "quick", "--size", "1Ki", "--json"});
  EXPECT_EQ(list.what, ListOptions::What::cases);
  EXPECT_EQ(list.cases.suite, "quick");
  EXPECT_THAT(list.cases.narrowing.message_bytes, ElementsAre(1024));
  EXPECT_TRUE(list.json);
}

TEST(Options, OfACompareNameSidesAndRules) {
  const CompareOptions compare = parsed<CompareOptions>(
      {"compare", "old", "new.json", "newer.json", "--threshold", "7.5%", "--json", "--fail-on-regression"});
  EXPECT_THAT(compare.paths, ElementsAre("old", "new.json", "newer.json"));
  EXPECT_DOUBLE_EQ(compare.rules.threshold, 0.075);
  EXPECT_TRUE(compare.json && compare.fail_on_regression && !compare.markdown);
  EXPECT_DOUBLE_EQ(parsed<CompareOptions>({"compare", "a", "b", "--threshold=10"}).rules.threshold, 0.1);

  const CompareOptions by =
      parsed<CompareOptions>({"compare", "a.json", "--by", "transport=pipe", "--markdown"});
  EXPECT_EQ(by.rules.by, "transport=pipe");
  EXPECT_DOUBLE_EQ(by.rules.threshold, least_threshold);
}

TEST(Options, OfTheOtherCommands) {
  const ReportOptions report = parsed<ReportOptions>({"report", "a.json", "b.json", "-o", "out"});
  EXPECT_THAT(report.files, ElementsAre("a.json", "b.json"));
  EXPECT_EQ(report.directory, "out");
  EXPECT_FALSE(parsed<DoctorOptions>({"doctor"}).json);
  EXPECT_TRUE(parsed<DoctorOptions>({"doctor", "--json"}).json);
  parsed<CleanOptions>({"clean"});
}

TEST(Options, AnswerVersionAndHelp) {
  EXPECT_EQ(parsed<TextAnswer>({"--version"}).text, "ipcmark 1.2.3\n");
  for (const Words& words : {Words{}, {"--help"}, {"-h"}}) {
    EXPECT_THAT(parsed<TextAnswer>(words).text, HasSubstr("Examples:"));
  }
  for (const char* command : {"run", "list", "compare", "report", "export", "doctor", "clean"}) {
    EXPECT_THAT(parsed<TextAnswer>({command, "--help"}).text, HasSubstr(std::string("ipcmark ") + command));
  }
}

TEST(GoogleBenchmarkOptions, AreTranslated) {
  const RunOptions run = parsed<RunOptions>(
      {"run", "--benchmark_filter=-transport:pipe", "--benchmark_list_tests", "--benchmark_repetitions=9",
       "--benchmark_min_time=0.5", "--benchmark_context=branch=main", "--benchmark_context=note=a=b"});
  EXPECT_EQ(run.cases.filter, "-transport:pipe");
  EXPECT_TRUE(run.list_tests);
  EXPECT_EQ(run.cases.launches, 9u);
  EXPECT_EQ(run.cases.min_time_ns, 500'000'000u);
  ASSERT_EQ(run.context.size(), 2u);
  EXPECT_EQ(run.context[0].name, "branch");
  EXPECT_EQ(run.context[0].value, "main");
  EXPECT_EQ(run.context[1].value, "a=b");
  EXPECT_EQ(parsed<RunOptions>({"run", "--benchmark_min_time=0.5s"}).cases.min_time_ns, 500'000'000u);
  EXPECT_FALSE(parsed<RunOptions>({"run", "--benchmark_list_tests=false"}).list_tests);
}

TEST(Filter, FindsLeavesOutOrTakesAll) {
  const auto matches = [](const std::string& filter) {
    return Filter(filter).matches("transport:pipe/size:64");
  };
  EXPECT_TRUE(matches("pipe/size"));
  EXPECT_TRUE(matches("size:6[[:digit:]]$"));
  EXPECT_TRUE(matches("(fifo|pi{1,2}pe)/"));
  EXPECT_FALSE(matches("^size"));
  EXPECT_FALSE(matches("-pipe"));
  EXPECT_TRUE(matches("-fifo"));
  EXPECT_TRUE(matches("all"));
}

TEST(Filter, EndsWhateverTheExpression) {
  const std::string id(400, 'a');
  const auto repeated = [](std::string_view text, int times) {
    std::string all;
    for (int i = 0; i < times; ++i) all += text;
    return all;
  };
  for (const std::string& expression :
       {std::string("(a*)*b"), std::string("(a+a+)+y"), std::string("(a|aa|a?)*$b"),
        repeated("a?", 500) + repeated("a", 500), repeated("(", 20'000) + "b" + repeated(")+", 20'000)}) {
    EXPECT_FALSE(Filter(expression).matches(id)) << expression.substr(0, 20);
  }
  for (const char* expression :
       {"(((a{1,100}){1,100}){1,100}){1,100}", "(a)\\1", "a{1,99999999}", "(?=a)", "*"}) {
    EXPECT_THROW(Filter{expression}, UsageError) << expression;
  }
}

struct Misuse {
  Words words;
  std::string begins;    // the option at fault
  std::string contains;  // what is allowed
};

void PrintTo(const Misuse& misuse, std::ostream* stream) { *stream << testing::PrintToString(misuse.words); }

class MisusedOptions : public testing::TestWithParam<Misuse> {};

TEST_P(MisusedOptions, AreToldInOneLineThatNamesTheOptionAndWhatIsAllowed) {
  const std::string message = refusal(GetParam().words);
  EXPECT_THAT(message, StartsWith(GetParam().begins));
  EXPECT_THAT(message, HasSubstr(GetParam().contains));
  EXPECT_THAT(message, Not(HasSubstr("\n")));
}

INSTANTIATE_TEST_SUITE_P(
    All, MisusedOptions,
    testing::Values(
        Misuse{{"run", "--transport", "pip"}, "--transport: unknown transport 'pip'", "did you mean pipe?"},
        Misuse{{"run", "--transport", "zmq"}, "--transport:", "known: fifo, pipe, posix_mq, posix_shm"},
        Misuse{{"run", "--transport", "pipe,"}, "--transport: unknown transport ''", "known:"},
        Misuse{
            {"run", "--workload", "streem"}, "--workload: unknown workload 'streem'", "did you mean stream?"},
        Misuse{{"run", "--size", "0"}, "--size: '0'", "1 to 1Ti bytes"},
        Misuse{{"run", "--size", "10Ti"}, "--size: '10Ti'", "1 to 1Ti bytes"},
        Misuse{{"run", "--size", "-1"}, "--size: '-1'", "1 to 1Ti bytes"},
        Misuse{{"run", "--size", "64,,128"}, "--size: ''", "64..1Mi*4"},
        Misuse{{"run", "--size", "128..64"}, "--size: '128..64'", "a range 64..1Mi"},
        Misuse{{"run", "--size", "64:90,4Ki"}, "--size: '64:90,4Ki'", "a weight with every size"},
        Misuse{{"run", "--size", "64,4Ki:10"}, "--size: '64,4Ki:10'", "a weight with every size"},
        Misuse{{"run", "--size", "64:0,4Ki:10"}, "--size: '64:0,4Ki:10'", "1 in 65536"},
        Misuse{{"run", "--size", "64:-3,4Ki:10"}, "--size: '64:-3,4Ki:10'", "a whole number"},
        Misuse{{"run", "--size", "64:1,64:2"}, "--size: '64:1,64:2'", "no size twice"},
        Misuse{{"run", "--size", "64..4Ki:2"}, "--size: '64..4Ki:2'", "64:90,4Ki:10"},
        Misuse{{"run", "--mix", "64:1"}, "run: unknown option '--mix'", ""},
        Misuse{{"run", "--capacity", "-1"}, "--capacity: '-1'", "default, 0 (rendezvous)"},
        Misuse{{"run", "--capacity=-1"}, "--capacity: '-1'", "a number of messages, unbounded"},
        Misuse{{"run", "--wait", "sleep"}, "--wait: 'sleep'", "block, poll, epoll, spin"},
        Misuse{{"run", "--wait", "block+"}, "--wait: 'block+'", "send+receive"},
        Misuse{{"run", "--access", "steal"}, "--access: 'steal'", "copy, loan"},
        Misuse{{"run", "--limits", "low"}, "--limits: 'low'", "host, raised"},
        Misuse{{"run", "--placement", "same_room"}, "--placement: 'same_room'", "same_pu, same_core"},
        Misuse{{"run", "--touch", "all"}, "--touch: 'all'", "full, header"},
        Misuse{{"run", "--sched", "fifo:100"}, "--sched: 'fifo:100'", "fifo:N with N from 1 to 99"},
        Misuse{{"run", "--senders", "0"}, "--senders: '0'", "allowed: a whole number from 1"},
        Misuse{{"run", "--receivers", "-1"}, "--receivers: '-1'", "allowed: a whole number from 1"},
        Misuse{
            {"run", "--overflow", "drop"}, "--overflow: 'drop'", "allowed: wait, fail, drop_new, drop_old"},
        Misuse{{"run", "--delivery", "all"}, "--delivery: 'all'", "allowed: first, exclusive, notify"},
        Misuse{{"run", "--work", "-1"}, "--work: '-1'", "allowed: a whole number up to 1000000000"},
        Misuse{{"run", "--reply-size", "10Ti"}, "--reply-size: '10Ti'", "allowed: 0, 64"},
        Misuse{{"run", "--launches", "0"}, "--launches: '0'", "from 1 to 1000"},
        Misuse{{"run", "--launches", "1.5"}, "--launches: '1.5'", "a whole number"},
        Misuse{{"run", "--min-time", "5"}, "--min-time: '5'", "as 120ms or 0.5s"},
        Misuse{{"run", "--time-limit", "soon"}, "--time-limit: 'soon'", "as 120ms or 0.5s"},
        Misuse{{"run", "--seed", "-1"}, "--seed: '-1'", "a whole number from 0"},
        Misuse{{"run", "--seed", "99999999999999999999"}, "--seed:", "a whole number from 0"},
        Misuse{{"run", "--size"}, "--size: needs a value, LIST", "run --help"},
        Misuse{{"run", "--size="}, "--size: needs a value, LIST", "run --help"},
        Misuse{{"run", "--size", ""}, "--size: needs a value, LIST", "run --help"},
        Misuse{{"run", "--size", "--quiet"}, "--size: needs a value, LIST", "run --help"},
        Misuse{{"run", "-o"}, "--output: needs a value, FILE", "run --help"},
        Misuse{{"run", "--quiet=3"}, "--quiet: takes no value", ""},
        Misuse{{"run", "--seed", "1", "--seed", "2"}, "--seed: given twice", "once"},
        Misuse{{"run", "--size", "1", "--size", "2"}, "--size: given twice", "commas"},
        Misuse{{"run", "--resume"}, "--resume: needs -o FILE", ""},
        Misuse{{"run", "--sizes", "5"}, "run: unknown option '--sizes'", "did you mean --size?"},
        Misuse{{"run", "-x"}, "run: unknown option '-x'", "run --help"},
        Misuse{{"run", "extra"}, "run: ", "extra"}, Misuse{{"run", ""}, "run: ", "empty word"},
        Misuse{{"run", "--json"}, "run: unknown option '--json'", ""},
        Misuse{{"run", "--benchmark_format=json"}, "--benchmark_format: not offered", "_repetitions"},
        Misuse{{"run", "--benchmark_filter"}, "--benchmark_filter: needs a value", ""},
        Misuse{{"run", "--benchmark_filter=("}, "--benchmark_filter: '('", "a regular expression"},
        Misuse{{"run", "--benchmark_min_time=100x"}, "--benchmark_min_time: '100x'", "0.5s"},
        Misuse{{"run", "--benchmark_min_time=."}, "--benchmark_min_time: '.'", "0.5s"},
        Misuse{{"run", "--benchmark_repetitions=0"}, "--benchmark_repetitions: '0'", "from 1 to 1000"},
        Misuse{{"run", "--benchmark_context=x"}, "--benchmark_context: 'x'", "KEY=VALUE"},
        Misuse{{"run", "--benchmark_list_tests=maybe"}, "--benchmark_list_tests: 'maybe'", "true, false"},
        Misuse{{"list", "casez"}, "list: 'casez'", "transports, workloads, placements, suites, cases"},
        Misuse{{"list", "cases", "more"}, "list: ", "more"},
        Misuse{{"list", "--benchmark_filter=x"}, "list: unknown option '--benchmark_filter'", ""},
        Misuse{{"compare", "a.json"}, "compare: needs BASE and NEW", "with --by KEY one may do"},
        Misuse{{"compare", "--by", "kernel"}, "compare: needs BASE and NEW", ""},
        Misuse{{"compare", "a", "b", "--threshold", "0%"}, "--threshold: '0%'", "as 5% or 7.5%"},
        Misuse{{"compare", "a", "b", "--threshold", "5%%"}, "--threshold: '5%%'", "as 5% or 7.5%"},
        Misuse{{"compare", "a", "b", "--threshold", "nan"}, "--threshold: 'nan'", "as 5% or 7.5%"},
        Misuse{{"compare", "a", "b", "--json", "--markdown"}, "compare: --json or --markdown", ""},
        Misuse{{"report"}, "report: needs one result file", ""},
        Misuse{{"report", "a.json"}, "report: needs -o DIR", ""},
        Misuse{{"doctor", "--jsn"}, "doctor: unknown option '--jsn'", "did you mean --json?"},
        Misuse{{"clean", "all"}, "clean: ", "all"},
        Misuse{{"rnu"}, "unknown command 'rnu'", "known: run, list, compare, report, export, doctor, clean"},
        Misuse{{""}, "an empty word", "ipcmark --help"},
        Misuse{{"--frob"}, "unknown option '--frob'", "ipcmark --help"},
        Misuse{{"-1"}, "unknown option '-1'", "ipcmark --help"}));

}  // namespace
}  // namespace ipcmark
