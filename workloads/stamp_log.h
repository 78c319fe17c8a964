// Where the roles of a launch note when each message was sent and received: each in memory of its own, so
// that noting disturbs nobody, and together once the timed part is over.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "harness/fail.h"
#include "harness/memory_map.h"

namespace ipcmark {

// Made before the roles are forked, which share it. Pages are taken when they are first written.
class StampLog {
 public:
  static constexpr std::size_t most_messages = std::size_t{1} << 22;

  explicit StampLog(unsigned columns) {
    const std::size_t bytes = columns * most_messages * sizeof(std::uint64_t);
    void* const memory =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) fail("mmap of the times of messages");
    memory_ = MemoryMap(memory, bytes);
  }

  // The first `messages` of a column. Needs messages <= most_messages.
  std::span<std::uint64_t> column(unsigned column, std::size_t messages) {
    auto* const stamps = reinterpret_cast<std::uint64_t*>(memory_.bytes().data());
    return {stamps + column * most_messages, messages};
  }
  // The same, its pages there for this process.
  std::span<std::uint64_t> touched(unsigned column_index, std::size_t messages) {
    const std::span<std::uint64_t> stamps = column(column_index, messages);
    std::ranges::fill(stamps, 0);
    return stamps;
  }

 private:
  MemoryMap memory_;
};

}  // namespace ipcmark
