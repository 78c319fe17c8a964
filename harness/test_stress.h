// What the stress tests of rings and waits share.
#pragma once

#include <sched.h>

#include <cstdint>

#include "harness/contract.h"

namespace ipcmark {

// How much longer the plain build's are than those with sanitizers, which slow everything down.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
inline constexpr std::uint64_t patience = 1;
#else
inline constexpr std::uint64_t patience = 10;
#endif

// Whole operations out of attempts. A waiting loop lets others run from time to time, so that spinning tests
// come to an end on a machine with fewer processors than threads.
template <class Attempt, class WaitForIt>
Io persist(Attempt attempt, WaitForIt wait) {
  for (unsigned attempts = 1;; ++attempts) {
    const Io io = attempt();
    if (io != Io::again) return io;
    wait();
    if (attempts % 64 == 0) ::sched_yield();
  }
}

}  // namespace ipcmark
