// io_uring(7) over a Unix domain stream: each send and each receive is an entry in a ring shared with the
// kernel, and one io_uring_enter(2) submits it and waits for its completion. That is one system call each
// way, as send(2) and recv(2) are: what remains is the price of the ring. Its gain, many requests by one
// call, is not to be had where each message is handed over for itself.
//
// Extra: io_uring (pkg-config liburing, Debian package liburing-dev)

#include <fmt/format.h>
#include <liburing.h>

#include <cstring>
#include <memory>

#include "harness/sockets.h"
#include "workloads/registry.h"

namespace ipcmark {
namespace {

// One request at a time: each is over when its call returns, so the caller's bytes are never looked at later.
class Ring {
 public:
  Ring() : ring_(new io_uring{}) {
    constexpr unsigned entries = 2;
    if (const int error = io_uring_queue_init(entries, ring_.get(), 0); error < 0) {
      delete ring_.release();
      if (error == -ENOSYS) throw Unsupported("io_uring: this kernel has no io_uring");
      throw Unsupported(
          fmt::format("io_uring: this kernel gives no ring ({}); kernel.io_uring_disabled, or a "
                      "seccomp filter around this process, may forbid it",
                      strerror(-error)));
    }
  }

  // As the call would that `prepare(entry)` describes; errno likewise.
  template <class Prepare>
  ssize_t operator()(Prepare prepare) {
    prepare(io_uring_get_sqe(ring_.get()));
    // A signal ends the waiting, not the request.
    int result = io_uring_submit_and_wait(ring_.get(), 1);
    io_uring_cqe* completion = nullptr;
    while (result >= 0 || result == -EINTR) {
      result = io_uring_wait_cqe(ring_.get(), &completion);
      if (result == 0) break;
    }
    if (result < 0) throw std::system_error(-result, std::generic_category(), "io_uring_enter");
    const int answer = completion->res;
    io_uring_cqe_seen(ring_.get(), completion);
    if (answer >= 0) return answer;
    errno = -answer;
    return -1;
  }

 private:
  struct Exit {
    void operator()(io_uring* ring) const {
      io_uring_queue_exit(ring);
      delete ring;
    }
  };
  std::unique_ptr<io_uring, Exit> ring_;
};

class RingOperations {
 public:
  static constexpr const char* put_name = "send through io_uring";
  static constexpr const char* take_name = "receive through io_uring";

  ssize_t put(int fd, const std::byte* bytes, std::size_t count, Wait wait) {
    return ring_([&](io_uring_sqe* entry) {
      io_uring_prep_send(entry, fd, bytes, count, SocketOperations::flags(wait));
    });
  }
  ssize_t put_parts(int fd, std::span<iovec> parts, Wait wait) {
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    return ring_([&](io_uring_sqe* entry) {
      io_uring_prep_sendmsg(entry, fd, &message, static_cast<unsigned>(SocketOperations::flags(wait)));
    });
  }
  ssize_t take(int fd, std::byte* bytes, std::size_t count, Wait wait) {
    return ring_([&](io_uring_sqe* entry) {
      io_uring_prep_recv(entry, fd, bytes, count, SocketOperations::flags(wait));
    });
  }
  static Io end(Descriptor& stream, Wait wait) { return SocketOperations::end(stream, wait); }

 private:
  Ring ring_;
};

// A ring for each direction, which may belong to different threads.
class RingPeer : public ByteStreamSender<RingOperations>, public ByteStreamReceiver<RingOperations> {
 public:
  RingPeer(Descriptor socket, const Shape& shape)
      : ByteStreamSender(duplicate(socket), shape.send_wait),
        ByteStreamReceiver(std::move(socket), shape.receive_wait) {}
  int fd() const { return ByteStreamReceiver<RingOperations>::fd(); }
  std::optional<CapacityFacts::Limit> limit() const { return send_buffer_limit(fd()); }
};

class IoUring {
 public:
  static constexpr std::string_view name = "io_uring";
  static constexpr Facts facts =
      unix_stream_facts("Unix domain stream socket through io_uring", Facts::Standard::linux_only);

  explicit IoUring(const Shape& shape) : shape_(shape), listener_(name, SOCK_STREAM, shape) {
    [[maybe_unused]] static const bool offered = (Ring(), true);
  }
  IoUring(const Shape& shape, const std::string& address)
      : shape_(shape), listener_(name, SOCK_STREAM, shape, address) {}
  std::string address() const { return listener_.path(); }

  RingPeer open_peer(unsigned side, Meeting&) { return RingPeer(listener_.open(side), shape_); }

 private:
  Shape shape_;
  UnixListener listener_;
};

IPCMARK_TRANSPORT(IoUring);

}  // namespace
}  // namespace ipcmark
