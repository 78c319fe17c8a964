#include "results/knee.h"

#include <algorithm>
#include <string_view>

namespace ipcmark {
namespace {

std::optional<double> p99_ns(const CaseSummary& summary) {
  if (summary.p99_ns) return summary.p99_ns->median;
  return summary.pooled ? summary.pooled->p99_ns : std::nullopt;
}

bool bears(const CaseSummary& summary) {
  const std::optional<double> ns = p99_ns(summary);
  return summary.verdict.grade != Grade::invalid && ns &&
         *ns < static_cast<double>(summary.benchmark_case.p99_bound_ns);
}

Case curve_of(const CaseSummary& summary) {
  Case c = summary.benchmark_case;
  c.rate = {};
  return c;
}

double observed(const CaseSummary& summary, std::string_view name) {
  const auto found = std::ranges::find(summary.observations, name, &ObservationSummary::name);
  return found == summary.observations.end() ? 0 : found->statistic.median;
}

double load_of(const CaseSummary& summary) {
  const double saturation = observed(summary, "saturation");
  return saturation > 0 ? offered_per_second(summary) / saturation : 0;
}

}  // namespace

double offered_per_second(const CaseSummary& summary) { return observed(summary, "offered"); }

std::vector<Knee> find_knees(std::span<const CaseSummary> summaries) {
  std::vector<Knee> knees;
  for (const CaseSummary& summary : summaries) {
    if (summary.benchmark_case.p99_bound_ns == 0) continue;
    auto known = std::ranges::find(knees, curve_of(summary),
                                   [](const Knee& knee) { return curve_of(*knee.lightest); });
    if (known == knees.end()) known = knees.insert(known, {&summary, nullptr});
    const double load = load_of(summary);
    if (load < load_of(*known->lightest)) known->lightest = &summary;
    if (bears(summary) && (known->knee == nullptr || load > load_of(*known->knee))) known->knee = &summary;
  }
  return knees;
}

}  // namespace ipcmark
