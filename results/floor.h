// Which of a machine's floors a case stands on.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "results/result_file.h"

namespace ipcmark {

struct Floor {
  std::string what;
  double ns = 0;
};

// Under a round trip or a call, by how the receiver waits: on one PU two context switches; between two that
// spin the median over launches of the cache line's own round trip; else two wake-ups. Under a one-way time
// half of that. nullopt: the case times neither, is not pinned, or its PUs were not measured. Launches of one
// case, at least one.
std::optional<Floor> latency_floor(const Floors& floors, std::span<const LaunchRecord* const> launches);

// Under the time per message of stream, mailbox and pairs: each sender writes the payload (--touch full) and
// copies it (copy access), each receiver copies and reads it, caches warm; as many at once as there are
// senders, receivers and PUs for them. nullopt as above, and where nothing is touched or copied.
std::optional<Floor> throughput_floor(const Floors& floors, std::span<const LaunchRecord* const> launches);

}  // namespace ipcmark
