// unix(7), SOCK_SEQPACKET: connected as a stream is, but messages stay whole. A message must fit the send
// buffer.

#include "harness/sockets.h"
#include "workloads/registry.h"

namespace ipcmark {
namespace {

class UnixSeqpacket {
 public:
  static constexpr std::string_view name = "unix_seqpacket";
  static constexpr Facts facts{.summary = "Unix domain socket of whole messages, connected",
                               .model = Facts::Model::message_passing,
                               .naming = Facts::Naming::path,
                               .addressing = Facts::Addressing::symmetric,
                               .establishment = Facts::Establishment::explicit_link,
                               .unit = Facts::Unit::messages,
                               .message_setting = "net.core.wmem_max",
                               .scope = Facts::Scope::machine,
                               .standard = Facts::Standard::posix,
                               .send_waits = descriptor_waits,
                               .receive_waits = descriptor_waits,
                               .sender_sees_death = true,
                               .receiver_sees_death = true,
                               .rights = Facts::Rights::together};

  explicit UnixSeqpacket(const Shape& shape) : shape_(shape), listener_(name, SOCK_SEQPACKET, shape) {}
  UnixSeqpacket(const Shape& shape, const std::string& address)
      : shape_(shape), listener_(name, SOCK_SEQPACKET, shape, address) {}
  std::string address() const { return listener_.path(); }

  MessageSocketPeer open_peer(unsigned side, Meeting&) {
    return MessageSocketPeer(listener_.open(side), shape_, EndMark::shutdown);
  }

 private:
  Shape shape_;
  UnixListener listener_;
};

IPCMARK_TRANSPORT(UnixSeqpacket);

}  // namespace
}  // namespace ipcmark
