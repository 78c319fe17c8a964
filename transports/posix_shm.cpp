// shm_overview(7): the ring of slots in a POSIX shared memory object.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "harness/descriptor.h"
#include "harness/fail.h"
#include "harness/isolation.h"
#include "harness/owned_name.h"
#include "harness/ring_facts.h"
#include "harness/shared_memory.h"
#include "workloads/registry.h"

namespace ipcmark {
namespace {

constexpr std::string_view transport_name = "posix_shm";

class PosixShmRegion {
 public:
  PosixShmRegion(const Shape&, std::size_t bytes, std::size_t prefaulted_bytes)
      : name_("/" + unique_name(), shm_unlink), bytes_(bytes), prefaulted_bytes_(prefaulted_bytes) {
    const Descriptor object = open(O_CREAT | O_EXCL);
    make_room(transport_name, object.get(), bytes, mount_point);
  }

  static std::uint64_t most_bytes() { return most_room_of_a_link(mount_point); }

  PosixShmRegion(const Shape&, std::size_t bytes, const std::string& address)
      : name_(address), bytes_(bytes), prefaulted_bytes_(bytes) {}
  std::string address() const { return name_.text(); }

  MemoryMap map() const {
    // The maker writes the header only.
    return map_shared_file(open(0).get(), bytes_, name_.made_here() ? 0 : prefaulted_bytes_, name_.text());
  }

 private:
  Descriptor open(int flags) const {
    Descriptor object(shm_open(name_.c_str(), O_RDWR | O_CLOEXEC | flags, 0600));
    if (!object) fail("shm_open " + name_.text());
    return object;
  }

  static constexpr const char* mount_point = "/dev/shm";

  OwnedName name_;
  std::size_t bytes_;
  std::size_t prefaulted_bytes_;
};

struct PosixShm {
  static constexpr std::string_view name = transport_name;
  static constexpr Facts facts =
      named_ring_facts("ring of slots in POSIX shared memory", Facts::Standard::posix, Facts::Naming::path);
  using Region = PosixShmRegion;
};

IPCMARK_TRANSPORT(PosixShm);

}  // namespace
}  // namespace ipcmark
