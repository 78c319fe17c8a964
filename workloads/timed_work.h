// The course of a timed launch, the same for every workload: warm up until the pace is known, one timed phase
// of as many messages as fill the time asked for, then the drain.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "harness/cache_line.h"
#include "harness/clock.h"
#include "harness/judging.h"
#include "harness/launch.h"
#include "harness/role_cost.h"

namespace ipcmark {

struct TrialOptions {
  std::uint64_t timed_ns = 100'000'000;  // how long the timed part should take
  std::uint64_t warm_up_ns =
      5'000'000;                     // how long as many windows as judge the warm-up take at least, together
  std::uint64_t fixed_messages = 0;  // > 0: exactly these in the timed part, no warm-up
  // > 0: of the fixed messages only as many as take about this long; some go before, to learn the pace, or
  // most, in a verified launch.
  std::uint64_t fixed_within_ns = 0;
  std::uint64_t least_messages = 1;  // in the timed part, however long they take
  std::uint64_t most_messages = std::numeric_limits<std::uint64_t>::max();  // in any phase
  // The lead never waits for the others, who may take a while to see that it is through: its own time tells.
  bool lead_sets_the_pace = false;
  bool every_byte = false;  // a verified launch: compare each byte instead of stamp and sum
  std::uint64_t seed = 0;   // of whatever is drawn in a launch, and of its layout
};

// Readings of now_ns().
struct Span {
  std::uint64_t begin_ns = 0;
  std::uint64_t end_ns = 0;
};

// The floor of this very launch: roles 0 and 1, if they sit on two processors, pass a cache line to and fro
// for a fraction of a millisecond. Both call it before their first phase.
inline void measure_cache_line(Role& role) {
  LaunchBoard& launch = role.launch();
  const RoleBoard& first = launch.roles[0];
  const RoleBoard& second = launch.roles[1];
  if (role.index() > 1 || first.granted_pu_count != 1 || second.granted_pu_count != 1 ||
      first.granted_pus[0] == second.granted_pus[0]) {
    return;
  }
  constexpr std::uint64_t round_trips = 500;
  constexpr std::uint64_t patience_ns = 200'000'000;
  if (role.index() == 1) {
    bounce_follow(launch.cache_line, round_trips, now_ns() + patience_ns);
  } else if (const auto elapsed_ns = bounce_lead(launch.cache_line, round_trips, now_ns() + patience_ns)) {
    launch.cache_line_round_trip_ns = static_cast<double>(*elapsed_ns) / static_cast<double>(round_trips);
  }
}

// How long windows of equal numbers of messages took, in their order, for each message; of four or more.
struct Steadiness {
  double median_ns = 0;
  double drift = 0;   // of the line through them (Theil and Sen), over all windows, as a share of the median
  double spread = 0;  // between the second least and the second most, as a share of the median

  explicit Steadiness(std::span<const double> windows) {
    std::vector<double> ascending(windows.begin(), windows.end()), slopes;
    std::ranges::sort(ascending);
    const std::size_t count = windows.size();
    median_ns = ascending[count / 2];
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t j = i + 1; j < count; ++j)
        slopes.push_back((windows[j] - windows[i]) / static_cast<double>(j - i));
    }
    std::ranges::sort(slopes);
    const double slope = (slopes[(slopes.size() - 1) / 2] + slopes[slopes.size() / 2]) / 2;
    drift = slope * static_cast<double>(count - 1) / median_ns;
    spread = (ascending[count - 2] - ascending[1]) / median_ns;
  }
  bool steady() const { return std::abs(drift) <= steady_drift && spread <= steady_spread; }
};

struct WarmUpPlan {
  double window_ns = 0;          // how long a window takes at least
  std::size_t judged = 0;        // windows that are looked at together; 0: only the pace is to be known
  std::size_t most_windows = 0;  // after so many it ends, steady or not
  double patience_ns = 0;        // likewise after so long, once the pace is known
  std::uint64_t most_messages = std::numeric_limits<std::uint64_t>::max();  // in a phase
};

// Phases of more and more messages until one takes a window's time; then windows of as many, until those
// looked at are steady. A phase that a disturbance made long is found out by a window that is too short, and
// one that was short because a buffer was not yet full by windows that stay longer.
// `run_phase(messages)` returns how long it took.
class WarmUp {
 public:
  template <class RunPhase>
  WarmUp(const WarmUpPlan& plan, RunPhase run_phase) {
    // Some links become thousands of times slower once their buffers have been full (Nagle's algorithm): the
    // phase in which that shows should not be much longer than what is known to be quick.
    constexpr double growth = 2, beyond = 1.5;
    std::uint64_t messages = 1;
    double elapsed_ns = 0;
    for (;;) {
      const auto phase_ns = static_cast<double>(run_phase(messages));
      moved_ += messages;
      elapsed_ns += phase_ns;
      if (phase_ns < plan.window_ns && messages < plan.most_messages) {
        const double wanted = std::min(growth, beyond * plan.window_ns / phase_ns);
        messages = std::min(static_cast<std::uint64_t>(static_cast<double>(messages) * wanted) + 1,
                            plan.most_messages);
        windows_.clear();
        report_.judged = false;
        continue;
      }
      windows_.push_back(phase_ns / static_cast<double>(messages));
      ++report_.windows;
      if (plan.judged > 0 && windows_.size() >= plan.judged && steady(plan.judged)) break;
      if (plan.judged > 0 && report_.windows >= plan.most_windows) break;
      if (elapsed_ns >= plan.patience_ns && pace_is_known()) break;
    }
    if (!report_.judged) ns_per_message_ = pace();
    report_.window_ns = ns_per_message_ * static_cast<double>(messages);
  }

  double ns_per_message() const { return ns_per_message_; }
  std::uint64_t moved() const { return moved_; }
  const WarmUpReport& report() const { return report_; }

 private:
  bool steady(std::size_t judged) {
    const Steadiness found(std::span<const double>(windows_).last(judged));
    ns_per_message_ = found.median_ns;
    report_.judged = true;
    report_.steady = found.steady();
    report_.drift = found.drift;
    report_.spread = found.spread;
    return report_.steady;
  }
  // Two windows that agree, or one more that says which of them was disturbed.
  bool pace_is_known() const {
    constexpr double suspect = 2;
    if (windows_.size() != 2) return windows_.size() > 2;
    const auto [quick, slow] = std::minmax({windows_[0], windows_[1]});
    return slow <= suspect * quick;
  }
  double pace() const {
    const std::size_t used = std::min<std::size_t>(3, windows_.size());
    std::vector<double> last(windows_.end() - static_cast<std::ptrdiff_t>(used), windows_.end());
    std::ranges::sort(last);
    return last[(used - 1) / 2];
  }

  std::vector<double> windows_;  // of as many messages each: nanoseconds for one
  WarmUpReport report_;
  double ns_per_message_ = 0;
  std::uint64_t moved_ = 0;
};

// For the lead of a launch that only verifies: phases of more and more messages, of all `messages` together
// as many as go in about `within_ns`. Returns how many are left for the timed phase. Where a link becomes
// very slow on the way, that is found out after a phase of few.
template <class RunPhase>
std::uint64_t verify_but_the_last(std::uint64_t messages, std::uint64_t within_ns, RunPhase run_phase) {
  constexpr std::uint64_t first_share = 64, growth = 2;
  std::uint64_t moved = 0, next = std::max<std::uint64_t>(1, messages / first_share), elapsed_ns = 0;
  while (moved + next < messages) {
    const std::uint64_t phase_ns = run_phase(next);
    moved += next;
    elapsed_ns += phase_ns;
    if (elapsed_ns >= within_ns) return 1;
    const double in_time = static_cast<double>(within_ns - elapsed_ns) / static_cast<double>(phase_ns) *
                           static_cast<double>(next);
    next = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(in_time), 1, growth * next);
  }
  return messages - moved;
}

// For the lead. `move(messages, timed)` moves them all; it is called between announce and conclude.
template <class Move>
void lead_phases(Role& role, const TrialOptions& options, Move move) {
  const auto run_phase = [&](PhaseKind kind, std::uint64_t messages) {
    role.announce({kind, messages});
    const std::uint64_t begin_ns = now_ns();
    move(messages, kind == PhaseKind::timed);
    const std::uint64_t moved_ns = now_ns();
    role.conclude();
    return std::max<std::uint64_t>(1, (options.lead_sets_the_pace ? moved_ns : now_ns()) - begin_ns);
  };
  const auto warm_up = [&](const WarmUpPlan& plan) {
    const WarmUp done(plan, [&](std::uint64_t messages) { return run_phase(PhaseKind::warm_up, messages); });
    role.board().warm_up_messages = done.moved();
    role.board().warm_up = done.report();
    return done;
  };
  const auto in_time = [](std::uint64_t ns, const WarmUp& done) {
    return static_cast<std::uint64_t>(static_cast<double>(ns) / done.ns_per_message());
  };

  std::uint64_t timed_messages = options.fixed_messages;
  if (timed_messages == 0) {
    const auto warm_up_ns = static_cast<double>(options.warm_up_ns);
    const WarmUp done = warm_up({.window_ns = warm_up_ns / static_cast<double>(steady_windows),
                                 .judged = steady_windows,
                                 .most_windows = 3 * steady_windows,
                                 .patience_ns = 8 * warm_up_ns,
                                 .most_messages = options.most_messages});
    timed_messages = std::max(options.least_messages, in_time(options.timed_ns, done));
  } else if (options.every_byte && options.fixed_within_ns > 0) {
    timed_messages =
        verify_but_the_last(timed_messages, options.fixed_within_ns, [&](std::uint64_t messages) {
          role.board().warm_up_messages += messages;
          return run_phase(PhaseKind::warm_up, messages);
        });
  } else if (constexpr std::uint64_t few = 8; options.fixed_within_ns > 0 && timed_messages > few) {
    // Two thirds of them at most: as many as two windows have before the three that are looked at.
    const WarmUp done = warm_up(
        {.window_ns = static_cast<double>(options.fixed_within_ns / 8), .most_messages = timed_messages / 8});
    timed_messages =
        std::clamp<std::uint64_t>(in_time(options.fixed_within_ns, done), 1, timed_messages - done.moved());
  }
  run_phase(PhaseKind::timed, std::min(timed_messages, options.most_messages));
}

// The same with the timed part's cost, and its messages unless `move` says otherwise, put on the board.
template <class Move>
void lead_phases(Role& role, const TrialOptions& options, CostMeter& meter, Move move) {
  lead_phases(role, options, [&](std::uint64_t messages, bool timed) {
    if (timed) meter.start();
    move(messages, timed);
    if (!timed) return;
    role.board().cost = meter.stop();
    if (role.board().timed_messages == 0) role.board().timed_messages = messages;
  });
}

// For the others. `move` as above, and it may set timed_messages where it moves fewer; `drain` takes what is
// left until the stream ends.
template <class Move, class Drain>
void follow_phases(Role& role, CostMeter& meter, Move move, Drain drain) {
  for (;;) {
    const Phase phase = role.next_phase();
    if (phase.kind == PhaseKind::drain) {
      role.enter();
      drain();
      role.leave();
      return;
    }
    if (phase.kind == PhaseKind::timed) meter.start();
    role.enter();
    move(phase.messages, phase.kind == PhaseKind::timed);
    if (phase.kind == PhaseKind::timed) {
      role.board().cost = meter.stop();
      if (role.board().timed_messages == 0) role.board().timed_messages = phase.messages;
    }
    role.leave();
  }
}

}  // namespace ipcmark
