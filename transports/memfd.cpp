// memfd_create(2): the ring of slots in a file that lies in memory and has no name. Whoever takes part has
// inherited its descriptor.

#include <sys/mman.h>
#include <unistd.h>

#include "harness/descriptor.h"
#include "harness/fail.h"
#include "harness/ring_facts.h"
#include "harness/shared_memory.h"
#include "workloads/registry.h"

namespace ipcmark {
namespace {

constexpr std::string_view transport_name = "memfd";

class MemfdRegion {
 public:
  MemfdRegion(const Shape&, std::size_t bytes, std::size_t prefaulted_bytes)
      : bytes_(bytes), prefaulted_bytes_(prefaulted_bytes), maker_(getpid()) {
    require_memory(transport_name, bytes);
    file_.reset(memfd_create("ipcmark", MFD_CLOEXEC));
    if (!file_) fail("memfd_create");
    if (ftruncate(file_.get(), static_cast<off_t>(bytes)) != 0) fail("ftruncate of a memfd");
  }

  static std::uint64_t most_bytes() { return most_memory_of_a_link(); }

  MemoryMap map() const {
    // The maker writes the header only.
    return map_shared_file(file_.get(), bytes_, getpid() == maker_ ? 0 : prefaulted_bytes_, "a memfd");
  }

 private:
  Descriptor file_;
  std::size_t bytes_;
  std::size_t prefaulted_bytes_;
  pid_t maker_;
};

struct Memfd {
  static constexpr std::string_view name = transport_name;
  static constexpr Facts facts =
      ring_facts("ring of slots in a memfd between relatives", Facts::Standard::linux_only);

  using Region = MemfdRegion;
};

IPCMARK_TRANSPORT(Memfd);

}  // namespace
}  // namespace ipcmark
