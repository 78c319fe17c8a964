// A file that senders append to and one receiver follows, as tail -f does: unbounded and persistent. A write
// has been acknowledged once it is in the page cache (write(2)); when a device has it is the kernel's affair,
// or fdatasync(2)'s. Nothing of a file tells that no more will come, so the last sender leaves a mark: it
// takes away the permission to write. A receiver that sleeps is woken by inotify(7), which costs the senders
// an event at each write, and its close up to a grace period of the kernel's: 15 ms were seen.
//
// The file lies where disk_directory() says. Under namespaces the launch's own directory is a tmpfs, where
// nothing is ever written to a device; there the file is bound to its name in it (mount(2)) and loses its
// name on the disk at once, so that it goes with the launch, however that ends. `setup` tells how long the
// file's creation alone takes. Where that is refused, and without namespaces, it lies in the launch's
// directory, whatever that is.
//
// Manners: file_sync and file_sync_100 have the device written after every message and every 100 (fdatasync);
// over file_cold the receiver reads from the device: before each read it has what is new written and dropped
// from the page cache (posix_fadvise(2)), with file_cold_random without reading ahead.
//
// What has been read stays, up to half of the limit on the backlog; then a sender frees it (fallocate(2)), so
// that a long run does not fill the disk. The backlog's limit is 1 GiB, or a quarter of the file
// system's room.

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/byte_stream.h"
#include "harness/clock.h"
#include "harness/descriptor.h"
#include "harness/end_marks.h"
#include "harness/fail.h"
#include "harness/isolation.h"
#include "harness/meeting.h"
#include "harness/owned_name.h"
#include "harness/text.h"
#include "harness/wait.h"
#include "workloads/registry.h"

namespace ipcmark {
namespace {

struct Manner {
  std::string_view name, summary;
  unsigned sync_every = 0;  // messages; 0: never
  bool cold_reader = false;
  bool read_ahead = true;
};

constexpr std::uint64_t stat_block_bytes = 512;  // of st_blocks, whatever the file system's are (inode(7))
constexpr std::uint64_t page_bytes = 4'096;      // divides every processor's page

struct stat status_of_file(int fd) {
  struct stat status;
  if (fstat(fd, &status) != 0) fail("fstat of a file");
  return status;
}

// Where the receiver is in the file, as the kernel tells it of the receiver's descriptor
// (proc_pid_fdinfo(5)): for a sender that shares no memory with it.
class ReadPosition {
 public:
  explicit ReadPosition(const Meeting& meeting) : meeting_(meeting) {}

  static void tell(Meeting& meeting, int fd) {
    const std::string path = fmt::format("/proc/{}/fdinfo/{}", number_in_proc(), fd);
    meeting.publish(follower, std::as_bytes(std::span(path)));
  }

  // In bytes. 0 as long as no receiver has told where it is; the last one known once it has gone.
  std::uint64_t bytes() {
    if (!information_ && meeting_.has(follower)) {
      const std::vector<std::byte> blob = meeting_.await(follower);
      const std::string path(reinterpret_cast<const char*>(blob.data()), blob.size());
      information_.reset(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    }
    constexpr std::string_view begins = "pos:\t";
    std::array<char, 64> buffer;
    const ssize_t got = information_ ? pread(information_.get(), buffer.data(), buffer.size(), 0) : 0;
    const std::string_view text(buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    if (text.starts_with(begins)) std::from_chars(text.begin() + begins.size(), text.end(), bytes_);
    return bytes_;
  }

 private:
  static constexpr std::string_view follower = "follower";
  Meeting meeting_;
  Descriptor information_;
  std::uint64_t bytes_ = 0;
};

// cachestat(2), since Linux 6.5, not known to every C library: bytes of the file in the page cache that no
// device has yet. nullopt: this kernel does not tell.
std::optional<std::uint64_t> dirty_bytes(int fd) {
  constexpr long call = 451;
  const struct { std::uint64_t offset, bytes; } all{0, 0};
  struct {
    std::uint64_t cached, dirty, under_way, evicted, recently_evicted;  // pages
  } pages{};
  if (syscall(call, fd, &all, &pages, 0) != 0) return std::nullopt;
  return (pages.dirty + pages.under_way) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

// Writes that the file's device has completed since it was started, whoever asked for them (Linux,
// Documentation/block/stat.rst). nullopt where the file lies on none.
std::optional<std::uint64_t> device_writes(int fd) {
  const dev_t device = status_of_file(fd).st_dev;
  std::ifstream statistics(fmt::format("/sys/dev/block/{}:{}/stat", major(device), minor(device)));
  std::uint64_t field = 0;
  for (int i = 0; i < 5; ++i) {
    if (!(statistics >> field)) return std::nullopt;
  }
  return field;
}

std::uint64_t backlog_limit_of(int fd) {
  struct statvfs room;
  if (fstatvfs(fd, &room) != 0) fail("fstatvfs of a file");
  return std::min(std::uint64_t{1} << 30, std::uint64_t{room.f_bavail} * room.f_frsize / 4);
}

struct AppendOperations {
  static constexpr const char* put_name = "write to a file";
  static ssize_t put(int fd, const std::byte* bytes, std::size_t count, Wait) {
    return ::write(fd, bytes, count);
  }
  static ssize_t put_parts(int fd, std::span<iovec> parts, Wait) {
    return ::writev(fd, parts.data(), static_cast<int>(parts.size()));
  }
};

class FileSender : public ByteStreamSender<AppendOperations> {
  using Stream = ByteStreamSender<AppendOperations>;

 public:
  FileSender(Descriptor file, const Manner& manner, const Shape& shape, const Meeting& meeting)
      : Stream(std::move(file), shape.send_wait),
        sync_every_(manner.sync_every),
        largest_bytes_(shape.message_bytes),
        limit_bytes_(backlog_limit_of(fd())),
        device_writes_before_(device_writes(fd())),
        marks_(meeting, 1),
        receiver_(meeting) {}

  Io send(std::span<const std::byte> message) { return sent(Stream::send(message), message.size()); }
  Io send_sized(std::span<const std::byte> message) {
    return sent(Stream::send_sized(message), frame_bytes + message.size());
  }
  Io finish() {
    if (!finished_) {
      look();
      dirty_at_the_end_ = dirty_bytes(fd());
      finished_ = true;
    }
    return marks_.leave([this] {
      if (fchmod(fd(), S_IRUSR) != 0) fail("fchmod of a file");
      return Io::done;
    });
  }
  [[noreturn]] void wait_to_send() { throw std::logic_error("a file's sender waits"); }

  std::optional<CapacityFacts::Limit> limit() const {
    return CapacityFacts::Limit{limit_bytes_, "bytes", "a quarter of its file system's room, at most 1 GiB"};
  }
  Backlog peak_backlog() const { return peak_; }
  std::uint64_t most_messages() const { return limit_bytes_ / (frame_bytes + largest_bytes_); }
  std::vector<MechanismFigure> figures() const {
    std::vector<MechanismFigure> figures;
    if (dirty_at_the_end_) {
      figures.push_back({"dirty_at_last_send", "bytes", static_cast<double>(*dirty_at_the_end_)});
    }
    const std::optional<std::uint64_t> writes = device_writes(fd());
    if (writes && device_writes_before_ && messages_ > 0) {
      figures.push_back(
          {"device_writes_per_send", "writes, whole device",
           static_cast<double>(*writes - *device_writes_before_) / static_cast<double>(messages_)});
    }
    return figures;
  }

 private:
  Io sent(Io io, std::size_t bytes) {
    if (io != Io::done) return io;
    ++messages_;
    bytes_ += bytes;
    if (sync_every_ != 0 && messages_ % sync_every_ == 0 && fdatasync(fd()) != 0) fail("fdatasync of a file");
    if (bytes_ >= look_at_bytes_) look();
    return Io::done;
  }

  // Often enough for a peak and for the limit, seldom enough that it costs nothing.
  void look() {
    constexpr std::uint64_t between_looks = 512 << 10;
    look_at_bytes_ = bytes_ + between_looks;
    const std::uint64_t read = receiver_.bytes();  // before the size, which is then no less
    if (read - freed_ >= limit_bytes_ / 2) free_until(read / page_bytes * page_bytes);
    const struct stat status = status_of_file(fd());
    const std::uint64_t room = static_cast<std::uint64_t>(status.st_blocks) * stat_block_bytes;
    const std::uint64_t unread = static_cast<std::uint64_t>(status.st_size) - read;
    const std::uint64_t unread_messages =
        bytes_ == 0 ? 0 : unread / std::max<std::uint64_t>(1, bytes_ / messages_);
    peak_.messages = std::max({peak_.messages, unread_messages, std::min<std::uint64_t>(messages_, 1)});
    peak_.bytes = std::max(peak_.bytes, room);
    if (unread > limit_bytes_) {
      throw std::runtime_error(fmt::format("backlog over {}: {} messages sent and not received",
                                           format_size(limit_bytes_), unread_messages));
    }
  }
  void free_until(std::uint64_t read) {
    if (fallocate(fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(freed_),
                  static_cast<off_t>(read - freed_)) != 0 &&
        errno != EOPNOTSUPP) {
      fail("fallocate of a file");
    }
    freed_ = read;
  }

  unsigned sync_every_;
  std::size_t largest_bytes_;
  std::uint64_t limit_bytes_;
  std::optional<std::uint64_t> device_writes_before_, dirty_at_the_end_;
  EndMarks marks_;
  ReadPosition receiver_;
  std::uint64_t messages_ = 0, bytes_ = 0;  // sent by this end
  std::uint64_t look_at_bytes_ = 0;
  std::uint64_t freed_ = 0;
  Backlog peak_;
  bool finished_ = false;
};

class FollowOperations {
 public:
  static constexpr const char* take_name = "read from a file";

  FollowOperations(int fd, const Manner& manner, Wait wait) : cold_(manner.cold_reader) {
    if (!manner.read_ahead) posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
    if (wait == Wait::block || wait == Wait::poll || wait == Wait::epoll) {
      watch_.reset(inotify_init1(IN_CLOEXEC | (wait == Wait::block ? 0 : IN_NONBLOCK)));
      if (!watch_) fail("inotify_init1");
      const std::string path = fmt::format("/proc/self/fd/{}", fd);
      if (inotify_add_watch(watch_.get(), path.c_str(), IN_MODIFY | IN_ATTRIB) < 0) {
        fail("inotify_add_watch of a file");
      }
    }
    ended_ = has_mark(fd);
  }

  // As read(2), where 0 is the end of the stream.
  ssize_t take(int fd, std::byte* bytes, std::size_t count, Wait) {
    for (;;) {
      if (cold_) make_cold(fd);
      const ssize_t got = ::read(fd, bytes, count);
      if (got > 0) position_ += static_cast<std::uint64_t>(got);
      // All that was sent comes before the mark, so what is read after it was seen is all.
      if (got != 0 || ended_) return got;
      if (!is_worth_another_read(fd)) {
        errno = EAGAIN;
        return -1;
      }
    }
  }
  int watch() const { return watch_.get(); }

 private:
  static bool has_mark(int fd) { return (status_of_file(fd).st_mode & S_IWUSR) == 0; }

  // After one that found nothing. With Wait::block it sleeps until it is.
  bool is_worth_another_read(int fd) {
    if (watch_) {
      const std::uint32_t events = take_events();
      if ((events & IN_ATTRIB) != 0) ended_ = has_mark(fd);  // a name that goes is such an event too
      return events != 0;
    }
    constexpr unsigned reads_between_looks = 16;
    if (++empty_reads_ % reads_between_looks == 0) ended_ = has_mark(fd);
    return ended_;
  }
  std::uint32_t take_events() {
    alignas(inotify_event) std::array<char, 4'096> buffer;
    ssize_t got;
    while ((got = ::read(watch_.get(), buffer.data(), buffer.size())) < 0) {
      if (means_again(errno)) return 0;
      if (errno != EINTR) fail("read from inotify");
    }
    std::uint32_t events = 0;
    for (ssize_t at = 0; at < got;) {
      inotify_event event;
      std::memcpy(&event, buffer.data() + at, sizeof event);
      events |= event.mask;
      at += static_cast<ssize_t>(sizeof event + event.len);
    }
    return events;
  }

  // What is new is written to the device and forgotten. With no end given, the last page too is dropped,
  // which is not full.
  void make_cold(int fd) const {
    if (static_cast<std::uint64_t>(status_of_file(fd).st_size) <= position_) return;
    if (fdatasync(fd) != 0) fail("fdatasync of a file");
    const int error =
        posix_fadvise(fd, static_cast<off_t>(position_ / page_bytes * page_bytes), 0, POSIX_FADV_DONTNEED);
    if (error != 0) throw std::system_error(error, std::generic_category(), "posix_fadvise of a file");
  }

  bool cold_;
  Descriptor watch_;
  std::uint64_t position_ = 0;
  unsigned empty_reads_ = 0;
  bool ended_ = false;
};

class FileReceiver : public ByteStreamReceiver<FollowOperations> {
  using Stream = ByteStreamReceiver<FollowOperations>;

 public:
  FileReceiver(Descriptor file, const Manner& manner, Wait wait)
      : FileReceiver{file.get(), std::move(file), manner, wait} {}  // in this order

  void wait_to_receive() { ready_(fd()); }
  // Ready when there is something to read anew.
  int fd() const { return operations().watch(); }

 private:
  FileReceiver(int fd, Descriptor file, const Manner& manner, Wait wait)
      : Stream(std::move(file), wait, FollowOperations(fd, manner, wait)), ready_(wait, POLLIN) {}

  ReadyWait ready_;
};

// A new, empty file, which has its name in the launch's directory.
class NamedFile {
 public:
  explicit NamedFile(const std::string& directory) : path_(directory + "/" + unique_name(), remove) {
    if (is_own_tmpfs(directory) && bind_from_disk()) return;
    file_ = create(path_.text());
  }
  // A stranger's.
  struct Found {
    const std::string& address;
  };
  explicit NamedFile(const Found& found) : path_(found.address) {}

  const std::string& path() const { return path_.text(); }
  int fd() const { return file_.get(); }  // its maker's; -1 in a stranger
  std::uint64_t creation_ns() const { return creation_ns_; }

  Descriptor open_as(int flags) const {
    Descriptor file(open(path_.c_str(), flags | O_CLOEXEC));
    if (!file) fail("open " + path_.text());
    return file;
  }

 private:
  static int remove(const char* name) {
    umount2(name, MNT_DETACH);  // where nothing is mounted it does nothing
    return unlink(name);
  }

  // Which only a mount namespace of one's own has: others' directories are not the roots of mounts.
  static bool is_own_tmpfs(const std::string& directory) {
    struct statfs system;
    struct statx status;
    return statfs(directory.c_str(), &system) == 0 && system.f_type == TMPFS_MAGIC &&
           statx(AT_FDCWD, directory.c_str(), 0, 0, &status) == 0 &&
           (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
  }

  Descriptor create(const std::string& path) {
    const std::uint64_t begin_ns = now_ns();
    Descriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR));
    creation_ns_ = now_ns() - begin_ns;
    if (!file) fail("open " + path);
    return file;
  }

  // False where this is refused: the file is then in memory only, as the launch's directory is.
  bool bind_from_disk() {
    const OwnedName on_disk(disk_directory() + "/" + unique_name_for_all(), unlink);
    try {
      file_ = create(on_disk.text());
    } catch (const std::system_error&) {
      return false;
    }
    if (!Descriptor(open(path_.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0)))
      fail("open " + path_.text());
    if (mount(on_disk.c_str(), path_.c_str(), nullptr, MS_BIND, nullptr) == 0) return true;
    unlink(path_.c_str());
    return false;
  }

  OwnedName path_;
  Descriptor file_;
  std::uint64_t creation_ns_ = 0;
};

template <const Manner& manner>
class FileLink {
 public:
  static constexpr std::string_view name = manner.name;
  static constexpr Facts facts{.summary = manner.summary,
                               .model = Facts::Model::message_passing,
                               .naming = Facts::Naming::path,
                               .most_senders = Facts::any_number,
                               .unit = Facts::Unit::bytes,
                               .scope = Facts::Scope::machine,
                               .standard = Facts::Standard::posix,
                               .send_waits = descriptor_waits,
                               .receive_waits = descriptor_waits,
                               .never_full = true,
                               .outlives_its_makers = Facts::Outlives::messages,
                               .rights = Facts::Rights::apart,
                               .third_process_can = Facts::Interception::copy};

  using Unbounded = FileLink;

  explicit FileLink(const Shape& shape) : shape_(shape), file_(shape.directory) {
    const std::uint64_t limit = backlog_limit_of(file_.fd());
    if (shape.message_bytes > limit / 2) {
      throw Unsupported(fmt::format("{}: fewer than two messages of {} are within a backlog of {}", name,
                                    format_size(shape.message_bytes), format_size(limit)));
    }
  }
  FileLink(const Shape& shape, const std::string& address)
      : shape_(shape), file_(NamedFile::Found{address}) {}
  std::string address() const { return file_.path(); }

  FileSender open_sender(unsigned, Meeting& meeting) {
    return {file_.open_as(O_WRONLY | O_APPEND), manner, shape_, meeting};
  }
  FileReceiver open_receiver(unsigned, Meeting& meeting) {
    Descriptor file = file_.open_as(O_RDONLY);
    ReadPosition::tell(meeting, file.get());
    return {std::move(file), manner, shape_.receive_wait};
  }

  // Of a file that nobody has written to.
  std::vector<MechanismFigure> figures() const {
    const struct stat status = status_of_file(file_.fd());
    return {{"file_creation", "ns", static_cast<double>(file_.creation_ns())},
            {"size_before_first_write", "bytes", static_cast<double>(status.st_size)},
            {"blocks_before_first_write", "blocks of 512 B", static_cast<double>(status.st_blocks)}};
  }

 private:
  Shape shape_;
  NamedFile file_;
};

constexpr Manner through_the_page_cache{.name = "file",
                                        .summary = "appending to a file that a reader follows"};
constexpr Manner synced{
    .name = "file_sync", .summary = "file, on the device after every message", .sync_every = 1};
constexpr Manner synced_seldom{
    .name = "file_sync_100", .summary = "file, on the device after every 100 messages", .sync_every = 100};
constexpr Manner cold{
    .name = "file_cold", .summary = "file whose reader finds nothing in the page cache", .cold_reader = true};
constexpr Manner cold_without_read_ahead{.name = "file_cold_random",
                                         .summary = "file_cold without reading ahead",
                                         .cold_reader = true,
                                         .read_ahead = false};

using File = FileLink<through_the_page_cache>;
using FileSync = FileLink<synced>;
using FileSyncSeldom = FileLink<synced_seldom>;
using FileCold = FileLink<cold>;
using FileColdRandom = FileLink<cold_without_read_ahead>;
IPCMARK_TRANSPORT(File);
IPCMARK_VARIANT(FileSync);
IPCMARK_VARIANT(FileSyncSeldom);
IPCMARK_VARIANT(FileCold);
IPCMARK_VARIANT(FileColdRandom);

}  // namespace
}  // namespace ipcmark
