#include "workloads/capacity_probe.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include "harness/clock.h"
#include "harness/descriptor.h"
#include "workloads/any_ends.h"
#include "workloads/endpoints.h"
#include "workloads/losses.h"

namespace ipcmark {
namespace {

// The state of a process that may sleep in the kernel, as another one sees it: proc(5), /proc/pid/stat.
class Sleeper {
 public:
  explicit Sleeper(std::uint64_t process)
      : stat_(::open(fmt::format("/proc/{}/stat", process).c_str(), O_RDONLY | O_CLOEXEC)) {
    if (!stat_)
      throw std::system_error(errno, std::generic_category(), fmt::format("/proc/{}/stat", process));
  }
  // A process that has been woken is not asleep, whether or not it has a processor yet.
  bool is_asleep() const {
    char text[128];
    const ssize_t length = ::pread(stat_.get(), text, sizeof text, 0);
    const std::string_view stat(text, length < 0 ? 0 : static_cast<std::size_t>(length));
    const std::size_t name_end = stat.rfind(") ");
    return name_end + 2 < stat.size() && (stat[name_end + 2] == 'S' || stat[name_end + 2] == 'D');
  }
  // As others name the caller, whatever namespace it is in; 0 where /proc does not say.
  static std::uint64_t own_process() {
    char target[32] = {};
    return ::readlink("/proc/self", target, sizeof target - 1) > 0 ? std::strtoull(target, nullptr, 10) : 0;
  }

 private:
  Descriptor stat_;
};

template <LinkType T>
class CapacityProbe final : public Work {
 public:
  static constexpr std::uint64_t most_messages = 65'536;
  static constexpr std::uint64_t most_bytes = std::uint64_t{1} << 30;
  // Where there is no end to find, more would only take the kernel's time for fresh pages.
  static constexpr std::uint64_t most_unbounded_bytes = std::uint64_t{1} << 26;
  static constexpr unsigned rounds = 3;
  // No further round after so long: a stream held up by Nagle's algorithm takes 40 ms a message.
  static constexpr std::uint64_t enough_ns = 500'000'000;

  CapacityProbe(const Case& benchmark_case, const Shape& shape)
      : case_(benchmark_case),
        shape_(shape),
        lossy_(registered_traits(shape.transport).facts.lossy),
        sender_sleeps_(may_sleep(shape.send_wait)) {}

  unsigned links() const override { return 1; }
  unsigned senders_of(unsigned) const override { return shape_.senders; }
  void build(const std::string& directory) override {
    shape_.directory = directory;
    links_.build(shape_, 1);
  }
  void open(Role& role) override {
    if (role.index() < shape_.senders) {
      sender_.emplace(open_sender_end(links_[0], role.meeting(0), role.index()));
      role.keep_limit(limit_of(*sender_));
      role.board().figures[ProbeFigures::process] = Sleeper::own_process();
    } else {
      const unsigned index = role.index() - shape_.senders;
      receiver_.emplace(open_receiver_end(links_[0], role.meeting(0), index, shape_.senders));
    }
  }
  void drop() override { links_.drop(); }
  void end() override { links_.end(); }

  void run(Role& role) override {
    if (role.index() < shape_.senders) {
      with_sized_writer(*sender_, case_, [&](auto& writer) {
        if (role.index() == 0) {
          if (lossy_) return overfill_and_ask(role, writer);
          return sender_sleeps_ ? fill_as_told(role, writer) : fill_and_wait(role, writer);
        }
        while (over(role).load(std::memory_order_acquire) == 0) sched_yield();
        writer.finish();
      });
    } else {
      const bool idle = role.index() > shape_.senders;
      with_sized_reader(*receiver_, case_, true, [&](auto& reader) {
        if (lossy_) return count_as_told(role, reader, idle);
        return sender_sleeps_ && !idle ? watch_the_sender(role, reader) : drain_as_told(role, reader, idle);
      });
    }
  }

 private:
  // ---- a sender that tries, and leads: what it tells, and what the receiver answers ----

  // ticket 0: messages the receiver may take so far; ticket 1: messages it has taken; ticket 2: no more will
  // come; ticket 3: of a lossy link's last batch, how many messages came through.
  static std::atomic<std::uint64_t>& may_take(Role& role) { return role.launch().tickets[0]; }
  static std::atomic<std::uint64_t>& taken(Role& role) { return role.launch().tickets[1]; }
  static std::atomic<std::uint64_t>& over(Role& role) { return role.launch().tickets[2]; }
  static std::atomic<std::uint64_t>& kept_of_batch(Role& role) { return role.launch().tickets[3]; }

  template <class W>
  void fill_and_wait(Role& role, W& writer) {
    std::uint64_t* figures = role.board().figures;
    std::uint64_t sent = 0, allowed = 0;
    const std::uint64_t most = most_to_send();
    const auto went_in = [&] {
      const Io io = writer.try_write(sent);
      if (io == Io::closed) throw PeerClosed("capacity probe: the receiver has closed the link");
      if (io == Io::again) return false;
      role.moved(++sent);
      return true;
    };
    // A link may make room a moment later without a receiver: TCP does when its own peer acknowledges.
    const auto went_in_within = [&](unsigned tries) {
      constexpr useconds_t between_us = 200;
      for (unsigned attempt = 0; attempt < tries; ++attempt) {
        if (went_in()) return true;
        usleep(between_us);
      }
      return false;
    };
    constexpr unsigned a_moment = 5, long_after_all_is_drained = 5'000;
    const auto let_take = [&](std::uint64_t messages) {
      // release/acquire: the counters order nothing but themselves; the messages travel through the link.
      may_take(role).store(allowed += messages, std::memory_order_release);
      while (taken(role).load(std::memory_order_acquire) < allowed) sched_yield();
    };

    const std::uint64_t begin_ns = now_ns();
    for (unsigned round = 0; round < rounds && sent + figures[ProbeFigures::fits_max] < most; ++round) {
      if (now_ns() - begin_ns >= enough_ns) {
        figures[ProbeFigures::only_rounds] = round;
        break;
      }
      const std::uint64_t before = sent;
      while (sent < most && went_in_within(a_moment)) {
      }
      const std::uint64_t fits = sent - before;
      figures[ProbeFigures::fits_min] = round == 0 ? fits : std::min(figures[ProbeFigures::fits_min], fits);
      figures[ProbeFigures::fits_max] = std::max(figures[ProbeFigures::fits_max], fits);
      if (sent == most) {
        figures[ProbeFigures::bound_reached] = 1;
      } else if (fits == 0) {
        // A byte stream too small for the message: it goes through in pieces, and none is ever held whole.
        may_take(role).store(++allowed, std::memory_order_release);
        while (!went_in()) sched_yield();
      } else {
        std::uint64_t drained = 0;
        do {
          let_take(1);
          ++drained;
        } while (!went_in() && allowed < sent);
        if (allowed == sent && !went_in_within(long_after_all_is_drained)) {
          throw std::runtime_error("capacity probe: an empty link takes no message");
        }
        figures[ProbeFigures::has_resume] = 1;
        figures[ProbeFigures::resume_after] = std::max(figures[ProbeFigures::resume_after], drained);
      }
      let_take(sent - allowed);
    }
    over(role).store(1, std::memory_order_release);
    writer.finish();
  }

  template <class R>
  void drain_as_told(Role& role, R& reader, bool idle) {
    std::uint64_t received = 0;
    while (over(role).load(std::memory_order_acquire) == 0) {
      if (idle || received == may_take(role).load(std::memory_order_acquire)) {
        sched_yield();
        continue;
      }
      reader.read();
      role.moved(++received);
      taken(role).store(received, std::memory_order_release);
    }
    end_of(reader, received);
  }

  template <class R>
  static void end_of(R& reader, std::uint64_t received) {
    while (reader.read_unless_closed()) {
    }
    reader.checker().finish(received);
    if (!reader.checker().counts().clean())
      throw std::runtime_error("capacity probe: messages were not intact");
  }

  std::uint64_t most_to_send() const {
    const std::uint64_t bytes = case_.capacity == Capacity::unbounded() ? most_unbounded_bytes : most_bytes;
    return std::min({most_messages, std::max<std::uint64_t>(1, bytes / case_.message_bytes),
                     std::max<std::uint64_t>(1, sender_->most_messages() / 2)});
  }

  // ---- a sender that sleeps when the link is full: the receiver leads, and looks whether it does ----

  // ticket 0: the round, from 1, that the sender may fill the link in; ticket 1: the round that is over, in
  // which it sends no more; ticket 3: the round in which it sends no more, be it because that is over or
  // because it has sent all it may.
  static std::atomic<std::uint64_t>& begun(Role& role) { return role.launch().tickets[0]; }
  static std::atomic<std::uint64_t>& ended(Role& role) { return role.launch().tickets[1]; }
  static std::atomic<std::uint64_t>& parked(Role& role) { return role.launch().tickets[3]; }
  static std::uint64_t sent(Role& role) {
    return role.launch().roles[0].progress.load(std::memory_order_relaxed);
  }

  template <class W>
  void fill_as_told(Role& role, W& writer) {
    const std::uint64_t most = most_to_send();
    std::uint64_t sent = 0;
    for (std::uint64_t round = 1;; ++round) {
      while (begun(role).load(std::memory_order_acquire) < round) {
        if (over(role).load(std::memory_order_acquire) != 0) return writer.finish();
        sched_yield();
      }
      while (sent < most && ended(role).load(std::memory_order_acquire) < round) {
        writer.write(sent);
        role.moved(++sent);
      }
      parked(role).store(round, std::memory_order_release);  // after the last moved()
    }
  }

  template <class R>
  void watch_the_sender(Role& role, R& reader) {
    std::uint64_t* figures = role.launch().roles[0].figures;  // the sender has written its process there
    const Sleeper sender(figures[ProbeFigures::process]);
    std::uint64_t received = 0;
    const auto take = [&] {
      reader.read();
      role.moved(++received);
    };
    // Whether it still stands where it stood when it had sent so many. A link may make room a moment later
    // without a receiver, as TCP does when its own peer acknowledges: hence several looks.
    const auto rests = [&](std::uint64_t at, std::uint64_t round, unsigned looks, useconds_t between_us) {
      for (unsigned quiet = 0; quiet < looks;) {
        const bool is_parked = parked(role).load(std::memory_order_acquire) == round;
        const bool stands = is_parked || sender.is_asleep();
        if (sent(role) != at) return false;
        quiet = stands ? quiet + 1 : 0;
        if (is_parked) break;
        between_us == 0 ? (void)sched_yield() : (void)usleep(between_us);
      }
      return true;
    };

    const std::uint64_t begin_ns = now_ns();
    for (std::uint64_t round = 1; round <= rounds; ++round) {
      if (now_ns() - begin_ns >= enough_ns) {
        figures[ProbeFigures::only_rounds] = round - 1;
        break;
      }
      begun(role).store(round, std::memory_order_release);
      std::uint64_t full = sent(role);
      while (!rests(full, round, 5, 200)) full = sent(role);
      const std::uint64_t fits = full - received;
      const bool all_sent = parked(role).load(std::memory_order_acquire) == round;
      if (round == 1 || !all_sent) {
        figures[ProbeFigures::fits_min] = round == 1 ? fits : std::min(figures[ProbeFigures::fits_min], fits);
        figures[ProbeFigures::fits_max] = std::max(figures[ProbeFigures::fits_max], fits);
      }
      if (all_sent && round == 1) figures[ProbeFigures::bound_reached] = 1;
      if (!all_sent && fits > 0) {
        // A look takes microseconds.
        const std::uint64_t stride = fits / 4'096 + 1;
        std::uint64_t drained = 0;
        do {
          for (const std::uint64_t target = std::min(drained + stride, fits); drained < target; ++drained)
            take();
        } while (drained < fits && rests(full, round, 2, 0));
        figures[ProbeFigures::has_resume] = 1;
        figures[ProbeFigures::resume_after] = std::max(figures[ProbeFigures::resume_after], drained);
      }
      ended(role).store(round, std::memory_order_release);
      const auto nothing_left = [&] {
        return parked(role).load(std::memory_order_acquire) == round && received == sent(role);
      };
      while (reader.read_unless(nothing_left)) role.moved(++received);
      if (all_sent) break;
    }
    over(role).store(1, std::memory_order_release);
    end_of(reader, received);
  }

  // ---- a link that loses ----

  // A link that never says that it is full loses what finds no room: of each batch it keeps the first ones.
  // The batches grow until one is not kept whole, which is then sent again. How soon it has room again,
  // nobody waits to see.
  template <class W>
  void overfill_and_ask(Role& role, W& writer) {
    constexpr std::uint64_t growth = 4;
    std::uint64_t* figures = role.board().figures;
    std::uint64_t sent = 0, batch = 64;
    bool overfilled = false;
    for (unsigned round = 0; round < rounds;) {
      if (sent + batch > most_messages) {
        if (!overfilled) figures[ProbeFigures::bound_reached] = 1;
        break;
      }
      for (std::uint64_t i = 0; i < batch; ++i) {
        writer.write(sent);
        role.moved(++sent);
      }
      may_take(role).store(sent, std::memory_order_release);
      while (taken(role).load(std::memory_order_acquire) < sent) sched_yield();
      const std::uint64_t kept = kept_of_batch(role).load(std::memory_order_relaxed);
      figures[ProbeFigures::fits_min] = overfilled ? std::min(figures[ProbeFigures::fits_min], kept) : kept;
      figures[ProbeFigures::fits_max] = std::max(figures[ProbeFigures::fits_max], kept);
      if (kept < batch) {
        overfilled = true;
        ++round;
      } else {
        batch *= growth;
      }
    }
    over(role).store(1, std::memory_order_release);
    writer.finish();
  }

  template <class R>
  void count_as_told(Role& role, R& reader, bool idle) {
    std::uint64_t told = 0;
    while (over(role).load(std::memory_order_acquire) == 0) {
      const std::uint64_t all = may_take(role).load(std::memory_order_acquire);
      if (idle || all == told) {
        sched_yield();
        continue;
      }
      std::uint64_t kept = 0;
      Silence silence;
      while (reader.read_unless([&] { return silence.means_lost(true); })) {
        silence.broken();
        role.moved(++kept);
      }
      kept_of_batch(role).store(kept, std::memory_order_relaxed);
      taken(role).store(told = all, std::memory_order_release);
    }
    while (reader.read_unless_closed()) {
    }
    Integrity found = reader.checker().counts();
    found.lost = 0;
    // Of fewer bytes a number cannot be told from one far behind.
    const bool tells = detection_limit(case_.message_bytes) / 2 > told;
    if (tells && !found.clean()) throw std::runtime_error("capacity probe: messages were not intact");
  }

  Case case_;
  Shape shape_;
  bool lossy_;
  bool sender_sleeps_;
  Links<T> links_;
  std::optional<SenderEnd<T>> sender_;
  std::optional<ReceiverEnd<T>> receiver_;
};

}  // namespace

std::unique_ptr<Work> make_capacity_probe(const Case& benchmark_case, const Shape& shape) {
  if (registered_traits(shape.transport).duplex) {
    return std::make_unique<CapacityProbe<AnyDuplex>>(benchmark_case, shape);
  }
  return std::make_unique<CapacityProbe<AnyOneWay>>(benchmark_case, shape);
}

}  // namespace ipcmark
