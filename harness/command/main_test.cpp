// The program as a person starts it: what it exits with, and what it writes where.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>

namespace ipcmark {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

struct Ended {
  int status = -1;
  std::string out, err;
};

class Program : public testing::Test {
 protected:
  Program() {
    std::string pattern = testing::TempDir() + "ipcmark-main-test-XXXXXX";
    if (mkdtemp(pattern.data()) != nullptr) folder_ = pattern;
  }
  ~Program() override {
    std::error_code ignored;
    if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
  }

  Ended run(const std::string& arguments) {
    const std::string out = path("out"), err = path("err");
    const std::string command =
        fmt::format("cd '{}' && '{}' {} >'{}' 2>'{}'", folder_.string(), IPCMARK_BINARY, arguments, out, err);
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text_of(out), text_of(err)};
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  static std::string text_of(const std::string& file) {
    std::ifstream stream(file);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  std::filesystem::path folder_;
};

TEST_F(Program, KeepsWhatItHasWhenInterruptedAndGoesOnFromThere) {
  const std::string arguments =
      "run --transport pipe --workload stream --launches 30 --min-time 20ms --seed 1 -o r.json --quiet";
  const Ended interrupted = run("--version; '" IPCMARK_BINARY "' " + arguments +
                                " & pid=$!; for i in $(seq 1000); do grep -q '\"type\":\"launch\"' "
                                "r.json.journal 2>/dev/null && break; "
                                "sleep 0.01; done; kill -INT $pid; wait $pid");
  EXPECT_EQ(interrupted.status, 130) << interrupted.err;
  EXPECT_THAT(text_of(path("r.json")), HasSubstr("\"complete\": false"));
  EXPECT_THAT(text_of(path("r.json")), HasSubstr("\"interrupted\": true"));

  const Ended resumed = run(arguments + " --resume");
  EXPECT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_THAT(text_of(path("r.json")), HasSubstr("\"complete\": true"));
}

TEST_F(Program, StopsAtItsTimeLimitAndSaysThatItIsNotComplete) {
  const Ended ended =
      run("run --transport null --workload stream --launches 1000 --min-time 1h --time-limit 1ms -o r.json");
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("--time-limit"));
  EXPECT_THAT(text_of(path("r.json")), HasSubstr("\"complete\": false"));
  EXPECT_THAT(text_of(path("r.json")), HasSubstr("\"interrupted\": false"));
}

TEST_F(Program, KeepsAResultThatStandardOutputDoesNotTake) {
  const Ended ended = run(
      "run --transport null --workload stream --launches 1 --min-time 1ms --quiet -o - >/dev/full 2>reason; "
      "status=$?; '" IPCMARK_BINARY "' clean >/dev/null; exit $status");
  EXPECT_EQ(ended.status, 2);
  EXPECT_THAT(text_of(path("reason")), HasSubstr("the result is kept in"));
}

TEST_F(Program, TellsBadInputInOneLineAndEndsWithTwo) {
  std::ofstream(path("broken.json")) << "{\"name\": ";
  std::ofstream(path("wrong.json")) << R"({"name": "x", "grids": [{"workload": "stream", "wait": "sleep"}]})";
  std::ofstream(path("stranger.json"))
      << R"({"name": "x", "grids": [{"workload": "stream", "transport": "pip"}]})";
  std::ofstream(path("twice.json"))
      << R"({"name": "x", "grids": [{"workload": "stream", "size": 1, "size": 2}]})";
  std::ofstream(path("filter.json"))
      << R"({"name": "x", "grids": [{"workload": "pipeline", "filter": ["cat", "no-such-program"]}]})";
  struct Row {
    std::string arguments, names, allows;
  };
  for (const Row& row :
       {Row{"run --transport bogus", "--transport", "known: "},
        {"run --size 0", "--size", "1 to 1Ti"},
        {"run --size 10Ti", "--size", "1 to 1Ti"},
        {"run --capacity -1", "--capacity", "default, 0"},
        {"run --placement 0+100000", "--placement", "allowed"},
        {"run --suite nope", "--suite", "built in are"},
        {"run --suite broken.json", "--suite: broken.json", ""},
        {"run --suite wrong.json", "--suite: wrong.json", "block, poll"},
        {"run --suite stranger.json", "--suite: suite x", "did you mean pipe?"},
        {"run --suite twice.json", "--suite: twice.json: grids[0]: has \"size\" twice", ""},
        {"run --suite .", "--suite: .", ""},
        {"run --placement 0+0+0+0", "--placement 0+0+0+0", "has 2 roles"},
        {"list cases --suite quick --placement 0+0+0", "--placement 0+0+0", "has 2 roles"},
        {"run --transport pipe -o missing/x.json", "--output: missing/x.json", "allowed: "},
        {"run --transport pipe -o .", "--output: .", "allowed: "},
        {"run --transport pipe -o /dev/null", "--output: /dev/null", "allowed: "},
        {"run --transport pipe --wait futex", "pipe does not wait by futex", "block"},
        {"run --workload pipeline --hops pipe+nix", "hops: unknown transport 'nix'", "known: "},
        {"run --workload pipeline --hops pipe+tcp --transport udp",
         "pipe+tcp begin over pipe, and udp was asked for", "ask for pipe"},
        {"run --workload pipeline --hops pipe+posix_shm --wait block",
         "pipe+posix_shm does not wait by block", "it has spin, yield"},
        {"run --workload pipeline --filter no-such-program", "--filter: 'no-such-program' cannot be executed",
         ""},
        {"run --suite filter.json", "suite x: filter: 'no-such-program' cannot be", ""},
        {"frob", "frob", "known: run"}}) {
    const Ended ended = run(row.arguments);
    EXPECT_EQ(ended.status, 2) << row.arguments;
    EXPECT_THAT(ended.out, IsEmpty()) << row.arguments;
    EXPECT_THAT(ended.err, StartsWith("ipcmark: ")) << row.arguments;
    EXPECT_THAT(ended.err, HasSubstr(row.names));
    EXPECT_THAT(ended.err, HasSubstr(row.allows));
    EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), 1) << ended.err;
  }
}

TEST_F(Program, LeavesNoFileBehindWhenItRefuses) {
  run("run --transport pipe --wait futex -o x.json");
  EXPECT_FALSE(std::filesystem::exists(path("x.json")));
  EXPECT_FALSE(std::filesystem::exists(path("x.json.journal")));
}

TEST_F(Program, ShowsCasesAndTimeInADryRunAndMeasuresNothing) {
  const Ended ended = run("run --transport pipe --dry-run -o x.json");
  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.out, StartsWith("ping_pong\n  transport  size  capacity  wait   access  placement\n"
                                    "  pipe       64 B  default   block  copy    "));
  EXPECT_THAT(ended.out, HasSubstr("2 cases, 0 skipped; 6 launches each of 100 ms, about "));
  EXPECT_FALSE(std::filesystem::exists(path("x.json")));
}

TEST_F(Program, RunsAPipelineOfNamedHopsOnceOverTheFirstOfThem) {
  const Ended ended =
      run("run --workload pipeline --hops posix_mq+pipe+unix_stream --stages 2 --benchmark_list_tests");
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_THAT(ended.out, StartsWith("workload:pipeline/transport:posix_mq/"));
  EXPECT_EQ(std::count(ended.out.begin(), ended.out.end(), '\n'), 1) << ended.out;
}

TEST_F(Program, ListsTestsAsGoogleBenchmarkDoes) {
  const Ended ended =
      run("run --suite quick --benchmark_list_tests --benchmark_filter=ping_pong/transport:pipe/size:1Ki");
  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.out, StartsWith("workload:ping_pong/transport:pipe/size:1Ki/"));
  EXPECT_EQ(std::count(ended.out.begin(), ended.out.end(), '\n'), 1);
}

TEST_F(Program, MeasuresAndWritesProgressApartFromResults) {
  const Ended ended =
      run("run --transport pipe --workload stream --size 100 --launches 1 --min-time 1ms -o x.json");
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("pipe"));
  EXPECT_THAT(ended.out, HasSubstr("100 B"));
  EXPECT_THAT(ended.out, EndsWith("result file x.json\n"));
  EXPECT_THAT(ended.out, Not(HasSubstr("\x1b")));
  EXPECT_THAT(ended.err, HasSubstr("1 cases"));
  EXPECT_THAT(ended.err, Not(HasSubstr("\x1b")));
  EXPECT_TRUE(std::filesystem::exists(path("x.json")));
  EXPECT_FALSE(std::filesystem::exists(path("x.json.journal")));
}

TEST_F(Program, PutsACasesExaminationWithItsFirstLaunchAlone) {
  const Ended ended =
      run("run --transport pipe --workload stream --launches 3 --min-time 1ms --quiet -o x.json");
  EXPECT_EQ(ended.status, 0) << ended.err;
  const std::string result = text_of(path("x.json"));
  const auto examined = result.find("\"examination\":");
  ASSERT_NE(examined, std::string::npos);
  EXPECT_EQ(result.rfind("\"examination\":"), examined);
  EXPECT_LT(examined, result.find("\"repetition_index\":1"));
}

TEST_F(Program, RunsHooksAroundEachTimedPartAndTellsWhatFailsOnce) {
  const Ended ended =
      run("run --transport pipe --workload stream --launches 2 --min-time 1ms --quiet -o x.json "
          "--on-start 'echo start $IPCMARK_ROUND >>hooks; for p in $(echo $IPCMARK_PIDS | tr , \" \"); do "
          "kill -0 $p "
          "|| echo $p is nobody >>hooks; done' --on-end 'echo end >>hooks; exit 3'");
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_EQ(text_of(path("hooks")), "start 1\nend\nstart 2\nend\n");
  EXPECT_EQ(ended.err, "ipcmark: --on-end: exit status 3 (told once; the result has it for each launch)\n");
  const std::string result = text_of(path("x.json"));
  EXPECT_THAT(result, HasSubstr("\"on_end\": \"echo end >>hooks; exit 3\""));
  EXPECT_THAT(result, HasSubstr("\"problem\":\"exit status 3\""));
}

TEST_F(Program, AddsLaunchesForAPrecisionUpToItsLimitAndSaysWhatWasReached) {
  const Ended ended = run(
      "run --transport null --workload stream --min-time 2ms --precision 0.0001% --launches 13 -o hard.json");
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("6 to 13 launches each of 2.00 ms for a precision of 0.0001 %"));
  EXPECT_THAT(ended.out, HasSubstr("13 launches, 0 failed"));
  EXPECT_THAT(ended.out,
              HasSubstr("precision of 0.0001 % not attained after 12 rounds: half the interval is"));
  EXPECT_THAT(text_of(path("hard.json")), HasSubstr("\"attained\":false"));
  EXPECT_EQ(run("run --suite quick --precision 5% --launches 5").status, 2);
}

TEST_F(Program, SaysNothingToPeopleWhenQuiet) {
  const Ended ended =
      run("run --transport pipe --workload stream --launches 1 --min-time 1ms --quiet -o x.json");
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_THAT(ended.out, IsEmpty());
  EXPECT_THAT(ended.err, IsEmpty());
}

TEST_F(Program, GivesStandardOutputToTheDocumentAlone) {
  const Ended ended = run("run --transport pipe --workload stream --launches 1 --min-time 1ms -o -");
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_THAT(ended.out, StartsWith("{"));
  EXPECT_THAT(ended.err, HasSubstr("result file on standard output"));
}

}  // namespace
}  // namespace ipcmark
