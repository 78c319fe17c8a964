#include "workloads/trial.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <stdexcept>
#include <system_error>

#include "harness/text.h"
#include "workloads/capacity_probe.h"
#include "workloads/launch_verdict.h"

namespace ipcmark {
namespace {

const TransportEntry& transport_of(const Case& benchmark_case) {
  return Registry::instance().at(benchmark_case.transport);
}

Shape shape_of(const Case& benchmark_case) {
  return {.transport = benchmark_case.transport,
          .message_bytes = benchmark_case.message_bytes,
          .mixed = is_mix(benchmark_case),
          .capacity = benchmark_case.capacity,
          .senders = benchmark_case.senders,
          .receivers = benchmark_case.receivers,
          .send_wait = benchmark_case.send_wait,
          .receive_wait = benchmark_case.receive_wait,
          .send_access = benchmark_case.send_access,
          .receive_access = benchmark_case.receive_access,
          .overflow = benchmark_case.overflow,
          .directory = {}};
}

// How long a sender may keep still because the case asks for it.
double longest_silence_s(const Case& c) {
  const double gap_s = static_cast<double>(c.gap_ns) * 1e-9;
  if (c.rate.value == 0 || c.rate.percent) return gap_s;
  // A Poisson distance is over 40 means once in 10^17 messages.
  const double distances = c.arrivals == Arrivals::burst     ? static_cast<double>(c.burst)
                           : c.arrivals == Arrivals::poisson ? 40
                                                             : 1;
  return gap_s + distances / static_cast<double>(c.rate.value);
}

LaunchSpec spec_for(const Case& benchmark_case, const std::vector<RoleKind>& roles,
                    const std::vector<std::vector<int>>& role_pus, const TrialContext& context) {
  LaunchSpec spec{.roles = {},
                  .isolation = context.isolation,
                  .limits = benchmark_case.limits,
                  .sched = benchmark_case.sched,
                  .bind = [&context](const std::vector<int>& pus) -> Granted {
                    const Binding binding = bind_this_process(context.topology, pus);
                    return {binding.granted_pus, binding.numa_node, binding.memory_bound};
                  },
                  .interrupt_fd = context.interrupt_fd};
  // Progress is counted in whole messages, so a huge one has its own time.
  constexpr double slowest_bytes_per_s = 50e6;
  spec.stall_s += static_cast<double>(benchmark_case.message_bytes) / slowest_bytes_per_s;
  spec.stall_s += longest_silence_s(benchmark_case);
  for (std::size_t role = 0; role < roles.size(); ++role) {
    spec.roles.push_back({roles[role].name, role_pus.at(role)});
  }
  return spec;
}

// Those that the roles are pinned to; all that may be used when one is not.
std::vector<int> os_processors_of(const std::vector<std::vector<int>>& role_pus, const Topology& topology) {
  const bool pinned = std::ranges::none_of(role_pus, &std::vector<int>::empty);
  std::vector<int> processors;
  for (const PuInfo& pu : topology.pus()) {
    if (!pinned || std::ranges::any_of(role_pus, [&pu](const std::vector<int>& own) {
          return std::ranges::count(own, pu.logical_index) > 0;
        }))
      processors.push_back(pu.os_index);
  }
  return processors;
}

std::optional<CapacityFacts::Limit> limit_from(const RoleBoard& role) {
  if (!role.has_limit) return std::nullopt;
  return CapacityFacts::Limit{role.limit_value, role.limit_unit, role.limit_source};
}

Distribution distribution_of(const Histogram& histogram, std::string_view of,
                             std::uint64_t messages_per_sample) {
  return {.of = std::string(of),
          .messages_per_sample = messages_per_sample,
          .count = histogram.count(),
          .min_ns = histogram.min_ns(),
          .max_ns = histogram.max_ns(),
          .mean_ns = histogram.mean_ns(),
          .p50_ns = histogram.percentile(0.5),
          .p90_ns = histogram.percentile(0.9),
          .p99_ns = histogram.percentile(0.99),
          .p999_ns = histogram.percentile(0.999),
          .histogram = histogram.encode()};
}

// Of all roles that took samples; nullopt when none did.
std::optional<Distribution> distribution_of(const LaunchBoard& board, std::size_t roles,
                                            std::string_view of) {
  auto merged = std::make_unique<Histogram>();
  Histogram& histogram = *merged;
  std::uint64_t messages_per_sample = 0;
  for (const RoleBoard& role : std::span(board.roles, roles)) {
    if (role.messages_per_sample == 0) continue;
    messages_per_sample = std::max(messages_per_sample, role.messages_per_sample);
    histogram.merge(role.histogram);
  }
  if (messages_per_sample == 0) return std::nullopt;
  return distribution_of(histogram, of, messages_per_sample);
}

}  // namespace

TrialOutcome run_trial(const Case& benchmark_case, const std::vector<std::vector<int>>& role_pus,
                       const TrialOptions& options, const TrialContext& context) {
  const TransportEntry& transport = transport_of(benchmark_case);
  const WorkloadEntry* workload = transport.find_workload(benchmark_case.workload);
  if (workload == nullptr) throw std::out_of_range("no workload is named " + benchmark_case.workload);

  const std::vector<RoleKind> kinds = workload->roles(benchmark_case);
  LaunchSpec spec = spec_for(benchmark_case, kinds, role_pus, context);
  const SystemWatch watch(os_processors_of(role_pus, context.topology));
  spec.watch = &watch;
  spec.layout_seed = options.seed;
  if (context.at_edge) {
    spec.at_edge = [&](TimedEdge edge, const std::vector<pid_t>& roles) {
      context.at_edge(edge, roles, watch.os_processors());
    };
  }
  const std::unique_ptr<Work> work = workload->make(benchmark_case, shape_of(benchmark_case), options);
  const SharedLaunchBoard board;
  if (std::optional<LaunchFailure> failure = launch(spec, *work, *board)) return *failure;

  Measurement measurement;
  measurement.roles = role_reports(spec, *board);
  measurement.disturbance = between(board->before_timed, board->after_timed, watch.os_processors());
  measurement.isolation = context.isolation.description;
  measurement.cache_line_round_trip_ns = board->cache_line_round_trip_ns;
  measurement.warm_up_messages = board->roles[0].warm_up_messages;
  if (board->roles[0].warm_up.windows > 0) measurement.warm_up = board->roles[0].warm_up;
  measurement.limit = limit_from(board->roles[0]);
  measurement.distribution = distribution_of(*board, kinds.size(), workload->samples);
  // The span: from the first begin of any role that has one to the last end.
  constexpr std::uint64_t never = std::numeric_limits<std::uint64_t>::max();
  Span span{never, 0};
  std::uint64_t dropped = 0, timed_dropped = 0, sent_bytes = 0;
  std::uint64_t first_send_ns = never, first_receipt_ns = never;
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const RoleBoard& role = board->roles[i];
    measurement.integrity += role.integrity;
    dropped += role.dropped;
    timed_dropped += role.timed_dropped;
    sent_bytes += role.timed_bytes;
    if (kinds[i].counts) measurement.messages += role.timed_messages;
    for (const FurtherSamples& further : role.further) {
      if (further.of[0] == '\0') continue;
      measurement.further_distributions.push_back(distribution_of(further.histogram, further.of, 1));
    }
    if (role.begin_ns == 0) continue;
    span = {std::min(span.begin_ns, role.begin_ns), std::max(span.end_ns, role.end_ns)};
    std::uint64_t& first = kinds[i].sends ? first_send_ns : first_receipt_ns;
    first = std::min(first, role.begin_ns);
  }
  measurement.bytes = is_mix(benchmark_case)
                          ? sent_bytes
                          : measurement.messages * workload->bytes_per_message(benchmark_case);
  measurement.integrity.detection_limit = detection_limit(smallest_message(benchmark_case));
  workload->observe(benchmark_case, *board, measurement.observations);
  for (const RoleBoard& role : std::span(board->roles, kinds.size())) {
    for (const MechanismFigureRecord& figure : role.mechanism_figures) {
      if (figure.name[0] != '\0')
        measurement.observations.push_back({figure.name, figure.unit, figure.value});
    }
  }

  // What senders gave up must be what receivers missed, to the message.
  if (benchmark_case.overflow != Overflow::wait) {
    if (measurement.integrity.lost != dropped) {
      return LaunchFailure{LaunchFailure::Kind::failed,
                           fmt::format("{} messages were dropped, but {} did not arrive", dropped,
                                       measurement.integrity.lost)};
    }
    measurement.integrity.lost = 0;
    // Of the timed part, as all figures are: sent = messages + dropped.
    measurement.observations.push_back(
        {"sent", "messages", static_cast<double>(measurement.messages + timed_dropped)});
    measurement.observations.push_back({"dropped", "messages", static_cast<double>(timed_dropped)});
  }

  // A receiver begins when its first receive has ended; over null nothing makes it wait for a sender.
  // A workload that found times below zero itself says so in its verdict.
  const bool known_invalid = std::ranges::any_of(
      std::span(board->roles, kinds.size()), [](const RoleBoard& role) { return role.invalid[0] != '\0'; });
  if (!known_invalid && transport.traits.facts.carries && first_receipt_ns != never &&
      first_send_ns != never && first_receipt_ns < first_send_ns) {
    return LaunchFailure{LaunchFailure::Kind::failed,
                         fmt::format("the clock went backwards between the roles: the first receive ended {} "
                                     "ns before the first send began",
                                     first_send_ns - first_receipt_ns)};
  }
  if (span.end_ns <= span.begin_ns) {
    return LaunchFailure{LaunchFailure::Kind::failed, "the timed part has no duration"};
  }
  measurement.span_ns = span.end_ns - span.begin_ns;

  const Integrity& integrity = measurement.integrity;
  if (!integrity.clean() && !(transport.traits.facts.lossy && integrity.duplicated == 0 &&
                              integrity.reordered == 0 && integrity.corrupted == 0)) {
    return LaunchFailure{
        LaunchFailure::Kind::failed,
        fmt::format("messages were not intact: {} lost, {} duplicated, {} reordered, {} corrupted of {}",
                    integrity.lost, integrity.duplicated, integrity.reordered, integrity.corrupted,
                    integrity.checked)};
  }
  measurement.verdict = judge_launch(benchmark_case, measurement);
  const auto spoil = [&verdict = measurement.verdict](std::string reason) {
    if (verdict.grade == Grade::ok) verdict.reasons.clear();
    verdict.grade = Grade::invalid;
    verdict.reasons.insert(verdict.reasons.begin(), std::move(reason));
  };
  if (std::string objection = align_clock(); !objection.empty()) spoil(std::move(objection));
  for (const RoleBoard& role : std::span(board->roles, kinds.size())) {
    if (role.invalid[0] != '\0') spoil(role.invalid);
  }
  if (std::string remark = workload->remark(benchmark_case, *board); !remark.empty()) {
    // First, but not before what made the launch noisy or invalid.
    std::vector<std::string>& reasons = measurement.verdict.reasons;
    reasons.insert(measurement.verdict.grade == Grade::ok ? reasons.begin() : reasons.end(),
                   std::move(remark));
  }
  return measurement;
}

namespace {

// A launch that is examined, not timed; gives the messages of its timed part, or 0 and the reason.
std::uint64_t launch_examined(const Case& benchmark_case, const std::vector<std::vector<int>>& role_pus,
                              const TrialContext& context, Examine examine, const TrialOptions& options,
                              LaunchBoard& board, std::string& note) {
  const WorkloadEntry* workload = transport_of(benchmark_case).find_workload(benchmark_case.workload);
  const std::vector<RoleKind> kinds = workload->roles(benchmark_case);
  LaunchSpec spec = spec_for(benchmark_case, kinds, role_pus, context);
  spec.examine = examine;
  constexpr double patience_s = 3;
  spec.stall_s = patience_s + longest_silence_s(benchmark_case);
  const std::unique_ptr<Work> work = workload->make(benchmark_case, shape_of(benchmark_case), options);
  if (std::optional<LaunchFailure> failure = launch(spec, *work, board)) {
    note = failure->reason;
    return 0;
  }
  std::uint64_t messages = 0;
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    if (board.roles[i].examination.refusal[0] != '\0') {
      note = board.roles[i].examination.refusal;
      return 0;
    }
    if (kinds[i].counts) messages += board.roles[i].timed_messages;
  }
  if (messages == 0) note = "no message was moved";
  return messages;
}

}  // namespace

void count_hardware_events(const Case& benchmark_case, const std::vector<std::vector<int>>& role_pus,
                           const TrialContext& context, CostExamination& found) {
  const SharedLaunchBoard board;
  found.counted_messages =
      launch_examined(benchmark_case, role_pus, context, Examine::counters,
                      {.fixed_messages = 20'000, .fixed_within_ns = 20'000'000}, *board, found.counted_note);
  if (found.counted_messages == 0) return;
  bool user_only = false;  // where one role's events are, the sums are
  const auto kinds =
      transport_of(benchmark_case).find_workload(benchmark_case.workload)->roles(benchmark_case);
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const ExaminationBoard& role = board->roles[i].examination;
    const auto event = [&role](std::size_t which) {
      return role.known[which] ? std::optional(role.events[which]) : std::nullopt;
    };
    found.counted.push_back({kinds[i].name, event(0), event(1), event(2), event(3)});
    user_only = user_only || role.user_only;
  }
  found.counted_note = user_only ? "user space only: the kernel's part needs kernel.perf_event_paranoid "
                                   "of at most 1, or CAP_PERFMON"
                                 : "user and kernel";
}

void trace_system_calls(const Case& benchmark_case, const std::vector<std::vector<int>>& role_pus,
                        const TrialContext& context, CostExamination& found) {
  const SharedLaunchBoard board;
  found.traced_messages =
      launch_examined(benchmark_case, role_pus, context, Examine::system_calls,
                      {.fixed_messages = 400, .fixed_within_ns = 40'000'000}, *board, found.traced_note);
  if (found.traced_messages == 0) return;
  const auto kinds =
      transport_of(benchmark_case).find_workload(benchmark_case.workload)->roles(benchmark_case);
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    CostExamination::Traced role{kinds[i].name, {}};
    const auto& calls = board->roles[i].examination.calls;
    for (std::size_t number = 0; number < calls.size(); ++number) {
      if (calls[number] > 0) role.calls.push_back({system_call_name(number), calls[number]});
    }
    std::ranges::sort(role.calls, std::greater{}, &CostExamination::Call::count);
    found.traced.push_back(std::move(role));
  }
}

CapacityFacts probe_capacity(const Case& benchmark_case, const TrialContext& context) {
  const TransportEntry& transport = transport_of(benchmark_case);
  CapacityFacts facts;
  if (!transport.traits.facts.carries) {
    facts.note = "holds nothing";
    return facts;
  }
  Case probed = benchmark_case;
  const Facts& mechanism = transport.traits.facts;
  // A rendezvous holds nothing, and one that is acknowledged over its own link has one wait for both sides.
  const bool seen_asleep = may_sleep(benchmark_case.send_wait) && !mechanism.lossy &&
                           benchmark_case.capacity != Capacity::rendezvous() &&
                           access("/proc/self/stat", R_OK) == 0;
  if ((!seen_asleep && !mechanism.send_waits.contains(Wait::spin)) ||
      !mechanism.receive_waits.contains(Wait::spin)) {
    facts.note = "not probed: it cannot try without sleeping";
    return facts;
  }
  if (!seen_asleep) probed.send_wait = Wait::spin;
  probed.receive_wait = Wait::spin;
  const auto links = transport.find_workload(benchmark_case.workload)->links_of(benchmark_case);
  if (links.empty()) {
    facts.note = "no link: nothing is queued";
    return facts;
  }
  if (is_mix(probed)) probed.mix = format_bytes(probed.message_bytes) + ":1";
  probed.senders = links.front().senders;
  probed.receivers = links.front().receivers;
  std::vector<RoleKind> kinds;
  for (unsigned i = 0; i < probed.senders; ++i) kinds.push_back({.name = fmt::format("sender {}", i)});
  for (unsigned i = 0; i < probed.receivers; ++i)
    kinds.push_back({.name = fmt::format("receiver {}", probed.senders + i)});
  const LaunchSpec spec = spec_for(probed, kinds, std::vector<std::vector<int>>(kinds.size()), context);
  const std::unique_ptr<Work> work = make_capacity_probe(probed, shape_of(probed));
  const SharedLaunchBoard board;
  if (std::optional<LaunchFailure> failure = launch(spec, *work, *board)) {
    facts.note = "not probed: " + failure->reason;
    return facts;
  }
  const RoleBoard& sender = board->roles[0];
  facts.limit = limit_from(sender);
  facts.fits_min = sender.figures[ProbeFigures::fits_min];
  facts.fits_max = sender.figures[ProbeFigures::fits_max];
  const auto fills = [&](std::uint64_t messages) {
    const auto& limit = facts.limit;
    return limit && ((limit->unit == "messages" && limit->value == messages) ||
                     (limit->unit == "bytes" && limit->value == messages * probed.message_bytes));
  };
  facts.fits_is_lower_bound = sender.figures[ProbeFigures::bound_reached] != 0 && !fills(*facts.fits_max);
  // When a sleeper would go on, one that tries cannot tell.
  if (sender.figures[ProbeFigures::has_resume] != 0 && seen_asleep == may_sleep(benchmark_case.send_wait)) {
    facts.resume_after = sender.figures[ProbeFigures::resume_after];
  }
  if (const std::uint64_t rounds = sender.figures[ProbeFigures::only_rounds]; rounds > 0) {
    facts.note = fmt::format("probed {} only: it is slow to drain", rounds == 1 ? "once" : "twice");
  }
  return facts;
}

namespace {

// Memory that outlives the child which writes it: one line for each case.
class SharedReasons {
 public:
  static constexpr std::size_t line_bytes = 512;

  explicit SharedReasons(std::size_t lines) : bytes_(std::max<std::size_t>(1, lines) * line_bytes) {
    void* memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
    text_ = static_cast<char*>(memory);
  }
  ~SharedReasons() { munmap(text_, bytes_); }
  SharedReasons(const SharedReasons&) = delete;
  SharedReasons& operator=(const SharedReasons&) = delete;

  void write(std::size_t line, std::string_view reason) {
    const std::size_t length = std::min(reason.size(), line_bytes - 1);
    std::memcpy(text_ + line * line_bytes, reason.data(), length);
  }
  std::string read(std::size_t line) const { return text_ + line * line_bytes; }

 private:
  std::size_t bytes_;
  char* text_;
};

// Both roles hold a message to send and one to receive, all of it prefaulted.
std::string why_too_large(const Case& benchmark_case) {
  constexpr std::uint64_t buffers = 4;
  const auto memory_bytes = static_cast<std::uint64_t>(sysconf(_SC_AVPHYS_PAGES)) *
                            static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  if (benchmark_case.message_bytes <= memory_bytes / 2 / buffers) return {};
  return fmt::format("{}: {} buffers of {} need more than half of this machine's free memory ({:.1f} GiB)",
                     benchmark_case.transport, buffers, format_size(benchmark_case.message_bytes),
                     static_cast<double>(memory_bytes) / (1 << 30));
}

// Makes each case's link and drops it again, in the very place where launches make theirs. Its one role does
// nothing.
class BuildAll final : public Work {
 public:
  BuildAll(const std::vector<Case>& cases, SharedReasons& reasons) : cases_(cases), reasons_(reasons) {}

  unsigned links() const override { return 0; }
  unsigned senders_of(unsigned) const override { return 0; }
  void build(const std::string& directory) override {
    for (std::size_t i = 0; i < cases_.size(); ++i) {
      Shape shape = shape_of(cases_[i]);
      shape.directory = directory;
      try {
        if (std::string reason = why_too_large(cases_[i]); !reason.empty()) throw Unsupported(reason);
        transport_of(cases_[i]).make_link(shape);
      } catch (const Unsupported& reason) {
        reasons_.write(i, reason.what());
      } catch (const std::exception& error) {
        reasons_.write(i, fmt::format("{}: {}", cases_[i].transport, error.what()));
      }
    }
  }
  void open(Role&) override {}
  void drop() override {}
  void run(Role&) override {}
  void end() override {}

 private:
  const std::vector<Case>& cases_;
  SharedReasons& reasons_;
};

}  // namespace

std::vector<std::string> why_not_buildable(const std::vector<Case>& cases, const TrialContext& context) {
  SharedReasons shared(cases.size());
  LaunchSpec spec{
      .roles = {{"builder", {}}}, .isolation = context.isolation, .interrupt_fd = context.interrupt_fd};
  if (!cases.empty()) spec.limits = cases.front().limits;
  BuildAll work(cases, shared);
  const SharedLaunchBoard board;
  const std::optional<LaunchFailure> failure = launch(spec, work, *board);
  std::vector<std::string> reasons;
  for (std::size_t i = 0; i < cases.size(); ++i)
    reasons.push_back(failure ? failure->reason : shared.read(i));
  return reasons;
}

}  // namespace ipcmark
