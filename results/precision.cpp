#include "results/precision.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "results/statistics.h"
#include "results/summary.h"

namespace ipcmark {
namespace {

constexpr double may_miss = 0.05;
constexpr double first_may_miss = 0.0313;  // the range of six launches misses the median with 1/32

std::vector<double> figures_of(std::span<const LaunchRecord* const> launches) {
  std::vector<double> events, times;
  for (const LaunchRecord* launch : launches) {
    const Measurement& measurement = launch->measurement;
    times.push_back(ns_per_message(measurement));
    const auto& found = measurement.distribution;
    if (found && found->p50_ns && times_single_events(found->of, found->messages_per_sample))
      events.push_back(*found->p50_ns);
  }
  return events.size() == times.size() ? events : times;
}

}  // namespace

std::optional<PrecisionReached> precision_of(std::span<const LaunchRecord* const> launches, double asked) {
  unsigned last = 0;
  for (const LaunchRecord* launch : launches) last = std::max(last, launch->round);
  std::optional<PrecisionReached> reached;
  double spend = first_may_miss, left = may_miss - first_may_miss;
  for (unsigned look = first_look; look <= last; look *= 2) {
    std::vector<const LaunchRecord*> so_far;
    std::ranges::copy_if(launches, std::back_inserter(so_far),
                         [look](const LaunchRecord* launch) { return launch->round <= look; });
    const std::vector<double> figures = figures_of(so_far);
    if (figures.empty()) continue;
    reached = {.rounds = look, .median = median(figures), .interval = median_interval(figures, 1 - spend)};
    reached->attained = reached->interval && *reached->half_width() <= asked;
    if (reached->attained) break;
    spend = left / 2;
    left -= spend;
  }
  return reached;
}

std::string precision_reason(const std::optional<PrecisionReached>& reached, double asked) {
  if (!reached)
    return fmt::format("precision of {:g} % not looked at before round {}", 100 * asked, first_look);
  const std::string word = reached->attained ? "attained" : "not attained";
  const std::string after =
      fmt::format("precision of {:g} % {} after {} rounds", 100 * asked, word, reached->rounds);
  const auto half_width = reached->half_width();
  if (!half_width) return after + ": too few launches gave a figure";
  return fmt::format("{}: half the interval is {:.1f} % of the median", after, 100 * *half_width);
}

}  // namespace ipcmark
