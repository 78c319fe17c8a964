// unix(7), SOCK_DGRAM: whole messages without a connection, reliable and in order within a machine. The
// receiver has a name, and takes from whoever sends there. In a pair the sender has one too, and each side is
// connected to the other's: with both connected the sender's buffer is the limit, with one (several senders)
// it is net.unix.max_dgram_qlen messages. A receiver does not learn that its sender has gone, so the end of
// the stream is an empty message.

#include <fmt/format.h>

#include <optional>

#include "harness/end_marks.h"
#include "harness/refusals.h"
#include "harness/sockets.h"
#include "workloads/registry.h"

namespace ipcmark {
namespace {

// A pair ends each direction by itself; of several senders the last one ends the stream.
class DatagramPeer : public MessageSocketPeer {
 public:
  DatagramPeer(Descriptor socket, const Shape& shape, const Meeting& meeting)
      : MessageSocketPeer(std::move(socket), shape, EndMark::empty_message),
        pair_(shape.senders == 1),
        end_marks_(meeting, shape.receivers) {}

  Io finish() {
    if (pair_) return MessageSocketPeer::finish();
    return end_marks_.leave([this] { return send({}); });
  }

 private:
  bool pair_;
  EndMarks end_marks_;
};

class UnixDgram {
 public:
  static constexpr std::string_view name = "unix_dgram";
  static constexpr Facts facts{.summary = "Unix domain datagrams, in a pair both sides connected",
                               .model = Facts::Model::message_passing,
                               .naming = Facts::Naming::path,
                               .addressing = Facts::Addressing::asymmetric,
                               .most_senders = Facts::any_number,
                               .unit = Facts::Unit::messages,
                               .message_setting = "net.core.wmem_max",
                               .scope = Facts::Scope::machine,
                               .standard = Facts::Standard::posix,
                               .send_waits = descriptor_waits,
                               .receive_waits = descriptor_waits,
                               .sender_sees_death = true,
                               .rights = Facts::Rights::sending};

  explicit UnixDgram(const Shape& shape)
      : shape_(shape), send_buffer_(unix_send_buffer(name, SOCK_DGRAM, shape)) {
    if (shape.senders > 1) require_queue(shape.capacity);
    receiver_.emplace(name, SOCK_DGRAM, shape.directory);
    if (shape.senders == 1) sender_.emplace(name, SOCK_DGRAM, shape.directory);
  }
  UnixDgram(const Shape& shape, const std::string& address)
      : shape_(shape), send_buffer_(unix_send_buffer(name, SOCK_DGRAM, shape)) {
    receiver_.emplace(address);
  }
  std::string address() const { return receiver_->path(); }

  DatagramPeer open_peer(unsigned side, Meeting& meeting) {
    const bool receives = side == shape_.senders;
    Descriptor own = receives ? receiver_->take() : sender_ ? sender_->take() : unix_socket(SOCK_DGRAM);
    if (!receives) receiver_->connect_from(own.get());
    if (receives && sender_) sender_->connect_from(own.get());
    if (send_buffer_) set_socket_option(own.get(), SOL_SOCKET, SO_SNDBUF, *send_buffer_, "SO_SNDBUF");
    return DatagramPeer(std::move(own), shape_, meeting);
  }

 private:
  static void require_queue(const Capacity& capacity) {
    const std::optional<std::uint64_t> longest = read_sysctl("net.unix.max_dgram_qlen");
    if (capacity.kind != Capacity::Kind::bounded || !longest || capacity.messages <= *longest + 1) return;
    throw Unsupported(
        fmt::format("{}: several senders share a queue of {} messages, not {}; raise net.unix.max_dgram_qlen",
                    name, *longest + 1, capacity.messages));
  }

  Shape shape_;
  std::optional<int> send_buffer_;
  std::optional<NamedUnixSocket> sender_, receiver_;
};

IPCMARK_TRANSPORT(UnixDgram);

}  // namespace
}  // namespace ipcmark
