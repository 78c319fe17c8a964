// unix(7), SOCK_DGRAM: whole messages without a connection, reliable and in order within a machine. Each side
// has a name and is connected to the other's: with both connected the sender's buffer is the limit, with one
// it would be net.unix.max_dgram_qlen messages. A receiver does not learn that its sender has gone, so the
// end of the stream is an empty message.

#include <array>

#include "harness/sockets.h"
#include "workloads/registry.h"

namespace ipcmark {
namespace {

class UnixDgram {
 public:
  static constexpr std::string_view name = "unix_dgram";
  static constexpr Facts facts{.summary = "Unix domain datagrams, both sides connected",
                               .model = Facts::Model::message_passing,
                               .naming = Facts::Naming::path,
                               .unit = Facts::Unit::messages,
                               .scope = Facts::Scope::machine,
                               .standard = Facts::Standard::posix,
                               .send_waits = descriptor_waits,
                               .receive_waits = descriptor_waits,
                               .sender_sees_death = true};

  explicit UnixDgram(const Shape& shape)
      : shape_(shape),
        send_buffer_(unix_send_buffer(name, SOCK_DGRAM, shape)),
        sides_{NamedUnixSocket(name, SOCK_DGRAM, shape.directory),
               NamedUnixSocket(name, SOCK_DGRAM, shape.directory)} {}

  MessageSocketPeer open_peer(unsigned side, Meeting&) {
    Descriptor own = sides_[side].take();
    sides_[1 - side].connect_from(own.get());
    if (send_buffer_) set_socket_option(own.get(), SOL_SOCKET, SO_SNDBUF, *send_buffer_, "SO_SNDBUF");
    return MessageSocketPeer(std::move(own), shape_, EndMark::empty_message);
  }

 private:
  Shape shape_;
  std::optional<int> send_buffer_;
  std::array<NamedUnixSocket, 2> sides_;
};

IPCMARK_TRANSPORT(UnixDgram);

}  // namespace
}  // namespace ipcmark
