#include "workloads/state.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>

#include "harness/seqlock.h"
#include "harness/wait.h"
#include "workloads/any_messages.h"

namespace ipcmark {
namespace {

// Positions on a reader's board.
enum Figure : unsigned { reads, retries, behind, looked };

}  // namespace

std::vector<RoleKind> State::roles(const Case& c) {
  std::vector<RoleKind> roles{{.name = "writer 0", .sends = true, .counts = true}};
  for (unsigned reader = 1; reader <= c.receivers; ++reader) {
    roles.push_back({.name = fmt::format("reader {}", reader), .receives = true});
  }
  return roles;
}

std::string State::unfit(const Case& c, const TransportTraits& traits) {
  if (std::string reason = needs_bytes(traits.facts, name, c.transport); !reason.empty()) return reason;
  if (c.receivers >= max_roles) return fmt::format("a launch has at most {} readers", max_roles - 1);
  if (!lies_in_memory(c)) return {};
  if (c.capacity != Capacity{}) {
    return fmt::format("{} holds the record itself, not messages, so there is no capacity to set",
                       c.transport);
  }
  if (may_sleep(c.send_wait) || may_sleep(c.receive_wait)) {
    return fmt::format("nobody sleeps for a record in {}; its reader tries again by spin or yield",
                       c.transport);
  }
  if (c.send_access == Access::loan || c.receive_access == Access::loan) {
    return fmt::format("a record in {} may change while it is read, so only a copy can be looked at",
                       c.transport);
  }
  return {};
}

std::vector<Case> State::links_of(const Case& c) {
  if (lies_in_memory(c)) return {};
  Case link = c;
  link.receivers = 1;
  link.work = 0;
  return std::vector(c.receivers, link);
}

void State::observe(const Case& c, const LaunchBoard& board, std::vector<Observation>& observations) {
  std::array<std::uint64_t, 4> sums{};
  std::uint64_t torn = 0;
  for (unsigned reader = 1; reader <= c.receivers; ++reader) {
    for (unsigned figure = 0; figure < sums.size(); ++figure) {
      sums[figure] += board.roles[reader].figures[figure];
    }
    torn += board.roles[reader].integrity.corrupted;
  }
  observations.push_back({"updates", "updates", static_cast<double>(board.roles[0].timed_messages)});
  observations.push_back({"reads", "reads", static_cast<double>(sums[reads])});
  if (lies_in_memory(c)) observations.push_back({"retries", "attempts", static_cast<double>(sums[retries])});
  observations.push_back({"torn", "reads", static_cast<double>(torn)});
  if (sums[looked] > 0) {
    observations.push_back(
        {"staleness", "updates", static_cast<double>(sums[behind]) / static_cast<double>(sums[looked])});
  }
}

State::State(const Case& benchmark_case, const Shape& shape, const TrialOptions& options)
    : AnyWork(benchmark_case, shape, options), in_place_(transport_.region != nullptr) {
  shape_.receivers = 1;
}

void State::build(const std::string& directory) {
  AnyWork::build(directory);
  if (!in_place_) return;
  const std::size_t bytes = Seqlock::bytes_needed(case_.message_bytes);
  region_ = transport_.region->make(shape_, bytes, bytes);
  Seqlock::initialise(region_->map()->bytes(), case_.message_bytes);
}

void State::open(Role& role) {
  if (in_place_) {
    mapping_ = region_->map();
  } else if (role.index() == 0) {
    for (unsigned link = 0; link < case_.receivers; ++link) {
      ends_.push_back(links_[link].open_sender(0, role.meeting(link)));
    }
    role.keep_limit(ends_.front()->limit());
  } else {
    const unsigned link = role.index() - 1;
    ends_.push_back(open_any_receiver(links_[link], transport_.traits.duplex, role.meeting(link)));
  }
}

void State::drop() {
  region_.reset();
  AnyWork::drop();
}

void State::run(Role& role) {
  measure_cache_line(role);
  if (role.index() == 0) {
    write_updates(role);
  } else if (in_place_) {
    read_in_place(role);
  } else {
    read_messages(role);
  }
}

// Updates are numbered from 1.
void State::write_updates(Role& role) {
  RoleBoard& board = role.board();
  std::optional<Seqlock> record;
  if (in_place_) record.emplace(mapping_->bytes());
  MessageBuffer buffer(case_.message_bytes);
  AnyWriter writer(case_.send_access, case_.message_bytes);
  role.lock_memory();
  std::uint64_t updates = 0;
  const auto update = [&] {
    const std::uint64_t number = updates + 1;
    if (record) {
      fill(buffer.span(), 0, number, case_.touch);
      record->store(buffer.span());
    }
    for (auto& end : ends_) {
      writer.write(*end, [&](std::span<std::byte> message) { fill(message, 0, number, case_.touch); });
    }
    role.moved(updates = number);
    do_work(case_.work);
  };
  CostMeter meter;
  lead_phases(role, options_, [&](std::uint64_t messages, bool timed) {
    if (!timed) {
      for (std::uint64_t i = 0; i < messages; ++i) update();
      return;
    }
    meter.start();
    board.begin_ns = now_ns();
    board.messages_per_sample = record_windows(messages, board.histogram, update);
    board.end_ns = now_ns();
    board.cost = meter.stop();
    board.timed_messages = messages;
  });
  for (auto& end : ends_) finish(*end);
  role.announce({PhaseKind::drain, 0});
  role.conclude();
}

// What a reader counts in the timed part.
class State::Tally {
 public:
  explicit Tally(Role& role) : role_(role) {}

  void begin(bool timed) { timed_ = timed; }

  // A read of the record after so many updates.
  void read(std::uint64_t updates) {
    ++read_;
    role_.moved(read_);
    if (!timed_) return;
    RoleBoard& board = role_.board();
    // The writer's count lies in a line that it writes with every update: looked at seldom.
    constexpr std::uint64_t look_every = 16;
    if (board.figures[reads]++ % look_every != 0) return;
    // relaxed: a count, of which nothing else follows.
    const std::uint64_t made = role_.launch().roles[0].progress.load(std::memory_order_relaxed);
    board.figures[behind] += made - std::min(made, updates);
    ++board.figures[looked];
  }
  void retry() { role_.board().figures[retries] += timed_; }
  // The timed part begins for a reader with what it first sees of it.
  void saw_new() {
    RoleBoard& board = role_.board();
    if (timed_ && board.begin_ns == 0) board.begin_ns = now_ns();
  }
  void end() {
    if (timed_) role_.board().end_ns = now_ns();
  }

 private:
  Role& role_;
  bool timed_ = false;
  std::uint64_t read_ = 0;
};

void State::read_in_place(Role& role) {
  const Seqlock record(mapping_->bytes());
  const ExpectedSum expected(case_.message_bytes, case_.touch);
  MessageBuffer copy(case_.message_bytes);
  role.lock_memory();
  Integrity& integrity = role.board().integrity;
  integrity.every_byte = options_.every_byte;
  const auto is_whole = [&](std::uint64_t update) {
    if (options_.every_byte) return verify(copy.span(), 0, update, case_.touch);
    const Reading reading = read(copy.span(), case_.touch);
    const std::uint64_t stamp = make_stamp(0, update, case_.message_bytes);
    return reading.stamp == stamp && reading.sum == expected(stamp);
  };
  const auto pause = [&] { case_.receive_wait == Wait::yield ? void(::sched_yield()) : cpu_relax(); };

  Tally tally(role);
  CostMeter meter;
  std::uint64_t seen = 0, last = 0;
  follow_phases(
      role, meter,
      [&](std::uint64_t updates, bool timed) {
        tally.begin(timed);
        last += updates;
        while (seen < last) {
          const std::optional<std::uint64_t> update = record.try_load(copy.span());
          if (!update) {
            tally.retry();
            pause();
            continue;
          }
          tally.read(*update);
          if (*update > 0) {
            ++integrity.checked;
            if (!is_whole(*update)) ++integrity.corrupted;
          }
          if (*update < seen) ++integrity.reordered;
          if (*update <= seen) {
            pause();
            continue;
          }
          seen = *update;
          tally.saw_new();
        }
        tally.end();
      },
      [] {});
}

void State::read_messages(Role& role) {
  RoleBoard& board = role.board();
  AnyEndpoint& end = *ends_.front();
  AnyReader reader(case_.receive_access, case_.message_bytes);
  SequenceChecker checker(0, case_.message_bytes, case_.touch, 1);
  role.lock_memory();
  std::uint64_t received = 0, last = 0;
  const auto look = [&](std::span<const std::byte> message) {
    judge(checker, message, options_.every_byte, case_.touch);
    ++received;
  };
  Tally tally(role);
  CostMeter meter;
  follow_phases(
      role, meter,
      [&](std::uint64_t updates, bool timed) {
        tally.begin(timed);
        last += updates;
        while (received < last) {
          reader.read(end, look);
          tally.saw_new();
          // Whoever does not sleep takes what else is there.
          while (case_.receive_wait != Wait::block && received < last &&
                 reader.try_read(end, look) == Io::done) {
          }
          tally.read(received);
        }
        tally.end();
      },
      [&] {
        while (reader.read_unless_closed(end, look)) {
        }
        checker.finish(last);
      });
  board.integrity = checker.counts();
  board.integrity.every_byte = options_.every_byte;
}

}  // namespace ipcmark
