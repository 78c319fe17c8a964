// A FIFO that both sides open for reading and writing, which Linux allows and POSIX leaves undefined
// (fifo(7)): one buffer both ways. Opening waits for nobody, and neither the end of file nor EPIPE ever
// comes, because each side itself is a writer and a reader.
//
// What a side has written lies in its own way until the other has read it: they take turns. So each piece
// says whose it is, and a side looks at the first one with tee(2), which takes nothing, before it reads.
// There is no sleeping for that: poll(2) is content with a side's own piece too. Pieces of up to PIPE_BUF
// are written whole; a longer message goes in several.

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <climits>
#include <cstring>

#include "harness/fail.h"
#include "harness/isolation.h"
#include "harness/owned_name.h"
#include "harness/pipe_ends.h"
#include "workloads/registry.h"

namespace ipcmark {
namespace {

// Before each piece.
struct PieceHead {
  std::uint64_t message_bytes = 0;  // 0: the end of the side's stream
  std::uint32_t piece_bytes = 0;
  std::uint32_t side = 0;
};
constexpr std::size_t largest_piece = PIPE_BUF - sizeof(PieceHead);

Descriptor open_both_ways(const OwnedName& path) {
  int fd;
  while ((fd = open(path.c_str(), O_RDWR | O_CLOEXEC)) < 0) {
    if (errno != EINTR) fail("open " + path.text());
  }
  return Descriptor(fd);
}

class TurnTaker {
 public:
  TurnTaker(Descriptor fifo, const Shape& shape, unsigned side)
      : fifo_(std::move(fifo)),
        side_(side),
        send_sleeps_(shape.send_wait == Wait::block),
        ready_to_send_(shape.send_wait, POLLOUT),
        ready_to_receive_(shape.receive_wait, POLLIN),
        limit_(pipe_limit(fifo_.get())) {
    std::array<int, 2> ends;
    if (pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) fail("pipe2");
    looked_at_.reset(ends[0]);
    look_into_.reset(ends[1]);
    // So that a piece which a third process takes between a look and its reading is missed, not waited for.
    set_nonblocking(fifo_.get());
  }

  Io send(std::span<const std::byte> message) {
    while (sent_bytes_ < message.size()) {
      const std::size_t bytes = std::min(largest_piece, message.size() - sent_bytes_);
      const Io io = put({message.size(), static_cast<std::uint32_t>(bytes), side_},
                        message.subspan(sent_bytes_, bytes));
      if (io != Io::done) return io;
      sent_bytes_ += bytes;
    }
    sent_bytes_ = 0;
    return Io::done;
  }
  Io send_sized(std::span<const std::byte> message) { return send(message); }
  bool within_message() const { return sent_bytes_ != 0; }
  Io finish() {
    if (finished_) return Io::done;
    const Io io = put({0, 0, side_}, {});
    finished_ = io == Io::done;
    return io;
  }

  Io receive(std::span<std::byte> message) {
    std::size_t got = 0;
    const Io io = receive_sized(message, got);
    if (io == Io::done && got != message.size()) fail_wrong_size("read", got, message.size());
    return io;
  }
  Io receive_sized(std::span<std::byte> buffer, std::size_t& message_bytes) {
    if (ended_) return Io::closed;
    for (;;) {
      PieceHead head;
      if (!look(head) || head.side == side_) return Io::again;
      if (head.message_bytes == 0) return take_end(head);
      require_size(head.message_bytes, buffer.size());
      take(head, buffer.subspan(received_bytes_, head.piece_bytes));
      received_bytes_ += head.piece_bytes;
      if (received_bytes_ < head.message_bytes) continue;
      message_bytes = received_bytes_;
      received_bytes_ = 0;
      return Io::done;
    }
  }

  void wait_to_send() { ready_to_send_(fifo_.get()); }
  void wait_to_receive() { ready_to_receive_(fifo_.get()); }
  std::optional<CapacityFacts::Limit> limit() const { return limit_; }

 private:
  Io put(PieceHead head, std::span<const std::byte> piece) {
    const std::array<iovec, 2> parts{iovec{&head, sizeof head},
                                     iovec{const_cast<std::byte*>(piece.data()), piece.size()}};
    while (writev(fifo_.get(), parts.data(), static_cast<int>(parts.size())) < 0) {
      if (means_again(errno)) {
        if (!send_sleeps_) return Io::again;
        pollfd room{fifo_.get(), POLLOUT, 0};
        if (poll(&room, 1, -1) < 0 && errno != EINTR) fail("poll of a FIFO");
      } else if (errno != EINTR) {
        fail("write to a FIFO");
      }
    }
    return Io::done;
  }

  // At the first piece in the FIFO; false when it is empty.
  bool look(PieceHead& head) {
    ssize_t got;
    while ((got = tee(fifo_.get(), look_into_.get(), sizeof head, SPLICE_F_NONBLOCK)) < 0) {
      if (means_again(errno)) return false;
      if (errno != EINTR) fail("tee of a FIFO");
    }
    if (got == 0) return false;
    if (static_cast<std::size_t>(got) != sizeof head ||
        ::read(looked_at_.get(), &head, sizeof head) != static_cast<ssize_t>(sizeof head)) {
      throw std::system_error(EPROTO, std::generic_category(), "a FIFO's piece is cut");
    }
    return true;
  }

  // A piece that has been looked at. Where a third process has taken it instead, what comes is another's.
  void take(const PieceHead& looked_at, std::span<std::byte> piece) {
    PieceHead head;
    const std::array<iovec, 2> parts{iovec{&head, sizeof head}, iovec{piece.data(), piece.size()}};
    const auto whole = static_cast<ssize_t>(sizeof head + piece.size());
    ssize_t got;
    while ((got = readv(fifo_.get(), parts.data(), static_cast<int>(parts.size()))) < 0) {
      if (means_again(errno)) break;
      if (errno != EINTR) fail("read from a FIFO");
    }
    if (got != whole || std::memcmp(&head, &looked_at, sizeof head) != 0) {
      throw std::system_error(EPROTO, std::generic_category(), "a FIFO's piece was taken by another process");
    }
  }
  Io take_end(const PieceHead& head) {
    take(head, {});
    ended_ = true;
    if (received_bytes_ == 0) return Io::closed;
    throw std::system_error(EPROTO, std::generic_category(),
                            "end of stream " + std::to_string(received_bytes_) + " B into a message");
  }

  Descriptor fifo_;
  Descriptor looked_at_, look_into_;  // a pipe of its own for what tee(2) copies
  std::uint32_t side_;
  bool send_sleeps_;
  ReadyWait ready_to_send_, ready_to_receive_;
  CapacityFacts::Limit limit_;
  std::size_t sent_bytes_ = 0;      // of the message under way
  std::size_t received_bytes_ = 0;  // likewise
  bool finished_ = false;
  bool ended_ = false;
};

class FifoReadWrite {
 public:
  static constexpr std::string_view name = "fifo_rdwr";
  static constexpr Facts facts{.summary = "one FIFO both ways, opened for both: taking turns",
                               .model = Facts::Model::message_passing,
                               .naming = Facts::Naming::path,
                               .unit = Facts::Unit::bytes,
                               .scope = Facts::Scope::machine,
                               .standard = Facts::Standard::linux_only,
                               .send_waits = descriptor_waits,
                               .receive_waits = {Wait::spin, Wait::yield},
                               .one_buffer_both_ways = true,
                               .outlives_its_makers = Facts::Outlives::object,
                               .rights = Facts::Rights::together,
                               .third_process_can = Facts::Interception::take};

  explicit FifoReadWrite(const Shape& shape)
      : shape_(shape), path_(shape.directory + "/" + unique_name(), unlink) {
    if (mkfifo(path_.c_str(), 0600) != 0) fail("mkfifo " + path_.text());
    opened();  // so that what is refused is known before
  }
  FifoReadWrite(const Shape& shape, const std::string& address)
      : shape_(shape), path_(address), strange_(true) {}
  std::string address() const { return path_.text(); }

  // A stranger is a further side, to which all pieces but its own are others'.
  TurnTaker open_peer(unsigned side, Meeting&) {
    return {opened(), shape_, strange_ ? 2 + static_cast<unsigned>(getpid()) : side};
  }

 private:
  // Both sides' messages lie in it.
  Descriptor opened() const {
    Descriptor fifo = open_both_ways(path_);
    const std::size_t pieces = (shape_.message_bytes + largest_piece - 1) / largest_piece;
    Capacity both_ways = shape_.capacity;
    if (__builtin_mul_overflow(both_ways.messages, 2, &both_ways.messages)) both_ways.messages = UINT64_MAX;
    set_pipe_capacity(name, fifo.get(), both_ways,
                      pieces == 1 ? sizeof(PieceHead) + shape_.message_bytes : pieces * PIPE_BUF);
    return fifo;
  }

  Shape shape_;
  OwnedName path_;
  bool strange_ = false;
};

IPCMARK_TRANSPORT(FifoReadWrite);

}  // namespace
}  // namespace ipcmark
