#include "harness/shared_memory.h"

#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>

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

void prefault(std::span<std::byte> memory, const std::string& object) {
  // EINVAL: a kernel that does not know the advice.
  if (madvise(memory.data(), memory.size(), MADV_POPULATE_WRITE) != 0 && errno != EINVAL) {
    fail("madvise(MADV_POPULATE_WRITE) of " + object);
  }
}

MemoryMap map_shared_file(int fd, std::size_t bytes, std::size_t prefaulted_bytes,
                          const std::string& object) {
  void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) fail("mmap " + object);
  MemoryMap map(memory, bytes);
  prefault(map.bytes().first(prefaulted_bytes), object);
  return map;
}

InheritedMemory::InheritedMemory(std::size_t bytes, std::size_t prefaulted_bytes, int flags)
    : prefaulted_bytes_(prefaulted_bytes), maker_(getpid()) {
  void* const memory =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | flags, -1, 0);
  if (memory == MAP_FAILED) fail("mmap of anonymous memory");
  memory_ = std::make_shared<const MemoryMap>(memory, bytes);
}

InheritedMemory::Mapping InheritedMemory::map() const {
  if (getpid() != maker_) prefault(memory_->bytes().first(prefaulted_bytes_), "anonymous memory");
  return Mapping(memory_);
}

}  // namespace ipcmark
