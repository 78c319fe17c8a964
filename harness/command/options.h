// The command line as plain structs. Nothing is looked up on the machine here; names are checked against
// lists.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "harness/machine.h"
#include "harness/plan.h"
#include "results/compare.h"
#include "results/export.h"

namespace re2 {
class RE2;
}

namespace ipcmark {

// One line for standard error that names the option and what is allowed; the program then ends with status 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Which cases: a suite, a narrowing of one, or a grid of the narrowing's own.
struct CaseOptions {
  std::optional<std::string> suite;
  Narrowing narrowing;
  std::optional<unsigned> launches;
  std::optional<std::uint64_t> min_time_ns;
  std::optional<std::uint64_t> seed;
  std::optional<double> precision;    // a share; launches are then at most so many
  std::optional<std::string> filter;  // see Filter
};

// As Google Benchmark's --benchmark_filter: an expression found anywhere in the id, `-` before it for the ids
// in which it is not found, or `all`. Google Benchmark takes POSIX extended expressions, which RE2 reads too,
// in time and memory that no expression makes grow out of bounds (swtch.com/~rsc/regexp/regexp1.html); the
// back references that some libraries add are refused.
class Filter {
 public:
  // `option` is for errors. Throws UsageError.
  explicit Filter(const std::string& text, std::string_view option = "--benchmark_filter");
  bool matches(std::string_view id) const;

 private:
  bool all_, wanted_;
  std::shared_ptr<const re2::RE2> expression_;
};

struct RunOptions {
  CaseOptions cases;
  std::optional<std::uint64_t> time_limit_ns;
  bool dry_run = false;
  bool list_tests = false;  // print the ids and stop
  std::optional<std::string> output;
  bool resume = false;
  bool quiet = false;
  std::optional<std::string> on_start, on_end;  // shell commands
  std::vector<NamedValue> context;
};

struct ListOptions {
  enum class What : std::uint8_t { transports, workloads, placements, suites, cases };
  What what = What::transports;
  bool json = false;
  CaseOptions cases;
};

struct ReportOptions {
  std::vector<std::string> files;
  std::string directory;
};

struct CompareOptions {
  std::vector<std::string> paths;  // files or folders, the base first
  ComparisonRules rules;
  bool json = false;
  bool markdown = false;
  bool fail_on_regression = false;
};

struct ExportOptions {
  std::string file;
  ExportFormat format = ExportFormat::csv;
  std::optional<std::string> filter;  // of ids, see Filter
};

struct DoctorOptions {
  bool json = false;
};

struct CleanOptions {};

// --help and --version: a text for standard output.
struct TextAnswer {
  std::string text;
};

using Options = std::variant<RunOptions, ListOptions, CompareOptions, ReportOptions, ExportOptions,
                             DoctorOptions, CleanOptions, TextAnswer>;

struct KnownNames {
  std::vector<std::string> transports;
  std::vector<std::string> workloads;
  std::string version;
};

// `arguments` without the program's name. Throws UsageError.
Options parse_options(std::vector<std::string> arguments, const KnownNames& known);

}  // namespace ipcmark
