// The bounds behind every verdict, and the shares of time they are held against. They stand here and nowhere
// else; README.md tells them to users. One launch is judged by workloads/launch_verdict.h, the launches of a
// case together by results/verdict.h.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "harness/measurement.h"

namespace ipcmark {

// ---- of one launch ----

// Share of the timed span in which somebody else had the processor: a role that has its processor for itself
// was runnable but did not run, the host took the processor away (steal), or a quota stopped the roles. Above
// this the figure is partly theirs.
inline constexpr double noisy_lost_share = 0.02;

// A timed part shorter than this is made of its edges: the first faults, the last wake-up.
inline constexpr double noisy_span_ns = 1e6;

// ---- of the warm-up before it ----

// The last five windows are looked at. They may drift by a tenth, which a timed part ten times as long or
// more would show as less than its launches differ by (noisy_spread), and all but the least and the most of
// them may lie a fifth apart: more on an idle machine is a mechanism that has not settled.
inline constexpr std::size_t steady_windows = 5;
inline constexpr double steady_drift = 0.10;
inline constexpr double steady_spread = 0.20;

// ---- of its surroundings ----

// Interrupts of devices for each second and processor. One takes 2 to 5 µs with what it leaves of the caches;
// 2,000 are half a percent to a percent of the time, and the whole of the last percentile.
inline constexpr double noisy_interrupts_per_s = 2'000;

// Times a second that a role which has its processor for itself was put off it. Idle machines do it some ten
// times (kernel threads, the tick); above this a round trip in a thousand meets one.
inline constexpr double noisy_preemptions_per_s = 200;
// As few as these are no rate: a short span has them by chance.
inline constexpr std::uint64_t few_preemptions = 5;

// Share of the time in which some task waited for memory to be reclaimed (PSI): then pages of the roles are
// taken too. Waits for processors and disks are recorded but not judged: PSI counts tasks of the whole
// system, and roles that take turns on a processor are among them.
inline constexpr double noisy_memory_pressure_share = 0.02;

// ---- of the launches of a case ----

// Under 6 launches not even [min, max] covers the median with 95 % (results/statistics.h).
inline constexpr std::size_t launches_for_interval = 6;

// Quartiles of fewer values are interpolated from the extremes alone, and say nothing the range does not.
inline constexpr std::size_t launches_for_spread = 4;

// Quartile spread of ns per message over its median. For a normal sample the 95 % interval of a median of 6
// launches is about 3/4 of the quartile spread to each side: at 10 %, two cases closer than 15 % cannot be
// told apart.
inline constexpr double noisy_spread = 0.10;

// Quartiles break down when a quarter of the values is arbitrary; with more noisy launches than that the
// spread above proves nothing.
inline constexpr double noisy_launches = 0.25;

// Quartile spread of the cache-line round trip, for cases that spin across processors: their time is made of
// such round trips, so when those drift (as they do on virtual machines) the case measured the drift.
inline constexpr double noisy_cache_line_spread = 0.25;

// Quartile spread of the fastest processor's frequency.
inline constexpr double noisy_frequency_spread = 0.05;

// In more than half of the launches more than this share of the span was lost: the median itself is then
// mostly somebody else's time.
inline constexpr double invalid_lost_share = 0.25;

// ---- the shares ----

// Roles that take turns on a processor wait for each other by design.
inline bool has_its_processor_alone(const RoleReport& role, const std::vector<RoleReport>& roles) {
  return role.granted_pus.size() == 1 &&
         std::none_of(roles.begin(), roles.end(), [&](const RoleReport& other) {
           return &other != &role && other.granted_pus == role.granted_pus;
         });
}

inline double run_delay_share(const RoleReport& role, const Measurement& measurement) {
  return static_cast<double>(role.cost.run_delay_ns.value_or(0)) / static_cast<double>(measurement.span_ns);
}

// Steal is told in steps of 10 ms for each processor. Of one launch only what is over that step is certain;
// over many launches the steps even out, and all of it counts.
inline double certain_steal_share(const Disturbance& disturbance) {
  constexpr double step_ns = 10e6;
  const double processors = static_cast<double>(disturbance.os_processors.size());
  const double certain_ns = static_cast<double>(disturbance.steal_ns.value_or(0)) - step_ns * processors;
  return std::max(0.0, certain_ns) / (static_cast<double>(disturbance.observed_ns) * processors);
}

// The kernel adds up what each processor stood still for the quota, and whether it was the same moment is not
// told: of the time the roles were stopped at most all of that, and at least its mean over their processors.
inline double most_quota_share(const Disturbance& disturbance) {
  return std::min(1.0, static_cast<double>(disturbance.quota_throttled_ns.value_or(0)) /
                           static_cast<double>(disturbance.observed_ns));
}
inline double least_quota_share(const Disturbance& disturbance) {
  return std::min(1.0, static_cast<double>(disturbance.quota_throttled_ns.value_or(0)) /
                           (static_cast<double>(disturbance.observed_ns) *
                            static_cast<double>(disturbance.os_processors.size())));
}

// The largest of these shares.
inline double lost_share(const Measurement& measurement) {
  double share = 0;
  for (const RoleReport& role : measurement.roles) {
    if (!role.asked_pus.empty() && has_its_processor_alone(role, measurement.roles))
      share = std::max(share, run_delay_share(role, measurement));
  }
  if (measurement.disturbance) {
    share = std::max(
        {share, certain_steal_share(*measurement.disturbance), least_quota_share(*measurement.disturbance)});
  }
  return share;
}

}  // namespace ipcmark
