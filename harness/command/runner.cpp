#include "harness/command/runner.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ctime>
#include <map>
#include <set>
#include <tuple>

#include "harness/build_info.h"
#include "harness/clock.h"
#include "harness/command/hooks.h"
#include "harness/command/interruption.h"
#include "harness/command/list.h"
#include "harness/command/reporter.h"
#include "harness/floors.h"
#include "results/journal.h"
#include "results/precision.h"

namespace ipcmark {
namespace {

std::string iso_time_now() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%S+00:00}", fmt::gmtime(std::time(nullptr)));
}

double seconds_since(std::uint64_t begin_ns) { return static_cast<double>(now_ns() - begin_ns) * 1e-9; }

// At most 24 sizes of at most 64 MiB, the smallest and the largest among them.
std::vector<std::uint64_t> sizes_for_floors(const Plan& plan) {
  std::set<std::uint64_t> sizes;
  for (const PlannedCase& planned : plan.cases) {
    if (planned.benchmark_case.message_bytes <= std::uint64_t{64} << 20) {
      sizes.insert(planned.benchmark_case.message_bytes);
    }
  }
  const std::vector<std::uint64_t> all(sizes.begin(), sizes.end());
  constexpr std::size_t most = 24;
  if (all.size() <= most) return all;
  std::vector<std::uint64_t> chosen;
  for (std::size_t i = 0; i < most; ++i) chosen.push_back(all[i * (all.size() - 1) / (most - 1)]);
  return chosen;
}

// Every PU that some case measures on, and every two between which one does.
PusInUse pus_in_use(const Plan& plan) {
  std::set<int> pus;
  std::set<std::pair<int, int>> pairs;
  for (const PlannedCase& planned : plan.cases) {
    for (const std::vector<int>& role : planned.role_pus) {
      if (role.empty()) continue;
      pus.insert(role.front());
      const std::vector<int>& first = planned.role_pus.front();
      if (!first.empty() && first != role) pairs.emplace(first.front(), role.front());
    }
  }
  return {{pus.begin(), pus.end()}, {pairs.begin(), pairs.end()}};
}

RunHeader header_of(const Plan& plan, const RunSettings& settings, const Workbench& workbench) {
  RunHeader header{.version = std::string(build_info().version),
                   .suite = plan.suite,
                   .seed = plan.seed,
                   .launches = plan.launches,
                   .min_time_ns = plan.min_time_ns,
                   .precision = plan.precision,
                   .command_line = settings.command_line,
                   .on_start = settings.on_start,
                   .on_end = settings.on_end,
                   .started = iso_time_now(),
                   .executable = "ipcmark",
                   .load_avg = std::vector<double>(3),
                   .cpu_scaling_enabled = false,
                   .library_version = benchmark_library_version(),
                   .library_build_type = build_info().build_type == "Debug" ? "debug" : "release",
                   .context = settings.context,
                   .machine = examine_machine(workbench.topology(), sizes_for_floors(plan), pus_in_use(plan)),
                   .transports = facts_of(plan, workbench)};
  header.load_avg.resize(static_cast<std::size_t>(std::max(0, getloadavg(header.load_avg.data(), 3))));
  header.cpu_scaling_enabled = std::any_of(
      header.machine.settings.begin(), header.machine.settings.end(), [](const NamedValue& setting) {
        return setting.name.find("governor") != std::string::npos && setting.value != "performance";
      });
  const auto add_context = [&](std::string name, std::string_view value) {
    if (!value.empty()) header.context.push_back({std::move(name), std::string(value)});
  };
  add_context("ipcmark_commit", build_info().commit);
  add_context("ipcmark_compiler", build_info().compiler);
  add_context("ipcmark_flags", build_info().flags);
  return header;
}

// How many messages a verified launch moves: enough to go round most rings and pipes, bounded in bytes.
std::uint64_t verified_messages(const Case& benchmark_case) {
  constexpr std::uint64_t fewest = 8;
  const bool round_trips = workload_of(benchmark_case).one_clock;
  const std::uint64_t most = round_trips ? 500 : 4'000;
  const std::uint64_t most_bytes = std::uint64_t{8} << 20;
  return std::clamp(most_bytes / benchmark_case.message_bytes, fewest, most);
}

// Cases whose links are alike hold the same; each is probed once a run.
using ProbeKey =
    std::tuple<std::string, std::uint64_t, bool, Capacity, Limits, Wait, Access, Access, unsigned, unsigned>;
ProbeKey probe_key(const Case& c) {
  const Wait send_wait = may_sleep(c.send_wait) ? c.send_wait : Wait::spin;
  return {c.transport, c.message_bytes, is_mix(c),        c.capacity, c.limits,
          send_wait,   c.send_access,   c.receive_access, c.senders,  c.receivers};
}

class Run {
 public:
  Run(const Plan& plan, const RunSettings& settings, Workbench& workbench, const ProgressListener& progress,
      const WarningListener& warn)
      : plan_(plan),
        settings_(settings),
        workbench_(workbench),
        progress_(progress),
        warn_(warn),
        header_(header_of(plan, settings, workbench)),
        held_(settings.resume ? Journal::held(settings.output) : std::nullopt),
        journal_(settings.output, header_, settings.resume) {
    if (held_) {
      done_ = rounds_done(*held_);
      order_ = held_->launches.size() + held_->failures.size();
      for (const FailureRecord& failure : held_->failures) {
        if (failure.round == 0) out_.insert(case_id(failure.benchmark_case));
      }
      for (const SkipRecord& skip : held_->skips) out_.insert(case_id(skip.benchmark_case));
      if (plan_.precision) {
        for (const LaunchRecord& launch : held_->launches)
          for_precision_[case_id(launch.benchmark_case)].push_back(launch);
        for (const PlannedCase& planned : plan_.cases) {
          if (is_precise(planned.id, plan_.launches)) precise_.insert(planned.id);
        }
      }
    }
  }

  ResultFile go() {
    initialise_benchmark_library();
    for (const SkippedCase& skipped : plan_.skipped)
      journal_.append(SkipRecord{skipped.benchmark_case, skipped.reason});
    count_launches();
    stage_ = "verifying";
    for (const PlannedCase& planned : plan_.cases) {
      if (must_stop()) break;
      if (needs_no_more(planned)) continue;
      verify(planned);
    }
    for (unsigned round = 1; round <= plan_.launches && !stopped_; ++round) {
      stage_ = fmt::format("round {} of {}{}", round, plan_.precision ? "at most " : "", plan_.launches);
      for (const std::size_t index : round_order(plan_.seed, round, plan_.cases.size())) {
        if (must_stop()) break;
        const PlannedCase& planned = plan_.cases[index];
        if (out_.contains(planned.id) || precise_.contains(planned.id) || done_[planned.id].contains(round))
          continue;
        measure(planned, round);
      }
      if (plan_.precision && is_look(round) && !stopped_ && look_at_precision(round)) break;
    }
    return journal_.assemble({.finished = iso_time_now(),
                              .complete = !stopped_,
                              .interrupted = interruption_.requested(),
                              .wall_s = (held_ ? held_->wall_s : 0) + seconds_since(begin_ns_)});
  }

 private:
  bool needs_no_more(const PlannedCase& planned) const {
    if (out_.contains(planned.id) || precise_.contains(planned.id)) return true;
    const auto found = done_.find(planned.id);
    return found != done_.end() && found->second.size() >= plan_.launches;
  }

  // Of the launches up to that round.
  bool is_precise(const std::string& id, unsigned round) const {
    std::vector<const LaunchRecord*> launches;
    if (const auto made = for_precision_.find(id); made != for_precision_.end()) {
      for (const LaunchRecord& launch : made->second) {
        if (launch.round <= round) launches.push_back(&launch);
      }
    }
    const auto reached = precision_of(launches, *plan_.precision);
    return reached && reached->attained;
  }

  // With a precision to attain, those until the first look: what comes after is added when it is known.
  void count_launches() {
    counted_rounds_ = plan_.precision ? std::min(first_look, plan_.launches) : plan_.launches;
    for (const PlannedCase& planned : plan_.cases) {
      if (needs_no_more(planned)) continue;
      launches_planned_ += (plan_.verified_while_timed ? 0 : 1) + not_done(planned, 1, counted_rounds_);
    }
  }

  std::size_t not_done(const PlannedCase& planned, unsigned first, unsigned last) {
    std::size_t rounds = 0;
    for (unsigned round = first; round <= last; ++round) rounds += done_[planned.id].contains(round) ? 0 : 1;
    return rounds;
  }

  // Whether all cases are precise enough.
  bool look_at_precision(unsigned round) {
    std::size_t left = 0;
    counted_rounds_ = std::min(2 * round, plan_.launches);
    for (const PlannedCase& planned : plan_.cases) {
      if (out_.contains(planned.id) || precise_.contains(planned.id)) continue;
      if (is_precise(planned.id, round)) {
        precise_.insert(planned.id);
        continue;
      }
      ++left;
      launches_planned_ += not_done(planned, round + 1, counted_rounds_);
    }
    return left == 0;
  }

  bool must_stop() {
    if (stopped_) return true;
    if (interruption_.requested()) {
      stopped_ = true;
    } else if (settings_.time_limit_ns && now_ns() - begin_ns_ >= *settings_.time_limit_ns) {
      stopped_ = true;
      warn_("--time-limit reached: the launches that are left are not made");
    }
    return stopped_;
  }

  void tell(const PlannedCase& planned) {
    const double elapsed_s = seconds_since(begin_ns_);
    const std::size_t left = launches_planned_ - launches_done_;
    double remaining_s = 0;
    if (launches_timed_ > 0) {
      remaining_s =
          seconds_since(rounds_begun_ns_) / static_cast<double>(launches_timed_) * static_cast<double>(left);
    } else {
      // Verifying is a different pace from measuring; of that the plan's estimate is all there is yet.
      const std::size_t timed_left = std::min(left, plan_.cases.size() * plan_.launches);
      const double verified_s = launches_done_ == 0 ? 0 : elapsed_s / static_cast<double>(launches_done_);
      remaining_s = verified_s * static_cast<double>(left - timed_left) +
                    estimated_seconds(plan_) * static_cast<double>(timed_left) /
                        static_cast<double>(plan_.cases.size() * plan_.launches);
    }
    progress_({.stage = stage_,
               .launches_done = launches_done_,
               .launches_planned = launches_planned_,
               .elapsed_s = elapsed_s,
               .remaining_s = remaining_s,
               .case_id = planned.id});
  }

  // Whether the launch ended because the run was interrupted, not through any fault of the case.
  bool was_interrupted() { return interruption_.requested(); }

  // No more launches of this case; `round` is the one under way, 0 while verifying.
  void give_up(const PlannedCase& planned, unsigned round) {
    if (!out_.insert(planned.id).second) return;
    launches_planned_ -= not_done(planned, round + 1, counted_rounds_);
  }

  void fail(const PlannedCase& planned, unsigned round, const LaunchFailure& failure) {
    if (was_interrupted()) return;
    if (failure.kind == LaunchFailure::Kind::unsupported) {
      journal_.append(SkipRecord{planned.benchmark_case, failure.reason});
      give_up(planned, round);
      return;
    }
    if (round == 0) give_up(planned, round);
    journal_.append(FailureRecord{planned.benchmark_case, round, failure.reason});
    warn_(fmt::format("{}: {}", planned.id, failure.reason));
  }

  // What comes before anything is timed; a case that fails its verification is not timed at all.
  void verify(const PlannedCase& planned) {
    tell(planned);
    const TrialContext context = workbench_.context(planned.benchmark_case, interruption_.fd());
    if (plan_.verified_while_timed || passes_verification(planned, context)) {
      if (const ProbeKey key = probe_key(planned.benchmark_case); !capacities_.contains(key)) {
        capacities_.emplace(key, probe_capacity(planned.benchmark_case, context));
      }
    }
    if (is_examined(plan_) && !out_.contains(planned.id) && !was_interrupted()) examine(planned, context);
    if (!plan_.verified_while_timed) ++launches_done_;
  }

  // Every byte of every message compared.
  bool passes_verification(const PlannedCase& planned, const TrialContext& context) {
    // Some mechanisms take 40 ms a message (Nagle's algorithm behind an acknowledgement).
    constexpr std::uint64_t long_enough_ns = 20'000'000;
    const TrialOptions options{.fixed_messages = verified_messages(planned.benchmark_case),
                               .fixed_within_ns = long_enough_ns,
                               .every_byte = true};
    const TrialOutcome outcome = run_trial(planned.benchmark_case, planned.role_pus, options, context);
    const auto* failure = std::get_if<LaunchFailure>(&outcome);
    if (failure != nullptr) fail(planned, 0, *failure);
    return failure == nullptr;
  }

  void examine(const PlannedCase& planned, const TrialContext& context) {
    CostExamination& found = examinations_[planned.id];
    trace_system_calls(planned.benchmark_case, planned.role_pus, context, found);
    if (counters_refusal_.empty()) {
      count_hardware_events(planned.benchmark_case, planned.role_pus, context, found);
      // What this kernel refuses one case it refuses all.
      if (found.counted_note.starts_with("perf_event_open")) counters_refusal_ = found.counted_note;
    } else {
      found.counted_note = counters_refusal_;
    }
  }

  void measure(const PlannedCase& planned, unsigned round) {
    if (rounds_begun_ns_ == 0) rounds_begun_ns_ = now_ns();
    tell(planned);
    TrialContext context = workbench_.context(planned.benchmark_case, interruption_.fd());
    std::vector<HookRun> hooks;
    if (settings_.on_start || settings_.on_end) {
      context.at_edge = [&](TimedEdge edge, const std::vector<pid_t>& roles,
                            const std::vector<int>& os_processors) {
        const bool start = edge == TimedEdge::begin;
        const std::optional<std::string>& command = start ? settings_.on_start : settings_.on_end;
        if (!command) return;
        hooks.push_back(run_hook(start ? "--on-start" : "--on-end", *command,
                                 {planned.id, round, roles, os_processors}, interruption_.fd()));
        warn_of(hooks.back());
      };
    }
    const std::string started = iso_time_now();
    TrialOutcome outcome = run_as_benchmark(planned.id, [&] {
      // One seed a round: all cases of it have the same arrivals.
      return run_trial(planned.benchmark_case, planned.role_pus,
                       {.timed_ns = plan_.min_time_ns,
                        .every_byte = plan_.verified_while_timed,
                        .seed = plan_.seed + round},
                       context);
    });
    if (const auto* failure = std::get_if<LaunchFailure>(&outcome)) {
      fail(planned, round, *failure);
    } else {
      auto& measurement = std::get<Measurement>(outcome);
      const double step_ns = header_.machine.clock.step_ns;
      if (measurement.distribution) withhold_below_step(*measurement.distribution, step_ns);
      for (Distribution& further : measurement.further_distributions) withhold_below_step(further, step_ns);
      // Most workloads begin by one role's clock and end by another's; a round trip needs but one.
      if (!header_.machine.clock.ordered && !workload_of(planned.benchmark_case).one_clock) {
        measurement.verdict.grade = Grade::invalid;
        measurement.verdict.reasons.push_back("the clock was found disordered between processors");
      }
      if (header_.machine.clock.source == time_stamp_counter && !time_stamp_scale.in_use) {
        measurement.verdict.reasons.push_back("by CLOCK_MONOTONIC: the time stamp counter lost its pace");
      }
      const CapacityFacts& capacity = capacities_[probe_key(planned.benchmark_case)];
      std::string unexpected = workload_of(planned.benchmark_case)
                                   .unexpected(planned.benchmark_case, capacity, measurement.observations);
      if (!unexpected.empty()) {
        measurement.verdict.grade = std::max(measurement.verdict.grade, Grade::noisy);
        measurement.verdict.reasons.insert(measurement.verdict.reasons.begin(), std::move(unexpected));
      }
      LaunchRecord record{.benchmark_case = planned.benchmark_case,
                          .capacity = capacity,
                          .round = round,
                          .order = ++order_,
                          .started = started,
                          .examination = {},
                          .hooks = hooks,
                          .measurement = measurement};
      if (auto examined = examinations_.extract(planned.id))
        record.examination = std::move(examined.mapped());
      journal_.append(record);
      if (plan_.precision) {
        // Its histograms are large, and not looked at.
        if (record.measurement.distribution) record.measurement.distribution->histogram.clear();
        record.measurement.further_distributions.clear();
        for_precision_[planned.id].push_back(std::move(record));
      }
    }
    ++launches_done_;
    ++launches_timed_;
  }

  // Each problem once: what fails in one launch mostly fails in all.
  void warn_of(const HookRun& hook) {
    if (hook.problem.empty() || !told_.insert(hook.option + hook.problem).second) return;
    warn_(fmt::format("{}: {} (told once; the result has it for each launch)", hook.option, hook.problem));
  }

  const Plan& plan_;
  const RunSettings& settings_;
  Workbench& workbench_;
  const ProgressListener& progress_;
  const WarningListener& warn_;

  Interruption interruption_;
  std::uint64_t begin_ns_ = now_ns();
  RunHeader header_;
  std::optional<ResultFile> held_;
  Journal journal_;
  std::map<std::string, std::set<unsigned>> done_;  // rounds that a resumed journal already has
  std::map<std::string, std::vector<LaunchRecord>> for_precision_;  // by case
  std::set<std::string> precise_;                                   // cases that need no more launches
  std::set<std::string> out_;  // cases that failed their verification or are unsupported
  std::map<ProbeKey, CapacityFacts> capacities_;
  std::map<std::string, CostExamination> examinations_;  // of cases that have no launch on record yet
  std::set<std::string> told_;                           // problems of hooks
  std::string counters_refusal_;                         // why there are no hardware counters on this machine
  std::string stage_;
  std::uint64_t order_ = 0;
  std::size_t launches_done_ = 0;
  std::size_t launches_timed_ = 0;
  std::size_t launches_planned_ = 0;
  unsigned counted_rounds_ = 0;  // that the launches planned are of
  std::uint64_t rounds_begun_ns_ = 0;
  bool stopped_ = false;
};

// Every two of the processors in use, the first and the last of all among them; of more than fit into a
// second those that cases measure between, and each with the next.
OsPuPairs pairs_for_the_clock(const std::vector<PuInfo>& all, const std::vector<NumberedPu>& used,
                              const std::vector<std::pair<NumberedPu, NumberedPu>>& pairs) {
  constexpr std::size_t most = 20;
  std::set<std::pair<int, int>> chosen{{all.front().os_index, all.back().os_index}};
  for (const auto& [first, second] : pairs) chosen.emplace(std::minmax(first.os_index, second.os_index));
  for (std::size_t i = 0; i < used.size(); ++i) {
    const std::size_t end = used.size() > most ? std::min(i + 2, used.size()) : used.size();
    for (std::size_t j = i + 1; j < end; ++j) chosen.emplace(std::minmax(used[i].os_index, used[j].os_index));
  }
  return {chosen.begin(), chosen.end()};
}

}  // namespace

Machine examine_machine(const Topology& topology, const std::vector<std::uint64_t>& message_sizes,
                        const PusInUse& in_use) {
  Machine machine = describe_machine(topology);
  const std::vector<PuInfo>& pus = topology.pus();
  const auto numbered = [&pus](int logical_index) {
    return NumberedPu{logical_index, std::ranges::find(pus, logical_index, &PuInfo::logical_index)->os_index};
  };
  std::vector<NumberedPu> used;
  for (const int pu : in_use.pus) used.push_back(numbered(pu));
  std::vector<std::pair<NumberedPu, NumberedPu>> pairs;
  for (const auto& [first, second] : in_use.pairs) pairs.emplace_back(numbered(first), numbered(second));

  machine.clock = choose_clock(pairs_for_the_clock(pus, used, pairs));
  constexpr std::uint64_t floors_budget_ns = 3'000'000'000;
  machine.floors = measure_floors(message_sizes);
  add_floors_of(machine.floors, used, pairs, message_sizes, floors_budget_ns);
  return machine;
}

ResultFile run_plan(const Plan& plan, const RunSettings& settings, Workbench& workbench,
                    const ProgressListener& progress, const WarningListener& warn) {
  return Run(plan, settings, workbench, progress, warn).go();
}

}  // namespace ipcmark
