// For tests: trials of small cases, unpinned, over the registered transports.
#pragma once

#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "harness/refusals.h"
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

// Why this machine has none of the transport's links just now; empty when it has. The only reasons that count
// are a refusal of the plainest link that names a setting (sysctl(8)) which stands at 0, or says by its name
// that it disables something and does, one that says what this kernel has not, and one that names a seccomp
// filter where there is one (seccomp(2)).
inline std::string why_not_here(const TransportEntry& transport) {
  TestWork work;
  work.on_build = [&](const std::string& directory) {
    Shape shape;
    shape.message_bytes = 1;
    shape.directory = directory;
    const Facts& facts = transport.traits.facts;
    for (const Wait wait : all_waits()) {
      if (facts.send_waits.contains(wait)) shape.send_wait = wait;
      if (facts.receive_waits.contains(wait)) shape.receive_wait = wait;
    }
    if (!transport.traits.copy_send) shape.send_access = Access::loan;
    if (!transport.traits.copy_receive) shape.receive_access = Access::loan;
    transport.make_link(shape);
  };
  const std::string reason = outcome_of(test_spec(1), work);
  if (!reason.starts_with("unsupported: " + transport.traits.name + ": ")) return {};
  std::string separated = reason;
  std::ranges::replace(separated, ',', ' ');
  std::istringstream words(separated);
  for (std::string word; words >> word;) {
    if (word.find('.') >= word.size() - 1) continue;
    const std::optional<std::uint64_t> value = read_sysctl(word);
    if (word.ends_with("_disabled") ? value > 0 : value == 0) return reason;
  }
  if (reason.find("this kernel has no ") != std::string::npos) return reason;
  constexpr int filtered = SECCOMP_MODE_FILTER;
  return reason.find("seccomp") != std::string::npos && prctl(PR_GET_SECCOMP) == filtered ? reason : "";
}

// A test that runs once for each registered transport, and is skipped where this machine has none of it.
class OverEveryTransport : public testing::TestWithParam<std::string> {
 public:
  static std::vector<std::string> names() {
    std::vector<std::string> all;
    for (const TransportEntry& entry : Registry::instance().transports()) all.push_back(entry.traits.name);
    return all;
  }

 protected:
  void SetUp() override {
    if (const std::string reason = why_not_here(transport()); !reason.empty()) GTEST_SKIP() << reason;
  }
  const TransportEntry& transport() const { return *Registry::instance().find(GetParam()); }
  const TransportTraits& traits() const { return transport().traits; }
  const Facts& facts() const { return traits().facts; }
};

// The case over every registered transport whose links carry what is sent, lossy ones where the workload
// bears losses.
inline std::vector<Case> over_every_transport(Case c) {
  std::vector<Case> cases;
  for (const TransportEntry& entry : Registry::instance().transports()) {
    if (entry.traits.facts.summary == "for a test" || !entry.traits.facts.carries ||
        !entry.traits.copy_send || !entry.traits.copy_receive || (is_mix(c) && !entry.traits.mixes) ||
        !why_not_here(entry).empty())
      continue;
    c.transport = entry.traits.name;
    if (entry.traits.facts.lossy && !entry.find_workload(c.workload)->unfit(c, entry.traits).empty())
      continue;
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
