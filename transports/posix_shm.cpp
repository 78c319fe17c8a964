// shm_overview(7): the ring of slots in a POSIX shared memory object.

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "harness/descriptor.h"
#include "harness/fail.h"
#include "harness/isolation.h"
#include "harness/memory_map.h"
#include "harness/owned_name.h"
#include "harness/ring_link.h"
#include "workloads/registry.h"

namespace ipcmark {
namespace {

constexpr std::string_view transport_name = "posix_shm";

class PosixShmRegion {
 public:
  using Mapping = MemoryMap;

  PosixShmRegion(const Shape&, std::size_t bytes) : name_("/" + unique_name(), shm_unlink), bytes_(bytes) {
    const Descriptor object = open(O_CREAT | O_EXCL);
    // Pages come only when they are touched; without this a full file system would answer with SIGBUS then.
    struct statvfs space;
    if (fstatvfs(object.get(), &space) == 0 && space.f_bavail * space.f_frsize / 2 < bytes) {
      throw Unsupported(fmt::format("{}: a launch may hold two links of {} B, and /dev/shm has {} B free",
                                    transport_name, bytes, space.f_bavail * space.f_frsize));
    }
    if (ftruncate(object.get(), static_cast<off_t>(bytes)) != 0) fail("ftruncate " + name_.text());
  }

  MemoryMap map() const {
    const Descriptor object = open(0);
    // The maker writes the header only; a role has all pages there before it starts.
    void* memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                        MAP_SHARED | (name_.made_here() ? 0 : MAP_POPULATE), object.get(), 0);
    if (memory == MAP_FAILED) fail("mmap " + name_.text());
    return {memory, bytes_};
  }

 private:
  Descriptor open(int flags) const {
    Descriptor object(shm_open(name_.c_str(), O_RDWR | O_CLOEXEC | flags, 0600));
    if (!object) fail("shm_open " + name_.text());
    return object;
  }

  OwnedName name_;
  std::size_t bytes_;
};

class PosixShm : public RingLink<PosixShmRegion> {
 public:
  static constexpr std::string_view name = transport_name;
  static constexpr Facts facts{.summary = "ring of slots in POSIX shared memory",
                               .model = Facts::Model::shared_memory,
                               .naming = Facts::Naming::path,
                               .unit = Facts::Unit::messages,
                               .scope = Facts::Scope::machine,
                               .standard = Facts::Standard::posix,
                               .send_waits = ring_waits,
                               .receive_waits = ring_waits};

  explicit PosixShm(const Shape& shape) : RingLink(name, shape) {}
};

IPCMARK_TRANSPORT(PosixShm);

}  // namespace
}  // namespace ipcmark
