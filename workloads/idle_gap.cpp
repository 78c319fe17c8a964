#include "workloads/idle_gap.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "harness/batches.h"
#include "harness/text.h"
#include "workloads/any_messages.h"
#include "workloads/open_loop.h"
#include "workloads/pacing.h"
#include "workloads/timed_work.h"

namespace ipcmark {
namespace {

// Columns of the log.
constexpr unsigned sent = 0, received = 1;

constexpr std::uint64_t longest_gap_ns = 5'000'000'000;  // well within LaunchSpec::stall_s

std::uint64_t second_level_bytes() {
  const long bytes = ::sysconf(_SC_LEVEL2_CACHE_SIZE);
  return bytes > 0 ? static_cast<std::uint64_t>(bytes) : 0;
}

// Fills the first two levels of its processor's caches with something else.
class Eviction {
 public:
  explicit Eviction(Caches caches) {
    if (caches == Caches::cold) memory_.emplace(2 * second_level_bytes());
  }

  void operator()() {
    if (!memory_) return;
    constexpr std::size_t line = 64;
    const std::span<std::byte> bytes = memory_->span();
    for (std::size_t i = 0; i < bytes.size(); i += line) bytes[i] ^= std::byte{1};
    keep(bytes.data());
  }

 private:
  std::optional<MessageBuffer> memory_;
};

// Messages that the receiver has taken, and for how many it has turned to waiting.
std::atomic<std::uint64_t>& messages_taken(Role& role) { return role.launch().tickets[0]; }
std::atomic<std::uint64_t>& awaited(Role& role) { return role.launch().tickets[1]; }

}  // namespace

std::string IdleGap::unfit(const Case& c, const TransportTraits& traits) {
  if (std::string reason = needs_bytes(traits.facts, name, traits.name); !reason.empty()) return reason;
  if (traits.facts.lossy) return traits.name + ": the gap after a message that is lost has no end";
  if (c.gap_ns > longest_gap_ns) {
    return fmt::format("gap:{} is over {}", exact_duration(c.gap_ns), exact_duration(longest_gap_ns));
  }
  if (c.caches == Caches::cold && second_level_bytes() == 0) {
    return "caches:cold: this system does not tell how large a second-level cache is";
  }
  return {};
}

IdleGap::IdleGap(const Case& benchmark_case, const Shape& shape, const TrialOptions& options)
    : OneWayWork(benchmark_case, shape, options) {
  options_.least_messages = fewest_gaps;
  options_.most_messages = std::min<std::uint64_t>(options_.most_messages, StampLog::most_messages);
}

void IdleGap::send(Role& role) {
  RoleBoard& board = role.board();
  const Pacing pacing(role.launch());
  CostMeter meter;
  Eviction evict(case_.caches);
  with_writer(end_of_link(), case_, [&](auto& writer) {
    role.lock_memory();
    std::uint64_t sequence = 0;
    lead_phases(role, options_, [&](std::uint64_t messages, bool timed) {
      const auto stamps = log_.touched(sent, messages);
      if (timed) meter.start();
      for (std::uint64_t& stamp : stamps) {
        pacing.until(messages_taken(role), sequence);
        evict();
        pacing.until(awaited(role), sequence + 1);
        stamp = pacing.until(now_ns() + case_.gap_ns);
        writer.write(sequence++);
        role.moved(sequence);
      }
      if (!timed) return;
      board.cost = meter.stop();
      board.begin_ns = stamps.front();
      board.end_ns = stamps.back();
      board.timed_messages = messages;
    });
    writer.finish();
    role.announce({PhaseKind::drain, 0});
    role.conclude();
  });
}

void IdleGap::receive(Role& role) {
  RoleBoard& board = role.board();
  CostMeter meter;
  Eviction evict(case_.caches);
  with_reader(end_of_link(), case_, options_.every_byte, [&](auto& reader) {
    role.lock_memory();
    std::uint64_t moved = 0;
    follow_phases(
        role, meter,
        [&](std::uint64_t messages, bool timed) {
          const auto stamps = log_.touched(received, messages);
          for (std::uint64_t& stamp : stamps) {
            evict();
            awaited(role).store(moved + 1, std::memory_order_release);
            reader.read();
            stamp = now_ns();
            role.moved(++moved);
            messages_taken(role).store(moved, std::memory_order_release);
          }
          if (!timed) return;
          board.begin_ns = stamps.front();
          board.end_ns = stamps.back();
        },
        [&] {
          const std::uint64_t expected = moved;
          while (reader.read_unless_closed()) role.moved(++moved);
          reader.checker().finish(expected);
          report(role, board.timed_messages);
        });
    board.integrity = reader.checker().counts();
    board.integrity.every_byte = options_.every_byte;
  });
}

void IdleGap::report(Role& role, std::uint64_t messages) {
  RoleBoard& board = role.board();
  const auto from = log_.column(sent, messages), to = log_.column(received, messages);
  OneWayTimes times;
  for (std::size_t i = 0; i < messages; ++i) times.record(from[i], to[i], board.histogram);
  board.messages_per_sample = 1;
  fmt::format_to_n(board.invalid, sizeof board.invalid - 1, "{}", times.complaint());
}

}  // namespace ipcmark
