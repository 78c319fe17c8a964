// A unit of work: what a process does with its time when it does not wait for a message.
#pragma once

#include <cstdint>

namespace ipcmark {

// One unit is a chain of 64 dependent multiplications and additions, in registers: about 0.1 µs on a
// processor of today, the same for every transport and wait. Returns its last number, so that nothing of it
// can be left out.
std::uint64_t do_work(std::uint64_t units);

}  // namespace ipcmark
