#include "harness/clock.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <fstream>
#include <string>

#include "harness/batches.h"
#include "harness/pinned_pair.h"
#include "harness/spin_until.h"

namespace ipcmark {

namespace {

// One direction of the hand-over: `turn` says that `reading_ns` has been written.
struct alignas(128) HandOver {
  std::atomic<std::uint64_t> turn{0};
  std::uint64_t reading_ns = 0;
};

struct OrderCheck {
  HandOver there, back;
  std::array<ClockOrder, 2> found;

  static void give(HandOver& line, std::uint64_t turn) {
    line.reading_ns = now_ns();
    line.turn.store(turn, std::memory_order_release);
  }

  // The kernel keeps the processor from reading the time stamp ahead of the load of `turn` (rdtsc_ordered).
  static bool take(const HandOver& line, std::uint64_t turn, ClockOrder& found, std::uint64_t deadline_ns) {
    if (!spin_until([&] { return line.turn.load(std::memory_order_acquire) == turn; }, deadline_ns))
      return false;
    ++found.checks;
    if (now_ns() < line.reading_ns) ++found.violations;
    return true;
  }
};

std::string clock_source() {
  std::ifstream file("/sys/devices/system/clocksource/clocksource0/current_clocksource");
  std::string source;
  return std::getline(file, source) ? "CLOCK_MONOTONIC (" + source + ")" : "CLOCK_MONOTONIC";
}

}  // namespace

ClockOrder check_clock_order(int first_os_pu, int second_os_pu, std::uint64_t checks) {
  constexpr std::uint64_t time_limit_ns = 1'000'000'000;
  const SharedPages<OrderCheck> shared;
  const std::uint64_t turns = checks / 2;
  const std::uint64_t deadline_ns = now_ns() + time_limit_ns;
  const auto lead = [&] {
    for (std::uint64_t turn = 1; turn <= turns; ++turn) {
      OrderCheck::give(shared->there, turn);
      if (!OrderCheck::take(shared->back, turn, shared->found[0], deadline_ns)) break;
    }
    return true;
  };
  const auto follow = [&] {
    for (std::uint64_t turn = 1; turn <= turns; ++turn) {
      if (!OrderCheck::take(shared->there, turn, shared->found[1], deadline_ns)) break;
      OrderCheck::give(shared->back, turn);
    }
    return true;
  };
  run_pinned_pair(first_os_pu, lead, second_os_pu, follow, 2 * time_limit_ns);
  const auto& [there, back] = shared->found;
  return {there.checks + back.checks, there.violations + back.violations};
}

double clock_step_ns() {
  constexpr int readings = 50'000;
  std::uint64_t step = UINT64_MAX;
  std::uint64_t previous = now_ns();
  for (int i = 0; i < readings || step == UINT64_MAX; ++i) {
    const std::uint64_t now = now_ns();
    if (now != previous) step = std::min(step, now - previous);
    previous = now;
  }
  return static_cast<double>(step);
}

double clock_read_cost_ns() {
  return median_call_ns(25, 1'000, [] { keep(now_ns()); });
}

ClockInfo examine_clock(int first_os_pu, int second_os_pu) {
  const ClockOrder order = check_clock_order(first_os_pu, second_os_pu);
  return {.source = clock_source(),
          .step_ns = clock_step_ns(),
          .read_ns = clock_read_cost_ns(),
          .ordered = order.checks > 0 && order.violations == 0,
          .order_checks = order.checks};
}

}  // namespace ipcmark
