// For tests: trials of small cases, unpinned, over the registered transports.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "harness/test_work.h"
#include "workloads/trial.h"

namespace ipcmark {

inline TrialContext test_context() {
  static const Topology topology = Topology::of_this_machine();
  return {topology, test_isolation()};
}

// Verified, every byte. A trial that fails fails the test, with its reason.
inline Measurement measure_case(const Case& c, std::uint64_t messages) {
  const WorkloadEntry& workload = *Registry::instance().find(c.transport)->find_workload(c.workload);
  const std::vector<std::vector<int>> unpinned(workload.roles(c).size());
  const TrialOutcome outcome =
      run_trial(c, unpinned, {.fixed_messages = messages, .every_byte = true}, test_context());
  if (const auto* failure = std::get_if<LaunchFailure>(&outcome)) {
    ADD_FAILURE() << case_id(c) << ": " << failure->reason;
    return {};
  }
  const auto& measurement = std::get<Measurement>(outcome);
  EXPECT_TRUE(measurement.integrity.clean()) << case_id(c);
  EXPECT_TRUE(measurement.integrity.every_byte) << case_id(c);
  return measurement;
}

// Why this case cannot be had: by its parameters, or on this machine. Empty when it can.
inline std::string why_not(const Case& c) {
  const TransportEntry& transport = *Registry::instance().find(c.transport);
  const WorkloadEntry& workload = *transport.find_workload(c.workload);
  if (std::string reason = workload.unfit(c, transport.traits); !reason.empty()) return reason;
  for (const std::string& reason : why_not_buildable(workload.links_of(c), test_context())) {
    if (!reason.empty()) return reason;
  }
  return {};
}

// The case over every registered transport whose links carry what is sent.
inline std::vector<Case> over_every_transport(Case c) {
  std::vector<Case> cases;
  for (const TransportEntry& entry : Registry::instance().transports()) {
    if (entry.traits.facts.summary == "for a test" || !entry.traits.facts.carries ||
        !entry.traits.copy_send || !entry.traits.copy_receive)
      continue;
    c.transport = entry.traits.name;
    cases.push_back(c);
  }
  return cases;
}

// The case with every wait that its transport has for both sides.
inline std::vector<Case> with_every_wait(Case c) {
  const Facts& facts = Registry::instance().find(c.transport)->traits.facts;
  std::vector<Case> cases;
  for (const Wait wait : all_waits()) {
    if (!facts.send_waits.contains(wait) || !facts.receive_waits.contains(wait)) continue;
    c.send_wait = c.receive_wait = wait;
    cases.push_back(c);
  }
  return cases;
}
// The first of them: block where it is one.
inline Case with_a_wait(const Case& c) { return with_every_wait(c).front(); }

// The value of an observation; -1 when there is none of that name.
inline double observed(const Measurement& measurement, std::string_view name) {
  for (const Observation& observation : measurement.observations) {
    if (observation.name == name) return observation.value;
  }
  return -1;
}

}  // namespace ipcmark
