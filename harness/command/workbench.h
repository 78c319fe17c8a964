// What every command that looks at cases shares: this machine, what this program can do, and plans made of
// both.
#pragma once

#include <map>
#include <string>

#include "harness/isolation.h"
#include "harness/placement.h"
#include "harness/plan.h"
#include "workloads/trial.h"

namespace ipcmark {

// Of the case's own transport; what is not of messages is the same over every other one. Throws
// std::out_of_range when no transport has such a workload.
const WorkloadEntry& workload_of(const Case& benchmark_case);

class Workbench {
 public:
  Workbench();  // throws std::system_error when the topology cannot be read

  const Topology& topology() const { return topology_; }
  const std::vector<TransportTraits>& transports() const { return transports_; }
  const std::vector<TransportTraits>& named_only() const { return named_only_; }
  std::vector<std::string> transport_names() const;  // of those that are listed
  const std::vector<std::string>& workload_names() const { return workloads_; }

  // The processes of this case, in order.
  std::vector<RoleKind> roles(const Case& benchmark_case) const;

  // Probed when first asked for.
  const Isolation& isolation(Limits limits);

  // Everything that launches of this case need to know of their surroundings. Valid as long as this object.
  TrialContext context(const Case& benchmark_case, int interrupt_fd = -1);

  // harness/plan.h over this machine; every link is built once to see whether it can be.
  Plan plan(const Suite& suite, const Narrowing& narrowing, std::uint64_t seed, bool account_for_all = false);

 private:
  PlacementAnswer place(std::string_view placement, unsigned roles) const;

  Topology topology_;
  std::vector<TransportTraits> transports_, named_only_;
  std::vector<std::string> workloads_;
  std::map<Limits, Isolation> isolations_;
};

// A suite by its name, or from a file. Throws std::invalid_argument when there is no such suite and no such
// file, FileError when the file is no suite.
Suite load_suite(const std::string& name_or_file);

// All suites that are built in.
std::vector<Suite> built_in_suites();

}  // namespace ipcmark
