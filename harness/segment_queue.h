// An unbounded queue of messages for one sender and one receiver over a region of shared memory that the
// caller maps: its sender never waits. Segments of slots are linked as the backlog grows and come back for
// reuse once they have been read, the one that came back last first, so that a steady flow stays in few
// pages. What bounds the memory is a limit, over which the sender fails.
//
//   Slots are as in harness/ring.h: a message and, right behind it, a sequence number.
//   position p (0, 1, 2 ...) is filled when its slot's sequence is p + 1; positions never repeat, so what an
//     earlier use of the segment left there is none that is awaited
//   a segment is linked to the one after it before its last slot is filled
//   the receiver has left a segment, all read, when it counts in `segments_done`; segments are done in the
//     order in which they were linked, so the sender finds them by walking its own links
//
// The region holds no pointers; each process attaches where it has mapped it. Only the header and the first
// few segments need be touched beforehand: prefaulted_bytes(). Any message size from 1 byte. An endpoint
// belongs to one thread. The region must outlive it.
#pragma once

#include <fmt/format.h>

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

#include "harness/case.h"
#include "harness/contract.h"
#include "harness/doorbell.h"
#include "harness/measurement.h"
#include "harness/ring.h"
#include "harness/text.h"

namespace ipcmark {

struct SegmentQueueShape {
  std::size_t message_bytes = 1;
  std::uint64_t limit_bytes = std::uint64_t{1} << 30;  // of segments, what their slots need besides included
  Wait receive_wait = Wait::spin;                      // one of doorbell_waits
};

namespace segment_detail {

using ring_detail::separation;
using ring_detail::Sequence;

// In front of each segment's slots.
struct alignas(separation) SegmentHeader {
  // The segment linked after this one. Plain: written before the last slot of this segment is published, read
  // after that slot has been seen filled.
  std::uint32_t next;
  std::uint32_t free_below;  // the sender's own: the next of the segments that it may reuse
};

struct QueueHeader {
  explicit QueueHeader(const SegmentQueueShape& asked) : shape(asked), receiver_bell(asked.receive_wait) {}

  SegmentQueueShape shape;
  std::uint32_t slots = 0;  // of a segment
  std::uint32_t segments = 0;
  std::size_t segment_bytes = 0;

  // Both set once, when an endpoint has finished or is destroyed.
  alignas(separation) std::atomic<std::uint32_t> sender_left{0};
  std::atomic<std::uint32_t> receiver_left{0};

  // Written by the receiver: segments left behind; messages released, which only the sender's count of the
  // backlog looks at.
  alignas(separation) std::atomic<std::uint64_t> segments_done{0};
  std::atomic<std::uint64_t> released{0};

  Doorbell receiver_bell;
};

constexpr std::size_t page_bytes = 4096;
// Large enough that linking is rare, small enough that a few stay in a second-level cache.
constexpr std::size_t least_segment_bytes = 64 << 10;
constexpr std::uint32_t prefaulted_segments = 8;

}  // namespace segment_detail

// What both endpoints need to know of the region.
class SegmentQueue {
 public:
  static constexpr std::size_t alignment = segment_detail::page_bytes;

  // For a mapping that is touched as it is used. Throws std::length_error when fewer than two messages are
  // within the limit.
  static std::size_t bytes_needed(const SegmentQueueShape& shape) {
    const Layout layout(shape);
    return first_segment + layout.segments * layout.segment_bytes;
  }
  // The first part of it, which a steady flow stays in.
  static std::size_t prefaulted_bytes(const SegmentQueueShape& shape) {
    const Layout layout(shape);
    return first_segment +
           std::min(layout.segments, segment_detail::prefaulted_segments) * layout.segment_bytes;
  }

  // Makes an empty queue, once, before anybody attaches. The region must be all zero bytes, as a fresh
  // mapping is. Throws std::invalid_argument for a shape no queue can have, or a wait that is none of
  // doorbell_waits.
  static void initialise(std::span<std::byte> region, const SegmentQueueShape& shape) {
    if (shape.message_bytes == 0) throw std::invalid_argument("a queue of nothing");
    const Layout layout(shape);
    if (region.size() < bytes_needed(shape) ||
        reinterpret_cast<std::uintptr_t>(region.data()) % alignment != 0) {
      throw std::invalid_argument("the region is too small for this queue, or not aligned");
    }
    auto* const header = new (region.data()) segment_detail::QueueHeader(shape);
    header->slots = layout.slots;
    header->segments = layout.segments;
    header->segment_bytes = layout.segment_bytes;
  }

 private:
  friend class SegmentSender;
  friend class SegmentReceiver;
  using Header = segment_detail::QueueHeader;

  static constexpr std::size_t first_segment = segment_detail::page_bytes;
  static_assert(sizeof(Header) <= first_segment);

  struct Layout {
    explicit Layout(const SegmentQueueShape& shape) {
      using namespace segment_detail;
      constexpr std::size_t largest = std::numeric_limits<std::ptrdiff_t>::max() / 2;
      if (shape.message_bytes < largest) {
        const std::size_t stride = ring_detail::slot_stride(shape.message_bytes);
        const std::size_t wanted = std::max(least_segment_bytes, sizeof(SegmentHeader) + stride);
        segment_bytes = (wanted + page_bytes - 1) / page_bytes * page_bytes;
        slots = static_cast<std::uint32_t>((segment_bytes - sizeof(SegmentHeader)) / stride);
        segments = static_cast<std::uint32_t>(
            std::min<std::uint64_t>(shape.limit_bytes / segment_bytes, UINT32_MAX));
      }
      // One is read, one is written.
      if (segments < 2) {
        throw std::length_error(fmt::format("fewer than two messages of {} are within a backlog of {}",
                                            format_size(shape.message_bytes),
                                            format_size(shape.limit_bytes)));
      }
    }
    std::uint32_t slots = 0;
    std::uint32_t segments = 0;
    std::size_t segment_bytes = 0;
  };

  static Header* attach(std::span<std::byte> region) {
    auto* const header = std::launder(reinterpret_cast<Header*>(region.data()));
    if (region.size() < sizeof *header || header->segments == 0 ||
        region.size() < first_segment + header->segments * header->segment_bytes) {
      throw std::invalid_argument("the region holds no queue");
    }
    return header;
  }

  // An endpoint's place in the queue: position, segment and slot go together.
  struct Place {
    explicit Place(Header* header)
        : first(reinterpret_cast<std::byte*>(header) + first_segment),
          message_bytes(header->shape.message_bytes),
          stride(ring_detail::slot_stride(message_bytes)),
          segment_bytes(header->segment_bytes),
          slots(header->slots) {
      enter(0);
    }

    void enter(std::uint32_t index) {
      segment = index;
      slot = first + index * segment_bytes + sizeof(segment_detail::SegmentHeader);
      to_end = slots;
    }
    // Within the segment.
    void advance() {
      ++position;
      --to_end;
      slot += stride;
    }
    segment_detail::SegmentHeader& header_of(std::uint32_t index) const {
      return *reinterpret_cast<segment_detail::SegmentHeader*>(first + index * segment_bytes);
    }
    ring_detail::Sequence& sequence() const {
      return *reinterpret_cast<ring_detail::Sequence*>(slot + ring_detail::sequence_offset(message_bytes));
    }

    std::byte* first;
    std::size_t message_bytes;
    std::size_t stride;
    std::size_t segment_bytes;
    std::uint32_t slots;
    std::byte* slot = nullptr;
    std::uint64_t position = 0;
    std::uint32_t segment = 0;
    std::uint32_t to_end = 0;  // slots from this one to the segment's last, both counted
  };

  static std::optional<CapacityFacts::Limit> limit(const Header& header) {
    return CapacityFacts::Limit{header.segments * header.segment_bytes, "bytes", "backlog limit"};
  }
};

// Sends by copy or by loan, and never says `again`. Destroying it finishes the stream. `closed` once its
// receiver has gone, noticed at a segment's end. Throws std::runtime_error ("backlog over 1 GiB") where the
// next message would need memory over the limit, std::system_error when waking fails.
class SegmentSender {
 public:
  // The parts are those of the wait that the queue was made with. Throws as Doorbell's ends do.
  explicit SegmentSender(std::span<std::byte> region, const LinkDoorbellParts& parts = {})
      : SegmentSender(SegmentQueue::attach(region), parts) {}

  // The message must have exactly the queue's size.
  Io send(std::span<const std::byte> message) {
    assert(message.size() == place_.message_bytes);
    std::memcpy(place_.slot, message.data(), place_.message_bytes);
    return commit();
  }

  // Repeated without a commit between, it gives the same slot again.
  Io loan(std::span<std::byte>& slot) {
    slot = {place_.slot, place_.message_bytes};
    return Io::done;
  }

  // Hands over the slot that was loaned.
  Io commit() {
    const bool last = place_.to_end == 1;
    if (last) [[unlikely]] {
      if (header_->receiver_left.load(std::memory_order_relaxed) != 0) return Io::closed;
      place_.header_of(place_.segment).next = take_segment();
    }
    if (receiver_may_sleep_) {
      // seq_cst: published, then rung. It is a release too.
      place_.sequence().store(place_.position + 1, std::memory_order_seq_cst);
      header_.get_deleter().receivers.ring();
    } else {
      // release: the message, and the link behind a last one, are written before the sequence says so.
      place_.sequence().store(place_.position + 1, std::memory_order_release);
    }
    place_.advance();
    if (last) [[unlikely]]
      place_.enter(linked_);
    if (place_.position - released_ > look_beyond_) [[unlikely]]
      look_at_backlog();
    return Io::done;
  }

  // The receiver gets `closed` after what has been committed. May be repeated.
  Io finish() {
    look_at_backlog();
    header_.get_deleter()(header_.get());
    return Io::done;
  }

  // Never reached, since no attempt says `again`.
  [[noreturn]] void wait_to_send() { throw std::logic_error("the sender of an unbounded queue waits"); }

  // The most messages that were in the queue at once, to within 32 or 3 %, whichever is more, and the most
  // memory their segments took, exactly.
  Backlog peak_backlog() {
    look_at_backlog();
    return {peak_messages_, peak_segments_ * place_.segment_bytes};
  }
  // That surely fit: the first segment may be partly read, and the last slot of all needs one more.
  std::uint64_t most_messages() const { return std::uint64_t{header_->segments - 1} * header_->slots; }

  std::optional<CapacityFacts::Limit> limit() const { return SegmentQueue::limit(*header_); }

 private:
  static constexpr std::uint32_t none = UINT32_MAX;
  // Looking costs the receiver's line; a small backlog is looked at once in so many messages.
  static constexpr std::uint64_t least_slack = 32;

  struct Leave {
    void operator()(segment_detail::QueueHeader* header) {
      // seq_cst: left, then rung. It is a release too: all that was committed comes before it.
      header->sender_left.store(1, std::memory_order_seq_cst);
      receivers.ring();
    }
    DoorbellEnd receivers;
  };

  SegmentSender(segment_detail::QueueHeader* header, const LinkDoorbellParts& parts)
      : header_(header, Leave{DoorbellEnd(header->receiver_bell, parts.receivers)}),
        place_(header),
        receiver_may_sleep_(header_.get_deleter().receivers.may_sleep()) {}

  // The one to link next.
  std::uint32_t take_segment() {
    // acquire: the receiver has read all slots of these before we write them again.
    for (const std::uint64_t done = header_->segments_done.load(std::memory_order_acquire);
         segments_back_ < done; ++segments_back_) {
      const std::uint32_t back = oldest_;
      oldest_ = place_.header_of(back).next;
      place_.header_of(back).free_below = free_;
      free_ = back;
    }
    if (free_ != none) {
      linked_ = free_;
      free_ = place_.header_of(free_).free_below;
    } else if (fresh_ < header_->segments) {
      linked_ = fresh_++;
    } else {
      look_at_backlog();
      throw std::runtime_error(fmt::format("backlog over {}: {} messages sent and not received",
                                           format_size(header_->shape.limit_bytes),
                                           place_.position - released_));
    }
    ++segments_taken_;
    peak_segments_ = std::max(peak_segments_, segments_taken_ - segments_back_);
    return linked_;
  }

  void look_at_backlog() {
    // relaxed: a count, and nothing that is read or written depends on it.
    released_ = header_->released.load(std::memory_order_relaxed);
    // A message that was sent was there, though nobody may have looked in time.
    const std::uint64_t one_at_least = std::min<std::uint64_t>(place_.position, 1);
    peak_messages_ = std::max({peak_messages_, place_.position - released_, one_at_least});
    look_beyond_ = peak_messages_ + std::max(least_slack, peak_messages_ / 32);
  }

  std::unique_ptr<segment_detail::QueueHeader, Leave> header_;  // leaves when destroyed
  SegmentQueue::Place place_;
  std::uint32_t linked_ = 0;          // the segment taken last
  std::uint32_t oldest_ = 0;          // the first segment that has not come back
  std::uint32_t free_ = none;         // came back last; linked by free_below
  std::uint32_t fresh_ = 1;           // the first that was never used
  std::uint64_t segments_taken_ = 1;  // in all
  std::uint64_t segments_back_ = 0;
  std::uint64_t peak_segments_ = 1;
  std::uint64_t released_ = 0;  // by the receiver, as far as we know
  std::uint64_t peak_messages_ = 0;
  std::uint64_t look_beyond_ = least_slack;
  bool receiver_may_sleep_;
};

// Receives by copy or by loan. Destroying it tells the sender that nobody reads any more. `closed` when the
// sender has finished or gone, and everything it committed has been received. Throws std::system_error when
// waiting fails.
class SegmentReceiver {
 public:
  // As a SegmentSender.
  explicit SegmentReceiver(std::span<std::byte> region, const LinkDoorbellParts& parts = {})
      : header_(SegmentQueue::attach(region)),
        own_bell_(header_->receiver_bell, parts.receivers),
        place_(header_.get()) {}

  // The buffer must have exactly the queue's size.
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
      ring_detail::ask_for_reading(place_.slot);
      if (!filled_before_the_end()) return end_seen_ ? Io::closed : Io::again;
    }
    message = {place_.slot, place_.message_bytes};
    return Io::done;
  }

  // Gives back the slot that was peeked at.
  Io release() {
    place_.advance();
    // relaxed: a count for the sender's books.
    header_->released.store(place_.position, std::memory_order_relaxed);
    if (place_.to_end == 0) [[unlikely]] {
      // Read before the segment goes back to the sender, who will link it anew.
      place_.enter(place_.header_of(place_.segment).next);
      // release: we have read all of the segment before the sender may write it again.
      header_->segments_done.store(++segments_done_, std::memory_order_release);
    }
    return Io::done;
  }

  void wait_to_receive() {
    own_bell_.wait([this] {
      return place_.sequence().load(std::memory_order_seq_cst) == place_.position + 1 ||
             header_->sender_left.load(std::memory_order_seq_cst) != 0;
    });
  }

  std::optional<CapacityFacts::Limit> limit() const { return SegmentQueue::limit(*header_); }

 private:
  struct Leave {
    void operator()(segment_detail::QueueHeader* header) const {
      // relaxed: nobody waits for it, and nothing is handed over by it.
      header->receiver_left.store(1, std::memory_order_relaxed);
    }
  };

  // As RingReceiver's: the sender may fill the slot and leave between our looks at them, so look at the slot
  // once more after having seen that it left. acquire: all it committed comes before its leaving.
  bool filled_before_the_end() {
    if (header_->sender_left.load(std::memory_order_acquire) == 0) return false;
    if (place_.sequence().load(std::memory_order_acquire) == place_.position + 1) return true;
    end_seen_ = true;
    return false;
  }

  std::unique_ptr<segment_detail::QueueHeader, Leave> header_;  // leaves when destroyed
  DoorbellEnd own_bell_;
  SegmentQueue::Place place_;
  std::uint64_t segments_done_ = 0;
  bool end_seen_ = false;
};

static_assert(CopySender<SegmentSender> && LoanSender<SegmentSender> && ReportsLimit<SegmentSender>);
static_assert(CopyReceiver<SegmentReceiver> && LoanReceiver<SegmentReceiver> &&
              ReportsLimit<SegmentReceiver>);
static_assert(ReportsBacklog<SegmentSender>);

}  // namespace ipcmark
