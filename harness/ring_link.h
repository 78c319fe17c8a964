// The ring of slots (harness/ring.h) as a one-way link over some kind of shared region: every transport of
// this family is the same ring, and only the region differs.
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
#include <utility>

#include "harness/contract.h"
#include "harness/refusals.h"
#include "harness/ring.h"

namespace ipcmark {

// Shared memory has no capacity of its own; unasked, the ring gets this many slots: 1,024, fewer when
// messages are so large that they would fill more than 8 MiB, and never fewer than 4.
constexpr std::uint64_t default_ring_slots(std::size_t message_bytes) {
  constexpr std::uint64_t most_slots = 1'024, fewest_slots = 4, most_bytes = std::uint64_t{8} << 20;
  return std::clamp(most_bytes / message_bytes, fewest_slots, most_slots);
}

inline RingShape ring_shape(std::string_view transport, const Shape& shape) {
  require_buffered(transport, shape.capacity, "a ring has so many slots");
  return {.capacity = shape.capacity.kind == Capacity::Kind::bounded
                          ? shape.capacity.messages
                          : default_ring_slots(shape.message_bytes),
          .message_bytes = shape.message_bytes,
          .send_wait = shape.send_wait,
          .receive_wait = shape.receive_wait};
}

// A ring's endpoint together with the mapping it lives in. The mapping is a base before the endpoint, because
// the endpoint writes to it as it goes.
template <class Mapping, class Endpoint>
class MappedEndpoint : private Mapping, public Endpoint {
 public:
  MappedEndpoint(Mapping mapping, const LinkDoorbellParts& doorbells)
      : Mapping(std::move(mapping)), Endpoint(Mapping::bytes(), doorbells) {}
};

template <class Region>
class RingLink {
 public:
  RingLink(std::string_view transport, const Shape& shape)
      : RingLink(transport, shape, ring_shape(transport, shape)) {}

  RingLink(std::string_view transport, const Shape& shape, const std::string& address)
      : region_(shape, bytes_needed(transport, ring_shape(transport, shape)), address) {}
  std::string address() const { return region_.address(); }

  auto open_sender(unsigned, Meeting&) { return open<RingSender>(); }
  auto open_receiver(unsigned, Meeting&) { return open<RingReceiver>(); }
  LinkDoorbellParts take_remains() { return std::move(doorbells_); }

 private:
  RingLink(std::string_view transport, const Shape& shape, const RingShape& ring)
      : region_(shape, bytes_needed(transport, ring)),
        doorbells_{DoorbellParts(transport, ring.send_wait), DoorbellParts(transport, ring.receive_wait)} {
    const auto mapping = region_.map();
    Ring::initialise(mapping.bytes(), ring);
  }

  static std::size_t bytes_needed(std::string_view transport, const RingShape& ring) {
    try {
      return Ring::bytes_needed(ring.capacity, ring.message_bytes);
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
