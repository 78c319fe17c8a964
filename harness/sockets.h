// What the socket transports share: endpoints over a stream or over whole messages, names in the file system
// and send buffers (socket(7), unix(7), send(2)).
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <optional>
#include <string>
#include <string_view>

#include "harness/byte_stream.h"
#include "harness/contract.h"
#include "harness/descriptor.h"
#include "harness/fail.h"
#include "harness/owned_name.h"
#include "harness/wait.h"

namespace ipcmark {

// Of connected stream sockets in the Unix domain that are found by name.
constexpr Facts unix_stream_facts(std::string_view summary, Facts::Standard standard) {
  return {.summary = summary,
          .model = Facts::Model::message_passing,
          .naming = Facts::Naming::path,
          .addressing = Facts::Addressing::symmetric,
          .establishment = Facts::Establishment::explicit_link,
          .unit = Facts::Unit::bytes,
          .scope = Facts::Scope::machine,
          .standard = standard,
          .send_waits = descriptor_waits,
          .receive_waits = descriptor_waits,
          .sender_sees_death = true,
          .receiver_sees_death = true,
          .rights = Facts::Rights::together};
}

// O_NONBLOCK would belong to both directions of a socket, so each call says for itself whether it may sleep.
struct SocketOperations {
  static constexpr const char* put_name = "send";
  static constexpr const char* take_name = "recv";
  static int flags(Wait wait) { return MSG_NOSIGNAL | (wait == Wait::block ? 0 : MSG_DONTWAIT); }
  static ssize_t put(int fd, const std::byte* bytes, std::size_t count, Wait wait) {
    return ::send(fd, bytes, count, flags(wait));
  }
  static ssize_t put_parts(int fd, std::span<iovec> parts, Wait wait) {
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    return ::sendmsg(fd, &message, flags(wait));
  }
  static ssize_t take(int fd, std::byte* bytes, std::size_t count, Wait wait) {
    return ::recv(fd, bytes, count, flags(wait));
  }
  static Io end(Descriptor& stream, Wait) {
    ::shutdown(stream.get(), SHUT_WR);
    return Io::done;
  }
};

// What the kernel keeps for the socket's sender: the bytes and its own bookkeeping for them, "charge". Throws
// std::system_error.
CapacityFacts::Limit send_buffer_limit(int fd);

// A descriptor of one's own of the same socket. Throws std::system_error.
Descriptor duplicate(const Descriptor& original);

// Both directions of a connected stream socket.
class StreamSocketPeer : public ByteStreamSender<SocketOperations>,
                         public ByteStreamReceiver<SocketOperations> {
 public:
  StreamSocketPeer(Descriptor socket, const Shape& shape);
  int fd() const { return ByteStreamReceiver<SocketOperations>::fd(); }
  std::optional<CapacityFacts::Limit> limit() const {
    return send_buffer_limit(ByteStreamSender<SocketOperations>::fd());
  }
};

// How the end of the stream is said on a socket of messages: by shutdown(2), or, where it has no meaning for
// the other side, by an empty message.
enum class EndMark { shutdown, empty_message };

// Both directions of a connected socket that keeps messages whole.
class MessageSocketPeer {
 public:
  MessageSocketPeer(Descriptor socket, const Shape& shape, EndMark end_mark)
      : socket_(std::move(socket)),
        send_flags_(SocketOperations::flags(shape.send_wait)),
        receive_flags_(SocketOperations::flags(shape.receive_wait) | MSG_TRUNC),
        ready_to_send_(shape.send_wait, POLLOUT),
        ready_to_receive_(shape.receive_wait, POLLIN),
        end_mark_(end_mark) {}

  Io send(std::span<const std::byte> message) {
    while (::send(socket_.get(), message.data(), message.size(), send_flags_) < 0) {
      if (means_again(errno)) return Io::again;
      if (means_gone(errno)) return Io::closed;
      if (errno != EINTR) fail("send");
    }
    return Io::done;
  }
  Io send_sized(std::span<const std::byte> message) { return send(message); }
  Io receive(std::span<std::byte> message) {
    std::size_t got = 0;
    if (const Io io = receive_whatever(message, got); io != Io::done) return io;
    if (got == message.size()) return Io::done;
    fail_wrong_size("recv", got, message.size());
  }
  Io receive_sized(std::span<std::byte> buffer, std::size_t& message_bytes) {
    if (const Io io = receive_whatever(buffer, message_bytes); io != Io::done) return io;
    require_size(message_bytes, buffer.size());
    return Io::done;
  }
  Io finish() {
    if (finished_) return Io::done;
    if (end_mark_ == EndMark::shutdown) {
      ::shutdown(socket_.get(), SHUT_WR);
    } else if (send({}) == Io::again) {
      return Io::again;
    }
    finished_ = true;
    return Io::done;
  }
  void wait_to_send() { ready_to_send_(socket_.get()); }
  void wait_to_receive() { ready_to_receive_(socket_.get()); }
  int fd() const { return socket_.get(); }
  std::optional<CapacityFacts::Limit> limit() const { return send_buffer_limit(socket_.get()); }

 private:
  // `got` may be more than the buffer holds.
  Io receive_whatever(std::span<std::byte> buffer, std::size_t& got) {
    if (ended_) return Io::closed;
    ssize_t bytes;
    while ((bytes = ::recv(socket_.get(), buffer.data(), buffer.size(), receive_flags_)) < 0) {
      if (means_again(errno)) return Io::again;
      if (means_gone(errno)) return Io::closed;
      if (errno != EINTR) fail("recv");
    }
    ended_ = bytes == 0;
    got = static_cast<std::size_t>(bytes);
    return ended_ ? Io::closed : Io::done;
  }

  Descriptor socket_;
  int send_flags_;
  int receive_flags_;  // MSG_TRUNC: the true size of a message that is too long is told
  ReadyWait ready_to_send_;
  ReadyWait ready_to_receive_;
  EndMark end_mark_;
  bool finished_ = false;
  bool ended_ = false;
};

// Sleeps until connected. Throws std::system_error naming `object`.
void connect_socket(int fd, const sockaddr* address, socklen_t address_bytes, const std::string& object);

// Sleeps until somebody has connected. Throws std::system_error naming `object`.
Descriptor accept_socket(int listener, const std::string& object);

// A socket of one's own in the Unix domain. Throws std::system_error.
Descriptor unix_socket(int type);

// A socket in the Unix domain bound to a fresh name in the launch's directory. Throws std::system_error, and
// Unsupported when the path is longer than a sockaddr_un takes.
class NamedUnixSocket {
 public:
  NamedUnixSocket(std::string_view transport, int type, const std::string& directory);
  // Another process's, known by its name alone.
  explicit NamedUnixSocket(const std::string& path) : path_(path) {}

  int fd() const { return socket_.get(); }
  Descriptor take() { return std::move(socket_); }
  const std::string& path() const { return path_.text(); }
  void connect_from(int fd) const;

 private:
  sockaddr_un address() const;

  OwnedName path_;
  Descriptor socket_;
};

// The size for SO_SNDBUF with which a socket in the Unix domain holds so many messages; nullopt for the
// default capacity, which is left as it is. What a message is charged is asked of the kernel by sending one
// over a socket pair of the same type (SIOCOUTQ), so the number is met exactly unless the kernel's smallest
// buffer is larger. Throws Unsupported when the type takes no message of this size with that buffer, or when
// net.core.wmem_max does not allow it.
std::optional<int> unix_send_buffer(std::string_view transport, int type, const Shape& shape);

// Throws std::system_error.
void set_socket_option(int fd, int level, int option, int value, const char* name);

// Connection-oriented sockets in the Unix domain: one listens under a name, side 0 connects, side 1 accepts.
class UnixListener {
 public:
  UnixListener(std::string_view transport, int type, const Shape& shape);
  // Another process's: side 0 alone can be opened.
  UnixListener(std::string_view transport, int type, const Shape& shape, const std::string& path)
      : type_(type), send_buffer_(unix_send_buffer(transport, type, shape)), listener_(path) {}
  const std::string& path() const { return listener_.path(); }
  Descriptor open(unsigned side) const;

 private:
  int type_;
  std::optional<int> send_buffer_;
  NamedUnixSocket listener_;
};

}  // namespace ipcmark
