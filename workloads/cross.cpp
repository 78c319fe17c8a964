#include "workloads/cross.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <stop_token>
#include <thread>

#include "harness/thread_state.h"

namespace ipcmark {
namespace {

// Positions on the first role's board; the last, on that of each.
constexpr unsigned stuck_rounds = 0, recognised_round = 1, in_flight = 2, own_in_flight = 3;

std::uint64_t messages_a_round(const Case& c) { return std::max<std::uint64_t>(1, c.burst); }

std::string_view word_for(const Case& c) { return may_sleep(c.send_wait) ? "deadlock" : "livelock"; }

bool shares_one_buffer(const Case& c) { return registered_traits(c.transport).facts.one_buffer_both_ways; }

// A role's stages: 2n - 1 is the sends of round n, 2n its receives; 0 is between rounds.
bool is_sends(std::uint64_t stage) { return stage % 2 == 1; }
std::uint64_t round_of(std::uint64_t stage) { return (stage + 1) / 2; }

// One role's part, and the thread that watches over it.
template <class W, class R>
class Side {
 public:
  Side(Role& role, const Case& benchmark_case, AnyEnd& sender, W& writer, R& reader)
      : role_(role),
        sender_(sender),
        writer_(writer),
        reader_(reader),
        messages_(messages_a_round(benchmark_case)),
        sends_without_sleep_(!may_sleep(benchmark_case.send_wait)),
        receives_without_sleep_(!may_sleep(benchmark_case.receive_wait)),
        shares_one_buffer_(shares_one_buffer(benchmark_case)),
        watcher_([this](const std::stop_token& stop) { watch(stop); }) {}

  // False when the round got stuck and had to be helped.
  bool exchange() {
    const std::uint64_t stage = ++stage_;
    moved_before_.store(moved_);
    stage_of(role_.index()).store(stage);
    for (std::uint64_t i = 0; i < messages_; ++i) send();
    if (!helped(++stage_)) {
      for (std::uint64_t i = 0; i < messages_; ++i) {
        receive();
        role_.moved(++moved_);
      }
    }
    received_ += messages_;
    const std::lock_guard lock(mutex_);
    stage_of(role_.index()).store(0);
    return recognised().load() != round_of(stage);
  }

  std::uint64_t received() const { return received_; }

 private:
  // Tickets: the stage of each role; the round in which each is stuck. On a role's board: the round in which
  // role 0 saw that both are; how many messages of each role's round went in and were not received.
  std::atomic<std::uint64_t>& stage_of(unsigned role) { return role_.launch().tickets[role]; }
  std::atomic<std::uint64_t>& stuck_in(unsigned role) { return role_.launch().tickets[2 + role]; }
  std::atomic_ref<std::uint64_t> figure_of(unsigned role, unsigned which) {
    return std::atomic_ref(role_.launch().roles[role].figures[which]);
  }
  std::atomic_ref<std::uint64_t> recognised() { return figure_of(0, recognised_round); }

  void send() {
    for (;;) {
      switch (writer_.try_write(sent_)) {
        case Io::done:
          ++sent_;
          role_.moved(++moved_);
          return;
        case Io::again:
          empty_tries_.fetch_add(1, std::memory_order_relaxed);
          sender_.wait_to_send();
          break;
        case Io::closed:
          throw PeerClosed("send: the other side has closed the link");
      }
    }
  }

  void receive() {
    const auto count_try = [this] {
      empty_tries_.fetch_add(1, std::memory_order_relaxed);
      return false;
    };
    if (!reader_.read_unless(count_try)) throw PeerClosed("receive: the other side has closed the link");
  }

  // Ends the sends. True when the watcher has received this round's messages, or does so now.
  bool helped(std::uint64_t next_stage) {
    std::unique_lock lock(mutex_);
    stage_of(role_.index()).store(next_stage);
    if (!helping_) return false;
    help_is_over_.wait(lock, [this] { return help_given_; });
    helping_ = help_given_ = false;
    if (failure_) std::rethrow_exception(failure_);
    return true;
  }

  struct Look {
    std::uint64_t stage = 0;
    std::uint64_t moved = 0;
    friend bool operator==(const Look&, const Look&) = default;
  };

  // Whether the two may be waiting for each other: both in their sends; over one buffer also with one in its
  // receives, because what it has sent itself may lie before all else.
  bool may_be_stuck(std::uint64_t stage) {
    const std::uint64_t other = stage_of(1 - role_.index()).load();
    if (other == stage) return is_sends(stage);
    return shares_one_buffer_ && stage > 0 && round_of(other) == round_of(stage);
  }

  void watch(const std::stop_token& stop) {
    constexpr std::chrono::milliseconds between{10};
    constexpr std::uint64_t patience_ns = 200'000'000;
    constexpr unsigned fewest_looks = 20;
    const unsigned own = role_.index();
    Look before;
    std::uint64_t tries_before = 0, since_ns = 0;
    unsigned looks = 0;
    std::unique_lock lock(pause_mutex_);
    while (!pause_.wait_for(lock, stop, between, [] { return false; }) && !stop.stop_requested()) {
      const Look now{stage_of(own).load(), role_.board().progress.load(std::memory_order_relaxed)};
      const std::uint64_t tries = empty_tries_.load(std::memory_order_relaxed);
      const bool tries_on = is_sends(now.stage) ? sends_without_sleep_ : receives_without_sleep_;
      if (!may_be_stuck(now.stage) || now != before || (!tries_on && !main_.sleeps())) {
        looks = 0;
        since_ns = now_ns();
      } else if (!tries_on || tries != tries_before) {
        ++looks;  // else it had no processor since the last one
      }
      before = now;
      tries_before = tries;
      const bool stuck = looks >= fewest_looks && now_ns() - since_ns >= patience_ns;
      const std::uint64_t moved = now.moved - moved_before_.load(), sent = std::min(moved, messages_);
      figure_of(own, own_in_flight).store(sent - (moved - sent));
      const std::uint64_t round = round_of(now.stage);
      stuck_in(own).store(stuck ? round : 0);
      if (own == 0 && stuck && stuck_in(1).load() == round) recognise(now.stage);
      if (is_sends(now.stage) && recognised().load() == round) help(now.stage);
    }
  }

  // Unless this role, which is role 0, has gone on meanwhile.
  void recognise(std::uint64_t stage) {
    const std::lock_guard lock(mutex_);
    if (stage_of(0).load() != stage || recognised().load() == round_of(stage)) return;
    ++role_.board().figures[stuck_rounds];
    role_.board().figures[in_flight] =
        figure_of(0, own_in_flight).load() + figure_of(1, own_in_flight).load();
    recognised().store(round_of(stage));
  }

  void help(std::uint64_t stage) {
    {
      const std::lock_guard lock(mutex_);
      if (stage_of(role_.index()).load() != stage || helping_) return;
      helping_ = true;
    }
    try {
      for (std::uint64_t i = 0; i < messages_; ++i) reader_.read();
    } catch (...) {
      failure_ = std::current_exception();
    }
    const std::lock_guard lock(mutex_);
    help_given_ = true;
    help_is_over_.notify_one();
  }

  Role& role_;
  AnyEnd& sender_;
  W& writer_;
  R& reader_;
  const std::uint64_t messages_;
  const bool sends_without_sleep_, receives_without_sleep_, shares_one_buffer_;
  std::uint64_t stage_ = 0;
  std::uint64_t sent_ = 0, received_ = 0, moved_ = 0;
  std::atomic<std::uint64_t> moved_before_{0};  // this round
  std::atomic<std::uint64_t> empty_tries_{0};
  ThreadState main_;
  std::mutex mutex_;  // of the three below, and of the ends of the sends and of the round
  bool helping_ = false, help_given_ = false;
  std::condition_variable help_is_over_;
  std::exception_ptr failure_;
  std::mutex pause_mutex_;
  std::condition_variable_any pause_;
  std::jthread watcher_;  // last: it ends first
};

}  // namespace

std::vector<RoleKind> Cross::roles(const Case&) {
  return {{.name = "peer 0", .sends = true, .receives = true, .counts = true},
          {.name = "peer 1", .sends = true, .receives = true, .counts = true}};
}

std::string Cross::unfit(const Case& c, const TransportTraits& traits) {
  if (loans_to_a_rendezvous(c)) return traits.name + ": cross at capacity 0 sends by copy only";
  if (traits.duplex && c.rendezvous == Rendezvous::acknowledged) {
    return traits.name + ": messages of both sides at once would meet each other's acknowledgements";
  }
  return {};
}

void Cross::observe(const Case& benchmark_case, const LaunchBoard& board,
                    std::vector<Observation>& observations) {
  const std::uint64_t stuck = board.roles[0].figures[stuck_rounds];
  observations.push_back({"completed", "ratio", stuck == 0 ? 1.0 : 0.0});
  if (stuck == 0) return;
  observations.push_back({fmt::format("{}_after", word_for(benchmark_case)), "messages",
                          static_cast<double>(board.roles[0].figures[in_flight])});
}

std::string Cross::remark(const Case& benchmark_case, const LaunchBoard& board) {
  if (board.roles[0].figures[stuck_rounds] == 0) return {};
  return fmt::format(
      "ended in a {} with {} messages in flight: each side was to send {} before it receives. It was cut, "
      "and "
      "every message delivered; the times are those of seeing it",
      word_for(benchmark_case), board.roles[0].figures[in_flight], messages_a_round(benchmark_case));
}

std::string Cross::unexpected(const Case& benchmark_case, const CapacityFacts& capacity,
                              const std::vector<Observation>& observations) {
  if (!capacity.fits_min || !capacity.fits_max) return {};
  const std::uint64_t messages = messages_a_round(benchmark_case);
  const bool completed =
      std::ranges::find(observations, Observation{"completed", "ratio", 1}) != observations.end();
  const bool shared = shares_one_buffer(benchmark_case);
  // Room that comes back for several messages at once is not there while one of them is left, and rounds
  // overlap.
  const std::uint64_t held_back =
      shared ? std::max<std::uint64_t>(1, capacity.resume_after.value_or(1)) - 1 : 0;
  const std::uint64_t surely_fit = *capacity.fits_min - std::min(*capacity.fits_min, held_back);
  if (!completed && messages <= surely_fit / (shared ? 2 : 1)) {
    return fmt::format("unexpected: a {} of {} messages a side, though {} fit{}", word_for(benchmark_case),
                       messages, surely_fit, shared ? " in both directions together" : "");
  }
  if (completed && messages > *capacity.fits_max && !capacity.fits_is_lower_bound) {
    return fmt::format("unexpected: {} messages a side went through, though only {} fit", messages,
                       *capacity.fits_max);
  }
  return {};
}

Cross::Cross(const Case& benchmark_case, const Shape& shape, const TrialOptions& options)
    : AnyWork(benchmark_case, shape, options) {
  count_by(messages_a_round(benchmark_case));
}

void Cross::open(Role& role) {
  if (transport_.traits.duplex) {
    sender_.emplace(links_[0].open_sender(role.index(), role.meeting(0)));
    receiver_ = sender_;
  } else if (role.index() == 0) {
    sender_.emplace(links_[0].open_sender(0, role.meeting(0)));
    receiver_.emplace(links_[1].open_receiver(0, role.meeting(1)));
  } else {
    receiver_.emplace(links_[0].open_receiver(0, role.meeting(0)));
    sender_.emplace(links_[1].open_sender(0, role.meeting(1)));
  }
  role.keep_limit(sender_->limit());
}

void Cross::run(Role& role) {
  measure_cache_line(role);
  RoleBoard& board = role.board();
  CostMeter meter;
  const std::uint64_t messages = messages_a_round(case_);
  with_writer(*sender_, case_, [&](auto& writer) {
    with_reader(*receiver_, case_, options_.every_byte, [&](auto& reader) {
      role.lock_memory();
      Side side(role, case_, *sender_, writer, reader);
      const auto move = [&](std::uint64_t rounds, bool timed) {
        const std::uint64_t begin_ns = now_ns();
        std::uint64_t before_ns = begin_ns, made = 0;
        for (bool through = true; through && made < rounds; ++made) {
          through = side.exchange();
          const std::uint64_t after_ns = now_ns();
          if (timed && role.index() == 0) board.histogram.record(after_ns - before_ns);
          before_ns = after_ns;
        }
        if (!timed) return;
        board.begin_ns = begin_ns;
        board.end_ns = before_ns;
        board.timed_messages = made * messages;
      };
      const auto drain = [&] {
        while (reader.read_unless_closed()) {
        }
        reader.checker().finish(side.received());
      };
      if (role.index() == 0) {
        board.messages_per_sample = 2 * messages;
        lead_phases(role, options_, meter, move);
        board.warm_up_messages *= 2 * messages;
        writer.finish();
        role.announce({PhaseKind::drain, 0});
        role.conclude();
        drain();
      } else {
        follow_phases(role, meter, move, [&] {
          drain();
          writer.finish();
        });
      }
      board.integrity = reader.checker().counts();
      board.integrity.every_byte = options_.every_byte;
    });
  });
}

}  // namespace ipcmark
