#include "results/summary.h"

#include <algorithm>
#include <map>
#include <utility>

#include "harness/measurement.h"
#include "results/floor.h"
#include "results/launches.h"
#include "results/verdict.h"

namespace ipcmark {
namespace {

struct Group {
  std::vector<const LaunchRecord*> launches;
  std::vector<const FailureRecord*> failures;
};

template <class Figure>
Statistic over_launches(const Group& group, Figure figure) {
  std::vector<double> values;
  for (const LaunchRecord* launch : group.launches) values.push_back(figure(launch->measurement));
  return summarize(values);
}

std::optional<Statistic> over_launches(const Group& group, std::optional<double> Distribution::*percentile) {
  std::vector<double> values;
  for (const LaunchRecord* launch : group.launches) {
    const auto& value = *launch->measurement.distribution.*percentile;
    if (!value) return {};
    values.push_back(*value);
  }
  return summarize(values);
}

bool all_timed_single_events(const Group& group) {
  return std::ranges::all_of(group.launches, [](const LaunchRecord* launch) {
    const auto& distribution = launch->measurement.distribution;
    return distribution && times_single_events(distribution->of, distribution->messages_per_sample);
  });
}

bool any_scheduled(const Group& group) {
  return std::ranges::any_of(group.launches, [](const LaunchRecord* launch) {
    const auto& distribution = launch->measurement.distribution;
    return distribution && is_scheduled(distribution->of);
  });
}

std::vector<ObservationSummary> observations_over_launches(const Group& group) {
  std::vector<ObservationSummary> summaries;
  std::vector<std::vector<double>> values;
  for (const LaunchRecord* launch : group.launches) {
    for (const Observation& made : launch->measurement.observations) {
      const auto known = std::ranges::find(summaries, made.name, &ObservationSummary::name);
      const auto place = static_cast<std::size_t>(known - summaries.begin());
      if (known == summaries.end()) {
        summaries.push_back({made.name, made.unit, {}});
        values.emplace_back();
      }
      values[place].push_back(made.value);
    }
  }
  for (std::size_t i = 0; i < summaries.size(); ++i) summaries[i].statistic = summarize(values[i]);
  return summaries;
}

std::optional<double> load_over_launches(const Group& group) {
  std::vector<double> shares;
  for (const LaunchRecord* launch : group.launches) {
    const auto observed = [launch](std::string_view name) {
      const auto& made = launch->measurement.observations;
      const auto found = std::ranges::find(made, name, &Observation::name);
      return found == made.end() ? 0 : found->value;
    };
    const double offered = observed("offered"), saturation = observed("saturation");
    if (offered > 0 && saturation > 0) shares.push_back(offered / saturation);
  }
  return shares.empty() ? std::nullopt : std::optional(median(shares));
}

PooledPercentiles pool(const Group& group, double clock_step_ns) {
  const Histogram all = pooled_histogram(group.launches);
  const auto percentile = [&](double share) {
    const std::optional<double> value = all.percentile(share);
    return value && *value < clock_step_ns ? std::nullopt : value;
  };
  return {percentile(0.5), percentile(0.9), percentile(0.99), percentile(0.999), group.launches.size()};
}

CapacityFacts capacity_over_launches(const Group& group) {
  CapacityFacts over_all = group.launches.front()->capacity;
  for (const LaunchRecord* launch : group.launches) {
    const CapacityFacts& facts = launch->capacity;
    if (facts.fits_min)
      over_all.fits_min = std::min(over_all.fits_min.value_or(*facts.fits_min), *facts.fits_min);
    if (facts.fits_max)
      over_all.fits_max = std::max(over_all.fits_max.value_or(*facts.fits_max), *facts.fits_max);
    over_all.fits_is_lower_bound |= facts.fits_is_lower_bound;
  }
  if (const auto& read_back = group.launches.front()->measurement.limit) over_all.limit = read_back;
  return over_all;
}

std::vector<RoleCostSummary> costs_over_launches(const Group& group) {
  std::vector<RoleCostSummary> costs;
  const LaunchRecord& any = *group.launches.front();
  // The same in all launches of a run; a run that was resumed may have none in some.
  const auto found = std::ranges::find_if(
      group.launches, [](const LaunchRecord* launch) { return launch->examination.has_value(); });
  const CostExamination* const examined = found == group.launches.end() ? nullptr : &*(*found)->examination;
  for (std::size_t role = 0; role < any.measurement.roles.size(); ++role) {
    const auto over = [&](auto figure) {
      std::vector<double> values;
      for (const LaunchRecord* launch : group.launches) {
        const Measurement& measurement = launch->measurement;
        if (role >= measurement.roles.size()) continue;
        values.push_back(static_cast<double>(figure(measurement.roles[role].cost)) /
                         static_cast<double>(measurement.messages));
      }
      return median(values);
    };
    RoleCostSummary cost;
    cost.role = any.measurement.roles[role].role;
    cost.cpu_ns = over([](const RoleCost& used) { return used.cpu_ns; });
    cost.voluntary_switches = over([](const RoleCost& used) { return used.voluntary_switches; });
    cost.involuntary_switches = over([](const RoleCost& used) { return used.involuntary_switches; });
    cost.faults = over([](const RoleCost& used) { return used.minor_faults + used.major_faults; });
    if (std::ranges::all_of(group.launches, [role](const LaunchRecord* launch) {
          return role < launch->measurement.roles.size() &&
                 launch->measurement.roles[role].cost.run_delay_ns.has_value();
        }))
      cost.run_delay_ns = over([](const RoleCost& used) { return *used.run_delay_ns; });
    if (examined != nullptr) {
      if (role < examined->traced.size() && examined->traced_messages > 0) {
        double calls = 0;
        for (const CostExamination::Call& call : examined->traced[role].calls)
          calls += static_cast<double>(call.count);
        cost.system_calls = calls / static_cast<double>(examined->traced_messages);
      }
      if (role < examined->counted.size() && examined->counted_messages > 0) {
        const auto each = [&](const std::optional<std::uint64_t>& count) {
          return count ? std::optional(static_cast<double>(*count) /
                                       static_cast<double>(examined->counted_messages))
                       : std::nullopt;
        };
        const CostExamination::Counted& counted = examined->counted[role];
        cost.cycles = each(counted.cycles);
        cost.instructions = each(counted.instructions);
        cost.cache_misses = each(counted.cache_misses);
        cost.branch_misses = each(counted.branch_misses);
      }
    }
    costs.push_back(std::move(cost));
  }
  return costs;
}

CaseFloor under(const Floor& floor, const char* figure, const Statistic& statistic) {
  return {figure, floor.what, floor.ns, statistic.median / floor.ns};
}

CaseSummary summarize_case(const std::string& id, const Group& group, const RunHeader& header) {
  const Floors& floors = header.machine.floors;
  CaseSummary summary;
  summary.id = id;
  summary.benchmark_case = group.launches.front()->benchmark_case;
  summary.capacity = capacity_over_launches(group);
  summary.launches = group.launches.size();
  summary.verdict = judge_case(group.launches, group.failures);
  summary.scheduled = any_scheduled(group);
  if (header.precision) {
    summary.precision = precision_of(group.launches, *header.precision);
    summary.verdict.reasons.push_back(precision_reason(summary.precision, *header.precision));
  }
  summary.ns_per_message = over_launches(group, ns_per_message);
  summary.messages_per_second = over_launches(group, messages_per_second);
  summary.bytes_per_second = over_launches(group, bytes_per_second);
  summary.cpu_ns_per_message = over_launches(group, cpu_ns_per_message);
  summary.observations = observations_over_launches(group);
  summary.load = load_over_launches(group);
  summary.costs = costs_over_launches(group);
  if (all_timed_single_events(group)) {
    summary.p50_ns = over_launches(group, &Distribution::p50_ns);
    summary.p99_ns = over_launches(group, &Distribution::p99_ns);
    summary.pooled = pool(group, header.machine.clock.step_ns);
  }
  if (const auto of_latency = latency_floor(floors, group.launches)) {
    if (summary.p50_ns) {
      summary.floor = under(*of_latency, "p50_ns", *summary.p50_ns);
    } else if (!summary.scheduled) {
      summary.floor = under(*of_latency, "ns_per_message", summary.ns_per_message);
    }
  } else if (const auto of_throughput = throughput_floor(floors, group.launches)) {
    summary.floor = under(*of_throughput, "ns_per_message", summary.ns_per_message);
  }
  return summary;
}

}  // namespace

double ns_per_message(const Measurement& measurement) {
  return static_cast<double>(measurement.span_ns) / static_cast<double>(measurement.messages);
}

double messages_per_second(const Measurement& measurement) {
  return static_cast<double>(measurement.messages) * ns_per_second / static_cast<double>(measurement.span_ns);
}

double bytes_per_second(const Measurement& measurement) {
  return static_cast<double>(measurement.bytes) * ns_per_second / static_cast<double>(measurement.span_ns);
}

double cpu_ns_per_message(const Measurement& measurement) {
  double cpu_ns = 0;
  for (const RoleReport& role : measurement.roles) cpu_ns += static_cast<double>(role.cost.cpu_ns);
  return cpu_ns / static_cast<double>(measurement.messages);
}

std::vector<CaseSummary> summarize_cases(const ResultFile& results) {
  std::map<std::string, Group> groups;
  std::vector<std::string> ids;
  for (const LaunchRecord& launch : results.launches) {
    const auto [group, is_new] = groups.try_emplace(case_id(launch.benchmark_case));
    if (is_new) ids.push_back(group->first);
    group->second.launches.push_back(&launch);
  }
  for (const FailureRecord& failure : results.failures) {
    if (const auto group = groups.find(case_id(failure.benchmark_case)); group != groups.end()) {
      group->second.failures.push_back(&failure);
    }
  }
  std::vector<CaseSummary> summaries;
  for (const std::string& id : ids) summaries.push_back(summarize_case(id, groups.at(id), results.header));
  return summaries;
}

}  // namespace ipcmark
