// tcp(7) over the loopback interface, with TCP_NODELAY (tcp) and as the kernel sends unasked (tcp_nagle).
//
// Nagle's algorithm (RFC 896) holds back a short segment while an earlier one is unacknowledged, and the
// other side may delay its acknowledgement up to 40 ms. A ping-pong of messages that go out in one segment
// does not notice: each answer carries the acknowledgement. What goes out in several pieces (a stream of
// small messages, or one message longer than the loopback's 64 KiB) may.

#include "harness/sockets.h"
#include "harness/tcp_listener.h"
#include "workloads/registry.h"

namespace ipcmark {
namespace {

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

  explicit TcpLink(const Shape& shape) : shape_(shape), listener_(name, shape, no_delay) {}
  TcpLink(const Shape& shape, const std::string& address)
      : shape_(shape), listener_(name, shape, no_delay, address) {}
  std::string address() const { return listener_.address(); }

  StreamSocketPeer open_peer(unsigned side, Meeting& meeting) {
    return StreamSocketPeer(listener_.open(side, meeting), shape_);
  }

 private:
  Shape shape_;
  TcpListener listener_;
};

using Tcp = TcpLink<true>;
using TcpNagle = TcpLink<false>;
IPCMARK_TRANSPORT(Tcp);
IPCMARK_TRANSPORT(TcpNagle);

}  // namespace
}  // namespace ipcmark
