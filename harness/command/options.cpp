#include "harness/command/options.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <set>
#include <system_error>
#include <utility>

#include "harness/placement.h"
#include "harness/suite.h"
#include "harness/text.h"
#include "results/precision.h"

namespace ipcmark {
namespace {

[[noreturn]] void refuse(std::string_view option, std::string_view value, std::string_view allowed) {
  throw UsageError(fmt::format("{}: '{}' is not allowed here; allowed: {}", option, value, allowed));
}

constexpr std::uint64_t most_launches = 1000;

// The texts behind the options that select cases, before they are understood.
struct CaseTexts {
  std::string suite, transport, workload, wait, access, size, capacity, limits, placement, touch, sched,
      launches, precision, min_time, seed, filter;
  std::map<std::string_view, std::string> further;  // by the key of further_parameters()
};

void add_case_options(CLI::App& app, CaseTexts& texts) {
  app.add_option("--suite", texts.suite, "a built-in suite (ipcmark list suites) or a suite file")
      ->type_name("NAME|FILE");
  app.add_option("--transport", texts.transport, "only these transports")->type_name("LIST");
  app.add_option("--workload", texts.workload, "only these workloads")->type_name("LIST");
  app.add_option(
         "--wait", texts.wait,
         "block, poll, epoll, spin, yield, futex, adaptive, semaphore, sysv_semaphore, condvar, eventfd; "
         "send+receive when they differ")
      ->type_name("LIST");
  app.add_option("--access", texts.access, "copy, loan; send+receive when they differ")->type_name("LIST");
  app.add_option("--size", texts.size,
                 "64, 4Ki, 1Mi, 64..1Mi (powers of two), 64..1Mi*4; 64:90,4Ki:10 is one mix, with weights")
      ->type_name("LIST");
  app.add_option("--capacity", texts.capacity, std::string(capacities_allowed))->type_name("LIST");
  app.add_option("--limits", texts.limits, "the kernel's limits as they are, or raised for the launch")
      ->type_name("host|raised");
  app.add_option("--placement", texts.placement,
                 "same_pu, same_core, same_l3 ..., unpinned, PU indexes: one a role, in the roles' order "
                 "(0+1; fewer are "
                 "dealt round, more are refused), or * for every two PUs, of at most 16 of them")
      ->type_name("LIST");
  for (const Parameter& parameter : further_parameters()) {
    if (parameter.option.empty() || app.get_option_no_throw(std::string(parameter.option)) != nullptr)
      continue;
    app.add_option(std::string(parameter.option), texts.further[parameter.key], std::string(parameter.help))
        ->type_name("LIST");
  }
  app.add_option("--touch", texts.touch, "which bytes of a message are written and read")
      ->type_name("full|header");
  app.add_option("--sched", texts.sched, "the roles' scheduler")->type_name("other|fifo:N");
  app.add_option("--launches", texts.launches, "launches of each case, 1 .. 1000")->type_name("N");
  app.add_option(
         "--precision", texts.precision,
         fmt::format("launch each case until half its 95 % interval is within P% of its median; checked "
                     "after 6, 12, 24 ... rounds, up to --launches ({})",
                     most_rounds))
      ->type_name("P%");
  app.add_option("--min-time", texts.min_time, "timed part of a launch, as 100ms")->type_name("DURATION");
  app.add_option("--seed", texts.seed, "decides the order of launches and pairwise covers")->type_name("N");
}

template <class T>
void parse_list(std::string_view option, const std::string& text, std::vector<T>& into,
                const std::function<std::optional<T>(std::string_view)>& parse, std::string_view allowed) {
  if (text.empty()) return;
  for (const std::string_view word : split(text, ',')) {
    const std::optional<T> value = parse(word);
    if (!value) refuse(option, word, allowed);
    if (std::find(into.begin(), into.end(), *value) == into.end()) into.push_back(*value);
  }
}

std::vector<std::string> parse_names(std::string_view option, std::string_view kind, const std::string& text,
                                     const std::vector<std::string>& known) {
  std::vector<std::string> names;
  if (text.empty()) return names;
  for (const std::string_view word : split(text, ',')) {
    if (const std::string complaint = complain_if_unknown(kind, word, known); !complaint.empty()) {
      throw UsageError(fmt::format("{}: {}", option, complaint));
    }
    names.emplace_back(word);
  }
  return names;
}

std::optional<std::uint64_t> parse_number_option(std::string_view option, const std::string& text,
                                                 std::uint64_t least, std::uint64_t most) {
  if (text.empty()) return std::nullopt;
  const std::optional<std::uint64_t> number = parse_number(text);
  if (!number || *number < least || *number > most) {
    refuse(option, text, fmt::format("a whole number from {} to {}", least, most));
  }
  return number;
}

std::optional<std::uint64_t> parse_duration_option(std::string_view option, const std::string& text) {
  if (text.empty()) return std::nullopt;
  const std::optional<std::uint64_t> duration_ns = parse_duration_ns(text);
  if (!duration_ns) refuse(option, text, durations_allowed);
  return duration_ns;
}

// As a share.
double parse_percent(std::string_view option, std::string_view text, int most) {
  const std::string_view digits = text.substr(0, text.size() - (text.ends_with('%') ? 1 : 0));
  double percent = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), percent);
  if (read.ec != std::errc() || read.ptr != digits.data() + digits.size() || !(percent > 0) ||
      percent > most) {
    refuse(option, text, fmt::format("a share over 0 % up to {} %, as 5% or 7.5%", most));
  }
  return percent / 100;
}

CaseOptions understand(const CaseTexts& texts, const KnownNames& known) {
  CaseOptions options;
  if (!texts.suite.empty()) options.suite = texts.suite;
  Narrowing& narrowing = options.narrowing;
  narrowing.transports = parse_names("--transport", "transport", texts.transport, known.transports);
  narrowing.workloads = parse_names("--workload", "workload", texts.workload, known.workloads);
  if (texts.size.find(':') != std::string::npos) {
    // The whole list is one mix.
    std::string mix = texts.size;
    std::ranges::replace(mix, ',', '+');
    const std::span<const Parameter> table = further_parameters();
    const Parameter& parameter = *std::ranges::find(table, std::string_view("mix"), &Parameter::key);
    Case parsed_into;
    if (!parameter.parse(mix, parsed_into)) refuse("--size", texts.size, mixes_allowed);
    narrowing.further["mix"] = {parameter.text(parsed_into)};
  } else if (!texts.size.empty()) {
    for (const std::string_view word : split(texts.size, ',')) {
      const std::optional<std::vector<std::uint64_t>> sizes = parse_sizes(word);
      if (!sizes) refuse("--size", word, sizes_allowed);
      narrowing.message_bytes.insert(narrowing.message_bytes.end(), sizes->begin(), sizes->end());
    }
  }
  parse_list<Capacity>("--capacity", texts.capacity, narrowing.capacities, parse_capacity,
                       capacities_allowed);
  parse_list<WaitChoice>("--wait", texts.wait, narrowing.waits, parse_wait_choice, waits_allowed());
  parse_list<AccessChoice>("--access", texts.access, narrowing.accesses, parse_access_choice,
                           accesses_allowed);
  parse_list<PlacementChoice>("--placement", texts.placement, narrowing.placements, parse_placement_choice,
                              placements_allowed);
  if (!texts.touch.empty() && !(narrowing.touch = parse_touch(texts.touch))) {
    refuse("--touch", texts.touch, "full, header");
  }
  if (!texts.limits.empty() && !(narrowing.limits = parse_limits(texts.limits))) {
    refuse("--limits", texts.limits, "host, raised");
  }
  if (!texts.sched.empty()) {
    if (!valid_sched(texts.sched)) refuse("--sched", texts.sched, scheds_allowed);
    narrowing.sched = texts.sched;
  }
  for (const Parameter& parameter : further_parameters()) {
    const auto text = texts.further.find(parameter.key);
    if (text == texts.further.end() || text->second.empty()) continue;
    for (const std::string_view word : split(text->second, ',')) {
      Case parsed_into;
      if (!parameter.parse(word, parsed_into)) refuse(parameter.option, word, parameter.allowed);
      narrowing.further[std::string(parameter.key)].push_back(parameter.text(parsed_into));
    }
  }
  if (const auto launches = parse_number_option("--launches", texts.launches, 1, most_launches)) {
    options.launches = static_cast<unsigned>(*launches);
  }
  if (!texts.precision.empty()) {
    options.precision = parse_percent("--precision", texts.precision, 100);
    if (options.launches.value_or(most_rounds) < first_look) {
      refuse("--launches", texts.launches,
             fmt::format("with --precision a whole number from {}", first_look));
    }
  }
  options.min_time_ns = parse_duration_option("--min-time", texts.min_time);
  options.seed = parse_number_option("--seed", texts.seed, 0, std::uint64_t{1} << 53);
  if (!texts.filter.empty()) options.filter = texts.filter;
  return options;
}

// What people who know Google Benchmark type, in our words. Whatever it understands is taken out of
// `arguments`.
void translate_benchmark_flags(std::vector<std::string>& arguments, RunOptions& options, CaseTexts& texts) {
  std::vector<std::string> kept;
  for (const std::string& argument : arguments) {
    constexpr std::string_view prefix = "--benchmark_";
    if (!argument.starts_with(prefix)) {
      kept.push_back(argument);
      continue;
    }
    const std::size_t equals = argument.find('=');
    const std::string flag = argument.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : argument.substr(equals + 1);
    const std::string name = flag.substr(prefix.size());
    if (name == "list_tests") {
      if (value != "" && value != "true" && value != "false") refuse(flag, value, "true, false");
      options.list_tests = value != "false";
      continue;
    }
    if (name != "filter" && name != "repetitions" && name != "min_time" && name != "context") {
      throw UsageError(
          fmt::format("{}: not offered; of Google Benchmark's flags ipcmark takes --benchmark_filter, "
                      "_list_tests, _repetitions, _min_time and _context",
                      flag));
    }
    if (value.empty()) throw UsageError(fmt::format("{}: needs a value, as {}=VALUE", flag, flag));
    if (name == "filter") {
      const Filter checked(value);
      texts.filter = value;
    }
    if (name == "repetitions") {
      parse_number_option(flag, value, 1, most_launches);
      texts.launches = value;
    }
    if (name == "min_time") {
      texts.min_time = value.find_first_not_of("0123456789.") == std::string::npos ? value + "s" : value;
      if (!parse_duration_ns(texts.min_time)) refuse(flag, value, "seconds, as 0.5 or 0.5s");
    }
    if (name == "context") {
      const std::size_t middle = value.find('=');
      if (middle == std::string::npos || middle == 0) refuse(flag, value, "KEY=VALUE");
      options.context.push_back({value.substr(0, middle), value.substr(middle + 1)});
    }
  }
  arguments = kept;
}

std::string names_of(const CLI::Option& option) { return "--" + option.get_lnames().front(); }

// Finds every fault that is in the shape of the words, so that each is told in one line of ours. What is left
// is written `--name=value`: a value may begin with '-' (`--capacity -1`) and must then be refused as a
// value.
std::vector<std::string> checked_words(std::span<const std::string> words, const CLI::App& command) {
  const std::string in = command.get_parent() == nullptr ? "" : command.get_name() + ": ";
  const std::string help = fmt::format("see ipcmark {}--help", in.empty() ? "" : command.get_name() + " ");
  std::vector<std::string> options;
  for (const CLI::Option* option : command.get_options()) {
    if (!option->get_positional()) options.push_back(names_of(*option));
  }
  std::set<const CLI::Option*> given;
  std::vector<std::string> checked;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word.empty()) throw UsageError(fmt::format("{}an empty word is not allowed here; {}", in, help));
    if (word == "-" || !word.starts_with('-')) {
      checked.push_back(word);
      continue;
    }
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const CLI::Option* option = command.get_option_no_throw(name);
    if (option == nullptr) {
      const std::optional<std::string> close = nearest(name, options);
      throw UsageError(fmt::format("{}unknown option '{}'{}; {}", in, name,
                                   close ? fmt::format(" (did you mean {}?)", *close) : "", help));
    }
    const std::string full_name = names_of(*option);
    if (!given.insert(option).second) {
      throw UsageError(fmt::format(
          "{}: given twice; {}", full_name,
          option->get_type_name() == "LIST" ? "join its values with commas, as a,b" : "allowed once"));
    }
    if (option->get_items_expected_max() == 0) {
      if (equals != std::string::npos) throw UsageError(fmt::format("{}: takes no value", full_name));
      checked.push_back(full_name);
      continue;
    }
    std::string value;
    if (equals != std::string::npos) {
      value = word.substr(equals + 1);
    } else if (i + 1 < words.size() && !words[i + 1].starts_with("--")) {
      value = words[++i];
    }
    if (value.empty()) {
      throw UsageError(fmt::format("{}: needs a value, {}; {}", full_name, option->get_type_name(), help));
    }
    checked.push_back(full_name + "=" + value);
  }
  return checked;
}

constexpr const char* footer = R"(Examples:
  ipcmark run                                    the quick suite; result in ./ipcmark-quick-*.json
  ipcmark run --transport pipe,posix_shm --size 64..1Mi*4 -o sizes.json
  ipcmark run --suite sizes --dry-run            what would run, and for how long
  ipcmark compare old.json new.json              what became slower, and how sure that is
  ipcmark report ipcmark-quick-*.json -o report  an HTML page with figures
  ipcmark doctor                                 what spoils measurements on this machine

Exit status: 0 all well; 1 a case failed, or --fail-on-regression found a regression; 2 bad usage or input;
130 interrupted, partial result saved.)";

}  // namespace

Filter::Filter(const std::string& text, std::string_view option)
    : all_(text == "all"), wanted_(!text.starts_with('-')) {
  RE2::Options options;
  options.set_log_errors(false);
  expression_ = std::make_shared<const RE2>(wanted_ ? text : text.substr(1), options);
  if (!expression_->ok()) {
    constexpr std::size_t longest = 60;
    refuse(option, std::string(clip(text, longest)),
           "a regular expression (POSIX extended, or as RE2 has it), with - before it for all that do not "
           "match");
  }
}

bool Filter::matches(std::string_view id) const {
  return all_ || RE2::PartialMatch(re2::StringPiece(id.data(), id.size()), *expression_) == wanted_;
}

Options parse_options(std::vector<std::string> arguments, const KnownNames& known) {
  CLI::App app(
      "Measures how fast, how steadily and at what cost one Linux process can hand a message to another.",
      "ipcmark");
  app.footer(footer);
  app.require_subcommand(0, 1);
  bool version = false;
  app.add_flag("--version", version, "print the version and stop");

  RunOptions run;
  CaseTexts texts;
  std::string time_limit, output, on_start, on_end;
  CLI::App& run_command = *app.add_subcommand("run", "measure this machine");
  add_case_options(run_command, texts);
  run_command.add_option("--time-limit", time_limit, "launch nothing more after this time")
      ->type_name("DURATION");
  run_command.add_flag("--dry-run", run.dry_run, "print the cases and the estimated time");
  run_command.add_option("-o,--output", output, "result file (./ipcmark-SUITE-TIME.json)")->type_name("FILE");
  run_command.add_flag("--resume", run.resume, "go on where FILE's run stopped");
  run_command
      .add_option(
          "--on-start", on_start,
          "shell command just before each timed part, with IPCMARK_PIDS, _CPUS, _CASE, _ROUND; at most "
          "30 s, but what it leaves running is its own")
      ->type_name("CMD");
  run_command.add_option("--on-end", on_end, "likewise just after it")->type_name("CMD");
  run_command.add_flag("--quiet", run.quiet, "no progress, no lines");
  run_command.footer(
      "Also --benchmark_filter=REGEX, --benchmark_list_tests, --benchmark_repetitions=N, "
      "--benchmark_min_time=S,\n"
      "--benchmark_context=KEY=VALUE. Options narrow the suite, or without --suite span a grid of their "
      "own.");

  ListOptions list;
  std::string what = "transports";
  CLI::App& list_command =
      *app.add_subcommand("list", "what there is: transports, workloads, placements, suites, cases");
  list_command.add_option("what", what, "transports|workloads|placements|suites|cases")->type_name("WHAT");
  list_command.add_flag("--json", list.json, "as JSON");
  add_case_options(list_command, texts);

  CompareOptions compare;
  std::string threshold;
  CLI::App& compare_command =
      *app.add_subcommand("compare", "which cases became slower, by how much, and how sure that is");
  compare_command
      .add_option("paths", compare.paths, "result files, journals or folders of them; the base first")
      ->type_name("BASE NEW...");
  compare_command.add_flag("--json", compare.json, "as JSON");
  compare_command.add_flag("--markdown", compare.markdown, "as Markdown, for a comment");
  compare_command.add_flag("--fail-on-regression", compare.fail_on_regression,
                           "end with status 1 when a case regressed or failed");
  compare_command.add_option("--threshold", threshold, "the least change that counts (5%)")->type_name("P%");
  compare_command
      .add_option("--by", compare.rules.by,
                  "compare by a key of case, machine or file, as transport, kernel or governor, not BASE "
                  "against NEW; the key's first value is the base, or the one named")
      ->type_name("KEY[=BASE]");
  compare_command.footer(
      "A regression: a p-value under .01 after Holm's correction over all cases, and an estimate beyond the "
      "threshold\nand the base's A/A noise. Noisy and invalid results are shown, and decide nothing.");

  ReportOptions report;
  CLI::App& report_command = *app.add_subcommand("report", "draw result files: one HTML page, SVG and PNG");
  report_command.add_option("files", report.files, "result files or journals")->type_name("FILES");
  report_command.add_option("-o,--output", report.directory, "the folder to write")->type_name("DIR");

  ExportOptions chosen_export;
  std::string format, filter;
  CLI::App& export_command =
      *app.add_subcommand("export", "a result file for other tools, one median record a case");
  export_command.add_option("file", chosen_export.file, "a result file or journal")->type_name("FILE");
  export_command
      .add_option("--format", format,
                  "bencher, github (github-action-benchmark's customSmallerIsBetter), csv (a row for each "
                  "figure of each launch), hgrm (HdrHistogram)")
      ->type_name("FORMAT");
  export_command.add_option("--case", filter, "only cases in whose id this is found")->type_name("REGEX");

  DoctorOptions doctor;
  CLI::App& doctor_command =
      *app.add_subcommand("doctor", "is this machine fit to measure, and what limits it");
  doctor_command.add_flag("--json", doctor.json, "as JSON");

  CLI::App& clean_command = *app.add_subcommand("clean", "remove what a killed run left behind");

  const std::vector<std::string> commands{"run", "list", "compare", "report", "export", "doctor", "clean"};
  const std::string command = arguments.empty() ? "" : arguments.front();
  if (!command.empty() && !command.starts_with("-")) {
    if (const std::string complaint = complain_if_unknown("command", command, commands); !complaint.empty()) {
      throw UsageError(complaint);
    }
    if (command == "run") translate_benchmark_flags(arguments, run, texts);
  }
  const bool global = command.empty() || command.starts_with("-");
  const std::span<const std::string> words = arguments;
  std::vector<std::string> checked =
      checked_words(words.subspan(global ? 0 : 1), global ? app : *app.get_subcommand(command));
  if (!global) checked.insert(checked.begin(), command);
  try {
    std::reverse(checked.begin(), checked.end());  // as CLI11 takes them
    app.parse(std::move(checked));
  } catch (const CLI::CallForHelp&) {
    return TextAnswer{global ? app.help() : app.get_subcommand(command)->help("ipcmark")};
  } catch (const CLI::ParseError& error) {
    std::string reason = error.what();
    std::replace(reason.begin(), reason.end(), '\n', ' ');
    throw UsageError(fmt::format("{}: {}; see ipcmark {}--help", global ? "ipcmark" : command, reason,
                                 global ? "" : command + " "));
  }

  if (version) return TextAnswer{"ipcmark " + known.version + "\n"};
  if (run_command.parsed()) {
    run.cases = understand(texts, known);
    run.time_limit_ns = parse_duration_option("--time-limit", time_limit);
    if (!output.empty()) run.output = output;
    if (!on_start.empty()) run.on_start = on_start;
    if (!on_end.empty()) run.on_end = on_end;
    if (run.resume && !run.output) throw UsageError("--resume: needs -o FILE, the result file to go on with");
    return run;
  }
  if (list_command.parsed()) {
    const std::vector<std::string> whats{"transports", "workloads", "placements", "suites", "cases"};
    const auto found = std::find(whats.begin(), whats.end(), what);
    if (found == whats.end()) refuse("list", what, join(whats, ", "));
    list.what = static_cast<ListOptions::What>(found - whats.begin());
    list.cases = understand(texts, known);
    return list;
  }
  if (compare_command.parsed()) {
    if (!threshold.empty()) compare.rules.threshold = parse_percent("--threshold", threshold, 1000);
    if (compare.rules.by.starts_with('=') || compare.rules.by.ends_with('='))
      refuse("--by", compare.rules.by, "KEY or KEY=BASE, as transport or transport=pipe");
    if (compare.json && compare.markdown) throw UsageError("compare: --json or --markdown, not both");
    if (compare.paths.size() < (compare.rules.by.empty() ? 2 : 1)) {
      throw UsageError(
          "compare: needs BASE and NEW, result files or folders of them; with --by KEY one may do");
    }
    return compare;
  }
  if (report_command.parsed()) {
    if (report.files.empty()) throw UsageError("report: needs one result file or more");
    if (report.directory.empty()) throw UsageError("report: needs -o DIR, the folder to write");
    return report;
  }
  if (export_command.parsed()) {
    if (chosen_export.file.empty()) throw UsageError("export: needs a result file");
    if (format.empty())
      throw UsageError(fmt::format("export: needs --format, one of {}", export_formats_allowed));
    const std::optional<ExportFormat> known_format = parse_export_format(format);
    if (!known_format) refuse("--format", format, export_formats_allowed);
    chosen_export.format = *known_format;
    if (!filter.empty()) chosen_export.filter = filter;
    return chosen_export;
  }
  if (doctor_command.parsed()) return doctor;
  if (clean_command.parsed()) return CleanOptions{};
  return TextAnswer{app.help()};
}

}  // namespace ipcmark
