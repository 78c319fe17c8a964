#include "harness/command/workbench.h"

#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

#include "harness/embedded_suites.h"
#include "harness/text.h"
#include "results/suite_file.h"

namespace ipcmark {

Workbench::Workbench()
    : topology_(Topology::of_this_machine()),
      transports_(traits_of(Registry::instance().transports())),
      named_only_(traits_of(Registry::instance().named_only())) {
  for (const TransportTraits& transport : transports_) {
    for (const std::string& workload : transport.workloads) {
      if (std::find(workloads_.begin(), workloads_.end(), workload) == workloads_.end())
        workloads_.push_back(workload);
    }
  }
}

std::vector<std::string> Workbench::transport_names() const {
  std::vector<std::string> names;
  for (const TransportTraits& transport : transports_) names.push_back(transport.name);
  return names;
}

const Isolation& Workbench::isolation(Limits limits) {
  const auto found = isolations_.find(limits);
  return found != isolations_.end() ? found->second
                                    : isolations_.emplace(limits, probe_isolation(limits)).first->second;
}

TrialContext Workbench::context(const Case& benchmark_case, int interrupt_fd) {
  return {.topology = topology_, .isolation = isolation(benchmark_case.limits), .interrupt_fd = interrupt_fd};
}

const WorkloadEntry& workload_of(const Case& c) {
  if (const WorkloadEntry* own = Registry::instance().find(c.transport)->find_workload(c.workload))
    return *own;
  for (const TransportEntry& other : Registry::instance().transports()) {
    if (const WorkloadEntry* entry = other.find_workload(c.workload)) return *entry;
  }
  throw std::out_of_range("no workload is named " + c.workload);
}

std::vector<RoleKind> Workbench::roles(const Case& benchmark_case) const {
  return workload_of(benchmark_case).roles(benchmark_case);
}

PlacementAnswer Workbench::place(std::string_view placement, unsigned roles) const {
  try {
    const Placement placed = resolve(topology_, placement, roles);
    return {.name = placed.name, .role_pus = placed.role_pus, .reason = {}};
  } catch (const Unsupported& reason) {
    return {.name = {}, .role_pus = {}, .reason = reason.what()};
  }
}

Plan Workbench::plan(const Suite& suite, const Narrowing& narrowing, std::uint64_t seed,
                     bool account_for_all) {
  std::vector<std::string> every_pair;
  const std::vector<int> pus = representative_pus(topology_);
  for (std::size_t i = 0; i < pus.size(); ++i) {
    for (std::size_t j = i; j < pus.size(); ++j) every_pair.push_back(fmt::format("{}+{}", pus[i], pus[j]));
  }
  const PlanInputs inputs{
      .transports = transports_,
      .named_only = named_only_,
      .workloads = workloads_,
      .roles = [this](const Case& c) { return roles(c); },
      .unfit =
          [](const Case& c) {
            return workload_of(c).unfit(c, Registry::instance().find(c.transport)->traits);
          },
      .place = [this](std::string_view placement, unsigned roles) { return place(placement, roles); },
      .every_placement = every_pair,
      .links = [](const Case& c) { return workload_of(c).links_of(c); },
      .admit =
          [this](const std::vector<Case>& asked) { return why_not_buildable(asked, context(asked.front())); },
      .not_built = not_built(),
      .processing_units = static_cast<unsigned>(topology_.pus().size()),
      .account_for_all = account_for_all};
  Plan plan = make_plan(suite, narrowing, inputs, seed);
  // The combinations that were looked at leave tens of megabytes behind, which every fork would copy and
  // every role lock.
  malloc_trim(0);
  return plan;
}

Suite load_suite(const std::string& name_or_file) {
  std::vector<std::string> names;
  for (const EmbeddedSuite& suite : embedded_suites()) {
    if (suite.name == name_or_file) return parse_suite(suite.text, fmt::format("suite {}", suite.name));
    names.emplace_back(suite.name);
  }
  if (access(name_or_file.c_str(), F_OK) == 0) return read_suite(name_or_file);
  throw std::invalid_argument(
      fmt::format("--suite: no suite is named '{}' and there is no such file; built in are {}", name_or_file,
                  join(names, ", ")));
}

std::vector<Suite> built_in_suites() {
  std::vector<Suite> suites;
  for (const EmbeddedSuite& suite : embedded_suites()) {
    suites.push_back(parse_suite(suite.text, fmt::format("suite {}", suite.name)));
  }
  return suites;
}

}  // namespace ipcmark
