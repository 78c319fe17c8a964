// socketpair(2): a Unix domain stream that is connected from the start, between relatives. A pipe both ways:
// no name, no listening, and what it holds is the sender's send buffer.

#include <sys/socket.h>

#include <array>

#include "harness/sockets.h"
#include "workloads/registry.h"

namespace ipcmark {
namespace {

class SocketPair {
 public:
  static constexpr std::string_view name = "socketpair";
  static constexpr Facts facts{.summary = "two-way byte stream between relatives",
                               .model = Facts::Model::message_passing,
                               .naming = Facts::Naming::none,
                               .addressing = Facts::Addressing::symmetric,
                               .unit = Facts::Unit::bytes,
                               .scope = Facts::Scope::machine,
                               .standard = Facts::Standard::posix,
                               .send_waits = descriptor_waits,
                               .receive_waits = descriptor_waits,
                               .sender_sees_death = true,
                               .receiver_sees_death = true,
                               .third_process_can = Facts::Interception::take};

  explicit SocketPair(const Shape& shape) : shape_(shape) {
    const std::optional<int> send_buffer = unix_send_buffer(name, SOCK_STREAM, shape);
    std::array<int, 2> ends;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) fail("socketpair");
    for (std::size_t side = 0; side < ends.size(); ++side) {
      sides_[side].reset(ends[side]);
      if (send_buffer) set_socket_option(ends[side], SOL_SOCKET, SO_SNDBUF, *send_buffer, "SO_SNDBUF");
    }
  }

  StreamSocketPeer open_peer(unsigned side, Meeting&) {
    return StreamSocketPeer(std::move(sides_.at(side)), shape_);
  }

 private:
  Shape shape_;
  std::array<Descriptor, 2> sides_;
};

IPCMARK_TRANSPORT(SocketPair);

}  // namespace
}  // namespace ipcmark
