// For tests: a launch whose roles run what the test says, and its outcome in one line. A role fails its test
// by throwing; the launch then names the role and says why.
#pragma once

#include <functional>
#include <stdexcept>
#include <string>

#include "harness/launch.h"

namespace ipcmark {

inline void require(bool condition, const std::string& what) {
  if (!condition) throw std::runtime_error(what);
}

class TestWork : public Work {
 public:
  unsigned link_count = 0;
  unsigned senders = 1;
  std::function<void(const std::string& directory)> on_build = [](const std::string&) {};
  std::function<void(Role&)> on_open = [](Role&) {};
  std::function<void()> on_drop = [] {};
  std::function<void(Role&)> on_run = [](Role&) {};
  std::function<void()> on_end = [] {};

  unsigned links() const override { return link_count; }
  unsigned senders_of(unsigned) const override { return senders; }
  void build(const std::string& directory) override { on_build(directory); }
  void open(Role& role) override { on_open(role); }
  void drop() override { on_drop(); }
  void run(Role& role) override { on_run(role); }
  void end() override { on_end(); }
};

// What this machine offers; probed once.
inline const Isolation& test_isolation(Limits limits = Limits::host) {
  static const Isolation host = probe_isolation(Limits::host);
  static const Isolation raised = probe_isolation(Limits::raised);
  return limits == Limits::host ? host : raised;
}

// `roles` of them, named "sender 0", "receiver 1", "role 2" …
inline LaunchSpec test_spec(unsigned roles, Limits limits = Limits::host) {
  LaunchSpec spec{.roles = {}, .isolation = test_isolation(limits), .limits = limits};
  for (unsigned index = 0; index < roles; ++index) {
    const char* kind = index == 0 ? "sender " : index == 1 ? "receiver " : "role ";
    spec.roles.push_back({kind + std::to_string(index), {}});
  }
  return spec;
}

// Empty when every role finished, else "unsupported: …" or "failed: …".
inline std::string outcome_of(const LaunchSpec& spec, Work& work, LaunchBoard& board) {
  const std::optional<LaunchFailure> failure = launch(spec, work, board);
  if (!failure) return "";
  return (failure->kind == LaunchFailure::Kind::unsupported ? "unsupported: " : "failed: ") + failure->reason;
}
inline std::string outcome_of(const LaunchSpec& spec, Work& work) {
  const SharedLaunchBoard board;
  return outcome_of(spec, work, *board);
}

}  // namespace ipcmark
