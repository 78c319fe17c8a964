// The rings of slots (harness/ring.h for a pair, harness/shared_ring.h for several senders or receivers) as a
// one-way link over some kind of shared region (harness/region.h): every transport of this family is the same
// ring, compiled once, and only the region differs.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "harness/contract.h"
#include "harness/refusals.h"
#include "harness/region.h"
#include "harness/ring.h"
#include "harness/shared_ring.h"

namespace ipcmark {

// Shared memory has no capacity of its own; unasked, the ring gets this many slots: 1,024, fewer when
// messages are so large that they would fill more than 8 MiB, and never fewer than 4.
constexpr std::uint64_t default_ring_slots(std::size_t message_bytes) {
  constexpr std::uint64_t most_slots = 1'024, fewest_slots = 4, most_bytes = std::uint64_t{8} << 20;
  return std::clamp(most_bytes / message_bytes, fewest_slots, most_slots);
}

// Throws Unsupported for a capacity that no ring has.
inline std::uint64_t ring_slots(const Shape& shape) {
  require_buffered(shape.transport, shape.capacity, "a ring has so many slots");
  return shape.capacity.kind == Capacity::Kind::bounded ? shape.capacity.messages
                                                        : default_ring_slots(shape.message_bytes);
}

// Which of the rings a link is made of.
struct PairRing {
  using Memory = Ring;
  using Sender = RingSender;
  using Receiver = RingReceiver;
  static RingShape shape(const Shape& shape) {
    if (shape.senders + shape.receivers > 2) {
      throw std::logic_error(shape.transport + ": a ring for a pair was to be shared by more");
    }
    return {.capacity = ring_slots(shape),
            .message_bytes = shape.message_bytes,
            .send_wait = shape.send_wait,
            .receive_wait = shape.receive_wait};
  }
};
struct MailboxRing {
  using Memory = SharedRing;
  using Sender = SharedRingSender;
  using Receiver = SharedRingReceiver;
  static SharedRingShape shape(const Shape& shape) {
    return {.capacity = ring_slots(shape),
            .message_bytes = shape.message_bytes,
            .senders = shape.senders,
            .receivers = shape.receivers,
            .send_wait = shape.send_wait,
            .receive_wait = shape.receive_wait};
  }
};

// An endpoint together with the mapping it lives in. The mapping is a base before the endpoint, because the
// endpoint writes to it as it goes.
class HeldMapping {
 public:
  explicit HeldMapping(std::unique_ptr<AnyMapping> mapping) : mapping_(std::move(mapping)) {}
  std::span<std::byte> mapped() const { return mapping_->bytes(); }

 private:
  std::unique_ptr<AnyMapping> mapping_;
};
template <class Endpoint>
class MappedEndpoint : private HeldMapping, public Endpoint {
 public:
  MappedEndpoint(std::unique_ptr<AnyMapping> mapping, const LinkDoorbellParts& doorbells)
      : HeldMapping(std::move(mapping)), Endpoint(mapped(), doorbells) {}
};

template <class Kind = PairRing>
class RingLink {
 public:
  RingLink(const RegionKind& region, const Shape& shape) : RingLink(region, shape, Kind::shape(shape)) {}

  RingLink(const RegionKind& region, const Shape& shape, const std::string& address)
      : region_(region.attach(shape, bytes_needed(shape, ring_slots(shape), shape.message_bytes), address)) {}
  std::string address() const { return region_->address(); }

  MappedEndpoint<typename Kind::Sender> open_sender(unsigned, Meeting&) {
    return {region_->map(), doorbells_};
  }
  MappedEndpoint<typename Kind::Receiver> open_receiver(unsigned, Meeting&) {
    return {region_->map(), doorbells_};
  }
  LinkDoorbellParts take_remains() { return std::move(doorbells_); }

 private:
  template <class RingShape>
  RingLink(const RegionKind& region, const Shape& shape, const RingShape& ring)
      : doorbells_{DoorbellParts(shape.transport, ring.send_wait),
                   DoorbellParts(shape.transport, ring.receive_wait)} {
    const std::size_t bytes = bytes_needed(shape, ring.capacity, ring.message_bytes);
    region_ = region.make(shape, bytes, bytes);
    Kind::Memory::initialise(region_->map()->bytes(), ring);
  }

  static std::size_t bytes_needed(const Shape& shape, std::uint64_t slots, std::size_t message_bytes) {
    try {
      return Kind::Memory::bytes_needed(slots, message_bytes);
    } catch (const std::length_error& error) {
      throw Unsupported(fmt::format("{}: {}", shape.transport, error.what()));
    }
  }

  std::unique_ptr<AnyRegion> region_;
  LinkDoorbellParts doorbells_;
};

inline constexpr WaitSet ring_waits = doorbell_waits;

}  // namespace ipcmark
