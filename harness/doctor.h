// Is this machine fit to measure, what is limited here, and how to lift it. Looks and says; changes nothing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "harness/machine.h"

namespace ipcmark {

enum class Severity : std::uint8_t {
  good,     // nothing to do
  note,     // know it when you read the results
  warning,  // results will be worse than they could be, or cases will be skipped
  bad,      // results will mislead
};

std::string_view to_string(Severity severity);

struct Finding {
  Severity severity = Severity::good;
  std::string subject;  // "governor"
  std::string found;    // what is so, and what it does to results
  std::string advice;   // what a person can do about it; empty when there is nothing to do
};

// How busy a processor was while nothing was measured.
struct ProcessorActivity {
  int os_index = -1;
  double busy_share = 0;
  double interrupts_per_s = 0;  // of devices
};

// Between two readings of /proc/stat and /proc/interrupts, for the processors in all of them (OS indexes).
std::vector<ProcessorActivity> activity_between(std::string_view stat_before, std::string_view stat_after,
                                                std::string_view interrupts_before,
                                                std::string_view interrupts_after, double seconds,
                                                std::span<const int> os_processors);

// Watches these processors for that long.
std::vector<ProcessorActivity> watch_activity(std::span<const int> os_processors, double seconds);

// What belongs to the moment or to this process rather than to the machine.
struct SystemProbe {
  std::optional<double> load_average;  // over the last minute (proc_loadavg(5))
  std::optional<int> perf_event_paranoid;
  std::optional<int> ptrace_scope;  // kernel.yama; nullopt: this kernel has none, which allows most
  // What /dev/cpu_dma_latency holds idle states to, in microseconds; nullopt when it may not be read.
  std::optional<std::int32_t> wake_up_latency_us;
  std::optional<std::uint64_t> shm_free_bytes;  // of /dev/shm; nullopt when it is not there
  std::uint64_t capabilities = 0;  // effective, one bit each as in capabilities(7); 0 when not known
  // The caller's to fill; empty: not looked at. Severities of interrupts hold them against
  // harness/judging.h.
  std::vector<ProcessorActivity> activity;
  // The caller's to fill: what a launch lives in ("pid+ipc+mount namespaces"), and when that is less than
  // namespaces of its own, why. Both empty: not looked at, and nothing is said.
  std::string isolation;
  std::string isolation_refusal;
};

// All but the isolation, from files under `root`/proc and `root`/dev. What cannot be read has no value: no
// errors.
SystemProbe probe_system(const std::filesystem::path& root = "/");

// One finding for each thing that `machine` and `probe` have an answer to, in a fixed order: processors,
// their sharing and speed, the clock, kernel settings, what a launch may do, limits of the mechanisms. A
// machine.clock without a source was not examined, and only the clock source is judged.
std::vector<Finding> examine(const Machine& machine, const SystemProbe& probe);

// Aligned in columns and wrapped to `width` columns of a terminal (40 at least), with a last line that
// counts; ends in a newline. Colours: ANSI escapes on the severity word alone.
std::string format_findings(std::span<const Finding> findings, unsigned width, bool colours);

}  // namespace ipcmark
