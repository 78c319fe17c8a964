// What the regions of shared memory (harness/region.h) have in common: how much a link may take, room in a
// file, and pages that are there before they are used. Process-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "harness/memory_map.h"

namespace ipcmark {

// A quarter of this machine's memory, for what no file system draws a line to: the kernel would promise more
// than there is and kill somebody later.
std::uint64_t most_memory_of_a_link();
// Throws Unsupported, beginning with the transport's name, for more than that.
void require_memory(std::string_view transport, std::size_t bytes);

// Half of what is free in the file system of `directory`, since a launch may hold two links. UINT64_MAX where
// it does not tell.
std::uint64_t most_room_of_a_link(const char* directory);

// Makes an empty file of `directory` so large. Throws Unsupported when there is no room for it: pages come
// only when they are touched, and a full file system would answer with SIGBUS then.
void make_room(std::string_view transport, int fd, std::size_t bytes, const char* directory);

// Its pages are there from now on; before Linux 5.14 they come as they are touched. Throws std::system_error
// naming `object` where there is no room for them after all.
void prefault(std::span<std::byte> memory, const std::string& object);

// The whole file, shared, so much of its begin prefaulted. Throws std::system_error naming `object`.
MemoryMap map_shared_file(int fd, std::size_t bytes, std::size_t prefaulted_bytes, const std::string& object);

// Memory without a name that children inherit. Every process that takes part has the maker's mapping.
class InheritedMemory {
 public:
  class Mapping {
   public:
    explicit Mapping(std::shared_ptr<const MemoryMap> memory) : memory_(std::move(memory)) {}
    std::span<std::byte> bytes() const { return memory_->bytes(); }

   private:
    std::shared_ptr<const MemoryMap> memory_;
  };

  // `flags` are more of mmap(2)'s. Throws std::system_error.
  InheritedMemory(std::size_t bytes, std::size_t prefaulted_bytes, int flags = 0);
  // Prefaulted in any process but the maker, which writes the header only.
  Mapping map() const;

 private:
  std::shared_ptr<const MemoryMap> memory_;
  std::size_t prefaulted_bytes_;
  int maker_;
};

}  // namespace ipcmark
