// The course of a timed launch, the same for every workload: warm up until the pace is known, one timed phase
// of as many messages as fill the time asked for, then the drain.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "harness/cache_line.h"
#include "harness/clock.h"
#include "harness/launch.h"
#include "harness/role_cost.h"

namespace ipcmark {

struct TrialOptions {
  std::uint64_t timed_ns = 100'000'000;  // how long the timed part should take
  std::uint64_t warm_up_ns = 8'000'000;  // how long the last warm-up phase should take
  std::uint64_t fixed_messages = 0;      // > 0: exactly these in the timed part, no warm-up
  // > 0: of the fixed messages only as many as take about this long; some go before, to learn the pace.
  std::uint64_t fixed_within_ns = 0;
  std::uint64_t least_messages = 1;  // in the timed part, however long they take
  std::uint64_t most_messages = std::numeric_limits<std::uint64_t>::max();  // in any phase
  // The lead never waits for the others, who may take a while to see that it is through: its own time tells.
  bool lead_sets_the_pace = false;
  bool every_byte = false;  // a verified launch: compare each byte instead of stamp and sum
  std::uint64_t seed = 0;   // of whatever is drawn in a launch
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

// Warm-up phases, each longer than the one before, until one takes as long as it should or moves the most
// that it may. `run_phase(messages)` returns how long it took.
class WarmUp {
 public:
  template <class RunPhase>
  WarmUp(double long_enough_ns, std::uint64_t most_messages, RunPhase run_phase) {
    constexpr double too_short_to_judge_ns = 1e6;
    constexpr double growth = 8;
    // Of a phase against the quickest so far: it was disturbed, or it is the first that the mechanism itself
    // holds up, as a buffer does once it is full. Run again, the one passes and the other stays. The first of
    // all has nothing to be held against.
    constexpr double suspect = 2;
    std::uint64_t messages = 1;
    bool again = false;
    for (;;) {
      const bool first = moved_ == 0;
      const auto elapsed_ns = static_cast<double>(run_phase(messages));
      moved_ += messages;
      const double pace = elapsed_ns / static_cast<double>(messages);
      if (elapsed_ns >= long_enough_ns && (first || pace > suspect * ns_per_message_)) {
        if (again) {
          ns_per_message_ = pace;
          return;
        }
        again = true;
        continue;
      }
      again = false;
      ns_per_message_ = std::min(ns_per_message_, pace);
      if (elapsed_ns >= long_enough_ns || messages >= most_messages) return;
      const double wanted = elapsed_ns < too_short_to_judge_ns ? growth : 2 * long_enough_ns / elapsed_ns;
      messages =
          std::min(static_cast<std::uint64_t>(static_cast<double>(messages) * wanted) + 1, most_messages);
    }
  }

  double ns_per_message() const { return ns_per_message_; }
  std::uint64_t moved() const { return moved_; }

 private:
  double ns_per_message_ = std::numeric_limits<double>::infinity();
  std::uint64_t moved_ = 0;
};

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
  const auto warm_up = [&](std::uint64_t long_enough_ns, std::uint64_t most_messages) {
    const WarmUp done(static_cast<double>(long_enough_ns), most_messages,
                      [&](std::uint64_t messages) { return run_phase(PhaseKind::warm_up, messages); });
    role.board().warm_up_messages = done.moved();
    return done;
  };
  const auto in_time = [](std::uint64_t ns, const WarmUp& done) {
    return static_cast<std::uint64_t>(static_cast<double>(ns) / done.ns_per_message());
  };

  std::uint64_t timed_messages = options.fixed_messages;
  if (timed_messages == 0) {
    const WarmUp done = warm_up(options.warm_up_ns / 2, options.most_messages);
    timed_messages = std::max(options.least_messages, in_time(options.timed_ns, done));
  } else if (constexpr std::uint64_t few = 8; options.fixed_within_ns > 0 && timed_messages > few) {
    // At most 3/8 of them: the last phase twice, and as many before it.
    const WarmUp done = warm_up(options.fixed_within_ns / 8, timed_messages / 8);
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
