// Costs nothing on this machine can go below, for context beside every figure.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "harness/machine.h"

namespace ipcmark {

// Medians of short batches on the caller's processor, a few milliseconds for each size up to 4 MiB. The
// system call is getppid(2), which does nothing but enter and leave the kernel.
Floors measure_floors(std::span<const std::uint64_t> message_sizes);

// The same in a process pinned to that processor (OS index), and what it costs to switch from one process to
// another there. A few tens of milliseconds. `pu` of the answer is left to the caller. Throws as
// run_pinned_pair() does.
Floors::OnPu measure_floors_on(int os_pu, std::span<const std::uint64_t> message_sizes);

// Between two processors. A few tens of milliseconds; the PUs of the answer are left to the caller. Throws as
// run_pinned_pair() does.
Floors::Between measure_floors_between(int first_os_pu, int second_os_pu);

// A processing unit as hwloc numbers it and as the kernel does.
struct NumberedPu {
  int logical_index = -1;
  int os_index = -1;
};

// Adds to `floors` those of each PU and of each pair, in their order, for as long as `budget_ns` lasts.
// What was left out, or could not be measured, is said in its note: no errors.
void add_floors_of(Floors& floors, std::span<const NumberedPu> pus,
                   std::span<const std::pair<NumberedPu, NumberedPu>> pairs,
                   std::span<const std::uint64_t> message_sizes, std::uint64_t budget_ns);

}  // namespace ipcmark
