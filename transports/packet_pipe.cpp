// pipe(7), packet mode: pipe2(2) with O_DIRECT keeps messages of up to a page whole, each in a page of its
// own. So a pipe of 64 KiB holds 16 messages of any size, and several may share it without tearing.

#include <fcntl.h>
#include <fmt/format.h>

#include <array>
#include <climits>

#include "harness/fail.h"
#include "harness/pipe_ends.h"
#include "workloads/registry.h"

namespace ipcmark {
namespace {

class PacketSender {
 public:
  PacketSender(Descriptor pipe, Wait wait)
      : pipe_(std::move(pipe)), ready_(wait, POLLOUT), limit_(limit_of(pipe_)) {}

  Io send(std::span<const std::byte> message) {
    while (::write(pipe_.get(), message.data(), message.size()) < 0) {
      if (means_again(errno)) return Io::again;
      if (means_gone(errno)) return Io::closed;
      if (errno != EINTR) fail("write of a packet");
    }
    return Io::done;
  }
  Io send_sized(std::span<const std::byte> message) { return send(message); }
  Io finish() {
    pipe_.reset();
    return Io::done;
  }
  void wait_to_send() { ready_(pipe_.get()); }
  std::optional<CapacityFacts::Limit> limit() const { return limit_; }

  // A message is charged a page, whatever its size.
  static CapacityFacts::Limit limit_of(const Descriptor& pipe) {
    CapacityFacts::Limit limit = pipe_limit(pipe.get());
    limit.unit = "charge";
    return limit;
  }

 private:
  Descriptor pipe_;
  ReadyWait ready_;
  CapacityFacts::Limit limit_;
};

class PacketReceiver {
 public:
  PacketReceiver(Descriptor pipe, Wait wait)
      : pipe_(std::move(pipe)), ready_(wait, POLLIN), limit_(PacketSender::limit_of(pipe_)) {}

  Io receive_sized(std::span<std::byte> buffer, std::size_t& message_bytes) {
    ssize_t got;
    while ((got = ::read(pipe_.get(), buffer.data(), buffer.size())) < 0) {
      if (means_again(errno)) return Io::again;
      if (errno != EINTR) fail("read of a packet");
    }
    message_bytes = static_cast<std::size_t>(got);
    return got == 0 ? Io::closed : Io::done;
  }
  Io receive(std::span<std::byte> message) {
    std::size_t got = 0;
    const Io io = receive_sized(message, got);
    if (io == Io::done && got != message.size()) fail_wrong_size("read", got, message.size());
    return io;
  }
  void wait_to_receive() { ready_(pipe_.get()); }
  int fd() const { return pipe_.get(); }
  std::optional<CapacityFacts::Limit> limit() const { return limit_; }

 private:
  Descriptor pipe_;
  ReadyWait ready_;
  CapacityFacts::Limit limit_;
};

class PacketPipe {
 public:
  static constexpr std::string_view name = "packet_pipe";
  static constexpr Facts facts = [] {
    Facts of_packets =
        pipe_facts("one-way pipe of whole messages between relatives", Facts::Standard::linux_only);
    of_packets.unit = Facts::Unit::messages;
    of_packets.largest_message = PIPE_BUF;
    of_packets.largest_shared_message.reset();
    return of_packets;
  }();

  explicit PacketPipe(const Shape& shape) : shape_(shape) {
    if (shape.message_bytes > PIPE_BUF) {
      throw Unsupported(fmt::format("{}: {} B is over a packet's {} B", name, shape.message_bytes, PIPE_BUF));
    }
    std::array<int, 2> ends;
    if (pipe2(ends.data(), O_DIRECT | O_CLOEXEC) != 0) fail("pipe2(O_DIRECT)");
    read_end_.reset(ends[0]);
    write_end_.reset(ends[1]);
    const auto page_bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    set_pipe_capacity(name, ends[1], shape.capacity, page_bytes);  // each packet has a page of its own
    // O_DIRECT is part of the flags that set_nonblocking keeps.
    if (shape.send_wait != Wait::block) set_nonblocking(ends[1]);
    if (shape.receive_wait != Wait::block) set_nonblocking(ends[0]);
  }

  PacketSender open_sender(unsigned, Meeting&) { return {std::move(write_end_), shape_.send_wait}; }
  PacketReceiver open_receiver(unsigned, Meeting&) { return {std::move(read_end_), shape_.receive_wait}; }

 private:
  Shape shape_;
  Descriptor read_end_, write_end_;
};

IPCMARK_TRANSPORT(PacketPipe);

}  // namespace
}  // namespace ipcmark
