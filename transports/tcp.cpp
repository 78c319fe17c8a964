// tcp(7) over the loopback interface, with TCP_NODELAY (tcp) and as the kernel sends unasked (tcp_nagle).
//
// Nagle's algorithm (RFC 896) holds back a short segment while an earlier one is unacknowledged, and the
// other side may delay its acknowledgement up to 40 ms. A ping-pong of messages that go out in one segment
// does not notice: each answer carries the acknowledgement. What goes out in several pieces (a stream of
// small messages, or one message longer than the loopback's 64 KiB) may.
//
// A stream of N messages of capacity: send and receive buffer are each asked to hold N messages with the
// kernel's own bookkeeping for the smallest segment. A message may wait in either, so about twice as many
// fit.

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <climits>

#include "harness/fail.h"
#include "harness/meeting.h"
#include "harness/refusals.h"
#include "harness/sockets.h"
#include "workloads/registry.h"

namespace ipcmark {
namespace {

template <int (*name_of)(int, sockaddr*, socklen_t*)>
sockaddr_in address_of(int fd, const char* call) {
  sockaddr_in address{};
  socklen_t bytes = sizeof address;
  if (name_of(fd, reinterpret_cast<sockaddr*>(&address), &bytes) != 0) fail(call);
  return address;
}

template <bool no_delay>
class TcpLink {
 public:
  static constexpr std::string_view name = no_delay ? "tcp" : "tcp_nagle";
  static constexpr Facts facts{
      .summary = no_delay ? "TCP over loopback, TCP_NODELAY" : "TCP over loopback, Nagle's algorithm on",
      .model = Facts::Model::message_passing,
      .naming = Facts::Naming::address,
      .addressing = Facts::Addressing::symmetric,
      .establishment = Facts::Establishment::explicit_link,
      .unit = Facts::Unit::bytes,
      .scope = Facts::Scope::network,
      .standard = Facts::Standard::posix,
      .send_waits = descriptor_waits,
      .receive_waits = descriptor_waits,
      .sender_sees_death = true,
      .receiver_sees_death = true};

  explicit TcpLink(const Shape& shape) : shape_(shape), listener_(bound_socket()) {
    constexpr int backlog = 16;  // strangers may stand in the queue
    if (listen(listener_.get(), backlog) != 0) fail("listen");
    address_ = address_of<getsockname>(listener_.get(), "getsockname");
  }

  TcpLink(const Shape& shape, const std::string& address) : shape_(shape) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address_.sin_port = htons(static_cast<in_port_t>(std::stoul(address.substr(address.find(':') + 1))));
  }
  std::string address() const { return fmt::format("127.0.0.1:{}", ntohs(address_.sin_port)); }

  StreamSocketPeer open_peer(unsigned side, Meeting& meeting) {
    return StreamSocketPeer(side == 0 ? connect_to(meeting) : accept_from(meeting), shape_);
  }

 private:
  // The port is open to every process of the machine. Only roles of this launch can write to the meeting, so
  // side 0 says there from which port it is about to connect, and whoever came from another is sent away.
  Descriptor connect_to(Meeting& meeting) const {
    Descriptor socket = bound_socket();
    meeting.publish_value("port", address_of<getsockname>(socket.get(), "getsockname").sin_port);
    connect_socket(socket.get(), reinterpret_cast<const sockaddr*>(&address_), sizeof address_, address());
    return socket;
  }
  Descriptor accept_from(Meeting& meeting) const {
    const auto port = meeting.await_value<in_port_t>("port");
    for (;;) {
      Descriptor socket = accept_socket(listener_.get(), "the loopback port");
      sockaddr_in from{};
      socklen_t bytes = sizeof from;
      const bool still_there = getpeername(socket.get(), reinterpret_cast<sockaddr*>(&from), &bytes) == 0;
      if (still_there && from.sin_port == port) return socket;
    }
  }

  // On a port that the kernel picks. Buffers are set before connecting or listening, so that the window is
  // negotiated to fit; what is accepted inherits all options of the listener (tcp(7)).
  Descriptor bound_socket() const {
    require_buffered(name, shape_.capacity,
                     "both its buffers have a size, at most net.ipv4.tcp_wmem and tcp_rmem");
    Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket) fail("socket");
    if (no_delay) set_socket_option(socket.get(), IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
    if (shape_.capacity.kind == Capacity::Kind::bounded) {
      set_buffer(socket.get(), SO_SNDBUF, "SO_SNDBUF", "net.core.wmem_max");
      set_buffer(socket.get(), SO_RCVBUF, "SO_RCVBUF", "net.core.rmem_max");
    }
    sockaddr_in any_port{};
    any_port.sin_family = AF_INET;
    any_port.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&any_port), sizeof any_port) != 0) fail("bind");
    return socket;
  }
  void set_buffer(int fd, int option, const char* option_name, const char* sysctl) const {
    // The kernel doubles what is asked for, and charges 2,304 B for the smallest segment, its
    // TCP_SKB_MIN_TRUESIZE.
    constexpr std::uint64_t half_smallest_charge = 1'152;
    std::uint64_t charge, wanted;
    if (__builtin_add_overflow(shape_.message_bytes, half_smallest_charge, &charge) ||
        __builtin_mul_overflow(charge, shape_.capacity.messages, &wanted) || wanted > INT_MAX / 2) {
      throw Unsupported(fmt::format("{}: {} messages of {} B are more than a socket buffer can hold (1 GiB)",
                                    name, shape_.capacity.messages, shape_.message_bytes));
    }
    set_socket_option(fd, SOL_SOCKET, option, static_cast<int>(wanted), option_name);
    int granted = 0;
    socklen_t bytes = sizeof granted;
    if (getsockopt(fd, SOL_SOCKET, option, &granted, &bytes) != 0) fail("getsockopt");
    if (static_cast<std::uint64_t>(granted) >= 2 * wanted) return;
    throw Unsupported(fmt::format("{}: {} messages of {} B need a buffer of {} B; {} allows {} B", name,
                                  shape_.capacity.messages, shape_.message_bytes, wanted, sysctl,
                                  granted / 2));
  }

  Shape shape_;
  Descriptor listener_;
  sockaddr_in address_{};
};

using Tcp = TcpLink<true>;
using TcpNagle = TcpLink<false>;
IPCMARK_TRANSPORT(Tcp);
IPCMARK_TRANSPORT(TcpNagle);

}  // namespace
}  // namespace ipcmark
