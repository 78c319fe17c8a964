// What one launch measured: plain data that crosses from the trial to the result file. No behaviour.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/case.h"

namespace ipcmark {

inline constexpr double ns_per_second = 1e9;

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
  bool fits_is_lower_bound = false;  // the probe's own bound was reached before the link was full
  // Messages drained before a sender went on that waited as the case says: one that sleeps is woken when the
  // kernel sees fit, for one that tries the next try counts.
  std::optional<std::uint64_t> resume_after;
  std::string note;  // why something above is missing, or was probed less; else empty
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
  // Sampled at the scheduler's tick; nullopt under 1,000 ticks, where that says nothing.
  std::optional<std::uint64_t> user_ns{}, system_ns{};
};

// What went on, besides the roles, on the processors they used (all that the process may use, for an unpinned
// one), from just before the timed part until just after it: not all of it lies inside. nullopt: this system
// does not say.
struct Disturbance {
  std::vector<int> os_processors;
  std::uint64_t observed_ns = 0;
  std::optional<std::uint64_t> steal_ns;  // by the host of a virtual machine; in steps of 10 ms a processor
  std::optional<std::uint64_t> device_interrupts;
  std::optional<std::uint64_t> timer_interrupts;
  std::optional<std::uint64_t> other_interrupts;  // between processors, as wake-ups send them, and the rest
  std::optional<std::uint64_t> softirqs;
  std::optional<std::uint64_t> heat_throttles;  // times that a core was slowed down for its temperature
  std::optional<double> mhz;                    // of the fastest of them, at the end
  // How long some task of the whole system waited for these (Documentation/accounting/psi.rst).
  std::optional<std::uint64_t> cpu_pressure_ns, memory_pressure_ns, io_pressure_ns;
  std::optional<std::uint64_t>
      quota_throttled_ns;  // by the quotas of this process's cgroups; nullopt: no quota
};

// What a case costs besides time, from launches of its own: counting and tracing would slow a timed one.
struct CostExamination {
  struct Counted {
    std::string role;
    std::optional<std::uint64_t> cycles, instructions, cache_misses, branch_misses;
  };
  struct Call {
    std::string name;  // "write"; "system call 1234" of one without a name here
    std::uint64_t count = 0;
  };
  struct Traced {
    std::string role;
    std::vector<Call> calls;  // most frequent first
  };
  std::uint64_t counted_messages = 0;  // of the launch with hardware counters; 0: there was none
  std::vector<Counted> counted;
  std::string counted_note;           // what was counted, or why nothing was
  std::uint64_t traced_messages = 0;  // of the launch that was traced; 0: there was none
  std::vector<Traced> traced;
  std::string traced_note;  // why nothing was traced; else empty
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
  std::uint64_t stops = 0;                   // times that a signal stopped it, over the whole launch
  std::uint64_t stopped_ns = 0;
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

// Whether samples of that name are each the duration of one whole event, whose percentiles are a latency.
// Windows are not, nor the waiting inside an event, which is often none at all.
inline bool times_single_events(std::string_view of, std::uint64_t messages_per_sample) {
  return messages_per_sample == 1 && of != "window_ns" && of != "sender_wait_ns";
}

// Whether events of that name come when they are due, whatever the transport does. Then how many there are in
// a second, and the time per message, are the schedule's.
inline bool is_scheduled(std::string_view of) { return of == "response_ns" || of == "one_way_ns"; }

// A distribution of nanoseconds: the encoded histogram (harness/histogram.h) and figures read from it.
struct Distribution {
  std::string of;                         // round_trip_ns (ping_pong) | window_ns (stream) ...
  std::uint64_t messages_per_sample = 1;  // a round trip is one; a window is the messages it spans
  std::uint64_t count = 0;
  std::uint64_t min_ns = 0;
  std::uint64_t max_ns = 0;
  double mean_ns = 0;
  // nullopt with fewer than 100 samples beyond, and where it is less than the clock's step.
  std::optional<double> p50_ns, p90_ns, p99_ns, p999_ns;
  std::string histogram;
};

// How a launch's warm-up ended: windows of equal numbers of messages, judged by the last few of them
// (harness/judging.h).
struct WarmUpReport {
  std::uint64_t windows = 0;  // 0: there was no warm-up of this kind
  double window_ns = 0;
  bool judged = false;  // false: a window takes so long that there were too few; nothing below says anything
  bool steady = false;
  double drift = 0;   // over the windows judged, as a share of their median; over 0: messages take longer
  double spread = 0;  // likewise
};

// Takes away what is shorter than the clock can tell. The histogram keeps every sample as it was read.
inline void withhold_below_step(Distribution& of, double clock_step_ns) {
  for (auto percentile :
       {&Distribution::p50_ns, &Distribution::p90_ns, &Distribution::p99_ns, &Distribution::p999_ns}) {
    if (of.*percentile && *(of.*percentile) < clock_step_ns) (of.*percentile).reset();
  }
}

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
  std::optional<WarmUpReport> warm_up;
  std::uint64_t bytes = 0;  // payload moved in the timed part, all directions added
  std::optional<Distribution> distribution;
  std::vector<Distribution> further_distributions;  // of what else was timed, each under its own name
  std::vector<Observation> observations;
  double cache_line_round_trip_ns = 0;  // measured in this launch between the roles' PUs; 0 when not measured
  std::vector<RoleReport> roles;
  std::optional<Disturbance> disturbance;
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
