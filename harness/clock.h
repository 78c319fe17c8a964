// The one clock of all roles, and what it was found to be before anything is measured with it.
#pragma once

#include <time.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/machine.h"

namespace ipcmark {

// How the time stamp counter is turned into nanoseconds of CLOCK_MONOTONIC, and whether it is read at all. Of
// this process and those it forks; choose_clock() decides. Until then, and wherever the counter is not fit,
// the clock is CLOCK_MONOTONIC.
struct TimeStampScale {
  bool in_use = false;
  std::uint64_t base_ticks = 0;
  std::uint64_t base_ns = 0;
  std::uint64_t ns_per_tick = 0;  // in units of 2^-32
};
inline TimeStampScale time_stamp_scale;
// ClockInfo::source where it is in use.
inline constexpr std::string_view time_stamp_counter = "TSC";

#if defined(__x86_64__)
// Not before what stands before it has been executed and its loads are done, as the kernel's own reader does
// it (Intel SDM, volume 2, RDTSC and LFENCE).
inline std::uint64_t time_stamp() {
  __builtin_ia32_lfence();
  return __builtin_ia32_rdtsc();
}
#endif

// CLOCK_MONOTONIC in nanoseconds (clock_gettime(2)), read in the vdso(7) without entering the kernel.
inline std::uint64_t monotonic_ns() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
}

// CLOCK_MONOTONIC or the processor's counter on its scale, in nanoseconds; the same for every process of a
// launch.
inline std::uint64_t now_ns() {
#if defined(__x86_64__)
  if (time_stamp_scale.in_use) {
    __extension__ using Wide = __int128;
    const auto ticks = static_cast<std::int64_t>(time_stamp() - time_stamp_scale.base_ticks);
    return time_stamp_scale.base_ns +
           static_cast<std::uint64_t>(
               (static_cast<Wide>(ticks) * static_cast<Wide>(time_stamp_scale.ns_per_tick)) >> 32);
  }
#endif
  return monotonic_ns();
}

// Puts the counter, if it is in use, back on CLOCK_MONOTONIC, whose pace is steered and which deadlines given
// to the kernel are made of. Before each launch: within one the two drift apart by what steering changes of
// the pace meanwhile, at most 500 parts in a million (adjtimex(2)).
//
// A counter that lost the pace it was chosen for (a suspend stops one of the two clocks, a host may move the
// machine) is used no more from here on; then says so, else gives an empty string. After a launch it tells
// what that launch's times are worth.
std::string align_clock();

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

// The processors between which a clock must be in order (OS indexes).
using OsPuPairs = std::vector<std::pair<int, int>>;

// Decides what now_ns() reads from here on, and says why. The time stamp counter only if the processor
// promises that it ticks evenly and in all idle states, the kernel itself keeps time by it, it is in order
// between all `pairs`, and a reading costs less than one of CLOCK_MONOTONIC; `root`/proc and `root`/sys say
// the first two. Else CLOCK_MONOTONIC, examined in the same way. A few milliseconds a pair, and a twentieth
// of a second.
ClockInfo choose_clock(const OsPuPairs& pairs, const std::filesystem::path& root = "/");

// Back to CLOCK_MONOTONIC.
void use_monotonic_clock();

}  // namespace ipcmark
