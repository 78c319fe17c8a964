#include "harness/futex.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace ipcmark {

// FUTEX_WAIT_BITSET rather than FUTEX_WAIT: its deadline is absolute (CLOCK_MONOTONIC), so that a signal in
// between does not extend it.
FutexWait futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                     std::optional<std::uint64_t> deadline_ns) {
  timespec deadline{};
  if (deadline_ns) {
    deadline.tv_sec = static_cast<time_t>(*deadline_ns / 1'000'000'000u);
    deadline.tv_nsec = static_cast<long>(*deadline_ns % 1'000'000'000u);
  }
  for (;;) {
    const long result = ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, expected,
                                  deadline_ns ? &deadline : nullptr, nullptr, FUTEX_BITSET_MATCH_ANY);
    if (result == 0) return FutexWait::woken;
    if (errno == EAGAIN) return FutexWait::changed;
    if (errno == ETIMEDOUT) return FutexWait::timed_out;
    if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "futex(FUTEX_WAIT_BITSET)");
  }
}

int futex_wake(std::atomic<std::uint32_t>& word, int sleepers) {
  const long result = ::syscall(SYS_futex, &word, FUTEX_WAKE, sleepers, nullptr, nullptr, 0);
  if (result < 0) throw std::system_error(errno, std::generic_category(), "futex(FUTEX_WAKE)");
  return static_cast<int>(result);
}

}  // namespace ipcmark
