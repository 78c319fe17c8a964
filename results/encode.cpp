#include <fmt/format.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>
#include <stdexcept>
#include <utility>

#include "harness/measurement.h"
#include "results/json_lines.h"
#include "results/summary.h"

namespace ipcmark {
namespace {

using Json = nlohmann::ordered_json;

std::string compact(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json number(double value, std::string_view what) {
  if (!std::isfinite(value)) throw std::domain_error(fmt::format("{} is not a finite number", what));
  return value;
}

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json or_null(const std::optional<double>& value, std::string_view what) {
  return value ? number(*value, what) : Json();
}

Json named(const std::vector<NamedValue>& values) {
  Json list = Json::array();
  for (const NamedValue& value : values) list.push_back({{"name", value.name}, {"value", value.value}});
  return list;
}

Json encode(const Case& c) {
  Json fields{{"workload", c.workload},
              {"transport", c.transport},
              {"message_bytes", c.message_bytes},
              {"capacity", to_string(c.capacity)},
              {"send_wait", to_string(c.send_wait)},
              {"receive_wait", to_string(c.receive_wait)},
              {"send_access", to_string(c.send_access)},
              {"receive_access", to_string(c.receive_access)},
              {"placement", c.placement},
              {"senders", c.senders},
              {"receivers", c.receivers},
              {"touch", to_string(c.touch)},
              {"limits", to_string(c.limits)},
              {"sched", c.sched}};
  for (const Parameter& parameter : further_parameters()) {
    if (!fields.contains(parameter.key) && !is_neutral(parameter, c)) {
      fields[std::string(parameter.key)] =
          parameter.number != nullptr ? Json(parameter.number(c)) : Json(parameter.text(c));
    }
  }
  return fields;
}

Json encode(const Capacity& asked, const CapacityFacts& facts) {
  Json limit, fits;
  if (facts.limit) {
    limit = {{"value", facts.limit->value}, {"unit", facts.limit->unit}, {"source", facts.limit->source}};
  }
  if (facts.fits_min && facts.fits_max) {
    fits = {{"min", *facts.fits_min}, {"max", *facts.fits_max}, {"lower_bound", facts.fits_is_lower_bound}};
  }
  return {{"asked", to_string(asked)},
          {"limit", limit},
          {"fits", fits},
          {"resume_after", or_null(facts.resume_after)},
          {"note", facts.note}};
}

Json encode(const Verdict& verdict) {
  return {{"grade", to_string(verdict.grade)}, {"reasons", verdict.reasons}};
}

Json encode(const RoleReport& role) {
  Json fields{{"role", role.role},
              {"asked_pus", role.asked_pus},
              {"granted_pus", role.granted_pus},
              {"last_os_processor", role.last_os_processor},
              {"numa_node", role.numa_node},
              {"scheduler", role.scheduler},
              {"memory_bound", role.memory_bound},
              {"memory_locked", role.memory_locked},
              {"messages", role.messages},
              {"cost",
               {{"cpu_ns", role.cost.cpu_ns},
                {"voluntary_switches", role.cost.voluntary_switches},
                {"involuntary_switches", role.cost.involuntary_switches},
                {"minor_faults", role.cost.minor_faults},
                {"major_faults", role.cost.major_faults},
                {"run_delay_ns", or_null(role.cost.run_delay_ns)},
                {"user_ns", or_null(role.cost.user_ns)},
                {"system_ns", or_null(role.cost.system_ns)}}}};
  if (role.empty_tries) fields["empty_tries"] = *role.empty_tries;
  if (role.work_done) fields["work_done"] = *role.work_done;
  if (role.stops > 0) {
    fields["stops"] = role.stops;
    fields["stopped_ns"] = role.stopped_ns;
  }
  return fields;
}

Json encode(const std::vector<Observation>& observations) {
  Json list = Json::array();
  for (const Observation& observation : observations) {
    list.push_back({{"name", observation.name},
                    {"unit", observation.unit},
                    {"value", number(observation.value, observation.name)}});
  }
  return list;
}

Json encode(const Disturbance& found) {
  return {{"os_processors", found.os_processors},
          {"observed_ns", found.observed_ns},
          {"steal_ns", or_null(found.steal_ns)},
          {"device_interrupts", or_null(found.device_interrupts)},
          {"timer_interrupts", or_null(found.timer_interrupts)},
          {"other_interrupts", or_null(found.other_interrupts)},
          {"softirqs", or_null(found.softirqs)},
          {"heat_throttles", or_null(found.heat_throttles)},
          {"mhz", or_null(found.mhz, "disturbance.mhz")},
          {"cpu_pressure_ns", or_null(found.cpu_pressure_ns)},
          {"memory_pressure_ns", or_null(found.memory_pressure_ns)},
          {"io_pressure_ns", or_null(found.io_pressure_ns)},
          {"quota_throttled_ns", or_null(found.quota_throttled_ns)}};
}

Json encode(const CostExamination& examination) {
  Json counted = Json::array(), traced = Json::array();
  for (const CostExamination::Counted& role : examination.counted) {
    counted.push_back({{"role", role.role},
                       {"cycles", or_null(role.cycles)},
                       {"instructions", or_null(role.instructions)},
                       {"cache_misses", or_null(role.cache_misses)},
                       {"branch_misses", or_null(role.branch_misses)}});
  }
  for (const CostExamination::Traced& role : examination.traced) {
    Json calls = Json::array();
    for (const CostExamination::Call& call : role.calls)
      calls.push_back({{"name", call.name}, {"count", call.count}});
    traced.push_back({{"role", role.role}, {"calls", calls}});
  }
  return {{"counted_messages", examination.counted_messages},
          {"counted", counted},
          {"counted_note", examination.counted_note},
          {"traced_messages", examination.traced_messages},
          {"traced", traced},
          {"traced_note", examination.traced_note}};
}

Json encode(const Integrity& integrity) {
  return {{"lost", integrity.lost},
          {"duplicated", integrity.duplicated},
          {"reordered", integrity.reordered},
          {"corrupted", integrity.corrupted},
          {"checked", integrity.checked},
          {"every_byte", integrity.every_byte},
          {"detection_limit", integrity.detection_limit}};
}

Json encode(const Distribution& distribution) {
  return {{"of", distribution.of},
          {"messages_per_sample", distribution.messages_per_sample},
          {"count", distribution.count},
          {"min_ns", distribution.min_ns},
          {"max_ns", distribution.max_ns},
          {"mean_ns", number(distribution.mean_ns, "mean_ns")},
          {"p50_ns", or_null(distribution.p50_ns, "p50_ns")},
          {"p90_ns", or_null(distribution.p90_ns, "p90_ns")},
          {"p99_ns", or_null(distribution.p99_ns, "p99_ns")},
          {"p999_ns", or_null(distribution.p999_ns, "p999_ns")},
          {"histogram", distribution.histogram}};
}

// The figures Google Benchmark's tools read.
Json figures(const Measurement& measurement) {
  return {{"iterations", measurement.messages},
          {"real_time", number(ns_per_message(measurement), "real_time")},
          {"cpu_time", number(cpu_ns_per_message(measurement), "cpu_time")},
          {"time_unit", "ns"},
          {"items_per_second", number(messages_per_second(measurement), "items_per_second")},
          {"bytes_per_second", number(bytes_per_second(measurement), "bytes_per_second")}};
}

Json encode(const LaunchRecord& launch) {
  const Measurement& measurement = launch.measurement;
  CapacityFacts capacity = launch.capacity;
  if (measurement.limit) capacity.limit = measurement.limit;
  Json roles = Json::array();
  for (const RoleReport& role : measurement.roles) roles.push_back(encode(role));
  const double round_trip_ns = measurement.cache_line_round_trip_ns;

  Json record = {{"round", launch.round},
                 {"order", launch.order},
                 {"started", launch.started},
                 {"case", encode(launch.benchmark_case)},
                 {"capacity", encode(launch.benchmark_case.capacity, capacity)},
                 {"isolation", measurement.isolation},
                 {"messages", measurement.messages},
                 {"warm_up_messages", measurement.warm_up_messages},
                 {"span_ns", measurement.span_ns},
                 {"bytes", measurement.bytes},
                 {"cache_line_round_trip_ns",
                  round_trip_ns == 0 ? Json() : number(round_trip_ns, "cache_line_round_trip_ns")},
                 {"roles", roles},
                 {"integrity", encode(measurement.integrity)},
                 {"verdict", encode(measurement.verdict)}};
  if (measurement.disturbance) record["disturbance"] = encode(*measurement.disturbance);
  if (const auto& found = measurement.warm_up) {
    record["warm_up"] = {{"windows", found->windows},
                         {"window_ns", number(found->window_ns, "warm_up.window_ns")},
                         {"steady", found->judged ? Json(found->steady) : Json()},
                         {"drift", found->judged ? number(found->drift, "warm_up.drift") : Json()},
                         {"spread", found->judged ? number(found->spread, "warm_up.spread") : Json()}};
  }
  if (launch.examination) record["examination"] = encode(*launch.examination);
  if (!launch.hooks.empty()) {
    Json hooks = Json::array();
    for (const HookRun& hook : launch.hooks)
      hooks.push_back({{"option", hook.option}, {"took_ns", hook.took_ns}, {"problem", hook.problem}});
    record["hooks"] = std::move(hooks);
  }
  if (!measurement.observations.empty()) record["observations"] = encode(measurement.observations);
  if (!measurement.further_distributions.empty()) {
    Json further = Json::array();
    for (const Distribution& each : measurement.further_distributions) further.push_back(encode(each));
    record["distributions"] = std::move(further);
  }
  record["distribution"] = measurement.distribution ? encode(*measurement.distribution) : Json();
  return record;
}

Json encode(const FailureRecord& failure) {
  return {{"id", case_id(failure.benchmark_case)},
          {"case", encode(failure.benchmark_case)},
          {"round", failure.round},
          {"reason", failure.reason}};
}

Json encode(const SkipRecord& skip) {
  return {
      {"id", case_id(skip.benchmark_case)}, {"case", encode(skip.benchmark_case)}, {"reason", skip.reason}};
}

Json encode(const std::vector<Floors::Touch>& touch) {
  Json list = Json::array();
  for (const Floors::Touch& floor : touch) {
    list.push_back({{"message_bytes", floor.message_bytes},
                    {"write_ns", number(floor.write_ns, "floors.touch.write_ns")},
                    {"read_ns", number(floor.read_ns, "floors.touch.read_ns")},
                    {"memcpy_ns", number(floor.memcpy_ns, "floors.touch.memcpy_ns")}});
  }
  return list;
}

Json encode(const Floors& floors) {
  Json pus = Json::array(), pairs = Json::array();
  for (const Floors::OnPu& on : floors.pus) {
    pus.push_back({{"pu", on.pu},
                   {"clock_read_ns", number(on.clock_read_ns, "floors.pus.clock_read_ns")},
                   {"system_call_ns", number(on.system_call_ns, "floors.pus.system_call_ns")},
                   {"context_switch_ns", number(on.context_switch_ns, "floors.pus.context_switch_ns")},
                   {"touch", encode(on.touch)}});
  }
  for (const Floors::Between& between : floors.pairs) {
    pairs.push_back({{"pus", {between.first_pu, between.second_pu}},
                     {"cache_line_round_trip_ns",
                      number(between.cache_line_round_trip_ns, "floors.pairs.cache_line_round_trip_ns")},
                     {"futex_wake_ns", number(between.futex_wake_ns, "floors.pairs.futex_wake_ns")}});
  }
  return {{"clock_read_ns", number(floors.clock_read_ns, "floors.clock_read_ns")},
          {"system_call_ns", number(floors.system_call_ns, "floors.system_call_ns")},
          {"touch", encode(floors.touch)},
          {"pus", pus},
          {"pairs", pairs},
          {"note", floors.note}};
}

Json encode(const Machine& machine) {
  Json pus = Json::array();
  for (const PuInfo& pu : machine.pus) {
    pus.push_back({{"logical_index", pu.logical_index},
                   {"os_index", pu.os_index},
                   {"core", pu.core},
                   {"l2", pu.l2},
                   {"l3", pu.l3},
                   {"package", pu.package},
                   {"numa_node", pu.numa_node},
                   {"kind", pu.kind}});
  }
  Json caches = Json::array();
  for (const CacheInfo& cache : machine.caches) {
    caches.push_back({{"type", cache.type},
                      {"level", cache.level},
                      {"size_bytes", cache.size_bytes},
                      {"sharing_pus", cache.sharing_pus}});
  }
  return {{"fingerprint", machine.fingerprint},
          {"host_name", machine.host_name},
          {"operating_system", machine.operating_system},
          {"kernel", machine.kernel},
          {"architecture", machine.architecture},
          {"cpu_model", machine.cpu_model},
          {"hypervisor", machine.hypervisor},
          {"cpu_mhz", number(machine.cpu_mhz, "cpu_mhz")},
          {"memory_bytes", machine.memory_bytes},
          {"packages", machine.packages},
          {"numa_nodes", machine.numa_nodes},
          {"cores", machine.cores},
          {"pus", pus},
          {"caches", caches},
          {"mitigations", named(machine.mitigations)},
          {"settings", named(machine.settings)},
          {"limits", named(machine.limits)},
          {"clock",
           {{"source", machine.clock.source},
            {"why", machine.clock.why},
            {"step_ns", number(machine.clock.step_ns, "clock.step_ns")},
            {"read_ns", number(machine.clock.read_ns, "clock.read_ns")},
            {"ordered", machine.clock.ordered},
            {"order_checks", machine.clock.order_checks},
            {"order_pairs", machine.clock.order_pairs}}},
          {"floors", encode(machine.floors)}};
}

// Google Benchmark's context: what its own tools show about a machine.
Json encode(const std::vector<TransportFacts>& transports) {
  Json list = Json::array();
  for (const TransportFacts& one : transports) {
    list.push_back({{"transport", one.transport}, {"facts", named(one.facts)}});
  }
  return list;
}

Json context(const RunHeader& header) {
  Json caches = Json::array();
  for (const CacheInfo& cache : header.machine.caches) {
    caches.push_back({{"type", cache.type},
                      {"level", cache.level},
                      {"size", cache.size_bytes},
                      {"num_sharing", cache.sharing_pus}});
  }
  Json load = Json::array();
  for (const double average : header.load_avg) load.push_back(number(average, "load_avg"));
  Json all = {{"date", header.started},
              {"host_name", header.machine.host_name},
              {"executable", header.executable},
              {"num_cpus", header.machine.pus.size()},
              {"mhz_per_cpu", std::lround(header.machine.cpu_mhz)},
              {"cpu_scaling_enabled", header.cpu_scaling_enabled},
              {"caches", caches},
              {"load_avg", load},
              {"library_version", header.library_version},
              {"library_build_type", header.library_build_type}};
  for (const NamedValue& extra : header.context) {
    if (all.contains(extra.name)) {
      throw std::domain_error(
          fmt::format("context key \"{}\" is given twice or is Google Benchmark's own", extra.name));
    }
    all[extra.name] = extra.value;
  }
  return all;
}

Json asked(const RunHeader& header) {
  Json all = {{"suite", header.suite},
              {"seed", header.seed},
              {"launches", header.launches},
              {"min_time_ns", header.min_time_ns},
              {"command_line", header.command_line},
              {"started", header.started}};
  if (header.precision) all["precision"] = number(*header.precision, "precision");
  if (header.on_start) all["on_start"] = *header.on_start;
  if (header.on_end) all["on_end"] = *header.on_end;
  return all;
}

Json encode(const Statistic& statistic, std::string_view what) {
  const auto bound = [&](double Interval::*side) {
    return statistic.interval ? number((*statistic.interval).*side, what) : Json();
  };
  return {{"median", number(statistic.median, what)}, {"low", bound(&Interval::low)},
          {"high", bound(&Interval::high)},           {"min", number(statistic.min, what)},
          {"max", number(statistic.max, what)},       {"launches", statistic.launches}};
}

Json encode(const CaseSummary& summary) {
  Json figures = {{"ns_per_message", encode(summary.ns_per_message, "ns_per_message")},
                  {"messages_per_second", encode(summary.messages_per_second, "messages_per_second")},
                  {"bytes_per_second", encode(summary.bytes_per_second, "bytes_per_second")},
                  {"cpu_ns_per_message", encode(summary.cpu_ns_per_message, "cpu_ns_per_message")}};
  if (summary.p50_ns) figures["p50_ns"] = encode(*summary.p50_ns, "p50_ns");
  if (summary.p99_ns) figures["p99_ns"] = encode(*summary.p99_ns, "p99_ns");
  if (summary.pooled) {
    figures["pooled"] = {{"p50_ns", or_null(summary.pooled->p50_ns, "pooled.p50_ns")},
                         {"p90_ns", or_null(summary.pooled->p90_ns, "pooled.p90_ns")},
                         {"p99_ns", or_null(summary.pooled->p99_ns, "pooled.p99_ns")},
                         {"p999_ns", or_null(summary.pooled->p999_ns, "pooled.p999_ns")},
                         {"launches_pooled", summary.pooled->launches_pooled}};
  }
  Json costs = Json::array();
  for (const RoleCostSummary& cost : summary.costs) {
    costs.push_back({{"role", cost.role},
                     {"cpu_ns", number(cost.cpu_ns, "cost.cpu_ns")},
                     {"voluntary_switches", number(cost.voluntary_switches, "cost.voluntary_switches")},
                     {"involuntary_switches", number(cost.involuntary_switches, "cost.involuntary_switches")},
                     {"faults", number(cost.faults, "cost.faults")},
                     {"run_delay_ns", or_null(cost.run_delay_ns, "cost.run_delay_ns")},
                     {"system_calls", or_null(cost.system_calls, "cost.system_calls")},
                     {"cycles", or_null(cost.cycles, "cost.cycles")},
                     {"instructions", or_null(cost.instructions, "cost.instructions")},
                     {"cache_misses", or_null(cost.cache_misses, "cost.cache_misses")},
                     {"branch_misses", or_null(cost.branch_misses, "cost.branch_misses")}});
  }
  figures["cost_per_message"] = std::move(costs);
  if (const auto& floor = summary.floor) {
    figures["floor"] = {{"under", floor->under},
                        {"what", floor->what},
                        {"ns", number(floor->ns, "floor.ns")},
                        {"multiple", number(floor->multiple, "floor.multiple")}};
  }
  if (!summary.observations.empty()) {
    Json list = Json::array();
    for (const ObservationSummary& observation : summary.observations) {
      Json entry = {{"name", observation.name}, {"unit", observation.unit}};
      entry.update(encode(observation.statistic, observation.name));
      list.push_back(std::move(entry));
    }
    figures["observations"] = std::move(list);
  }
  Json fields = {{"id", summary.id},
                 {"case", encode(summary.benchmark_case)},
                 {"capacity", encode(summary.benchmark_case.capacity, summary.capacity)},
                 {"launches", summary.launches},
                 {"verdict", encode(summary.verdict)}};
  if (summary.precision) {
    fields["precision"] = {{"rounds", summary.precision->rounds},
                           {"half_width", or_null(summary.precision->half_width(), "precision.half_width")},
                           {"attained", summary.precision->attained}};
  }
  fields["summary"] = std::move(figures);
  return fields;
}

// `cases` fixes family_index: a case's position in it.
Json benchmarks(const ResultFile& results, const std::vector<CaseSummary>& cases) {
  struct Family {
    std::size_t index;
    std::size_t repetitions;
    std::size_t seen = 0;
  };
  std::map<std::string, Family> families;
  for (const CaseSummary& summary : cases) {
    families.insert({summary.id, {families.size(), summary.launches}});
  }
  Json list = Json::array();
  for (const LaunchRecord& launch : results.launches) {
    const std::string id = case_id(launch.benchmark_case);
    Family& family = families.at(id);
    Json record = {{"name", id},
                   {"family_index", family.index},
                   {"per_family_instance_index", 0},
                   {"run_name", id},
                   {"run_type", "iteration"},
                   {"repetitions", family.repetitions},
                   {"repetition_index", family.seen++},
                   {"threads", 1}};
    record.update(figures(launch.measurement));
    record["ipcmark"] = encode(launch);
    list.push_back(std::move(record));
  }
  return list;
}

template <class Record>
Json list_of(const std::vector<Record>& records) {
  Json list = Json::array();
  for (const Record& record : records) list.push_back(encode(record));
  return list;
}

Json run(const ResultFile& results) {
  double timed_ns = 0;
  for (const LaunchRecord& launch : results.launches)
    timed_ns += static_cast<double>(launch.measurement.span_ns);
  Json all = asked(results.header);
  all["finished"] = results.finished.empty() ? Json() : Json(results.finished);
  all["complete"] = results.complete;
  all["interrupted"] = results.interrupted;
  all["wall_s"] = number(results.wall_s, "wall_s");
  all["timed_s"] = timed_ns / ns_per_second;
  return all;
}

// Objects down to `depth` levels are spread over lines, and so are lists of structures, one entry a line: a
// launch is a line, and a line-wise diff or grep finds it.
void print(std::ostream& out, const Json& value, int depth, const std::string& indent = "") {
  const bool spread_object = value.is_object() && depth > 0 && !value.empty();
  const bool spread_list = value.is_array() && !value.empty() && value.front().is_structured();
  if (!spread_object && !spread_list) {
    out << compact(value);
    return;
  }
  const std::string inner = indent + "  ";
  out << (spread_object ? "{" : "[");
  const char* separator = "\n";
  for (const auto& item : value.items()) {
    out << separator << inner;
    if (spread_object) out << compact(item.key()) << ": ";
    print(out, item.value(), spread_object ? depth - 1 : 0, inner);
    separator = ",\n";
  }
  out << "\n" << indent << (spread_object ? "}" : "]");
}

template <class Record>
std::string typed_line(std::string_view type, const Record& record) {
  Json line = {{"type", type}};
  line.update(record);
  return compact(line);
}

}  // namespace

std::string journal_line(const RunHeader& header) {
  return typed_line("header", Json{{"schema_version", schema_version},
                                   {"version", header.version},
                                   {"run", asked(header)},
                                   {"machine", encode(header.machine)},
                                   {"transports", encode(header.transports)},
                                   {"context", context(header)}});
}

std::string journal_line(const LaunchRecord& launch) {
  const std::string id = case_id(launch.benchmark_case);
  Json record = {{"name", id}, {"run_name", id}, {"run_type", "iteration"}, {"threads", 1}};
  record.update(figures(launch.measurement));
  record["ipcmark"] = encode(launch);
  return typed_line("launch", record);
}

std::string journal_line(const FailureRecord& failure) { return typed_line("failure", encode(failure)); }

std::string journal_line(const SkipRecord& skip) { return typed_line("skip", encode(skip)); }

void write_document(std::ostream& out, const ResultFile& results) {
  const std::vector<CaseSummary> cases = summarize_cases(results);
  const Json document = {{"context", context(results.header)},
                         {"benchmarks", benchmarks(results, cases)},
                         {"ipcmark",
                          {{"schema_version", schema_version},
                           {"version", results.header.version},
                           {"run", run(results)},
                           {"machine", encode(results.header.machine)},
                           {"transports", encode(results.header.transports)},
                           {"cases", list_of(cases)},
                           {"failures", list_of(results.failures)},
                           {"skipped", list_of(results.skips)}}}};
  constexpr int readable_levels = 4;
  print(out, document, readable_levels);
  out << '\n';
}

}  // namespace ipcmark
