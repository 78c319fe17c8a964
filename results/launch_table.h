// The figures of many launches from many files, for comparing them, and what their cases are judged by: about
// 150 bytes a launch, whatever the size of its file. Histograms are passed over.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "harness/case.h"
#include "results/result_file.h"

namespace ipcmark {

// Texts that occur many times, kept once.
class TextPool {
 public:
  std::uint32_t index_of(std::string_view text);
  const std::string& operator[](std::uint32_t index) const { return texts_[index]; }
  std::size_t size() const { return texts_.size(); }

 private:
  std::deque<std::string> texts_;  // never moves one
  std::unordered_map<std::string_view, std::uint32_t> indexes_;
};

inline constexpr double not_measured = std::numeric_limits<double>::quiet_NaN();

struct LaunchFigures {
  std::uint32_t case_index = 0;  // into LaunchTable::cases
  std::uint32_t file_index = 0;  // into LaunchTable::files
  std::uint32_t settings = 0;    // into LaunchTable::texts: what the launch was granted
  std::uint32_t reason = 0;      // into LaunchTable::texts: the first of its verdict
  std::uint32_t timed = 0;       // into LaunchTable::texts: what its distribution is of; empty without one
  Grade grade = Grade::ok;
  std::uint32_t round = 0;
  std::uint64_t messages = 0;
  std::uint64_t span_ns = 0;
  double cpu_ns_per_message = not_measured;
  double cache_line_round_trip_ns = not_measured;
  // Of single events (round trips, calls); not_measured where fewer than 100 samples lie beyond.
  double p50_ns = not_measured, p99_ns = not_measured, p999_ns = not_measured;
  // The longest of a role that is pinned and alone on its processor.
  double run_delay_ns = not_measured;
  // Of what else went on (harness/measurement.h); observed_ns says whether it was looked at.
  std::uint32_t processors = 0;
  double observed_ns = not_measured, steal_ns = not_measured, quota_throttled_ns = not_measured,
         mhz = not_measured;
};

// A launch that failed, or a case that was skipped.
struct MissingFigures {
  std::uint32_t case_index = 0;
  std::uint32_t file_index = 0;
  std::uint32_t reason = 0;
};

struct SourceFile {
  std::string path;
  std::size_t side = 0;  // position of the argument it came by
  RunHeader header;
};

class LaunchTable {
 public:
  // Result file or journal, told apart as read_results does and refused for the same reasons, but that only
  // what is used here is looked into. Throws FileError.
  void read(const std::string& path, std::size_t side);
  // The same of a text that is in memory already; `path` is for errors.
  void parse(std::string_view text, const std::string& path, std::size_t side);

  // Throws std::invalid_argument for what is no case's id.
  std::uint32_t case_index(std::string_view id);

  std::vector<SourceFile> files;
  std::vector<LaunchFigures> launches;
  std::vector<MissingFigures> failures, skips;
  TextPool ids;             // by case index
  std::vector<Case> cases;  // likewise
  TextPool texts;
  std::map<std::uint32_t, std::vector<RoleReport>> roles;  // by settings: names and PUs of the roles
};

// The result files that an argument stands for: itself, or of a folder all that end in .json, and journals
// in the place of their result files, in the order of their names. Throws FileError when there are none.
std::vector<std::string> result_files_at(const std::string& path);

}  // namespace ipcmark
