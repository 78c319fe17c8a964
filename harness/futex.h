// Waiting in the kernel for a word of shared memory to change: futex(2), the process-shared kind.
// All functions are safe to call from any thread of any process that maps the word.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

namespace ipcmark {

static_assert(std::atomic<std::uint32_t>::is_always_lock_free && sizeof(std::atomic<std::uint32_t>) == 4);

enum class FutexWait : std::uint8_t {
  woken,      // by futex_wake, or spuriously: look at the word again
  changed,    // the word did not hold `expected`, so nothing slept
  timed_out,  // the deadline passed
};

// Sleeps while the word holds `expected`, until woken or until now_ns() reaches the deadline. A signal does
// not end it. Throws std::system_error.
FutexWait futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                     std::optional<std::uint64_t> deadline_ns = std::nullopt);

// Wakes up to `sleepers` of those asleep on the word; returns how many. Throws std::system_error.
int futex_wake(std::atomic<std::uint32_t>& word, int sleepers = 1);

}  // namespace ipcmark
