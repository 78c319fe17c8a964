#include "results/export.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "results/launches.h"
#include "results/summary.h"

namespace ipcmark {
namespace {

using Json = nlohmann::ordered_json;

std::string written(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

// Of a round trip or a call its median, else the time per message; null where that is a schedule's.
const Statistic* time_of(const CaseSummary& summary) {
  if (summary.p50_ns) return &*summary.p50_ns;
  return summary.scheduled ? nullptr : &summary.ns_per_message;
}

// ---- Bencher ----

Json metric(const Statistic& statistic) {
  Json metric{{"value", statistic.median}};
  if (statistic.interval) {
    metric["lower_value"] = statistic.interval->low;
    metric["upper_value"] = statistic.interval->high;
  }
  return metric;
}

// `latency` (ns) and `throughput` (per second) are measures that Bencher has; it makes the others.
std::string bencher(const std::vector<CaseSummary>& cases) {
  Json all = Json::object();
  for (const CaseSummary& each : cases) {
    Json measures = Json::object();
    if (const Statistic* time = time_of(each)) measures["latency"] = metric(*time);
    if (!each.scheduled) measures["throughput"] = metric(each.messages_per_second);
    measures["cpu-per-message"] = metric(each.cpu_ns_per_message);
    if (each.p99_ns) measures["latency-p99"] = metric(*each.p99_ns);
    all[each.id] = std::move(measures);
  }
  return written(all);
}

// ---- github-action-benchmark ----

std::string github(const std::vector<CaseSummary>& cases) {
  Json all = Json::array();
  for (const CaseSummary& each : cases) {
    const Statistic* time = time_of(each);
    if (time == nullptr) continue;
    Json entry{{"name", each.id}, {"unit", "ns"}, {"value", time->median}};
    if (time->interval) entry["range"] = fmt::format("{} .. {}", time->interval->low, time->interval->high);
    entry["extra"] = fmt::format("{}\nmedian of {} launches, {}", each.p50_ns ? "p50" : "per message",
                                 time->launches, to_string(each.verdict.grade));
    all.push_back(std::move(entry));
  }
  return written(all);
}

// ---- a long table ----

std::string csv_cell(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == text.npos) return std::string(text);
  std::string cell = "\"";
  for (const char letter : text) cell += letter == '"' ? "\"\"" : std::string(1, letter);
  return cell + '"';
}

struct Column {
  std::string_view name;
  std::string (*value)(const Case&);
};

constexpr std::array case_columns{
    Column{"workload", [](const Case& c) { return c.workload; }},
    Column{"transport", [](const Case& c) { return c.transport; }},
    Column{"message_bytes", [](const Case& c) { return std::to_string(c.message_bytes); }},
    Column{"capacity", [](const Case& c) { return to_string(c.capacity); }},
    Column{"wait", [](const Case& c) { return to_string(c.send_wait, c.receive_wait); }},
    Column{"access", [](const Case& c) { return to_string(c.send_access, c.receive_access); }},
    Column{"placement", [](const Case& c) { return c.placement; }},
    Column{"touch", [](const Case& c) { return std::string(to_string(c.touch)); }},
    Column{"limits", [](const Case& c) { return std::string(to_string(c.limits)); }},
    Column{"sched", [](const Case& c) { return c.sched; }},
};

std::string csv(const ResultFile& results) {
  std::string text = "fingerprint";
  for (const Column& column : case_columns) text += fmt::format(",{}", column.name);
  for (const Parameter& parameter : further_parameters()) text += fmt::format(",{}", parameter.key);
  text += ",round,order,started,verdict,figure,unit,value\r\n";
  for (const LaunchRecord& launch : results.launches) {
    const Case& c = launch.benchmark_case;
    const Measurement& m = launch.measurement;
    std::string row = csv_cell(results.header.machine.fingerprint);
    for (const Column& column : case_columns) row += "," + csv_cell(column.value(c));
    for (const Parameter& parameter : further_parameters()) row += "," + csv_cell(parameter.text(c));
    row += fmt::format(",{},{},{},{}", launch.round, launch.order, csv_cell(launch.started),
                       to_string(m.verdict.grade));
    const auto add = [&](std::string_view figure, std::string_view unit, double value) {
      text += fmt::format("{},{},{},{}\r\n", row, csv_cell(figure), csv_cell(unit), value);
    };
    add("ns_per_message", "ns", ns_per_message(m));
    add("messages_per_second", "1/s", messages_per_second(m));
    add("bytes_per_second", "B/s", bytes_per_second(m));
    add("cpu_ns_per_message", "ns", cpu_ns_per_message(m));
    if (m.cache_line_round_trip_ns > 0) add("cache_line_round_trip_ns", "ns", m.cache_line_round_trip_ns);
    if (m.distribution && times_single_events(m.distribution->of, m.distribution->messages_per_sample)) {
      const Distribution& d = *m.distribution;
      for (const auto& [name, value] : {std::pair{"p50_ns", d.p50_ns},
                                        {"p90_ns", d.p90_ns},
                                        {"p99_ns", d.p99_ns},
                                        {"p999_ns", d.p999_ns}}) {
        if (value) add(name, "ns", *value);
      }
    }
    for (const Observation& seen : m.observations) add(seen.name, seen.unit, seen.value);
  }
  return text;
}

// ---- HdrHistogram ----

struct Moments {
  double mean = 0, deviation = 0;
};

Moments moments_of(const Histogram& histogram) {
  double squares = 0;
  const double mean = histogram.mean_ns();
  for (std::size_t bucket = 0; bucket < Histogram::bucket_count; ++bucket) {
    const double middle = std::midpoint(static_cast<double>(Histogram::bucket_low(bucket)),
                                        static_cast<double>(Histogram::bucket_high(bucket)));
    squares += static_cast<double>(histogram.in_bucket(bucket)) * (middle - mean) * (middle - mean);
  }
  return {mean, std::sqrt(squares / static_cast<double>(histogram.count()))};
}

// Samples that do not exceed the value at that share.
std::uint64_t count_up_to(const Histogram& histogram, double value) {
  std::uint64_t count = 0;
  for (std::size_t bucket = 0;
       bucket < Histogram::bucket_count && static_cast<double>(Histogram::bucket_low(bucket)) <= value;
       ++bucket) {
    count += histogram.in_bucket(bucket);
  }
  return count;
}

// As HdrHistogram's outputPercentileDistribution: five steps for each halving of what is left up to 100 %.
std::string percentile_text(const std::string& head, const Histogram& histogram) {
  constexpr double steps = 5;
  std::string text = fmt::format("# {}\n{:>12} {:>14} {:>10} {:>14}\n\n", head, "Value", "Percentile",
                                 "TotalCount", "1/(1-Percentile)");
  const std::uint64_t all = histogram.count();
  double share = 0;
  for (std::uint64_t below = 0; below < all;) {
    const double value = histogram.quantile(std::max(share, 1 / static_cast<double>(all))).value();
    below = count_up_to(histogram, value);
    if (below == all) break;
    text += fmt::format("{:12.3f} {:2.12f} {:10} {:14.2f}\n", value, share, below, 1 / (1 - share));
    const double halvings = std::floor(std::log2(1 / (1 - share))) + 1;
    share += 1 / (steps * std::exp2(halvings));
  }
  const auto [mean, deviation] = moments_of(histogram);
  text += fmt::format("{:12.3f} {:2.12f} {:10}\n", static_cast<double>(histogram.max_ns()), 1.0, all);
  text += fmt::format("#[Mean    = {:12.3f}, StdDeviation   = {:12.3f}]\n", mean, deviation);
  text += fmt::format("#[Max     = {:12.3f}, Total count    = {:12}]\n",
                      static_cast<double>(histogram.max_ns()), all);
  // Its sub-buckets reach from 0, of which all buckets but the first use the upper half.
  text += fmt::format("#[Buckets = {:12}, SubBuckets     = {:12}]\n", Histogram::octaves,
                      2 * Histogram::buckets_per_octave);
  return text;
}

// Windows of many messages are no latency.
std::vector<const LaunchRecord*> with_single_events(const ResultFile& results, const Case& benchmark_case) {
  std::vector<const LaunchRecord*> launches;
  for (const LaunchRecord& launch : results.launches) {
    const auto& distribution = launch.measurement.distribution;
    if (launch.benchmark_case == benchmark_case && distribution &&
        times_single_events(distribution->of, distribution->messages_per_sample))
      launches.push_back(&launch);
  }
  return launches;
}

}  // namespace

std::optional<ExportFormat> parse_export_format(std::string_view text) {
  using enum ExportFormat;
  for (const auto& [name, format] :
       {std::pair{"bencher", bencher}, {"github", github}, {"csv", csv}, {"hgrm", hgrm}}) {
    if (text == name) return format;
  }
  return {};
}

Exported export_results(const ResultFile& results, ExportFormat format) {
  if (format == ExportFormat::csv) return {csv(results), {}};
  Exported exported;
  std::vector<CaseSummary> kept;
  for (CaseSummary& each : summarize_cases(results)) {
    if (each.verdict.grade == Grade::invalid) {
      exported.left_out.push_back(fmt::format("{}: invalid: {}", each.id, each.verdict.reasons.front()));
    } else {
      kept.push_back(std::move(each));
    }
  }
  if (format == ExportFormat::bencher) exported.text = bencher(kept);
  if (format == ExportFormat::github) exported.text = github(kept);
  for (const CaseSummary& each : kept) {
    if (format != ExportFormat::hgrm && time_of(each) == nullptr)
      exported.left_out.push_back(each.id + ": has no latency: too few samples in a launch for a p50");
  }
  for (const CaseSummary& each : kept) {
    if (format != ExportFormat::hgrm) break;
    const auto launches = with_single_events(results, each.benchmark_case);
    const Histogram histogram = pooled_histogram(launches);
    if (histogram.count() == 0) {
      exported.left_out.push_back(each.id + ": has no distribution of single events");
    } else {
      exported.text += percentile_text(
          fmt::format("{} {}", each.id, launches.front()->measurement.distribution->of), histogram);
    }
  }
  return exported;
}

}  // namespace ipcmark
