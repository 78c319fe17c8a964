// The result file: everything one run found, and how it is kept. results/schema.json documents every field
// with its unit. Plain data and functions; nothing here is thread-safe.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "harness/case.h"
#include "harness/machine.h"
#include "harness/measurement.h"
#include "results/json_node.h"

namespace ipcmark {

inline constexpr unsigned schema_version = 1;

// A transport's answers that no measurement gives: the columns of `ipcmark list transports`, in its words.
struct TransportFacts {
  std::string transport;
  std::vector<NamedValue> facts;
};

// What was asked and where, known before the first launch. Times are ISO 8601 with offset.
struct RunHeader {
  std::string version;  // of ipcmark
  std::string suite;
  std::uint64_t seed = 0;
  unsigned launches = 0;                  // asked for each case
  std::uint64_t min_time_ns = 0;          // asked for the timed part of a launch
  std::optional<double> precision{};      // asked for each case, a share; launches are then at most so many
  std::vector<std::string> command_line;  // argv, the program first
  std::optional<std::string> on_start{}, on_end{};  // the user's commands around each timed part
  std::string started;
  std::string executable;
  std::vector<double> load_avg;  // 1, 5 and 15 minutes
  bool cpu_scaling_enabled = false;
  std::string library_version;      // Google Benchmark's
  std::string library_build_type;   // release | debug: how ipcmark itself was built
  std::vector<NamedValue> context;  // --benchmark_context KEY=VALUE
  Machine machine;
  std::vector<TransportFacts> transports;  // those of the plan's cases, by name
};

// A command of the user's that ran just before or after the timed part.
struct HookRun {
  std::string option;  // --on-start | --on-end
  std::uint64_t took_ns = 0;
  std::string problem;  // empty: it ended with status 0
};

// One launch that was measured. Where measurement.limit is set it is what the file keeps; a reader finds it
// in capacity.limit.
struct LaunchRecord {
  Case benchmark_case;
  CapacityFacts capacity;
  unsigned round = 0;       // from 1
  std::uint64_t order = 0;  // position within the whole run, from 1
  std::string started;
  std::optional<CostExamination> examination;  // of the case: with its first launch, if made at all
  std::vector<HookRun> hooks;
  Measurement measurement;
};

// One launch that gave no figure.
struct FailureRecord {
  Case benchmark_case;
  unsigned round = 0;  // 0: the verified launch before the first round
  std::string reason;
};

// A case that was never launched.
struct SkipRecord {
  Case benchmark_case;
  std::string reason;
};

struct ResultFile {
  RunHeader header;
  std::vector<LaunchRecord> launches;  // in the order launched
  std::vector<FailureRecord> failures;
  std::vector<SkipRecord> skips;
  std::string finished;      // empty: not known, as in a journal left by a killed run
  bool complete = false;     // every round of every case was launched
  bool interrupted = false;  // a person or a signal ended it; a time limit only leaves it incomplete
  double wall_s = 0;         // the time of a run that was killed is not known
};

std::optional<Grade> parse_grade(std::string_view text);
inline constexpr std::string_view grades_allowed = "ok, noisy or invalid";

// Reads a finished result file or a journal, told apart by content. A journal's last line without its newline
// was torn by a crash and is dropped. `cases` is not read: it is recomputed by whoever writes. Throws
// FileError "FILE:LINE: ..." (a journal, or no JSON at all) or "FILE: place: ...".
ResultFile read_results(const std::string& path);

// One JSON document that is also valid Google Benchmark JSON. The path form writes a temporary file beside
// `path`, syncs it and renames it over `path`, so that a reader sees the old file or the whole new one.
// Throws std::system_error, or std::domain_error for a record that cannot be a result (a figure that is not
// finite, no messages, no time); then `path` is untouched.
void write_results(const std::string& path, const ResultFile& results);
void write_results(std::ostream& out, const ResultFile& results);

}  // namespace ipcmark
