// mmap(2) of a file: the ring of slots in the page cache, which the kernel writes to the file as it sees fit.
// The file lies in the launch's own directory. With namespaces that is a tmpfs and nothing is ever written;
// without, it is a folder of TMPDIR, and a page that was just written back costs a fault at its next write.

#include <fcntl.h>

#include "harness/descriptor.h"
#include "harness/fail.h"
#include "harness/isolation.h"
#include "harness/owned_name.h"
#include "harness/ring_facts.h"
#include "harness/shared_memory.h"
#include "workloads/registry.h"

namespace ipcmark {
namespace {

constexpr std::string_view transport_name = "mmap_file";

class FileRegion {
 public:
  FileRegion(const Shape& shape, std::size_t bytes, std::size_t prefaulted_bytes)
      : path_(shape.directory + "/" + unique_name(), unlink),
        bytes_(bytes),
        prefaulted_bytes_(prefaulted_bytes) {
    make_room(transport_name, open_file(O_CREAT | O_EXCL).get(), bytes, shape.directory.c_str());
  }
  FileRegion(const Shape&, std::size_t bytes, const std::string& address)
      : path_(address), bytes_(bytes), prefaulted_bytes_(bytes) {}
  std::string address() const { return path_.text(); }

  // The file system's room, which is asked for when the directory is known.
  static std::uint64_t most_bytes() { return UINT64_MAX; }

  MemoryMap map() const {
    // The maker writes the header only.
    return map_shared_file(open_file(0).get(), bytes_, path_.made_here() ? 0 : prefaulted_bytes_,
                           path_.text());
  }

 private:
  Descriptor open_file(int flags) const {
    Descriptor file(open(path_.c_str(), O_RDWR | O_CLOEXEC | flags, 0600));
    if (!file) fail("open " + path_.text());
    return file;
  }

  OwnedName path_;
  std::size_t bytes_;
  std::size_t prefaulted_bytes_;
};

struct MmapFile {
  static constexpr std::string_view name = transport_name;
  static constexpr Facts facts = named_ring_facts("ring of slots in a mapped file, the page cache",
                                                  Facts::Standard::posix, Facts::Naming::path);

  using Region = FileRegion;
};

IPCMARK_TRANSPORT(MmapFile);

}  // namespace
}  // namespace ipcmark
