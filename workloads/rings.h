// The links of a transport that names a Region: the ring of slots in it, and its forms.
#pragma once

#include <string>

#include "harness/ring_link.h"
#include "harness/segment_link.h"
#include "harness/slot_rendezvous.h"

namespace ipcmark {

// Of a transport that has one. Throws std::out_of_range.
const RegionKind& registered_region(std::string_view transport);

// A link in the region of the transport that the shape is of.
template <class Link>
class InItsRegion : public Link {
 public:
  explicit InItsRegion(const Shape& shape) : Link(registered_region(shape.transport), shape) {}
  InItsRegion(const Shape& shape, const std::string& address) requires
      std::constructible_from<Link, const RegionKind&, const Shape&, const std::string&>
      : Link(registered_region(shape.transport), shape, address) {}
};

class RingOfSlots : public InItsRegion<RingLink<PairRing>> {
 public:
  using Unbounded = InItsRegion<SegmentLink>;
  using NativeRendezvous = InItsRegion<SlotRendezvousLink<RingLink<PairRing>>>;
  using Shared = InItsRegion<RingLink<MailboxRing>>;
  using InItsRegion::InItsRegion;
};

}  // namespace ipcmark
