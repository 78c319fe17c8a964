// A ring of slots for several senders and several receivers over a region of shared memory that the caller
// maps: a mailbox. Every message goes to exactly one receiver.
//
// Each slot holds a message and a turn, which says whose turn it is to use the slot. A sender claims the next
// position from one shared counter, a receiver from another, and only after the slot's turn has allowed it,
// so neither ever waits for the other inside a claim (the bounded MPMC queue of D. Vyukov, 1024cores.net).
// Counting three turns to a lap keeps empty, filled and passed over apart at any capacity; with one turn to a
// position, "filled at p" and "free for p + 1" are the same number in a ring of one slot.
//
//   position p (0, 1, 2 ...) lies in slot p % capacity, on lap p / capacity; its slot's turn is then
//   3 * lap       free for whoever claims position p of `tail`
//   3 * lap + 1   filled, for whoever claims position p of `head`
//   3 * lap + 2   claimed by a sender that finished without committing: receivers pass over it
//   3 * lap + 3   released, which is free on the next lap
//   Only the owner of a claim changes the turn, always upwards. So a turn beyond the one awaited means that
//   the counter which was read is out of date, and a turn short of it that the slot has not come round yet.
//
// Messages of one sender reach one receiver in the order they were sent. `again` to a sender means that the
// slot next in line is not free, to a receiver that the one next in line is not filled: one that claims and
// then dawdles holds up those behind it, even where other slots have become free or filled meanwhile. One
// that *dies* between claim and commit (or release) holds them up for ever. Nothing can heal that, since
// nobody else may decide that it will not write any more; whoever watches the processes must end the launch.
//
// A sender that finds the ring full can drop the oldest message: by a claim from `head`, like any receiver's.
// So each message is either received or dropped, never both, and one that a receiver has claimed stays whole
// where it lies: until its release the senders do without that slot, and drop nothing instead, since only
// that slot is next in line.
//
// Every sender and receiver that the shape counts attaches once. A receiver gets `closed` when all of the
// senders have finished and everything committed has been received, by whomever. A sender gets `closed` when
// the ring is full and all receivers have left.
//
// The region holds no pointers; each process attaches where it has mapped it. Any capacity from 1 and any
// message size from 1 byte; exactly `capacity` messages fit. Positions count to 2^64 without wrapping. An
// endpoint belongs to one thread. The region must outlive it.
#pragma once

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
#include <utility>

#include "harness/case.h"
#include "harness/contract.h"
#include "harness/doorbell.h"
#include "harness/measurement.h"

namespace ipcmark {

struct SharedRingShape {
  std::uint64_t capacity = 1;  // messages, > 0
  std::size_t message_bytes = 1;
  unsigned senders = 1;
  unsigned receivers = 1;
  Wait send_wait = Wait::spin;  // of doorbell_waits, both
  Wait receive_wait = Wait::spin;
};

namespace shared_ring_detail {

// Processors fetch lines in pairs, so what must not disturb each other lies 128 bytes apart.
constexpr std::size_t separation = 128;
constexpr std::size_t line = 64;

using Counter = std::atomic<std::uint64_t>;
static_assert(Counter::is_always_lock_free && sizeof(Counter) == 8);

struct Header {
  explicit Header(const SharedRingShape& of)
      : sender_bell(of.send_wait), receiver_bell(of.receive_wait), shape(of) {}

  alignas(separation) Counter tail{0};  // the position that the next sender claims
  alignas(separation) Counter head{0};  // the position that the next receiver claims

  // How many have finished or been destroyed.
  alignas(separation) std::atomic<std::uint32_t> senders_left{0};
  std::atomic<std::uint32_t> receivers_left{0};

  // Where each side waits, and is rung for by the other.
  Doorbell sender_bell;
  Doorbell receiver_bell;

  SharedRingShape shape;  // last, so that it is there only once the rest is
  std::uint64_t first_position = 0;
};

// The turn stands right behind the message, aligned.
constexpr std::size_t turn_offset(std::size_t message_bytes) { return (message_bytes + 7) / 8 * 8; }

// Neighbouring slots are used by different processes at the same time, so no two share a line.
constexpr std::size_t slot_stride(std::size_t message_bytes) {
  return (turn_offset(message_bytes) + sizeof(Counter) + line - 1) / line * line;
}

}  // namespace shared_ring_detail

// What all endpoints need to know of the region.
class SharedRing {
 public:
  // The region must be aligned to this; a mapping is.
  static constexpr std::size_t alignment = shared_ring_detail::separation;

  // Throws std::length_error when the size does not fit an address.
  static std::size_t bytes_needed(std::uint64_t capacity, std::size_t message_bytes) {
    constexpr std::size_t limit = std::numeric_limits<std::ptrdiff_t>::max();
    if (message_bytes > limit - shared_ring_detail::separation ||
        capacity >
            (limit - sizeof(shared_ring_detail::Header)) / shared_ring_detail::slot_stride(message_bytes)) {
      throw std::length_error("a shared ring of " + std::to_string(capacity) + " slots of " +
                              std::to_string(message_bytes) + " B does not fit an address space");
    }
    return sizeof(shared_ring_detail::Header) +
           static_cast<std::size_t>(capacity) * shared_ring_detail::slot_stride(message_bytes);
  }

  // Makes an empty ring, once, before anybody attaches. The region must be all zero bytes, as a fresh mapping
  // is: the slots are not written, so their pages stay with whoever touches them first. A first position
  // other than 0 is for tests of the arithmetic; it does touch the slots. Throws std::invalid_argument for a
  // shape no ring can have.
  static void initialise(std::span<std::byte> region, const SharedRingShape& shape,
                         std::uint64_t first_position = 0) {
    if (shape.capacity == 0 || shape.message_bytes == 0 || shape.senders == 0 || shape.receivers == 0) {
      throw std::invalid_argument("a shared ring of nothing, or for nobody");
    }
    if (region.size() < bytes_needed(shape.capacity, shape.message_bytes) ||
        reinterpret_cast<std::uintptr_t>(region.data()) % alignment != 0) {
      throw std::invalid_argument("the region is too small for this shared ring, or not aligned");
    }
    auto* const header = new (region.data()) shared_ring_detail::Header(shape);
    header->first_position = first_position;
    header->tail.store(first_position, std::memory_order_relaxed);
    header->head.store(first_position, std::memory_order_relaxed);
    if (first_position == 0) return;
    Place place(header);
    for (std::uint64_t i = 0; i < shape.capacity; ++i) {
      place.go_to(first_position + i);
      new (&place.turn()) shared_ring_detail::Counter(place.free());
    }
  }

 private:
  friend class SharedRingSender;
  friend class SharedRingReceiver;

  static shared_ring_detail::Header* attach(std::span<std::byte> region) {
    auto* const header = std::launder(reinterpret_cast<shared_ring_detail::Header*>(region.data()));
    if (region.size() < sizeof *header || header->shape.capacity == 0 ||
        region.size() < bytes_needed(header->shape.capacity, header->shape.message_bytes)) {
      throw std::invalid_argument("the region holds no shared ring");
    }
    return header;
  }

  // A position, its slot, and the turns that the slot goes through on this lap.
  class Place {
   public:
    explicit Place(shared_ring_detail::Header* header)
        : slots_(reinterpret_cast<std::byte*>(header) + sizeof *header),
          stride_(shared_ring_detail::slot_stride(header->shape.message_bytes)),
          message_bytes_(header->shape.message_bytes),
          capacity_(header->shape.capacity),
          position_(header->first_position),
          lap_(position_ / capacity_),
          index_(position_ % capacity_) {}

    // Forwards only. Divides only over a distance of a lap or more, because others have moved that far on.
    void go_to(std::uint64_t position) {
      const std::uint64_t distance = position - position_;
      position_ = position;
      if (distance >= capacity_) [[unlikely]] {
        lap_ = position / capacity_;
        index_ = position % capacity_;
        return;
      }
      index_ += distance;
      if (index_ >= capacity_) {
        index_ -= capacity_;
        ++lap_;
      }
    }
    Place next() const {
      Place place = *this;
      place.go_to(position_ + 1);
      return place;
    }

    std::uint64_t position() const { return position_; }
    std::uint64_t capacity() const { return capacity_; }
    std::uint64_t free() const { return 3 * lap_; }
    std::uint64_t filled() const { return 3 * lap_ + 1; }
    std::uint64_t passed_over() const { return 3 * lap_ + 2; }
    std::uint64_t released() const { return 3 * lap_ + 3; }

    // What may lie in the slot where this position's message is to go.
    struct LapBefore {
      std::uint64_t position, filled, passed_over;
    };
    LapBefore lap_before() const { return {position_ - capacity_, free() - 2, free() - 1}; }

    shared_ring_detail::Counter& turn() const {
      return *reinterpret_cast<shared_ring_detail::Counter*>(message() +
                                                             shared_ring_detail::turn_offset(message_bytes_));
    }
    std::byte* message() const { return slots_ + index_ * stride_; }
    std::size_t message_bytes() const { return message_bytes_; }

   private:
    std::byte* slots_;
    std::size_t stride_;
    std::size_t message_bytes_;
    std::uint64_t capacity_;
    std::uint64_t position_;
    std::uint64_t lap_;
    std::uint64_t index_;
  };

  // Below zero: the turn has not come yet; zero: it is now; above: it has gone by. Right across 2^64.
  static std::int64_t past(std::uint64_t turn, std::uint64_t awaited) {
    return static_cast<std::int64_t>(turn - awaited);
  }

  // Lets the slot's next owner have it, who waits at that bell.
  static void pass(const Place& place, std::uint64_t turn, DoorbellEnd& bell) {
    if (bell.may_sleep()) {
      // seq_cst: published, then rung. It is a release too.
      place.turn().store(turn, std::memory_order_seq_cst);
      bell.ring();
    } else {
      // release: the message is written before its turn says so, or read before a sender may write over it.
      place.turn().store(turn, std::memory_order_release);
    }
  }

  static std::optional<CapacityFacts::Limit> limit(std::uint64_t capacity) {
    return CapacityFacts::Limit{capacity, "messages", "ring slots"};
  }
};

// Sends by copy or by loan. Finishing, or destroying it, with a slot loaned and not committed gives that slot
// up: no receiver sees it. Throws std::system_error when waking or waiting fails.
class SharedRingSender {
 public:
  // The parts are those of the waits that the ring was made with. Throws as Doorbell's ends do.
  explicit SharedRingSender(std::span<std::byte> region, const LinkDoorbellParts& parts = {})
      : header_(SharedRing::attach(region)),
        place_(header_),
        own_bell_(header_->sender_bell, parts.senders),
        receiver_bell_(header_->receiver_bell, parts.receivers) {}
  SharedRingSender(SharedRingSender&& other) noexcept
      : header_(std::exchange(other.header_, nullptr)),
        place_(other.place_),
        own_bell_(std::move(other.own_bell_)),
        receiver_bell_(std::move(other.receiver_bell_)),
        claimed_(other.claimed_),
        waited_(other.waited_),
        finished_(other.finished_),
        lost_claims_(other.lost_claims_) {}
  SharedRingSender& operator=(SharedRingSender&&) = delete;
  ~SharedRingSender() {
    if (header_ != nullptr) finish();
  }

  // The message must have exactly the ring's size.
  Io send(std::span<const std::byte> message) {
    assert(message.size() == place_.message_bytes());
    std::span<std::byte> slot;
    const Io io = loan(slot);
    if (io != Io::done) return io;
    std::memcpy(slot.data(), message.data(), slot.size());
    return commit();
  }

  // Claims a slot; repeated without a commit between, it gives the same one again.
  Io loan(std::span<std::byte>& slot) {
    while (!claimed_) {
      // relaxed: a tail out of date shows in the slot's turn, and fails the exchange.
      std::uint64_t tail = header_->tail.load(std::memory_order_relaxed);
      place_.go_to(tail);
      // acquire: the receiver of the lap before has read the slot before it released it.
      const std::int64_t past =
          SharedRing::past(place_.turn().load(std::memory_order_acquire), place_.free());
      if (past < 0) {
        // relaxed: nothing is read that the receivers wrote.
        const bool nobody =
            header_->receivers_left.load(std::memory_order_relaxed) >= header_->shape.receivers;
        return nobody ? Io::closed : Io::again;
      }
      // relaxed: that only one gets a position is all that is needed; the slot's turn carries the rest.
      claimed_ = past == 0 && header_->tail.compare_exchange_weak(tail, tail + 1, std::memory_order_relaxed);
      lost_claims_ += !claimed_;
    }
    if (waited_) [[unlikely]]
      pass_on();
    slot = {place_.message(), place_.message_bytes()};
    return Io::done;
  }

  // Hands over the slot that was loaned.
  Io commit() {
    assert(claimed_);
    hand_over(place_.filled());
    return Io::done;
  }

  // Drops the message that lies where the next one is to be written. `again` where there is none to drop: the
  // slot is free, or its message is being written, received or dropped by another just now.
  Io drop_oldest() {
    assert(!claimed_);
    // relaxed: a tail out of date shows in the slot's turn.
    place_.go_to(header_->tail.load(std::memory_order_relaxed));
    const SharedRing::Place::LapBefore before = place_.lap_before();
    // acquire: its sender has written the message before the next one is written over it; pass() hands that
    // on to whoever claims the slot.
    const std::uint64_t turn = place_.turn().load(std::memory_order_acquire);
    if (turn != before.filled && turn != before.passed_over) return Io::again;
    // Whoever moves `head` on from a position owns its slot, and `head` never comes back to it: so if this
    // succeeds, no receiver has claimed the message, and the turn is still what was read. relaxed: as there.
    std::uint64_t head = before.position;
    if (!header_->head.compare_exchange_strong(head, head + 1, std::memory_order_relaxed)) return Io::again;
    SharedRing::pass(place_, place_.free(), own_bell_);
    return turn == before.filled ? Io::done : Io::again;
  }

  // May be repeated. Nothing may be sent afterwards.
  Io finish() {
    if (finished_) return Io::done;
    if (claimed_) hand_over(place_.passed_over());
    finished_ = true;
    // seq_cst: left, then rung. It is a release too: all that was committed comes before it.
    header_->senders_left.fetch_add(1, std::memory_order_seq_cst);
    receiver_bell_.ring_all();
    if (waited_) own_bell_.ring_all();  // one that waited and does not send may have been rung for in vain
    return Io::done;
  }

  void wait_to_send() {
    waited_ = true;
    own_bell_.wait([this] {
      SharedRing::Place place = place_;
      place.go_to(header_->tail.load(std::memory_order_seq_cst));
      return SharedRing::past(place.turn().load(std::memory_order_seq_cst), place.free()) >= 0 ||
             header_->receivers_left.load(std::memory_order_seq_cst) >= header_->shape.receivers;
    });
  }

  std::optional<CapacityFacts::Limit> limit() const { return SharedRing::limit(place_.capacity()); }
  // How often another one took the position that this one was after.
  std::uint64_t lost_claims() const { return lost_claims_; }

 private:
  void hand_over(std::uint64_t turn) {
    claimed_ = false;
    SharedRing::pass(place_, turn, receiver_bell_);
  }

  // Slots are released in any order. Whoever released the one behind ours before ours rang for a sender that
  // could not use it yet. seq_cst: if it is released only after this look, a sender rung for then finds ours
  // claimed.
  void pass_on() {
    waited_ = false;
    const SharedRing::Place next = place_.next();
    if (SharedRing::past(next.turn().load(std::memory_order_seq_cst), next.free()) >= 0) own_bell_.ring();
  }

  shared_ring_detail::Header* header_;
  SharedRing::Place place_;  // the claimed position, or the one last looked at
  DoorbellEnd own_bell_, receiver_bell_;
  bool claimed_ = false;
  bool waited_ = false;  // since the last claim
  bool finished_ = false;
  std::uint64_t lost_claims_ = 0;
};

// Receives by copy or by loan. Destroying it tells the senders that it reads no more; a message that it has
// peeked at counts as received. Throws std::system_error when waking or waiting fails.
class SharedRingReceiver {
 public:
  // As a SharedRingSender.
  explicit SharedRingReceiver(std::span<std::byte> region, const LinkDoorbellParts& parts = {})
      : header_(SharedRing::attach(region)),
        place_(header_),
        own_bell_(header_->receiver_bell, parts.receivers),
        sender_bell_(header_->sender_bell, parts.senders) {}
  SharedRingReceiver(SharedRingReceiver&& other) noexcept
      : header_(std::exchange(other.header_, nullptr)),
        place_(other.place_),
        own_bell_(std::move(other.own_bell_)),
        sender_bell_(std::move(other.sender_bell_)),
        claimed_(other.claimed_),
        waited_(other.waited_),
        lost_claims_(other.lost_claims_) {}
  SharedRingReceiver& operator=(SharedRingReceiver&&) = delete;
  ~SharedRingReceiver() {
    if (header_ == nullptr) return;
    if (claimed_) release();
    // seq_cst: left, then rung.
    header_->receivers_left.fetch_add(1, std::memory_order_seq_cst);
    sender_bell_.ring_all();
    if (waited_) own_bell_.ring_all();  // one that waited and does not receive may have been rung for in vain
  }

  // The buffer must have exactly the ring's size.
  Io receive(std::span<std::byte> message) {
    assert(message.size() == place_.message_bytes());
    std::span<const std::byte> slot;
    const Io io = peek(slot);
    if (io != Io::done) return io;
    std::memcpy(message.data(), slot.data(), slot.size());
    return release();
  }

  // Claims a message; repeated without a release between, it gives the same one again.
  Io peek(std::span<const std::byte>& message) {
    bool over = false;
    while (!claimed_) {
      // relaxed: a head out of date shows in the slot's turn, and fails the exchange.
      std::uint64_t head = header_->head.load(std::memory_order_relaxed);
      place_.go_to(head);
      // acquire: the message was written before its turn.
      const std::uint64_t turn = place_.turn().load(std::memory_order_acquire);
      if (SharedRing::past(turn, place_.filled()) < 0) {
        if (over) return Io::closed;
        // A sender may fill the slot and leave between our look at the slot and our look at senders_left: so
        // look at the slot once more, after having seen that all have left. acquire: all they committed, and
        // passed over, comes before their leaving.
        over = header_->senders_left.load(std::memory_order_acquire) >= header_->shape.senders;
        if (!over) return Io::again;
        continue;
      }
      // relaxed: that only one gets a position is all that is needed; the slot's turn carries the rest.
      if (SharedRing::past(turn, place_.passed_over()) > 0 ||
          !header_->head.compare_exchange_weak(head, head + 1, std::memory_order_relaxed)) {
        ++lost_claims_;
        continue;
      }
      claimed_ = true;
      if (waited_) [[unlikely]]
        pass_on();
      if (turn == place_.passed_over()) release();
    }
    message = {place_.message(), place_.message_bytes()};
    return Io::done;
  }

  // Gives back the slot that was peeked at.
  Io release() {
    assert(claimed_);
    claimed_ = false;
    SharedRing::pass(place_, place_.released(), sender_bell_);
    return Io::done;
  }

  void wait_to_receive() {
    waited_ = true;
    own_bell_.wait([this] {
      SharedRing::Place place = place_;
      place.go_to(header_->head.load(std::memory_order_seq_cst));
      return SharedRing::past(place.turn().load(std::memory_order_seq_cst), place.filled()) >= 0 ||
             header_->senders_left.load(std::memory_order_seq_cst) >= header_->shape.senders;
    });
  }

  std::optional<CapacityFacts::Limit> limit() const { return SharedRing::limit(place_.capacity()); }
  // How often another one took the position that this one was after.
  std::uint64_t lost_claims() const { return lost_claims_; }

 private:
  // Slots are filled in any order. Whoever filled the one behind ours before ours rang for a receiver that
  // could not take it yet. seq_cst: if it is filled only after this look, a receiver rung for then finds ours
  // claimed.
  void pass_on() {
    waited_ = false;
    const SharedRing::Place next = place_.next();
    if (SharedRing::past(next.turn().load(std::memory_order_seq_cst), next.filled()) >= 0) own_bell_.ring();
  }

  shared_ring_detail::Header* header_;
  SharedRing::Place place_;  // the claimed position, or the one last looked at
  DoorbellEnd own_bell_, sender_bell_;
  bool claimed_ = false;
  bool waited_ = false;  // since the last claim
  std::uint64_t lost_claims_ = 0;
};

static_assert(CopySender<SharedRingSender> && LoanSender<SharedRingSender> && DropsOldest<SharedRingSender> &&
              ReportsLimit<SharedRingSender>);
static_assert(CopyReceiver<SharedRingReceiver> && LoanReceiver<SharedRingReceiver> &&
              ReportsLimit<SharedRingReceiver>);

}  // namespace ipcmark
