// What a person sees of a run: progress on standard error, one line a case on standard output.
#pragma once

#include <array>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "harness/command/runner.h"
#include "results/summary.h"

namespace ipcmark {

// On a terminal one line that is written over, with the time left; elsewhere a plain line every ten seconds.
// Not thread-safe.
class ProgressPrinter {
 public:
  explicit ProgressPrinter(std::FILE* stream);
  ~ProgressPrinter() { clear(); }
  ProgressPrinter(const ProgressPrinter&) = delete;
  ProgressPrinter& operator=(const ProgressPrinter&) = delete;

  void show(const RunProgress& progress);
  // Takes the line away, so that something else can be printed.
  void clear();

 private:
  std::FILE* stream_;
  bool terminal_;
  bool shown_ = false;
  double last_shown_s_ = -1e9;
};

// True for a terminal, unless NO_COLOR is set (no-color.org).
bool wants_colour(std::FILE* stream);

// Columns of the terminal behind the stream, or of COLUMNS; 100 when neither says.
std::size_t columns_of(std::FILE* stream);

// A case in the words of a table, its workload apart: transport, size, capacity, wait, access, placement, and
// what it has beyond the parameters that every case has ("senders:4 work:10").
inline constexpr std::array<std::string_view, 7> parameter_heads{"transport", "size",      "capacity", "wait",
                                                                 "access",    "placement", ""};
std::vector<std::string> parameters_of(const Case& benchmark_case);

// A table: a headed group for each workload and one aligned line a case, in the order of the summaries. A
// verdict's reason is cut at `columns`; 0 = never.
std::string case_table(const std::vector<CaseSummary>& summaries, bool colour, std::size_t columns);

}  // namespace ipcmark
