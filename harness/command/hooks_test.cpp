#include "harness/command/hooks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "harness/descriptor.h"

namespace ipcmark {
namespace {

using testing::IsEmpty;

class Hook : public testing::Test {
 protected:
  Hook() {
    std::string pattern = testing::TempDir() + "ipcmark-hook-test-XXXXXX";
    if (mkdtemp(pattern.data()) != nullptr) folder_ = pattern;
  }
  ~Hook() override {
    std::error_code ignored;
    if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
  }
  std::string file(const std::string& name) const { return (folder_ / name).string(); }
  static std::string text_of(const std::string& path) {
    std::ifstream stream(path);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  std::filesystem::path folder_;
};

TEST_F(Hook, FindsTheLaunchInItsEnvironment) {
  const HookRun run =
      run_hook("--on-start", "echo $IPCMARK_CASE $IPCMARK_ROUND $IPCMARK_PIDS $IPCMARK_CPUS >" + file("said"),
               {"workload:stream", 3, {12, 34}, {0, 1}});
  EXPECT_EQ(run.option, "--on-start");
  EXPECT_GT(run.took_ns, 0u);
  EXPECT_THAT(run.problem, IsEmpty());
  EXPECT_EQ(text_of(file("said")), "workload:stream 3 12,34 0,1\n");
}

TEST_F(Hook, ThatFailsSaysHow) {
  EXPECT_EQ(run_hook("--on-end", "exit 3", {}).problem, "exit status 3");
  EXPECT_EQ(run_hook("--on-end", "kill -9 $$", {}).problem, "killed by signal 9");
}

TEST_F(Hook, IsNotWaitedForInTheBackground) {
  const HookRun run = run_hook("--on-start", "sleep 60 & echo $! >" + file("pid"), {});
  EXPECT_THAT(run.problem, IsEmpty());
  const pid_t sleeper = std::stoi(text_of(file("pid")));
  EXPECT_EQ(kill(sleeper, 0), 0) << "what a hook started is its own";
  kill(sleeper, SIGKILL);
}

TEST_F(Hook, ThatHangsIsKilledWithWhatItWaitsFor) {
  const std::string hang = "sleep 60 & echo $! >" + file("pid") + "; wait";
  EXPECT_EQ(run_hook("--on-start", hang, {}, -1, 100'000'000).problem, "not over after 100 ms, killed");
  EXPECT_EQ(run_hook("--on-start", "trap '' TERM INT; sleep 60", {}, -1, 100'000'000).problem,
            "not over after 100 ms, killed");
  std::array<int, 2> ends;
  ASSERT_EQ(pipe(ends.data()), 0);
  const Descriptor read_end(ends[0]);
  close(ends[1]);  // readable: at its end
  EXPECT_EQ(run_hook("--on-start", "sleep 60", {}, read_end.get()).problem,
            "killed, because the run was interrupted");
}

}  // namespace
}  // namespace ipcmark
