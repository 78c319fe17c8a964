// unix(7), SCM_RIGHTS: each message is a memfd of its own (memfd_create(2)), whose descriptor is sent over a
// socket pair. By copy the message is written into the file and read out of it; by loan the sender builds it
// in the mapped file, and the receiver maps what it gets: no byte is copied, however large it is.
//
// What waits in the socket is a descriptor and the message's size, so as many messages fit as such small ones
// do. Their files take memory that no socket counts: unasked, the buffer is made smaller where as many as it
// holds would be more than a ring in shared memory takes (harness/ring_link.h). And a user may have
// RLIMIT_NOFILE descriptors under way (ETOOMANYREFS).

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <optional>

#include "harness/memory_map.h"
#include "harness/ring_link.h"
#include "harness/shared_memory.h"
#include "harness/sockets.h"
#include "workloads/registry.h"

namespace ipcmark {
namespace {

using Size = std::uint64_t;  // what goes with a descriptor

Descriptor new_file(std::size_t bytes) {
  Descriptor file(memfd_create("ipcmark", MFD_CLOEXEC));
  if (!file) fail("memfd_create");
  if (ftruncate(file.get(), static_cast<off_t>(bytes)) != 0) fail("ftruncate of a memfd");
  return file;
}

// Both directions.
class DescriptorPeer {
 public:
  DescriptorPeer(Descriptor socket, const Shape& shape)
      : socket_(std::move(socket)),
        message_bytes_(shape.message_bytes),
        send_flags_(SocketOperations::flags(shape.send_wait)),
        receive_flags_(SocketOperations::flags(shape.receive_wait) | MSG_CMSG_CLOEXEC),
        ready_to_send_(shape.send_wait, POLLOUT),
        ready_to_receive_(shape.receive_wait, POLLIN) {}

  // After `again` another message may come in this one's place, so it is written anew.
  Io send(std::span<const std::byte> message) {
    if (!outgoing_) outgoing_ = new_file(message.size());
    move_all(message.size(), "write to a memfd", [&](std::size_t done) {
      return pwrite(outgoing_.get(), message.data() + done, message.size() - done, static_cast<off_t>(done));
    });
    return pass_on(message.size());
  }

  Io loan(std::span<std::byte>& slot) {
    if (!outgoing_) {
      outgoing_ = new_file(message_bytes_);
      outgoing_memory_ = map_shared_file(outgoing_.get(), message_bytes_, message_bytes_, "a memfd");
    }
    slot = outgoing_memory_.bytes();
    return Io::done;
  }
  Io commit() {
    const Io io = pass_on(message_bytes_);
    if (io == Io::done) outgoing_memory_ = {};
    return io;
  }

  Io receive(std::span<std::byte> message) {
    if (const Io io = take_in(); io != Io::done) return io;
    if (incoming_bytes_ != message.size()) fail_wrong_size("recvmsg", incoming_bytes_, message.size());
    move_all(message.size(), "read of a memfd", [&](std::size_t done) {
      return pread(incoming_.get(), message.data() + done, message.size() - done, static_cast<off_t>(done));
    });
    incoming_.reset();
    return Io::done;
  }

  Io peek(std::span<const std::byte>& message) {
    if (!incoming_) {
      if (const Io io = take_in(); io != Io::done) return io;
      void* const memory =
          mmap(nullptr, incoming_bytes_, PROT_READ, MAP_SHARED | MAP_POPULATE, incoming_.get(), 0);
      if (memory == MAP_FAILED) fail("mmap of a memfd");
      incoming_memory_ = MemoryMap(memory, incoming_bytes_);
    }
    message = incoming_memory_.bytes();
    return Io::done;
  }
  Io release() {
    incoming_memory_ = {};
    incoming_.reset();
    return Io::done;
  }

  Io finish() {
    ::shutdown(socket_.get(), SHUT_WR);
    return Io::done;
  }
  void wait_to_send() { ready_to_send_(socket_.get()); }
  void wait_to_receive() { ready_to_receive_(socket_.get()); }
  int fd() const { return socket_.get(); }
  std::optional<CapacityFacts::Limit> limit() const { return send_buffer_limit(socket_.get()); }

 private:
  // One control message with one descriptor (cmsg(3)).
  struct Envelope {
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    Size size = 0;
    iovec part{&size, sizeof size};
    msghdr header{};

    Envelope() {
      header.msg_iov = &part;
      header.msg_iovlen = 1;
      header.msg_control = control.data();
      header.msg_controllen = control.size();
    }
    Envelope(const Envelope&) = delete;
    Envelope& operator=(const Envelope&) = delete;
  };

  template <class Move>
  static void move_all(std::size_t bytes, const char* what, Move move) {
    for (std::size_t done = 0; done < bytes;) {
      const ssize_t moved = move(done);
      if (moved == 0) throw std::system_error(EPROTO, std::generic_category(), what);
      if (moved > 0) done += static_cast<std::size_t>(moved);
      if (moved < 0 && errno != EINTR) fail(what);
    }
  }

  Io pass_on(std::size_t message_bytes) {
    Envelope envelope;
    envelope.size = message_bytes;
    cmsghdr* const rights = CMSG_FIRSTHDR(&envelope.header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    const int passed = outgoing_.get();
    std::memcpy(CMSG_DATA(rights), &passed, sizeof passed);
    while (::sendmsg(socket_.get(), &envelope.header, send_flags_) < 0) {
      if (means_again(errno)) return Io::again;
      if (means_gone(errno)) return Io::closed;
      if (errno != EINTR) fail("sendmsg of a descriptor");
    }
    outgoing_.reset();
    return Io::done;
  }

  // The next message's file.
  Io take_in() {
    Envelope envelope;
    ssize_t got;
    while ((got = ::recvmsg(socket_.get(), &envelope.header, receive_flags_)) < 0) {
      if (means_again(errno)) return Io::again;
      if (means_gone(errno)) return Io::closed;
      if (errno != EINTR) fail("recvmsg of a descriptor");
    }
    if (got == 0) return Io::closed;
    const cmsghdr* const rights = CMSG_FIRSTHDR(&envelope.header);
    if (rights == nullptr || rights->cmsg_type != SCM_RIGHTS) {
      throw std::system_error(EPROTO, std::generic_category(),
                              "recvmsg: no descriptor came (RLIMIT_NOFILE bounds them)");
    }
    int received;
    std::memcpy(&received, CMSG_DATA(rights), sizeof received);
    incoming_.reset(received);
    incoming_bytes_ = envelope.size;
    return Io::done;
  }

  Descriptor socket_;
  std::size_t message_bytes_;
  int send_flags_;
  int receive_flags_;
  ReadyWait ready_to_send_;
  ReadyWait ready_to_receive_;
  Descriptor outgoing_, incoming_;
  MemoryMap outgoing_memory_, incoming_memory_;
  std::size_t incoming_bytes_ = 0;
};

class FdPassing {
 public:
  static constexpr std::string_view name = "fd_passing";
  static constexpr Facts facts{.summary = "a memfd for each message, its descriptor sent",
                               .model = Facts::Model::message_passing,
                               .naming = Facts::Naming::none,
                               .addressing = Facts::Addressing::symmetric,
                               .unit = Facts::Unit::messages,
                               .scope = Facts::Scope::machine,
                               .standard = Facts::Standard::linux_only,
                               .send_waits = descriptor_waits,
                               .receive_waits = descriptor_waits,
                               .sender_sees_death = true,
                               .receiver_sees_death = true,
                               .third_process_can = Facts::Interception::take};

  explicit FdPassing(const Shape& shape) : shape_(shape) {
    Shape in_socket = shape;
    in_socket.message_bytes = sizeof(Size);
    in_socket.capacity = capacity_of(shape);
    const std::optional<int> send_buffer = unix_send_buffer(name, SOCK_SEQPACKET, in_socket);
    std::array<int, 2> ends;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) fail("socketpair");
    for (std::size_t side = 0; side < ends.size(); ++side) {
      sides_[side].reset(ends[side]);
      if (send_buffer) set_socket_option(ends[side], SOL_SOCKET, SO_SNDBUF, *send_buffer, "SO_SNDBUF");
    }
  }

  DescriptorPeer open_peer(unsigned side, Meeting&) { return {std::move(sides_.at(side)), shape_}; }

 private:
  static Capacity capacity_of(const Shape& shape) {
    constexpr std::uint64_t buffer_holds_unasked = 256;  // at least
    Capacity capacity = shape.capacity;
    if (capacity.kind == Capacity::Kind::standard) {
      const std::uint64_t most = default_ring_slots(shape.message_bytes);
      if (most < buffer_holds_unasked) capacity = Capacity::bounded(most);
    }
    if (capacity.kind != Capacity::Kind::bounded) return capacity;
    rlimit files{};
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) fail("getrlimit(RLIMIT_NOFILE)");
    if (capacity.messages >= files.rlim_cur) {
      throw Unsupported(fmt::format(
          "{}: capacity {} is over the descriptors that a user may have under way (RLIMIT_NOFILE, "
          "{})",
          name, capacity.messages, files.rlim_cur));
    }
    std::size_t bytes;
    if (__builtin_mul_overflow(capacity.messages, shape.message_bytes, &bytes)) bytes = SIZE_MAX;
    require_memory(name, bytes);
    return capacity;
  }

  Shape shape_;
  std::array<Descriptor, 2> sides_;
};

IPCMARK_TRANSPORT(FdPassing);

}  // namespace
}  // namespace ipcmark
