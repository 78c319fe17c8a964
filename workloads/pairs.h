// pairs: N independent pairs at once (`pairs`, else one), to see how the kernel scales. Role 2i streams to
// role 2i + 1 over a link of their own; every pair moves as many messages. The timed span runs from the first
// send begun to the last receive ended, over all pairs; how far they drew apart is observed.
#pragma once

#include <algorithm>
#include <array>

#include "harness/traits.h"
#include "workloads/endpoints.h"
#include "workloads/fairness.h"
#include "workloads/timed_work.h"
#include "workloads/windows.h"

namespace ipcmark {

template <LinkType T>
class Pairs final : public Work {
 public:
  static constexpr std::string_view name = "pairs";
  static constexpr std::string_view samples = "window_ns";
  static constexpr std::array<std::string_view, 1> takes{"pairs"};
  static constexpr bool one_clock = false;
  static constexpr std::uint64_t most_pairs = max_roles / 2;

  static unsigned pairs_of(const Case& benchmark_case) {
    return static_cast<unsigned>(std::clamp<std::uint64_t>(benchmark_case.pairs, 1, most_pairs));
  }

  static std::vector<RoleKind> roles(const Case& benchmark_case) {
    std::vector<RoleKind> kinds;
    for (unsigned pair = 0; pair < pairs_of(benchmark_case); ++pair) {
      kinds.push_back({.name = "sender " + std::to_string(2 * pair), .sends = true, .counts = true});
      kinds.push_back({.name = "receiver " + std::to_string(2 * pair + 1), .receives = true});
    }
    return kinds;
  }
  static std::string unfit(const Case& benchmark_case, const TransportTraits&) {
    if (benchmark_case.pairs <= most_pairs) return {};
    return "pairs are at most " + std::to_string(most_pairs);
  }

  // Each pair from its sender's beginning to its receiver's end.
  static void observe(const Case& benchmark_case, const LaunchBoard& board,
                      std::vector<Observation>& observations) {
    std::vector<double> rates;
    for (unsigned pair = 0; pair < pairs_of(benchmark_case); ++pair) {
      const RoleBoard& sender = board.roles[2 * pair];
      const RoleBoard& receiver = board.roles[2 * pair + 1];
      if (receiver.end_ns <= sender.begin_ns) return;
      rates.push_back(static_cast<double>(sender.timed_messages) * 1e9 /
                      static_cast<double>(receiver.end_ns - sender.begin_ns));
    }
    observe_rates("pair", rates, observations);
  }

  Pairs(const Case& benchmark_case, const Shape& shape, const TrialOptions& options)
      : case_(benchmark_case), shape_(shape), options_(options) {}

  unsigned links() const override { return pairs_of(case_); }
  unsigned senders_of(unsigned) const override { return 1; }
  void build(const std::string& directory) override {
    shape_.directory = directory;
    links_.build(shape_, links());
  }
  void open(Role& role) override {
    const unsigned pair = role.index() / 2;
    if (sends(role)) {
      sender_.emplace(open_sender_end(links_[pair], role.meeting(pair)));
      role.keep_limit(limit_of(*sender_));
    } else {
      receiver_.emplace(open_receiver_end(links_[pair], role.meeting(pair)));
      role.keep_limit(limit_of(*receiver_));
    }
  }
  void drop() override { links_.drop(); }
  void end() override { links_.end(); }

  void run(Role& role) override {
    measure_cache_line(role);
    if (sends(role)) {
      with_writer(*sender_, case_, [&](auto& writer) {
        role.lock_memory();
        send(role, writer);
      });
    } else {
      with_reader(*receiver_, case_, options_.every_byte, [&](auto& reader) {
        role.lock_memory();
        receive(role, reader);
        role.board().integrity = reader.checker().counts();
        role.board().integrity.every_byte = options_.every_byte;
      });
    }
  }

 private:
  static bool sends(const Role& role) { return role.index() % 2 == 0; }

  template <class W>
  void send(Role& role, W& writer) {
    RoleBoard& board = role.board();
    CostMeter meter;
    std::uint64_t sequence = 0;
    const auto move = [&](std::uint64_t messages, bool timed) {
      if (timed) {
        writer.toil() = {};
        board.begin_ns = now_ns();
      }
      for (std::uint64_t i = 0; i < messages; ++i) {
        writer.write(sequence);
        role.moved(++sequence);
      }
      if (!timed) return;
      board.end_ns = now_ns();
      keep_toil(board, case_.send_wait, writer.toil());
      writer.finish();  // this phase is the last, and no receiver drains before it is over
    };
    if (role.index() != 0) {
      follow_phases(role, meter, move, [] {});
      return;
    }
    lead_phases(role, options_, meter, move);
    role.announce({PhaseKind::drain, 0});
    role.conclude();
  }

  template <class R>
  void receive(Role& role, R& reader) {
    RoleBoard& board = role.board();
    CostMeter meter;
    std::uint64_t received = 0;
    const auto take = [&] {
      reader.read();
      role.moved(++received);
    };
    follow_phases(
        role, meter,
        [&](std::uint64_t messages, bool timed) {
          if (!timed) {
            for (std::uint64_t i = 0; i < messages; ++i) take();
            return;
          }
          Windows windows(board, messages);
          reader.toil() = {};
          take();
          windows.received();
          board.begin_ns = now_ns();
          for (std::uint64_t i = 1; i < messages; ++i) {
            take();
            windows.received();
          }
          board.end_ns = now_ns();
          keep_toil(board, case_.receive_wait, reader.toil());
        },
        [&] {
          while (reader.read_unless_closed()) {
          }
          reader.checker().finish(received);
        });
  }

  Case case_;
  Shape shape_;
  TrialOptions options_;
  Links<T> links_;
  std::optional<SenderEnd<T>> sender_;
  std::optional<ReceiverEnd<T>> receiver_;
};

}  // namespace ipcmark
