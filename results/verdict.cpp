#include "results/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "results/statistics.h"
#include "results/summary.h"

namespace ipcmark {
namespace {

bool spins(Wait wait) { return wait == Wait::spin || wait == Wait::yield || wait == Wait::adaptive; }

std::size_t count(std::span<const LaunchRecord* const> launches, Grade grade) {
  return static_cast<std::size_t>(std::ranges::count_if(
      launches, [grade](const LaunchRecord* launch) { return launch->measurement.verdict.grade == grade; }));
}

const std::string& first_reason(std::span<const LaunchRecord* const> launches, Grade grade) {
  static const std::string none = "no reason given";
  for (const LaunchRecord* launch : launches) {
    const Verdict& verdict = launch->measurement.verdict;
    if (verdict.grade == grade && !verdict.reasons.empty()) return verdict.reasons.front();
  }
  return none;
}

std::vector<double> cache_line_round_trips(std::span<const LaunchRecord* const> launches) {
  std::vector<double> values;
  for (const LaunchRecord* launch : launches) {
    if (launch->measurement.cache_line_round_trip_ns > 0) {
      values.push_back(launch->measurement.cache_line_round_trip_ns);
    }
  }
  return values;
}

}  // namespace

Verdict judge_case(std::span<const LaunchRecord* const> launches,
                   std::span<const FailureRecord* const> failures) {
  Verdict verdict;
  const auto lower_to = [&verdict](Grade grade, std::string reason) {
    verdict.grade = std::max(verdict.grade, grade);
    verdict.reasons.push_back(std::move(reason));
  };

  const std::size_t all = launches.size();
  if (!failures.empty()) {
    lower_to(Grade::invalid, fmt::format("{} of {} launches failed: {}", failures.size(),
                                         failures.size() + all, failures.front()->reason));
  }
  if (const std::size_t bad = count(launches, Grade::invalid); bad > 0) {
    lower_to(Grade::invalid, fmt::format("{} of {} launches are invalid: {}", bad, all,
                                         first_reason(launches, Grade::invalid)));
  }
  if (const std::size_t noisy = count(launches, Grade::noisy); noisy > 0) {
    const bool too_many = static_cast<double>(noisy) > noisy_launches * static_cast<double>(all);
    lower_to(too_many ? Grade::noisy : Grade::ok, fmt::format("{} of {} launches are noisy: {}", noisy, all,
                                                              first_reason(launches, Grade::noisy)));
  }

  if (all >= launches_for_spread) {
    std::vector<double> times;
    for (const LaunchRecord* launch : launches) times.push_back(ns_per_message(launch->measurement));
    const double spread = quartile_spread(times);
    const bool wide = spread > noisy_spread;
    lower_to(wide ? Grade::noisy : Grade::ok,
             fmt::format("launch-to-launch quartile spread {:.1f} % of the median ({} {:.0f} %)",
                         100 * spread, wide ? "over" : "within", 100 * noisy_spread));
  }

  const Case& common = launches.front()->benchmark_case;
  const std::vector<double> round_trips = cache_line_round_trips(launches);
  if ((spins(common.send_wait) || spins(common.receive_wait)) && round_trips.size() >= launches_for_spread) {
    if (const double spread = quartile_spread(round_trips); spread > noisy_cache_line_spread) {
      lower_to(
          Grade::noisy,
          fmt::format("cache-line round trip drifted between {:.0f} and {:.0f} ns, quartile spread {:.0f} % "
                      "of the median (over {:.0f} %)",
                      std::ranges::min(round_trips), std::ranges::max(round_trips), 100 * spread,
                      100 * noisy_cache_line_spread));
    }
  }

  if (all < launches_for_interval) {
    lower_to(Grade::ok, fmt::format("{} launch{} of the {} a 95 % interval needs", all, all == 1 ? "" : "es",
                                    launches_for_interval));
  }
  return verdict;
}

}  // namespace ipcmark
