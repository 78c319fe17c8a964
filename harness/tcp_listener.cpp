#include "harness/tcp_listener.h"

#include <fmt/format.h>
#include <netinet/tcp.h>

#include <climits>

#include "harness/fail.h"
#include "harness/meeting.h"
#include "harness/refusals.h"
#include "harness/sockets.h"

namespace ipcmark {
namespace {

template <int (*name_of)(int, sockaddr*, socklen_t*)>
sockaddr_in address_of(int fd, const char* call) {
  sockaddr_in address{};
  socklen_t bytes = sizeof address;
  if (name_of(fd, reinterpret_cast<sockaddr*>(&address), &bytes) != 0) fail(call);
  return address;
}

}  // namespace

TcpListener::TcpListener(std::string_view transport, const Shape& shape, bool no_delay)
    : transport_(transport),
      capacity_(shape.capacity),
      message_bytes_(shape.message_bytes),
      no_delay_(no_delay),
      listener_(bound_socket()) {
  constexpr int backlog = 16;  // strangers may stand in the queue
  if (listen(listener_.get(), backlog) != 0) fail("listen");
  address_ = address_of<getsockname>(listener_.get(), "getsockname");
}

TcpListener::TcpListener(std::string_view transport, const Shape& shape, bool no_delay,
                         const std::string& address)
    : transport_(transport),
      capacity_(shape.capacity),
      message_bytes_(shape.message_bytes),
      no_delay_(no_delay) {
  address_.sin_family = AF_INET;
  address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address_.sin_port = htons(static_cast<in_port_t>(std::stoul(address.substr(address.find(':') + 1))));
}

std::string TcpListener::address() const { return fmt::format("127.0.0.1:{}", ntohs(address_.sin_port)); }

Descriptor TcpListener::open(unsigned side, Meeting& meeting) const {
  return side == 0 ? connect_to(meeting) : accept_from(meeting);
}

Descriptor TcpListener::connect_to(Meeting& meeting) const {
  Descriptor socket = bound_socket();
  meeting.publish_value("port", address_of<getsockname>(socket.get(), "getsockname").sin_port);
  connect_socket(socket.get(), reinterpret_cast<const sockaddr*>(&address_), sizeof address_, address());
  return socket;
}

Descriptor TcpListener::accept_from(Meeting& meeting) const {
  const auto port = meeting.await_value<in_port_t>("port");
  for (;;) {
    Descriptor socket = accept_socket(listener_.get(), "the loopback port");
    sockaddr_in from{};
    socklen_t bytes = sizeof from;
    const bool still_there = getpeername(socket.get(), reinterpret_cast<sockaddr*>(&from), &bytes) == 0;
    if (still_there && from.sin_port == port) return socket;
  }
}

// Buffers are set before connecting or listening, so that the window is negotiated to fit; what is accepted
// inherits all options of the listener (tcp(7)).
Descriptor TcpListener::bound_socket() const {
  require_buffered(transport_, capacity_,
                   "both its buffers have a size, at most net.ipv4.tcp_wmem and tcp_rmem");
  Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) fail("socket");
  if (no_delay_) set_socket_option(socket.get(), IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
  if (capacity_.kind == Capacity::Kind::bounded) {
    set_buffer(socket.get(), SO_SNDBUF, "SO_SNDBUF", "net.core.wmem_max");
    set_buffer(socket.get(), SO_RCVBUF, "SO_RCVBUF", "net.core.rmem_max");
  }
  sockaddr_in any_port{};
  any_port.sin_family = AF_INET;
  any_port.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&any_port), sizeof any_port) != 0) fail("bind");
  return socket;
}

void TcpListener::set_buffer(int fd, int option, const char* option_name, const char* sysctl) const {
  // The kernel doubles what is asked for, and charges 2,304 B for the smallest segment, its
  // TCP_SKB_MIN_TRUESIZE.
  constexpr std::uint64_t half_smallest_charge = 1'152;
  std::uint64_t charge, wanted;
  if (__builtin_add_overflow(message_bytes_, half_smallest_charge, &charge) ||
      __builtin_mul_overflow(charge, capacity_.messages, &wanted) || wanted > INT_MAX / 2) {
    throw Unsupported(fmt::format("{}: {} messages of {} B are more than a socket buffer can hold (1 GiB)",
                                  transport_, capacity_.messages, message_bytes_));
  }
  set_socket_option(fd, SOL_SOCKET, option, static_cast<int>(wanted), option_name);
  int granted = 0;
  socklen_t bytes = sizeof granted;
  if (getsockopt(fd, SOL_SOCKET, option, &granted, &bytes) != 0) fail("getsockopt");
  if (static_cast<std::uint64_t>(granted) >= 2 * wanted) return;
  throw Unsupported(fmt::format("{}: {} messages of {} B need a buffer of {} B; {} allows {} B", transport_,
                                capacity_.messages, message_bytes_, wanted, sysctl, granted / 2));
}

}  // namespace ipcmark
