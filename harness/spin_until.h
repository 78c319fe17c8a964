// Spinning that gives up: for the parts that look into another process's memory and must not hang when it has
// gone.
#pragma once

#include <sched.h>

#include <cstdint>

#include "harness/clock.h"
#include "harness/wait.h"

namespace ipcmark {

// Spins until done() is true. false when now_ns() reached the deadline first. Every few microseconds the
// processor is offered to others, so that two processes on one processor get on.
template <class Done>
bool spin_until(Done done, std::uint64_t deadline_ns) {
  constexpr unsigned spins_between_looks = 256;
  for (;;) {
    for (unsigned spin = 0; spin < spins_between_looks; ++spin) {
      if (done()) return true;
      cpu_relax();
    }
    if (now_ns() >= deadline_ns) return done();
    ::sched_yield();
  }
}

}  // namespace ipcmark
