#include "results/knee.h"

#include <algorithm>
#include <string_view>

namespace ipcmark {
namespace {

std::optional<double> p99_ns(const CaseSummary& summary) {
  if (summary.p99_ns) return summary.p99_ns->median;
  return summary.pooled ? summary.pooled->p99_ns : std::nullopt;
}

bool is_evidence(const CaseSummary& summary) {
  return summary.verdict.grade != Grade::invalid && p99_ns(summary);
}

bool bears(const CaseSummary& summary) {
  return is_evidence(summary) && *p99_ns(summary) < static_cast<double>(summary.benchmark_case.p99_bound_ns);
}

Case curve_of(const CaseSummary& summary) {
  Case c = summary.benchmark_case;
  c.rate = {};
  return c;
}

double load_of(const CaseSummary& summary) { return summary.load.value_or(0); }

}  // namespace

double offered_per_second(const CaseSummary& summary) {
  const auto found =
      std::ranges::find(summary.observations, std::string_view("offered"), &ObservationSummary::name);
  return found == summary.observations.end() ? 0 : found->statistic.median;
}

std::vector<Knee> find_knees(std::span<const CaseSummary> summaries) {
  std::vector<Knee> knees;
  for (const CaseSummary& summary : summaries) {
    if (summary.benchmark_case.p99_bound_ns == 0) continue;
    auto known = std::ranges::find(knees, curve_of(summary),
                                   [](const Knee& knee) { return curve_of(*knee.lightest); });
    if (known == knees.end()) known = knees.insert(known, {&summary, nullptr, false});
    known->is_known = known->is_known || is_evidence(summary);
    const double load = load_of(summary);
    if (load < load_of(*known->lightest)) known->lightest = &summary;
    if (bears(summary) && (known->knee == nullptr || load > load_of(*known->knee))) known->knee = &summary;
  }
  return knees;
}

}  // namespace ipcmark
