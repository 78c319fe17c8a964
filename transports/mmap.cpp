// mmap(2), MAP_SHARED | MAP_ANONYMOUS: the ring of slots in memory that a parent maps and its children
// inherit. In POSIX since 2024.

#include "harness/ring_facts.h"
#include "harness/shared_memory.h"
#include "workloads/registry.h"

namespace ipcmark {
namespace {

constexpr std::string_view transport_name = "mmap";

class AnonymousRegion : public InheritedMemory {
 public:
  // What may never be touched need not be promised.
  AnonymousRegion(const Shape&, std::size_t bytes, std::size_t prefaulted_bytes)
      : InheritedMemory(allowed(bytes), prefaulted_bytes, prefaulted_bytes < bytes ? MAP_NORESERVE : 0) {}

  static std::uint64_t most_bytes() { return most_memory_of_a_link(); }

 private:
  static std::size_t allowed(std::size_t bytes) {
    require_memory(transport_name, bytes);
    return bytes;
  }
};

struct Mmap {
  static constexpr std::string_view name = transport_name;
  static constexpr Facts facts =
      ring_facts("ring of slots in anonymous memory between relatives", Facts::Standard::posix);

  using Region = AnonymousRegion;
};

IPCMARK_TRANSPORT(Mmap);

}  // namespace
}  // namespace ipcmark
