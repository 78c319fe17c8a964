// What the system says of the processors that a launch uses, besides what it did there itself.
//
// The counters are read by the lead role just before it announces the timed part and just after all have
// left it, so that neither look lies inside. What a kernel or a container does not show stays unknown.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/descriptor.h"
#include "harness/measurement.h"

namespace ipcmark {

// ---- Parts of files, each over the processors (OS indexes) named; nullopt when the text says nothing of
// them ----

// Ticks of steal time, the eighth figure of their lines in /proc/stat (proc_stat(5)).
std::optional<std::uint64_t> steal_ticks(std::string_view proc_stat, std::span<const int> os_processors);

// Ticks that they worked, steal and all, and that they idled or waited for a disk.
struct ProcessorTicks {
  std::uint64_t busy = 0;
  std::uint64_t idle = 0;
};
std::optional<ProcessorTicks> processor_ticks(std::string_view proc_stat, std::span<const int> os_processors);

// By what raised them: numbered lines are devices', except those of a timer; LOC and the like are the local
// timer's; all else are processors' messages to each other, which waking a role also sends.
struct InterruptCounts {
  std::uint64_t device = 0;
  std::uint64_t timer = 0;
  std::uint64_t other = 0;
};
std::optional<InterruptCounts> count_interrupts(std::string_view proc_interrupts,
                                                std::span<const int> os_processors);

std::optional<std::uint64_t> count_softirqs(std::string_view proc_softirqs,
                                            std::span<const int> os_processors);

// The total of the line "some" in a file of /proc/pressure, in microseconds (Documentation/accounting/psi).
std::optional<std::uint64_t> pressure_us(std::string_view pressure);

// How long a cgroup's quota stopped it, from its cpu.stat: throttled_usec (version 2) or throttled_time (1).
std::optional<std::uint64_t> throttled_ns(std::string_view cpu_stat);

// ---- All of them at one moment ----

// Plain data: lies in memory that the processes of a launch share.
struct SystemCounters {
  static constexpr std::uint64_t unknown = std::numeric_limits<std::uint64_t>::max();

  std::uint64_t at_ns = 0;  // 0: never read
  std::uint64_t steal_ticks = unknown;
  std::uint64_t device_interrupts = unknown;
  std::uint64_t timer_interrupts = unknown;
  std::uint64_t other_interrupts = unknown;
  std::uint64_t softirqs = unknown;
  std::uint64_t heat_throttles = unknown;
  std::uint64_t greatest_khz = unknown;
  std::uint64_t cpu_pressure_us = unknown;
  std::uint64_t memory_pressure_us = unknown;
  std::uint64_t io_pressure_us = unknown;
  std::uint64_t quota_throttled_ns = unknown;
};

// Opens the files once, in the process it is made in; a forked child may read them too, wherever it lives. Of
// more processors than these, nothing is read that each has a file of its own for.
class SystemWatch {
 public:
  static constexpr std::size_t most_with_own_files = 24;

  explicit SystemWatch(std::vector<int> os_processors, const std::filesystem::path& root = "/");

  // Only the later of two looks reads frequencies: some kernels sleep 10 ms for each.
  enum class Look : std::uint8_t { before, after };
  // Tens of microseconds on a small machine; no errors.
  SystemCounters read(Look look) const;
  const std::vector<int>& os_processors() const { return os_processors_; }

 private:
  std::vector<int> os_processors_;
  Descriptor stat_, interrupts_, softirqs_, cpu_pressure_, memory_pressure_, io_pressure_;
  std::vector<Descriptor> throttle_counts_, frequencies_, cpu_stats_;
};

// What went on between two looks; nullopt unless both were taken.
std::optional<Disturbance> between(const SystemCounters& before, const SystemCounters& after,
                                   std::span<const int> os_processors);

}  // namespace ipcmark
