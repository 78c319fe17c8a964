// stream: role 0 sends as fast as it can, role 1 receives. The timed span runs from the first send begun to
// the last receive ended. The receiver also reads the clock once in a while (about a thousand times), which
// shows how steadily the messages flow: each window's duration is recorded.
//
// With overflow drop_old the sender takes the oldest message out of a full link and drops it, where it can;
// in shared memory by a claim like a receiver's, for which the link is made of the ring for several receivers
// (harness/shared_ring.h). It waits only where the receiver is inside of the oldest message already.
//
// Over a lossy link the figures are of the messages that have come. Any may be the last that comes, so there
// the receiver reads the clock after each; a phase is over when its last number has come, or when the sender
// is through with it and nothing comes any more.
#pragma once

#include <array>

#include "harness/traits.h"
#include "workloads/backlog.h"
#include "workloads/endpoints.h"
#include "workloads/losses.h"
#include "workloads/timed_work.h"

namespace ipcmark {

template <LinkType T>
class Stream final : public Work {
 public:
  static constexpr std::string_view name = "stream";
  static constexpr std::string_view samples = "window_ns";
  static constexpr std::array<std::string_view, 3> takes{"overflow", "work", "mix"};
  static constexpr bool one_clock = false;
  static constexpr bool every_capacity = true;
  static constexpr bool bears_losses = true;
  static constexpr std::uint64_t windows = 1'024;

  static std::vector<RoleKind> roles(const Case&) {
    return {{.name = "sender 0", .sends = true, .counts = true}, {.name = "receiver 1", .receives = true}};
  }
  static std::string unfit(const Case& c, const TransportTraits& traits) {
    constexpr std::uint64_t whole_number_bytes = 6;  // of a sequence number, see harness/payload.h
    if (traits.facts.lossy && c.message_bytes < whole_number_bytes) {
      return traits.name +
             ": a message of under 6 B does not carry its whole number, and one lost before it would not "
             "show";
    }
    if (c.overflow == Overflow::wait) return work_needs_tries(c);
    const std::string what = traits.name + ": overflow " + std::string(to_string(c.overflow));
    if (is_mix(c)) return what + ": a mix of sizes waits for room";
    if (!traits.facts.carries) return what + ": it holds nothing, and never overflows";
    if (traits.facts.lossy)
      return what + ": a full link loses what is sent, and nobody is told that it is full";
    if (c.send_wait == Wait::block)
      return what + ": a sender that waits by block sleeps when the link is full; use yield or spin";
    if (c.capacity == Capacity::rendezvous()) return what + ": a rendezvous has room for nothing";
    if (c.capacity == Capacity::unbounded() || traits.facts.never_full) {
      return what + ": an unbounded link is never full";
    }
    if (c.overflow == Overflow::drop_old && !traits.drops_oldest) {
      return what + ": nothing that its sender holds takes a message out again";
    }
    if (c.message_bytes < whole_number_bytes) {
      return what +
             ": a message of under 6 B does not carry its whole number, and a dropped one would not show";
    }
    return work_needs_tries(c);
  }

  static void observe(const Case& benchmark_case, const LaunchBoard& board,
                      std::vector<Observation>& observations) {
    observe_backlog(benchmark_case, board.roles[0], observations);
    observe_losses(board.roles[0], observations);
  }
  static std::string remark(const Case&, const LaunchBoard& board) {
    return remark_on_losses(board.roles[0], "messages");
  }

  Stream(const Case& benchmark_case, const Shape& shape, const TrialOptions& options)
      : case_(benchmark_case), shape_(shape), options_(options), lossy_(traits_for<T>(shape).facts.lossy) {
    options_.lead_sets_the_pace = lossy_;
  }

  unsigned links() const override { return 1; }
  unsigned senders_of(unsigned) const override { return 1; }
  void build(const std::string& directory) override {
    shape_.directory = directory;
    links_.build(shape_, 1);
  }
  void open(Role& role) override {
    if (role.index() == 0) {
      sender_.emplace(open_sender_end(links_[0], role.meeting(0)));
      role.keep_limit(limit_of(*sender_));
    } else {
      receiver_.emplace(open_receiver_end(links_[0], role.meeting(0)));
      role.keep_limit(limit_of(*receiver_));
    }
  }
  void drop() override { links_.drop(); }
  void end() override { links_.end(); }

  void run(Role& role) override {
    measure_cache_line(role);
    if (role.index() == 0) {
      with_sized_writer(*sender_, case_, [&](auto& writer) {
        role.lock_memory();
        lead(role, writer);
      });
    } else {
      with_sized_reader(*receiver_, case_, options_.every_byte, [&](auto& reader) {
        role.lock_memory();
        follow(role, reader);
        role.board().integrity = reader.checker().counts();
        role.board().integrity.every_byte = options_.every_byte;
      });
    }
  }

 private:
  template <class W>
  void lead(Role& role, W& writer) {
    RoleBoard& board = role.board();
    CostMeter meter;
    std::uint64_t sequence = 0;
    lead_phases(role, within_backlog(options_, *sender_), [&](std::uint64_t messages, bool timed) {
      if (timed) {
        meter.start();
        writer.toil() = toil_of(case_, case_.send_wait);
        board.begin_ns = now_ns();
      }
      const std::uint64_t dropped_before = board.dropped;
      if (case_.overflow == Overflow::wait) {
        for (std::uint64_t i = 0; i < messages; ++i) {
          writer.write(sequence);
          role.moved(++sequence);
        }
      } else {
        for (std::uint64_t i = 1; i < messages; ++i) {
          writer.write_or_drop(sequence, case_.overflow, board.dropped);
          role.moved(++sequence);
        }
        writer.write(sequence);  // by the last one of a phase the receiver knows that it is over
        role.moved(++sequence);
      }
      if (timed) {
        board.end_ns = now_ns();
        board.cost = meter.stop();
        board.timed_dropped = board.dropped - dropped_before;
        board.timed_messages = messages - board.timed_dropped;
        keep_bytes(board, writer, sequence - messages, sequence);
        keep_toil(board, case_.send_wait, writer.toil());
      }
    });
    if (lossy_) keep_losses(board, board.timed_messages, role.launch().roles[1].timed_messages);
    writer.finish();
    keep_what_it_tells(role, *sender_);
    role.announce({PhaseKind::drain, 0});
    role.conclude();
  }

  template <class R>
  void follow(Role& role, R& reader) {
    RoleBoard& board = role.board();
    CostMeter meter;
    std::uint64_t received = 0;
    std::uint64_t numbered = 0;  // messages of all phases so far, dropped ones included
    const auto receive = [&] {
      reader.read();
      role.moved(++received);
    };
    // Where messages may be dropped: until the last one's number has come.
    const auto all_there = [&] { return reader.checker().next() >= numbered; };
    // Where they may be lost: false once no more of this phase will come.
    const auto receive_if_any = [&] {
      const std::atomic<std::uint64_t>& sent = role.launch().roles[0].progress;
      Silence silence;
      const bool came = !all_there() && reader.read_unless([&] {
        return silence.means_lost(sent.load(std::memory_order_relaxed) >= numbered);
      });
      if (came) role.moved(++received);
      return came;
    };
    follow_phases(
        role, meter,
        [&](std::uint64_t messages, bool timed) {
          numbered += messages;
          if (lossy_) {
            if (timed) {
              receive_timed_with_losses(board, messages, receive_if_any);
              keep_toil(board, case_.receive_wait, reader.toil());
            } else {
              while (receive_if_any()) {
              }
            }
            return;
          }
          if (!timed) {
            if (case_.overflow == Overflow::wait) {
              for (std::uint64_t i = 0; i < messages; ++i) receive();
            } else {
              while (!all_there()) receive();
            }
            return;
          }
          const std::uint64_t window = (messages + windows - 1) / windows;
          board.messages_per_sample = window;
          reader.toil() = toil_of(case_, case_.receive_wait);
          receive();
          // From the end of the first receive: before it lies the waiting for the sender to begin.
          std::uint64_t before_ns = board.begin_ns = now_ns();
          const auto end_window = [&] {
            const std::uint64_t after_ns = now_ns();
            board.histogram.record(after_ns - before_ns);
            before_ns = after_ns;
          };
          if (case_.overflow == Overflow::wait) {
            std::uint64_t left = messages - 1;
            for (; left >= window; left -= window) {
              for (std::uint64_t i = 0; i < window; ++i) receive();
              end_window();
            }
            for (; left > 0; --left) receive();
          } else {
            board.timed_messages = 1;
            while (!all_there()) {
              receive();
              if (++board.timed_messages % window == 0) end_window();
            }
          }
          board.end_ns = now_ns();
          keep_toil(board, case_.receive_wait, reader.toil());
        },
        [&] {
          while (reader.read_unless_closed()) {
          }
          reader.checker().finish(numbered);
        });
  }

  template <class ReceiveIfAny>
  static void receive_timed_with_losses(RoleBoard& board, std::uint64_t messages,
                                        ReceiveIfAny receive_if_any) {
    const std::uint64_t window = (messages + windows - 1) / windows;
    board.messages_per_sample = window;
    std::uint64_t arrived = 0, before_ns = 0;
    while (receive_if_any()) {
      board.end_ns = now_ns();
      if (++arrived == 1) {
        before_ns = board.begin_ns = board.end_ns;
      } else if (arrived % window == 0) {
        board.histogram.record(board.end_ns - before_ns);
        before_ns = board.end_ns;
      }
    }
    if (arrived == 0) throw std::runtime_error(fmt::format("all {} messages were lost", messages));
    board.timed_messages = arrived;
  }

  Case case_;
  Shape shape_;
  TrialOptions options_;
  bool lossy_;
  Links<T> links_;
  std::optional<SenderEnd<T>> sender_;
  std::optional<ReceiverEnd<T>> receiver_;
};

}  // namespace ipcmark
