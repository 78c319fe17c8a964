// sysvipc(7), shmop(2): the ring of slots in a System V shared memory segment.

#include <fmt/format.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "harness/fail.h"
#include "harness/isolation.h"
#include "harness/ring_facts.h"
#include "harness/shared_memory.h"
#include "workloads/registry.h"

namespace ipcmark {
namespace {

constexpr std::string_view transport_name = "sysv_shm";

class Attachment {
 public:
  Attachment(void* memory, std::size_t bytes) : memory_(static_cast<std::byte*>(memory)), bytes_(bytes) {}
  Attachment(Attachment&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)), bytes_(other.bytes_) {}
  Attachment& operator=(Attachment&&) = delete;
  ~Attachment() {
    if (memory_ != nullptr) shmdt(memory_);
  }
  std::span<std::byte> bytes() const { return {memory_, bytes_}; }

 private:
  std::byte* memory_;
  std::size_t bytes_;
};

// The kernel keeps a removed segment until the last process detaches from it, so the key can go early.
class SysvShmRegion {
 public:
  SysvShmRegion(const Shape&, std::size_t bytes, std::size_t prefaulted_bytes)
      : bytes_(bytes), prefaulted_bytes_(prefaulted_bytes), maker_(getpid()) {
    require_memory(transport_name, bytes);
    // What may never be touched need not be promised.
    const int promise = prefaulted_bytes < bytes ? SHM_NORESERVE : 0;
    do {
      key_ = unique_sysv_key();
      id_ = shmget(key_, bytes, IPC_CREAT | IPC_EXCL | promise | 0600);
    } while (id_ < 0 && errno == EEXIST);
    if (id_ >= 0) return;
    if (errno == EINVAL || errno == ENOSPC || errno == ENOMEM) {
      throw Unsupported(
          fmt::format("{}: a segment of {} B was refused ({}); kernel.shmmax, shmall and shmmni bound it",
                      transport_name, bytes, strerror(errno)));
    }
    fail("shmget");
  }
  SysvShmRegion(const Shape&, std::size_t bytes, const std::string& address)
      : key_(static_cast<key_t>(std::stol(address, nullptr, 16))),
        bytes_(bytes),
        prefaulted_bytes_(bytes),
        maker_(0) {}
  std::string address() const { return fmt::format("{:#x}", static_cast<unsigned>(key_)); }
  ~SysvShmRegion() {
    if (getpid() == maker_) shmctl(id_, IPC_RMID, nullptr);
  }
  SysvShmRegion(const SysvShmRegion&) = delete;
  SysvShmRegion& operator=(const SysvShmRegion&) = delete;

  static std::uint64_t most_bytes() { return most_memory_of_a_link(); }

  Attachment map() const {
    const int id = shmget(key_, 0, 0);
    if (id < 0) fail("shmget of the link's key");
    void* const memory = shmat(id, nullptr, 0);
    if (memory == reinterpret_cast<void*>(-1)) fail("shmat");
    Attachment attachment(memory, bytes_);
    if (getpid() != maker_) {  // which writes the header only
      prefault(attachment.bytes().first(prefaulted_bytes_), "a System V segment");
    }
    return attachment;
  }

 private:
  key_t key_ = 0;
  int id_ = -1;
  std::size_t bytes_;
  std::size_t prefaulted_bytes_;
  pid_t maker_;
};

struct SysvShm {
  static constexpr std::string_view name = transport_name;
  static constexpr Facts facts = named_ring_facts("ring of slots in System V shared memory",
                                                  Facts::Standard::system_v, Facts::Naming::key);
  using Region = SysvShmRegion;
};

IPCMARK_TRANSPORT(SysvShm);

}  // namespace
}  // namespace ipcmark
