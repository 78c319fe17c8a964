// The two ends of a pipe or FIFO (pipe(7), fifo(7)) and its capacity.
#pragma once

#include <climits>
#include <optional>
#include <string_view>

#include "harness/byte_stream.h"

namespace ipcmark {

// Whether an attempt sleeps is the open file description's business here (O_NONBLOCK), so the wait is not
// looked at. The process must ignore SIGPIPE, as every role does.
struct PipeOperations {
  static constexpr const char* put_name = "write to a pipe";
  static constexpr const char* take_name = "read from a pipe";
  static ssize_t put(int fd, const std::byte* bytes, std::size_t count, Wait) {
    return ::write(fd, bytes, count);
  }
  static ssize_t put_parts(int fd, std::span<iovec> parts, Wait) {
    return ::writev(fd, parts.data(), static_cast<int>(parts.size()));
  }
  static ssize_t take(int fd, std::byte* bytes, std::size_t count, Wait) { return ::read(fd, bytes, count); }
  static Io end(Descriptor& stream, Wait) {
    stream.reset();
    return Io::done;
  }
};

// What a pipe without a name is, whatever goes through it, for the facts of its transports.
constexpr Facts pipe_facts(std::string_view summary, Facts::Standard standard) {
  return {.summary = summary,
          .model = Facts::Model::message_passing,
          .naming = Facts::Naming::none,
          .most_senders = Facts::any_number,
          .most_receivers = Facts::any_number,
          .unit = Facts::Unit::bytes,
          .largest_shared_message = PIPE_BUF,
          .scope = Facts::Scope::machine,
          .standard = standard,
          .send_waits = descriptor_waits,
          .receive_waits = descriptor_waits,
          .surplus_writer_withholds_end = true,
          .sender_sees_death = true,
          .receiver_sees_death = true,
          .third_process_can = Facts::Interception::take};
}

// Sets the capacity of the pipe behind `fd` to hold at least so many messages. The kernel rounds up to a
// power of two of pages (F_SETPIPE_SZ in fcntl(2)), so more may fit: how many is probed, not promised. Throws
// Unsupported, beginning with the transport's name, for capacities that a pipe cannot have.
void set_pipe_capacity(std::string_view transport, int fd, const Capacity& capacity,
                       std::size_t message_bytes);

// In bytes, from F_GETPIPE_SZ. Throws std::system_error.
CapacityFacts::Limit pipe_limit(int fd);

class PipeSender : public ByteStreamSender<PipeOperations> {
 public:
  PipeSender(Descriptor stream, Wait wait)
      : ByteStreamSender(std::move(stream), wait), limit_(pipe_limit(fd())) {}
  std::optional<CapacityFacts::Limit> limit() const { return limit_; }

 private:
  CapacityFacts::Limit limit_;
};

class PipeReceiver : public ByteStreamReceiver<PipeOperations> {
 public:
  PipeReceiver(Descriptor stream, Wait wait)
      : ByteStreamReceiver(std::move(stream), wait), limit_(pipe_limit(fd())) {}
  std::optional<CapacityFacts::Limit> limit() const { return limit_; }

 private:
  CapacityFacts::Limit limit_;
};

}  // namespace ipcmark
