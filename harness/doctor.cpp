#include "harness/doctor.h"

#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <thread>

#include "harness/disturbance.h"
#include "harness/files.h"
#include "harness/judging.h"
#include "harness/text.h"

namespace ipcmark {
namespace {

using enum Severity;

// Ceilings of the kernel's own (mq_overview(7)), where sysctl ends.
constexpr std::uint64_t kMqueueHardMessages = 65'536;
constexpr std::uint64_t kMqueueHardBytes = 16'777'216;
// What a queued message costs beside its bytes: struct msg_msg and struct posix_msg_tree_node (getrlimit(2)).
constexpr std::uint64_t kMqueueOverheadBytes = 96;

constexpr std::uint64_t kMiB = 1u << 20;
// The largest message of the suites; what the mechanisms' limits are held against.
constexpr std::uint64_t kLargestMessageBytes = 4 * kMiB;

bool may(const SystemProbe& probe, unsigned capability) { return probe.capabilities >> capability & 1u; }

std::optional<std::uint64_t> number(const std::vector<NamedValue>& values, std::string_view name) {
  const auto text = find_value(values, name);
  return text ? parse_number(*text) : std::nullopt;
}

// "0-3,8" -> 0 1 2 3 8; what is no list gives nothing.
std::set<int> parse_cpu_list(std::string_view list) {
  std::set<int> cpus;
  for (std::string_view range : split(list, ',')) {
    const std::size_t dash = range.find('-');
    const auto first = parse_number(range.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_number(range.substr(dash + 1));
    if (!first || !last) return {};
    for (std::uint64_t cpu = *first; cpu <= *last; ++cpu) cpus.insert(static_cast<int>(cpu));
  }
  return cpus;
}

class Examination {
 public:
  Examination(const Machine& machine, const SystemProbe& probe) : machine_(machine), probe_(probe) {}

  std::vector<Finding> all() && {
    processors();
    hypervisor();
    cpu_quota();
    load();
    busy_processors();
    interrupts();
    smt();
    governor();
    turbo();
    idle_states();
    isolated_cpus();
    clock_source();
    clock();
    huge_pages();
    numa_balancing();
    address_randomization();
    isolation();
    locked_memory();
    real_time();
    hardware_counters();
    tracing();
    shared_memory();
    posix_queues();
    system_v_queues();
    pipes();
    unix_datagrams();
    return std::move(findings_);
  }

 private:
  void add(Severity severity, std::string subject, std::string found, std::string advice = "") {
    findings_.push_back({severity, std::move(subject), std::move(found), std::move(advice)});
  }

  std::optional<std::string_view> setting(std::string_view name) const {
    return find_value(machine_.settings, name);
  }
  std::optional<std::uint64_t> limit(std::string_view name) const { return number(machine_.limits, name); }

  std::size_t pus() const { return machine_.pus.size(); }

  void processors() {
    const std::string found =
        fmt::format("{} usable, on {} core{}, {} package{}, {} NUMA node{}", pus(), machine_.cores,
                    machine_.cores == 1 ? "" : "s", machine_.packages, machine_.packages == 1 ? "" : "s",
                    machine_.numa_nodes, machine_.numa_nodes == 1 ? "" : "s");
    if (pus() < 2)
      add(bad, "processors", found + ": sender and receiver take turns",
          "Only same_pu and unpinned can be measured here, and no spinning wait. Measure on two processors "
          "or more.");
    else if (pus() < 4)
      add(note, "processors", found + ": none is left for the rest of the system",
          "Keep the machine idle while it measures. Four or more leave interrupts and daemons room of their "
          "own.");
    else
      add(good, "processors", found);
  }

  void hypervisor() {
    if (machine_.hypervisor.empty())
      add(good, "virtual machine", "no");
    else
      add(warning, "virtual machine",
          fmt::format("{}: the host can take a processor away, and may move it, at any time",
                      machine_.hypervisor),
          "Trust intervals rather than single figures, and compare only runs made alternately on this "
          "machine. "
          "Absolute figures for hardware need bare metal.");
  }

  void cpu_quota() {
    const auto quota = setting("cgroup_cpu_quota");
    if (!quota) return;
    if (*quota == "none") return add(good, "CPU quota", "none");
    const double cpus = std::strtod(std::string(*quota).c_str(), nullptr);
    if (cpus >= static_cast<double>(pus()))
      return add(note, "CPU quota", fmt::format("{}, no less than there are processors", *quota));
    add(bad, "CPU quota",
        fmt::format("{} for {} processors: roles are stopped for the rest of a period once it is used up",
                    *quota, pus()),
        "Measure outside the limit: a container without --cpus, a unit without CPUQuota=, or cpu.max set to "
        "max. A "
        "cpuset (--cpuset-cpus) limits without stopping.");
  }

  void load() {
    if (!probe_.load_average) return;
    const double load = *probe_.load_average;
    const double share = load / static_cast<double>(std::max<std::size_t>(pus(), 1));
    const std::string found = fmt::format("{:.2f} over the last minute, on {} processors", load, pus());
    if (share < 0.1) return add(good, "load", found);
    add(share < 0.5 ? note
        : share < 1 ? warning
                    : bad,
        "load", found, "Something else is running, or was a minute ago. See top(1); stop it, or wait.");
  }

  const PuInfo* pu_of(int os_index) const {
    const auto found = std::ranges::find(machine_.pus, os_index, &PuInfo::os_index);
    return found == machine_.pus.end() ? nullptr : &*found;
  }

  // Load is over a minute; this is now, and names processors.
  void busy_processors() {
    if (probe_.activity.empty()) return;
    constexpr double quiet_share = 0.10;
    std::vector<std::string> busy, beside;
    for (const ProcessorActivity& each : probe_.activity) {
      const PuInfo* const pu = pu_of(each.os_index);
      if (each.busy_share <= quiet_share || pu == nullptr) continue;
      busy.push_back(fmt::format("PU {} {:.0f} %", pu->logical_index, 100 * each.busy_share));
      for (const PuInfo& other : machine_.pus) {
        if (pu->core != -1 && other.core == pu->core && other.logical_index != pu->logical_index)
          beside.push_back(fmt::format("PU {}", other.logical_index));
      }
    }
    if (busy.empty())
      return add(good, "busy processors",
                 fmt::format("none was over {:.0f} % busy just now", 100 * quiet_share));
    std::string found = fmt::format("{} busy just now", join(busy, ", "));
    if (!beside.empty()) found += fmt::format(", which also slows {} on the same core", join(beside, ", "));
    add(warning, "busy processors", found,
        "See top(1), key 1. Stop what runs there, or leave those out with --placement and explicit PUs.");
  }

  void interrupts() {
    if (probe_.activity.empty()) return;
    const auto worst = std::ranges::max_element(probe_.activity, {}, &ProcessorActivity::interrupts_per_s);
    const PuInfo* const pu = pu_of(worst->os_index);
    const std::string found = fmt::format("devices raise at most {:.0f} a second, on PU {}",
                                          worst->interrupts_per_s, pu == nullptr ? -1 : pu->logical_index);
    constexpr double few_per_s = 100;
    if (worst->interrupts_per_s < few_per_s) return add(good, "interrupts", found);
    add(worst->interrupts_per_s > noisy_interrupts_per_s ? warning : note, "interrupts", found,
        "To keep them off: systemctl stop irqbalance, and write the processors that may take them into "
        "/proc/irq/*/smp_affinity_list (or measure on the other PUs).");
  }

  void smt() {
    std::map<int, int> threads_of_core;
    for (const PuInfo& pu : machine_.pus)
      if (pu.core != -1) ++threads_of_core[pu.core];
    const bool shared =
        std::ranges::any_of(threads_of_core, [](const auto& core) { return core.second > 1; });
    if (shared)
      add(note, "SMT", "on: a busy second thread slows whoever shares its core",
          "Pinned roles get cores of their own while there are any. To rule neighbours out: echo off > "
          "/sys/devices/system/cpu/smt/control (and lose same_core).");
    else if (setting("smt") == "on")
      add(note, "SMT",
          "on: no two usable processors share a core, but others may run on their second threads");
    else
      add(good, "SMT", "no two processors share a core");
  }

  void governor() {
    const auto governor = setting("governor");
    if (!governor)
      return machine_.hypervisor.empty() ? add(note, "governor", "the kernel does not scale the frequency")
                                         : add(note, "governor", "not visible here: the host decides");
    if (*governor == "performance") return add(good, "governor", "performance");
    add(warning, "governor", fmt::format("{}: the frequency follows the load, and lags behind it", *governor),
        "cpupower frequency-set -g performance");
  }

  void turbo() {
    const auto turbo = setting("turbo");
    if (!turbo) return;
    if (*turbo == "off") return add(good, "turbo", "off");
    add(note, "turbo", "on: speed depends on heat and on what the other cores do",
        setting("scaling_driver").value_or("").starts_with("intel_")
            ? "For steadier, slower figures: echo 1 > /sys/devices/system/cpu/intel_pstate/no_turbo"
            : "For steadier, slower figures: echo 0 > /sys/devices/system/cpu/cpufreq/boost");
  }

  void idle_states() {
    const auto idle = setting("cpuidle");
    if (!idle) return;
    if (idle->starts_with("none")) return add(good, "idle states", "the kernel has no driver for deep ones");
    constexpr std::int32_t shallow_us = 10;
    if (probe_.wake_up_latency_us && *probe_.wake_up_latency_us <= shallow_us)
      return add(
          note, "idle states",
          fmt::format("held to {} µs by somebody who has /dev/cpu_dma_latency open: blocking waits wake up "
                      "sooner than they do by default",
                      *probe_.wake_up_latency_us));
    add(note, "idle states", fmt::format("{}: a processor that slept deeply wakes up late", *idle),
        "This is what users of blocking waits live with. To leave it out: cpupower idle-set -D 0 (and -E to "
        "undo), or keep /dev/cpu_dma_latency open with a zero in it (tuned's latency-performance does).");
  }

  void isolated_cpus() {
    const auto list = setting("isolated_cpus");
    if (!list) return;
    if (*list == "none")
      return pus() < 4
                 ? add(note, "isolated CPUs", "none")
                 : add(note, "isolated CPUs", "none: other processes and interrupts visit those measured",
                       "Boot with isolcpus=, nohz_full= and rcu_nocbs= for the processors to measure, then "
                       "start "
                       "ipcmark with taskset -c on them.");
    const std::set<int> isolated = parse_cpu_list(*list);
    const auto inside = static_cast<std::size_t>(std::ranges::count_if(
        machine_.pus, [&](const PuInfo& pu) { return isolated.contains(pu.os_index); }));
    if (inside == 0)
      add(warning, "isolated CPUs", fmt::format("{}, but this process does not run there", *list),
          fmt::format("taskset -c {} ipcmark ...", *list));
    else if (inside < pus())
      add(note, "isolated CPUs", fmt::format("{}: {} of the {} usable processors", *list, inside, pus()),
          fmt::format("To use only those: taskset -c {} ipcmark ...", *list));
    else
      add(good, "isolated CPUs",
          fmt::format("{}: all that are used; the scheduler does not spread unpinned roles over them",
                      *list));
  }

  void clock_source() {
    const auto source = setting("clocksource");
    if (!source) return;
    // Those without a vdso reader: every reading enters the kernel, and most reach a device.
    constexpr auto kSlow =
        std::to_array<std::string_view>({"hpet", "acpi_pm", "jiffies", "refined-jiffies", "pit", "xen"});
    if (std::ranges::count(kSlow, *source) > 0)
      add(bad, "clock source", fmt::format("{}: each reading is a system call", *source),
          "See dmesg for why the kernel left tsc; boot with clocksource=tsc (and tsc=reliable if you know it "
          "is).");
    else
      add(good, "clock source", std::string(*source));
  }

  void clock() {
    const ClockInfo& clock = machine_.clock;
    if (clock.source.empty()) return;
    const std::string found = fmt::format("{}: step {}, {} a reading", clock.source, format_ns(clock.step_ns),
                                          format_ns(clock.read_ns));
    if (!clock.ordered)
      add(bad, "clock", found + "; processors disagree on the order of events",
          "One-way times and spans between processors are worthless here. See dmesg for an unstable tsc.");
    else if (clock.step_ns > 1000 || clock.read_ns > 1000)
      add(bad, "clock", found,
          "Too coarse for single messages: read totals only, and change the clock source.");
    else if (clock.step_ns > 100 || clock.read_ns > 100)
      add(warning, "clock", found, "Latencies of spinning waits are of the size of the clock itself.");
    else
      add(good, "clock",
          fmt::format("{}; in order over {} checks; {}", found, clock.order_checks, clock.why));
  }

  void huge_pages() {
    const auto setting_ = setting("transparent_hugepages");
    if (!setting_) return;
    if (*setting_ != "always") return add(good, "huge pages", std::string(*setting_));
    add(note, "huge pages", "always: khugepaged may work beside the roles and change their pages",
        "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled");
  }

  void numa_balancing() {
    const auto balancing = setting("numa_balancing");
    if (!balancing || machine_.numa_nodes < 2) return;
    if (*balancing == "0") return add(good, "NUMA balancing", "off");
    add(note, "NUMA balancing",
        "on: the kernel unmaps pages to see who uses them, and moves those of unpinned roles",
        "sysctl -w kernel.numa_balancing=0");
  }

  void address_randomization() {
    const auto aslr = setting("aslr");
    if (!aslr) return;
    if (*aslr != "0")
      return add(good, "ASLR",
                 "on: runs differ in where the program lies, launches in stacks and mappings besides");
    add(note, "ASLR",
        "off: launches still differ in stacks and mappings, but the program lies where it lies in every run, "
        "be it a "
        "lucky place or an unlucky one",
        "sysctl -w kernel.randomize_va_space=2");
  }

  void isolation() {
    if (probe_.isolation.empty() && probe_.isolation_refusal.empty()) return;
    if (probe_.isolation_refusal.empty()) return add(good, "isolation", probe_.isolation);
    add(warning, "isolation", fmt::format("{}: {}", probe_.isolation, probe_.isolation_refusal),
        "Without namespaces --limits raised is skipped, and a run killed by SIGKILL may leave objects behind "
        "(ipcmark "
        "clean removes them). Run as root, or allow user namespaces: sysctl -w "
        "user.max_user_namespaces=10000; on "
        "Debian kernel.unprivileged_userns_clone=1; on Ubuntu "
        "kernel.apparmor_restrict_unprivileged_userns=0; in a "
        "container --security-opt seccomp=unconfined.");
  }

  void locked_memory() {
    const auto text = find_value(machine_.limits, "RLIMIT_MEMLOCK");
    if (!text) return;
    if (may(probe_, CAP_IPC_LOCK) || *text == "unlimited") return add(good, "locked memory", "unlimited");
    const auto bytes = parse_number(*text);
    if (!bytes) return;
    const std::string found = fmt::format("at most {}", format_size(*bytes));
    if (*bytes >= 64 * kMiB) return add(good, "locked memory", found);
    add(note, "locked memory", found + ": roles that need more are prefaulted but not locked",
        "ulimit -l unlimited (limits.conf: memlock), or setcap cap_ipc_lock+ep on ipcmark");
  }

  void real_time() {
    const auto priority = limit("RLIMIT_RTPRIO");
    if (!priority && probe_.capabilities == 0) return;
    if (may(probe_, CAP_SYS_NICE)) return add(good, "real-time priority", "allowed (CAP_SYS_NICE)");
    if (priority.value_or(0) > 0)
      return add(good, "real-time priority", fmt::format("allowed up to {}", *priority));
    add(note, "real-time priority", "not allowed: --sched fifo:N is skipped",
        "ulimit -r 99 (limits.conf: rtprio), or setcap cap_sys_nice+ep on ipcmark");
  }

  void hardware_counters() {
    if (!probe_.perf_event_paranoid) return;
    const int level = *probe_.perf_event_paranoid;
    const std::string found = fmt::format("perf_event_paranoid {}", level);
    if (level <= 1 || may(probe_, CAP_SYS_ADMIN) || may(probe_, CAP_PERFMON))
      return add(good, "hardware counters", found + ": this process may count user and kernel");
    add(note, "hardware counters",
        found + (level == 2 ? ": user space only, not what a message costs in the kernel" : ": none"),
        "sysctl -w kernel.perf_event_paranoid=1");
  }

  void tracing() {
    if (!probe_.ptrace_scope) return;
    const int scope = *probe_.ptrace_scope;
    const std::string found = fmt::format("ptrace_scope {}", scope);
    if (scope <= 1 || (scope == 2 && may(probe_, CAP_SYS_PTRACE)))
      return add(good, "tracing", found + ": system calls can be counted");
    add(note, "tracing", found + ": system calls per message stay unknown",
        "sysctl -w kernel.yama.ptrace_scope=1 (from 3 only by a restart)");
  }

  void shared_memory() {
    if (!probe_.shm_free_bytes)
      return add(warning, "/dev/shm",
                 "not there: POSIX shared memory needs it, unless launches mount their own",
                 "mount -t tmpfs -o mode=1777 tmpfs /dev/shm");
    const std::string found = fmt::format("{} MiB free", *probe_.shm_free_bytes / kMiB);
    if (*probe_.shm_free_bytes >= 256 * kMiB) return add(good, "/dev/shm", found);
    add(warning, "/dev/shm", found + ": rings of large messages may not fit",
        "mount -o remount,size=1G /dev/shm, or for a container --shm-size=1g");
  }

  // How to lift a limit that lives in the IPC namespace.
  std::string lift(std::string_view sysctl) const {
    const bool namespaces = probe_.isolation_refusal.empty();
    return fmt::format("{}sysctl -w {}", namespaces ? "ipcmark run --limits raised, or " : "", sysctl);
  }

  void posix_queues() {
    const auto messages = limit("fs.mqueue.msg_max");
    const auto bytes = limit("fs.mqueue.msgsize_max");
    if (messages && bytes) {
      const std::string found =
          fmt::format("posix_mq takes at most {} messages of {}", *messages, format_size(*bytes));
      if (*messages >= 1024 && *bytes >= kLargestMessageBytes)
        add(good, "POSIX queues", found);
      else if (may(probe_, CAP_SYS_RESOURCE))
        add(note, "POSIX queues",
            fmt::format("{}; not so for this process, which may go to {} of {} (CAP_SYS_RESOURCE)", found,
                        kMqueueHardMessages, format_size(kMqueueHardBytes)));
      else
        add(warning, "POSIX queues", found + ": larger cases are skipped",
            lift(fmt::format("fs.mqueue.msg_max={} fs.mqueue.msgsize_max={}", kMqueueHardMessages,
                             kMqueueHardBytes)));
    }
    const auto text = find_value(machine_.limits, "RLIMIT_MSGQUEUE");
    if (!text) return;
    if (*text == "unlimited") return add(good, "POSIX queue memory", "unlimited");
    const auto memory = parse_number(*text);
    if (!memory) return;
    const std::string found =
        fmt::format("{} for all queues of a user: {} messages of 64 B, {} of 8 KiB", format_size(*memory),
                    *memory / (64 + kMqueueOverheadBytes), *memory / (8192 + kMqueueOverheadBytes));
    if (*memory >= 16 * kLargestMessageBytes) return add(good, "POSIX queue memory", found);
    add(warning, "POSIX queue memory", found, "ulimit -q unlimited (limits.conf: msgqueue)");
  }

  void system_v_queues() {
    const auto largest = limit("kernel.msgmax");
    const auto queue = limit("kernel.msgmnb");
    if (!largest || !queue) return;
    const std::string found = fmt::format("sysv_mq takes messages up to {} and holds {}",
                                          format_size(*largest), format_size(*queue));
    if (*largest >= kLargestMessageBytes && *queue >= *largest) return add(good, "System V queues", found);
    add(warning, "System V queues", found + ": larger cases are skipped",
        lift(fmt::format("kernel.msgmax={} kernel.msgmnb={}", kLargestMessageBytes,
                         16 * kLargestMessageBytes)));
  }

  void pipes() {
    const auto bytes = limit("fs.pipe-max-size");
    if (!bytes) return;
    if (may(probe_, CAP_SYS_RESOURCE)) return add(good, "pipe size", "unlimited (CAP_SYS_RESOURCE)");
    const auto pages = limit("fs.pipe-user-pages-soft");
    add(note, "pipe size",
        fmt::format("at most {} each{}: larger capacities are skipped", format_size(*bytes),
                    pages.value_or(0) > 0
                        ? fmt::format(", {} pages for all pipes of a user before new ones shrink", *pages)
                        : ""),
        "sysctl -w fs.pipe-max-size=16777216 fs.pipe-user-pages-soft=0");
  }

  void unix_datagrams() {
    const auto queue = limit("net.unix.max_dgram_qlen");
    if (!queue) return;
    const std::string found = fmt::format("a bound unix_dgram holds {} datagrams unread", *queue + 1);
    if (*queue >= 512) return add(good, "unix datagrams", found);
    add(note, "unix datagrams", found, "sysctl -w net.unix.max_dgram_qlen=512");
  }

  const Machine& machine_;
  const SystemProbe& probe_;
  std::vector<Finding> findings_;
};

// Words of `text` in lines of at most `width` columns; a word that is longer has a line of its own.
std::vector<std::string> wrap(std::string_view text, std::size_t width) {
  std::vector<std::string> lines;
  for (std::string_view word : split(text, ' ')) {
    if (!lines.empty() && text_width(lines.back()) + 1 + text_width(word) <= width)
      lines.back().append(" ").append(word);
    else
      lines.emplace_back(word);
  }
  return lines;
}

std::string_view colour_of(Severity severity) {
  switch (severity) {
    case good:
      return "\x1b[32m";
    case note:
      return "\x1b[36m";
    case warning:
      return "\x1b[33m";
    case bad:
      return "\x1b[31m";
  }
  return "";
}

constexpr auto kSeverities = std::to_array<Severity>({bad, warning, note, good});

}  // namespace

std::string_view to_string(Severity severity) {
  switch (severity) {
    case good:
      return "good";
    case note:
      return "note";
    case warning:
      return "warning";
    case bad:
      return "bad";
  }
  return "";
}

std::vector<ProcessorActivity> activity_between(std::string_view stat_before, std::string_view stat_after,
                                                std::string_view interrupts_before,
                                                std::string_view interrupts_after, double seconds,
                                                std::span<const int> os_processors) {
  std::vector<ProcessorActivity> all;
  for (const int processor : os_processors) {
    const std::span one(&processor, 1);
    const auto before = processor_ticks(stat_before, one), after = processor_ticks(stat_after, one);
    const auto raised_before = count_interrupts(interrupts_before, one),
               raised_after = count_interrupts(interrupts_after, one);
    if (!before || !after || !raised_before || !raised_after) continue;
    const auto idle = static_cast<double>(after->idle - before->idle);
    const auto busy = static_cast<double>(after->busy - before->busy);
    all.push_back({processor, idle + busy > 0 ? busy / (idle + busy) : 0,
                   static_cast<double>(raised_after->device - raised_before->device) / seconds});
  }
  return all;
}

std::vector<ProcessorActivity> watch_activity(std::span<const int> os_processors, double seconds) {
  const Files files("/");
  const auto read = [&files](std::string_view path) { return files.read(path).value_or(""); };
  const std::string stat = read("/proc/stat"), interrupts = read("/proc/interrupts");
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  return activity_between(stat, read("/proc/stat"), interrupts, read("/proc/interrupts"), seconds,
                          os_processors);
}

SystemProbe probe_system(const std::filesystem::path& root) {
  SystemProbe probe;
  if (double load = 0; std::ifstream(root / "proc/loadavg") >> load) probe.load_average = load;
  if (int level = 0; std::ifstream(root / "proc/sys/kernel/perf_event_paranoid") >> level)
    probe.perf_event_paranoid = level;
  if (int scope = 0; std::ifstream(root / "proc/sys/kernel/yama/ptrace_scope") >> scope)
    probe.ptrace_scope = scope;
  std::int32_t latency_us = 0;
  if (std::ifstream device(root / "dev/cpu_dma_latency", std::ios::binary);
      device.read(reinterpret_cast<char*>(&latency_us), sizeof latency_us))
    probe.wake_up_latency_us = latency_us;
  std::ifstream status(root / "proc/self/status");
  for (std::string word; status >> word;)
    if (word == "CapEff:") status >> std::hex >> probe.capabilities;
  if (struct statvfs shm; ::statvfs((root / "dev/shm").c_str(), &shm) == 0)
    probe.shm_free_bytes = std::uint64_t{shm.f_bavail} * shm.f_frsize;
  return probe;
}

std::vector<Finding> examine(const Machine& machine, const SystemProbe& probe) {
  return Examination(machine, probe).all();
}

std::string format_findings(std::span<const Finding> findings, unsigned width, bool colours) {
  constexpr std::size_t kSeverityWidth = 9;  // "warning" and two blanks
  std::size_t subject_width = 0;
  for (const Finding& finding : findings)
    subject_width = std::max(subject_width, text_width(finding.subject) + 2);
  std::size_t indent = kSeverityWidth + subject_width;
  const std::size_t columns = std::max(width, 40u);
  // On a narrow terminal the text goes below its subject.
  const bool beside = columns >= indent + 30;
  if (!beside) indent = 4;

  std::string text;
  for (const Finding& finding : findings) {
    const std::string word = pad_right(to_string(finding.severity), kSeverityWidth);
    text += colours ? fmt::format("{}{}\x1b[0m", colour_of(finding.severity), word) : word;
    text += beside ? pad_right(finding.subject, subject_width) : finding.subject + '\n';
    bool first = beside;
    const auto add = [&](const std::string& line, std::string_view lead) {
      if (!first) text.append(indent, ' ');
      first = false;
      text.append(lead).append(line).append("\n");
    };
    for (const std::string& line : wrap(finding.found, columns - indent)) add(line, "");
    std::string_view lead = "→ ";
    if (!finding.advice.empty())
      for (const std::string& line : wrap(finding.advice, columns - indent - text_width(lead))) {
        add(line, lead);
        lead = "  ";
      }
  }
  std::vector<std::string> counts;
  for (Severity severity : kSeverities)
    if (const auto count = std::ranges::count(findings, severity, &Finding::severity); count > 0)
      counts.push_back(fmt::format("{} {}{}", count, to_string(severity),
                                   count > 1 && (severity == note || severity == warning) ? "s" : ""));
  return text + join(counts, ", ") + '\n';
}

}  // namespace ipcmark
