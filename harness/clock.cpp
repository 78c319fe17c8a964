#include "harness/clock.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <string>

#include "harness/batches.h"
#include "harness/files.h"
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

std::string kernel_source(const Files& files) {
  return files.read("/sys/devices/system/clocksource/clocksource0/current_clocksource").value_or("");
}

// Why the counter may not be the clock, as far as others know it; empty when nothing speaks against it.
std::string unfit_counter([[maybe_unused]] const Files& files) {
#if defined(__x86_64__)
  const std::string cpuinfo = files.read("/proc/cpuinfo").value_or("");
  for (const std::string flag : {"constant_tsc", "nonstop_tsc"}) {
    if (cpuinfo.find(" " + flag) == std::string::npos) return "the processor does not promise " + flag;
  }
  if (const std::string source = kernel_source(files); source != "tsc")
    return "the kernel keeps time by " + (source.empty() ? "an unknown source" : source) + ", not by it";
  return {};
#else
  return "this architecture's is not known here";
#endif
}

#if defined(__x86_64__)
struct Correspondence {
  std::uint64_t ticks = 0;
  std::uint64_t ns = 0;
};

// The closest of some readings of both clocks.
Correspondence correspond() {
  constexpr int tries = 20;
  Correspondence best;
  std::uint64_t least = UINT64_MAX;
  for (int i = 0; i < tries; ++i) {
    const std::uint64_t before = time_stamp();
    const std::uint64_t ns = monotonic_ns();
    const std::uint64_t after = time_stamp();
    if (after - before < least) {
      least = after - before;
      best = {before + (after - before) / 2, ns};
    }
  }
  return best;
}

Correspondence first_correspondence;

// Nanoseconds that the counter is ahead of CLOCK_MONOTONIC, by the scale in use, and since that scale began.
struct Drift {
  double ahead_ns, since_ns;
  // Twice what steering may change, and room for two readings that are not of one moment.
  bool is_pace_lost() const { return std::abs(ahead_ns) > 1e-3 * since_ns + 20'000; }
};

Drift drift_at(const Correspondence& now) {
  const auto ticks = static_cast<std::int64_t>(now.ticks - time_stamp_scale.base_ticks);
  const double counted_ns =
      static_cast<double>(ticks) * static_cast<double>(time_stamp_scale.ns_per_tick) / 4294967296.0;
  const auto since_ns = static_cast<double>(now.ns - time_stamp_scale.base_ns);
  return {counted_ns - since_ns, since_ns};
}

void scale_counter(const Correspondence& now) {
  const auto ns = static_cast<double>(now.ns - first_correspondence.ns);
  const auto ticks = static_cast<double>(now.ticks - first_correspondence.ticks);
  time_stamp_scale = {true, now.ticks, now.ns, static_cast<std::uint64_t>(ns / ticks * 4294967296.0)};
}
#endif

struct OrderFound {
  std::uint64_t checks = 0;
  std::string violation;  // where it was seen first; empty: nowhere
};

OrderFound check_order(const OsPuPairs& pairs) {
  constexpr std::uint64_t checks_a_pair = 5'000;
  OrderFound found;
  for (const auto& [first, second] : pairs) {
    const ClockOrder order = check_clock_order(first, second, checks_a_pair);
    found.checks += order.checks;
    if (order.violations > 0 && found.violation.empty()) {
      found.violation = fmt::format("behind in {} of {} hand-overs between processors {} and {}",
                                    order.violations, order.checks, first, second);
    }
  }
  return found;
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

std::string align_clock() {
#if defined(__x86_64__)
  if (!time_stamp_scale.in_use) return {};
  const Correspondence now = correspond();
  if (const Drift drift = drift_at(now); drift.is_pace_lost()) {
    use_monotonic_clock();
    return fmt::format("the time stamp counter went {:.3f} ms {} of CLOCK_MONOTONIC in {:.3f} ms",
                       std::abs(drift.ahead_ns) / 1e6, drift.ahead_ns > 0 ? "ahead" : "behind",
                       drift.since_ns / 1e6);
  }
  scale_counter(now);
#endif
  return {};
}

void use_monotonic_clock() { time_stamp_scale = {}; }

ClockInfo choose_clock(const OsPuPairs& pairs, const std::filesystem::path& root) {
  const Files files(root);
  use_monotonic_clock();
  const double monotonic_read_ns = clock_read_cost_ns();
  std::string objection = unfit_counter(files);
#if defined(__x86_64__)
  if (objection.empty()) {
    constexpr std::uint64_t baseline_ns = 50'000'000;
    first_correspondence = correspond();
    while (monotonic_ns() - first_correspondence.ns < baseline_ns) ::sched_yield();
    scale_counter(correspond());
    const OrderFound found = check_order(pairs);
    const double read_ns = clock_read_cost_ns();
    if (!found.violation.empty()) {
      objection = found.violation;
    } else if (read_ns >= monotonic_read_ns) {
      objection = fmt::format("a reading costs {:.0f} ns", read_ns);
    } else {
      return {.source = std::string(time_stamp_counter),
              .why = fmt::format(
                  "constant_tsc and nonstop_tsc, the kernel's own source, never behind; a reading costs "
                  "{:.0f} ns, one of CLOCK_MONOTONIC {:.0f} ns",
                  read_ns, monotonic_read_ns),
              .step_ns = clock_step_ns(),
              .read_ns = read_ns,
              .ordered = found.checks > 0,
              .order_checks = found.checks,
              .order_pairs = pairs.size()};
    }
    use_monotonic_clock();
  }
#endif
  const OrderFound found = check_order(pairs);
  const std::string source = kernel_source(files);
  return {.source = source.empty() ? "CLOCK_MONOTONIC" : "CLOCK_MONOTONIC (" + source + ")",
          .why = "not the time stamp counter: " + objection +
                 (found.violation.empty() ? "" : "; CLOCK_MONOTONIC too was " + found.violation),
          .step_ns = clock_step_ns(),
          .read_ns = monotonic_read_ns,
          .ordered = found.checks > 0 && found.violation.empty(),
          .order_checks = found.checks,
          .order_pairs = pairs.size()};
}

}  // namespace ipcmark
