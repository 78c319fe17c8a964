// A rendezvous (capacity 0) in shared memory, without a message back: a link of one slot, whose sender stays
// until its message has been released. The link says so itself: its slot can be loaned again.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "harness/contract.h"
#include "harness/region.h"
#include "harness/sized_slot.h"

namespace ipcmark {

// Over a sender of exactly one slot. `send` and `commit` are done once the receiver has released that very
// message; until then they say `again`, and repeated they send nothing more. `closed` when the receiver has
// left without releasing it. Errors are those of the sender beneath.
template <LoanSender S>
class SlotRendezvousSender {
 public:
  explicit SlotRendezvousSender(S slot) : slot_(std::move(slot)) {}

  Io send(std::span<const std::byte> message) {
    if (!in_flight_) {
      if (const Io io = slot_.send(message); io != Io::done) return io;
      in_flight_ = true;
    }
    return until_released();
  }
  Io send_sized(std::span<const std::byte> message) {
    if (!in_flight_) {
      if (const Io io = ipcmark::send_sized(slot_, message); io != Io::done) return io;
      in_flight_ = true;
    }
    return until_released();
  }
  Io loan(std::span<std::byte>& message) { return slot_.loan(message); }
  Io commit() {
    if (!in_flight_) {
      if (const Io io = slot_.commit(); io != Io::done) return io;
      in_flight_ = true;
    }
    return until_released();
  }
  Io finish() { return slot_.finish(); }
  void wait_to_send() { slot_.wait_to_send(); }
  std::optional<CapacityFacts::Limit> limit() const {
    return CapacityFacts::Limit{0, "messages", "rendezvous"};
  }

 private:
  Io until_released() {
    std::span<std::byte> free;
    Io io = slot_.loan(free);
    // It may have released and left between the sender's looks at the two, so look at the slot once more.
    if (io == Io::closed) io = slot_.loan(free);
    if (io == Io::done) in_flight_ = false;
    return io;
  }

  S slot_;
  bool in_flight_ = false;
};

// A link with slots, asked for a rendezvous.
template <class SlotLink>
class SlotRendezvousLink {
 public:
  SlotRendezvousLink(const RegionKind& region, const Shape& shape) : link_(region, with_one_slot(shape)) {}

  auto open_sender(unsigned index, Meeting& meeting) {
    return SlotRendezvousSender(link_.open_sender(index, meeting));
  }
  auto open_receiver(unsigned index, Meeting& meeting) { return link_.open_receiver(index, meeting); }
  auto take_remains() { return link_.take_remains(); }

 private:
  static Shape with_one_slot(Shape shape) {
    shape.capacity = Capacity::bounded(1);
    return shape;
  }

  SlotLink link_;
};

}  // namespace ipcmark
