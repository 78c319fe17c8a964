// vmsplice(2): the pipe (pipe(7)) takes the sender's pages themselves, not a copy of what is in them; the
// receiver's read copies out of them. So a page must not be written again before the receiver has read it,
// which no call tells. But a pipe holds so many pages (F_GETPIPE_SZ): what was sent before as many others has
// been read. The sender keeps one slot more than that takes, and uses them in turn. A loan is written where
// it is sent from; by copy a message is first copied there.
//
// A message takes pages of the pipe, whatever its size, and never lies across the border of two if it fits in
// one: messages of up to a page stay whole when several share the pipe.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/uio.h>

#include <array>
#include <climits>
#include <cstring>

#include "harness/fail.h"
#include "harness/memory_map.h"
#include "harness/pipe_ends.h"
#include "harness/shared_memory.h"
#include "harness/sized_slot.h"
#include "workloads/registry.h"

namespace ipcmark {
namespace {

std::size_t page_bytes() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }
std::size_t rounded_up(std::size_t bytes, std::size_t to) { return (bytes + to - 1) / to * to; }

// Where a sender's messages lie. In a mix each has its size before it, for the stream
// (harness/byte_stream.h), and a loan has it behind it too (harness/sized_slot.h).
class SlotPlan {
 public:
  SlotPlan(const Shape& shape, std::size_t pages_in_pipe)
      : front_(shape.mixed ? 8 : 0),
        loan_bytes_(shape.mixed ? sized_slot_bytes(shape.message_bytes) : shape.message_bytes) {
    const std::size_t page = page_bytes(), bytes = front_ + loan_bytes_;
    constexpr std::size_t cache_line = 64;
    stride_ = bytes <= page ? rounded_up(bytes, cache_line) : rounded_up(bytes, page);
    in_a_page_ = bytes <= page ? page / stride_ : 1;
    // Of a mix a message may be so small that it takes one page only.
    const std::size_t pages_each = shape.mixed ? 1 : (shape.message_bytes + page - 1) / page;
    count_ = (pages_in_pipe + pages_each - 1) / pages_each + 1;
  }

  std::size_t count() const { return count_; }
  std::size_t front() const { return front_; }
  std::size_t loan_bytes() const { return loan_bytes_; }
  std::size_t place_of(std::size_t slot) const {
    return slot / in_a_page_ * std::max(stride_, page_bytes()) + slot % in_a_page_ * stride_;
  }
  std::size_t bytes() const { return rounded_up(place_of(count_ - 1) + stride_, page_bytes()); }

 private:
  std::size_t front_;
  std::size_t loan_bytes_;
  std::size_t stride_ = 0;
  std::size_t in_a_page_ = 1;
  std::size_t count_ = 0;
};

CapacityFacts::Limit limit_in_pages(int fd) {
  CapacityFacts::Limit limit = pipe_limit(fd);
  limit.unit = "charge";
  return limit;
}

class SpliceSender {
 public:
  SpliceSender(Descriptor pipe, const Shape& shape, const SlotPlan& plan)
      : pipe_(std::move(pipe)),
        flags_(shape.send_wait == Wait::block ? 0 : SPLICE_F_NONBLOCK),
        ready_(shape.send_wait, POLLOUT),
        mixed_(shape.mixed),
        plan_(plan),
        limit_(limit_in_pages(pipe_.get())) {
    void* const memory = mmap(nullptr, plan.bytes(), PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) fail("mmap of the sender's pages");
    memory_ = MemoryMap(memory, plan.bytes());
  }

  Io send(std::span<const std::byte> message) {
    if (!within_message()) std::memcpy(slot().data(), message.data(), message.size());
    return splice(slot().first(message.size()));
  }
  Io send_sized(std::span<const std::byte> message) {
    if (!within_message()) std::memcpy(slot().data(), message.data(), message.size());
    return splice(with_its_size(message.size()));
  }
  Io loan(std::span<std::byte>& slot) {
    slot = this->slot();
    return Io::done;
  }
  Io commit() { return splice(mixed_ ? with_its_size(sized_message(slot()).size()) : slot()); }

  Io finish() {
    pipe_.reset();
    return Io::done;
  }
  void wait_to_send() { ready_(pipe_.get()); }
  bool within_message() const { return sent_bytes_ != 0; }
  std::optional<CapacityFacts::Limit> limit() const { return limit_; }

 private:
  std::span<std::byte> slot() const {
    return memory_.bytes().subspan(plan_.place_of(next_) + plan_.front(), plan_.loan_bytes());
  }
  std::span<std::byte> with_its_size(std::size_t message_bytes) const {
    const auto frame = static_cast<Frame>(message_bytes);
    std::byte* const begin = slot().data() - sizeof frame;
    std::memcpy(begin, &frame, sizeof frame);
    return {begin, sizeof frame + message_bytes};
  }

  Io splice(std::span<std::byte> bytes) {
    while (sent_bytes_ < bytes.size()) {
      const iovec rest{bytes.data() + sent_bytes_, bytes.size() - sent_bytes_};
      const ssize_t taken = vmsplice(pipe_.get(), &rest, 1, flags_);
      if (taken >= 0) {
        sent_bytes_ += static_cast<std::size_t>(taken);
      } else if (means_again(errno)) {
        return Io::again;
      } else if (means_gone(errno)) {
        return Io::closed;
      } else if (errno != EINTR) {
        fail("vmsplice");
      }
    }
    sent_bytes_ = 0;
    next_ = next_ + 1 == plan_.count() ? 0 : next_ + 1;
    return Io::done;
  }

  Descriptor pipe_;
  unsigned flags_;
  ReadyWait ready_;
  bool mixed_;
  SlotPlan plan_;
  CapacityFacts::Limit limit_;
  MemoryMap memory_;
  std::size_t next_ = 0;
  std::size_t sent_bytes_ = 0;  // of the message under way, its size included
};

class Vmsplice {
 public:
  static constexpr std::string_view name = "vmsplice";
  static constexpr Facts facts =
      pipe_facts("pipe that takes the sender's own pages", Facts::Standard::linux_only);

  explicit Vmsplice(const Shape& shape) : shape_(shape) {
    const std::size_t page = page_bytes();
    if (shape.message_bytes > most_memory_of_a_link()) require_memory(name, shape.message_bytes);
    std::array<int, 2> ends;
    if (pipe2(ends.data(), O_CLOEXEC) != 0) fail("pipe2");
    read_end_.reset(ends[0]);
    write_end_.reset(ends[1]);
    set_pipe_capacity(name, ends[1], shape.capacity,
                      rounded_up(shape.message_bytes + (shape.mixed ? sizeof(Frame) : 0), page));
    require_memory(name, plan().bytes());
    if (shape.send_wait != Wait::block) set_nonblocking(ends[1]);
    if (shape.receive_wait != Wait::block) set_nonblocking(ends[0]);
  }

  SpliceSender open_sender(unsigned, Meeting&) {
    const SlotPlan slots = plan();
    return {std::move(write_end_), shape_, slots};
  }
  PipeReceiver open_receiver(unsigned, Meeting&) { return {std::move(read_end_), shape_.receive_wait}; }

 private:
  SlotPlan plan() const { return {shape_, pipe_limit(write_end_.get()).value / page_bytes()}; }

  Shape shape_;
  Descriptor read_end_, write_end_;
};

IPCMARK_TRANSPORT(Vmsplice);

}  // namespace
}  // namespace ipcmark
