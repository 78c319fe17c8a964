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
  PosixShmRegion(const Shape&, std::size_t bytes, std::size_t prefaulted_bytes)
      : name_("/" + unique_name(), shm_unlink), bytes_(bytes), prefaulted_bytes_(prefaulted_bytes) {
    const Descriptor object = open(O_CREAT | O_EXCL);
    // Pages come only when they are touched; without this a full file system would answer with SIGBUS then.
    struct statvfs space;
    if (fstatvfs(object.get(), &space) == 0 && space.f_bavail * space.f_frsize / most_links < bytes) {
      throw Unsupported(fmt::format("{}: a launch may hold two links of {} B, and /dev/shm has {} B free",
                                    transport_name, bytes, space.f_bavail * space.f_frsize));
    }
    if (ftruncate(object.get(), static_cast<off_t>(bytes)) != 0) fail("ftruncate " + name_.text());
  }

  static std::uint64_t most_bytes() {
    struct statvfs space;
    if (statvfs("/dev/shm", &space) != 0) return UINT64_MAX;  // shm_open will say why
    return space.f_bavail * space.f_frsize / most_links;
  }

  PosixShmRegion(const Shape&, std::size_t bytes, const std::string& address)
      : name_(address), bytes_(bytes), prefaulted_bytes_(bytes) {}
  std::string address() const { return name_.text(); }

  MemoryMap map() const {
    const Descriptor object = open(0);
    void* memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, object.get(), 0);
    if (memory == MAP_FAILED) fail("mmap " + name_.text());
    // The maker writes the header only; a role has its pages there before it starts. Before Linux 5.14 they
    // come as they are touched.
    if (!name_.made_here()) madvise(memory, prefaulted_bytes_, MADV_POPULATE_WRITE);
    return {memory, bytes_};
  }

 private:
  Descriptor open(int flags) const {
    Descriptor object(shm_open(name_.c_str(), O_RDWR | O_CLOEXEC | flags, 0600));
    if (!object) fail("shm_open " + name_.text());
    return object;
  }

  static constexpr std::uint64_t most_links = 2;

  OwnedName name_;
  std::size_t bytes_;
  std::size_t prefaulted_bytes_;
};

struct PosixShm {
  static constexpr std::string_view name = transport_name;
  static constexpr Facts facts{.summary = "ring of slots in POSIX shared memory",
                               .model = Facts::Model::shared_memory,
                               .naming = Facts::Naming::path,
                               .most_senders = Facts::any_number,
                               .most_receivers = Facts::any_number,
                               .unit = Facts::Unit::messages,
                               .scope = Facts::Scope::machine,
                               .standard = Facts::Standard::posix,
                               .send_waits = ring_waits,
                               .receive_waits = ring_waits,
                               .outlives_its_makers = Facts::Outlives::messages,
                               .rights = Facts::Rights::together,
                               .third_process_can = Facts::Interception::copy};

  using Region = PosixShmRegion;
};

IPCMARK_TRANSPORT(PosixShm);

}  // namespace
}  // namespace ipcmark
