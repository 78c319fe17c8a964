#include "harness/sockets.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <climits>
#include <vector>

#include "harness/fail.h"
#include "harness/isolation.h"
#include "harness/refusals.h"

namespace ipcmark {

Descriptor duplicate(const Descriptor& original) {
  Descriptor copy(fcntl(original.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy) fail("fcntl(F_DUPFD_CLOEXEC)");
  return copy;
}

Descriptor unix_socket(int type) {
  Descriptor made(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  if (!made) fail("socket");
  return made;
}

CapacityFacts::Limit send_buffer_limit(int fd) {
  int bytes = 0;
  socklen_t size = sizeof bytes;
  if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, &size) != 0) fail("getsockopt(SO_SNDBUF)");
  return {static_cast<std::uint64_t>(bytes), "charge", "SO_SNDBUF"};
}

void set_socket_option(int fd, int level, int option, int value, const char* name) {
  if (setsockopt(fd, level, option, &value, sizeof value) != 0) fail(fmt::format("setsockopt({})", name));
}

// Two descriptors of one socket, so that each half owns one.
StreamSocketPeer::StreamSocketPeer(Descriptor socket, const Shape& shape)
    : ByteStreamSender(duplicate(socket), shape.send_wait),
      ByteStreamReceiver(std::move(socket), shape.receive_wait) {}

void connect_socket(int fd, const sockaddr* address, socklen_t address_bytes, const std::string& object) {
  // After a signal the attempt goes on by itself or not, by family; asked again, a blocking connect waits for
  // it either way.
  while (connect(fd, address, address_bytes) != 0 && errno != EISCONN) {
    if (errno != EINTR) fail("connect to " + object);
  }
}

Descriptor accept_socket(int listener, const std::string& object) {
  int fd;
  while ((fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC)) < 0) {
    if (errno != EINTR && errno != ECONNABORTED) fail("accept on " + object);
  }
  return Descriptor(fd);
}

NamedUnixSocket::NamedUnixSocket(std::string_view transport, int type, const std::string& directory)
    : path_(directory + "/" + unique_name(), unlink), socket_(unix_socket(type)) {
  constexpr std::size_t longest = sizeof(sockaddr_un::sun_path) - 1;
  if (path().size() > longest) {
    throw Unsupported(
        fmt::format("{}: {} is {} B long, the name of a socket is at most {} B; set TMPDIR to a "
                    "shorter path",
                    transport, path(), path().size(), longest));
  }
  const sockaddr_un own = address();
  // The directory is for this user alone (mode 0700), so nobody else can connect.
  if (bind(socket_.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) fail("bind " + path());
}

sockaddr_un NamedUnixSocket::address() const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path().copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

void NamedUnixSocket::connect_from(int fd) const {
  const sockaddr_un own = address();
  connect_socket(fd, reinterpret_cast<const sockaddr*>(&own), sizeof own, path());
}

std::optional<int> unix_send_buffer(std::string_view transport, int type, const Shape& shape) {
  require_buffered(transport, shape.capacity,
                   "it holds what SO_SNDBUF sets, at most net.core.wmem_max bytes");
  const bool bounded = shape.capacity.kind == Capacity::Kind::bounded;
  const bool stream = type == SOCK_STREAM;
  if (stream && !bounded) return std::nullopt;  // takes any message, piece by piece

  std::array<int, 2> ends;
  if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends.data()) != 0) fail("socketpair");
  const Descriptor sender(ends[0]), receiver(ends[1]);
  if (bounded) set_socket_option(sender.get(), SOL_SOCKET, SO_SNDBUF, INT_MAX / 2, "SO_SNDBUF");
  const std::uint64_t largest = send_buffer_limit(sender.get()).value;

  const std::size_t message_bytes = shape.message_bytes;
  const std::string advice =
      bounded ? "raise net.core.wmem_max" : "ask for a capacity in messages, or raise net.core.wmem_default";
  const auto refuse = [&](std::string_view reason) {
    throw Unsupported(fmt::format("{}: {} B in one message: {} (send buffer {} B); {}", transport,
                                  message_bytes, reason, largest, advice));
  };
  if (message_bytes > largest) refuse("Message too long");
  const std::vector<std::byte> message(message_bytes);
  const ssize_t sent =
      ::send(sender.get(), message.data(), message.size(), SocketOperations::flags(Wait::spin));
  if (sent < 0) refuse(strerror(errno));
  if (!bounded) return std::nullopt;
  if (static_cast<std::size_t>(sent) < message_bytes) refuse("does not fit");

  int charge = 0;
  if (ioctl(sender.get(), SIOCOUTQ, &charge) != 0) fail("ioctl(SIOCOUTQ)");
  std::uint64_t needed;
  if (__builtin_mul_overflow(static_cast<std::uint64_t>(charge), shape.capacity.messages, &needed)) {
    needed = UINT64_MAX;
  }
  if (needed > largest) {
    throw Unsupported(
        fmt::format("{}: {} messages of {} B need a send buffer of {} B; net.core.wmem_max allows {} B",
                    transport, shape.capacity.messages, message_bytes, needed, largest));
  }
  return static_cast<int>(needed / 2);  // the kernel doubles what is asked for (socket(7))
}

UnixListener::UnixListener(std::string_view transport, int type, const Shape& shape)
    : type_(type),
      send_buffer_(unix_send_buffer(transport, type, shape)),
      listener_(transport, type, shape.directory) {
  if (listen(listener_.fd(), 1) != 0) fail("listen on " + listener_.path());
}

Descriptor UnixListener::open(unsigned side) const {
  Descriptor connected = side == 1 ? accept_socket(listener_.fd(), listener_.path()) : unix_socket(type_);
  if (side == 0) listener_.connect_from(connected.get());
  if (send_buffer_) set_socket_option(connected.get(), SOL_SOCKET, SO_SNDBUF, *send_buffer_, "SO_SNDBUF");
  return connected;
}

}  // namespace ipcmark
