#include "workloads/broadcast.h"

#include <fmt/format.h>

#include "harness/ring_link.h"
#include "workloads/any_messages.h"

namespace ipcmark {
namespace {

BroadcastRingShape ring_of(const Case& c) {
  return {.capacity = ring_slots(
              {.transport = c.transport, .message_bytes = c.message_bytes, .capacity = c.capacity}),
          .message_bytes = c.message_bytes,
          .receivers = c.receivers,
          .send_wait = c.send_wait,
          .receive_wait = c.receive_wait};
}

}  // namespace

std::vector<RoleKind> Broadcast::roles(const Case& c) {
  std::vector<RoleKind> roles{{.name = "sender 0", .sends = true, .counts = true}};
  for (unsigned receiver = 1; receiver <= c.receivers; ++receiver) {
    roles.push_back({.name = fmt::format("receiver {}", receiver), .receives = true});
  }
  return roles;
}

std::string Broadcast::unfit(const Case& c, const TransportTraits& traits) {
  if (c.receivers >= max_roles) return fmt::format("a launch has at most {} receivers", max_roles - 1);
  return needs_bytes(traits.facts, name, c.transport);
}

std::vector<Case> Broadcast::links_of(const Case& c) {
  if (lies_in_memory(c)) return {};
  Case link = c;
  link.receivers = 1;
  return std::vector(c.receivers, link);
}

void Broadcast::observe(const Case& c, const LaunchBoard&, std::vector<Observation>& observations) {
  observations.push_back({"copies", "sends of a message", lies_in_memory(c) ? 1.0 : c.receivers});
}

Broadcast::Broadcast(const Case& benchmark_case, const Shape& shape, const TrialOptions& options)
    : AnyWork(benchmark_case, shape, options), one_ring_(transport_.region != nullptr) {
  shape_.receivers = 1;
}

void Broadcast::build(const std::string& directory) {
  AnyWork::build(directory);
  if (!one_ring_) return;
  const BroadcastRingShape ring = ring_of(case_);
  std::size_t bytes = 0;
  try {
    bytes = BroadcastRing::bytes_needed(ring);
  } catch (const std::length_error& error) {
    throw Unsupported(fmt::format("{}: {}", case_.transport, error.what()));
  }
  region_ = transport_.region->make(shape_, bytes, bytes);
  doorbells_ = std::make_unique<BroadcastDoorbellParts>(case_.transport, ring);
  BroadcastRing::initialise(region_->map()->bytes(), ring);
}

void Broadcast::open(Role& role) {
  if (one_ring_) mapping_ = region_->map();
  if (role.index() > 0) {
    const unsigned receiver = role.index() - 1;
    ends_.push_back(
        one_ring_ ? std::make_unique<ErasedEndpoint<BroadcastReceiver>>(
                        BroadcastReceiver(mapping_->bytes(), receiver, *doorbells_))
                  : open_any_receiver(links_[receiver], transport_.traits.duplex, role.meeting(receiver)));
  } else if (one_ring_) {
    ends_.push_back(
        std::make_unique<ErasedEndpoint<BroadcastSender>>(BroadcastSender(mapping_->bytes(), *doorbells_)));
  } else {
    for (unsigned link = 0; link < case_.receivers; ++link) {
      ends_.push_back(links_[link].open_sender(0, role.meeting(link)));
    }
  }
  role.keep_limit(ends_.front()->limit());
}

void Broadcast::drop() {
  region_.reset();
  AnyWork::drop();
}

void Broadcast::end() {
  region_.reset();
  doorbells_.reset();
  AnyWork::end();
}

void Broadcast::run(Role& role) {
  measure_cache_line(role);
  if (role.index() == 0) {
    send_all(role);
  } else {
    receive_all(role);
  }
}

void Broadcast::send_all(Role& role) {
  RoleBoard& board = role.board();
  AnyWriter writer(case_.send_access, case_.message_bytes);
  role.lock_memory();
  std::uint64_t sequence = 0;
  CostMeter meter;
  lead_phases(role, options_, [&](std::uint64_t messages, bool timed) {
    if (timed) {
      meter.start();
      board.begin_ns = now_ns();
    }
    for (std::uint64_t i = 0; i < messages; ++i) {
      for (auto& end : ends_) {
        writer.write(*end, [&](std::span<std::byte> message) { fill(message, 0, sequence, case_.touch); });
      }
      role.moved(++sequence);
    }
    if (!timed) return;
    board.end_ns = now_ns();
    board.cost = meter.stop();
    board.timed_messages = messages;
  });
  for (auto& end : ends_) finish(*end);
  role.announce({PhaseKind::drain, 0});
  role.conclude();
}

void Broadcast::receive_all(Role& role) {
  RoleBoard& board = role.board();
  AnyEndpoint& end = *ends_.front();
  AnyReader reader(case_.receive_access, case_.message_bytes);
  SequenceChecker checker(0, case_.message_bytes, case_.touch);
  role.lock_memory();
  std::uint64_t received = 0;
  const auto look = [&](std::span<const std::byte> message) {
    judge(checker, message, options_.every_byte, case_.touch);
  };
  const auto receive = [&] {
    reader.read(end, look);
    role.moved(++received);
  };
  Histogram others;  // whose windows are not told
  CostMeter meter;
  follow_phases(
      role, meter,
      [&](std::uint64_t messages, bool timed) {
        if (!timed) {
          for (std::uint64_t i = 0; i < messages; ++i) receive();
          return;
        }
        receive();
        board.begin_ns = now_ns();
        const bool tells = role.index() == 1;
        const std::uint64_t window = record_windows(messages - 1, tells ? board.histogram : others, receive);
        if (tells) board.messages_per_sample = window;
        board.end_ns = now_ns();
      },
      [&] {
        while (reader.read_unless_closed(end, look)) {
        }
        checker.finish(received);
      });
  board.integrity = checker.counts();
  board.integrity.every_byte = options_.every_byte;
}

}  // namespace ipcmark
