// ping_pong: role 0 sends a message and waits for one back, over and over. The round-trip time is measured,
// one clock reading a round trip; data goes both ways. A duplex transport uses one link for both.
#pragma once

#include "workloads/endpoints.h"
#include "workloads/timed_work.h"

namespace ipcmark {

template <Transport T>
class PingPong final : public Work {
 public:
  static constexpr std::string_view name = "ping_pong";
  static constexpr std::string_view role_names[] = {"sender 0", "receiver 1"};

  PingPong(const Case& benchmark_case, const Shape& shape, const TrialOptions& options)
      : case_(benchmark_case), shape_(shape), options_(options) {}

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
    with_writer(ends_.sender(), case_, [&](auto& writer) {
      with_reader(ends_.receiver(), case_, options_.every_byte, [&](auto& reader) {
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
    std::uint64_t sequence = 0;
    const auto round_trip = [&] {
      writer.write(sequence);
      reader.read();
      role.moved(++sequence);
    };
    lead_phases(role, options_, [&](std::uint64_t messages, bool timed) {
      round_trip();  // the other role may still be on its way from the meeting point
      if (!timed) {
        for (std::uint64_t i = 0; i < messages; ++i) round_trip();
        return;
      }
      meter.start();
      std::uint64_t before_ns = board.begin_ns = now_ns();
      for (std::uint64_t i = 0; i < messages; ++i) {
        round_trip();
        const std::uint64_t after_ns = now_ns();
        board.histogram.record(after_ns - before_ns);
        before_ns = after_ns;
      }
      board.end_ns = before_ns;
      board.cost = meter.stop();
      board.timed_messages = messages;
      board.messages_per_sample = 1;
    });
    writer.finish();
    role.announce({PhaseKind::drain, 0});
    role.conclude();
    while (reader.read_unless_closed()) {
    }
    reader.checker().finish(sequence);
  }

  template <class W, class R>
  void follow(Role& role, W& writer, R& reader) {
    CostMeter meter;
    std::uint64_t sequence = 0;
    follow_phases(
        role, meter,
        [&](std::uint64_t messages, bool) {
          for (std::uint64_t i = 0; i < messages + 1; ++i) {
            reader.read();
            writer.write(sequence);
            role.moved(++sequence);
          }
        },
        [&] {
          while (reader.read_unless_closed()) {
          }
          reader.checker().finish(sequence);
          writer.finish();
        });
  }

  Case case_;
  Shape shape_;
  TrialOptions options_;
  Links<T> links_;
  BothWays<T> ends_;
};

}  // namespace ipcmark
