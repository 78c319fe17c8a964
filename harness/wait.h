// What a caller does between two attempts that said `again`.
#pragma once

#include <poll.h>

#include <optional>

#include "harness/contract.h"
#include "harness/descriptor.h"

namespace ipcmark {

// Tells the processor that this is a spin loop: it yields the core's shared parts to a sibling and does not
// guess ahead. 4 to 140 cycles on x86 (Intel's optimization manual, "PAUSE latency").
inline void cpu_relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
  asm volatile("yield" ::: "memory");
#else
  asm volatile("" ::: "memory");
#endif
}

// How a side can wait whose endpoint has one descriptor: in the attempt itself, or by a ReadyWait.
inline constexpr WaitSet descriptor_waits{Wait::block, Wait::poll, Wait::epoll, Wait::spin, Wait::yield};

// Waits for one descriptor on behalf of an endpoint: spin pauses once, yield gives the processor away once,
// poll and epoll sleep in poll(2) and epoll_wait(2), level-triggered, until `events`, an error or a hang-up.
// All return when it is worth another attempt, spuriously too. With block nobody gets here, since the attempt
// itself sleeps, unless there is a timeout; other waits need no descriptor. Both are a logic_error.
class ReadyWait {
 public:
  // Of poll's events. With a timeout poll and epoll return after so many milliseconds at the latest, and
  // block, which with one has attempts that end by themselves, at once.
  ReadyWait(Wait wait, short events, std::optional<int> timeout_ms = {})
      : wait_(wait), events_(events), timeout_ms_(timeout_ms) {}

  // Always with the same descriptor: epoll is told about it once, the first time, and keeps a descriptor of
  // its own until this is destroyed. Throws std::system_error when the system call fails; a signal is no
  // failure.
  void operator()(int fd);

 private:
  void watch(int fd);

  Wait wait_;
  short events_;
  std::optional<int> timeout_ms_;
  Descriptor epoll_;
};

}  // namespace ipcmark
