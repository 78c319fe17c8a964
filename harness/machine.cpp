#include "harness/machine.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "harness/cgroup.h"
#include "harness/files.h"
#include "harness/placement.h"
#include "harness/text.h"

namespace ipcmark {
namespace {

namespace fs = std::filesystem;

// "key<blanks>:<blanks>value", or "KEY=value": the value of the first line of that key.
std::optional<std::string> field(const std::vector<std::string>& lines, std::string_view key,
                                 char separator) {
  for (std::string_view line : lines) {
    const std::size_t end = line.find(separator);
    if (end != std::string_view::npos && trim(line.substr(0, end)) == key)
      return std::string(trim(line.substr(end + 1)));
  }
  return std::nullopt;
}

bool has_word(std::string_view text, std::string_view word, char separator) {
  return std::ranges::count(split(text, separator), word) > 0;
}

// "always [madvise] never" -> "madvise", or in parentheses; text without them stays as it is.
std::string chosen(const std::string& text) {
  const std::size_t open = text.find_first_of("[(");
  const std::size_t close = text.find_first_of("])", open);
  return close == std::string::npos ? text : text.substr(open + 1, close - open - 1);
}

std::optional<double> parse_double(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

std::string operating_system(const Files& files) {
  std::string name = field(files.lines("/etc/os-release"), "PRETTY_NAME", '=').value_or("");
  std::erase(name, '"');
  return name;
}

std::string cpu_model(const std::vector<std::string>& cpuinfo) {
  // Few architectures but x86 give a name; Arm gives the numbers of its identification register.
  for (std::string_view key : {"model name", "cpu", "uarch", "Processor"})
    if (auto name = field(cpuinfo, key, ':')) return *name;
  const auto implementer = field(cpuinfo, "CPU implementer", ':');
  const auto part = field(cpuinfo, "CPU part", ':');
  return implementer && part ? fmt::format("implementer {} part {}", *implementer, *part) : "";
}

double nominal_mhz(const Files& files, const std::vector<std::string>& cpuinfo, std::string_view model) {
  constexpr std::string_view kCpu = "/sys/devices/system/cpu/cpu0/";
  if (auto khz = files.read(fmt::format("{}cpufreq/base_frequency", kCpu)))
    if (auto value = parse_double(*khz)) return *value / 1000;
  if (auto mhz = files.read(fmt::format("{}acpi_cppc/nominal_freq", kCpu)))
    if (auto value = parse_double(*mhz); value && *value > 0) return *value;
  if (const std::size_t at = model.rfind("@ "); at != std::string_view::npos && model.ends_with("GHz"))
    if (auto ghz = parse_double(model.substr(at + 2))) return *ghz * 1000;
  // With frequency scaling "cpu MHz" is the speed of the moment; without, what the kernel calibrated at boot.
  if (!files.read(fmt::format("{}cpufreq/scaling_driver", kCpu)))
    if (auto mhz = field(cpuinfo, "cpu MHz", ':')) return parse_double(*mhz).value_or(0);
  return 0;
}

std::uint64_t memory_bytes(const Files& files) {
  const std::string total = field(files.lines("/proc/meminfo"), "MemTotal", ':').value_or("");
  return parse_number(std::string_view(total).substr(0, total.find(' '))).value_or(0) * 1024;
}

// Empty on bare metal. The processor's own word (CPUID leaf 1, ECX bit 31, which Linux lists as a flag)
// decides where there is one: firmware tables of a cloud's bare-metal machines name the cloud too.
std::string hypervisor(const Files& files, const std::vector<std::string>& cpuinfo) {
  const auto flags = field(cpuinfo, "flags", ':');
  const bool flagged = flags && has_word(*flags, "hypervisor", ' ');
  const auto xen = files.read("/sys/hypervisor/type");
  if (flags && !flagged && !xen) return "";

  if (xen) {
    if (files.read("/proc/xen/capabilities").value_or("").find("control_d") != std::string::npos)
      return "Xen (dom0)";
    return *xen == "xen" ? "Xen" : *xen;
  }
  struct Sign {
    std::string_view text, name;
  };
  const std::string clocks =
      files.read("/sys/devices/system/clocksource/clocksource0/available_clocksource").value_or("");
  for (const Sign& sign : {Sign{"kvm-clock", "KVM"}, Sign{"hyperv_clocksource", "Hyper-V"}})
    if (clocks.find(sign.text) != std::string::npos) return std::string(sign.name);
  std::string firmware;
  for (std::string_view name : {"sys_vendor", "product_name", "board_vendor", "bios_vendor"})
    firmware += files.read(fmt::format("/sys/class/dmi/id/{}", name)).value_or("") + '\n';
  for (const Sign& sign :
       {Sign{"QEMU", "QEMU"}, Sign{"KVM", "KVM"}, Sign{"VMware", "VMware"}, Sign{"innotek", "VirtualBox"},
        Sign{"VirtualBox", "VirtualBox"}, Sign{"Virtual Machine", "Hyper-V"}, Sign{"Parallels", "Parallels"},
        Sign{"Bochs", "Bochs"}, Sign{"BHYVE", "bhyve"}, Sign{"Xen", "Xen"},
        Sign{"Google Compute Engine", "KVM"}, Sign{"OpenStack", "KVM"}, Sign{"Firecracker", "KVM"}})
    if (firmware.find(sign.text) != std::string::npos) return std::string(sign.name);
  if (flagged && firmware.find("Amazon EC2") != std::string::npos) return "KVM";
  if (auto device_tree = files.read("/proc/device-tree/hypervisor/compatible"))
    return device_tree->starts_with("linux,kvm") ? "KVM" : device_tree->c_str();
  return flagged ? "unknown" : "";
}

// The tightest quota of all levels: each limits those below (cgroups(7)).
std::optional<std::string> cgroup_cpu_quota(const fs::path& root) {
  const auto groups = cpu_cgroups(root);
  if (!groups) return std::nullopt;
  std::optional<double> tightest;
  for (const CpuCgroup& group : *groups)
    if (group.quota_cpus) tightest = std::min(tightest.value_or(*group.quota_cpus), *group.quota_cpus);
  return tightest ? fmt::format("{:.3g} CPU{}", *tightest, *tightest == 1 ? "" : "s") : "none";
}

std::optional<std::string> turbo(const Files& files) {
  if (auto no_turbo = files.read("/sys/devices/system/cpu/intel_pstate/no_turbo"))
    return *no_turbo == "1" ? "off" : "on";
  if (auto boost = files.read("/sys/devices/system/cpu/cpufreq/boost")) return *boost == "1" ? "on" : "off";
  return std::nullopt;
}

// The build's model stands in the kernel's version string; a PREEMPT_DYNAMIC kernel chose at boot, and tells
// debugfs.
std::optional<std::string> preemption(const Files& files) {
  const auto version = files.read("/proc/sys/kernel/version");
  if (!version) return std::nullopt;
  if (has_word(*version, "PREEMPT_RT", ' ') || files.read("/sys/kernel/realtime") == "1") return "rt";
  if (auto model = files.read("/sys/kernel/debug/sched/preempt")) return chosen(*model) + " (dynamic)";
  if (has_word(*version, "PREEMPT_DYNAMIC", ' ')) {
    const std::string command_line = files.read("/proc/cmdline").value_or("");
    for (std::string_view word : split(command_line, ' '))
      if (word.starts_with("preempt=")) return std::string(word.substr(8)) + " (dynamic)";
    return "dynamic";
  }
  return has_word(*version, "PREEMPT", ' ') ? "full" : "none or voluntary";
}

// The values of one cpufreq file over the processors that may be used.
std::optional<std::string> over_pus(const Files& files, const std::vector<PuInfo>& pus,
                                    std::string_view name) {
  std::set<std::string> values;
  for (const PuInfo& pu : pus)
    if (auto value = files.read(fmt::format("/sys/devices/system/cpu/cpu{}/cpufreq/{}", pu.os_index, name)))
      values.insert(*value);
  if (values.empty()) return std::nullopt;
  return join(std::vector<std::string>(values.begin(), values.end()), ", ");
}

// A list of processors; sysfs prints none as an empty line, and nohz_full as "(null)" where it is built in
// but unused.
std::optional<std::string> cpu_list(const Files& files, std::string_view name) {
  auto list = files.read(fmt::format("/sys/devices/system/cpu/{}", name));
  if (list && (list->empty() || *list == "(null)")) return "none";
  return list;
}

std::optional<std::string> cpu_idle(const Files& files) {
  const auto driver = files.read("/sys/devices/system/cpu/cpuidle/current_driver");
  if (!driver) return std::nullopt;
  auto governor = files.read("/sys/devices/system/cpu/cpuidle/current_governor");
  if (!governor) governor = files.read("/sys/devices/system/cpu/cpuidle/current_governor_ro");
  return governor ? *driver + ", " + *governor : *driver;
}

std::optional<std::string> chosen_in(const Files& files, std::string_view path) {
  const auto text = files.read(path);
  return text ? std::optional(chosen(*text)) : std::nullopt;
}

std::vector<NamedValue> settings(const Files& files, const fs::path& root, const std::vector<PuInfo>& pus) {
  std::vector<NamedValue> settings;
  const auto add = [&](std::string_view name, std::optional<std::string> value) {
    if (value) settings.push_back({std::string(name), std::move(*value)});
  };
  add("governor", over_pus(files, pus, "scaling_governor"));
  add("scaling_driver", over_pus(files, pus, "scaling_driver"));
  add("turbo", turbo(files));
  add("smt", files.read("/sys/devices/system/cpu/smt/control"));
  add("cpuidle", cpu_idle(files));
  add("clocksource", files.read("/sys/devices/system/clocksource/clocksource0/current_clocksource"));
  add("transparent_hugepages", chosen_in(files, "/sys/kernel/mm/transparent_hugepage/enabled"));
  add("shmem_hugepages", chosen_in(files, "/sys/kernel/mm/transparent_hugepage/shmem_enabled"));
  add("numa_balancing", files.read("/proc/sys/kernel/numa_balancing"));
  add("aslr", files.read("/proc/sys/kernel/randomize_va_space"));
  add("preemption", preemption(files));
  add("isolated_cpus", cpu_list(files, "isolated"));
  add("nohz_full", cpu_list(files, "nohz_full"));
  add("cgroup_cpu_quota", cgroup_cpu_quota(root));
  return settings;
}

// "Max msgqueue size         819200               819200               bytes"
void add_resource_limits(const Files& files, std::vector<NamedValue>& limits) {
  struct Row {
    std::string_view title, name;
  };
  const std::vector<std::string> lines = files.lines("/proc/self/limits");
  for (const Row& row :
       {Row{"Max msgqueue size", "RLIMIT_MSGQUEUE"}, Row{"Max locked memory", "RLIMIT_MEMLOCK"},
        Row{"Max open files", "RLIMIT_NOFILE"}, Row{"Max processes", "RLIMIT_NPROC"},
        Row{"Max pending signals", "RLIMIT_SIGPENDING"}, Row{"Max realtime priority", "RLIMIT_RTPRIO"}})
    for (std::string_view line : lines) {
      if (!line.starts_with(row.title)) continue;
      const std::string_view values = trim(line.substr(row.title.size()));
      limits.push_back({std::string(row.name), std::string(values.substr(0, values.find(' ')))});
    }
}

std::vector<NamedValue> limits(const Files& files) {
  std::vector<NamedValue> limits;
  for (std::string_view name : {"fs.mqueue.msg_max",
                                "fs.mqueue.msgsize_max",
                                "fs.mqueue.queues_max",
                                "kernel.msgmax",
                                "kernel.msgmnb",
                                "kernel.msgmni",
                                "kernel.shmmax",
                                "kernel.shmall",
                                "kernel.shmmni",
                                "kernel.sem",
                                "kernel.sched_rt_runtime_us",
                                "fs.pipe-max-size",
                                "fs.pipe-user-pages-soft",
                                "fs.pipe-user-pages-hard",
                                "net.core.wmem_default",
                                "net.core.wmem_max",
                                "net.core.rmem_default",
                                "net.core.rmem_max",
                                "net.ipv4.tcp_wmem",
                                "net.ipv4.tcp_rmem",
                                "net.unix.max_dgram_qlen"}) {
    std::string path = fmt::format("/proc/sys/{}", name);
    std::ranges::replace(path, '.', '/');
    if (auto value = files.read(path)) {
      std::ranges::replace(*value, '\t', ' ');
      limits.push_back({std::string(name), std::move(*value)});
    }
  }
  add_resource_limits(files, limits);
  return limits;
}

}  // namespace

Machine describe_machine(const Topology& topology, const std::filesystem::path& root) {
  const Files files(root);
  const std::vector<std::string> cpuinfo = files.lines("/proc/cpuinfo");
  Machine machine;
  machine.host_name = files.read("/proc/sys/kernel/hostname").value_or("");
  machine.operating_system = operating_system(files);
  machine.kernel = files.read("/proc/sys/kernel/osrelease").value_or("");
  if (utsname names; uname(&names) == 0) machine.architecture = names.machine;
  machine.cpu_model = cpu_model(cpuinfo);
  machine.hypervisor = hypervisor(files, cpuinfo);
  machine.cpu_mhz = nominal_mhz(files, cpuinfo, machine.cpu_model);
  machine.memory_bytes = memory_bytes(files);
  machine.packages = topology.packages();
  machine.numa_nodes = topology.numa_nodes();
  machine.cores = topology.cores();
  machine.pus = topology.pus();
  machine.caches = topology.caches();
  for (const std::string& name : files.names_in("/sys/devices/system/cpu/vulnerabilities"))
    if (auto value = files.read("/sys/devices/system/cpu/vulnerabilities/" + name))
      machine.mitigations.push_back({name, *value});
  machine.settings = settings(files, root, machine.pus);
  machine.limits = limits(files);
  machine.fingerprint = fingerprint(machine);
  return machine;
}

std::string fingerprint(const Machine& machine) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  const auto add = [&hash](std::string_view text) {
    for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    hash = (hash ^ 0xff) * 0x100000001b3u;  // a byte that no text has: "ab", "c" is not "a", "bc"
  };
  const auto add_all = [&add](std::string_view list, const std::vector<NamedValue>& values) {
    add(list);
    for (const NamedValue& entry : values) {
      add(entry.name);
      add(entry.value);
    }
  };
  for (std::string_view text : {std::string_view(machine.architecture), std::string_view(machine.cpu_model),
                                std::string_view(machine.kernel), std::string_view(machine.hypervisor)})
    add(text);
  for (const CacheInfo& cache : machine.caches)
    add(fmt::format("{} L{} {} B, {} PUs", cache.type, cache.level, cache.size_bytes, cache.sharing_pus));
  for (const PuInfo& pu : machine.pus)
    add(fmt::format("PU {} core {} L2 {} L3 {} package {} node {} kind {}", pu.logical_index, pu.core, pu.l2,
                    pu.l3, pu.package, pu.numa_node, pu.kind));
  add_all("mitigations", machine.mitigations);
  add_all("settings", machine.settings);
  return fmt::format("{:016x}", hash);
}

std::optional<std::string_view> find_value(const std::vector<NamedValue>& values, std::string_view name) {
  const auto found = std::ranges::find(values, name, &NamedValue::name);
  return found != values.end() ? std::optional<std::string_view>(found->value) : std::nullopt;
}

}  // namespace ipcmark
