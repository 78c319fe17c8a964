// process_vm_writev(2): the sender writes straight into the receiver's own memory, in one copy and without a
// byte shared between them. The receiver keeps slots there; where they lie it tells when it opens. A pipe
// announces each message by its size, and one in the other direction each slot that is free again; their ends
// are the link's.
//
// The kernel allows it to whom it would allow ptrace(2): the same user, and where Yama keeps tracing to a
// process's ancestors, whoever the receiver lets in (PR_SET_PTRACER).

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstring>
#include <string>

#include "harness/byte_stream.h"
#include "harness/fail.h"
#include "harness/memory_map.h"
#include "harness/ring_link.h"
#include "harness/shared_memory.h"
#include "harness/sized_slot.h"
#include "workloads/registry.h"

namespace ipcmark {
namespace {

using Announcement = std::uint32_t;  // a message's size

constexpr std::size_t slot_alignment = 64;

struct SlotShape {
  std::uint64_t count = 0;
  std::size_t bytes = 0;   // as a loan has it
  std::size_t stride = 0;  // from one slot to the next
};

struct ReceiversMemory {
  pid_t pid = 0;
  std::byte* slots = nullptr;  // in its address space
};

CapacityFacts::Limit limit_of(const SlotShape& slots) { return {slots.count, "messages", "slots"}; }

// The other side's end of a pipe is open until it closes it or dies. Whole records only.
// 0: closed; -1 with errno as read(2).
ssize_t read_records(const Descriptor& pipe, std::span<std::byte> records) {
  ssize_t got;
  while ((got = ::read(pipe.get(), records.data(), records.size())) < 0 && errno == EINTR) {
  }
  return got;
}

class RemoteSender {
 public:
  RemoteSender(Descriptor announce, Descriptor freed, const SlotShape& slots, Wait wait,
               const Meeting& meeting)
      : announce_(std::move(announce)),
        freed_(std::move(freed)),
        ready_(wait, POLLIN),
        slots_(slots),
        free_(slots.count),
        meeting_(meeting) {}

  Io send(std::span<const std::byte> message) {
    if (free_ == 0) {
      std::array<std::byte, 4'096> freed;
      const ssize_t got = read_records(freed_, freed);
      if (got == 0) return Io::closed;
      if (got < 0 && means_again(errno)) return Io::again;
      if (got < 0) fail("read of free slots");
      free_ = static_cast<std::uint64_t>(got);
    }
    if (to_.pid == 0) to_ = meeting_.await_value<ReceiversMemory>("memory");
    const iovec from{const_cast<std::byte*>(message.data()), message.size()};
    const iovec to{to_.slots + next_ * slots_.stride, message.size()};
    const ssize_t written = process_vm_writev(to_.pid, &from, 1, &to, 1, 0);
    if (written < 0 && errno == ESRCH) return Io::closed;
    if (written < 0) fail(fmt::format("process_vm_writev to process {}", to_.pid));
    if (static_cast<std::size_t>(written) != message.size()) {
      fail_wrong_size("process_vm_writev", static_cast<std::size_t>(written), message.size());
    }
    const auto size = static_cast<Announcement>(message.size());
    while (::write(announce_.get(), &size, sizeof size) < 0) {
      if (means_gone(errno)) return Io::closed;
      if (errno != EINTR) fail("write of an announcement");
    }
    --free_;
    next_ = next_ + 1 == slots_.count ? 0 : next_ + 1;
    return Io::done;
  }
  Io send_sized(std::span<const std::byte> message) { return send(message); }
  Io finish() {
    announce_.reset();
    return Io::done;
  }
  void wait_to_send() { ready_(freed_.get()); }
  std::optional<CapacityFacts::Limit> limit() const { return limit_of(slots_); }

 private:
  Descriptor announce_, freed_;
  ReadyWait ready_;
  SlotShape slots_;
  std::uint64_t free_;
  std::uint64_t next_ = 0;
  Meeting meeting_;
  ReceiversMemory to_;
};

class SlotReceiver {
 public:
  SlotReceiver(Descriptor announced, Descriptor free, const SlotShape& slots, const Shape& shape,
               Meeting& meeting)
      : announced_(std::move(announced)),
        free_(std::move(free)),
        ready_(shape.receive_wait, POLLIN),
        slots_(slots),
        mixed_(shape.mixed) {
    const std::size_t bytes = slots.count * slots.stride;
    void* const memory =
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) fail("mmap of the receiver's slots");
    memory_ = MemoryMap(memory, bytes);
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);  // refused where there is no Yama
    meeting.publish_value("memory", ReceiversMemory{getpid(), memory_.bytes().data()});
  }

  // Of a mix the slot tells the size, which came with the announcement (harness/sized_slot.h).
  Io peek(std::span<const std::byte>& message) {
    if (const Io io = await_announcement(); io != Io::done) return io;
    const std::span<std::byte> slot = memory_.bytes().subspan(next_ * slots_.stride, slots_.bytes);
    if (mixed_) tell_size(slot, announcements_[taken_]);
    message = slot;
    return Io::done;
  }
  Io release() {
    constexpr std::byte one{};
    while (::write(free_.get(), &one, sizeof one) < 0) {
      if (means_gone(errno)) break;  // nobody wants it any more
      if (errno != EINTR) fail("write of a free slot");
    }
    ++taken_;
    next_ = next_ + 1 == slots_.count ? 0 : next_ + 1;
    return Io::done;
  }
  Io receive_sized(std::span<std::byte> buffer, std::size_t& message_bytes) {
    if (const Io io = await_announcement(); io != Io::done) return io;
    message_bytes = announcements_[taken_];
    require_size(message_bytes, buffer.size());
    std::memcpy(buffer.data(), memory_.bytes().data() + next_ * slots_.stride, message_bytes);
    return release();
  }
  Io receive(std::span<std::byte> message) {
    std::size_t got = 0;
    const Io io = receive_sized(message, got);
    if (io == Io::done && got != message.size()) fail_wrong_size("process_vm_writev", got, message.size());
    return io;
  }
  void wait_to_receive() { ready_(announced_.get()); }
  std::optional<CapacityFacts::Limit> limit() const { return limit_of(slots_); }

 private:
  Io await_announcement() {
    if (taken_ < came_) return Io::done;
    const ssize_t got = read_records(announced_, std::as_writable_bytes(std::span(announcements_)));
    if (got == 0) return Io::closed;
    if (got < 0 && means_again(errno)) return Io::again;
    if (got < 0) fail("read of announcements");
    came_ = static_cast<std::size_t>(got) / sizeof(Announcement);
    taken_ = 0;
    return Io::done;
  }

  Descriptor announced_, free_;
  ReadyWait ready_;
  SlotShape slots_;
  bool mixed_;
  MemoryMap memory_;
  std::uint64_t next_ = 0;
  std::array<Announcement, 64> announcements_{};  // read at once
  std::size_t came_ = 0, taken_ = 0;
};

class ProcessVm {
 public:
  static constexpr std::string_view name = "process_vm";
  static constexpr Facts facts{.summary = "written into the receiver's memory (process_vm_writev)",
                               .model = Facts::Model::message_passing,
                               .naming = Facts::Naming::none,
                               .addressing = Facts::Addressing::asymmetric,
                               .unit = Facts::Unit::messages,
                               .scope = Facts::Scope::machine,
                               .standard = Facts::Standard::linux_only,
                               .send_waits = descriptor_waits,
                               .receive_waits = descriptor_waits,
                               .surplus_writer_withholds_end = true,
                               .sender_sees_death = true,
                               .receiver_sees_death = true,
                               .third_process_can = Facts::Interception::take};

  explicit ProcessVm(const Shape& shape) : shape_(shape), slots_(slots_of(shape)) {
    require_permission();
    const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    // A page that is read in part has no room yet.
    make_pipe(announcements_, slots_.count * sizeof(Announcement) + page, shape.receive_wait);
    make_pipe(freed_, slots_.count + page, shape.send_wait);
  }

  RemoteSender open_sender(unsigned, Meeting& meeting) {
    return {std::move(announcements_[1]), std::move(freed_[0]), slots_, shape_.send_wait, meeting};
  }
  SlotReceiver open_receiver(unsigned, Meeting& meeting) {
    return {std::move(announcements_[0]), std::move(freed_[1]), slots_, shape_, meeting};
  }

 private:
  using Pipe = std::array<Descriptor, 2>;

  static SlotShape slots_of(const Shape& shape) {
    SlotShape slots{.count = ring_slots(shape)};
    std::size_t bytes;
    if (shape.message_bytes > std::size_t{1} << 40 ||
        __builtin_mul_overflow(slots.count, shape.message_bytes + 2 * slot_alignment, &bytes)) {
      throw Unsupported(fmt::format("{}: {} slots of {} B do not fit an address space", name, slots.count,
                                    shape.message_bytes));
    }
    require_memory(name, bytes);
    slots.bytes = shape.mixed ? sized_slot_bytes(shape.message_bytes) : shape.message_bytes;
    slots.stride = (slots.bytes + slot_alignment - 1) / slot_alignment * slot_alignment;
    return slots;
  }

  static void require_permission() {
    std::byte here{}, there{};
    const iovec from{&here, 1}, to{&there, 1};
    if (process_vm_writev(getpid(), &from, 1, &to, 1, 0) != 1) {
      throw Unsupported(fmt::format("{}: process_vm_writev is refused here: {}", name, strerror(errno)));
    }
    constexpr std::uint64_t administrators_only = 2, nobody = 3;
    const std::uint64_t scope = read_sysctl("kernel.yama.ptrace_scope").value_or(0);
    if (scope >= nobody || (scope == administrators_only && geteuid() != 0)) {
      throw Unsupported(fmt::format(
          "{}: kernel.yama.ptrace_scope is {}, and keeps processes out of each other's memory", name, scope));
    }
  }

  // Each side's wait is about the end that it reads; what it writes always has room.
  static void make_pipe(Pipe& pipe, std::uint64_t bytes, Wait reader_waits) {
    std::array<int, 2> ends;
    if (pipe2(ends.data(), O_CLOEXEC) != 0) fail("pipe2");
    pipe[0].reset(ends[0]);
    pipe[1].reset(ends[1]);
    if (reader_waits != Wait::block) set_nonblocking(ends[0]);
    const int has = fcntl(ends[1], F_GETPIPE_SZ);
    if (has >= 0 && bytes <= static_cast<std::uint64_t>(has)) return;
    if (bytes <= INT_MAX && fcntl(ends[1], F_SETPIPE_SZ, static_cast<int>(bytes)) >= 0) return;
    throw Unsupported(fmt::format(
        "{}: announcing its messages takes a pipe of {} B; fs.pipe-max-size bounds it", name, bytes));
  }

  Shape shape_;
  SlotShape slots_;
  Pipe announcements_, freed_;
};

IPCMARK_TRANSPORT(ProcessVm);

}  // namespace
}  // namespace ipcmark
