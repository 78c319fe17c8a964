#include "workloads/launch_verdict.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <utility>

namespace ipcmark {
namespace {

using Blame = std::function<void(Grade, std::string)>;

void judge_role(const RoleReport& role, const Measurement& measurement, const Blame& blame) {
  if (!role.asked_pus.empty() && role.asked_pus != role.granted_pus) {
    blame(Grade::invalid, fmt::format("{} was pinned to PU {} but the kernel granted {}", role.role,
                                      fmt::join(role.asked_pus, "+"), fmt::join(role.granted_pus, "+")));
  }
  if (role.stops > 0) {
    blame(Grade::invalid,
          fmt::format("{} was stopped by a signal {} time{}, for {:.0f} ms in all", role.role, role.stops,
                      role.stops == 1 ? "" : "s", static_cast<double>(role.stopped_ns) / 1e6));
  }
  if (role.cost.major_faults > 0) {
    blame(Grade::noisy,
          fmt::format("{} waited {} times for a page from a disk", role.role, role.cost.major_faults));
  }
  if (role.asked_pus.empty() || !has_its_processor_alone(role, measurement.roles)) return;
  if (const double share = run_delay_share(role, measurement); share > noisy_lost_share) {
    blame(Grade::noisy, fmt::format("{} waited {:.1f} % of the span for its processor (bound {:.0f} %)",
                                    role.role, 100 * share, 100 * noisy_lost_share));
  }
  const double span_s = static_cast<double>(measurement.span_ns) / 1e9;
  const double preemptions_per_s = static_cast<double>(role.cost.involuntary_switches) / span_s;
  if (role.cost.involuntary_switches > few_preemptions && preemptions_per_s > noisy_preemptions_per_s) {
    blame(Grade::noisy, fmt::format("{} was put off its processor {:.0f} times a second (bound {:.0f})",
                                    role.role, preemptions_per_s, noisy_preemptions_per_s));
  }
}

void judge_warm_up(const WarmUpReport& found, const Blame& blame) {
  if (!found.judged || found.steady) return;
  blame(Grade::noisy,
        fmt::format(
            "steady state not reached: over the last {} of {} warm-up windows of {:.1f} ms the time of a "
            "message drifted by {:+.0f} % (bound {:.0f} %) and was spread over {:.0f} % (bound {:.0f} %)",
            steady_windows, found.windows, found.window_ns / 1e6, 100 * found.drift, 100 * steady_drift,
            100 * found.spread, 100 * steady_spread));
}

void judge_surroundings(const Disturbance& found, const Blame& blame) {
  if (const double share = certain_steal_share(found); share > noisy_lost_share) {
    blame(Grade::noisy,
          fmt::format("the host took at least {:.1f} % of the processors' time away (steal; bound {:.0f} %)",
                      100 * share, 100 * noisy_lost_share));
  }
  if (const double share = most_quota_share(found); share > noisy_lost_share) {
    blame(Grade::noisy, fmt::format("a CPU quota stopped this control group for up to {:.0f} ms in {:.0f} ms",
                                    share * static_cast<double>(found.observed_ns) / 1e6,
                                    static_cast<double>(found.observed_ns) / 1e6));
  }
  const double processor_s =
      static_cast<double>(found.observed_ns) / 1e9 * static_cast<double>(found.os_processors.size());
  if (const double rate = static_cast<double>(found.device_interrupts.value_or(0)) / processor_s;
      rate > noisy_interrupts_per_s) {
    blame(Grade::noisy,
          fmt::format(
              "devices interrupted its processors {:.0f} times a second each, on average (bound {:.0f})",
              rate, noisy_interrupts_per_s));
  }
  if (found.heat_throttles.value_or(0) > 0) {
    blame(Grade::noisy, fmt::format("cores were slowed down for their temperature {} time{}",
                                    *found.heat_throttles, *found.heat_throttles == 1 ? "" : "s"));
  }
  const double waited_ns = static_cast<double>(found.memory_pressure_ns.value_or(0));
  if (const double share = waited_ns / static_cast<double>(found.observed_ns);
      share > noisy_memory_pressure_share) {
    blame(Grade::noisy, fmt::format("tasks waited for memory {:.1f} % of the time (bound {:.0f} %)",
                                    100 * share, 100 * noisy_memory_pressure_share));
  }
}

// What was looked at and found in order.
std::string all_clear(const Case& benchmark_case, const Measurement& measurement) {
  std::uint64_t involuntary = 0;
  for (const RoleReport& role : measurement.roles) involuntary += role.cost.involuntary_switches;
  std::string text = fmt::format(
      "{} messages intact; lost {:.2f} % of the span to others; {} involuntary "
      "switches; {}",
      measurement.integrity.checked, 100 * lost_share(measurement), involuntary,
      benchmark_case.placement == "unpinned" ? "not pinned" : "pinned as asked");
  if (measurement.disturbance && measurement.disturbance->device_interrupts) {
    text += fmt::format("; {} device interrupts", *measurement.disturbance->device_interrupts);
  }
  return text;
}

}  // namespace

Verdict judge_launch(const Case& benchmark_case, const Measurement& measurement) {
  Verdict verdict;
  const Blame blame = [&](Grade grade, std::string reason) {
    verdict.grade = std::max(verdict.grade, grade);
    verdict.reasons.push_back(std::move(reason));
  };
  for (const RoleReport& role : measurement.roles) judge_role(role, measurement, blame);
  if (measurement.disturbance) judge_surroundings(*measurement.disturbance, blame);
  if (measurement.warm_up) judge_warm_up(*measurement.warm_up, blame);
  const auto span_ns = static_cast<double>(measurement.span_ns);
  if (span_ns < noisy_span_ns) {
    blame(Grade::noisy, fmt::format("the timed part took only {:.0f} µs (bound {:.0f} µs)", span_ns / 1e3,
                                    noisy_span_ns / 1e3));
  }
  if (verdict.reasons.empty()) verdict.reasons.push_back(all_clear(benchmark_case, measurement));
  return verdict;
}

}  // namespace ipcmark
