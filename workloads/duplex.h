// duplex: both directions loaded at once. Each of two roles sends as many messages as it receives, as fast as
// it can; a duplex transport uses one link for both directions, any other two.
//
// A side that slept in its send could not drain what comes towards it, and with both links full both would
// sleep for ever. So a side whose waits are not `block` tries by turns to send and to receive, and waits only
// when it can do neither: what it could not send lies in a full link, so its peer has something to receive
// and goes on. With `block` on either side of a link a role has two threads, one that sends and one that
// receives, on the processor that the role is pinned to.
//
// The span is from the first send begun to the last receive ended, over both roles. Messages of both
// directions are counted.
#pragma once

#include <array>
#include <exception>
#include <thread>

#include "harness/traits.h"
#include "workloads/endpoints.h"
#include "workloads/timed_work.h"
#include "workloads/windows.h"

namespace ipcmark {

// Position of a role's figure on its board: when its last receive of the timed part ended.
struct DuplexFigures {
  static constexpr unsigned last_receive_ns = 0;
};

template <LinkType T>
class Duplex final : public Work {
 public:
  static constexpr std::string_view name = "duplex";
  static constexpr std::string_view samples = "window_ns";
  static constexpr std::array<std::string_view, 1> takes{"mix"};
  static constexpr bool one_clock = false;

  static std::vector<RoleKind> roles(const Case&) {
    return {{.name = "peer 0", .sends = true, .receives = true, .counts = true},
            {.name = "peer 1", .sends = true, .receives = true, .counts = true}};
  }

  // Each direction from its sender's beginning to its receiver's end.
  static void observe(const Case&, const LaunchBoard& board, std::vector<Observation>& observations) {
    const auto rate = [&board](unsigned from, unsigned to) {
      const std::uint64_t end_ns = board.roles[to].figures[DuplexFigures::last_receive_ns];
      const std::uint64_t begin_ns = board.roles[from].begin_ns;
      if (end_ns <= begin_ns) return 0.0;
      return static_cast<double>(board.roles[from].timed_messages) * 1e9 /
             static_cast<double>(end_ns - begin_ns);
    };
    const double there = rate(0, 1), back = rate(1, 0);
    observations.push_back({"from_0_to_1", "messages_per_second", there});
    observations.push_back({"from_1_to_0", "messages_per_second", back});
    if (there + back > 0) observations.push_back({"share_from_0_to_1", "ratio", there / (there + back)});
  }

  Duplex(const Case& benchmark_case, const Shape& shape, const TrialOptions& options)
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
    with_sized_writer(ends_.sender(), case_, [&](auto& writer) {
      with_reader_beside(writer, ends_.receiver(), case_, options_.every_byte, [&](auto& reader) {
        role.lock_memory();
        Sides sides{*this, role, writer, reader};
        if (role.index() == 0) {
          lead(role, sides);
        } else {
          follow(role, sides);
        }
        role.board().integrity = reader.checker().counts();
        role.board().integrity.every_byte = options_.every_byte;
      });
    });
  }

 private:
  // What one role moves.
  template <class W, class R>
  struct Sides {
    Duplex& duplex;
    Role& role;
    W& writer;
    R& reader;
    std::uint64_t sent = 0;
    std::uint64_t received = 0;

    void move(std::uint64_t messages, bool timed) {
      if (!timed) return move(messages, [] {});
      RoleBoard& board = role.board();
      writer.toil() = reader.toil() = {};
      Windows windows(board, messages);
      board.begin_ns = now_ns();
      move(messages, [&windows] { windows.received(); });
      board.end_ns = now_ns();
      keep_bytes(board, writer, sent - messages, sent);
      keep_toil(board, duplex.case_.send_wait, writer.toil());
      keep_toil(board, duplex.case_.receive_wait, reader.toil());
    }

    template <class OnReceived>
    void move(std::uint64_t messages, OnReceived on_received) {
      const Case& c = duplex.case_;
      if (c.send_wait == Wait::block || c.receive_wait == Wait::block) {
        by_two_threads(messages, on_received);
      } else {
        by_turns(messages, on_received);
      }
      received += messages;
    }

    template <class OnReceived>
    void by_two_threads(std::uint64_t messages, OnReceived on_received) {
      std::exception_ptr failure;
      {
        const std::jthread receiving([&] {
          try {
            receive(messages, on_received);
          } catch (...) {
            failure = std::current_exception();
          }
        });
        for (std::uint64_t i = 0; i < messages; ++i) {
          writer.write(sent);
          role.moved(++sent);
        }
      }
      if (failure) std::rethrow_exception(failure);
    }

    template <class OnReceived>
    void receive(std::uint64_t messages, OnReceived on_received) {
      for (std::uint64_t i = 0; i < messages; ++i) {
        reader.read();
        on_received();
      }
      role.board().figures[DuplexFigures::last_receive_ns] = now_ns();
    }

    template <class OnReceived>
    void by_turns(std::uint64_t messages, OnReceived on_received) {
      std::uint64_t to_send = messages, to_receive = messages;
      const auto is_done = [](Io io, const char* what) {
        if (io == Io::closed) throw PeerClosed(std::string(what) + ": the other side has closed the link");
        return io == Io::done;
      };
      while (to_send + to_receive > 0) {
        bool moved = false;
        if (to_send > 0 && is_done(writer.try_write(sent), "send")) {
          role.moved(++sent);
          --to_send;
          moved = true;
        }
        if (to_receive > 0 && is_done(reader.try_read(), "receive")) {
          on_received();
          moved = true;
          if (--to_receive == 0) role.board().figures[DuplexFigures::last_receive_ns] = now_ns();
        }
        if (moved) continue;
        if (to_receive > 0) {
          reader.toil().after_empty_try([this] { duplex.ends_.receiver().wait_to_receive(); });
        } else {
          writer.toil().after_empty_try([this] { duplex.ends_.sender().wait_to_send(); });
        }
      }
    }

    void drain() {
      while (reader.read_unless_closed()) {
      }
      reader.checker().finish(received);
    }
  };
  template <class W, class R>
  Sides(Duplex&, Role&, W&, R&) -> Sides<W, R>;

  template <class S>
  void lead(Role& role, S& sides) {
    CostMeter meter;
    lead_phases(role, options_, meter,
                [&](std::uint64_t messages, bool timed) { sides.move(messages, timed); });
    sides.writer.finish();
    role.announce({PhaseKind::drain, 0});
    role.conclude();
    sides.drain();
  }

  template <class S>
  void follow(Role& role, S& sides) {
    CostMeter meter;
    follow_phases(
        role, meter, [&](std::uint64_t messages, bool timed) { sides.move(messages, timed); },
        [&] {
          sides.drain();
          sides.writer.finish();
        });
  }

  Case case_;
  Shape shape_;
  TrialOptions options_;
  Links<T> links_;
  BothWays<T> ends_;
};

}  // namespace ipcmark
