#include "harness/shared_memory.h"

#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "harness/contract.h"
#include "harness/fail.h"

namespace ipcmark {

std::uint64_t most_memory_of_a_link() {
  return static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) / 4 *
         static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

void require_memory(std::string_view transport, std::size_t bytes) {
  if (bytes <= most_memory_of_a_link()) return;
  throw Unsupported(fmt::format("{}: needs {} B, over a quarter of this machine's memory ({} B)", transport,
                                bytes, most_memory_of_a_link()));
}

std::uint64_t most_room_of_a_link(const char* directory) {
  constexpr std::uint64_t most_links = 2;
  struct statvfs space;
  if (statvfs(directory, &space) != 0) return UINT64_MAX;
  return space.f_bavail * space.f_frsize / most_links;
}

void make_room(std::string_view transport, int fd, std::size_t bytes, const char* directory) {
  if (const std::uint64_t most = most_room_of_a_link(directory); bytes > most) {
    throw Unsupported(fmt::format("{}: a link of {} B is over half of what is free in {} (half is {} B)",
                                  transport, bytes, directory, most));
  }
  if (ftruncate(fd, static_cast<off_t>(bytes)) != 0) fail(fmt::format("ftruncate in {}", directory));
}

MemoryMap map_shared_file(int fd, std::size_t bytes, const std::string& object) {
  void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) fail("mmap " + object);
  return {memory, bytes};
}

void prefault(const MemoryMap& memory, std::size_t bytes) {
  madvise(memory.bytes().data(), bytes, MADV_POPULATE_WRITE);
}

InheritedMemory::InheritedMemory(std::size_t bytes, std::size_t prefaulted_bytes, int flags)
    : prefaulted_bytes_(prefaulted_bytes), maker_(getpid()) {
  void* const memory =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | flags, -1, 0);
  if (memory == MAP_FAILED) fail("mmap of anonymous memory");
  memory_ = std::make_shared<const MemoryMap>(memory, bytes);
}

InheritedMemory::Mapping InheritedMemory::map() const {
  if (getpid() != maker_) prefault(*memory_, prefaulted_bytes_);
  return Mapping(memory_);
}

}  // namespace ipcmark
