#include "harness/doctor.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>

#include <array>
#include <sstream>

#include "harness/fake_root.h"
#include "harness/placement.h"
#include "harness/text.h"

namespace ipcmark {
namespace {

using testing::AllOf;
using testing::Each;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

PuInfo pu(int index) {
  PuInfo pu;
  pu.logical_index = pu.os_index = pu.core = index;
  return pu;
}

// Eight cores, bare metal, everything as it should be.
Machine good_machine() {
  Machine machine;
  machine.packages = machine.numa_nodes = 1;
  machine.cores = 8;
  for (int index = 0; index < 8; ++index) machine.pus.push_back(pu(index));
  machine.settings = {{"governor", "performance"},
                      {"turbo", "off"},
                      {"smt", "off"},
                      {"cpuidle", "none"},
                      {"isolated_cpus", "0-7"},
                      {"clocksource", "tsc"},
                      {"transparent_hugepages", "madvise"},
                      {"aslr", "2"},
                      {"cgroup_cpu_quota", "none"}};
  machine.limits = {{"fs.mqueue.msg_max", "65536"},   {"fs.mqueue.msgsize_max", "16777216"},
                    {"kernel.msgmax", "4194304"},     {"kernel.msgmnb", "67108864"},
                    {"RLIMIT_MSGQUEUE", "unlimited"}, {"RLIMIT_MEMLOCK", "unlimited"},
                    {"RLIMIT_RTPRIO", "99"},          {"net.unix.max_dgram_qlen", "512"}};
  machine.clock = {.source = "CLOCK_MONOTONIC (tsc)",
                   .why = "for a test",
                   .step_ns = 1,
                   .read_ns = 20,
                   .ordered = true,
                   .order_checks = 9};
  return machine;
}

SystemProbe good_probe() {
  SystemProbe probe;
  probe.load_average = 0.01;
  probe.perf_event_paranoid = 1;
  probe.shm_free_bytes = std::uint64_t{1} << 30;
  probe.isolation = "pid+ipc+mount namespaces";
  return probe;
}

Machine with_setting(const std::string& name, const std::string& value) {
  Machine machine = good_machine();
  std::erase_if(machine.settings, [&](const NamedValue& setting) { return setting.name == name; });
  machine.settings.push_back({name, value});
  return machine;
}

Machine with_limit(const std::string& name, const std::string& value) {
  Machine machine = good_machine();
  std::erase_if(machine.limits, [&](const NamedValue& limit) { return limit.name == name; });
  machine.limits.push_back({name, value});
  return machine;
}

Finding finding(const std::string& subject, const Machine& machine, const SystemProbe& probe = good_probe()) {
  for (const Finding& candidate : examine(machine, probe))
    if (candidate.subject == subject) return candidate;
  ADD_FAILURE() << "nothing is said of " << subject;
  return {};
}

bool is_silent_about(const std::string& subject, const Machine& machine,
                     const SystemProbe& probe = good_probe()) {
  for (const Finding& candidate : examine(machine, probe))
    if (candidate.subject == subject) return false;
  return true;
}

TEST(Doctor, FindsNothingWrongWithAGoodMachine) {
  const std::vector<Finding> findings = examine(good_machine(), good_probe());
  EXPECT_GE(findings.size(), 18u);
  for (const Finding& finding : findings) {
    EXPECT_EQ(finding.severity, Severity::good) << finding.subject << ": " << finding.found;
    EXPECT_EQ(finding.advice, "") << finding.subject;
    EXPECT_NE(finding.found, "") << finding.subject;
  }
}

TEST(Doctor, SaysNothingOfWhatItCouldNotSee) {
  const Machine unseen;
  for (std::string subject :
       {"load", "CPU quota", "turbo", "clock", "clock source", "isolated CPUs", "ASLR", "huge pages",
        "POSIX queues", "POSIX queue memory", "System V queues", "locked memory", "pipe size", "isolation",
        "hardware counters", "real-time priority", "unix datagrams"})
    EXPECT_TRUE(is_silent_about(subject, unseen, SystemProbe{})) << subject;
}

TEST(Doctor, WantsTwoProcessors) {
  Machine machine = good_machine();
  machine.pus.resize(1);
  EXPECT_EQ(finding("processors", machine).severity, Severity::bad);
  machine.pus.resize(2, pu(1));
  EXPECT_EQ(finding("processors", machine).severity, Severity::note);
}

TEST(Doctor, WarnsOfAVirtualMachine) {
  Machine machine = good_machine();
  machine.hypervisor = "KVM";
  EXPECT_THAT(finding("virtual machine", machine),
              AllOf(Field(&Finding::severity, Severity::warning), Field(&Finding::found, HasSubstr("KVM"))));
}

TEST(Doctor, NamesProcessorsThatAreBusyNowAndWhoSharesTheirCore) {
  Machine machine = good_machine();
  SystemProbe probe = good_probe();
  const int busy_pu = machine.pus[1].os_index;
  probe.activity = {{machine.pus[0].os_index, 0.02, 0}, {busy_pu, 0.45, 0}};
  EXPECT_EQ(finding("interrupts", machine, probe).severity, Severity::good);
  EXPECT_EQ(finding("busy processors", machine, probe).severity, Severity::warning);
  EXPECT_THAT(finding("busy processors", machine, probe).found,
              HasSubstr(fmt::format("PU {} 45 % busy", machine.pus[1].logical_index)));
  machine.pus[0].core = machine.pus[1].core;
  EXPECT_THAT(finding("busy processors", machine, probe).found,
              HasSubstr(fmt::format("slows PU {} on the same core", machine.pus[0].logical_index)));
  probe.activity[1].busy_share = 0.05;
  EXPECT_EQ(finding("busy processors", machine, probe).severity, Severity::good);
  probe.activity[1].interrupts_per_s = 500;
  EXPECT_EQ(finding("interrupts", machine, probe).severity, Severity::note);
  probe.activity[1].interrupts_per_s = 50'000;
  EXPECT_EQ(finding("interrupts", machine, probe).severity, Severity::warning);
}

TEST(Doctor, TellsHowBusyAProcessorWasFromTwoLooks) {
  constexpr std::string_view before =
      "cpu  9 9 9 9\ncpu0 10 0 10 100 20 0 0 0 0 0\ncpu1 0 0 0 50 0 0 0 0 0 0\n";
  constexpr std::string_view after =
      "cpu  9 9 9 9\ncpu0 20 0 15 110 25 0 0 10 7 0\ncpu1 0 0 0 90 0 0 0 0 0 0\n";
  constexpr std::string_view raised = "   CPU0 CPU1\n 24: 100 7 dev\nLOC: 5 5 Local timer interrupts\n";
  constexpr std::string_view raised_later =
      "   CPU0 CPU1\n 24: 160 7 dev\nLOC: 50 50 Local timer interrupts\n";
  const auto found = activity_between(before, after, raised, raised_later, 0.5, std::array{0, 1, 2});
  ASSERT_EQ(found.size(), 2u);
  EXPECT_DOUBLE_EQ(found[0].busy_share, 25.0 / 40);
  EXPECT_EQ(found[0].interrupts_per_s, 120);
  EXPECT_EQ(found[1].busy_share, 0);
}

TEST(Doctor, SaysWhoMayTraceAndWhoHoldsIdleStates) {
  SystemProbe probe = good_probe();
  probe.ptrace_scope = 1;
  EXPECT_EQ(finding("tracing", good_machine(), probe).severity, Severity::good);
  probe.ptrace_scope = 3;
  EXPECT_EQ(finding("tracing", good_machine(), probe).severity, Severity::note);
  probe.wake_up_latency_us = 0;
  EXPECT_THAT(finding("idle states", with_setting("cpuidle", "intel_idle, menu"), probe).found,
              HasSubstr("held to 0 µs"));
}

TEST(Doctor, AQuotaBelowTheProcessorsMisleads) {
  EXPECT_EQ(finding("CPU quota", with_setting("cgroup_cpu_quota", "1.5 CPUs")).severity, Severity::bad);
  EXPECT_EQ(finding("CPU quota", with_setting("cgroup_cpu_quota", "7.99 CPUs")).severity, Severity::bad);
  EXPECT_EQ(finding("CPU quota", with_setting("cgroup_cpu_quota", "8 CPUs")).severity, Severity::note);
}

TEST(Doctor, HoldsTheLoadAgainstTheProcessors) {
  const auto severity = [](double load) {
    SystemProbe probe = good_probe();
    probe.load_average = load;
    return finding("load", good_machine(), probe).severity;
  };
  EXPECT_EQ(severity(0.5), Severity::good);
  EXPECT_EQ(severity(2), Severity::note);
  EXPECT_EQ(severity(6), Severity::warning);
  EXPECT_EQ(severity(9), Severity::bad);
}

TEST(Doctor, SeesSharedCores) {
  Machine machine = good_machine();
  machine.pus[1].core = 0;
  EXPECT_EQ(finding("SMT", machine).severity, Severity::note);
  EXPECT_THAT(finding("SMT", with_setting("smt", "on")).found, HasSubstr("others may run"));
}

TEST(Doctor, WantsTheFrequencyToStandStill) {
  EXPECT_THAT(
      finding("governor", with_setting("governor", "performance, powersave")),
      AllOf(Field(&Finding::severity, Severity::warning), Field(&Finding::advice, HasSubstr("performance"))));
  EXPECT_THAT(finding("turbo", with_setting("turbo", "on")).advice, HasSubstr("boost"));
  Machine intel = with_setting("turbo", "on");
  intel.settings.push_back({"scaling_driver", "intel_pstate"});
  EXPECT_THAT(finding("turbo", intel).advice, HasSubstr("no_turbo"));
}

TEST(Doctor, SaysHowToReachIsolatedProcessors) {
  EXPECT_EQ(finding("isolated CPUs", with_setting("isolated_cpus", "none")).severity, Severity::note);
  EXPECT_THAT(
      finding("isolated CPUs", with_setting("isolated_cpus", "8-11,20")),
      AllOf(Field(&Finding::severity, Severity::warning), Field(&Finding::advice, HasSubstr("-c 8-11,20"))));
  EXPECT_THAT(
      finding("isolated CPUs", with_setting("isolated_cpus", "2,6-9")),
      AllOf(Field(&Finding::severity, Severity::note), Field(&Finding::found, HasSubstr("3 of the 8"))));
}

TEST(Doctor, RefusesSlowAndDisorderedClocks) {
  EXPECT_EQ(finding("clock source", with_setting("clocksource", "hpet")).severity, Severity::bad);
  EXPECT_EQ(finding("clock source", with_setting("clocksource", "arch_sys_counter")).severity,
            Severity::good);
  Machine machine = good_machine();
  machine.clock.ordered = false;
  EXPECT_EQ(finding("clock", machine).severity, Severity::bad);
  machine.clock.ordered = true;
  machine.clock.step_ns = 256;
  EXPECT_EQ(finding("clock", machine).severity, Severity::warning);
  machine.clock.step_ns = 4'000'000;
  EXPECT_EQ(finding("clock", machine).severity, Severity::bad);
  machine.clock = {};
  EXPECT_TRUE(is_silent_about("clock", machine));
}

TEST(Doctor, NotesKernelSettings) {
  EXPECT_EQ(finding("huge pages", with_setting("transparent_hugepages", "always")).severity, Severity::note);
  EXPECT_EQ(finding("ASLR", with_setting("aslr", "0")).severity, Severity::note);
  EXPECT_EQ(finding("idle states", with_setting("cpuidle", "intel_idle, menu")).severity, Severity::note);
  Machine nodes = with_setting("numa_balancing", "1");
  EXPECT_TRUE(is_silent_about("NUMA balancing", nodes));
  nodes.numa_nodes = 2;
  EXPECT_EQ(finding("NUMA balancing", nodes).severity, Severity::note);
}

TEST(Doctor, SaysWhatPosixQueuesExclude) {
  Machine machine = with_limit("fs.mqueue.msg_max", "10");
  EXPECT_THAT(
      finding("POSIX queues", machine),
      AllOf(Field(&Finding::severity, Severity::warning),
            Field(&Finding::found, HasSubstr("10 messages of 16 MiB")),
            Field(&Finding::advice, HasSubstr("--limits raised, or sysctl -w fs.mqueue.msg_max=65536"))));

  SystemProbe alone = good_probe();
  alone.isolation_refusal = "unshare: Operation not permitted";
  EXPECT_THAT(finding("POSIX queues", machine, alone).advice, Not(HasSubstr("--limits raised")));

  SystemProbe privileged = good_probe();
  privileged.capabilities = 1u << CAP_SYS_RESOURCE;
  EXPECT_EQ(finding("POSIX queues", machine, privileged).severity, Severity::note);

  // 16,576 = 2 x (8192 + 96); 800 KiB is Linux's default.
  EXPECT_THAT(finding("POSIX queue memory", with_limit("RLIMIT_MSGQUEUE", "16576")).found,
              HasSubstr(" 2 of 8 KiB"));
  EXPECT_EQ(finding("POSIX queue memory", with_limit("RLIMIT_MSGQUEUE", "819200")).severity,
            Severity::warning);
}

TEST(Doctor, SaysWhatSystemVQueuesExclude) {
  EXPECT_THAT(finding("System V queues", with_limit("kernel.msgmax", "8192")),
              AllOf(Field(&Finding::severity, Severity::warning), Field(&Finding::found, HasSubstr("8 KiB")),
                    Field(&Finding::advice, HasSubstr("kernel.msgmax="))));
}

TEST(Doctor, SaysWhatPipesAndDatagramsHold) {
  EXPECT_THAT(finding("pipe size", with_limit("fs.pipe-max-size", "1048576")).found, HasSubstr("1 MiB"));
  EXPECT_THAT(finding("unix datagrams", with_limit("net.unix.max_dgram_qlen", "10")).found,
              HasSubstr("11 datagrams"));
}

TEST(Doctor, CountsLockedMemoryAndPriorityAsLimitedUnlessPrivileged) {
  EXPECT_EQ(finding("locked memory", with_limit("RLIMIT_MEMLOCK", "65536")).severity, Severity::note);
  EXPECT_EQ(finding("real-time priority", with_limit("RLIMIT_RTPRIO", "0")).severity, Severity::note);
  SystemProbe privileged = good_probe();
  privileged.capabilities = 1u << CAP_IPC_LOCK | 1u << CAP_SYS_NICE;
  EXPECT_EQ(finding("locked memory", with_limit("RLIMIT_MEMLOCK", "65536"), privileged).severity,
            Severity::good);
  EXPECT_EQ(finding("real-time priority", with_limit("RLIMIT_RTPRIO", "0"), privileged).severity,
            Severity::good);
}

TEST(Doctor, ReportsARefusedIsolationWithItsReason) {
  SystemProbe probe = good_probe();
  probe.isolation = "O_TMPFILE and unlink";
  probe.isolation_refusal = "unshare: Operation not permitted";
  EXPECT_THAT(
      finding("isolation", good_machine(), probe),
      AllOf(Field(&Finding::severity, Severity::warning), Field(&Finding::found, HasSubstr("not permitted")),
            Field(&Finding::advice, HasSubstr("ipcmark clean"))));
}

TEST(Doctor, LooksAtCountersAndSharedMemory) {
  SystemProbe probe = good_probe();
  probe.perf_event_paranoid = 2;
  EXPECT_EQ(finding("hardware counters", good_machine(), probe).severity, Severity::note);
  probe.capabilities = std::uint64_t{1} << CAP_PERFMON;
  EXPECT_EQ(finding("hardware counters", good_machine(), probe).severity, Severity::good);
  probe.shm_free_bytes = 64u << 20;
  EXPECT_EQ(finding("/dev/shm", good_machine(), probe).severity, Severity::warning);
  probe.shm_free_bytes = std::nullopt;
  EXPECT_THAT(finding("/dev/shm", good_machine(), probe).found, HasSubstr("not there"));
}

TEST(ProbeSystem, ReadsTheMoment) {
  FakeRoot root;
  EXPECT_EQ(probe_system(root.path()).load_average, std::nullopt);
  EXPECT_EQ(probe_system(root.path()).perf_event_paranoid, std::nullopt);
  EXPECT_EQ(probe_system(root.path()).shm_free_bytes, std::nullopt);
  EXPECT_EQ(probe_system(root.path()).capabilities, 0u);

  root.with("proc/loadavg", "1.25 0.80 0.40 2/345 6789")
      .with("proc/sys/kernel/perf_event_paranoid", "-1")
      .with("proc/self/status",
            "Name:\tipcmark\nCapPrm:\t000001ffffffffff\nCapEff:\t0000000001000000\nSeccomp:\t0")
      .with("dev/shm/in_use", "");
  const SystemProbe probe = probe_system(root.path());
  EXPECT_EQ(probe.load_average, 1.25);
  EXPECT_EQ(probe.perf_event_paranoid, -1);
  EXPECT_EQ(probe.capabilities, 1u << CAP_SYS_RESOURCE);
  EXPECT_NE(probe.shm_free_bytes, std::nullopt);
}

TEST(ProbeSystem, AndTheDoctorWorkOnThisMachine) {
  const Machine machine = describe_machine(Topology::of_this_machine());
  EXPECT_THAT(examine(machine, probe_system()), Each(Field(&Finding::found, Not(IsEmpty()))));
}

const std::vector<Finding> kTwo = {
    {Severity::warning, "governor", "powersave: it lags", "cpupower frequency-set -g performance"},
    {Severity::good, "clock", "tsc", ""},
};

TEST(FormatFindings, AlignsColumnsAndIndentsAdvice) {
  EXPECT_EQ(format_findings(kTwo, 80, false),
            "warning  governor  powersave: it lags\n"
            "                   → cpupower frequency-set -g performance\n"
            "good     clock     tsc\n"
            "1 warning, 1 good\n");
}

TEST(FormatFindings, PutsTextBelowItsSubjectOnANarrowTerminal) {
  EXPECT_EQ(format_findings(kTwo, 10, false),
            "warning  governor\n"
            "    powersave: it lags\n"
            "    → cpupower frequency-set -g\n"
            "      performance\n"
            "good     clock\n"
            "    tsc\n"
            "1 warning, 1 good\n");
}

TEST(FormatFindings, KeepsWithinTheWidth) {
  Machine machine = good_machine();
  machine.hypervisor = "KVM";
  machine.pus.resize(1);
  SystemProbe probe = good_probe();
  probe.load_average = 9;
  for (unsigned width : {60u, 80u, 120u}) {
    std::istringstream lines(format_findings(examine(machine, probe), width, false));
    for (std::string line; std::getline(lines, line);) EXPECT_LE(text_width(line), width) << line;
  }
}

TEST(FormatFindings, ColoursTheSeverityAndNothingElse) {
  const std::string plain = format_findings(kTwo, 80, false);
  EXPECT_THAT(plain, Not(HasSubstr("\x1b")));
  std::string coloured = format_findings(kTwo, 80, true);
  EXPECT_THAT(coloured, HasSubstr("\x1b[33mwarning  \x1b[0mgovernor"));
  for (std::string_view escape : {"\x1b[33m", "\x1b[32m", "\x1b[0m"})
    for (std::size_t at; (at = coloured.find(escape)) != std::string::npos;)
      coloured.erase(at, escape.size());
  EXPECT_EQ(coloured, plain);
}

}  // namespace
}  // namespace ipcmark
