// The rings of slots (harness/ring.h for a pair, harness/shared_ring.h for several senders or receivers) as a
// one-way link over some kind of shared region: every transport of this family is the same ring, and only the
// region differs.
//
// A Region is made by the launch's parent and maps itself in each process that asks:
//   Region(const Shape&, std::size_t bytes)   zero-filled; throws Unsupported or std::system_error
//   Region::Mapping map() const               owns its mapping; bytes() is page-aligned
//   Region(const Shape&, std::size_t bytes, const std::string& address)   one that a stranger made
//   std::string address() const
// and removes its name when its maker destroys it.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "harness/contract.h"
#include "harness/refusals.h"
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
inline std::uint64_t ring_slots(std::string_view transport, const Shape& shape) {
  require_buffered(transport, shape.capacity, "a ring has so many slots");
  return shape.capacity.kind == Capacity::Kind::bounded ? shape.capacity.messages
                                                        : default_ring_slots(shape.message_bytes);
}

// Which of the rings a link is made of.
struct PairRing {
  using Memory = Ring;
  using Sender = RingSender;
  using Receiver = RingReceiver;
  static RingShape shape(std::string_view transport, const Shape& shape) {
    if (shape.senders + shape.receivers > 2) {
      throw std::logic_error(std::string(transport) + ": a ring for a pair was to be shared by more");
    }
    return {.capacity = ring_slots(transport, shape),
            .message_bytes = shape.message_bytes,
            .send_wait = shape.send_wait,
            .receive_wait = shape.receive_wait};
  }
};
struct MailboxRing {
  using Memory = SharedRing;
  using Sender = SharedRingSender;
  using Receiver = SharedRingReceiver;
  static SharedRingShape shape(std::string_view transport, const Shape& shape) {
    return {.capacity = ring_slots(transport, shape),
            .message_bytes = shape.message_bytes,
            .senders = shape.senders,
            .receivers = shape.receivers,
            .send_wait = shape.send_wait,
            .receive_wait = shape.receive_wait};
  }
};

// A ring's endpoint together with the mapping it lives in. The mapping is a base before the endpoint, because
// the endpoint writes to it as it goes.
template <class Mapping, class Endpoint>
class MappedEndpoint : private Mapping, public Endpoint {
 public:
  MappedEndpoint(Mapping mapping, const LinkDoorbellParts& doorbells)
      : Mapping(std::move(mapping)), Endpoint(Mapping::bytes(), doorbells) {}
};

template <class Region, class Kind = PairRing>
class RingLink {
 public:
  RingLink(std::string_view transport, const Shape& shape)
      : RingLink(transport, shape, Kind::shape(transport, shape)) {}

  RingLink(std::string_view transport, const Shape& shape, const std::string& address)
      : region_(shape, bytes_needed(transport, ring_slots(transport, shape), shape.message_bytes), address) {}
  std::string address() const { return region_.address(); }

  auto open_sender(unsigned, Meeting&) { return open<typename Kind::Sender>(); }
  auto open_receiver(unsigned, Meeting&) { return open<typename Kind::Receiver>(); }
  LinkDoorbellParts take_remains() { return std::move(doorbells_); }

 private:
  template <class RingShape>
  RingLink(std::string_view transport, const Shape& shape, const RingShape& ring)
      : region_(shape, bytes_needed(transport, ring.capacity, ring.message_bytes)),
        doorbells_{DoorbellParts(transport, ring.send_wait), DoorbellParts(transport, ring.receive_wait)} {
    const auto mapping = region_.map();
    Kind::Memory::initialise(mapping.bytes(), ring);
  }

  static std::size_t bytes_needed(std::string_view transport, std::uint64_t slots,
                                  std::size_t message_bytes) {
    try {
      return Kind::Memory::bytes_needed(slots, message_bytes);
    } catch (const std::length_error& error) {
      throw Unsupported(fmt::format("{}: {}", transport, error.what()));
    }
  }

  template <class Endpoint>
  auto open() {
    return MappedEndpoint<decltype(region_.map()), Endpoint>(region_.map(), doorbells_);
  }

  Region region_;
  LinkDoorbellParts doorbells_;
};

inline constexpr WaitSet ring_waits = doorbell_waits;

}  // namespace ipcmark
