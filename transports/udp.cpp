// udp(7) over the loopback interface: whole messages without a connection, between any two processes that
// know a port. Both sides name each other once and for all by connect(2) (udp), or every message is given its
// address and tells its sender's (udp_unconnected).
//
// What finds the receiver's buffer full is dropped, and its sender is told that it was sent. So a sender
// never waits for room, and the end of the stream, an empty message, is told by the meeting too.
//
// A port is open to every process of the machine. Only roles of this launch can write to the meeting, so a
// sender says there which port it has, and what comes from another is thrown away: by the kernel where a
// socket is connected, else here.
//
// A buffer of N messages: as many times what the kernel charges for one, which is asked of it by sending one
// (SO_MEMINFO). It doubles what is asked for, and looks only whether the buffer is over its size already, so
// one more may fit. What has been read it gives back late, up to a quarter of the buffer at a time
// (udp_rmem_release() in net/ipv4/udp.c): while messages are being read, fewer may find room.

#include <fmt/format.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <climits>
#include <deque>
#include <vector>

#include "harness/end_marks.h"
#include "harness/refusals.h"
#include "harness/sockets.h"
#include "workloads/registry.h"

namespace ipcmark {
namespace {

constexpr std::size_t largest_payload = 65'535 - 20 - 8;  // of IPv4, less both headers

sockaddr_in loopback_address(in_port_t port_in_network_order) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = port_in_network_order;
  return address;
}

bool is_same(const sockaddr_in& one, const sockaddr_in& other) {
  return one.sin_port == other.sin_port && one.sin_addr.s_addr == other.sin_addr.s_addr;
}

// On a port that the kernel picks.
Descriptor bound_socket() {
  Descriptor made(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!made) fail("socket");
  const sockaddr_in any_port = loopback_address(0);
  if (bind(made.get(), reinterpret_cast<const sockaddr*>(&any_port), sizeof any_port) != 0) fail("bind");
  return made;
}

sockaddr_in address_of(const Descriptor& socket) {
  sockaddr_in address{};
  socklen_t bytes = sizeof address;
  if (getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &bytes) != 0) fail("getsockname");
  return address;
}

void connect_to(const Descriptor& socket, const sockaddr_in& address) {
  connect_socket(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address,
                 fmt::format("UDP port {}", ntohs(address.sin_port)));
}

CapacityFacts::Limit receive_buffer_limit(const Descriptor& socket) {
  int bytes = 0;
  socklen_t size = sizeof bytes;
  if (getsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &bytes, &size) != 0) fail("getsockopt(SO_RCVBUF)");
  return {static_cast<std::uint64_t>(bytes), "charge", "SO_RCVBUF"};
}

// What a receiver's buffer is charged for one message.
std::uint64_t charge_of(std::size_t message_bytes) {
  const Descriptor sender = bound_socket(), receiver = bound_socket();
  connect_to(receiver, address_of(sender));
  connect_to(sender, address_of(receiver));
  const std::vector<std::byte> message(message_bytes);
  if (::send(sender.get(), message.data(), message.size(), MSG_NOSIGNAL) < 0) fail("send of a UDP message");
  ReadyWait(Wait::poll, POLLIN)(receiver.get());
  std::array<std::uint32_t, SK_MEMINFO_VARS> memory{};
  socklen_t size = sizeof memory;
  if (getsockopt(receiver.get(), SOL_SOCKET, SO_MEMINFO, memory.data(), &size) != 0) {
    fail("getsockopt(SO_MEMINFO)");
  }
  return memory[SK_MEMINFO_RMEM_ALLOC];
}

// A message that came before its receiver had named its sender.
using Early = std::deque<std::vector<std::byte>>;

// Both directions. `to` is where it sends; nullopt: to whoever it hears first, or else to sender 0.
template <bool connected>
class UdpPeer {
 public:
  UdpPeer(Descriptor socket, const Shape& shape, unsigned side, const Meeting& meeting,
          std::optional<sockaddr_in> to, Early early)
      : socket_(std::move(socket)),
        send_flags_(SocketOperations::flags(shape.send_wait)),
        receive_flags_(SocketOperations::flags(shape.receive_wait) | MSG_TRUNC),
        ready_to_send_(shape.send_wait, POLLOUT),
        ready_to_receive_(shape.receive_wait, POLLIN, static_cast<int>(loss_look_ns / 1'000'000)),
        receives_(side == shape.senders),
        sender_count_(shape.senders),
        meeting_(meeting),
        to_(to),
        early_(std::move(early)),
        end_marks_(meeting, shape.receivers),
        notice_(meeting, receives_ ? "receiver" : "senders", receives_ ? "senders" : "receiver") {
    if (shape.receive_wait == Wait::block) {
      const timeval look{0, loss_look_ns / 1'000};
      if (setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &look, sizeof look) != 0) {
        fail("setsockopt(SO_RCVTIMEO)");
      }
    }
  }

  Io send(std::span<const std::byte> message) {
    while (put(message) < 0) {
      if (means_again(errno)) return Io::again;
      if (means_gone(errno)) return Io::closed;
      if (errno != EINTR) fail("send of a UDP message");
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

  // A pair ends each direction by itself; of several senders the last one ends the stream.
  Io finish() {
    const auto leave = [this] {
      notice_.leave();
      return send({});
    };
    if (sender_count_ > 1 && !receives_) {
      const Io io = end_marks_.leave(leave);
      return io == Io::closed ? Io::done : io;
    }
    if (!finished_ && leave() == Io::again) return Io::again;
    finished_ = true;
    return Io::done;
  }

  void wait_to_send() { ready_to_send_(socket_.get()); }
  void wait_to_receive() { ready_to_receive_(socket_.get()); }
  std::optional<CapacityFacts::Limit> limit() const { return receive_buffer_limit(socket_); }

 private:
  ssize_t put(std::span<const std::byte> message) {
    if constexpr (connected) {
      return ::send(socket_.get(), message.data(), message.size(), send_flags_);
    } else {
      if (!to_) to_ = loopback_address(meeting_.await_value<in_port_t>("port 0"));
      return ::sendto(socket_.get(), message.data(), message.size(), send_flags_,
                      reinterpret_cast<const sockaddr*>(&*to_), sizeof *to_);
    }
  }

  ssize_t take(std::span<std::byte> buffer, sockaddr_in& from) {
    if constexpr (connected) {
      return ::recv(socket_.get(), buffer.data(), buffer.size(), receive_flags_);
    } else {
      socklen_t address_bytes = sizeof from;
      return ::recvfrom(socket_.get(), buffer.data(), buffer.size(), receive_flags_,
                        reinterpret_cast<sockaddr*>(&from), &address_bytes);
    }
  }

  // `got` may be more than the buffer holds.
  Io receive_whatever(std::span<std::byte> buffer, std::size_t& got) {
    if (ended_) return Io::closed;
    if (!early_.empty()) {
      got = early_.front().size();
      std::copy_n(early_.front().begin(), std::min(got, buffer.size()), buffer.begin());
      early_.pop_front();
    } else {
      sockaddr_in from{};
      for (;;) {
        const ssize_t bytes = take(buffer, from);
        if (bytes >= 0) {
          if (!connected && !is_of_this_link(from)) continue;
          got = static_cast<std::size_t>(bytes);
          break;
        }
        if (means_again(errno)) {
          ended_ = notice_.is_over();
          return ended_ ? Io::closed : Io::again;
        }
        if (means_gone(errno)) return Io::closed;
        if (errno != EINTR) fail("recv of a UDP message");
      }
    }
    ended_ = got == 0;
    return ended_ ? Io::closed : Io::done;
  }

  // A receiver answers whom it has heard last.
  bool is_of_this_link(const sockaddr_in& from) {
    if (to_ && is_same(from, *to_)) return true;
    if (!receives_) return false;
    const auto is_it = [&](const sockaddr_in& sender) { return is_same(from, sender); };
    if (std::ranges::none_of(senders_, is_it)) {
      // A sender tells its port before it sends.
      senders_.clear();
      for (unsigned i = 0; i < sender_count_; ++i) {
        const std::string port = fmt::format("port {}", i);
        if (meeting_.has(port)) senders_.push_back(loopback_address(meeting_.await_value<in_port_t>(port)));
      }
      if (std::ranges::none_of(senders_, is_it)) return false;
    }
    to_ = from;
    return true;
  }

  Descriptor socket_;
  int send_flags_;
  int receive_flags_;  // MSG_TRUNC: the true size of a message that is too long is told
  ReadyWait ready_to_send_;
  ReadyWait ready_to_receive_;
  bool receives_;  // the side that several senders send to
  unsigned sender_count_;
  Meeting meeting_;
  std::optional<sockaddr_in> to_;
  std::vector<sockaddr_in> senders_;  // of this link, as far as they are known
  Early early_;
  EndMarks end_marks_;
  EndNotice notice_;
  bool finished_ = false;
  bool ended_ = false;
};

template <bool connected>
class UdpLink {
 public:
  static constexpr std::string_view name = connected ? "udp" : "udp_unconnected";
  static constexpr Facts facts{
      .summary = connected ? "UDP over loopback, both sides connected"
                           : "UDP over loopback, an address with each message",
      .model = Facts::Model::message_passing,
      .naming = Facts::Naming::address,
      .addressing = connected ? Facts::Addressing::symmetric : Facts::Addressing::asymmetric,
      .establishment = connected ? Facts::Establishment::explicit_link : Facts::Establishment::implicit_link,
      .most_senders = connected ? 1 : Facts::any_number,
      .unit = Facts::Unit::messages,
      .largest_message = largest_payload,
      .scope = Facts::Scope::network,
      .standard = Facts::Standard::posix,
      .send_waits = descriptor_waits,
      .receive_waits = descriptor_waits,
      .sender_sees_death = true,
      .lossy = true};

  explicit UdpLink(const Shape& shape) : UdpLink(shape, 0) {
    receiver_ = own_socket();
    address_ = address_of(receiver_);
  }
  UdpLink(const Shape& shape, const std::string& address)
      : UdpLink(shape, static_cast<in_port_t>(std::stoul(address.substr(address.find(':') + 1)))) {}
  std::string address() const { return fmt::format("127.0.0.1:{}", ntohs(address_.sin_port)); }

  UdpPeer<connected> open_peer(unsigned side, Meeting& meeting) {
    return side == shape_.senders ? open_receiver(side, meeting) : open_sender(side, meeting);
  }

 private:
  UdpLink(const Shape& shape, in_port_t port) : shape_(shape), address_(loopback_address(htons(port))) {
    require_buffered(name, shape.capacity,
                     "a full receive buffer loses messages; its size is at most net.core.rmem_max");
    if (shape.message_bytes > largest_payload) {
      throw Unsupported(fmt::format("{}: {} B in one message: at most {} B go into an IPv4 packet", name,
                                    shape.message_bytes, largest_payload));
    }
    if (shape.capacity.kind == Capacity::Kind::bounded) {
      if (__builtin_mul_overflow(charge_of(shape.message_bytes), shape.capacity.messages, &buffer_bytes_)) {
        buffer_bytes_ = UINT64_MAX;
      }
      own_socket();  // so that what is refused is known before
    }
  }

  UdpPeer<connected> open_sender(unsigned side, Meeting& meeting) {
    Descriptor own = own_socket();
    if constexpr (connected) {
      connect_to(own, address_);
      take_all(own);  // of strangers: the receiver does not know this port yet
    }
    meeting.publish_value(fmt::format("port {}", side), address_of(own).sin_port);
    return {std::move(own), shape_, side, meeting, address_, {}};
  }

  UdpPeer<connected> open_receiver(unsigned side, Meeting& meeting) {
    if constexpr (connected) {
      const sockaddr_in sender = loopback_address(meeting.await_value<in_port_t>("port 0"));
      connect_to(receiver_, sender);
      // From here on nothing of another comes in; of what is there already the sender's is kept.
      Early early = take_all(receiver_, sender);
      return {std::move(receiver_), shape_, side, meeting, sender, std::move(early)};
    } else {
      return {std::move(receiver_), shape_, side, meeting, std::nullopt, {}};
    }
  }

  // What lies in the socket's buffer; gives that of one sender.
  static Early take_all(const Descriptor& socket, const sockaddr_in& sender = {}) {
    Early kept;
    std::vector<std::byte> message(largest_payload);
    for (;;) {
      sockaddr_in from{};
      socklen_t address_bytes = sizeof from;
      const ssize_t got = recvfrom(socket.get(), message.data(), message.size(), MSG_DONTWAIT,
                                   reinterpret_cast<sockaddr*>(&from), &address_bytes);
      if (got >= 0) {
        if (is_same(from, sender)) kept.emplace_back(message.begin(), message.begin() + got);
      } else if (means_again(errno)) {
        return kept;
      } else if (errno != EINTR && !means_gone(errno)) {
        fail("recvfrom");
      }
    }
  }

  Descriptor own_socket() const {
    Descriptor made = bound_socket();
    // Without it an unconnected socket is not told that nobody has the port it sends to (ip(7)).
    if (!connected) set_socket_option(made.get(), IPPROTO_IP, IP_RECVERR, 1, "IP_RECVERR");
    if (buffer_bytes_ == 0) return made;
    const std::uint64_t half = (buffer_bytes_ + 1) / 2;
    if (half <= INT_MAX / 2) {
      set_socket_option(made.get(), SOL_SOCKET, SO_RCVBUF, static_cast<int>(half), "SO_RCVBUF");
      if (receive_buffer_limit(made).value >= buffer_bytes_) return made;
    }
    throw Unsupported(fmt::format(
        "{}: {} messages of {} B need a receive buffer of {} B, more than net.core.rmem_max allows", name,
        shape_.capacity.messages, shape_.message_bytes, buffer_bytes_));
  }

  Shape shape_;
  std::uint64_t buffer_bytes_ = 0;  // 0: as large as the kernel makes it unasked
  sockaddr_in address_;             // the receiver's
  Descriptor receiver_;
};

using Udp = UdpLink<true>;
using UdpUnconnected = UdpLink<false>;
IPCMARK_TRANSPORT(Udp);
IPCMARK_TRANSPORT(UdpUnconnected);

}  // namespace
}  // namespace ipcmark
