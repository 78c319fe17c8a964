// What a role does that counting would disturb: hardware events, and system calls one by one. Looked at in
// launches made for that alone; no figure of time is taken from them.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "harness/role_cost.h"

namespace ipcmark {

enum class Examine : std::uint8_t {
  nothing,
  // perf_event_open(2): the process and threads it starts later. Where the kernel refuses its own part, user
  // space alone is counted, and said so.
  counters,
  // ptrace(2): every call of the process and what it forks or starts, by a child that traces its parent.
  system_calls,
};

// Plain data in memory that the processes of a launch share; zero bytes are a valid start.
struct ExaminationBoard {
  static constexpr std::array names{"cycles", "instructions", "cache_misses", "branch_misses"};

  std::array<std::uint64_t, names.size()> events;
  std::array<bool, names.size()> known;
  bool user_only;
  char refusal[200];  // why nothing was examined; else empty

  std::atomic<std::uint32_t> tracing;    // futex: 1 = the tracer may come, 2 = it is there, 3 = it could not
  std::atomic<std::uint32_t> counting;   // 1 between begin and end of the timed part
  std::array<std::uint32_t, 512> calls;  // by number; of those beyond, the last
};

// In a role's process, before it opens anything: what it returns is to be told of the timed part
// (timed_part_observer), and writes the board. nullptr for nothing. What the kernel refuses is said on the
// board, not thrown.
std::unique_ptr<TimedPartObserver> begin_examination(Examine examine, ExaminationBoard& board);

// "write"; "system call 1234" of one that has no name here.
std::string system_call_name(std::size_t number);

}  // namespace ipcmark
