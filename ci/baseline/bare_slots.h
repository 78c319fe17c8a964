// The floor that ci/accuracy holds the ring's round trip against: what no round trip through slots of 64-byte
// messages can do without, and nothing else. A message and its number are two lines that one process writes
// and the other reads; the slots are used in turn. There is no flow control, no end of stream and no look at
// who is still there, so at most one message may be under way, as in a round trip. With one slot the same
// lines go to and fro; with many, they have left the first-level cache when their turn comes again.
//
// Same verbs as harness/ring.h, spinning only.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>

#include "harness/contract.h"
#include "harness/ring.h"
#include "harness/wait.h"

namespace ipcmark::baseline {

// An end of `slots` slots, laid out as the ring's. The region is all zero bytes, aligned to 128.
class BareSlots {
 public:
  static constexpr std::size_t message_bytes = 64;
  static constexpr std::size_t bytes_needed(std::uint64_t slots) {
    return static_cast<std::size_t>(slots) * ring_detail::slot_stride(message_bytes);
  }

  BareSlots(std::span<std::byte> region, std::uint64_t slots)
      : first_(region.data()), end_(region.data() + bytes_needed(slots)), slot_(first_) {}

  std::byte* message() const { return slot_; }
  ring_detail::Sequence& sequence() const {
    return *std::launder(
        reinterpret_cast<ring_detail::Sequence*>(slot_ + ring_detail::sequence_offset(message_bytes)));
  }
  // Of the message that this end is at, from 1.
  std::uint64_t number() const { return number_; }
  void advance() {
    ++number_;
    slot_ += ring_detail::slot_stride(message_bytes);
    if (slot_ == end_) slot_ = first_;
  }

 private:
  std::byte *first_, *end_, *slot_;
  std::uint64_t number_ = 1;
};

class BareSlotSender {
 public:
  BareSlotSender(std::span<std::byte> region, std::uint64_t slots) : place_(region, slots) {}

  Io loan(std::span<std::byte>& slot) {
    slot = {place_.message(), BareSlots::message_bytes};
    return Io::done;
  }
  Io commit() {
    // release: the message is written before its number says so.
    place_.sequence().store(place_.number(), std::memory_order_release);
    place_.advance();
    return Io::done;
  }
  void wait_to_send() {}

 private:
  BareSlots place_;
};

class BareSlotReceiver {
 public:
  BareSlotReceiver(std::span<std::byte> region, std::uint64_t slots) : place_(region, slots) {}

  Io peek(std::span<const std::byte>& message) {
    // acquire: the message was written before its number.
    if (place_.sequence().load(std::memory_order_acquire) != place_.number()) {
      ring_detail::ask_for_reading(place_.message());
      return Io::again;
    }
    message = {place_.message(), BareSlots::message_bytes};
    return Io::done;
  }
  Io release() {
    place_.advance();
    return Io::done;
  }
  void wait_to_receive() { cpu_relax(); }

 private:
  BareSlots place_;
};

}  // namespace ipcmark::baseline
