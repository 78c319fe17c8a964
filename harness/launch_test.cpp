#include "harness/launch.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <set>
#include <system_error>

#include "harness/clock.h"
#include "harness/descriptor.h"
#include "harness/owned_name.h"
#include "harness/role_cost.h"
#include "harness/test_work.h"

namespace ipcmark {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::StartsWith;
namespace fs = std::filesystem;

// Knows whether any process is left of those forked since it was made: each has inherited the writing end of
// a pipe.
class Census {
 public:
  Census() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    read_end_.reset(ends[0]);
    write_end_.reset(ends[1]);
  }
  bool all_have_ended(int patience_ms = 0) {
    write_end_.reset();
    pollfd ended{read_end_.get(), POLLIN, 0};
    return poll(&ended, 1, patience_ms) == 1 && (ended.revents & POLLHUP) != 0;
  }

 private:
  Descriptor read_end_, write_end_;
};

// Names whose maker has ended. Those of runs that go on beside this test are not ours to judge.
std::set<std::string> names_of_the_dead() {
  std::set<std::string> names;
  for (const char* folder : {"/dev/shm", "/tmp"}) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
      const std::string name = entry.path().filename();
      int maker = 0;
      if (sscanf(name.c_str(), "ipcmark-%d-", &maker) == 1 && kill(maker, 0) != 0) names.insert(entry.path());
    }
  }
  return names;
}

bool no_new_names(const std::set<std::string>& before, int patience_ms) {
  for (int waited_ms = 0;; waited_ms += 20) {
    bool any = false;
    for (const std::string& name : names_of_the_dead()) any = any || !before.contains(name);
    if (!any || waited_ms >= patience_ms) return !any;
    usleep(20'000);
  }
}

void sleep_for_ever() {
  for (;;) pause();
}

// Every test runs in namespaces and without.
class Launch : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam() && !test_isolation().namespaces) GTEST_SKIP() << test_isolation().description;
    names_before_ = names_of_the_dead();
  }
  void TearDown() override {
    if (IsSkipped()) return;
    EXPECT_TRUE(census_.all_have_ended()) << "a process is left";
    EXPECT_TRUE(no_new_names(names_before_, 5'000)) << "a name is left";
    // The next launch does not suffer from this one.
    TestWork work;
    EXPECT_EQ(outcome_of(spec(2), work), "");
  }

  LaunchSpec spec(unsigned roles) const {
    LaunchSpec plan = test_spec(roles);
    if (!GetParam()) {
      plan.isolation = {.namespaces = false,
                        .user_namespace = false,
                        .directory = "/tmp",
                        .description = "none, for a test"};
    }
    return plan;
  }

  // Sender and receiver pass tickets: each announces where it is and waits for the other.
  static void say(Role& role, unsigned ticket) { role.launch().tickets[ticket].store(1); }
  static void await(Role& role, unsigned ticket) {
    while (role.launch().tickets[ticket].load() == 0) usleep(100);
  }

  Census census_;

 private:
  std::set<std::string> names_before_;
};

INSTANTIATE_TEST_SUITE_P(In, Launch, testing::Values(true, false),
                         [](const auto& test) { return test.param ? "Namespaces" : "NoNamespaces"; });

TEST_P(Launch, RunsEveryRoleInAProcessOfItsOwnAndKeepsWhatTheyWrote) {
  TestWork work;
  work.on_run = [](Role& role) {
    role.board().figures[0] = static_cast<std::uint64_t>(getpid());
    role.board().figures[1] = role.index();
    role.moved(role.index() + 10);
  };
  const SharedLaunchBoard board;
  EXPECT_EQ(outcome_of(spec(3), work, *board), "");
  std::set<std::uint64_t> pids{static_cast<std::uint64_t>(getpid())};
  for (unsigned role = 0; role < 3; ++role) {
    pids.insert(board->roles[role].figures[0]);
    EXPECT_EQ(board->roles[role].figures[1], role);
    EXPECT_EQ(board->roles[role].progress.load(), role + 10);
    EXPECT_EQ(board->roles[role].state.load(), RoleState::finished);
  }
  EXPECT_EQ(pids.size(), 4u);
}

TEST_P(Launch, BuildsThenOpensInEveryRoleThenDropsThenRunsThenEnds) {
  TestWork work;
  const SharedLaunchBoard board;
  auto& steps = board->tickets;  // 0: built, 1: opened, 2: dropped by the parent, 3: run
  const pid_t test = getpid();
  pid_t parent = 0;
  work.on_build = [&](const std::string& directory) {
    parent = getpid();
    require(parent != test, "build runs in the runner");
    require(fs::is_directory(directory), "no directory");
    require((fs::status(directory).permissions() & fs::perms(0777)) == fs::perms(0700), "directory's mode");
    ++steps[0];
  };
  work.on_open = [&](Role&) {
    require(getpid() != parent && steps[0] == 1 && steps[2] == 0 && steps[3] == 0, "open is out of order");
    ++steps[1];
  };
  work.on_drop = [&] {
    if (getpid() != parent) return;
    require(steps[1] == 2 && steps[3] == 0, "drop is out of order");
    ++steps[2];
  };
  work.on_run = [&](Role&) {
    require(steps[2] == 1, "run is out of order");
    ++steps[3];
  };
  work.on_end = [&] { require(getpid() == parent && steps[3] == 2, "end is out of order"); };
  EXPECT_EQ(outcome_of(spec(2), work, *board), "");
}

TEST_P(Launch, NamesARoleThatThrows) {
  TestWork work;
  work.on_run = [](Role& role) {
    if (role.index() != 1) sleep_for_ever();
    role.moved(5);
    throw std::runtime_error("no more ink");
  };
  EXPECT_EQ(outcome_of(spec(3), work), "failed: receiver 1: no more ink (after 5 messages)");
}

TEST_P(Launch, NamesARoleThatEndsByItself) {
  for (const int status : {0, 7}) {
    TestWork work;
    work.on_run = [status](Role& role) {
      if (role.index() != 0) sleep_for_ever();
      role.moved(3);
      _exit(status);
    };
    EXPECT_EQ(outcome_of(spec(2), work),
              "failed: sender 0: ended with status " + std::to_string(status) + " after 3 messages");
  }
}

TEST_P(Launch, NamesARoleThatIsKilled) {
  TestWork work;
  work.on_run = [](Role& role) {
    if (role.index() != 1) sleep_for_ever();
    role.moved(1'204);
    kill(getpid(), SIGKILL);
  };
  EXPECT_EQ(outcome_of(spec(2), work), "failed: receiver 1: killed by signal 9 after 1204 messages");
}

TEST_P(Launch, NamesARoleThatIsKilledBeforeItHasOpened) {
  TestWork work;
  work.on_open = [](Role& role) {
    if (role.index() != 1) sleep_for_ever();
    kill(getpid(), SIGKILL);
  };
  EXPECT_EQ(outcome_of(spec(2), work), "failed: receiver 1: killed by signal 9 after 0 messages");
}

TEST_P(Launch, BlamesTheDeathNotWhatCameOfIt) {
  TestWork work;
  work.on_run = [](Role& role) {
    if (role.index() == 0) {
      await(role, 0);
      throw std::runtime_error("the other side has closed the link");
    }
    say(role, 0);
    usleep(3'000);
    kill(getpid(), SIGKILL);
  };
  EXPECT_EQ(outcome_of(spec(2), work), "failed: receiver 1: killed by signal 9 after 0 messages");
}

TEST_P(Launch, NamesARoleThatIsStopped) {
  TestWork work;
  work.on_run = [](Role& role) {
    role.moved(role.index() + 20);
    if (role.index() == 1) kill(getpid(), SIGSTOP);
    sleep_for_ever();
  };
  LaunchSpec plan = spec(2);
  plan.stall_s = 0.3;
  EXPECT_EQ(outcome_of(plan, work), "failed: stopped by a signal: receiver 1 (after 21 messages)");
}

TEST_P(Launch, CountsStopsOfARoleThatGoesOn) {
  TestWork work;
  work.on_run = [](Role& role) {
    if (role.index() != 1) return;
    const pid_t self = getpid();
    const pid_t helper = fork();
    if (helper == 0) {
      for (;;) {
        usleep(60'000);  // it may take a busy machine longer than that to come to the stop
        kill(self, SIGCONT);
      }
    }
    raise(SIGSTOP);
    kill(helper, SIGKILL);
    waitpid(helper, nullptr, 0);
  };
  const SharedLaunchBoard board;
  const LaunchSpec plan = spec(2);
  EXPECT_EQ(outcome_of(plan, work, *board), "");
  const std::vector<RoleReport> reports = role_reports(plan, *board);
  EXPECT_EQ(reports[0].stops, 0u);
  EXPECT_EQ(reports[1].stops, 1u);
}

// What each role does in its timed part: 7 system calls of one kind, which nothing else makes.
void do_a_timed_part(Role& role) {
  CostMeter meter;
  for (int i = 0; i < 5; ++i) syscall(SYS_sched_yield);
  meter.start();
  for (int i = 0; i < 7; ++i) syscall(SYS_sched_yield);
  role.board().cost = meter.stop();
  for (int i = 0; i < 5; ++i) syscall(SYS_sched_yield);
}

TEST_P(Launch, TracesTheSystemCallsOfTheTimedPartAndNoOthers) {
  TestWork work;
  work.on_run = do_a_timed_part;
  const SharedLaunchBoard board;
  LaunchSpec plan = spec(2);
  plan.examine = Examine::system_calls;
  EXPECT_EQ(outcome_of(plan, work, *board), "");
  for (unsigned role = 0; role < 2; ++role) {
    const ExaminationBoard& found = board->roles[role].examination;
    if (found.refusal[0] != '\0') GTEST_SKIP() << found.refusal;
    EXPECT_EQ(found.calls[SYS_sched_yield], 7u);
    EXPECT_EQ(system_call_name(SYS_sched_yield), "sched_yield");
  }
}

TEST_P(Launch, CountsHardwareEventsOrSaysWhyNot) {
  TestWork work;
  work.on_run = do_a_timed_part;
  const SharedLaunchBoard board;
  LaunchSpec plan = spec(1);
  plan.examine = Examine::counters;
  EXPECT_EQ(outcome_of(plan, work, *board), "");
  const ExaminationBoard& found = board->roles[0].examination;
  const bool any = std::ranges::find(found.known, true) != found.known.end();
  EXPECT_NE(any, found.refusal[0] != '\0') << found.refusal;
  EXPECT_TRUE(!found.known[1] || found.events[1] > 0);
}

// Two roles or more; the others keep when they were in the timed part.
void go_through_every_phase(Role& role) {
  if (role.index() == 0) {
    for (const PhaseKind kind : {PhaseKind::warm_up, PhaseKind::timed, PhaseKind::drain}) {
      role.announce({kind, 1});
      role.conclude();
    }
    return;
  }
  for (;;) {
    const Phase phase = role.next_phase();
    role.enter();
    if (phase.kind == PhaseKind::timed) role.board().begin_ns = now_ns();
    role.leave();
    if (phase.kind == PhaseKind::drain) return;
  }
}

TEST_P(Launch, LetsItsCallerActAtBothEdgesOfTheTimedPart) {
  TestWork work;
  work.on_run = go_through_every_phase;
  const SystemWatch watch({0});
  const SharedLaunchBoard board;
  LaunchSpec plan = spec(3);
  plan.watch = &watch;
  plan.stall_s = 0.8;  // which the caller may take longer than
  std::vector<TimedEdge> edges;
  plan.at_edge = [&](TimedEdge edge, const std::vector<pid_t>& roles) {
    edges.push_back(edge);
    EXPECT_EQ(board->before_timed.at_ns != 0, edge == TimedEdge::end);
    EXPECT_EQ(board->after_timed.at_ns != 0, edge == TimedEdge::end);
    for (unsigned role = 1; role < 3; ++role)
      EXPECT_EQ(board->roles[role].begin_ns != 0, edge == TimedEdge::end);
    EXPECT_EQ(std::set(roles.begin(), roles.end()).size(), 3u);
    for (const pid_t role : roles) EXPECT_EQ(kill(role, 0), 0) << role;
    if (edge == TimedEdge::begin) usleep(1'300'000);
  };
  EXPECT_EQ(outcome_of(plan, work, *board), "");
  EXPECT_THAT(edges, ElementsAre(TimedEdge::begin, TimedEdge::end));
}

// Where this role's stack and the next mapping lie.
struct Lies {
  std::uint64_t stack = 0, mapping = 0;
  friend auto operator<=>(const Lies&, const Lies&) = default;
};

TEST_P(Launch, HasALayoutOfItsOwnThatItsSeedDecides) {
  TestWork work;
  work.on_run = [](Role& role) {
    const char here = 0;
    role.board().figures[0] = reinterpret_cast<std::uint64_t>(&here);
    void* const mapping = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    role.board().figures[1] = reinterpret_cast<std::uint64_t>(mapping);
    munmap(mapping, 4096);
  };
  const auto roles_with = [&](std::optional<std::uint64_t> seed) {
    const SharedLaunchBoard board;
    LaunchSpec plan = spec(2);
    plan.layout_seed = seed;
    EXPECT_EQ(outcome_of(plan, work, *board), "");
    std::vector<Lies> roles;
    for (unsigned i = 0; i < 2; ++i)
      roles.push_back({board->roles[i].figures[0], board->roles[i].figures[1]});
    return roles;
  };
  const std::vector<Lies> inherited = roles_with({});
  EXPECT_EQ(roles_with({}), inherited) << "forked processes are expected to lie where their parent does";
  EXPECT_EQ(roles_with(7), roles_with(7));
  std::set<std::uint64_t> stacks, mappings;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    for (const Lies& role : roles_with(seed)) {
      EXPECT_EQ(role.stack % 16, inherited[0].stack % 16);
      EXPECT_EQ(role.mapping % 4096, 0u);
      stacks.insert(role.stack);
      mappings.insert(role.mapping);
    }
  }
  EXPECT_GT(stacks.size(), 5u);
  EXPECT_GT(mappings.size(), 5u);
}

TEST_P(Launch, LooksAtTheSystemAroundTheTimedPart) {
  TestWork work;
  work.on_run = go_through_every_phase;
  const SystemWatch watch({0});
  const SharedLaunchBoard board;
  LaunchSpec plan = spec(2);
  plan.watch = &watch;
  EXPECT_EQ(outcome_of(plan, work, *board), "");
  EXPECT_LT(0u, board->before_timed.at_ns);
  EXPECT_LT(board->before_timed.at_ns, board->roles[1].begin_ns);
  EXPECT_LT(board->roles[1].begin_ns, board->after_timed.at_ns);
}

TEST_P(Launch, NamesTheRolesThatHangWhenNoMessageMoves) {
  TestWork work;
  work.on_run = [](Role& role) {
    if (role.index() == 2) return;
    role.moved(role.index() + 1);
    sleep_for_ever();
  };
  LaunchSpec plan = spec(3);
  plan.stall_s = 0.3;
  EXPECT_EQ(outcome_of(plan, work),
            "failed: no message moved for 0.3 s: sender 0 (after 1 messages), receiver 1 (after 2 messages)");
}

TEST_P(Launch, IsNotStalledWhileMessagesMove) {
  TestWork work;
  work.on_run = [](Role& role) {
    // The other role moves none, and that is fine.
    if (role.index() == 1) {
      await(role, 0);
      return;
    }
    for (std::uint64_t i = 1; i <= 130; ++i) {
      usleep(10'000);
      role.moved(i);
    }
    say(role, 0);
  };
  LaunchSpec plan = spec(2);
  plan.stall_s = 1;
  EXPECT_EQ(outcome_of(plan, work), "");
}

TEST_P(Launch, NamesARoleThatNeverOpens) {
  TestWork work;
  work.on_open = [](Role& role) {
    if (role.index() == 1) sleep_for_ever();
  };
  LaunchSpec plan = spec(2);
  plan.open_s = 0.3;
  EXPECT_EQ(outcome_of(plan, work), "failed: receiver 1: link not open after 0.3 s");
}

TEST_P(Launch, ARoleThatWaitsForAnotherOneInVainSaysForWhat) {
  TestWork work;
  work.link_count = 1;
  work.on_open = [](Role& role) {
    if (role.index() == 1) role.meeting(0).await("address");
    if (role.index() == 0) sleep_for_ever();
  };
  LaunchSpec plan = spec(2);
  plan.open_s = 0.3;
  EXPECT_THAT(outcome_of(plan, work),
              AnyOf(StartsWith("failed: receiver 1: waiting for 'address' from another role"),
                    "failed: sender 0, receiver 1: link not open after 0.3 s",
                    "failed: sender 0: link not open after 0.3 s"));
}

TEST_P(Launch, WhatIsUnsupportedIsToldApartFromWhatFails) {
  TestWork build;
  build.on_build = [](const std::string&) { throw Unsupported("carrier_pigeon: no pigeons here"); };
  EXPECT_EQ(outcome_of(spec(2), build), "unsupported: carrier_pigeon: no pigeons here");
  TestWork open;
  open.on_open = [](Role& role) {
    if (role.index() == 1) throw Unsupported("carrier_pigeon: no pigeons here");
    sleep_for_ever();
  };
  EXPECT_EQ(outcome_of(spec(2), open), "unsupported: carrier_pigeon: no pigeons here");
  TestWork broken;
  broken.on_build = [](const std::string&) { throw std::runtime_error("the loft is on fire"); };
  EXPECT_EQ(outcome_of(spec(2), broken), "failed: the loft is on fire");
}

TEST_P(Launch, DoesNotStartAsLongAsOneThatCannotTakePartIsDying) {
  TestWork work;
  work.on_open = [](Role& role) {
    if (role.index() == 0) {
      while (role.launch().roles[1].state.load() == RoleState::forked) usleep(100);
      return;
    }
    constexpr std::size_t takes_a_while_to_unmap = 64 << 20;
    mmap(nullptr, takes_a_while_to_unmap, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
         -1, 0);
    throw Unsupported("carrier_pigeon: no pigeons here");
  };
  work.on_run = [](Role&) { throw std::runtime_error("it was started"); };
  EXPECT_EQ(outcome_of(spec(2), work), "unsupported: carrier_pigeon: no pigeons here");
}

TEST_P(Launch, EndsWhenItIsInterrupted) {
  for (const bool at_once : {true, false}) {
    const Descriptor interrupt(eventfd(at_once ? 1 : 0, EFD_CLOEXEC));
    TestWork work;
    work.on_run = [&](Role&) {
      const std::uint64_t one = 1;
      if (!at_once && write(interrupt.get(), &one, sizeof one) < 0) throw std::runtime_error("write");
      sleep_for_ever();
    };
    LaunchSpec plan = spec(2);
    plan.interrupt_fd = interrupt.get();
    EXPECT_EQ(outcome_of(plan, work), "failed: interrupted");
  }
}

TEST_P(Launch, IgnoresWhatATerminalAndABrokenPipeSend) {
  TestWork work;
  work.on_run = [](Role&) {
    for (const int signal_number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) raise(signal_number);
    sigset_t blocked;
    sigprocmask(SIG_BLOCK, nullptr, &blocked);
    require(sigismember(&blocked, SIGCHLD) == 0, "the role has a signal blocked that its parent wanted");
  };
  EXPECT_EQ(outcome_of(spec(2), work), "");
}

// One that has lost its parent, and one whose parent lives.
void leave_grandchildren_behind(int fd_to_say_so) {
  const pid_t child = fork();
  if (child == 0) {
    setsid();
    if (fork() == 0) {
      if (fork() != 0) sleep_for_ever();
      if (write(fd_to_say_so, "x", 1) < 0) _exit(1);
      sleep_for_ever();
    }
    _exit(0);
  }
  waitpid(child, nullptr, 0);
}

TEST_P(Launch, TakesGrandchildrenWithIt) {
  for (const bool fails : {false, true}) {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const Descriptor read_end(ends[0]), write_end(ends[1]);
    Census grandchildren;
    TestWork work;
    work.on_run = [&](Role& role) {
      if (role.index() == 1) leave_grandchildren_behind(write_end.get());
      if (fails && role.index() == 1) throw std::runtime_error("and then it failed");
    };
    EXPECT_EQ(outcome_of(spec(2), work),
              fails ? "failed: receiver 1: and then it failed (after 0 messages)" : "");
    EXPECT_TRUE(grandchildren.all_have_ended());
  }
}

TEST_P(Launch, RemovesWhatItsRolesLeftInItsDirectory) {
  TestWork work;
  std::string directory;
  work.on_build = [&](const std::string& made) { directory = made; };
  work.on_run = [&](Role& role) {
    fs::create_directory(directory + "/folder" + std::to_string(role.index()));
    std::ofstream(directory + "/folder" + std::to_string(role.index()) + "/file") << "left";
    if (role.index() == 1) kill(getpid(), SIGKILL);
    sleep_for_ever();
  };
  EXPECT_EQ(outcome_of(spec(2), work), "failed: receiver 1: killed by signal 9 after 0 messages");
}

// The runner is a process of its own here, killed while the launch is in the middle of something.
TEST_P(Launch, DiesWithItsRunnerAndLeavesNeitherProcessNorName) {
  for (const bool while_opening : {true, false}) {
    SCOPED_TRACE(while_opening ? "while its roles open" : "while its roles run");
    const auto names_before = names_of_the_dead();
    Census census;
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const Descriptor read_end(ends[0]), write_end(ends[1]);
    const pid_t runner = fork();
    ASSERT_GE(runner, 0);
    if (runner == 0) {
      TestWork work;
      std::optional<OwnedName> object;
      const auto say_and_sleep = [&](Role& role) {
        leave_grandchildren_behind(write_end.get());
        if (role.index() == 1) sleep_for_ever();
      };
      work.on_build = [&](const std::string& directory) {
        std::ofstream(directory + "/" + unique_name()) << "a name in the file system";
        object.emplace("/" + unique_name(), shm_unlink);
        const Descriptor made(shm_open(object->c_str(), O_RDWR | O_CREAT | O_EXCL, 0600));
      };
      (while_opening ? work.on_open : work.on_run) = say_and_sleep;
      work.on_end = [&] { object.reset(); };
      launch(spec(2), work, *SharedLaunchBoard());
      _exit(0);
    }
    char said[2];
    for (char& byte : said) ASSERT_EQ(::read(read_end.get(), &byte, 1), 1);
    kill(runner, SIGKILL);
    waitpid(runner, nullptr, 0);
    EXPECT_TRUE(census.all_have_ended(10'000));
    EXPECT_TRUE(no_new_names(names_before, 10'000));
  }
}

TEST_P(Launch, SurvivesTheDeathOfItsParentProcess) {
  if (GetParam()) GTEST_SKIP() << "nobody inside a PID namespace can kill its first process";
  TestWork work;
  std::optional<OwnedName> object;
  work.on_build = [&](const std::string& directory) {
    std::ofstream(directory + "/file") << "left";
    object.emplace("/" + unique_name(), shm_unlink);
    const Descriptor made(shm_open(object->c_str(), O_RDWR | O_CREAT | O_EXCL, 0600));
  };
  work.on_run = [](Role& role) {
    if (role.index() == 0) kill(getppid(), SIGKILL);
    sleep_for_ever();
  };
  EXPECT_EQ(outcome_of(spec(2), work), "failed: launch parent: killed by signal 9");
}

TEST_P(Launch, PhasesKeepTheRolesInStep) {
  constexpr unsigned roles = 4;
  TestWork work;
  work.on_run = [](Role& role) {
    auto& entered = role.launch().tickets[0];
    auto& left = role.launch().tickets[1];
    if (role.index() == 0) {
      for (std::uint64_t phase = 1; phase <= 50; ++phase) {
        role.announce({phase == 50 ? PhaseKind::drain : PhaseKind::timed, phase});
        require(entered.load() == phase * (roles - 1), "announce returned before every role had entered");
        role.conclude();
        require(left.load() == phase * (roles - 1), "conclude returned before every role had left");
      }
      return;
    }
    for (std::uint64_t expected = 1;; ++expected) {
      const Phase phase = role.next_phase();
      require(phase.messages == expected, "a phase was missed");
      ++entered;
      role.enter();
      if (expected % 7 == role.index()) usleep(200);
      ++left;
      role.leave();
      if (phase.kind == PhaseKind::drain) return;
    }
  };
  EXPECT_EQ(outcome_of(spec(roles), work), "");
}

TEST_P(Launch, BindsEachRoleFirstAndReportsWhatWasGranted) {
  LaunchSpec plan = spec(2);
  plan.roles[0].asked_pus = {3};
  plan.roles[1].asked_pus = {5, 6};
  plan.bind = [](const std::vector<int>& asked) { return Granted{asked, static_cast<int>(asked.size())}; };
  TestWork work;
  work.on_run = [](Role& role) {
    role.board().timed_messages = role.index() + 1;
    role.board().cost.cpu_ns = 77;
  };
  const SharedLaunchBoard board;
  EXPECT_EQ(outcome_of(plan, work, *board), "");
  const std::vector<RoleReport> reports = role_reports(plan, *board);
  ASSERT_EQ(reports.size(), 2u);
  EXPECT_EQ(reports[0].role, "sender 0");
  EXPECT_THAT(reports[0].asked_pus, ElementsAre(3));
  EXPECT_THAT(reports[1].granted_pus, ElementsAre(5, 6));
  EXPECT_EQ(reports[1].numa_node, 2);
  EXPECT_EQ(reports[1].messages, 2u);
  EXPECT_EQ(reports[1].cost.cpu_ns, 77u);
  EXPECT_EQ(reports[0].scheduler, "other");
  EXPECT_GE(reports[0].last_os_processor, 0);

  plan.bind = [](const std::vector<int>&) -> Granted { throw std::runtime_error("no such processor"); };
  EXPECT_THAT(outcome_of(plan, work), MatchesRegex("failed: .*: no such processor \\(after 0 messages\\)"));
}

TEST_P(Launch, GivesTheSchedulerThatWasAskedOrSaysWhyNot) {
  LaunchSpec plan = spec(1);
  plan.sched = "fifo:1";
  TestWork work;
  const SharedLaunchBoard board;
  const std::string outcome = outcome_of(plan, work, *board);
  if (outcome.empty()) {
    EXPECT_EQ(role_reports(plan, *board)[0].scheduler, "fifo:1");
  } else {
    EXPECT_THAT(outcome, StartsWith("unsupported: sched fifo:1: "));
  }
}

TEST_P(Launch, KeepsALimitAndCutsWhatIsTooLong) {
  TestWork work;
  work.on_run = [](Role& role) {
    role.keep_limit(CapacityFacts::Limit{42, "bytes", std::string(500, 's')});
    if (role.index() == 1) role.keep_limit(std::nullopt);
  };
  const SharedLaunchBoard board;
  EXPECT_EQ(outcome_of(spec(2), work, *board), "");
  EXPECT_TRUE(board->roles[0].has_limit);
  EXPECT_EQ(board->roles[0].limit_value, 42u);
  EXPECT_STREQ(board->roles[0].limit_unit, "bytes");
  EXPECT_EQ(std::string(board->roles[0].limit_source).size(), sizeof board->roles[0].limit_source - 1);
  EXPECT_FALSE(board->roles[1].has_limit);
}

TEST_P(Launch, RefusesMoreRolesOrLinksThanItHasPlacesFor) {
  TestWork work;
  EXPECT_THROW(outcome_of(spec(0), work), std::length_error);
  EXPECT_THROW(outcome_of(spec(max_roles + 1), work), std::length_error);
  work.link_count = max_links + 1;
  EXPECT_THROW(outcome_of(spec(1), work), std::length_error);
}

TEST_P(Launch, HoldsAsManyRolesAndLinksAsItSays) {
  TestWork work;
  work.link_count = max_links;
  work.on_open = [](Role& role) { role.meeting(max_links - 1).publish("role", {}); };
  EXPECT_EQ(outcome_of(spec(max_roles), work), "");
}

}  // namespace
}  // namespace ipcmark
