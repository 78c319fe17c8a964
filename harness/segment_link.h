// The unbounded queue (harness/segment_queue.h) as a one-way link over some kind of shared region: what
// capacity `unbounded` is for the transports of harness/ring_link.h, over the same regions. Besides what a
// ring asks of a Region, this one asks for
//   Region(const Shape&, std::size_t bytes, std::size_t prefaulted_bytes)   of which only the first part is
//                                                                          touched by a role that maps it
//   static std::uint64_t Region::most_bytes()                              that one link may take here
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

template <class Region>
class SegmentLink {
 public:
  SegmentLink(std::string_view transport, const Shape& shape)
      : SegmentLink(transport, shape,
                    {.message_bytes = shape.message_bytes,
                     .limit_bytes = backlog_limit(Region::most_bytes()),
                     .receive_wait = shape.receive_wait}) {}

  auto open_sender(unsigned, Meeting&) { return open<SegmentSender>(); }
  auto open_receiver(unsigned, Meeting&) { return open<SegmentReceiver>(); }
  LinkDoorbellParts take_remains() { return std::move(doorbells_); }

 private:
  SegmentLink(std::string_view transport, const Shape& shape, const SegmentQueueShape& queue)
      : region_(shape, bytes_needed(transport, queue), SegmentQueue::prefaulted_bytes(queue)),
        doorbells_{{}, DoorbellParts(transport, queue.receive_wait)} {
    const auto mapping = region_.map();
    SegmentQueue::initialise(mapping.bytes(), queue);
  }

  static std::size_t bytes_needed(std::string_view transport, const SegmentQueueShape& queue) {
    try {
      return SegmentQueue::bytes_needed(queue);
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

}  // namespace ipcmark
