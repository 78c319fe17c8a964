// Costs nothing on this machine can go below, for context beside every figure.
#pragma once

#include <cstdint>
#include <span>

#include "harness/machine.h"

namespace ipcmark {

// Medians of short batches on the caller's processor, less than 100 ms in all for up to five sizes of at most
// 1 MiB. The system call is getppid(2), which does nothing but enter and leave the kernel.
Floors measure_floors(std::span<const std::uint64_t> message_sizes);

}  // namespace ipcmark
