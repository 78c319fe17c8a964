// Commands of the user's just before and after the timed part of each launch (--on-start, --on-end), as to
// start and stop perf or bpftrace. Nothing of them lies inside the timed part, but what they start may.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "results/result_file.h"

namespace ipcmark {

// What the command finds in its environment.
struct HookSurroundings {
  std::string case_id;             // IPCMARK_CASE
  unsigned round = 0;              // IPCMARK_ROUND
  std::vector<pid_t> roles;        // IPCMARK_PIDS, joined by commas as perf -p takes them
  std::vector<int> os_processors;  // IPCMARK_CPUS, likewise: those that the roles run on
};

// How long a command may take. What it starts in the background is not waited for.
inline constexpr std::uint64_t hook_limit_ns = 30'000'000'000;

// Runs `command` by /bin/sh -c in a process group of its own, with nothing to read and standard error to
// write to, and waits for that shell. Over the limit, or once `interrupt_fd` is readable, the group is
// killed. What goes wrong, fork included, is told by HookRun::problem.
HookRun run_hook(std::string_view option, const std::string& command, const HookSurroundings& surroundings,
                 int interrupt_fd = -1, std::uint64_t limit_ns = hook_limit_ns);

}  // namespace ipcmark
