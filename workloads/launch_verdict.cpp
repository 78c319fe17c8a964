#include "workloads/launch_verdict.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace ipcmark {
namespace {

// Roles that take turns on a processor wait for each other by design.
bool has_its_processor_alone(const RoleReport& role, const std::vector<RoleReport>& roles) {
  return std::none_of(roles.begin(), roles.end(), [&](const RoleReport& other) {
    return &other != &role && other.granted_pus == role.granted_pus;
  });
}

}  // namespace

Verdict judge_launch(const Case& benchmark_case, const Measurement& measurement) {
  Verdict verdict;
  const auto blame = [&](Grade grade, std::string reason) {
    verdict.grade = std::max(verdict.grade, grade);
    verdict.reasons.push_back(std::move(reason));
  };
  const auto span_ns = static_cast<double>(measurement.span_ns);
  double worst_delay_share = 0;
  std::uint64_t involuntary = 0;
  for (const RoleReport& role : measurement.roles) {
    involuntary += role.cost.involuntary_switches;
    if (!role.asked_pus.empty() && role.asked_pus != role.granted_pus) {
      blame(Grade::invalid, fmt::format("{} was pinned to PU {} but the kernel granted {}", role.role,
                                        fmt::join(role.asked_pus, "+"), fmt::join(role.granted_pus, "+")));
    }
    if (role.cost.major_faults > 0) {
      blame(Grade::noisy,
            fmt::format("{} waited {} times for a page from a disk", role.role, role.cost.major_faults));
    }
    if (role.cost.run_delay_ns && !role.asked_pus.empty() &&
        has_its_processor_alone(role, measurement.roles)) {
      const double share = static_cast<double>(*role.cost.run_delay_ns) / span_ns;
      worst_delay_share = std::max(worst_delay_share, share);
      if (share > noisy_run_delay_share) {
        blame(Grade::noisy, fmt::format("{} waited {:.1f} % of the span for its processor (bound {:.0f} %)",
                                        role.role, 100 * share, 100 * noisy_run_delay_share));
      }
    }
  }
  if (span_ns < noisy_span_ns) {
    blame(Grade::noisy, fmt::format("the timed part took only {:.0f} µs (bound {:.0f} µs)", span_ns / 1e3,
                                    noisy_span_ns / 1e3));
  }
  if (verdict.reasons.empty()) {
    verdict.reasons.push_back(
        fmt::format("{} messages intact; waited for a processor {:.2f} % of the span; {} involuntary "
                    "switches; {}",
                    measurement.integrity.checked, 100 * worst_delay_share, involuntary,
                    benchmark_case.placement == "unpinned" ? "not pinned" : "pinned as asked"));
  }
  return verdict;
}

}  // namespace ipcmark
