// What one launch measured: plain data that crosses from the trial to the result file. No behaviour.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/case.h"

namespace ipcmark {

// What a capacity really is on this machine. See DESIGN's words: asked, limit, fits, resume_after.
struct CapacityFacts {
  struct Limit {
    std::uint64_t value = 0;
    std::string unit;    // messages | bytes | charge
    std::string source;  // where it was read: "F_GETPIPE_SZ", "mq_getattr", "ring slots" ...
  };
  std::optional<Limit> limit;
  // Messages that went in without a receiver, over the probes made; nullopt with the reason when not probed.
  std::optional<std::uint64_t> fits_min, fits_max;
  bool fits_is_lower_bound = false;           // the probe's own bound was reached before the link was full
  std::optional<std::uint64_t> resume_after;  // messages drained before a blocked sender went on
  std::string note;                           // why something above is missing; else empty
};

// What one role consumed in the timed part. Its library threads are included.
struct RoleCost {
  std::uint64_t cpu_ns = 0;  // CLOCK_PROCESS_CPUTIME_ID
  std::uint64_t voluntary_switches = 0;
  std::uint64_t involuntary_switches = 0;
  std::uint64_t minor_faults = 0;
  std::uint64_t major_faults = 0;
  std::optional<std::uint64_t>
      run_delay_ns;  // waiting for a processor, from schedstat; nullopt if not offered
};

struct RoleReport {
  std::string role;              // "sender 0", "receiver 1"
  std::vector<int> asked_pus;    // hwloc logical indexes; empty when unpinned
  std::vector<int> granted_pus;  // read back from the kernel after binding
  int last_os_processor = -1;    // where the timed part ended (OS index)
  int numa_node = -1;            // of that processor (OS index); -1 when unknown
  bool memory_bound = false;  // to that node, before it was touched (set_mempolicy(2)); never when unpinned
  std::string scheduler;      // "other", "fifo:10", read back
  bool memory_locked = false;
  std::uint64_t messages = 0;                // moved by this role in the timed part
  std::optional<std::uint64_t> empty_tries;  // attempts of the timed part that said `again`
  std::optional<std::uint64_t> work_done;    // units of work finished between them
  RoleCost cost;
};

// A figure that only some workloads have: {"jain_index", "ratio", 0.98}.
struct Observation {
  std::string name;
  std::string unit;
  double value = 0;

  friend bool operator==(const Observation&, const Observation&) = default;
};

// Counts over the whole launch, warm-up included. Any but zero in a lossless transport is a failed case.
struct Integrity {
  std::uint64_t lost = 0;
  std::uint64_t duplicated = 0;
  std::uint64_t reordered = 0;
  std::uint64_t corrupted = 0;
  std::uint64_t checked = 0;
  bool every_byte = false;            // a verified launch: each byte compared, else stamp and sum
  std::uint64_t detection_limit = 0;  // sequence numbers repeat after this many messages; 0 = never

  Integrity& operator+=(const Integrity& part) {
    lost += part.lost;
    duplicated += part.duplicated;
    reordered += part.reordered;
    corrupted += part.corrupted;
    checked += part.checked;
    every_byte = every_byte || part.every_byte;
    return *this;
  }
  bool clean() const { return lost == 0 && duplicated == 0 && reordered == 0 && corrupted == 0; }
};

// A distribution of nanoseconds: the encoded histogram (harness/histogram.h) and figures read from it.
struct Distribution {
  std::string of;                         // round_trip_ns (ping_pong) | window_ns (stream) ...
  std::uint64_t messages_per_sample = 1;  // a round trip is one; a window is the messages it spans
  std::uint64_t count = 0;
  std::uint64_t min_ns = 0;
  std::uint64_t max_ns = 0;
  double mean_ns = 0;
  std::optional<double> p50_ns, p90_ns, p99_ns, p999_ns;  // nullopt with fewer than 100 samples beyond
  std::string histogram;
};

enum class Grade : std::uint8_t { ok, noisy, invalid };

// What a result is worth. Reasons are never empty: for `ok` they say what was looked at and found.
struct Verdict {
  Grade grade = Grade::ok;
  std::vector<std::string> reasons;
};

struct Measurement {
  std::uint64_t messages = 0;  // timed: messages (stream) or round trips (ping_pong)
  std::uint64_t span_ns = 0;   // the timed part, as the workload defines it
  std::uint64_t warm_up_messages = 0;
  std::uint64_t bytes = 0;  // payload moved in the timed part, all directions added
  std::optional<Distribution> distribution;
  std::vector<Distribution> further_distributions;  // of what else was timed, each under its own name
  std::vector<Observation> observations;
  double cache_line_round_trip_ns = 0;  // measured in this launch between the roles' PUs; 0 when not measured
  std::vector<RoleReport> roles;
  Integrity integrity;
  std::optional<CapacityFacts::Limit> limit;  // as the roles' endpoints read it back
  std::string isolation;                      // "pid+ipc+mount namespaces" ... or what was fallen back to
  Verdict verdict;
};

// A launch that gave no figure.
struct LaunchFailure {
  enum class Kind : std::uint8_t { unsupported, failed };
  Kind kind = Kind::failed;
  std::string reason;  // "receiver 1: killed by signal 9 after 1204 messages"
};

std::string_view to_string(Grade grade);

}  // namespace ipcmark
