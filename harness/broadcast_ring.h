// A ring of slots from which every receiver gets every message: one sender, and a cursor for each receiver.
// The sender waits for the slowest of them; nobody is passed over and nothing is lost.
//
//   tail         messages committed, counted from 0 for ever; message p lies in slot p % capacity
//   cursors      of each receiver: messages it has released. A slot is free once all cursors are past it; a
//                receiver that has left is past everything.
//   doorbells    one for the sender and one for each receiver: what is rung for concerns each of them, and a
//                waiter at a bell of its own cannot take another's token
//
// Every receiver that the shape counts attaches once, by its index; whether it has or not, nothing is
// overwritten that it has not released. A receiver gets `closed` when the sender has finished and it has
// received everything; the sender, when the ring is full and all receivers have left.
//
// The region holds no pointers; each process attaches where it has mapped it, and it must outlive the
// endpoints. An endpoint belongs to one thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/contract.h"
#include "harness/doorbell.h"

namespace ipcmark {

struct BroadcastRingShape {
  std::uint64_t capacity = 1;  // messages, > 0
  std::size_t message_bytes = 1;
  unsigned receivers = 1;
  Wait send_wait = Wait::spin;  // of doorbell_waits, both
  Wait receive_wait = Wait::spin;
};

// What its doorbells need besides the region; made by the launch's parent before the fork.
struct BroadcastDoorbellParts {
  // For the ways that need nothing.
  explicit BroadcastDoorbellParts(unsigned receivers_of_it) : receivers(receivers_of_it) {}
  // Throws as DoorbellParts does.
  BroadcastDoorbellParts(std::string_view transport, const BroadcastRingShape& shape)
      : sender(transport, shape.send_wait) {
    receivers.reserve(shape.receivers);
    for (unsigned i = 0; i < shape.receivers; ++i) receivers.emplace_back(transport, shape.receive_wait);
  }

  DoorbellParts sender;
  std::vector<DoorbellParts> receivers;
};

class BroadcastRing {
 public:
  // The region must be aligned to this; a mapping is.
  static constexpr std::size_t alignment = 128;

  // Throws std::length_error when the size does not fit an address.
  static std::size_t bytes_needed(const BroadcastRingShape& shape) {
    constexpr std::size_t limit = std::numeric_limits<std::ptrdiff_t>::max();
    const std::size_t before = slots_offset(shape.receivers);
    if (shape.message_bytes > limit - alignment ||
        shape.capacity > (limit - before) / stride(shape.message_bytes)) {
      throw std::length_error("a broadcast ring of " + std::to_string(shape.capacity) + " slots of " +
                              std::to_string(shape.message_bytes) + " B does not fit an address space");
    }
    return before + static_cast<std::size_t>(shape.capacity) * stride(shape.message_bytes);
  }

  // Makes an empty ring, once, before anybody attaches; slots are not touched. Throws std::invalid_argument
  // for a shape no ring can have.
  static void initialise(std::span<std::byte> region, const BroadcastRingShape& shape) {
    if (shape.capacity == 0 || shape.message_bytes == 0 || shape.receivers == 0) {
      throw std::invalid_argument("a broadcast ring of nothing, or for nobody");
    }
    if (region.size() < bytes_needed(shape) ||
        reinterpret_cast<std::uintptr_t>(region.data()) % alignment != 0) {
      throw std::invalid_argument("the region is too small for this broadcast ring, or not aligned");
    }
    for (unsigned receiver = 0; receiver < shape.receivers; ++receiver) {
      new (region.data() + sizeof(Header) + receiver * sizeof(Cursor)) Cursor(shape.receive_wait);
    }
    new (region.data()) Header(shape);
  }

 private:
  friend class BroadcastSender;
  friend class BroadcastReceiver;

  using Counter = std::atomic<std::uint64_t>;
  static_assert(Counter::is_always_lock_free && sizeof(Counter) == 8);
  static constexpr std::uint64_t left =
      std::numeric_limits<std::uint64_t>::max();  // a cursor past everything

  struct Cursor {
    explicit Cursor(Wait wait) : bell(wait) {}

    alignas(alignment) Counter released{0};
    Doorbell bell;
  };
  struct Header {
    explicit Header(const BroadcastRingShape& of) : sender_bell(of.send_wait), shape(of) {}

    alignas(alignment) Counter tail{0};
    alignas(alignment) std::atomic<bool> finished{false};
    Doorbell sender_bell;
    BroadcastRingShape shape;  // last, so that it is there only once the rest is
  };

  static std::size_t slots_offset(unsigned receivers) { return sizeof(Header) + receivers * sizeof(Cursor); }
  static std::size_t stride(std::size_t message_bytes) { return (message_bytes + 63) / 64 * 64; }

  // Throws std::invalid_argument.
  explicit BroadcastRing(std::span<std::byte> region)
      : header(std::launder(reinterpret_cast<Header*>(region.data()))),
        cursors(std::launder(reinterpret_cast<Cursor*>(region.data() + sizeof(Header)))),
        slots_(region.data()) {
    if (region.size() < sizeof(Header) || header->shape.capacity == 0 ||
        region.size() < bytes_needed(header->shape)) {
      throw std::invalid_argument("the region holds no broadcast ring");
    }
    slots_ += slots_offset(header->shape.receivers);
  }

  Cursor& cursor(unsigned receiver) const {
    if (receiver >= header->shape.receivers)
      throw std::out_of_range("the broadcast ring counts fewer receivers");
    return cursors[receiver];
  }
  std::span<std::byte> slot(std::uint64_t position) const {
    const std::size_t bytes = header->shape.message_bytes;
    return {slots_ + position % header->shape.capacity * stride(bytes), bytes};
  }
  // seq_cst, for whoever is about to sleep; it is an acquire too: the slots were read before.
  std::uint64_t slowest() const {
    std::uint64_t least = left;
    for (unsigned receiver = 0; receiver < header->shape.receivers; ++receiver) {
      least = std::min(least, cursors[receiver].released.load(std::memory_order_seq_cst));
    }
    return least;
  }
  static std::optional<CapacityFacts::Limit> limit(std::uint64_t capacity) {
    return CapacityFacts::Limit{capacity, "messages", "ring slots"};
  }

  Header* header;
  Cursor* cursors;
  std::byte* slots_;
};

// Sends by copy or by loan. Throws std::system_error when waking or waiting fails.
class BroadcastSender {
 public:
  // The parts are those of the waits that the ring was made with.
  BroadcastSender(std::span<std::byte> region, const BroadcastDoorbellParts& parts)
      : ring_(region), own_bell_(ring_.header->sender_bell, parts.sender) {
    for (unsigned receiver = 0; receiver < ring_.header->shape.receivers; ++receiver) {
      receiver_bells_.emplace_back(ring_.cursors[receiver].bell, parts.receivers.at(receiver));
    }
  }

  // The message must have exactly the ring's size.
  Io send(std::span<const std::byte> message) {
    std::span<std::byte> slot;
    if (const Io io = loan(slot); io != Io::done) return io;
    assert(message.size() == slot.size());
    std::memcpy(slot.data(), message.data(), slot.size());
    return commit();
  }
  Io loan(std::span<std::byte>& slot) {
    if (tail_ - slowest_ == ring_.header->shape.capacity) {
      const std::uint64_t slowest = ring_.slowest();
      if (slowest == BroadcastRing::left) return Io::closed;
      slowest_ = slowest;
      if (tail_ - slowest_ == ring_.header->shape.capacity) return Io::again;
    }
    slot = ring_.slot(tail_);
    return Io::done;
  }
  Io commit() {
    ++tail_;
    if (receiver_bells_.front().may_sleep()) {
      // seq_cst: published, then rung. It is a release too.
      ring_.header->tail.store(tail_, std::memory_order_seq_cst);
      for (DoorbellEnd& bell : receiver_bells_) bell.ring();
    } else {
      ring_.header->tail.store(tail_, std::memory_order_release);
    }
    return Io::done;
  }
  Io finish() {
    ring_.header->finished.store(true, std::memory_order_seq_cst);
    for (DoorbellEnd& bell : receiver_bells_) bell.ring();
    return Io::done;
  }
  void wait_to_send() {
    own_bell_.wait([this] { return tail_ - ring_.slowest() != ring_.header->shape.capacity; });
  }
  std::optional<CapacityFacts::Limit> limit() const {
    return BroadcastRing::limit(ring_.header->shape.capacity);
  }

 private:
  BroadcastRing ring_;
  std::uint64_t tail_ = 0;
  std::uint64_t slowest_ = 0;  // as last seen; the cursors only grow
  DoorbellEnd own_bell_;
  std::vector<DoorbellEnd> receiver_bells_;
};

// Receives by copy or by loan; leaves with the object. Throws std::system_error when waking or waiting fails.
class BroadcastReceiver {
 public:
  // Throws std::out_of_range for an index that the ring does not count.
  BroadcastReceiver(std::span<std::byte> region, unsigned index, const BroadcastDoorbellParts& parts)
      : ring_(region),
        own_bell_(ring_.cursor(index).bell, parts.receivers.at(index)),
        sender_bell_(ring_.header->sender_bell, parts.sender) {
    cursor_ = &ring_.cursors[index].released;
    position_ = cursor_->load(std::memory_order_relaxed);
  }
  BroadcastReceiver(BroadcastReceiver&& other) noexcept
      : ring_(other.ring_),
        cursor_(std::exchange(other.cursor_, nullptr)),
        position_(other.position_),
        tail_(other.tail_),
        own_bell_(std::move(other.own_bell_)),
        sender_bell_(std::move(other.sender_bell_)) {}
  BroadcastReceiver& operator=(BroadcastReceiver&&) = delete;
  ~BroadcastReceiver() {
    if (cursor_ != nullptr) release_up_to(BroadcastRing::left);
  }

  Io receive(std::span<std::byte> message) {
    std::span<const std::byte> slot;
    if (const Io io = peek(slot); io != Io::done) return io;
    assert(message.size() == slot.size());
    std::memcpy(message.data(), slot.data(), slot.size());
    return release();
  }
  Io peek(std::span<const std::byte>& message) {
    if (position_ == tail_) {
      // Whether it is over comes before what there is: nothing is committed after the end.
      const bool over = ring_.header->finished.load(std::memory_order_acquire);
      tail_ = ring_.header->tail.load(std::memory_order_acquire);
      if (position_ == tail_) return over ? Io::closed : Io::again;
    }
    message = ring_.slot(position_);
    return Io::done;
  }
  Io release() {
    release_up_to(++position_);
    return Io::done;
  }
  void wait_to_receive() {
    own_bell_.wait([this] {
      return ring_.header->tail.load(std::memory_order_seq_cst) != position_ ||
             ring_.header->finished.load(std::memory_order_seq_cst);
    });
  }
  std::optional<CapacityFacts::Limit> limit() const {
    return BroadcastRing::limit(ring_.header->shape.capacity);
  }

 private:
  void release_up_to(std::uint64_t position) {
    if (sender_bell_.may_sleep()) {
      cursor_->store(position, std::memory_order_seq_cst);
      sender_bell_.ring();
    } else {
      cursor_->store(position, std::memory_order_release);  // the slot has been read
    }
  }

  BroadcastRing ring_;
  BroadcastRing::Counter* cursor_ = nullptr;
  std::uint64_t position_ = 0;
  std::uint64_t tail_ = 0;  // as last seen
  DoorbellEnd own_bell_, sender_bell_;
};

}  // namespace ipcmark
