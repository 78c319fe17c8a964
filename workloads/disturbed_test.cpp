// What a verdict makes of disturbances: of figures made up, and of real ones brought about on purpose; and
// what is looked at beside the timed launches.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/cgroup.h"
#include "workloads/launch_verdict.h"
#include "workloads/test_trial.h"

namespace ipcmark {
namespace {

using testing::Contains;
using testing::HasSubstr;

// ---- made up ----

Measurement quiet() {
  Measurement measurement;
  measurement.span_ns = 100'000'000;
  measurement.integrity.checked = 1000;
  for (const int pu : {0, 1}) {
    RoleReport role;
    role.role = pu == 0 ? "sender 0" : "receiver 1";
    role.asked_pus = role.granted_pus = {pu};
    role.cost.run_delay_ns = 10'000;
    measurement.roles.push_back(role);
  }
  measurement.disturbance = {{0, 1}, 100'000'000, 0, 3, 60, 12'000, 90, 0, 2100.0, 0, 0, 0, {}};
  return measurement;
}

Verdict judged(const Measurement& measurement) {
  Case c;
  c.placement = "0+1";
  return judge_launch(c, measurement);
}

TEST(LaunchVerdict, OfAQuietLaunchIsOkAndSaysWhatWasLookedAt) {
  const Verdict verdict = judged(quiet());
  EXPECT_EQ(verdict.grade, Grade::ok);
  EXPECT_THAT(verdict.reasons, Contains(HasSubstr("lost 0.01 % of the span to others")));
  EXPECT_THAT(verdict.reasons, Contains(HasSubstr("3 device interrupts")));
}

TEST(LaunchVerdict, OfEachDisturbanceNamesItWithItsNumber) {
  struct Spoil {
    std::function<void(Measurement&)> how;
    Grade grade;
    std::string says;
  };
  for (const Spoil& spoil : std::vector<Spoil>{
           {[](Measurement& m) { m.roles[1].cost.run_delay_ns = 5'000'000; }, Grade::noisy,
            "receiver 1 waited 5.0 % of the span for its processor"},
           {[](Measurement& m) { m.roles[0].cost.involuntary_switches = 50; }, Grade::noisy,
            "sender 0 was put off its processor 500 times a second"},
           {[](Measurement& m) { m.disturbance->steal_ns = 40'000'000; }, Grade::noisy, "at least 10.0 %"},
           {[](Measurement& m) { m.disturbance->device_interrupts = 1'000; }, Grade::noisy,
            "interrupted its processors 5000 times a second each"},
           {[](Measurement& m) { m.disturbance->heat_throttles = 2; }, Grade::noisy, "temperature 2 times"},
           {[](Measurement& m) { m.disturbance->memory_pressure_ns = 9'000'000; }, Grade::noisy,
            "waited for memory 9.0 %"},
           {[](Measurement& m) { m.disturbance->quota_throttled_ns = 50'000'000; }, Grade::noisy,
            "a CPU quota stopped this control group for up to 50 ms in 100 ms"},
           {[](Measurement& m) { m.warm_up = WarmUpReport{15, 2'100'000, true, false, -0.14, 0.05}; },
            Grade::noisy,
            "steady state not reached: over the last 5 of 15 warm-up windows of 2.1 ms the time of a message "
            "drifted by -14 %"},
           {[](Measurement& m) { m.roles[0].stops = 1; }, Grade::invalid,
            "sender 0 was stopped by a signal 1 time"},
           {[](Measurement& m) { m.roles[1].granted_pus = {7}; }, Grade::invalid,
            "receiver 1 was pinned to PU 1 but the kernel granted 7"}}) {
    Measurement measurement = quiet();
    spoil.how(measurement);
    const Verdict verdict = judged(measurement);
    EXPECT_EQ(verdict.grade, spoil.grade) << spoil.says;
    EXPECT_THAT(verdict.reasons, Contains(HasSubstr(spoil.says)));
  }
}

TEST(LaunchVerdict, TakesOfAQuotaOnlyTheMeanOverTheProcessorsForLost) {
  Measurement measurement = quiet();
  measurement.disturbance->quota_throttled_ns = 60'000'000;  // both stopped for 30 ms, or one for 60 ms
  EXPECT_DOUBLE_EQ(lost_share(measurement), 0.3);
  measurement.disturbance->quota_throttled_ns = 500'000'000;  // of levels that stopped them for the same time
  EXPECT_DOUBLE_EQ(lost_share(measurement), 1);
}

TEST(LaunchVerdict, DoesNotBlameStealWithinTheStepThatItIsToldIn) {
  Measurement measurement = quiet();
  measurement.disturbance->steal_ns = 20'000'000;  // one step of each of the two processors
  EXPECT_EQ(judged(measurement).grade, Grade::ok);
}

TEST(LaunchVerdict, DoesNotBlameRolesThatTakeTurnsForWaitingForEachOther) {
  Measurement measurement = quiet();
  for (RoleReport& role : measurement.roles) {
    role.asked_pus = role.granted_pus = {0};
    role.cost.run_delay_ns = 50'000'000;
    role.cost.involuntary_switches = 5'000;
  }
  EXPECT_EQ(judged(measurement).grade, Grade::ok);
}

// ---- brought about ----

Case spinning_pipe() {
  Case c;
  c.workload = "ping_pong";
  c.transport = "pipe";
  c.send_wait = c.receive_wait = Wait::spin;
  c.placement = "two PUs";
  return c;
}

class Disturbed : public testing::Test {
 protected:
  void SetUp() override {
    if (pus().size() < 2) GTEST_SKIP() << "needs two processors";
  }
  static const std::vector<PuInfo>& pus() { return test_context().topology.pus(); }

  static Measurement measured(const Case& benchmark_case, std::uint64_t timed_ns,
                              const TrialContext& context = test_context()) {
    const TrialOutcome outcome =
        run_trial(benchmark_case, {{pus().front().logical_index}, {pus().back().logical_index}},
                  {.timed_ns = timed_ns}, context);
    if (const auto* failure = std::get_if<LaunchFailure>(&outcome)) {
      ADD_FAILURE() << failure->reason;
      return {};
    }
    return std::get<Measurement>(outcome);
  }
  static Verdict measured_for(std::uint64_t timed_ns) { return measured(spinning_pipe(), timed_ns).verdict; }
};

// A child that does this until it is killed, or comes to an end; gone with the object.
class Child {
 public:
  explicit Child(const std::function<void()>& body) : pid_(fork()) {
    if (pid_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    body();
    _exit(0);
  }
  ~Child() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

TEST_F(Disturbed, ByABusyProcessOnTheSenderSProcessorIsNoisyAndSaysWhoWaited) {
  if (access("/proc/self/schedstat", R_OK) != 0) GTEST_SKIP() << "this kernel has no schedstat";
  const int os_pu = pus().front().os_index;
  const Child busy([os_pu] {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(os_pu), &set);
    sched_setaffinity(0, sizeof set, &set);
    for (;;) asm volatile("");
  });
  const Verdict verdict = measured_for(100'000'000);
  EXPECT_EQ(verdict.grade, Grade::noisy);
  EXPECT_THAT(verdict.reasons, Contains(testing::AllOf(testing::StartsWith("sender 0 waited"),
                                                       HasSubstr("for its processor"))));
}

// This process, and what it forks, in a control group of its own with half a processor; back and removed with
// the object.
class HalfAProcessor {
 public:
  HalfAProcessor() {
    const auto groups = cpu_cgroups();
    if (!groups || groups->empty()) return;
    above_ = groups->front().folder;
    folder_ = above_ + "/ipcmark-test-" + std::to_string(getpid());
    if (mkdir(folder_.c_str(), 0755) != 0) {
      folder_.clear();
      return;
    }
    const bool limited =
        write(folder_ + "/cpu.max", "50000 100000") ||
        (write(folder_ + "/cpu.cfs_period_us", "100000") && write(folder_ + "/cpu.cfs_quota_us", "50000"));
    inside_ = limited && write(folder_ + "/cgroup.procs", std::to_string(getpid()));
  }
  ~HalfAProcessor() {
    if (inside_) write(above_ + "/cgroup.procs", std::to_string(getpid()));
    if (!folder_.empty()) rmdir(folder_.c_str());
  }
  HalfAProcessor(const HalfAProcessor&) = delete;
  HalfAProcessor& operator=(const HalfAProcessor&) = delete;
  bool granted() const { return inside_; }
  bool stopped_nobody() const {
    std::ifstream file(folder_ + "/cpu.stat");
    for (std::string key, value; file >> key >> value;) {
      if (key == "nr_throttled") return value == "0";
    }
    return false;
  }

 private:
  static bool write(const std::string& path, const std::string& text) {
    if (access(path.c_str(), W_OK) != 0) return false;
    std::ofstream file(path);
    file << text << std::flush;
    return file.good();
  }

  std::string above_, folder_;
  bool inside_ = false;
};

TEST_F(Disturbed, ByAQuotaOfHalfAProcessorIsNoisyAndSaysForHowLong) {
  const HalfAProcessor quota;
  if (!quota.granted()) GTEST_SKIP() << "this process may not make a control group with a CPU quota";
  const Verdict verdict = measured_for(300'000'000);
  if (quota.stopped_nobody()) GTEST_SKIP() << "others left these processors less than the quota grants";
  EXPECT_EQ(verdict.grade, Grade::noisy);
  EXPECT_THAT(verdict.reasons, Contains(HasSubstr("a CPU quota stopped this control group for")));
}

// Stops the receiver for 60 ms, so long after the timed part of the launch begins.
class StopsTheReceiver {
 public:
  explicit StopsTheReceiver(useconds_t after_us) : after_us_(after_us) {}

  TrialContext context() {
    TrialContext context = test_context();
    context.at_edge = [this](TimedEdge edge, const std::vector<pid_t>& roles, const std::vector<int>&) {
      if (edge != TimedEdge::begin) return;
      // At once: before anybody can be through.
      if (after_us_ == 0) kill(roles.at(1), SIGSTOP);
      meddler_.emplace([receiver = roles.at(1), after_us = after_us_] {
        usleep(after_us);
        kill(receiver, SIGSTOP);
        usleep(60'000);
        kill(receiver, SIGCONT);
      });
    };
    return context;
  }

 private:
  useconds_t after_us_;
  std::optional<Child> meddler_;
};

TEST_F(Disturbed, ByARoleThatASignalStopsIsInvalidAndNamesIt) {
  StopsTheReceiver stop(0);
  const Verdict verdict = measured(spinning_pipe(), 400'000'000, stop.context()).verdict;
  EXPECT_EQ(verdict.grade, Grade::invalid);
  EXPECT_THAT(verdict.reasons, Contains(HasSubstr("receiver 1 was stopped by a signal 1 time")));
}

TEST_F(Disturbed, ByAStoppedReceiverAnOpenLoopShowsItToAllThatWasDueMeanwhile) {
  StopsTheReceiver stop(100'000);
  const Case c{.workload = "paced", .transport = "pipe", .placement = "two PUs", .rate = {5'000}};
  const Measurement found = measured(c, 400'000'000, stop.context());
  EXPECT_EQ(found.verdict.grade, Grade::invalid);
  EXPECT_THAT(found.verdict.reasons, Contains(HasSubstr("receiver 1 was stopped by a signal 1 time")));
  ASSERT_TRUE(found.distribution);
  EXPECT_EQ(found.distribution->of, "response_ns");
  EXPECT_GE(found.distribution->max_ns, 50'000'000u);
  // Of 2,000 messages 300 were due while it stood still, half of them over 30 ms before it went on.
  const auto response = Histogram::decode(found.distribution->histogram);
  EXPECT_GE(response->quantile(0.93), 25e6);
}

// ---- examined, not timed ----

Case over_a_pipe(const std::string& workload) {
  Case c;
  c.workload = workload;
  c.transport = "pipe";
  return c;
}

std::uint64_t count_of(const CostExamination::Traced& role, std::string_view name) {
  const auto found = std::ranges::find(role.calls, name, &CostExamination::Call::name);
  return found == role.calls.end() ? 0 : found->count;
}

TEST(Examination, CountsTheSystemCallsOfEachRole) {
  for (const std::string workload : {"ping_pong", "stream"}) {
    CostExamination found;
    trace_system_calls(over_a_pipe(workload), {{}, {}}, test_context(), found);
    if (found.traced_note.starts_with("ptrace")) GTEST_SKIP() << found.traced_note;
    EXPECT_EQ(found.traced_note, "");
    EXPECT_GT(found.traced_messages, 0u);
    ASSERT_EQ(found.traced.size(), 2u);
    EXPECT_EQ(found.traced[0].role, "sender 0");
    EXPECT_EQ(count_of(found.traced[0], "write"), found.traced_messages);
    EXPECT_EQ(count_of(found.traced[0], "read"), workload == "ping_pong" ? found.traced_messages : 0);
    EXPECT_GE(count_of(found.traced[1], "read"), found.traced_messages);
  }
}

// Entering the timed part wakes the lead by one, which is not the ring's.
TEST(Examination, FindsNoSystemCallWhereNoneIsMade) {
  Case c = over_a_pipe("stream");
  c.transport = "posix_shm";
  c.send_wait = c.receive_wait = Wait::spin;
  CostExamination found;
  trace_system_calls(c, {{}, {}}, test_context(), found);
  if (found.traced_note.starts_with("ptrace")) GTEST_SKIP() << found.traced_note;
  ASSERT_EQ(found.traced.size(), 2u) << found.traced_note;
  for (const CostExamination::Traced& role : found.traced) {
    EXPECT_TRUE(role.calls.empty()) << role.role << ": " << role.calls.front().name;
  }
}

TEST(Examination, CountsHardwareEventsOrSaysWhyNot) {
  CostExamination found;
  count_hardware_events(over_a_pipe("stream"), {{}, {}}, test_context(), found);
  EXPECT_NE(found.counted_note, "");
  EXPECT_EQ(found.counted.size(), found.counted_messages > 0 ? 2u : 0u) << found.counted_note;
}

}  // namespace
}  // namespace ipcmark
