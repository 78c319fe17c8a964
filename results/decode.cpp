#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "harness/histogram.h"
#include "results/json_lines.h"

namespace ipcmark {
namespace {

template <class T>
T parsed(const JsonNode& node, std::optional<T> (*parse)(std::string_view), std::string_view allowed) {
  if (const auto value = parse(node.text())) return *value;
  node.fail(fmt::format("must be {}, not {}", allowed, node.describe()));
}

double zero_if_null(const JsonNode& parent, std::string_view key) {
  const auto node = parent.nullable(key);
  return node ? node->number() : 0;
}

std::optional<double> number_or_null(const JsonNode& parent, std::string_view key) {
  const auto node = parent.nullable(key);
  return node ? std::optional(node->number()) : std::nullopt;
}

std::optional<std::uint64_t> whole_number_or_null(const JsonNode& parent, std::string_view key) {
  const auto node = parent.nullable(key);
  return node ? std::optional(node->whole_number()) : std::nullopt;
}

template <class T, class Decode>
std::vector<T> list_of(const JsonNode& node, Decode decode) {
  std::vector<T> list;
  for (const JsonNode& item : node.items()) list.push_back(decode(item));
  return list;
}

std::vector<std::string> texts(const JsonNode& node) {
  return list_of<std::string>(node, [](const JsonNode& item) { return item.text(); });
}

std::vector<int> integers(const JsonNode& node) {
  return list_of<int>(node, [](const JsonNode& item) { return item.integer(); });
}

NamedValue named_value(const JsonNode& node) { return {node.at("name").text(), node.at("value").text()}; }

Case decode_case(const JsonNode& node) {
  Case c;
  c.workload = node.at("workload").text();
  c.transport = node.at("transport").text();
  c.message_bytes = node.at("message_bytes").whole_number();
  c.capacity = parsed(node.at("capacity"), parse_capacity, "default, 0, a number or unbounded");
  c.send_wait = parsed(node.at("send_wait"), parse_wait, "a way to wait");
  c.receive_wait = parsed(node.at("receive_wait"), parse_wait, "a way to wait");
  c.send_access = parsed(node.at("send_access"), parse_access, "copy or loan");
  c.receive_access = parsed(node.at("receive_access"), parse_access, "copy or loan");
  c.placement = node.at("placement").text();
  c.touch = parsed(node.at("touch"), parse_touch, "full or header");
  c.limits = parsed(node.at("limits"), parse_limits, "host or raised");
  c.sched = node.at("sched").text();
  const std::uint64_t message_bytes = c.message_bytes;
  for (const Parameter& parameter : further_parameters()) {
    const auto value = node.find(parameter.key);
    if (!value) continue;
    const std::string text = value->is_whole_number() ? std::to_string(value->whole_number()) : value->text();
    if (!parameter.parse(text, c))
      value->fail(fmt::format("must be {}, not {}", parameter.allowed, value->describe()));
    if (c.message_bytes != message_bytes) {
      value->fail(fmt::format("must have {} B as its largest size, as message_bytes says, not {}",
                              message_bytes, value->describe()));
    }
  }
  return c;
}

CapacityFacts decode_capacity(const JsonNode& node) {
  CapacityFacts facts;
  if (const auto limit = node.nullable("limit")) {
    facts.limit = {limit->at("value").whole_number(), limit->at("unit").text(), limit->at("source").text()};
  }
  if (const auto fits = node.nullable("fits")) {
    facts.fits_min = fits->at("min").whole_number();
    facts.fits_max = fits->at("max").whole_number();
    facts.fits_is_lower_bound = fits->at("lower_bound").flag();
  }
  facts.resume_after = whole_number_or_null(node, "resume_after");
  facts.note = node.at("note").text();
  return facts;
}

Verdict decode_verdict(const JsonNode& node) {
  return {parsed(node.at("grade"), parse_grade, grades_allowed), texts(node.at("reasons"))};
}

RoleReport decode_role(const JsonNode& node) {
  const JsonNode cost = node.at("cost");
  RoleReport role;
  role.role = node.at("role").text();
  role.asked_pus = integers(node.at("asked_pus"));
  role.granted_pus = integers(node.at("granted_pus"));
  role.last_os_processor = node.at("last_os_processor").integer();
  role.numa_node = node.at("numa_node").integer();
  role.scheduler = node.at("scheduler").text();
  role.memory_bound = node.at("memory_bound").flag();
  role.memory_locked = node.at("memory_locked").flag();
  role.messages = node.at("messages").whole_number();
  if (node.find("empty_tries")) role.empty_tries = whole_number_or_null(node, "empty_tries");
  if (node.find("work_done")) role.work_done = whole_number_or_null(node, "work_done");
  role.cost.cpu_ns = cost.at("cpu_ns").whole_number();
  role.cost.voluntary_switches = cost.at("voluntary_switches").whole_number();
  role.cost.involuntary_switches = cost.at("involuntary_switches").whole_number();
  role.cost.minor_faults = cost.at("minor_faults").whole_number();
  role.cost.major_faults = cost.at("major_faults").whole_number();
  role.cost.run_delay_ns = whole_number_or_null(cost, "run_delay_ns");
  if (cost.find("user_ns")) role.cost.user_ns = whole_number_or_null(cost, "user_ns");
  if (cost.find("system_ns")) role.cost.system_ns = whole_number_or_null(cost, "system_ns");
  if (const auto stops = node.find("stops")) {
    role.stops = stops->whole_number();
    role.stopped_ns = node.at("stopped_ns").whole_number();
  }
  return role;
}

Disturbance decode_disturbance(const JsonNode& node) {
  return {integers(node.at("os_processors")),
          node.at("observed_ns").whole_number(),
          whole_number_or_null(node, "steal_ns"),
          whole_number_or_null(node, "device_interrupts"),
          whole_number_or_null(node, "timer_interrupts"),
          whole_number_or_null(node, "other_interrupts"),
          whole_number_or_null(node, "softirqs"),
          whole_number_or_null(node, "heat_throttles"),
          number_or_null(node, "mhz"),
          whole_number_or_null(node, "cpu_pressure_ns"),
          whole_number_or_null(node, "memory_pressure_ns"),
          whole_number_or_null(node, "io_pressure_ns"),
          whole_number_or_null(node, "quota_throttled_ns")};
}

CostExamination decode_examination(const JsonNode& node) {
  CostExamination examination;
  examination.counted_messages = node.at("counted_messages").whole_number();
  examination.counted_note = node.at("counted_note").text();
  for (const JsonNode& role : node.at("counted").items()) {
    examination.counted.push_back({role.at("role").text(), whole_number_or_null(role, "cycles"),
                                   whole_number_or_null(role, "instructions"),
                                   whole_number_or_null(role, "cache_misses"),
                                   whole_number_or_null(role, "branch_misses")});
  }
  examination.traced_messages = node.at("traced_messages").whole_number();
  examination.traced_note = node.at("traced_note").text();
  for (const JsonNode& role : node.at("traced").items()) {
    CostExamination::Traced traced{role.at("role").text(), {}};
    for (const JsonNode& call : role.at("calls").items())
      traced.calls.push_back({call.at("name").text(), call.at("count").whole_number()});
    examination.traced.push_back(std::move(traced));
  }
  return examination;
}

Integrity decode_integrity(const JsonNode& node) {
  Integrity integrity;
  integrity.lost = node.at("lost").whole_number();
  integrity.duplicated = node.at("duplicated").whole_number();
  integrity.reordered = node.at("reordered").whole_number();
  integrity.corrupted = node.at("corrupted").whole_number();
  integrity.checked = node.at("checked").whole_number();
  integrity.every_byte = node.at("every_byte").flag();
  integrity.detection_limit = node.at("detection_limit").whole_number();
  return integrity;
}

Distribution decode_distribution(const JsonNode& node) {
  Distribution distribution;
  distribution.of = node.at("of").text();
  distribution.messages_per_sample = node.at("messages_per_sample").whole_number();
  distribution.count = node.at("count").whole_number();
  distribution.min_ns = node.at("min_ns").whole_number();
  distribution.max_ns = node.at("max_ns").whole_number();
  distribution.mean_ns = node.at("mean_ns").number();
  distribution.p50_ns = number_or_null(node, "p50_ns");
  distribution.p90_ns = number_or_null(node, "p90_ns");
  distribution.p99_ns = number_or_null(node, "p99_ns");
  distribution.p999_ns = number_or_null(node, "p999_ns");
  const JsonNode histogram = node.at("histogram");
  distribution.histogram = histogram.text();
  const auto decoded = Histogram::decode(distribution.histogram);
  if (!decoded) histogram.fail("is no histogram as harness/histogram.h writes it");
  if (decoded->count() != distribution.count) {
    histogram.fail(fmt::format("holds {} samples, count says {}", decoded->count(), distribution.count));
  }
  return distribution;
}

// A journal line or an entry of benchmarks[]: what matters of both is under "ipcmark".
LaunchRecord decode_launch(const JsonNode& entry) {
  const JsonNode node = entry.at("ipcmark");
  LaunchRecord launch;
  launch.benchmark_case = decode_case(node.at("case"));
  launch.capacity = decode_capacity(node.at("capacity"));
  launch.round = node.at("round").small_whole_number();
  launch.order = node.at("order").whole_number();
  launch.started = node.at("started").text();

  Measurement& measurement = launch.measurement;
  measurement.isolation = node.at("isolation").text();
  measurement.messages = node.at("messages").whole_number();
  measurement.warm_up_messages = node.at("warm_up_messages").whole_number();
  measurement.span_ns = node.at("span_ns").whole_number();
  measurement.bytes = node.at("bytes").whole_number();
  measurement.cache_line_round_trip_ns = zero_if_null(node, "cache_line_round_trip_ns");
  measurement.roles = list_of<RoleReport>(node.at("roles"), decode_role);
  measurement.integrity = decode_integrity(node.at("integrity"));
  measurement.verdict = decode_verdict(node.at("verdict"));
  if (const auto disturbance = node.find("disturbance")) {
    measurement.disturbance = decode_disturbance(*disturbance);
  }
  if (const auto warm_up = node.find("warm_up")) {
    WarmUpReport& found = measurement.warm_up.emplace();
    found.windows = warm_up->at("windows").whole_number();
    found.window_ns = warm_up->at("window_ns").number();
    if (const auto steady = warm_up->nullable("steady")) {
      found.judged = true;
      found.steady = steady->flag();
      found.drift = warm_up->at("drift").number();
      found.spread = warm_up->at("spread").number();
    }
  }
  if (const auto examination = node.find("examination"))
    launch.examination = decode_examination(*examination);
  if (const auto hooks = node.find("hooks")) {
    launch.hooks = list_of<HookRun>(*hooks, [](const JsonNode& hook) {
      return HookRun{hook.at("option").text(), hook.at("took_ns").whole_number(), hook.at("problem").text()};
    });
  }
  if (const auto observations = node.find("observations")) {
    for (const JsonNode& each : observations->items()) {
      measurement.observations.push_back(
          {each.at("name").text(), each.at("unit").text(), each.at("value").number()});
    }
  }
  if (const auto further = node.find("distributions")) {
    measurement.further_distributions = list_of<Distribution>(*further, decode_distribution);
  }
  if (const auto distribution = node.nullable("distribution")) {
    measurement.distribution = decode_distribution(*distribution);
  }
  if (measurement.messages == 0) node.at("messages").fail("must be over 0");
  if (measurement.span_ns == 0) node.at("span_ns").fail("must be over 0");
  return launch;
}

FailureRecord decode_failure(const JsonNode& node) {
  return {decode_case(node.at("case")), node.at("round").small_whole_number(), node.at("reason").text()};
}

SkipRecord decode_skip(const JsonNode& node) {
  return {decode_case(node.at("case")), node.at("reason").text()};
}

PuInfo decode_pu(const JsonNode& node) {
  return {node.at("logical_index").integer(),
          node.at("os_index").integer(),
          node.at("core").integer(),
          node.at("l2").integer(),
          node.at("l3").integer(),
          node.at("package").integer(),
          node.at("numa_node").integer(),
          node.at("kind").text()};
}

CacheInfo decode_cache(const JsonNode& node) {
  return {node.at("type").text(), node.at("level").integer(), node.at("size_bytes").whole_number(),
          node.at("sharing_pus").integer()};
}

Floors::Touch decode_touch(const JsonNode& node) {
  return {node.at("message_bytes").whole_number(), node.at("write_ns").number(), node.at("read_ns").number(),
          node.at("memcpy_ns").number()};
}

Floors::OnPu decode_floors_on_pu(const JsonNode& node) {
  return {node.at("pu").integer(), node.at("clock_read_ns").number(), node.at("system_call_ns").number(),
          node.at("context_switch_ns").number(), list_of<Floors::Touch>(node.at("touch"), decode_touch)};
}

Floors::Between decode_floors_between(const JsonNode& node) {
  const std::vector<int> pus = integers(node.at("pus"));
  if (pus.size() != 2) node.at("pus").fail("must be two PUs");
  return {pus[0], pus[1], node.at("cache_line_round_trip_ns").number(), node.at("futex_wake_ns").number()};
}

Machine decode_machine(const JsonNode& node) {
  Machine machine;
  machine.fingerprint = node.at("fingerprint").text();
  machine.host_name = node.at("host_name").text();
  machine.operating_system = node.at("operating_system").text();
  machine.kernel = node.at("kernel").text();
  machine.architecture = node.at("architecture").text();
  machine.cpu_model = node.at("cpu_model").text();
  machine.hypervisor = node.at("hypervisor").text();
  machine.cpu_mhz = node.at("cpu_mhz").number();
  machine.memory_bytes = node.at("memory_bytes").whole_number();
  machine.packages = node.at("packages").small_whole_number();
  machine.numa_nodes = node.at("numa_nodes").small_whole_number();
  machine.cores = node.at("cores").small_whole_number();
  machine.pus = list_of<PuInfo>(node.at("pus"), decode_pu);
  machine.caches = list_of<CacheInfo>(node.at("caches"), decode_cache);
  machine.mitigations = list_of<NamedValue>(node.at("mitigations"), named_value);
  machine.settings = list_of<NamedValue>(node.at("settings"), named_value);
  machine.limits = list_of<NamedValue>(node.at("limits"), named_value);
  const JsonNode clock = node.at("clock");
  machine.clock.source = clock.at("source").text();
  if (const auto why = clock.find("why")) machine.clock.why = why->text();
  machine.clock.step_ns = clock.at("step_ns").number();
  machine.clock.read_ns = clock.at("read_ns").number();
  machine.clock.ordered = clock.at("ordered").flag();
  machine.clock.order_checks = clock.at("order_checks").whole_number();
  if (const auto pairs = clock.find("order_pairs")) machine.clock.order_pairs = pairs->whole_number();
  const JsonNode floors = node.at("floors");
  machine.floors.clock_read_ns = floors.at("clock_read_ns").number();
  machine.floors.system_call_ns = floors.at("system_call_ns").number();
  machine.floors.touch = list_of<Floors::Touch>(floors.at("touch"), decode_touch);
  if (const auto pus = floors.find("pus")) {
    machine.floors.pus = list_of<Floors::OnPu>(*pus, decode_floors_on_pu);
  }
  if (const auto pairs = floors.find("pairs")) {
    machine.floors.pairs = list_of<Floors::Between>(*pairs, decode_floors_between);
  }
  if (const auto note = floors.find("note")) machine.floors.note = note->text();
  return machine;
}

TransportFacts decode_transport(const JsonNode& node) {
  return {node.at("transport").text(), list_of<NamedValue>(node.at("facts"), named_value)};
}

// `context` holds what Google Benchmark's tools read, and the user's own keys as text.
RunHeader decode_header(const JsonNode& ours, const JsonNode& context) {
  constexpr std::array own = {
      "date",   "host_name", "executable",      "num_cpus",          "mhz_per_cpu", "cpu_scaling_enabled",
      "caches", "load_avg",  "library_version", "library_build_type"};
  const JsonNode run = ours.at("run");
  RunHeader header;
  header.version = ours.at("version").text();
  header.suite = run.at("suite").text();
  header.seed = run.at("seed").whole_number();
  header.launches = run.at("launches").small_whole_number();
  header.min_time_ns = run.at("min_time_ns").whole_number();
  header.command_line = texts(run.at("command_line"));
  header.started = run.at("started").text();
  if (const auto asked = run.find("precision")) header.precision = asked->number();
  if (const auto command = run.find("on_start")) header.on_start = command->text();
  if (const auto command = run.find("on_end")) header.on_end = command->text();
  header.machine = decode_machine(ours.at("machine"));
  if (const auto transports = ours.find("transports")) {
    header.transports = list_of<TransportFacts>(*transports, decode_transport);
  }
  header.executable = context.at("executable").text();
  header.cpu_scaling_enabled = context.at("cpu_scaling_enabled").flag();
  header.library_version = context.at("library_version").text();
  header.library_build_type = context.at("library_build_type").text();
  header.load_avg =
      list_of<double>(context.at("load_avg"), [](const JsonNode& average) { return average.number(); });
  for (const std::string& key : context.keys()) {
    if (std::find(own.begin(), own.end(), key) == own.end()) {
      header.context.push_back({key, context.at(key).text()});
    }
  }
  return header;
}

void require_schema_version(const JsonNode& version) {
  if (version.whole_number() != schema_version) {
    version.fail(fmt::format("is {}; this ipcmark reads {}", version.describe(), schema_version));
  }
}

RunHeader decode_header_line(const JsonNode& line) {
  require_schema_version(line.at("schema_version"));
  return decode_header(line, line.at("context"));
}

ResultFile decode_document(const JsonNode& document) {
  const auto own = document.find("ipcmark");
  if (!own) document.fail("is no result file of ipcmark (it has no \"ipcmark\")");
  require_schema_version(own->at("schema_version"));
  const JsonNode run = own->at("run");
  ResultFile results;
  results.header = decode_header(*own, document.at("context"));
  if (const auto finished = run.nullable("finished")) results.finished = finished->text();
  results.complete = run.at("complete").flag();
  results.interrupted = run.at("interrupted").flag();
  results.wall_s = run.at("wall_s").number();
  results.launches = list_of<LaunchRecord>(document.at("benchmarks"), decode_launch);
  results.failures = list_of<FailureRecord>(own->at("failures"), decode_failure);
  results.skips = list_of<SkipRecord>(own->at("skipped"), decode_skip);
  return results;
}

ResultFile decode_journal(std::string_view text, const std::string& file) {
  ResultFile results;
  std::size_t line_number = 0;
  for (std::size_t end; (end = text.find('\n')) != text.npos; text.remove_prefix(end + 1)) {
    const auto document = JsonDocument::parse(text.substr(0, end), file, ++line_number);
    const JsonNode line = document.root();
    const std::string type = line.at("type").text();
    if ((type == "header") != (line_number == 1)) {
      line.fail("a journal has one header, on its first line");
    } else if (type == "header") {
      results.header = decode_header_line(line);
    } else if (type == "launch") {
      results.launches.push_back(decode_launch(line));
    } else if (type == "failure") {
      results.failures.push_back(decode_failure(line));
    } else if (type == "skip") {
      results.skips.push_back(decode_skip(line));
    } else {
      line.at("type").fail(fmt::format("must be header, launch, failure or skip, not \"{}\"", type));
    }
  }
  if (line_number == 0) throw FileError(fmt::format("{}:1: the journal has no whole line", file));
  return results;
}

}  // namespace

RunHeader parse_header_line(std::string_view text, const std::string& file, std::optional<std::size_t> line) {
  return decode_header_line(JsonDocument::parse(text, file, line).root());
}

bool is_journal(std::string_view text) { return text.starts_with(R"({"type":)"); }

ResultFile parse_results(std::string_view text, const std::string& file) {
  if (is_journal(text)) return decode_journal(text, file);
  const auto document = JsonDocument::parse(text, file);
  return decode_document(document.root());
}

}  // namespace ipcmark
