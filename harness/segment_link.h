// The unbounded queue (harness/segment_queue.h) as a one-way link over some kind of shared region: what
// capacity `unbounded` is for the transports of harness/ring_link.h, over the same regions.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "harness/contract.h"
#include "harness/ring_link.h"
#include "harness/segment_queue.h"

namespace ipcmark {

// 1 GiB, and less where two links that are so full would take half of this machine's free memory.
inline std::uint64_t backlog_limit(std::uint64_t most_bytes_here) {
  constexpr std::uint64_t most_links = 2;
  const auto free_bytes = static_cast<std::uint64_t>(sysconf(_SC_AVPHYS_PAGES)) *
                          static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  std::uint64_t limit = std::uint64_t{1} << 30;
  while (limit > std::min(most_bytes_here, free_bytes / 2 / most_links)) limit /= 2;
  return limit;
}

class SegmentLink {
 public:
  SegmentLink(const RegionKind& region, const Shape& shape)
      : SegmentLink(region, shape,
                    {.message_bytes = shape.message_bytes,
                     .limit_bytes = backlog_limit(region.most_bytes()),
                     .receive_wait = shape.receive_wait}) {}

  MappedEndpoint<SegmentSender> open_sender(unsigned, Meeting&) { return {region_->map(), doorbells_}; }
  MappedEndpoint<SegmentReceiver> open_receiver(unsigned, Meeting&) { return {region_->map(), doorbells_}; }
  LinkDoorbellParts take_remains() { return std::move(doorbells_); }

 private:
  SegmentLink(const RegionKind& region, const Shape& shape, const SegmentQueueShape& queue)
      : doorbells_{{}, DoorbellParts(shape.transport, queue.receive_wait)} {
    region_ = region.make(shape, bytes_needed(shape, queue), SegmentQueue::prefaulted_bytes(queue));
    SegmentQueue::initialise(region_->map()->bytes(), queue);
  }

  static std::size_t bytes_needed(const Shape& shape, const SegmentQueueShape& queue) {
    try {
      return SegmentQueue::bytes_needed(queue);
    } catch (const std::length_error& error) {
      throw Unsupported(fmt::format("{}: {}", shape.transport, error.what()));
    }
  }

  std::unique_ptr<AnyRegion> region_;
  LinkDoorbellParts doorbells_;
};

}  // namespace ipcmark
