// The command line: options to commands to exit status. What a command throws becomes one line on standard
// error.

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <set>

#include "harness/build_info.h"
#include "harness/cleanup.h"
#include "harness/command/comparison_text.h"
#include "harness/command/console.h"
#include "harness/command/list.h"
#include "harness/command/options.h"
#include "harness/command/runner.h"
#include "harness/doctor.h"
#include "harness/isolation.h"
#include "harness/text.h"
#include "results/compare.h"
#include "results/journal.h"
#include "results/precision.h"
#include "results/summary.h"

namespace ipcmark {
namespace {

constexpr int all_well = 0, a_case_failed = 1, bad_usage = 2, interrupted = 130;

// ---- run ----

// Where the result is kept until it goes to standard output; `ipcmark clean` knows the name.
class TemporaryResult {
 public:
  TemporaryResult() : folder_(std::filesystem::temp_directory_path() / unique_name()) {
    if (mkdir(folder_.c_str(), 0700) != 0) {
      throw std::system_error(errno, std::generic_category(), "mkdir " + folder_.string());
    }
  }
  ~TemporaryResult() {
    std::error_code ignored;
    if (!kept_) std::filesystem::remove_all(folder_, ignored);
  }
  TemporaryResult(const TemporaryResult&) = delete;
  TemporaryResult& operator=(const TemporaryResult&) = delete;
  std::string path() const { return (folder_ / "result.json").string(); }

  // Throws std::runtime_error when standard output does not take all of it; the file is then kept, and named.
  void print() {
    std::ifstream document(path());
    std::cout << document.rdbuf() << std::flush;
    if (std::cout) return;
    kept_ = true;
    throw std::runtime_error("--output: standard output could not be written; the result is kept in " +
                             path());
  }

 private:
  std::filesystem::path folder_;
  bool kept_ = false;
};

std::string default_output(const Plan& plan) {
  return fmt::format("ipcmark-{}-{:%Y%m%dT%H%M%SZ}.json", plan.suite, fmt::gmtime(std::time(nullptr)));
}

// Said before anything is measured. What only opening it can tell is still told by the journal.
void check_output(const std::string& output) {
  const auto refuse = [&output](std::string_view reason) {
    throw UsageError(fmt::format(
        "--output: {}: {}; allowed: a file in a folder that is there and can be written", output, reason));
  };
  const std::filesystem::path folder = std::filesystem::absolute(output).parent_path();
  if (access(folder.c_str(), W_OK | X_OK) != 0) {
    refuse(std::generic_category().message(errno));
  }
  if (std::filesystem::exists(output) && !std::filesystem::is_regular_file(output)) refuse("no regular file");
}

// "6 launches each of 100 ms, about 2 min"
std::string effort(const Plan& plan) {
  const std::string of = format_ns(static_cast<double>(plan.min_time_ns));
  if (!plan.precision) {
    return fmt::format("{} launches each of {}, about {}", plan.launches, of,
                       format_duration(estimated_seconds(plan)));
  }
  Plan fewest = plan;
  fewest.launches = first_look;
  return fmt::format("{} to {} launches each of {} for a precision of {:g} %, {} to {}", fewest.launches,
                     plan.launches, of, 100 * *plan.precision, format_duration(estimated_seconds(fewest)),
                     format_duration(estimated_seconds(plan)));
}

void print_plan(const Plan& plan) {
  fmt::print("{}{} cases, {} skipped; {}\n", plan_text(plan, columns_of(stdout)), plan.cases.size(),
             plan.skipped.size(), effort(plan));
}

// Empty without --precision.
std::string precision_text(const std::vector<CaseSummary>& summaries, const std::optional<double>& asked) {
  if (!asked) return {};
  std::size_t attained = 0;
  std::string missed;
  for (const CaseSummary& summary : summaries) {
    if (summary.precision && summary.precision->attained) {
      ++attained;
    } else {
      missed += fmt::format("{}: {}\n", summary.id, precision_reason(summary.precision, *asked));
    }
  }
  return fmt::format("precision of {:g} % attained by {} of {} cases\n{}", 100 * *asked, attained,
                     summaries.size(), missed);
}

std::string result_footer(const ResultFile& results, const std::string& output) {
  std::string text;
  double timed_s = 0;
  for (const LaunchRecord& launch : results.launches)
    timed_s += static_cast<double>(launch.measurement.span_ns) * 1e-9;
  text +=
      fmt::format("{} launches, {} failed, {} cases skipped in {}; {:.0f} % of it timed\n",
                  results.launches.size(), results.failures.size(), results.skips.size(),
                  format_duration(results.wall_s), results.wall_s > 0 ? 100 * timed_s / results.wall_s : 0);
  for (const FailureRecord& failure : results.failures) {
    text += fmt::format("failed {}: {}\n", case_id(failure.benchmark_case), failure.reason);
  }
  if (!results.complete) text += "not complete: go on with --resume\n";
  text += fmt::format("result file {}\n", output);
  return text;
}

int run(const RunOptions& options, const std::vector<std::string>& command_line) {
  Workbench workbench;
  CaseOptions cases = options.cases;
  if (options.resume && !cases.seed) {
    // The order of launches goes on as it began.
    if (const std::optional<ResultFile> held = Journal::held(*options.output)) cases.seed = held->header.seed;
  }
  const Plan plan = chosen_plan(cases, workbench);
  if (options.list_tests) {
    for (const PlannedCase& planned : plan.cases) fmt::print("{}\n", planned.id);
    return all_well;
  }
  if (options.dry_run) {
    print_plan(plan);
    return all_well;
  }
  if (plan.cases.empty()) {
    const std::string why =
        plan.skipped.empty() ? "the options leave nothing over" : plan.skipped.front().reason;
    throw UsageError(fmt::format("no case is left to run: {}", why));
  }

  // "-o -" leaves standard output to the document, so everything for people goes to standard error.
  const bool to_standard_output = options.output == "-";
  std::optional<TemporaryResult> temporary;
  if (to_standard_output) temporary.emplace();
  const std::string output = temporary ? temporary->path() : options.output.value_or(default_output(plan));
  std::FILE* const people = to_standard_output ? stderr : stdout;
  check_output(output);

  const RunSettings settings{.output = output,
                             .resume = options.resume,
                             .time_limit_ns = options.time_limit_ns,
                             .on_start = options.on_start,
                             .on_end = options.on_end,
                             .context = options.context,
                             .command_line = command_line};
  ProgressPrinter progress(stderr);
  if (!options.quiet) {
    fmt::print(stderr, "suite {}: {} cases, {} skipped, {}; seed {}\n", plan.suite, plan.cases.size(),
               plan.skipped.size(), effort(plan), plan.seed);
  }
  const ResultFile results = run_plan(
      plan, settings, workbench,
      [&](const RunProgress& now) {
        if (!options.quiet) progress.show(now);
      },
      [&](const std::string& warning) {
        progress.clear();
        fmt::print(stderr, "ipcmark: {}\n", warning);
      });
  progress.clear();
  if (!options.quiet) {
    std::vector<CaseSummary> summaries = summarize_cases(results);
    std::ranges::sort(summaries, {},
                      &CaseSummary::benchmark_case);  // launched in random order, read in this one
    fmt::print(
        people, "{}{}{}",
        case_table(summaries, wants_colour(people), isatty(fileno(people)) == 1 ? columns_of(people) : 0),
        precision_text(summaries, plan.precision),
        result_footer(results, to_standard_output ? "on standard output" : output));
  }
  if (temporary) temporary->print();
  if (results.interrupted) return interrupted;
  return results.failures.empty() ? all_well : a_case_failed;
}

// ---- compare ----

// What a gate must not pass over in silence.
void warn_of_the_undecided(const Comparison& comparison) {
  for (const CaseComparison& each : comparison.cases) {
    if (each.outcome != Outcome::undecided && each.outcome != Outcome::not_compared) continue;
    fmt::print(stderr, "ipcmark: decides nothing: {}: {}\n", each.id, join(each.reasons, "; "));
  }
  if (const std::size_t inconclusive = comparison.count(Outcome::inconclusive); inconclusive > 0) {
    fmt::print(stderr, "ipcmark: {} inconclusive, which is not a pass\n", inconclusive);
  }
}

int gate(const Comparison& comparison) {
  if (comparison.tests == 0) {
    throw UsageError(fmt::format("--fail-on-regression: nothing could be judged: {}",
                                 comparison.cases.front().reasons.front()));
  }
  warn_of_the_undecided(comparison);
  int status = comparison.count(Outcome::regression) > 0 ? a_case_failed : all_well;
  for (const CaseComparison& each : comparison.cases) {
    if (each.failures == 0 || each.base_failures > 0) continue;
    fmt::print(stderr, "ipcmark: {}: {} launch{} failed, none in the base\n", each.id, each.failures,
               each.failures == 1 ? "" : "es");
    status = a_case_failed;
  }
  std::size_t gone = 0;
  for (const LonelyCase& each : comparison.lonely) {
    if (comparison.columns[each.lacking].base) continue;
    if (each.failed) {
      fmt::print(stderr, "ipcmark: {}: {}\n", each.id, each.reason);
      status = a_case_failed;
    } else if (each.on_both_sides) {
      fmt::print(stderr, "ipcmark: decides nothing: {}: {}\n", each.id, each.reason);
    } else {
      ++gone;
    }
  }
  if (gone > 0) {
    fmt::print(stderr, "ipcmark: {} case{} of the base {} nothing to be held against: skipped or not there\n",
               gone, gone == 1 ? "" : "s", gone == 1 ? "has" : "have");
  }
  return status;
}

int compare(const CompareOptions& options) {
  LaunchTable table;
  std::set<std::filesystem::path> seen;
  for (std::size_t side = 0; side < options.paths.size(); ++side) {
    for (const std::string& path : result_files_at(options.paths[side])) {
      table.read(path, side);
      std::error_code unnamed;  // what a pipe of the shell is: it is read once, and gone
      const std::filesystem::path file = std::filesystem::canonical(path, unnamed);
      if (!unnamed && !seen.insert(file).second && !options.rules.by.empty()) {
        throw UsageError(
            fmt::format("compare: {} is given twice; with --by all files are taken together", path));
      }
    }
  }
  const Comparison comparison = compare(table, options.rules);
  if (comparison.cases.empty()) {
    const auto both = std::ranges::find(comparison.lonely, true, &LonelyCase::on_both_sides);
    if (both != comparison.lonely.end())
      throw UsageError(fmt::format("compare: nothing can be compared: {}: {}", both->id, both->reason));
    throw UsageError(fmt::format("compare: no case was measured on both sides ({} launches in {} file{})",
                                 table.launches.size(), table.files.size(),
                                 table.files.size() == 1 ? "" : "s"));
  }
  if (options.fail_on_regression && !comparison.same_case) {
    throw UsageError(
        fmt::format("--fail-on-regression: --by {} compares different cases; there is no regression to find",
                    comparison.by));
  }
  if (options.json) {
    fmt::print("{}", to_json(comparison));
  } else if (options.markdown) {
    fmt::print("{}", comparison_markdown(comparison));
  } else {
    fmt::print("{}", comparison_table(comparison, wants_colour(stdout),
                                      isatty(STDOUT_FILENO) == 1 ? columns_of(stdout) : 0));
  }
  return options.fail_on_regression ? gate(comparison) : all_well;
}

// ---- doctor ----

std::string findings_as_json(const std::vector<Finding>& findings) {
  std::string text = "[";
  for (const Finding& finding : findings) {
    text += fmt::format("{}\n  {{\"severity\": {}, \"subject\": {}, \"found\": {}, \"advice\": {}}}",
                        text.size() == 1 ? "" : ",", json_quote(to_string(finding.severity)),
                        json_quote(finding.subject), json_quote(finding.found), json_quote(finding.advice));
  }
  return text + "\n]\n";
}

int doctor(const DoctorOptions& options) {
  Workbench workbench;
  const Machine machine = examine_machine(workbench.topology(), {64}, {});
  SystemProbe probe = probe_system();
  std::vector<int> processors;
  for (const PuInfo& pu : workbench.topology().pus()) processors.push_back(pu.os_index);
  constexpr double moment_s = 0.3;
  probe.activity = watch_activity(processors, moment_s);
  const Isolation& isolation = workbench.isolation(Limits::host);
  probe.isolation = isolation.description;
  if (!isolation.namespaces) probe.isolation_refusal = isolation.description;
  const std::vector<Finding> findings = examine(machine, probe);
  if (options.json) {
    fmt::print("{}", findings_as_json(findings));
  } else {
    fmt::print("{}",
               format_findings(findings, static_cast<unsigned>(columns_of(stdout)), wants_colour(stdout)));
  }
  return all_well;
}

// ---- report ----

// Installed, the figures' code lies in ../share/ipcmark/plots; in a build tree, in the sources it was built
// from.
std::filesystem::path find_report_program() {
  namespace fs = std::filesystem;
  const fs::path installed =
      fs::read_symlink("/proc/self/exe").parent_path() / "../share/ipcmark/plots/report.py";
  const fs::path in_sources = fs::path(build_info().source_dir) / "plots/report.py";
  for (const fs::path& candidate : {installed, in_sources}) {
    if (fs::exists(candidate)) return fs::canonical(candidate);
  }
  throw UsageError(fmt::format("report: plots/report.py is neither at {} nor at {}",
                               installed.lexically_normal().string(), in_sources.string()));
}

int report(const ReportOptions& options) {
  if (build_info().python.empty()) {
    throw UsageError("report: no Python with matplotlib, numpy and jinja2 was found when this was built");
  }
  std::vector<std::string> words{std::string(build_info().python), find_report_program().string()};
  words.insert(words.end(), options.files.begin(), options.files.end());
  words.insert(words.end(), {"-o", options.directory});
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  execv(arguments.front(), arguments.data());
  throw std::system_error(errno, std::generic_category(), "exec " + words.front());
}

// ---- export ----

int export_file(const ExportOptions& options) {
  ResultFile results = read_results(options.file);
  if (options.filter) {
    const Filter filter(*options.filter, "--case");
    std::erase_if(results.launches, [&](const LaunchRecord& launch) {
      return !filter.matches(case_id(launch.benchmark_case));
    });
  }
  if (results.launches.empty())
    throw UsageError(fmt::format("export: {}: no case of that id was measured", options.file));
  const Exported exported = export_results(results, options.format);
  for (const std::string& reason : exported.left_out) fmt::print(stderr, "ipcmark: left out: {}\n", reason);
  fmt::print("{}", exported.text);
  return all_well;
}

// ---- clean ----

int clean() {
  const std::vector<std::string> removed = remove_leftovers();
  for (const std::string& line : removed) fmt::print("{}{}\n", line.starts_with("(") ? "" : "removed ", line);
  if (removed.empty()) fmt::print("nothing to remove\n");
  return all_well;
}

int dispatch(const Options& options, const std::vector<std::string>& command_line) {
  if (const auto* chosen = std::get_if<RunOptions>(&options)) return run(*chosen, command_line);
  if (const auto* chosen = std::get_if<ListOptions>(&options)) {
    Workbench here;
    fmt::print("{}", list(*chosen, here, columns_of(stdout)));
    return all_well;
  }
  if (const auto* chosen = std::get_if<CompareOptions>(&options)) return compare(*chosen);
  if (const auto* chosen = std::get_if<ReportOptions>(&options)) return report(*chosen);
  if (const auto* chosen = std::get_if<ExportOptions>(&options)) return export_file(*chosen);
  if (const auto* chosen = std::get_if<DoctorOptions>(&options)) return doctor(*chosen);
  if (std::holds_alternative<CleanOptions>(options)) return clean();
  fmt::print("{}", std::get<TextAnswer>(options).text);
  return all_well;
}

KnownNames known_names() {
  KnownNames known;
  for (const TransportTraits& transport : traits_of(Registry::instance().transports())) {
    known.transports.push_back(transport.name);
    for (const std::string& workload : transport.workloads) {
      if (std::find(known.workloads.begin(), known.workloads.end(), workload) == known.workloads.end()) {
        known.workloads.push_back(workload);
      }
    }
  }
  for (const TransportEntry& entry : Registry::instance().named_only()) {
    known.transports.push_back(entry.traits.name);
  }
  known.version = std::string(build_info().version);
  return known;
}

}  // namespace
}  // namespace ipcmark

int main(int argc, char** argv) {
  using namespace ipcmark;
  const std::vector<std::string> command_line(argv, argv + argc);
  std::string reason;
  try {
    const int status =
        dispatch(parse_options({command_line.begin() + 1, command_line.end()}, known_names()), command_line);
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
      throw std::runtime_error("standard output could not be written");
    }
    return status;
  } catch (const std::exception& error) {
    reason = error.what();
  }
  std::replace(reason.begin(), reason.end(), '\n', ' ');
  fmt::print(stderr, "ipcmark: {}\n", reason);
  return bad_usage;
}
