// mailbox: several senders and several receivers share one link, and every message goes to exactly one of the
// receivers. The senders divide a phase's messages among them by count; how many each receiver gets is what
// is asked. The timed span runs from the first send begun to the last receive ended.
//
// Only the senders go through phases. A receiver cannot: asleep in the link, it would miss the end of a phase
// whose last message went to another. So
//   - a warm-up phase is over once as many messages have been counted by the receivers as were sent;
//   - then the senders set a mark and send the timed messages. A receiver looks for the mark after each
//     message; by the first one after it, its own timed part, and the account of its cost, has begun;
//   - then the senders finish, and each receiver goes on until the link is closed to it. What ends the stream
//     (the last writer's close, a mark for each receiver) is not in the span: as with a stream, a receiver
//     reads the clock about a thousand times, but after every message once fewer than a 64th of all are to
//     come, so that the last one's end is known. Only a receiver that is so starved that it has not looked at
//     the clock by then takes the end of the stream for the end of its last receive.
//
// Delivery:
//   first      to whoever receives first.
//   exclusive  to the only receiver: the open of another is refused. By the kernel where messages go to a
//              named process (sockets: a name is bound once, a connection has two ends); for the rest, whose
//              name or inherited descriptor lets anybody in, the launch keeps count, and refuses.
//   notify     to whoever receives first, and the sender is told who it was: each sender has a link back,
//              which all receivers share, and waits there for the notice of one message before it sends the
//              next. That way is part of the span, and no more than one message a sender is ever under way.
//
// Contention is told as far as the mechanism shows it: the empty tries of sides that do not sleep, and where
// senders (or receivers) race for the same position, how often one came too late.
#pragma once

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <concepts>
#include <limits>
#include <new>
#include <numeric>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "harness/fail.h"
#include "harness/mailbox_checker.h"
#include "harness/memory_map.h"
#include "harness/traits.h"
#include "workloads/endpoints.h"
#include "workloads/fairness.h"
#include "workloads/timed_work.h"

namespace ipcmark {

template <class E>
concept CountsLostClaims = requires(const E endpoint) {
  { endpoint.lost_claims() } -> std::same_as<std::uint64_t>;
};

namespace mailbox_detail {

// What the roles of one launch share. Zero pages are a valid one.
struct Board {
  // The mark: messages of the timed part, and of the whole launch. Set by every sender alike.
  alignas(128) std::atomic<std::uint64_t> timed;
  std::atomic<std::uint64_t> total;  // 0: not yet

  alignas(128) std::atomic<std::uint32_t> receivers_opened;
  std::atomic<std::uint32_t> receivers_closed;
  std::uint64_t learned[max_roles][max_roles];  // by a sender, of its messages that a receiver got
};

class SharedBoard {
 public:
  SharedBoard() {
    void* const memory =
        ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) fail("mmap of a mailbox's board");
    memory_ = {memory, sizeof(Board)};
  }
  Board* operator->() const { return std::launder(reinterpret_cast<Board*>(memory_.bytes().data())); }

 private:
  MemoryMap memory_;
};

// Remembers the stamp of the message that it judged last.
class StampingChecker {
 public:
  explicit StampingChecker(MailboxReceiverChecker checker) : checker_(std::move(checker)) {}

  void observe(const Reading& reading) {
    stamp_ = reading.stamp;
    checker_.observe(reading);
  }
  void observe_every_byte(std::span<const std::byte> message) {
    stamp_ = read(message, Touch::header).stamp;
    checker_.observe_every_byte(message);
  }
  unsigned sender() const { return static_cast<unsigned>(stamp_ >> 48); }
  std::uint64_t number() const { return stamp_ & 0xffff'ffff'ffff; }

 private:
  MailboxReceiverChecker checker_;
  std::uint64_t stamp_ = 0;
};

// A notice: who got which message, in the form of a message of its own.
using Notice = std::array<std::byte, 8>;

}  // namespace mailbox_detail

template <LinkType T>
class Mailbox final : public Work {
 public:
  static constexpr std::string_view name = "mailbox";
  static constexpr std::string_view samples = "window_ns";
  static constexpr std::array<std::string_view, 4> takes{"senders", "receivers", "delivery", "work"};
  static constexpr bool one_clock = false;
  static constexpr bool several_ends = true;
  static constexpr std::uint64_t windows = 1'024;  // of all receivers together

  static std::vector<RoleKind> roles(const Case& c) {
    std::vector<RoleKind> kinds;
    // Of more than a launch can have, unfit() tells.
    const unsigned senders = std::min(c.senders, max_roles), receivers = std::min(c.receivers, max_roles);
    for (unsigned i = 0; i < senders; ++i) {
      kinds.push_back({.name = fmt::format("sender {}", i), .sends = true, .counts = true});
    }
    for (unsigned i = 0; i < receivers; ++i) {
      kinds.push_back({.name = fmt::format("receiver {}", senders + i), .receives = true});
    }
    return kinds;
  }

  static std::string unfit(const Case& c, const TransportTraits& traits) {
    if (!traits.facts.carries || traits.facts.lossy) {
      return traits.name + ": a mailbox needs messages that all arrive";
    }
    if (std::uint64_t{c.senders} + c.receivers > max_roles) {
      return fmt::format("{} senders and {} receivers are more than the {} processes of a launch", c.senders,
                         c.receivers, max_roles);
    }
    if (c.delivery == Delivery::exclusive && c.receivers != 1) {
      return fmt::format("exclusive delivery is to one receiver, not to {}", c.receivers);
    }
    constexpr std::size_t stamp_with_a_sender = 7;
    if (c.delivery == Delivery::notify && c.senders > 1 && c.message_bytes < stamp_with_a_sender) {
      return fmt::format("a message of {} B does not say which of {} senders to notify; it takes {} B",
                         c.message_bytes, c.senders, stamp_with_a_sender);
    }
    return work_needs_tries(c);
  }

  static std::vector<Case> links_of(const Case& c) {
    std::vector<Case> links{c};
    if (c.delivery != Delivery::notify) return links;
    Case& back = links.emplace_back(c);
    back.message_bytes = std::tuple_size_v<mailbox_detail::Notice>;
    back.capacity = {};
    back.senders = c.receivers;
    back.receivers = 1;
    std::swap(back.send_wait, back.receive_wait);
    back.send_access = back.receive_access = Access::copy;
    return links;
  }

  static void observe(const Case& c, const LaunchBoard& board, std::vector<Observation>& observations) {
    const std::span<const RoleBoard> all(board.roles, c.senders + c.receivers);
    const std::span<const RoleBoard> receivers = all.subspan(c.senders);
    std::vector<double> received;
    for (const RoleBoard& role : receivers) received.push_back(static_cast<double>(role.timed_messages));
    const double messages = std::accumulate(received.begin(), received.end(), 0.0);
    for (unsigned i = 0; i < c.receivers; ++i) {
      observations.push_back(
          {fmt::format("receiver_{}_share", c.senders + i), "ratio", received[i] / messages});
    }
    observations.push_back({"jain_index", "ratio", jain_index(received)});

    const auto contention = [&](std::string_view side, std::span<const RoleBoard> roles) {
      double tries = 0, claims = 0;
      for (const RoleBoard& role : roles) {
        tries += static_cast<double>(role.empty_tries);
        claims += static_cast<double>(role.figures[Figures::lost_claims]);
      }
      const auto tell = [&](std::string_view what, double count) {
        observations.push_back({fmt::format("{}_{}_per_message", side, what), "count", count / messages});
      };
      if (roles[0].tries_counted) tell("empty_tries", tries);
      if (roles[0].figures[Figures::claims_counted] != 0) tell("lost_claims", claims);
    };
    contention("send", all.first(c.senders));
    contention("receive", receivers);
  }

  Mailbox(const Case& benchmark_case, const Shape& shape, const TrialOptions& options)
      : case_(benchmark_case), shape_(shape), options_(options) {}

  unsigned links() const override { return notifies() ? 1 + case_.senders : 1; }
  unsigned senders_of(unsigned link) const override { return link == 0 ? case_.senders : case_.receivers; }
  void build(const std::string& directory) override {
    shape_.directory = directory;
    links_.build(shape_, 1);
    if (notifies()) links_.build(notice_shape(), case_.senders);
    board_.emplace();
    // In a launch of no fixed length, only that numbers do not repeat where they have the space.
    const std::uint64_t limit = detection_limit(case_.message_bytes);
    const std::uint64_t most_each = options_.fixed_messages != 0 ? share_of(0, options_.fixed_messages)
                                    : case_.message_bytes < 6    ? std::numeric_limits<std::uint64_t>::max()
                                                                 : limit;
    checker_.emplace(MailboxShape{.senders = case_.senders,
                                  .receivers = case_.receivers,
                                  .message_bytes = case_.message_bytes,
                                  .touch = case_.touch,
                                  .most_messages_each = most_each,
                                  .exact = options_.every_byte && options_.fixed_messages != 0});
  }

  void open(Role& role) override {
    if (role.index() < case_.senders) {
      sender_.emplace(open_sender_end(links_[0], role.meeting(0), role.index()));
      role.keep_limit(limit_of(*sender_));
      if (!notifies()) return;
      const unsigned back = 1 + role.index();
      notices_.emplace(open_receiver_end(links_[back], role.meeting(back), 0, case_.receivers));
    } else {
      // relaxed: nothing but the count.
      if (case_.delivery == Delivery::exclusive &&
          (*board_)->receivers_opened.fetch_add(1, std::memory_order_relaxed) != 0) {
        throw std::runtime_error(case_.transport + ": delivery is exclusive, and the link has its receiver");
      }
      const unsigned index = role.index() - case_.senders;
      receiver_.emplace(open_receiver_end(links_[0], role.meeting(0), index, case_.senders));
      role.keep_limit(limit_of(*receiver_));
      if (!notifies()) return;
      for (unsigned back = 1; back <= case_.senders; ++back) {
        notifiers_.push_back(open_sender_end(links_[back], role.meeting(back), index));
      }
    }
  }
  void drop() override { links_.drop(); }
  void end() override { links_.end(); }

  void run(Role& role) override {
    measure_cache_line(role);
    if (role.index() < case_.senders) {
      with_writer(*sender_, case_, role.index(), [&](auto& writer) {
        role.lock_memory();
        send(role, writer);
      });
      return;
    }
    const auto receive = [&](auto& reader) {
      role.lock_memory();
      this->receive(role, reader);
    };
    MailboxReceiverChecker checker = checker_->receiver(role.index() - case_.senders);
    if (notifies()) {
      with_reader(*receiver_, case_, options_.every_byte, mailbox_detail::StampingChecker(checker), receive);
    } else {
      with_reader(*receiver_, case_, options_.every_byte, checker, receive);
    }
  }

 private:
  // Positions of a role's figures on its RoleBoard.
  struct Figures {
    static constexpr unsigned claims_counted = 0, lost_claims = 1;
  };

  bool notifies() const { return case_.delivery == Delivery::notify; }

  Shape notice_shape() const {
    const Case link = links_of(case_).back();
    Shape back = shape_;
    back.message_bytes = link.message_bytes;
    back.capacity = link.capacity;
    back.senders = link.senders;
    back.receivers = link.receivers;
    back.send_wait = link.send_wait;
    back.receive_wait = link.receive_wait;
    back.send_access = link.send_access;
    back.receive_access = link.receive_access;
    return back;
  }

  std::uint64_t share_of(unsigned sender, std::uint64_t messages) const {
    return messages / case_.senders + (sender < messages % case_.senders);
  }

  // Messages that all receivers have counted by now, or a little earlier.
  std::uint64_t arrived(Role& role) const {
    std::uint64_t messages = 0;
    for (unsigned i = 0; i < case_.receivers; ++i) {
      messages += role.launch().roles[case_.senders + i].progress.load(std::memory_order_relaxed);
    }
    return messages;
  }

  template <class E>
  static std::uint64_t lost_claims_of(const E& endpoint) {
    if constexpr (CountsLostClaims<E>) return endpoint.lost_claims();
    return 0;
  }
  template <class E>
  static void keep_lost_claims(RoleBoard& board, const E& endpoint, std::uint64_t before) {
    board.figures[Figures::claims_counted] = CountsLostClaims<E>;
    board.figures[Figures::lost_claims] = lost_claims_of(endpoint) - before;
  }

  template <class W>
  void send(Role& role, W& writer) {
    RoleBoard& board = role.board();
    CostMeter meter;
    std::vector<Meeting> none;
    Role among_senders(role.index(), case_.senders, role.launch(), none);
    std::uint64_t sequence = 0, sent_by_all = 0, timed_messages = 0;
    const auto move = [&](std::uint64_t messages, bool timed) {
      // Of all phases together, so that none sends more than its share of them.
      const std::uint64_t share =
          share_of(role.index(), sent_by_all + messages) - share_of(role.index(), sent_by_all);
      const std::uint64_t claims_before = lost_claims_of(*sender_);
      sent_by_all += messages;
      if (timed) {
        (*board_)->timed.store(messages, std::memory_order_relaxed);
        // release: with it comes what was stored before. Whoever gets a message of this phase finds the mark,
        // because the message's way through the link orders it too.
        (*board_)->total.store(sent_by_all, std::memory_order_release);
        writer.toil() = toil_of(case_, case_.send_wait);
        if (share > 0) board.begin_ns = now_ns();
      }
      for (std::uint64_t i = 0; i < share; ++i) {
        writer.write(sequence);
        if (notifies()) await_notice(role.index(), sequence);
        role.moved(++sequence);
      }
      if (!timed) return;
      timed_messages = share;
      keep_toil(board, case_.send_wait, writer.toil());
      keep_lost_claims(board, *sender_, claims_before);
    };
    if (role.index() == 0) {
      constexpr useconds_t look_again_us = 20;  // short beside a warm-up, and leaves the processor to others
      lead_phases(among_senders, options_, [&](std::uint64_t messages, bool timed) {
        if (timed) meter.start();
        move(messages, timed);
        if (timed) {
          board.cost = meter.stop();
        } else {
          while (arrived(role) < sent_by_all) usleep(look_again_us);
        }
      });
      among_senders.announce({PhaseKind::drain, 0});
      writer.finish();
      among_senders.conclude();
    } else {
      follow_phases(among_senders, meter, move, [&] { writer.finish(); });
    }
    board.timed_messages = timed_messages;
  }

  void await_notice(unsigned sender, std::uint64_t sequence) {
    if constexpr (CopyReceiver<ReceiverEnd<T>>) {
      mailbox_detail::Notice notice;
      until_done([&] { return notices_->receive(notice); }, [&] { notices_->wait_to_receive(); }, "notice");
      const std::uint64_t stamp = read(notice, Touch::header).stamp;
      const auto receiver = static_cast<unsigned>(stamp >> 48);
      const std::uint64_t number_mask = detection_limit(case_.message_bytes) - 1;
      if (receiver >= case_.receivers || (stamp & 0xffff'ffff'ffff) != (sequence & number_mask)) {
        throw std::runtime_error(fmt::format("notice: of message {} at receiver {}, but {} was sent",
                                             stamp & 0xffff'ffff'ffff, case_.senders + receiver, sequence));
      }
      ++(*board_)->learned[sender][receiver];
    }
  }

  void notify(unsigned receiver, const mailbox_detail::StampingChecker& got) {
    if constexpr (CopySender<SenderEnd<T>>) {
      if (got.sender() >= notifiers_.size()) {
        throw std::runtime_error(fmt::format("notify: a message of sender {}, who is none", got.sender()));
      }
      mailbox_detail::Notice notice;
      fill(notice, receiver, got.number(), Touch::header);
      auto& back = notifiers_[got.sender()];
      until_done([&] { return back.send(notice); }, [&] { back.wait_to_send(); }, "notice");
    }
  }

  template <class R>
  void receive(Role& role, R& reader) {
    std::uint64_t received = 0;
    // The message is counted only after the look for the mark: so one of the warm-up never finds it.
    const auto next = [&] {
      if (!reader.read_unless_closed()) return false;
      if constexpr (requires { reader.checker().sender(); }) {
        notify(role.index() - case_.senders, reader.checker());
      }
      return true;
    };
    bool got = next();
    for (; got && (*board_)->total.load(std::memory_order_acquire) == 0; got = next()) {
      role.moved(++received);
    }
    if (got) receive_timed(role, reader, received, next);
    // acq_rel: whoever is last has seen what all receivers noted before.
    if ((*board_)->receivers_closed.fetch_add(1, std::memory_order_acq_rel) + 1 == case_.receivers) {
      judge(role);
    }
  }

  // From a first message that has just been received until the link is closed.
  template <class R, class Next>
  void receive_timed(Role& role, R& reader, std::uint64_t received, Next next) {
    RoleBoard& board = role.board();
    CostMeter meter;
    meter.start();
    std::uint64_t before_ns = board.begin_ns = board.end_ns = now_ns();
    const std::uint64_t timed = (*board_)->timed.load(std::memory_order_relaxed);
    const std::uint64_t total = (*board_)->total.load(std::memory_order_relaxed);
    const std::uint64_t most_windows = windows / case_.receivers;
    const std::uint64_t window = (timed + most_windows - 1) / most_windows;
    const std::uint64_t warm_up = received, claims_before = lost_claims_of(*receiver_);
    const auto nearly_over = [&] { return total - arrived(role) <= timed / 64; };
    bool looks_always = nearly_over();
    std::uint64_t since_window = 0;  // messages
    reader.toil() = toil_of(case_, case_.receive_wait);
    role.moved(++received);
    while (next()) {
      role.moved(++received);
      const bool window_full = ++since_window == window;
      if (!window_full && !looks_always) continue;
      board.end_ns = now_ns();
      if (!window_full) continue;
      board.histogram.record(board.end_ns - before_ns);
      before_ns = board.end_ns;
      since_window = 0;
      looks_always = looks_always || nearly_over();
    }
    if (since_window != 0 && !looks_always) board.end_ns = now_ns();
    board.cost = meter.stop();
    board.messages_per_sample = window;
    board.timed_messages = received - warm_up;
    keep_toil(board, case_.receive_wait, reader.toil());
    keep_lost_claims(board, *receiver_, claims_before);
  }

  // By the last receiver, when all have come to the end of the stream: no message is under way any more.
  void judge(Role& role) const {
    std::vector<std::uint64_t> sent;
    for (unsigned i = 0; i < case_.senders; ++i) {
      sent.push_back(role.launch().roles[i].progress.load(std::memory_order_relaxed));
    }
    role.board().integrity = checker_->judge(sent);
    if (!notifies()) return;
    for (unsigned receiver = 0; receiver < case_.receivers; ++receiver) {
      std::uint64_t learned = 0;
      for (unsigned sender = 0; sender < case_.senders; ++sender) {
        learned += (*board_)->learned[sender][receiver];
      }
      if (learned == checker_->received(receiver)) continue;
      throw std::runtime_error(
          fmt::format("notify: the senders learned of {} messages at receiver {}, which got {}", learned,
                      case_.senders + receiver, checker_->received(receiver)));
    }
  }

  Case case_;
  Shape shape_;
  TrialOptions options_;
  Links<T> links_;  // 0: the mailbox; behind it one back to each sender that is notified
  std::optional<mailbox_detail::SharedBoard> board_;
  std::optional<MailboxChecker> checker_;
  std::optional<SenderEnd<T>> sender_;
  std::optional<ReceiverEnd<T>> notices_;
  std::optional<ReceiverEnd<T>> receiver_;
  std::vector<SenderEnd<T>> notifiers_;
};

}  // namespace ipcmark
