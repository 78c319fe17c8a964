// A ring of slots for one sender and one receiver over a region of shared memory that the caller maps.
//
// Every slot holds a message and, right behind it, a sequence number. The receiver looks at the slot itself
// to learn whether it is filled, so handing over a message touches no line that is not part of it. The sender
// learns what has been drained from one cursor, which the receiver publishes only every few messages while it
// has more to take, and at once when it has not.
//
// What it costs to move lines between two processors decides the layout. (Looking at the slot itself is
// FastForward's idea, Giacomoni et al., PPoPP 2008; the rest was found by measuring.)
//   - The sequence stands behind the message, so the line that the receiver watches is written last. While it
//     watches, it asks for the message's first line too: both then come over at once.
//   - The sender asks for the lines of free slots ahead, for writing; the receiver for those of slots ahead,
//     but only after many messages in a row were there already. Too early, it takes away lines that are about
//     to be written.
//
//   position p (0, 1, 2 ...) lies in slot p % capacity and is filled when that slot's sequence is p + 1
//   the sender may fill p while p - cursor < capacity; cursor <= what the receiver has released
//
// The lazy cursor lags by less than `cursor_step` messages, and only while the slot behind it is filled: who
// gives back the last message there was has given back all. So a drained ring holds `capacity` messages
// again, whatever the receiver does next, and a full one comes free as soon as cursor_step <= capacity of its
// messages have been released.
//
// The region holds no pointers; each process attaches where it has mapped it. Any capacity from 1 and any
// message size from 1 byte; exactly `capacity` messages fit into a ring that has been drained. An endpoint
// belongs to one thread. The region must outlive it.
#pragma once

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>

#include "harness/case.h"
#include "harness/contract.h"
#include "harness/doorbell.h"
#include "harness/measurement.h"

namespace ipcmark {

struct RingShape {
  std::uint64_t capacity = 1;  // messages, > 0
  std::size_t message_bytes = 1;
  Wait send_wait = Wait::spin;  // of doorbell_waits, both
  Wait receive_wait = Wait::spin;
};

namespace ring_detail {

// Processors fetch lines in pairs, so what must not disturb each other lies 128 bytes apart.
constexpr std::size_t separation = 128;

using Sequence = std::atomic<std::uint64_t>;
static_assert(Sequence::is_always_lock_free && sizeof(Sequence) == 8);

struct Header {
  explicit Header(const RingShape& of)
      : sender_bell(of.send_wait), receiver_bell(of.receive_wait), shape(of) {}

  // Both set once, when an endpoint has finished or is destroyed.
  alignas(separation) std::atomic<std::uint32_t> sender_left{0};
  std::atomic<std::uint32_t> receiver_left{0};

  alignas(separation) std::atomic<std::uint64_t> cursor{0};  // written by the receiver

  // Where each side waits, and is rung for by the other.
  Doorbell sender_bell;
  Doorbell receiver_bell;

  RingShape shape;  // last, so that it is there only once the rest is
  std::uint64_t first_position = 0;
};

// Where in its slot the sequence stands: behind the message, aligned.
constexpr std::size_t sequence_offset(std::size_t message_bytes) { return (message_bytes + 7) / 8 * 8; }

// Slots are packed: a line less is a line that need not move.
constexpr std::size_t slot_stride(std::size_t message_bytes) {
  return sequence_offset(message_bytes) + sizeof(Sequence);
}

// How many slots ahead lines are asked for: about as many lines as a core can have under way at once. None
// where it does not help: when the lines of a few messages are that many, or the ring is so small that the
// sides are always near each other.
constexpr std::uint64_t slots_ahead(std::uint64_t capacity, std::size_t message_bytes) {
  constexpr std::size_t bytes_ahead = 1152;
  constexpr std::uint64_t fewest = 4;
  const std::uint64_t ahead =
      std::min<std::uint64_t>(bytes_ahead / slot_stride(message_bytes), capacity / 32);
  return ahead < fewest ? 0 : ahead;
}

// The receiver asks ahead after this many messages that it did not have to wait for.
constexpr std::uint64_t backlog_before_asking = 128;

inline void ask_for_reading(const std::byte* line) { __builtin_prefetch(line, 0); }
inline void ask_for_writing(const std::byte* line) {
#if defined(__x86_64__)
  asm volatile("prefetchw %0" : : "m"(*line));  // __builtin_prefetch(line, 1) is this only with -mprfchw
#else
  __builtin_prefetch(line, 1);
#endif
}

}  // namespace ring_detail

// What both endpoints need to know of the region.
class Ring {
 public:
  // The region must be aligned to this; a mapping is.
  static constexpr std::size_t alignment = ring_detail::separation;

  // Throws std::length_error when the size does not fit an address.
  static std::size_t bytes_needed(std::uint64_t capacity, std::size_t message_bytes) {
    constexpr std::size_t limit = std::numeric_limits<std::ptrdiff_t>::max();
    if (message_bytes > limit - ring_detail::separation ||
        capacity > (limit - sizeof(ring_detail::Header)) / ring_detail::slot_stride(message_bytes)) {
      throw std::length_error("a ring of " + std::to_string(capacity) + " slots of " +
                              std::to_string(message_bytes) + " B does not fit an address space");
    }
    return sizeof(ring_detail::Header) +
           static_cast<std::size_t>(capacity) * ring_detail::slot_stride(message_bytes);
  }

  // Makes an empty ring, once, before anybody attaches. The region must be all zero bytes, as a fresh mapping
  // is: the slots are not written, so their pages stay with whoever touches them first. A first position
  // other than 0 is for tests of the arithmetic; it does touch the slots. Throws std::invalid_argument for a
  // shape no ring can have.
  static void initialise(std::span<std::byte> region, const RingShape& shape,
                         std::uint64_t first_position = 0) {
    if (shape.capacity == 0 || shape.message_bytes == 0) throw std::invalid_argument("a ring of nothing");
    if (region.size() < bytes_needed(shape.capacity, shape.message_bytes) ||
        reinterpret_cast<std::uintptr_t>(region.data()) % alignment != 0) {
      throw std::invalid_argument("the region is too small for this ring, or not aligned");
    }
    auto* const header = new (region.data()) ring_detail::Header(shape);
    header->first_position = first_position;
    header->cursor.store(first_position, std::memory_order_relaxed);
    if (first_position == 0) return;
    // A slot's sequence must differ from any that is awaited in it: first_position is one that has gone by.
    std::byte* sequence =
        region.data() + sizeof(ring_detail::Header) + ring_detail::sequence_offset(shape.message_bytes);
    for (std::uint64_t i = 0; i < shape.capacity;
         ++i, sequence += ring_detail::slot_stride(shape.message_bytes)) {
      new (sequence) ring_detail::Sequence(first_position);
    }
  }

  // The receiver publishes its cursor at least every so many messages: seldom enough that the sender's looks
  // at it cost nothing, often enough that a full ring comes free in pieces.
  static constexpr std::uint64_t cursor_step(std::uint64_t capacity) {
    return capacity < 4 ? 1 : capacity / 4;
  }

 private:
  friend class RingSender;
  friend class RingReceiver;

  static ring_detail::Header* attach(std::span<std::byte> region) {
    auto* const header = std::launder(reinterpret_cast<ring_detail::Header*>(region.data()));
    if (region.size() < sizeof *header || header->shape.capacity == 0 ||
        region.size() < bytes_needed(header->shape.capacity, header->shape.message_bytes)) {
      throw std::invalid_argument("the region holds no ring");
    }
    return header;
  }

  // An endpoint's place in the ring: position and slot go together.
  struct Place {
    explicit Place(ring_detail::Header* header)
        : first_slot(reinterpret_cast<std::byte*>(header) + sizeof *header),
          position(header->first_position),
          message_bytes(header->shape.message_bytes),
          sequence_at(ring_detail::sequence_offset(message_bytes)),
          stride(ring_detail::slot_stride(message_bytes)),
          capacity(header->shape.capacity),
          ahead(ring_detail::slots_ahead(capacity, message_bytes)),
          bytes_ahead(ahead * stride),
          end(first_slot + capacity * stride),
          slot(first_slot + position % capacity * stride) {}

    void advance() {
      ++position;
      slot += stride;
      if (slot == end) slot = first_slot;
    }
    ring_detail::Sequence& sequence() const {
      return *reinterpret_cast<ring_detail::Sequence*>(slot + sequence_at);
    }
    std::byte* message() const { return slot; }

    // All lines that begin in the slot `ahead` places further on: slot by slot, each line once.
    template <class Ask>
    void ask_ahead(Ask ask) const {
      const auto to_end = static_cast<std::size_t>(end - slot);
      const std::byte* const from =
          bytes_ahead < to_end ? slot + bytes_ahead : first_slot + (bytes_ahead - to_end);
      const std::size_t first_line = -reinterpret_cast<std::uintptr_t>(from) % 64;
      for (std::size_t offset = first_line; offset < stride; offset += 64) ask(from + offset);
    }

    std::byte* first_slot;
    std::uint64_t position;
    std::size_t message_bytes;
    std::size_t sequence_at;
    std::size_t stride;
    std::uint64_t capacity;
    std::uint64_t ahead;  // less than a lap
    std::size_t bytes_ahead;
    std::byte* end;
    std::byte* slot;
  };

  static std::optional<CapacityFacts::Limit> limit(std::uint64_t capacity) {
    return CapacityFacts::Limit{capacity, "messages", "ring slots"};
  }
};

// Sends by copy or by loan. Destroying it finishes the stream. `closed` when the ring is full and its
// receiver has gone. Throws std::system_error when waking or waiting fails.
class RingSender {
 public:
  // The parts are those of the waits that the ring was made with. Throws as Doorbell's ends do.
  explicit RingSender(std::span<std::byte> region, const LinkDoorbellParts& parts = {})
      : RingSender(Ring::attach(region), parts) {}

  // The message must have exactly the ring's size.
  Io send(std::span<const std::byte> message) {
    assert(message.size() == place_.message_bytes);
    std::span<std::byte> slot;
    const Io io = loan(slot);
    if (io != Io::done) return io;
    std::memcpy(slot.data(), message.data(), place_.message_bytes);
    return commit();
  }

  // Repeated without a commit between, it gives the same slot again.
  Io loan(std::span<std::byte>& slot) {
    if (place_.position == free_until_) [[unlikely]] {
      if (const Io io = look_for_space(); io != Io::done) return io;
    }
    slot = {place_.message(), place_.message_bytes};
    return Io::done;
  }

  // Hands over the slot that was loaned.
  Io commit() {
    assert(place_.position != free_until_);
    if (receiver_may_sleep_) {
      // seq_cst: published, then rung. It is a release too.
      place_.sequence().store(place_.position + 1, std::memory_order_seq_cst);
      header_.get_deleter().receivers.ring();
    } else {
      // release: the message is written before its sequence says so.
      place_.sequence().store(place_.position + 1, std::memory_order_release);
    }
    place_.advance();
    if (place_.ahead != 0 && free_until_ - place_.position > place_.ahead) {
      place_.ask_ahead(ring_detail::ask_for_writing);
    }
    return Io::done;
  }

  // The receiver gets `closed` after what has been committed. May be repeated.
  Io finish() {
    header_.get_deleter()(header_.get());
    return Io::done;
  }

  void wait_to_send() {
    own_bell_.wait([this] {
      return header_->cursor.load(std::memory_order_seq_cst) + place_.capacity != place_.position ||
             header_->receiver_left.load(std::memory_order_seq_cst) != 0;
    });
  }

  std::optional<CapacityFacts::Limit> limit() const { return Ring::limit(place_.capacity); }

 private:
  struct Leave {
    void operator()(ring_detail::Header* header) {
      // seq_cst: left, then rung. It is a release too: all that was committed comes before it.
      header->sender_left.store(1, std::memory_order_seq_cst);
      receivers.ring();
    }
    DoorbellEnd receivers;
  };

  RingSender(ring_detail::Header* header, const LinkDoorbellParts& parts)
      : own_bell_(header->sender_bell, parts.senders),
        header_(header, Leave{DoorbellEnd(header->receiver_bell, parts.receivers)}),
        place_(header),
        free_until_(place_.position + place_.capacity),
        receiver_may_sleep_(header_.get_deleter().receivers.may_sleep()) {}

  Io look_for_space() {
    // acquire: the receiver has read the slots below the cursor before we write them again.
    free_until_ = header_->cursor.load(std::memory_order_acquire) + place_.capacity;
    if (place_.position != free_until_) return Io::done;
    // acquire: whoever looks once more after this sees all that was released before the receiver left.
    return header_->receiver_left.load(std::memory_order_acquire) != 0 ? Io::closed : Io::again;
  }

  DoorbellEnd own_bell_;
  std::unique_ptr<ring_detail::Header, Leave> header_;  // leaves when destroyed
  Ring::Place place_;
  std::uint64_t free_until_;  // the first position that may not be filled, as far as we know
  bool receiver_may_sleep_;
};

// Receives by copy or by loan. Destroying it tells the sender that nobody reads any more. `closed` when the
// sender has finished or gone, and everything it committed has been received. Throws std::system_error when
// waking or waiting fails.
class RingReceiver {
 public:
  // As a RingSender.
  explicit RingReceiver(std::span<std::byte> region, const LinkDoorbellParts& parts = {})
      : RingReceiver(Ring::attach(region), parts) {}

  // The buffer must have exactly the ring's size.
  Io receive(std::span<std::byte> message) {
    assert(message.size() == place_.message_bytes);
    std::span<const std::byte> slot;
    const Io io = peek(slot);
    if (io != Io::done) return io;
    std::memcpy(message.data(), slot.data(), place_.message_bytes);
    return release();
  }

  // Repeated without a release between, it gives the same message again.
  Io peek(std::span<const std::byte>& message) {
    // acquire: the message was written before its sequence.
    if (place_.sequence().load(std::memory_order_acquire) != place_.position + 1) [[unlikely]] {
      ring_detail::ask_for_reading(place_.message());
      ask_ahead_from_ = place_.position + ring_detail::backlog_before_asking;
      if (!filled_before_the_end()) return end_seen_ ? Io::closed : Io::again;
    }
    message = {place_.message(), place_.message_bytes};
    return Io::done;
  }

  // Gives back the slot that was peeked at.
  Io release() {
    place_.advance();
    if (place_.ahead != 0 && place_.position >= ask_ahead_from_) {
      place_.ask_ahead(ring_detail::ask_for_reading);
    }
    if (place_.position - published_ == cursor_step_ || !next_is_filled()) publish();
    return Io::done;
  }

  void wait_to_receive() {
    own_bell_.wait([this] {
      return place_.sequence().load(std::memory_order_seq_cst) == place_.position + 1 ||
             header_->sender_left.load(std::memory_order_seq_cst) != 0;
    });
  }

  std::optional<CapacityFacts::Limit> limit() const { return Ring::limit(place_.capacity); }

 private:
  struct Leave {
    void operator()(ring_detail::Header* header) {
      // seq_cst: left, then rung.
      header->receiver_left.store(1, std::memory_order_seq_cst);
      senders.ring();
    }
    DoorbellEnd senders;
  };

  RingReceiver(ring_detail::Header* header, const LinkDoorbellParts& parts)
      : own_bell_(header->receiver_bell, parts.receivers),
        header_(header, Leave{DoorbellEnd(header->sender_bell, parts.senders)}),
        place_(header),
        published_(place_.position),
        ask_ahead_from_(place_.position),
        cursor_step_(Ring::cursor_step(place_.capacity)),
        sender_may_sleep_(header_.get_deleter().senders.may_sleep()) {}

  // relaxed: decides only when the cursor is published, not what may be read.
  bool next_is_filled() const {
    return place_.sequence().load(std::memory_order_relaxed) == place_.position + 1;
  }

  void publish() {
    published_ = place_.position;
    if (sender_may_sleep_) {
      // seq_cst: published, then rung. It is a release too.
      header_->cursor.store(published_, std::memory_order_seq_cst);
      header_.get_deleter().senders.ring();
    } else {
      // release: we have read the slots below before the sender may write them again.
      header_->cursor.store(published_, std::memory_order_release);
    }
  }

  // The sender may fill the slot and leave between our look at the slot and our look at sender_left: so look
  // at the slot once more, after having seen that it left. acquire: all it committed comes before its
  // leaving.
  bool filled_before_the_end() {
    if (header_->sender_left.load(std::memory_order_acquire) == 0) return false;
    if (place_.sequence().load(std::memory_order_acquire) == place_.position + 1) return true;
    end_seen_ = true;
    return false;
  }

  DoorbellEnd own_bell_;
  std::unique_ptr<ring_detail::Header, Leave> header_;  // leaves when destroyed
  Ring::Place place_;
  std::uint64_t published_;  // the cursor's value
  std::uint64_t ask_ahead_from_;
  std::uint64_t cursor_step_;
  bool sender_may_sleep_;
  bool end_seen_ = false;
};

static_assert(CopySender<RingSender> && LoanSender<RingSender> && ReportsLimit<RingSender>);
static_assert(CopyReceiver<RingReceiver> && LoanReceiver<RingReceiver> && ReportsLimit<RingReceiver>);

}  // namespace ipcmark
