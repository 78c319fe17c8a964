// Waiting for a moment, and for the other role, without sleeping: a sleeper would be woken late, and its own
// wake-up would count as the mechanism's.
#pragma once

#include <sched.h>

#include <atomic>
#include <cstdint>

#include "harness/clock.h"
#include "harness/launch.h"
#include "harness/wait.h"

namespace ipcmark {

// Of role 0. Where it has its processor for itself it keeps it, else it lets the other role have it between
// looks.
class Pacing {
 public:
  explicit Pacing(const LaunchBoard& launch) {
    const RoleBoard& first = launch.roles[0];
    const RoleBoard& second = launch.roles[1];
    shares_ = first.granted_pu_count == 1 && second.granted_pu_count == 1 &&
              first.granted_pus[0] == second.granted_pus[0];
  }

  // The first reading of now_ns() that is not before `due_ns`.
  std::uint64_t until(std::uint64_t due_ns) const {
    for (;;) {
      if (const std::uint64_t now = now_ns(); now >= due_ns) return now;
      pause();
    }
  }

  // Until the other role has stored `value` or more, with memory order release.
  void until(const std::atomic<std::uint64_t>& ticket, std::uint64_t value) const {
    while (ticket.load(std::memory_order_acquire) < value) pause();
  }

 private:
  void pause() const {
    if (shares_) {
      ::sched_yield();
    } else {
      cpu_relax();
    }
  }

  bool shares_ = false;
};

}  // namespace ipcmark
