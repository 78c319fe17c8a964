#include "harness/machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <initializer_list>
#include <utility>

#include "harness/fake_root.h"
#include "harness/placement.h"

namespace ipcmark {
namespace {

using testing::Eq;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::Optional;

Machine describe(const FakeRoot& root, std::string_view topology = "pack:1 [numa] l3:1 l2:2 core:1 pu:1") {
  return describe_machine(Topology::synthetic(topology), root.path());
}

constexpr const char* kBareMetalCpu =
    "processor\t: 0\nmodel name\t: Acme(R) Fast(TM) CPU @ 2.40GHz\ncpu MHz\t\t: 3100.000\nflags\t\t: fpu vme "
    "sse2\n";
constexpr const char* kVirtualCpu =
    "processor\t: 0\nmodel name\t: Acme Cloud\ncpu MHz\t\t: 2700.000\nflags\t\t: fpu hypervisor sse2\n";

TEST(DescribeMachine, AnEmptyTreeGivesNoEntriesRatherThanEmptyOnes) {
  const Machine machine = describe(FakeRoot());
  EXPECT_THAT(machine.settings, IsEmpty());
  EXPECT_THAT(machine.limits, IsEmpty());
  EXPECT_THAT(machine.mitigations, IsEmpty());
  EXPECT_EQ(machine.cpu_model, "");
  EXPECT_EQ(machine.hypervisor, "");
  EXPECT_EQ(machine.cpu_mhz, 0);
  EXPECT_EQ(machine.memory_bytes, 0u);
}

TEST(DescribeMachine, TakesTheTopologyAsItIs) {
  const Machine machine = describe(FakeRoot(), "pack:2 [numa] l3:1 l2:4 core:1 pu:2");
  EXPECT_EQ(machine.packages, 2u);
  EXPECT_EQ(machine.numa_nodes, 2u);
  EXPECT_EQ(machine.cores, 8u);
  EXPECT_EQ(machine.pus.size(), 16u);
  EXPECT_EQ(machine.caches.size(), 2u);
}

TEST(DescribeMachine, ReadsWhoItIs) {
  FakeRoot root;
  root.with("etc/os-release", "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"")
      .with("proc/sys/kernel/hostname", "somewhere")
      .with("proc/sys/kernel/osrelease", "6.1.0-18-amd64")
      .with("proc/meminfo", "MemTotal:       16384 kB\nMemFree:        1 kB")
      .with("proc/cpuinfo", kBareMetalCpu);
  const Machine machine = describe(root);
  EXPECT_EQ(machine.operating_system, "Debian GNU/Linux 12 (bookworm)");
  EXPECT_EQ(machine.host_name, "somewhere");
  EXPECT_EQ(machine.kernel, "6.1.0-18-amd64");
  EXPECT_EQ(machine.memory_bytes, 16u << 20);
  EXPECT_EQ(machine.cpu_model, "Acme(R) Fast(TM) CPU @ 2.40GHz");
  EXPECT_EQ(machine.hypervisor, "");
}

TEST(DescribeMachine, NominalSpeedIsNeverTheSpeedOfTheMoment) {
  EXPECT_DOUBLE_EQ(describe(FakeRoot().with("proc/cpuinfo", kBareMetalCpu)).cpu_mhz, 2400);
  EXPECT_DOUBLE_EQ(describe(FakeRoot().with("proc/cpuinfo", kVirtualCpu)).cpu_mhz, 2700);
  FakeRoot scaling;
  scaling.with("proc/cpuinfo", kVirtualCpu)
      .with("sys/devices/system/cpu/cpu0/cpufreq/scaling_driver", "acpi-cpufreq");
  EXPECT_DOUBLE_EQ(describe(scaling).cpu_mhz, 0);
  scaling.with("sys/devices/system/cpu/cpu0/acpi_cppc/nominal_freq", "3400");
  EXPECT_DOUBLE_EQ(describe(scaling).cpu_mhz, 3400);
  scaling.with("sys/devices/system/cpu/cpu0/cpufreq/base_frequency", "2100000");
  EXPECT_DOUBLE_EQ(describe(scaling).cpu_mhz, 2100);
}

TEST(DescribeMachine, NamesAnArmProcessorByItsNumbers) {
  FakeRoot root;
  root.with("proc/cpuinfo", "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c");
  EXPECT_EQ(describe(root).cpu_model, "implementer 0x41 part 0xd0c");
}

TEST(DescribeMachine, TellsHypervisorsFromBareMetal) {
  const auto hypervisor = [](const char* cpu, const char* file, const char* text) {
    FakeRoot root;
    if (*cpu != '\0') root.with("proc/cpuinfo", cpu);
    if (*file != '\0') root.with(file, text);
    return describe(root).hypervisor;
  };
  constexpr const char* kClocks = "sys/devices/system/clocksource/clocksource0/available_clocksource";
  constexpr const char* kVendor = "sys/class/dmi/id/sys_vendor";
  constexpr const char* kProduct = "sys/class/dmi/id/product_name";
  EXPECT_EQ(hypervisor(kVirtualCpu, "", ""), "unknown");
  EXPECT_EQ(hypervisor(kVirtualCpu, kClocks, "tsc kvm-clock acpi_pm"), "KVM");
  EXPECT_EQ(hypervisor(kVirtualCpu, kClocks, "hyperv_clocksource_tsc_page tsc"), "Hyper-V");
  EXPECT_EQ(hypervisor(kVirtualCpu, kVendor, "VMware, Inc."), "VMware");
  EXPECT_EQ(hypervisor(kVirtualCpu, kVendor, "Amazon EC2"), "KVM");
  EXPECT_EQ(hypervisor(kVirtualCpu, kProduct, "VirtualBox"), "VirtualBox");
  EXPECT_EQ(hypervisor(kBareMetalCpu, kVendor, "Amazon EC2"), "");
  EXPECT_EQ(hypervisor(kBareMetalCpu, "sys/hypervisor/type", "xen"), "Xen");
  EXPECT_EQ(hypervisor("", kVendor, "QEMU"), "QEMU");
  EXPECT_EQ(hypervisor("", "proc/device-tree/hypervisor/compatible", "linux,kvm"), "KVM");
}

TEST(DescribeMachine, ReadsSettings) {
  FakeRoot root;
  root.with("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance")
      .with("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "powersave")
      .with("sys/devices/system/cpu/cpu2/cpufreq/scaling_governor", "schedutil")
      .with("sys/devices/system/cpu/intel_pstate/no_turbo", "1")
      .with("sys/devices/system/cpu/smt/control", "on")
      .with("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc")
      .with("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never")
      .with("proc/sys/kernel/randomize_va_space", "2")
      .with("sys/devices/system/cpu/isolated", "")
      .with("sys/devices/system/cpu/nohz_full", "2-3")
      .with("sys/devices/system/cpu/cpuidle/current_driver", "intel_idle")
      .with("sys/devices/system/cpu/cpuidle/current_governor", "menu");
  const std::vector<NamedValue> settings = describe(root).settings;
  // The third processor is not one of this topology's two.
  EXPECT_THAT(find_value(settings, "governor"), Optional(Eq("performance, powersave")));
  EXPECT_THAT(find_value(settings, "turbo"), Optional(Eq("off")));
  EXPECT_THAT(find_value(settings, "smt"), Optional(Eq("on")));
  EXPECT_THAT(find_value(settings, "clocksource"), Optional(Eq("tsc")));
  EXPECT_THAT(find_value(settings, "transparent_hugepages"), Optional(Eq("madvise")));
  EXPECT_THAT(find_value(settings, "aslr"), Optional(Eq("2")));
  EXPECT_THAT(find_value(settings, "isolated_cpus"), Optional(Eq("none")));
  EXPECT_THAT(find_value(settings, "nohz_full"), Optional(Eq("2-3")));
  EXPECT_THAT(find_value(settings, "cpuidle"), Optional(Eq("intel_idle, menu")));
  EXPECT_EQ(find_value(settings, "scaling_driver"), std::nullopt);
}

TEST(DescribeMachine, TurboIsReadFromEitherDriver) {
  constexpr const char* kBoost = "sys/devices/system/cpu/cpufreq/boost";
  EXPECT_THAT(find_value(describe(FakeRoot().with(kBoost, "1")).settings, "turbo"), Optional(Eq("on")));
  EXPECT_THAT(find_value(describe(FakeRoot().with(kBoost, "0")).settings, "turbo"), Optional(Eq("off")));
}

TEST(DescribeMachine, NamesThePreemptionModel) {
  const auto preemption = [](const char* version, const char* file = "", const char* text = "") {
    FakeRoot root;
    root.with("proc/sys/kernel/version", version);
    if (*file != '\0') root.with(file, text);
    return std::string(find_value(describe(root).settings, "preemption").value_or("absent"));
  };
  EXPECT_EQ(preemption("#1 SMP Debian 5.10"), "none or voluntary");
  EXPECT_EQ(preemption("#1 SMP PREEMPT Debian"), "full");
  EXPECT_EQ(preemption("#1 SMP PREEMPT_RT Debian"), "rt");
  EXPECT_EQ(preemption("#1 SMP PREEMPT_DYNAMIC Debian"), "dynamic");
  EXPECT_EQ(preemption("#1 SMP PREEMPT_DYNAMIC Debian", "proc/cmdline", "quiet preempt=full"),
            "full (dynamic)");
  EXPECT_EQ(
      preemption("#1 SMP PREEMPT_DYNAMIC Debian", "sys/kernel/debug/sched/preempt", "none (voluntary) full"),
      "voluntary (dynamic)");
}

struct Quota {
  std::string mountinfo, cgroup;
  std::vector<std::pair<std::string, std::string>> files;
};

std::string quota(const Quota& given) {
  FakeRoot root;
  root.with("proc/self/mountinfo", given.mountinfo).with("proc/self/cgroup", given.cgroup);
  for (const auto& [file, text] : given.files) root.with(file, text);
  return std::string(find_value(describe(root).settings, "cgroup_cpu_quota").value_or("absent"));
}

constexpr const char* kVersion2 =
    "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate";
constexpr const char* kVersion1 =
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
    "33 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct";

TEST(CgroupQuota, OfVersion2IsTheTightestOnTheWayUp) {
  EXPECT_EQ(quota({kVersion2, "0::/user.slice/a", {{"sys/fs/cgroup/user.slice/a/cpu.max", "max 100000"}}}),
            "none");
  EXPECT_EQ(quota({kVersion2, "0::/user.slice/a", {{"sys/fs/cgroup/user.slice/a/cpu.max", "150000 100000"}}}),
            "1.5 CPUs");
  EXPECT_EQ(quota({kVersion2,
                   "0::/user.slice/a",
                   {{"sys/fs/cgroup/user.slice/a/cpu.max", "400000 100000"},
                    {"sys/fs/cgroup/user.slice/cpu.max", "50000 200000"}}}),
            "0.25 CPUs");
  EXPECT_EQ(quota({kVersion2, "0::/", {}}), "none");
}

TEST(CgroupQuota, OfVersion1IsReadFromTheCpuController) {
  EXPECT_EQ(quota({kVersion1,
                   "4:cpuset:/\n3:cpu,cpuacct:/box",
                   {{"sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "200000"},
                    {"sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us", "100000"}}}),
            "2 CPUs");
  EXPECT_EQ(quota({kVersion1,
                   "3:cpu,cpuacct:/",
                   {{"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1"},
                    {"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000"}}}),
            "none");
}

TEST(CgroupQuota, InAContainerIsReadBelowTheMountsOwnRoot) {
  EXPECT_EQ(
      quota({"30 23 0:26 /docker/ab /sys/fs/cgroup rw - cgroup2 cgroup2 rw",
             "0::/docker/ab/inner",
             {{"sys/fs/cgroup/inner/cpu.max", "100000 100000"}, {"sys/fs/cgroup/cpu.max", "300000 100000"}}}),
      "1 CPU");
  EXPECT_EQ(quota({kVersion2, "0::/../outside", {{"sys/fs/cgroup/cpu.max", "300000 100000"}}}), "3 CPUs");
}

TEST(CgroupQuota, WithoutCgroupsHasNoEntry) { EXPECT_EQ(quota({"", "", {}}), "absent"); }

TEST(DescribeMachine, ReadsLimitsAndMitigations) {
  FakeRoot root;
  root.with("proc/sys/fs/mqueue/msgsize_max", "8192")
      .with("proc/sys/kernel/sem", "32000\t1024000000\t500\t32000")
      .with("proc/self/limits",
            "Limit                     Soft Limit           Hard Limit           Units     \n"
            "Max locked memory         65536                unlimited            bytes     \n"
            "Max msgqueue size         unlimited            819200               bytes     \n"
            "Max realtime priority     5                    10                              ")
      .with("sys/devices/system/cpu/vulnerabilities/spectre_v2", "Mitigation: IBRS")
      .with("sys/devices/system/cpu/vulnerabilities/meltdown", "Not affected");
  const Machine machine = describe(root);
  EXPECT_THAT(find_value(machine.limits, "fs.mqueue.msgsize_max"), Optional(Eq("8192")));
  EXPECT_THAT(find_value(machine.limits, "kernel.sem"), Optional(Eq("32000 1024000000 500 32000")));
  EXPECT_THAT(find_value(machine.limits, "RLIMIT_MEMLOCK"), Optional(Eq("65536")));
  EXPECT_THAT(find_value(machine.limits, "RLIMIT_MSGQUEUE"), Optional(Eq("unlimited")));
  EXPECT_THAT(find_value(machine.limits, "RLIMIT_RTPRIO"), Optional(Eq("5")));
  EXPECT_EQ(machine.limits.size(), 5u);
  ASSERT_EQ(machine.mitigations.size(), 2u);
  EXPECT_EQ(machine.mitigations[0].name, "meltdown");
  EXPECT_EQ(machine.mitigations[1].value, "Mitigation: IBRS");
}

TEST(Fingerprint, IsAFixedFunctionOfItsInput) {
  // FNV-1a of four empty texts and the two list titles, each followed by 0xff; computed apart from this code.
  EXPECT_EQ(fingerprint(Machine{}), "886e17ae1e72a63e");
}

TEST(Fingerprint, ChangesWithWhatMattersAndWithNothingElse) {
  Machine machine = describe(FakeRoot().with("proc/cpuinfo", kBareMetalCpu));
  machine.settings = {{"governor", "performance"}};
  machine.mitigations = {{"meltdown", "Mitigation: PTI"}};
  const std::string before = fingerprint(machine);
  EXPECT_THAT(before, MatchesRegex("[0-9a-f]{16}"));

  const auto after = [&](const std::function<void(Machine&)>& change) {
    Machine changed = machine;
    change(changed);
    return fingerprint(changed);
  };
  for (const std::function<void(Machine&)>& change : std::initializer_list<std::function<void(Machine&)>>{
           [](Machine& m) { m.cpu_model += "2"; }, [](Machine& m) { m.kernel = "6.2"; },
           [](Machine& m) { m.hypervisor = "KVM"; }, [](Machine& m) { m.caches[0].size_bytes *= 2; },
           [](Machine& m) { m.pus[1].l3 = 1; }, [](Machine& m) { m.pus.pop_back(); },
           [](Machine& m) { m.pus[0].kind = "P"; }, [](Machine& m) { m.settings[0].value = "powersave"; },
           [](Machine& m) { m.mitigations[0].value = "Vulnerable"; },
           [](Machine& m) { std::swap(m.settings, m.mitigations); }})
    EXPECT_NE(after(change), before);
  for (const std::function<void(Machine&)>& change : std::initializer_list<std::function<void(Machine&)>>{
           [](Machine& m) { m.host_name = "elsewhere"; }, [](Machine& m) { m.pus[0].os_index = 7; },
           [](Machine& m) { m.memory_bytes = 1; }, [](Machine& m) { m.cpu_mhz = 1; },
           [](Machine& m) { m.clock.step_ns = 1; }, [](Machine& m) { m.floors.system_call_ns = 1; }})
    EXPECT_EQ(after(change), before);
}

TEST(DescribeMachine, KnowsThisMachine) {
  const Topology topology = Topology::of_this_machine();
  const Machine machine = describe_machine(topology);
  EXPECT_NE(machine.kernel, "");
  EXPECT_NE(machine.architecture, "");
  EXPECT_GT(machine.memory_bytes, 0u);
  EXPECT_THAT(find_value(machine.limits, "fs.pipe-max-size"), testing::Ne(std::nullopt));
  EXPECT_THAT(find_value(machine.limits, "RLIMIT_NOFILE"), testing::Ne(std::nullopt));
  EXPECT_EQ(machine.fingerprint, describe_machine(topology).fingerprint);
}

}  // namespace
}  // namespace ipcmark
