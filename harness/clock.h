// The one clock of all roles, and what it was found to be before anything is measured with it.
#pragma once

#include <time.h>

#include <cstdint>

#include "harness/machine.h"

namespace ipcmark {

// CLOCK_MONOTONIC in nanoseconds; the same for every process of the machine (clock_gettime(2)). On the usual
// architectures it is read in the vdso, without entering the kernel (vdso(7)).
inline std::uint64_t now_ns() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
}

struct ClockOrder {
  std::uint64_t checks = 0;  // readings handed over and compared
  std::uint64_t violations =
      0;  // the receiver's own reading, made afterwards, was smaller than the one handed over
};

// Two processes pinned to the given processors (OS indexes; the same one twice is allowed) hand readings to
// and fro through one cache line. Takes about a cache-line round trip per two checks; gives up after a
// second, and then counts the checks made. Throws std::system_error when a processor cannot be had or a
// process dies.
ClockOrder check_clock_order(int first_os_pu, int second_os_pu, std::uint64_t checks = 20'000);

// The smallest difference between two successive readings that differ, in a few milliseconds of reading.
double clock_step_ns();

// The cost of one reading: the median of batches.
double clock_read_cost_ns();

// All of the above. Source as the kernel names it: "CLOCK_MONOTONIC (tsc)".
ClockInfo examine_clock(int first_os_pu, int second_os_pu);

}  // namespace ipcmark
