// Exact messages over a stream of bytes: whatever the kernel splits or joins, the endpoint keeps its place
// inside the message. Shared by every transport whose kernel object is a byte stream.
//
// Operations, of which each direction has one of its own, tells how to move bytes: `ssize_t put(int fd, const
// std::byte*, size_t, Wait)`, `ssize_t put_parts(int fd, std::span<iovec>, Wait)`, `ssize_t take(int fd,
// std::byte*, size_t, Wait)` as write(2), writev(2) and read(2) do, sleeping only with Wait::block; `Io
// end(Descriptor&, Wait)` makes the other side see the end of the stream. Where put takes bytes that it has
// not handed over yet when it fails with EAGAIN, and wants them again, `bool holds_bytes() const` tells.
//
// Messages of several sizes are framed: each one's size, 4 bytes in the machine's order, goes before it. Size
// and message go out in one call. They come in by two, since the second's length is what the first brings;
// reading ahead would save calls, and keep messages where no capacity counts them.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <system_error>

#include "harness/contract.h"
#include "harness/descriptor.h"
#include "harness/sized_slot.h"
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

using Frame = std::uint32_t;  // the size before a message

template <class Operations>
class ByteStreamSender {
 public:
  static constexpr std::size_t frame_bytes = sizeof(Frame);

  ByteStreamSender(Descriptor stream, Wait wait, Operations operations = {})
      : operations_(std::move(operations)), stream_(std::move(stream)), wait_(wait), ready_(wait, POLLOUT) {}

  Io send(std::span<const std::byte> message) {
    return send_all(message.size(), [&] {
      return operations_.put(stream_.get(), message.data() + sent_bytes_, message.size() - sent_bytes_,
                             wait_);
    });
  }
  Io send_sized(std::span<const std::byte> message) {
    auto frame = static_cast<Frame>(message.size());
    return send_all(frame_bytes + message.size(), [&] {
      const std::size_t of_frame = std::min(sent_bytes_, frame_bytes), of_message = sent_bytes_ - of_frame;
      // An iovec does not say that it is read only; an empty one is passed over.
      std::array<iovec, 2> parts{
          iovec{reinterpret_cast<std::byte*>(&frame) + of_frame, frame_bytes - of_frame},
          iovec{const_cast<std::byte*>(message.data()) + of_message, message.size() - of_message}};
      return operations_.put_parts(stream_.get(), parts, wait_);
    });
  }

  Io finish() { return operations_.end(stream_, wait_); }
  void wait_to_send() { ready_(stream_.get()); }
  bool within_message() const {
    if constexpr (requires { operations_.holds_bytes(); }) {
      if (operations_.holds_bytes()) return true;
    }
    return sent_bytes_ != 0;
  }
  int fd() const { return stream_.get(); }

 private:
  // `put()` writes on from sent_bytes_.
  template <class Put>
  Io send_all(std::size_t bytes, Put put) {
    while (sent_bytes_ < bytes) {
      const ssize_t written = put();
      if (written >= 0) {
        sent_bytes_ += static_cast<std::size_t>(written);
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

  [[no_unique_address]] Operations operations_;
  Descriptor stream_;
  Wait wait_;
  ReadyWait ready_;
  std::size_t sent_bytes_ = 0;  // of the message under way, its frame included
};

template <class Operations>
class ByteStreamReceiver {
 public:
  ByteStreamReceiver(Descriptor stream, Wait wait, Operations operations = {})
      : operations_(std::move(operations)), stream_(std::move(stream)), wait_(wait), ready_(wait, POLLIN) {}

  Io receive(std::span<std::byte> message) {
    const Io io = receive_until(message.size(), message, 0);
    if (io == Io::done) received_bytes_ = 0;
    return io;
  }
  Io receive_sized(std::span<std::byte> buffer, std::size_t& message_bytes) {
    if (const Io io = receive_until(frame_.size(), frame_, 0); io != Io::done) return io;
    Frame size;
    std::memcpy(&size, frame_.data(), sizeof size);
    require_size(size, buffer.size());
    if (const Io io = receive_until(frame_.size() + size, buffer, frame_.size()); io != Io::done) return io;
    received_bytes_ = 0;
    message_bytes = size;
    return Io::done;
  }

  void wait_to_receive() { ready_(stream_.get()); }
  int fd() const { return stream_.get(); }

 protected:
  const Operations& operations() const { return operations_; }

 private:
  // Until so many bytes have come of the message under way, its frame included; `into` begins at byte
  // `first`.
  Io receive_until(std::size_t bytes, std::span<std::byte> into, std::size_t first) {
    while (received_bytes_ < bytes) {
      const ssize_t taken = operations_.take(stream_.get(), into.data() + (received_bytes_ - first),
                                             bytes - received_bytes_, wait_);
      if (taken > 0) {
        received_bytes_ += static_cast<std::size_t>(taken);
      } else if (taken == 0 || means_gone(errno)) {
        if (received_bytes_ == 0) return Io::closed;
        throw std::system_error(EPROTO, std::generic_category(),
                                "end of stream " + std::to_string(received_bytes_) + " B into a message of " +
                                    std::to_string(bytes) + " B");
      } else if (means_again(errno)) {
        return Io::again;
      } else if (errno != EINTR) {
        throw std::system_error(errno, std::generic_category(), Operations::take_name);
      }
    }
    return Io::done;
  }

  [[no_unique_address]] Operations operations_;
  Descriptor stream_;
  Wait wait_;
  ReadyWait ready_;
  std::size_t received_bytes_ = 0;  // of the message under way, its frame included
  std::array<std::byte, sizeof(Frame)> frame_{};
};

}  // namespace ipcmark
