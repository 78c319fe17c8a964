// The machine a run was made on: what a reader must know before he compares two files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ipcmark {

// One processing unit. Indexes are hwloc logical indexes except os_index; -1 where the machine has no such
// level.
struct PuInfo {
  int logical_index = -1;
  int os_index = -1;
  int core = -1;
  int l2 = -1;
  int l3 = -1;
  int package = -1;
  int numa_node = -1;
  std::string kind;  // hybrid processors: "P", "E" ... as hwloc ranks them; else empty
};

struct CacheInfo {
  std::string type;  // Data | Instruction | Unified
  int level = 0;
  std::uint64_t size_bytes = 0;
  int sharing_pus = 0;
};

struct NamedValue {
  std::string name;
  std::string value;
};

// What the run's clock was found to be before anything was measured with it.
struct ClockInfo {
  std::string source;    // "CLOCK_MONOTONIC (tsc)" | "TSC"
  std::string why;       // the evidence on which it was chosen
  double step_ns = 0;    // smallest difference seen between two readings that differ
  double read_ns = 0;    // cost of one reading
  bool ordered = false;  // a reading handed to another processor was never behind it
  std::uint64_t order_checks = 0;
  std::uint64_t order_pairs = 0;  // pairs of processors between which they were made
};

// Costs nothing on this machine can go below, from short measurements at the start of a run, for context:
// medians of batches, of context switches and wake-ups the quickest batch.
struct Floors {
  struct Touch {
    std::uint64_t message_bytes = 0;
    double write_ns = 0;   // fill one payload
    double read_ns = 0;    // sum one payload
    double memcpy_ns = 0;  // copy one payload, caches warm
  };
  // Of a process pinned to this PU (hwloc logical index).
  struct OnPu {
    int pu = -1;
    double clock_read_ns = 0;
    double system_call_ns = 0;
    double context_switch_ns = 0;  // from one process to another, by a futex: half of there and back
    std::vector<Touch> touch;
  };
  // Of two processes pinned to two PUs.
  struct Between {
    int first_pu = -1;
    int second_pu = -1;
    double cache_line_round_trip_ns = 0;
    double futex_wake_ns = 0;  // from the wake to running there: half of there and back
  };
  // Where ipcmark itself ran, unpinned.
  double clock_read_ns = 0;
  double system_call_ns = 0;
  std::vector<Touch> touch;
  // Of the PUs and pairs of PUs that cases of the run are pinned to.
  std::vector<OnPu> pus;
  std::vector<Between> pairs;
  std::string note;  // what of that is missing, and why; else empty
};

struct Machine {
  std::string fingerprint;  // equal where results can be compared as one machine's: see fingerprint() below
  std::string host_name;
  std::string operating_system;
  std::string kernel;
  std::string architecture;
  std::string cpu_model;
  std::string hypervisor;  // empty on bare metal
  double cpu_mhz = 0;      // nominal; 0 when not known
  std::uint64_t memory_bytes = 0;
  unsigned packages = 0;
  unsigned numa_nodes = 0;
  unsigned cores = 0;
  std::vector<PuInfo> pus;  // those this process may run on
  std::vector<CacheInfo> caches;
  // What has no answer on this machine (a file the kernel does not have, or does not show us) has no entry.
  std::vector<NamedValue> mitigations;  // /sys/devices/system/cpu/vulnerabilities
  // governor and scaling_driver (of the PUs above; several joined by ", "), turbo (on | off), smt, cpuidle
  // (driver and governor), clocksource, transparent_hugepages, shmem_hugepages, numa_balancing, aslr,
  // preemption, isolated_cpus and nohz_full (OS indexes, or none), cgroup_cpu_quota ("1.5 CPUs", or none)
  std::vector<NamedValue> settings;
  // By the name that lifts them: fs.mqueue.*, kernel.msg*, fs.pipe-*, net.* as for sysctl(8); RLIMIT_* are
  // soft limits in the units of getrlimit(2).
  std::vector<NamedValue> limits;
  ClockInfo clock;
  Floors floors;
};

class Topology;

// Everything but clock and floors. Reads files under `root`/proc, `root`/sys and `root`/etc, as this process
// sees them (a test gives a tree of its own), and uname(2) for the architecture. What cannot be read stays
// empty: no errors.
Machine describe_machine(const Topology& topology, const std::filesystem::path& root = "/");

// 16 hexadecimal digits: FNV-1a (64 bits) over architecture, processor model, kernel release, hypervisor,
// caches, the PUs this process may use with what they share, mitigations, and settings. Two files with one
// fingerprint can be compared as the same machine in the same state. Left out: names and addresses, OS
// indexes, the microcode, the size of memory (a balloon changes it between two runs), and limits, which
// results show as capacities.
std::string fingerprint(const Machine& machine);

// The entry of that name; nullopt when there is none.
std::optional<std::string_view> find_value(const std::vector<NamedValue>& values, std::string_view name);

}  // namespace ipcmark
