// mq_overview(7): a queue of whole messages with priorities (all are sent with the same one, so it is first
// in, first out). Nobody learns that the other side has gone; the end of the stream is an empty message.

#include <fcntl.h>
#include <fmt/format.h>
#include <mqueue.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "harness/descriptor.h"
#include "harness/end_marks.h"
#include "harness/fail.h"
#include "harness/isolation.h"
#include "harness/owned_name.h"
#include "harness/refusals.h"
#include "harness/wait.h"
#include "workloads/registry.h"

namespace ipcmark {
namespace {

// A descriptor of one's own, so that O_NONBLOCK is each side's own. On Linux an mqd_t is a file descriptor,
// which poll(2) takes (mq_overview(7)).
Descriptor open_queue(const std::string& name, int mode, Wait wait) {
  Descriptor queue(mq_open(name.c_str(), mode | O_CLOEXEC | (wait == Wait::block ? 0 : O_NONBLOCK)));
  if (!queue) fail("mq_open " + name);
  return queue;
}

CapacityFacts::Limit queue_limit(const Descriptor& queue) {
  mq_attr attributes;
  if (mq_getattr(queue.get(), &attributes) != 0) fail("mq_getattr");
  return {static_cast<std::uint64_t>(attributes.mq_maxmsg), "messages", "mq_getattr"};
}

class QueueSender {
 public:
  QueueSender(Descriptor queue, const Shape& shape, const Meeting& meeting)
      : queue_(std::move(queue)),
        ready_(shape.send_wait, POLLOUT),
        message_bytes_(shape.message_bytes),
        end_marks_(meeting, shape.receivers) {}

  Io send(std::span<const std::byte> message) {
    while (mq_send(queue_.get(), reinterpret_cast<const char*>(message.data()), message.size(), 0) != 0) {
      if (errno == EAGAIN) return Io::again;
      if (errno != EINTR) fail("mq_send");
    }
    return Io::done;
  }
  Io send_sized(std::span<const std::byte> message) { return send(message); }
  Io finish() {
    constexpr std::byte nothing{};
    return end_marks_.leave([&] { return send({&nothing, 0}); });
  }
  void wait_to_send() { ready_(queue_.get()); }
  Io drop_oldest() {
    oldest_.resize(message_bytes_);
    while (mq_receive(queue_.get(), oldest_.data(), oldest_.size(), nullptr) < 0) {
      if (errno == EAGAIN) return Io::again;
      if (errno != EINTR) fail("mq_receive of the oldest message");
    }
    return Io::done;
  }
  std::optional<CapacityFacts::Limit> limit() const { return queue_limit(queue_); }

 private:
  Descriptor queue_;
  ReadyWait ready_;
  std::size_t message_bytes_;
  std::vector<char> oldest_;  // what was dropped last
  EndMarks end_marks_;
};

class QueueReceiver {
 public:
  QueueReceiver(Descriptor queue, const Shape& shape)
      : queue_(std::move(queue)), ready_(shape.receive_wait, POLLIN) {}

  // The queue's mq_msgsize is the largest message's size, so each can be received where it is wanted.
  Io receive_sized(std::span<std::byte> buffer, std::size_t& message_bytes) {
    if (ended_) return Io::closed;
    ssize_t got;
    while ((got = mq_receive(queue_.get(), reinterpret_cast<char*>(buffer.data()), buffer.size(), nullptr)) <
           0) {
      if (errno == EAGAIN) return Io::again;
      if (errno != EINTR) fail("mq_receive");
    }
    ended_ = got == 0;
    message_bytes = static_cast<std::size_t>(got);
    return ended_ ? Io::closed : Io::done;
  }
  Io receive(std::span<std::byte> message) {
    std::size_t got = 0;
    const Io io = receive_sized(message, got);
    if (io != Io::done || got == message.size()) return io;
    fail_wrong_size("mq_receive", got, message.size());
  }
  void wait_to_receive() { ready_(queue_.get()); }
  std::optional<CapacityFacts::Limit> limit() const { return queue_limit(queue_); }

 private:
  Descriptor queue_;
  ReadyWait ready_;
  bool ended_ = false;
};

class PosixMq {
 public:
  static constexpr std::string_view name = "posix_mq";
  static constexpr Facts facts{.summary = "POSIX message queue",
                               .model = Facts::Model::message_passing,
                               .naming = Facts::Naming::path,
                               .most_senders = Facts::any_number,
                               .most_receivers = Facts::any_number,
                               .unit = Facts::Unit::messages,
                               .largest_message = 16u << 20,  // HARD_MSGSIZEMAX in mq_overview(7)
                               .message_setting = "fs.mqueue.msgsize_max",
                               .scope = Facts::Scope::machine,
                               .standard = Facts::Standard::posix,
                               .send_waits = descriptor_waits,
                               .receive_waits = descriptor_waits,
                               .outlives_its_makers = Facts::Outlives::messages,
                               .rights = Facts::Rights::apart,
                               .third_process_can = Facts::Interception::take};

  explicit PosixMq(const Shape& shape) : shape_(shape), name_("/" + unique_name(), mq_unlink) {
    require_buffered(name, shape.capacity, "a queue holds at most fs.mqueue.msg_max messages");
    require_within(name, fmt::format("{} B", shape.message_bytes), shape.message_bytes,
                   "fs.mqueue.msgsize_max");
    std::uint64_t messages = shape.capacity.messages;
    if (shape.capacity.kind == Capacity::Kind::bounded) {
      require_within(name, fmt::format("capacity {}", messages), messages, "fs.mqueue.msg_max");
    } else {
      // As the kernel does for a queue whose size nobody asks for.
      messages = std::min(read_sysctl("fs.mqueue.msg_default").value_or(10),
                          read_sysctl("fs.mqueue.msg_max").value_or(10));
    }
    mq_attr attributes{};
    attributes.mq_maxmsg = static_cast<long>(messages);
    attributes.mq_msgsize = static_cast<long>(shape.message_bytes);
    const Descriptor made(mq_open(name_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attributes));
    if (made) return;
    if (errno == EMFILE) {  // of RLIMIT_MSGQUEUE, unless the process has run out of descriptors
      rlimit bytes{};
      getrlimit(RLIMIT_MSGQUEUE, &bytes);
      throw Unsupported(
          fmt::format("{}: {} messages of {} B are over RLIMIT_MSGQUEUE ({} B for all queues of "
                      "a user, their overhead included); raise it with ulimit -q",
                      name, messages, shape.message_bytes, bytes.rlim_cur));
    }
    if (errno == ENOSPC) throw Unsupported(fmt::format("{}: no queue left under fs.mqueue.queues_max", name));
    fail("mq_open " + name_.text());
  }
  PosixMq(const Shape& shape, const std::string& address) : shape_(shape), name_(address) {}
  std::string address() const { return name_.text(); }

  QueueSender open_sender(unsigned, Meeting& meeting) {
    const int access = shape_.overflow == Overflow::drop_old ? O_RDWR : O_WRONLY;
    return QueueSender(open_queue(name_.text(), access, shape_.send_wait), shape_, meeting);
  }
  QueueReceiver open_receiver(unsigned, Meeting&) {
    return QueueReceiver(open_queue(name_.text(), O_RDONLY, shape_.receive_wait), shape_);
  }

 private:
  Shape shape_;
  OwnedName name_;
};

IPCMARK_TRANSPORT(PosixMq);

}  // namespace
}  // namespace ipcmark
