#include "results/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "results/launches.h"
#include "results/statistics.h"
#include "results/summary.h"

namespace ipcmark {
namespace {

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

// Of all launches together, where the steps it is told in even out.
std::optional<double> steal_share(std::span<const LaunchRecord* const> launches) {
  double stolen_ns = 0, processor_ns = 0;
  for (const LaunchRecord* launch : launches) {
    const auto& found = launch->measurement.disturbance;
    if (!found || !found->steal_ns) continue;
    stolen_ns += static_cast<double>(*found->steal_ns);
    processor_ns +=
        static_cast<double>(found->observed_ns) * static_cast<double>(found->os_processors.size());
  }
  return processor_ns > 0 ? std::optional(stolen_ns / processor_ns) : std::nullopt;
}

std::vector<double> frequencies(std::span<const LaunchRecord* const> launches) {
  std::vector<double> mhz;
  for (const LaunchRecord* launch : launches) {
    if (const auto& found = launch->measurement.disturbance; found && found->mhz) mhz.push_back(*found->mhz);
  }
  return mhz;
}

std::optional<double> time_of(const Measurement& measurement) {
  const auto& distribution = measurement.distribution;
  if (distribution && is_scheduled(distribution->of)) return distribution->p50_ns;
  return ns_per_message(measurement);
}

// What the launch of the first round took, when it lies outside what all others took by more than the bound
// of their spread; empty else.
std::string first_launch_effect(std::span<const LaunchRecord* const> launches) {
  std::vector<double> others;
  std::optional<double> first;
  for (const LaunchRecord* launch : launches) {
    const std::optional<double> took = time_of(launch->measurement);
    if (launch->round == 1) {
      first = took;
    } else if (took) {
      others.push_back(*took);
    }
  }
  if (!first || others.size() + 1 < launches_for_spread) return {};
  const double took = *first;
  const auto [least, most] = std::ranges::minmax(others);
  const double change = took / median(others) - 1;
  if ((took >= least && took <= most) || std::abs(change) <= noisy_spread) return {};
  return fmt::format("the first launch took {:.0f} % {} than the median of the others",
                     100 * std::abs(change), change > 0 ? "longer" : "less");
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
  std::vector<double> lost;
  for (const LaunchRecord* launch : launches) lost.push_back(lost_share(launch->measurement));
  const auto much_lost = static_cast<std::size_t>(
      std::ranges::count_if(lost, [](double share) { return share > invalid_lost_share; }));
  if (2 * much_lost > all) {
    lower_to(Grade::invalid,
             fmt::format("{} of {} launches lost over {:.0f} % of their span to others, in the "
                         "median {:.0f} %",
                         much_lost, all, 100 * invalid_lost_share, 100 * median(lost)));
  }
  if (const std::size_t noisy = count(launches, Grade::noisy); noisy > 0) {
    const bool too_many = static_cast<double>(noisy) > noisy_launches * static_cast<double>(all);
    lower_to(too_many ? Grade::noisy : Grade::ok, fmt::format("{} of {} launches are noisy: {}", noisy, all,
                                                              first_reason(launches, Grade::noisy)));
  }

  if (const auto share = steal_share(launches); share && *share > noisy_lost_share) {
    lower_to(Grade::noisy, fmt::format("the host took {:.1f} % of the processors' time away (steal; bound "
                                       "{:.0f} %)",
                                       100 * *share, 100 * noisy_lost_share));
  }

  if (all >= launches_for_spread) {
    std::vector<double> times;
    for (const LaunchRecord* launch : launches) {
      if (const auto took = time_of(launch->measurement)) times.push_back(*took);
    }
    if (times.size() < all) {
      lower_to(Grade::ok, fmt::format("{} of {} launches have too few samples for a p50: how far they lie "
                                      "apart is not known",
                                      all - times.size(), all));
    } else {
      const double spread = quartile_spread(times);
      const bool wide = spread > noisy_spread;
      lower_to(wide ? Grade::noisy : Grade::ok,
               fmt::format("launch-to-launch quartile spread {:.1f} % of the median ({} {:.0f} %)",
                           100 * spread, wide ? "over" : "within", 100 * noisy_spread));
    }
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

  if (const std::vector<double> mhz = frequencies(launches); mhz.size() >= launches_for_spread) {
    if (const double spread = quartile_spread(mhz); spread > noisy_frequency_spread) {
      lower_to(Grade::noisy,
               fmt::format(
                   "the processors' frequency lay between {:.0f} and {:.0f} MHz, quartile spread {:.0f} "
                   "% of the median (over {:.0f} %)",
                   std::ranges::min(mhz), std::ranges::max(mhz), 100 * spread, 100 * noisy_frequency_spread));
    }
  }
  if (std::string effect = first_launch_effect(launches); !effect.empty()) {
    lower_to(Grade::ok, std::move(effect));
  }

  if (all < launches_for_interval) {
    lower_to(Grade::ok, fmt::format("{} launch{} of the {} a 95 % interval needs", all, all == 1 ? "" : "es",
                                    launches_for_interval));
  }
  return verdict;
}

}  // namespace ipcmark
