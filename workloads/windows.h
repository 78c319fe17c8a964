// How steadily messages flow: a receiver reads the clock about a thousand times in the timed part, and each
// window's duration is recorded.
#pragma once

#include <cstdint>

#include "harness/clock.h"
#include "harness/launch.h"

namespace ipcmark {

class Windows {
 public:
  static constexpr std::uint64_t most = 1'024;

  // Of a timed part of so many messages.
  Windows(RoleBoard& board, std::uint64_t messages) : board_(board), window_((messages + most - 1) / most) {
    board.messages_per_sample = window_;
  }

  // After each receive. The first window begins when the first receive has ended: before it lies the waiting
  // for a sender to begin.
  void received() {
    if (--left_ > 0) return;
    const std::uint64_t now = now_ns();
    if (before_ns_ != 0) board_.histogram.record(now - before_ns_);
    before_ns_ = now;
    left_ = window_;
  }

 private:
  RoleBoard& board_;
  std::uint64_t window_;
  std::uint64_t left_ = 1;
  std::uint64_t before_ns_ = 0;
};

}  // namespace ipcmark
