#include "workloads/paced.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <memory>

#include "harness/measurement.h"
#include "workloads/any_messages.h"
#include "workloads/backlog.h"
#include "workloads/open_loop.h"
#include "workloads/pacing.h"
#include "workloads/timed_work.h"

namespace ipcmark {
namespace {

// Columns of the log.
constexpr unsigned due = 0, sent = 1, received = 2;

// Positions on the boards; rates are doubles.
struct SenderFigures {
  static constexpr unsigned begin_ns = 0, next_due_ns = 1, saturation = 2;
};
struct ReceiverFigures {
  static constexpr unsigned offered = 0, achieved = 1, negative = 2;
};

constexpr Rate usual_rate{50, true};

Rate rate_of(const Case& c) { return c.rate.value == 0 ? usual_rate : c.rate; }

// A phase begins when the receiver says so.
std::atomic<std::uint64_t>& ready_for(Role& role) { return role.launch().tickets[0]; }

}  // namespace

std::string Paced::unfit(const Case& c, const TransportTraits& traits) {
  if (std::string reason = needs_bytes(traits.facts, name, traits.name); !reason.empty()) return reason;
  if (traits.facts.lossy) return traits.name + ": a message that is lost has no response time";
  if (loans_to_a_rendezvous(c)) return traits.name + ": paced at capacity 0 sends by copy only";
  if ((c.arrivals == Arrivals::burst) != (c.burst > 1)) {
    return "arrivals:burst goes with burst:N, of 2 messages or more";
  }
  if (c.burst > StampLog::most_messages) {
    return fmt::format("burst:{} is over {}, the most messages that a launch times", c.burst,
                       StampLog::most_messages);
  }
  return {};
}

void Paced::observe(const Case&, const LaunchBoard& board, std::vector<Observation>& observations) {
  const RoleBoard &sender = board.roles[0], &receiver = board.roles[1];
  const auto rate = [&](const char* what, std::uint64_t bits) {
    observations.push_back({what, "messages_per_second", std::bit_cast<double>(bits)});
  };
  rate("saturation", sender.figures[SenderFigures::saturation]);
  rate("offered", receiver.figures[ReceiverFigures::offered]);
  rate("achieved", receiver.figures[ReceiverFigures::achieved]);
  for (const FurtherSamples& further : receiver.further) {
    const std::string_view of(further.of);
    for (const auto& [percentile, share] : {std::pair{"p50", 0.5}, std::pair{"p99", 0.99}}) {
      if (const auto value = further.histogram.percentile(share)) {
        observations.push_back({fmt::format("{}_{}", of.substr(0, of.rfind('_')), percentile), "ns", *value});
      }
    }
  }
  if (const std::uint64_t negative = receiver.figures[ReceiverFigures::negative]; negative > 0) {
    observations.push_back({"negative_times", "times", static_cast<double>(negative)});
  }
}

void Paced::send(Role& role) {
  constexpr std::uint64_t lead_in_ns = 100'000;  // for the receiver to be waiting when the first is due
  RoleBoard& board = role.board();
  const Pacing pacing(role.launch());
  CostMeter meter;
  with_writer(end_of_link(), case_, [&](auto& writer) {
    role.lock_memory();
    const std::uint64_t most_at_once = std::min<std::uint64_t>(
        StampLog::most_messages, within_backlog(options_, end_of_link()).most_messages);
    std::uint64_t sequence = 0, phases = 0;
    // Returns its begin.
    const auto hand_over = [&](PhaseKind kind, std::uint64_t messages, auto due_after_ns) {
      const auto stamps = log_.touched(sent, messages);
      role.announce({kind, messages});
      pacing.until(ready_for(role), ++phases);
      if (kind == PhaseKind::timed) meter.start();
      const std::uint64_t begin_ns = now_ns() + lead_in_ns;
      for (std::uint64_t i = 0; i < messages; ++i) {
        stamps[i] = pacing.until(begin_ns + due_after_ns(i));
        writer.write(sequence++);
        role.moved(sequence);
      }
      if (kind == PhaseKind::timed) board.cost = meter.stop();
      role.conclude();
      return begin_ns;
    };
    // Nanoseconds for so many when all are due at once.
    const auto rush = [&](std::uint64_t messages) {
      hand_over(PhaseKind::warm_up, messages, [](std::uint64_t) { return std::uint64_t{0}; });
      board.warm_up_messages += messages;
      return static_cast<double>(std::max<std::uint64_t>(
          1, log_.column(received, messages).back() - log_.column(sent, messages).front()));
    };

    constexpr std::uint64_t few = 8;
    constexpr double growth = 2;  // as a warm-up's (workloads/timed_work.h)
    const bool fixed = options_.fixed_messages > 0;
    const auto rush_ns = static_cast<double>(std::max(options_.warm_up_ns, options_.timed_ns / 20));
    std::uint64_t messages = few;
    double elapsed_ns = rush(messages);
    while (!fixed && elapsed_ns < rush_ns / 2 && messages < most_at_once) {
      messages = std::min<std::uint64_t>(
          most_at_once, 1 + static_cast<std::uint64_t>(static_cast<double>(messages) *
                                                       std::min(growth, rush_ns / elapsed_ns)));
      elapsed_ns = rush(messages);
    }
    std::array<double, 3> rushes{elapsed_ns, elapsed_ns, elapsed_ns};
    if (!fixed) rushes[1] = rush(messages), rushes[2] = rush(messages);
    std::ranges::sort(rushes);
    const double saturation = static_cast<double>(messages) * ns_per_second / rushes[1];

    const Rate rate = rate_of(case_);
    const double per_second = static_cast<double>(rate.value) * (rate.percent ? saturation / 100 : 1);
    const auto due_within = [&](std::uint64_t ns) {
      return static_cast<std::uint64_t>(per_second * static_cast<double>(ns) / ns_per_second);
    };
    std::uint64_t most = fixed ? options_.fixed_messages : due_within(options_.timed_ns);
    if (options_.fixed_within_ns > 0) most = std::min(most, due_within(options_.fixed_within_ns));
    messages = std::clamp<std::uint64_t>(most, 1, most_at_once);
    // Whole bursts, else less than asked would be offered.
    if (!fixed && case_.arrivals == Arrivals::burst) {
      messages = std::max(case_.burst, messages - messages % case_.burst);
    }
    const std::span<std::uint64_t> schedule = log_.column(due, messages);
    const std::uint64_t next_due_ns = Schedule{.arrivals = case_.arrivals,
                                               .messages_per_second = per_second,
                                               .burst = case_.burst,
                                               .seed = options_.seed}
                                          .fill(schedule);
    const std::uint64_t begin_ns =
        hand_over(PhaseKind::timed, messages, [&](std::uint64_t i) { return schedule[i]; });
    board.begin_ns = log_.column(sent, messages).front();
    board.end_ns = log_.column(sent, messages).back();
    board.timed_messages = messages;
    board.figures[SenderFigures::begin_ns] = begin_ns;
    board.figures[SenderFigures::next_due_ns] = next_due_ns;
    board.figures[SenderFigures::saturation] = std::bit_cast<std::uint64_t>(saturation);
    writer.finish();
    role.announce({PhaseKind::drain, 0});
    role.conclude();
  });
}

void Paced::receive(Role& role) {
  RoleBoard& board = role.board();
  CostMeter meter;
  with_reader(end_of_link(), case_, options_.every_byte, [&](auto& reader) {
    role.lock_memory();
    std::uint64_t moved = 0, phases = 0;
    for (;;) {
      const Phase phase = role.next_phase();
      role.enter();
      if (phase.kind == PhaseKind::drain) break;
      const auto stamps = log_.touched(received, phase.messages);
      if (phase.kind == PhaseKind::timed) meter.start();
      ready_for(role).store(++phases, std::memory_order_release);
      for (std::uint64_t& stamp : stamps) {
        reader.read();
        stamp = now_ns();
        role.moved(++moved);
      }
      if (phase.kind == PhaseKind::timed) {
        board.cost = meter.stop();
        board.begin_ns = stamps.front();
        board.end_ns = stamps.back();
        board.timed_messages = phase.messages;
      }
      role.leave();
    }
    const std::uint64_t expected = moved;
    while (reader.read_unless_closed()) role.moved(++moved);
    reader.checker().finish(expected);
    board.integrity = reader.checker().counts();
    board.integrity.every_byte = options_.every_byte;
    report(role, board.timed_messages);
    role.leave();
  });
}

void Paced::report(Role& role, std::uint64_t messages) {
  RoleBoard& board = role.board();
  const RoleBoard& sender = role.launch().roles[0];
  const auto loop = std::make_unique<OpenLoop>();
  loop->account(sender.figures[SenderFigures::begin_ns], log_.column(due, messages),
                sender.figures[SenderFigures::next_due_ns], log_.column(sent, messages),
                log_.column(received, messages));
  board.histogram = loop->response;
  board.messages_per_sample = 1;
  fmt::format_to_n(board.further[0].of, sizeof board.further[0].of - 1, "service_ns");
  board.further[0].histogram = loop->service;
  fmt::format_to_n(board.further[1].of, sizeof board.further[1].of - 1, "send_lag_ns");
  board.further[1].histogram = loop->send_lag;
  board.figures[ReceiverFigures::offered] = std::bit_cast<std::uint64_t>(loop->offered_per_s);
  board.figures[ReceiverFigures::achieved] = std::bit_cast<std::uint64_t>(loop->achieved_per_s);
  board.figures[ReceiverFigures::negative] = loop->times.negative();
  fmt::format_to_n(board.invalid, sizeof board.invalid - 1, "{}", loop->complaint());
}

}  // namespace ipcmark
