// Exact messages over a stream of bytes: whatever the kernel splits or joins, the endpoint keeps its place
// inside the message. Shared by every transport whose kernel object is a byte stream.
//
// Operations tells how to move bytes: `ssize_t put(int fd, const std::byte*, size_t, Wait)`, `ssize_t
// take(int fd, std::byte*, size_t, Wait)` as write(2) and read(2) do, sleeping only with Wait::block; `void
// end(Descriptor&)` makes the other side see the end of the stream.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/types.h>

#include <cerrno>
#include <cstddef>
#include <span>
#include <string>
#include <system_error>

#include "harness/contract.h"
#include "harness/descriptor.h"
#include "harness/wait.h"

namespace ipcmark {

inline bool means_gone(int error) { return error == EPIPE || error == ECONNRESET || error == ECONNREFUSED; }
inline bool means_again(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

// Makes the whole open file description non-blocking: only for those that one side alone uses. Throws
// std::system_error.
inline void set_nonblocking(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
    throw std::system_error(errno, std::generic_category(), "fcntl(O_NONBLOCK)");
  }
}

template <class Operations>
class ByteStreamSender {
 public:
  ByteStreamSender(Descriptor stream, Wait wait)
      : stream_(std::move(stream)), wait_(wait), ready_(wait, POLLOUT) {}

  Io send(std::span<const std::byte> message) {
    while (sent_bytes_ < message.size()) {
      const ssize_t put =
          Operations::put(stream_.get(), message.data() + sent_bytes_, message.size() - sent_bytes_, wait_);
      if (put >= 0) {
        sent_bytes_ += static_cast<std::size_t>(put);
      } else if (means_again(errno)) {
        return Io::again;
      } else if (means_gone(errno)) {
        return Io::closed;
      } else if (errno != EINTR) {
        throw std::system_error(errno, std::generic_category(), Operations::put_name);
      }
    }
    sent_bytes_ = 0;
    return Io::done;
  }

  Io finish() {
    Operations::end(stream_);
    return Io::done;
  }
  void wait_to_send() { ready_(stream_.get()); }
  bool within_message() const { return sent_bytes_ != 0; }
  int fd() const { return stream_.get(); }

 private:
  Descriptor stream_;
  Wait wait_;
  ReadyWait ready_;
  std::size_t sent_bytes_ = 0;  // of the message under way
};

template <class Operations>
class ByteStreamReceiver {
 public:
  ByteStreamReceiver(Descriptor stream, Wait wait)
      : stream_(std::move(stream)), wait_(wait), ready_(wait, POLLIN) {}

  Io receive(std::span<std::byte> message) {
    while (received_bytes_ < message.size()) {
      const ssize_t taken = Operations::take(stream_.get(), message.data() + received_bytes_,
                                             message.size() - received_bytes_, wait_);
      if (taken > 0) {
        received_bytes_ += static_cast<std::size_t>(taken);
      } else if (taken == 0 || means_gone(errno)) {
        if (received_bytes_ == 0) return Io::closed;
        throw std::system_error(EPROTO, std::generic_category(),
                                "end of stream " + std::to_string(received_bytes_) + " B into a message of " +
                                    std::to_string(message.size()) + " B");
      } else if (means_again(errno)) {
        return Io::again;
      } else if (errno != EINTR) {
        throw std::system_error(errno, std::generic_category(), Operations::take_name);
      }
    }
    received_bytes_ = 0;
    return Io::done;
  }

  void wait_to_receive() { ready_(stream_.get()); }
  int fd() const { return stream_.get(); }

 private:
  Descriptor stream_;
  Wait wait_;
  ReadyWait ready_;
  std::size_t received_bytes_ = 0;  // of the message under way
};

}  // namespace ipcmark
