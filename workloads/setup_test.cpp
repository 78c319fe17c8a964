#include "workloads/setup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "workloads/test_trial.h"

namespace ipcmark {
namespace {

constexpr std::array phases{"create_ns", "open_ns", "first_message_ns", "close_ns", "remove_ns"};

TEST(Setup, MakesALinkForEveryMessageAndTellsEachPhase) {
  for (const Case& plain : over_every_transport({.workload = "setup"})) {
    for (const Case& c : with_every_wait(plain)) {
      if (c.send_wait == Wait::spin) continue;  // slow where processors are few
      SCOPED_TRACE(case_id(c));
      const Measurement measured = measure_case(c, 20);
      EXPECT_EQ(measured.messages, 20u);
      EXPECT_EQ(measured.integrity.checked, 20u);
      ASSERT_TRUE(measured.distribution);
      EXPECT_EQ(measured.distribution->count, 20u);
      double sum = 0;
      for (const char* phase : phases) {
        EXPECT_GT(observed(measured, phase), 0) << phase;
        sum += observed(measured, phase);
      }
      EXPECT_LE(sum, 5.0 * static_cast<double>(measured.distribution->max_ns));
    }
  }
}

TEST(Setup, OpensFromAStrangerWhereOneCanAttachElseFromAFork) {
  for (const Case& c : over_every_transport({.workload = "setup"})) {
    const bool named = Registry::instance().find(c.transport)->traits.facts.opened_by_strangers();
    EXPECT_EQ(observed(measure_case(with_a_wait(c), 3), "opened_by_fork"), named ? 0 : 1) << c.transport;
  }
  // A ring has a name, but an eventfd has none.
  const Case c{
      .workload = "setup", .transport = "posix_shm", .send_wait = Wait::futex, .receive_wait = Wait::eventfd};
  EXPECT_EQ(observed(measure_case(c, 3), "opened_by_fork"), 1);
}

TEST(Setup, HasNothingToDeliverOverWhatCarriesNothing) {
  EXPECT_EQ(why_not({.workload = "setup", .transport = "null"}),
            "setup looks at what has come, and null carries nothing");
}

std::vector<std::string> lines_of(const char* path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

// Names begin with "ipcmark-", the pid of their maker and another dash (harness/owned_name.h).
bool is_of_the_dead(const std::string& name) {
  constexpr std::string_view prefix = "ipcmark-";
  if (!name.starts_with(prefix)) return false;
  const long maker = std::strtol(name.c_str() + prefix.size(), nullptr, 10);
  return maker > 0 && kill(static_cast<pid_t>(maker), 0) != 0 && errno == ESRCH;
}

// System V objects of this program, and names in the places where launches without namespaces put theirs,
// whose maker has ended: another launch may be under way beside this test.
std::size_t leftovers() {
  std::size_t count = 0;
  for (const char* table : {"/proc/sysvipc/shm", "/proc/sysvipc/msg", "/proc/sysvipc/sem"}) {
    for (const std::string& line : lines_of(table)) {
      const long key = std::strtol(line.c_str(), nullptr, 10);
      count += static_cast<unsigned long>(key) >> 20 == sysv_key_prefix;
    }
  }
  std::error_code ignored;
  for (const char* place : {"/dev/shm", "/dev/mqueue", "/tmp"}) {
    for (const auto& entry : std::filesystem::directory_iterator(place, ignored)) {
      count += is_of_the_dead(entry.path().filename().string());
    }
  }
  return count;
}

// In no namespaces of its own, so that nothing else cleans up; with few descriptors, so that none is kept.
TEST(Setup, ManyMoreThanItMayHoldAtOnceLeaveNothing) {
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const auto open_now = std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                                      std::filesystem::directory_iterator());
  const rlimit few{static_cast<rlim_t>(open_now) + 32, before.rlim_max};
  setenv("IPCMARK_NO_NAMESPACES", "1", 1);
  const Isolation none = probe_isolation(Limits::host);
  unsetenv("IPCMARK_NO_NAMESPACES");
  ASSERT_FALSE(none.namespaces);
  const std::size_t there = leftovers();
  for (const Case& plain : over_every_transport({.workload = "setup"})) {
    const Case c = with_a_wait(plain);
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    const TrialOutcome outcome =
        run_trial(c, {{}, {}}, {.fixed_messages = 100, .every_byte = true}, {test_context().topology, none});
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    const auto* const failure = std::get_if<LaunchFailure>(&outcome);
    EXPECT_EQ(failure, nullptr) << case_id(c) << ": " << failure->reason;
    // What another launch has made beside this test goes in a while; what was left stays.
    for (int look = 0; look < 100 && leftovers() != there; ++look) usleep(50'000);
    EXPECT_EQ(leftovers(), there) << c.transport;
  }
}

}  // namespace
}  // namespace ipcmark
