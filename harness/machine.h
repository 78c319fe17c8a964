// The machine a run was made on: what a reader must know before he compares two files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ipcmark {

// One processing unit. Indexes are hwloc logical indexes except os_index; -1 where the machine has no such level.
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
  std::string source;           // "CLOCK_MONOTONIC (tsc)"
  double step_ns = 0;           // smallest difference seen between two readings that differ
  double read_ns = 0;           // cost of one reading
  bool ordered = false;         // a reading handed to another processor was never behind it
  std::uint64_t order_checks = 0;
};

// Costs nothing on this machine can go below; medians of a short measurement at start, for context.
struct Floors {
  double clock_read_ns = 0;
  double system_call_ns = 0;
  struct Touch {
    std::uint64_t message_bytes = 0;
    double write_ns = 0;   // fill one payload
    double read_ns = 0;    // sum one payload
    double memcpy_ns = 0;  // copy one payload, caches warm
  };
  std::vector<Touch> touch;
};

struct Machine {
  std::string fingerprint;  // hash of what makes two machines the same for a comparison; never of names or times
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
  std::vector<NamedValue> mitigations;  // /sys/devices/system/cpu/vulnerabilities
  std::vector<NamedValue> settings;     // governor, turbo, smt, clocksource, thp, aslr, preemption model ...
  std::vector<NamedValue> limits;       // fs.mqueue.*, kernel.msg*, fs.pipe-max-size, RLIMIT_* ...
  ClockInfo clock;
  Floors floors;
};

}  // namespace ipcmark
