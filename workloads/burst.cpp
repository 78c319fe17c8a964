#include "workloads/burst.h"

#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

#include "harness/descriptor.h"
#include "harness/fail.h"
#include "harness/thread_state.h"

namespace ipcmark {
namespace {

// Positions on the sender's board, and on the receiver's.
struct SenderFigures {
  static constexpr unsigned pid = 0, bursts = 1, waited = 2;
};
struct ReceiverFigures {
  static constexpr unsigned after_exit = 0;
};

std::uint64_t messages_a_burst(const Case& c) { return std::max<std::uint64_t>(1, c.burst); }

// Tickets, by which the two agree on how many messages may be taken, and have been.
std::atomic<std::uint64_t>& may_take(Role& role) { return role.launch().tickets[0]; }
std::atomic<std::uint64_t>& taken(Role& role) { return role.launch().tickets[1]; }

// Sleeps of the calling thread until some event, so far (getrusage(2)).
std::uint64_t sleeps_so_far() {
  rusage usage;
  if (getrusage(RUSAGE_THREAD, &usage) != 0) fail("getrusage");
  return static_cast<std::uint64_t>(usage.ru_nvcsw);
}

template <class W>
class Bursts {
 public:
  Bursts(Role& role, const Case& benchmark_case, AnyEnd& sender, W& writer)
      : role_(role),
        sender_(sender),
        writer_(writer),
        messages_(messages_a_burst(benchmark_case)),
        sleeps_(benchmark_case.send_wait == Wait::block) {
    watcher_ = std::jthread([this](const std::stop_token& stop) { watch(stop); });
  }

  std::uint64_t sent() const { return sent_; }

  struct Waited {
    bool waited = false;
    std::uint64_t ns = 0;
  };

  // Hands over a burst and returns when it has been taken.
  Waited hand_over() {
    // All of it: nothing else is to be found in the link.
    const Waited waited = put(messages_, [this] { call_for(sent_ + to_send_); });
    call_for(sent_);
    while (taken(role_).load(std::memory_order_acquire) < sent_) sched_yield();
    return waited;
  }

  // A burst that is left in the link, with the end of the stream; only what hinders is taken.
  void leave_behind() {
    const auto make_room = [this] {
      const std::uint64_t so_far = taken(role_).load(std::memory_order_acquire);
      if (so_far < may_take(role_).load(std::memory_order_relaxed)) return;  // it is still taking
      // Never for more than will have been sent: it may all have been taken since the attempt failed.
      call_for(std::min<std::uint64_t>(so_far + std::max<std::uint64_t>(1, to_send_), sent_ + to_send_));
    };
    put(messages_, make_room);
    in_attempt_ = true;
    const auto wait = [&] {
      make_room();
      sender_.wait_to_send();
    };
    until_done([this] { return sender_.finish(); }, wait, "finish");
    in_attempt_ = false;
  }

 private:
  template <class MakeRoom>
  Waited put(std::uint64_t messages, MakeRoom make_room) {
    Waited waited;
    {
      const std::lock_guard lock(mutex_);
      make_room_ = make_room;
      called_ = false;
    }
    to_send_ = messages;
    while (to_send_ > 0) {
      const std::uint64_t begin_ns = now_ns();
      const std::uint64_t sleeps_before = sleeps_ ? sleeps_so_far() : 0;
      bool waits = false;
      in_attempt_ = true;
      const auto wait = [&] {
        make_room();
        waits = waited.waited = true;
        sender_.wait_to_send();
      };
      until_done([this] { return writer_.try_write(sent_); }, wait, "send");
      in_attempt_ = false;
      if (sleeps_) {
        waited.waited = called_;
        waits = waited.waited && sleeps_so_far() != sleeps_before;
      }
      if (waits) waited.ns += now_ns() - begin_ns;
      role_.moved(++sent_);
      --to_send_;
    }
    return waited;
  }

  void call_for(std::uint64_t messages) {
    // release: the receiver that sees it may look at the link. Never less than before.
    std::uint64_t before = may_take(role_).load(std::memory_order_relaxed);
    while (before < messages &&
           !may_take(role_).compare_exchange_weak(before, messages, std::memory_order_release)) {
    }
  }

  void watch(const std::stop_token& stop) {
    constexpr std::chrono::milliseconds between{1};
    constexpr unsigned enough_looks = 3;
    std::uint64_t before = 0;
    unsigned looks = 0;
    std::unique_lock lock(mutex_);
    while (!pause_.wait_for(lock, stop, between, [] { return false; }) && !stop.stop_requested()) {
      const std::uint64_t now = sent_;
      looks = in_attempt_ && now == before && main_.sleeps() ? looks + 1 : 0;
      before = now;
      if (looks < enough_looks) continue;
      called_ = true;
      make_room_();
    }
  }

  Role& role_;
  AnyEnd& sender_;
  W& writer_;
  const std::uint64_t messages_;
  const bool sleeps_;
  std::atomic<std::uint64_t> sent_{0}, to_send_{0};
  std::atomic<bool> in_attempt_{false};  // which may sleep
  std::atomic<bool> called_{false};      // in this burst, because the sender slept
  ThreadState main_;
  std::mutex mutex_;  // of make_room_
  std::function<void()> make_room_;
  std::condition_variable_any pause_;
  std::jthread watcher_;  // last: it ends first
};

// Readable once the process has ended, its descriptors closed (pidfd_open(2)).
Descriptor pidfd_of(pid_t pid) {
  Descriptor pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) fail("pidfd_open of the sender");
  return pidfd;
}

bool has_ended(const Descriptor& process, int timeout_ms) {
  pollfd event{process.get(), POLLIN, 0};
  return poll(&event, 1, timeout_ms) > 0;
}

}  // namespace

std::string Burst::unfit(const Case& c, const TransportTraits& traits) {
  if (!traits.facts.carries) return traits.name + ": it holds nothing, so no burst can be too large for it";
  return loans_to_a_rendezvous(c) ? traits.name + ": burst at capacity 0 sends by copy only" : "";
}

void Burst::observe(const Case&, const LaunchBoard& board, std::vector<Observation>& observations) {
  const auto tell = [&](const char* what, const char* unit, std::uint64_t count) {
    observations.push_back({what, unit, static_cast<double>(count)});
  };
  tell("bursts", "bursts", board.roles[0].figures[SenderFigures::bursts]);
  tell("bursts_that_waited", "bursts", board.roles[0].figures[SenderFigures::waited]);
  tell("delivered_after_exit", "messages", board.roles[1].figures[ReceiverFigures::after_exit]);
}

Burst::Burst(const Case& benchmark_case, const Shape& shape, const TrialOptions& options)
    : OneWayWork(benchmark_case, shape, options) {
  count_by(messages_a_burst(benchmark_case));
}

void Burst::open(Role& role) {
  if (role.index() == 0) role.board().figures[SenderFigures::pid] = static_cast<std::uint64_t>(getpid());
  OneWayWork::open(role);
}

void Burst::send(Role& role) {
  RoleBoard& board = role.board();
  CostMeter meter;
  with_sized_writer(end_of_link(), case_, [&](auto& writer) {
    role.lock_memory();
    Bursts bursts(role, case_, end_of_link(), writer);
    lead_phases(role, options_, [&](std::uint64_t count, bool timed) {
      if (timed) meter.start();
      const std::uint64_t begin_ns = now_ns();
      for (std::uint64_t i = 0; i < count; ++i) {
        const auto waited = bursts.hand_over();
        if (!timed) continue;
        board.histogram.record(waited.ns);
        if (waited.waited) ++board.figures[SenderFigures::waited];
      }
      if (!timed) return;
      board.end_ns = now_ns();
      board.begin_ns = begin_ns;
      board.cost = meter.stop();
      board.figures[SenderFigures::bursts] = count;
      board.timed_messages = count * messages_a_burst(case_);
      board.messages_per_sample = messages_a_burst(case_);
      keep_bytes(board, writer, bursts.sent() - board.timed_messages, bursts.sent());
    });
    board.warm_up_messages *= messages_a_burst(case_);
    role.announce({PhaseKind::drain, 0});
    bursts.leave_behind();
  });
}

void Burst::receive(Role& role) {
  RoleBoard& board = role.board();
  CostMeter meter;
  const Descriptor sender = pidfd_of(static_cast<pid_t>(role.launch().roles[0].figures[SenderFigures::pid]));
  std::uint64_t received = 0;
  with_sized_reader(end_of_link(), case_, options_.every_byte, [&](auto& reader) {
    role.lock_memory();
    const auto take_what_may_be = [&] {
      if (received == may_take(role).load(std::memory_order_acquire)) return false;
      reader.read();
      role.moved(++received);
      taken(role).store(received, std::memory_order_release);
      return true;
    };
    follow_phases(
        role, meter,
        [&](std::uint64_t bursts, bool timed) {
          const std::uint64_t messages = bursts * messages_a_burst(case_);
          for (std::uint64_t left = messages; left > 0;) {
            if (!take_what_may_be()) {
              sched_yield();
            } else if (--left; timed && left + 1 == messages) {
              board.begin_ns = now_ns();
            }
          }
          if (!timed) return;
          board.end_ns = now_ns();
          board.timed_messages = messages;
        },
        [&] {
          while (take_what_may_be() || !has_ended(sender, 1)) {
          }
          const std::uint64_t before = received;
          while (reader.read_unless_closed()) role.moved(++received);
          board.figures[ReceiverFigures::after_exit] = received - before;
          reader.checker().finish(received);
        });
    board.integrity = reader.checker().counts();
    board.integrity.every_byte = options_.every_byte;
  });
}

}  // namespace ipcmark
