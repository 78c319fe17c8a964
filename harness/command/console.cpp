#include "harness/command/console.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "harness/text.h"
#include "results/knee.h"

namespace ipcmark {
namespace {

constexpr double plain_line_every_s = 10;
constexpr double terminal_line_every_s = 0.1;

// Half the interval's width in percent of the median; a dash where there is no interval.
std::string spread_of(const Statistic& statistic) {
  if (!statistic.interval || statistic.median <= 0) return "–";
  const double half = (statistic.interval->high - statistic.interval->low) / 2;
  return fmt::format("±{:.1f} %", 100 * half / statistic.median);
}

// Of something that is counted, for each message.
std::string count_of(double each) {
  return each < 10 ? fmt::format("{:.2f}", each) : fmt::format("{:.3g}", each);
}

// Of the launches, else with a star that of their samples together.
std::string percentile_of(const CaseSummary& summary, std::optional<Statistic> CaseSummary::*percentile,
                          std::optional<double> PooledPercentiles::*pooled) {
  if (summary.*percentile) return format_ns((summary.*percentile)->median);
  const std::optional<double> ns = summary.pooled ? *summary.pooled.*pooled : std::nullopt;
  return ns ? format_ns(*ns) + "*" : "–";
}

std::string further_of(const Case& c) {
  const Case usual;
  std::vector<std::string> words;
  if (c.touch != usual.touch) words.push_back(fmt::format("touch:{}", to_string(c.touch)));
  if (c.limits != usual.limits) words.push_back(fmt::format("limits:{}", to_string(c.limits)));
  if (c.sched != usual.sched) words.push_back(fmt::format("sched:{}", c.sched));
  for (const Parameter& parameter : further_parameters()) {
    if (!is_neutral(parameter, c)) words.push_back(fmt::format("{}:{}", parameter.key, parameter.text(c)));
  }
  return join(words, " ");
}

std::string observed(const ObservationSummary& observation) {
  const double value = observation.statistic.median;
  if (observation.unit == "ns" || observation.unit.starts_with("ns,"))
    return fmt::format("{} {}", observation.name, format_ns(value));
  if (observation.unit == "ratio") return fmt::format("{} {:.3g}", observation.name, value);
  if (observation.unit == "messages_per_second")
    return fmt::format("{} {}/s", observation.name, format_si(value));
  if (observation.unit == "1: yes" && (value == 0 || value == 1))
    return fmt::format("{} {}", observation.name, value == 1 ? "yes" : "no");
  return fmt::format("{} {} {}", observation.name,
                     value < 1000 ? fmt::format("{:.4g}", value) : format_si(value), observation.unit);
}

// A cross that got stuck: its times are those of seeing it.
bool ended_early(const CaseSummary& summary) {
  return std::ranges::any_of(summary.observations, [](const ObservationSummary& seen) {
    return seen.name == "completed" && seen.statistic.median < 1;
  });
}

// Whether the workload's figure is the time of single events, or a rate.
bool shows_times(const CaseSummary& summary) { return summary.p50_ns || summary.pooled; }

std::vector<std::string> row_of(const CaseSummary& summary) {
  std::vector<std::string> row = parameters_of(summary.benchmark_case);
  if (ended_early(summary)) {
    row.insert(row.end(), 4, "–");
    row.insert(row.end(), 3, "");
    return row;
  }
  if (shows_times(summary)) {
    row.push_back(percentile_of(summary, &CaseSummary::p50_ns, &PooledPercentiles::p50_ns));
    row.push_back(percentile_of(summary, &CaseSummary::p99_ns, &PooledPercentiles::p99_ns));
    row.push_back(summary.p50_ns      ? spread_of(*summary.p50_ns)
                  : summary.scheduled ? "–"
                                      : spread_of(summary.ns_per_message));
  } else {
    row.push_back(format_si(summary.messages_per_second.median) + "/s");
    row.push_back(format_si(summary.bytes_per_second.median) + "B/s");
    row.push_back(spread_of(summary.messages_per_second));
  }
  row.push_back(format_ns(summary.cpu_ns_per_message.median));
  std::optional<double> switches, calls;
  for (const RoleCostSummary& cost : summary.costs) {
    switches = switches.value_or(0) + cost.voluntary_switches + cost.involuntary_switches;
    if (cost.system_calls) calls = calls.value_or(0) + *cost.system_calls;
  }
  for (const std::optional<double>& each : {switches, calls}) row.push_back(each ? count_of(*each) : "");
  row.push_back(summary.floor ? fmt::format("×{:.3g}", summary.floor->multiple) : "");
  return row;
}

std::string_view colour_of(Grade grade) {
  switch (grade) {
    case Grade::ok:
      return "\x1b[32m";
    case Grade::noisy:
      return "\x1b[33m";
    case Grade::invalid:
      break;
  }
  return "\x1b[31m";
}

std::string group_of(std::string_view workload, const std::vector<CaseSummary>& summaries, bool colour,
                     std::size_t columns) {
  std::vector<const CaseSummary*> shown;
  std::vector<std::vector<std::string>> rows(1);
  for (const CaseSummary& summary : summaries) {
    if (summary.benchmark_case.workload != workload) continue;
    rows.push_back(row_of(summary));
    shown.push_back(&summary);
  }
  const bool times = shows_times(*shown.front());
  const std::string of = workload == "ping_pong"  ? "RTT "
                         : workload == "paced"    ? "response "
                         : workload == "idle_gap" ? "one-way "
                                                  : "";
  rows.front().assign(parameter_heads.begin(), parameter_heads.end());
  for (const std::string& head :
       {times ? of + "p50" : std::string("messages"), times ? of + "p99" : std::string("payload"),
        std::string("95 %"), std::string("CPU"), std::string("switches"), std::string("calls"),
        std::string("floor")}) {
    rows.front().push_back(head);
  }
  // The last three columns stand where some case has them.
  for (std::size_t column = rows.front().size() - 3; column < rows.front().size(); ++column) {
    if (std::all_of(rows.begin() + 1, rows.end(), [column](const auto& row) { return row[column].empty(); }))
      rows.front()[column].clear();
  }
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], text_width(row[i]));
  }
  std::string text = fmt::format("{}\n", workload);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::size_t width = 2;
    text += "  ";
    for (std::size_t i = 0; i < rows[r].size(); ++i) {
      if (widths[i] == 0) continue;
      text += i < parameter_heads.size() ? pad_right(rows[r][i], widths[i]) : pad_left(rows[r][i], widths[i]);
      text += "  ";
      width += widths[i] + 2;
    }
    if (r == 0) {
      text += "verdict";
    } else {
      const Verdict& verdict = shown[r - 1]->verdict;
      const std::string_view grade = to_string(verdict.grade);
      text += colour ? fmt::format("{}{}\x1b[0m", colour_of(verdict.grade), grade) : std::string(grade);
      if (verdict.grade != Grade::ok) {
        const std::string reason = ": " + verdict.reasons.front();
        width += grade.size();
        text += columns == 0 ? reason : clip(reason, columns - std::min(columns, width));
      }
    }
    text += '\n';
    if (r == 0 || shown[r - 1]->observations.empty()) continue;
    std::vector<std::string> words;
    for (const ObservationSummary& observation : shown[r - 1]->observations)
      words.push_back(observed(observation));
    const std::string line = "      " + join(words, ", ");
    text += columns == 0 ? line : std::string(clip(line, columns));
    text += '\n';
  }
  return text;
}

std::string line_of(const Knee& knee) {
  Case c = knee.lightest->benchmark_case;
  const std::string bound = exact_duration(c.p99_bound_ns);
  c.rate = {};
  c.p99_bound_ns = 0;
  std::vector<std::string> words = parameters_of(c);
  std::erase(words, "");
  const std::string curve = join(words, " ");
  const CaseSummary& seen = knee.knee != nullptr ? *knee.knee : *knee.lightest;
  const std::string rate = fmt::format("{}/s", format_si(offered_per_second(seen)));
  if (!knee.is_known) return fmt::format("{}: p99 under {} not known: no valid case has a p99", curve, bound);
  if (knee.knee == nullptr) return fmt::format("{}: p99 under {} at no load from {} on", curve, bound, rate);
  const Rate asked = seen.benchmark_case.rate;
  return fmt::format("{}: p99 under {} up to {}{}", curve, bound,
                     asked.percent ? to_string(asked) + " of saturation, " : "", rate);
}

}  // namespace

ProgressPrinter::ProgressPrinter(std::FILE* stream)
    : stream_(stream), terminal_(isatty(fileno(stream)) == 1) {}

void ProgressPrinter::show(const RunProgress& progress) {
  const double since_s = progress.elapsed_s - last_shown_s_;
  if (since_s < (terminal_ ? terminal_line_every_s : plain_line_every_s)) return;
  last_shown_s_ = progress.elapsed_s;
  const std::string line =
      fmt::format("{}  {}/{}  {} left  {}", progress.stage, progress.launches_done, progress.launches_planned,
                  format_duration(progress.remaining_s), progress.case_id);
  if (terminal_) {
    fmt::print(stream_, "\r\x1b[K{}", clip(line, columns_of(stream_) - 1));
    shown_ = true;
  } else {
    fmt::print(stream_, "{}\n", line);
  }
  std::fflush(stream_);
}

void ProgressPrinter::clear() {
  if (!shown_) return;
  fmt::print(stream_, "\r\x1b[K");
  std::fflush(stream_);
  shown_ = false;
}

bool wants_colour(std::FILE* stream) {
  const char* no_colour = std::getenv("NO_COLOR");
  return isatty(fileno(stream)) == 1 && (no_colour == nullptr || *no_colour == '\0');
}

std::size_t columns_of(std::FILE* stream) {
  constexpr std::size_t unknown = 100, least = 20;
  winsize size{};
  if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col >= least) return size.ws_col;
  const char* columns = std::getenv("COLUMNS");
  const std::optional<std::uint64_t> number = columns != nullptr ? parse_number(columns) : std::nullopt;
  return number && *number >= least ? static_cast<std::size_t>(*number) : unknown;
}

std::vector<std::string> parameters_of(const Case& c) {
  return {c.transport,
          format_size(c.message_bytes),
          to_string(c.capacity),
          to_string(c.send_wait, c.receive_wait),
          to_string(c.send_access, c.receive_access),
          c.placement,
          further_of(c)};
}

std::string case_table(const std::vector<CaseSummary>& summaries, bool colour, std::size_t columns) {
  std::vector<std::string> workloads;
  for (const CaseSummary& summary : summaries) {
    const std::string& workload = summary.benchmark_case.workload;
    if (std::find(workloads.begin(), workloads.end(), workload) == workloads.end())
      workloads.push_back(workload);
  }
  std::string text;
  for (const std::string& workload : workloads) text += group_of(workload, summaries, colour, columns);
  const bool pooled = std::ranges::any_of(summaries, [](const CaseSummary& summary) {
    return summary.pooled &&
           ((!summary.p50_ns && summary.pooled->p50_ns) || (!summary.p99_ns && summary.pooled->p99_ns));
  });
  for (const Knee& knee : find_knees(summaries)) text += fmt::format("knee  {}\n", line_of(knee));
  if (pooled) text += "* from the samples of all launches together: a single launch has too few\n";
  return text;
}

}  // namespace ipcmark
