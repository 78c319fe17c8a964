// ping_pong: role 0 sends a message and waits for one back, over and over. The round-trip time is measured,
// one clock reading a round trip; data goes both ways, of a mix each answer as large as its message. A duplex
// transport uses one link for both.
//
// Over a lossy link a round trip whose answer does not come in time (workloads/losses.h) is given up and
// counted as lost, whichever of its two messages it was; the figures are of the others. An answer carries its
// message's number, so that one that comes too late is not taken for the next.
#pragma once

#include <array>

#include "harness/traits.h"
#include "workloads/backlog.h"
#include "workloads/endpoints.h"
#include "workloads/losses.h"
#include "workloads/timed_work.h"

namespace ipcmark {

// The loops themselves, over whatever writes and reads messages.
template <class W, class R>
class RoundTrips {
 public:
  RoundTrips(Role& role, W& writer, R& reader) : role_(role), writer_(writer), reader_(reader) {}

  // Records each round trip; returns when the first began and the last ended.
  Span lead_timed(std::uint64_t round_trips, Histogram& histogram) {
    const std::uint64_t begin_ns = now_ns();
    std::uint64_t before_ns = begin_ns;
    for (std::uint64_t i = 0; i < round_trips; ++i) {
      lead_one();
      const std::uint64_t after_ns = now_ns();
      histogram.record(after_ns - before_ns);
      before_ns = after_ns;
    }
    return {begin_ns, before_ns};
  }

  void answer(std::uint64_t round_trips) {
    for (std::uint64_t i = 0; i < round_trips; ++i) {
      reader_.read();
      writer_.write(sequence_);
      role_.moved(++sequence_);
    }
  }

  // The same where messages may be lost. `histogram` has those that were answered.
  Span lead_timed_with_losses(std::uint64_t round_trips, Histogram& histogram) {
    const std::uint64_t begin_ns = now_ns();
    std::uint64_t before_ns = begin_ns;
    for (std::uint64_t i = 0; i < round_trips; ++i) {
      const bool answered = lead_one_or_lose_it();
      const std::uint64_t after_ns = now_ns();
      if (answered) histogram.record(after_ns - before_ns);
      before_ns = after_ns;
    }
    return {begin_ns, before_ns};
  }
  void answer_with_losses(std::uint64_t round_trips) {
    sequence_ += round_trips;
    const std::atomic<std::uint64_t>& led = role_.launch().roles[0].progress;
    const auto over = [&] { return led.load(std::memory_order_relaxed) >= sequence_; };
    while (reader_.checker().next() < sequence_ && reader_.read_unless(over)) {
      writer_.write(reader_.checker().next() - 1);
      role_.moved(reader_.checker().next());
    }
  }

  // Round trips made so far, by this side's count.
  std::uint64_t made() const { return sequence_; }

 private:
  void lead_one() {
    writer_.write(sequence_);
    reader_.read();
    role_.moved(++sequence_);
  }

  bool lead_one_or_lose_it() {
    writer_.write(sequence_);
    const std::uint64_t deadline_ns = now_ns() + answer_patience_ns;
    bool answered = true;
    while (answered && reader_.checker().next() <= sequence_) {
      answered = reader_.read_unless([&] { return now_ns() > deadline_ns; });
    }
    role_.moved(++sequence_);
    lost_in_a_row_ = answered ? 0 : lost_in_a_row_ + 1;
    if (lost_in_a_row_ == most_lost_in_a_row) {
      throw std::runtime_error(fmt::format("no answer to {} messages in a row", most_lost_in_a_row));
    }
    return answered;
  }

  Role& role_;
  W& writer_;
  R& reader_;
  std::uint64_t sequence_ = 0;
  unsigned lost_in_a_row_ = 0;
};

template <LinkType T>
class PingPong final : public Work {
 public:
  static constexpr std::string_view name = "ping_pong";
  static constexpr std::string_view samples = "round_trip_ns";
  static constexpr std::array<std::string_view, 2> takes{"work", "mix"};
  static constexpr bool one_clock = true;
  static constexpr bool every_capacity = true;
  static constexpr bool bears_losses = true;

  static std::vector<RoleKind> roles(const Case&) {
    return {{.name = "sender 0", .sends = true, .receives = true, .counts = true},
            {.name = "receiver 1", .sends = true, .receives = true}};
  }
  static std::uint64_t bytes_per_message(const Case& benchmark_case) {
    return 2 * benchmark_case.message_bytes;
  }
  static std::string unfit(const Case& benchmark_case, const TransportTraits&) {
    return work_needs_tries(benchmark_case);
  }

  static void observe(const Case& benchmark_case, const LaunchBoard& board,
                      std::vector<Observation>& observations) {
    observe_backlog(benchmark_case, board.roles[0], observations);
    observe_losses(board.roles[0], observations);
  }
  static std::string remark(const Case&, const LaunchBoard& board) {
    return remark_on_losses(board.roles[0], "round trips");
  }

  PingPong(const Case& benchmark_case, const Shape& shape, const TrialOptions& options)
      : case_(benchmark_case), shape_(shape), options_(options), lossy_(traits_for<T>(shape).facts.lossy) {}

  unsigned links() const override { return BothWays<T>::links; }
  unsigned senders_of(unsigned) const override { return DuplexTransport<T> ? 2 : 1; }
  void build(const std::string& directory) override {
    shape_.directory = directory;
    links_.build(shape_, links());
  }
  void open(Role& role) override {
    ends_.open(links_, role);
    role.keep_limit(limit_of(ends_.sender()));
  }
  void drop() override { links_.drop(); }
  void end() override { links_.end(); }

  void run(Role& role) override {
    measure_cache_line(role);
    with_sized_writer(ends_.sender(), case_, [&](auto& writer) {
      with_reader_beside(writer, ends_.receiver(), case_, options_.every_byte, [&](auto& reader) {
        role.lock_memory();
        if (role.index() == 0) {
          lead(role, writer, reader);
        } else {
          follow(role, writer, reader);
        }
        role.board().integrity = reader.checker().counts();
        role.board().integrity.every_byte = options_.every_byte;
      });
    });
  }

 private:
  template <class W, class R>
  void lead(Role& role, W& writer, R& reader) {
    RoleBoard& board = role.board();
    CostMeter meter;
    RoundTrips round_trips(role, writer, reader);
    const auto run = [&](std::uint64_t messages) {
      return lossy_ ? round_trips.lead_timed_with_losses(messages, board.histogram)
                    : round_trips.lead_timed(messages, board.histogram);
    };
    lead_phases(role, options_, [&](std::uint64_t messages, bool timed) {
      run(1);  // the other role may still be on its way from the meeting point
      if (!timed) {
        // By the same loop, so that the pace is right and the histogram's pages are there.
        run(messages);
        return;
      }
      board.histogram = {};
      writer.toil() = toil_of(case_, case_.send_wait);
      reader.toil() = toil_of(case_, case_.receive_wait);
      meter.start();
      const Span span = run(messages);
      board.cost = meter.stop();
      board.begin_ns = span.begin_ns;
      board.end_ns = span.end_ns;
      board.timed_messages = messages;
      if (lossy_) keep_losses(board, messages, board.histogram.count());
      board.messages_per_sample = 1;
      keep_bytes(board, writer, round_trips.made() - messages, round_trips.made());
      keep_toil(board, case_.send_wait, writer.toil());
      keep_toil(board, case_.receive_wait, reader.toil());
    });
    writer.finish();
    keep_what_it_tells(role, ends_.sender());
    role.announce({PhaseKind::drain, 0});
    role.conclude();
    while (reader.read_unless_closed()) {
    }
    reader.checker().finish(round_trips.made());
  }

  template <class W, class R>
  void follow(Role& role, W& writer, R& reader) {
    CostMeter meter;
    RoundTrips round_trips(role, writer, reader);
    follow_phases(
        role, meter,
        [&](std::uint64_t messages, bool timed) {
          if (timed) {
            writer.toil() = toil_of(case_, case_.send_wait);
            reader.toil() = toil_of(case_, case_.receive_wait);
          }
          lossy_ ? round_trips.answer_with_losses(messages + 1) : round_trips.answer(messages + 1);
          if (!timed) return;
          keep_bytes(role.board(), writer, round_trips.made() - messages, round_trips.made());
          keep_toil(role.board(), case_.send_wait, writer.toil());
          keep_toil(role.board(), case_.receive_wait, reader.toil());
        },
        [&] {
          while (reader.read_unless_closed()) {
          }
          reader.checker().finish(round_trips.made());
          writer.finish();
        });
  }

  Case case_;
  Shape shape_;
  TrialOptions options_;
  bool lossy_;
  Links<T> links_;
  BothWays<T> ends_;
};

}  // namespace ipcmark
