// mmap(2), MAP_HUGETLB: anonymous memory in huge pages (2 MiB on x86), of which a TLB entry covers 512 times
// as much as of a small one. They come from a pool that the administrator sets aside (vm.nr_hugepages), and
// what the pool does not hold is refused.

#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <system_error>

#include "harness/ring_facts.h"
#include "harness/shared_memory.h"
#include "workloads/registry.h"

namespace ipcmark {
namespace {

constexpr std::string_view transport_name = "huge_pages", pool = "vm.nr_hugepages";

struct Pool {
  std::uint64_t free_pages = 0;  // and promised to nobody
  std::uint64_t page_bytes = 0;
  std::uint64_t free_bytes() const { return free_pages * page_bytes; }
};

// proc_meminfo(5). Throws Unsupported when this kernel has none.
Pool pool_now() {
  Pool found;
  std::uint64_t reserved = 0;
  std::ifstream lines("/proc/meminfo");
  for (std::string line; std::getline(lines, line);) {
    const auto number = [&](std::string_view key, std::uint64_t& value) {
      if (line.starts_with(key)) value = std::stoull(line.substr(key.size()));
    };
    number("HugePages_Free:", found.free_pages);
    number("HugePages_Rsvd:", reserved);
    number("Hugepagesize:", found.page_bytes);
  }
  found.free_pages -= std::min(found.free_pages, reserved);
  found.page_bytes *= 1'024;
  if (found.page_bytes == 0)
    throw Unsupported(fmt::format("{}: this kernel has no {}", transport_name, pool));
  return found;
}

[[noreturn]] void refuse(std::uint64_t bytes, const Pool& found) {
  throw Unsupported(fmt::format("{}: needs {} huge pages of {} B, and {} are free; raise {}", transport_name,
                                bytes / found.page_bytes, found.page_bytes, found.free_pages, pool));
}

class HugePageRegion {
 public:
  HugePageRegion(const Shape&, std::size_t bytes, std::size_t prefaulted_bytes)
      : memory_(take(bytes, prefaulted_bytes)) {}

  // Half of the pool, since a launch may hold two links. Throws Unsupported when there is nothing in it.
  static std::uint64_t most_bytes() {
    const Pool found = pool_now();
    if (found.free_pages < 2) refuse(2 * found.page_bytes, found);
    return found.free_bytes() / 2;
  }

  InheritedMemory::Mapping map() const { return memory_.map(); }

 private:
  // The whole mapping is set aside at once, so no later touch can fail.
  static InheritedMemory take(std::size_t bytes, std::size_t prefaulted_bytes) {
    const Pool found = pool_now();
    if (bytes > found.free_bytes()) refuse(bytes + found.page_bytes - 1, found);
    const std::size_t whole_pages = (bytes + found.page_bytes - 1) / found.page_bytes * found.page_bytes;
    try {
      return InheritedMemory(whole_pages, prefaulted_bytes, MAP_HUGETLB);
    } catch (const std::system_error& error) {
      if (error.code().value() != ENOMEM) throw;
      refuse(whole_pages, pool_now());  // somebody else was faster
    }
  }

  InheritedMemory memory_;
};

struct HugePages {
  static constexpr std::string_view name = transport_name;
  static constexpr Facts facts =
      ring_facts("ring of slots in huge pages between relatives", Facts::Standard::linux_only);

  using Region = HugePageRegion;
};

IPCMARK_TRANSPORT(HugePages);

}  // namespace
}  // namespace ipcmark
