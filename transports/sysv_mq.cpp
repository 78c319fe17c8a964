// sysvipc(7), msgop(2): a queue of typed messages. The kernel takes type and text from one piece of memory,
// so each side copies between the caller's buffer and its own: that copy is part of this mechanism's price.

#include <fmt/format.h>
#include <sys/ipc.h>
#include <sys/msg.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "harness/end_marks.h"
#include "harness/fail.h"
#include "harness/isolation.h"
#include "harness/refusals.h"
#include "harness/wait.h"
#include "workloads/registry.h"

namespace ipcmark {
namespace {

constexpr long data_type = 1, end_type = 2;

CapacityFacts::Limit queue_limit(int queue) {
  msqid_ds state;
  if (msgctl(queue, IPC_STAT, &state) != 0) fail("msgctl(IPC_STAT)");
  return {state.msg_qbytes, "bytes", "msg_qbytes"};
}

// What msgsnd and msgrcv call a msgbuf: a long for the type, then the text.
class TypedMessage {
 public:
  explicit TypedMessage(std::size_t text_bytes)
      : words_(1 + (text_bytes + sizeof(long) - 1) / sizeof(long)) {}
  long& type() { return words_[0]; }
  void* text() { return words_.data() + 1; }
  void* raw() { return words_.data(); }

 private:
  std::vector<long> words_;
};

class TypedSender {
 public:
  TypedSender(int queue, const Shape& shape, const Meeting& meeting)
      : queue_(queue),
        flags_(shape.send_wait == Wait::block ? 0 : IPC_NOWAIT),
        ready_(shape.send_wait, 0),
        message_bytes_(shape.message_bytes),
        message_(shape.message_bytes),
        end_marks_(meeting, shape.receivers) {}

  Io send(std::span<const std::byte> message) {
    std::memcpy(message_.text(), message.data(), message.size());
    return put(data_type, message.size());
  }
  Io send_sized(std::span<const std::byte> message) { return send(message); }
  Io finish() {
    return end_marks_.leave([this] { return put(end_type, 0); });
  }
  void wait_to_send() { ready_(-1); }
  Io drop_oldest() {
    constexpr long first_of_any_type = 0;
    while (msgrcv(queue_, message_.raw(), message_bytes_, first_of_any_type, IPC_NOWAIT) < 0) {
      if (errno == ENOMSG) return Io::again;
      if (errno != EINTR) fail("msgrcv of the oldest message");
    }
    return Io::done;
  }
  std::optional<CapacityFacts::Limit> limit() const { return queue_limit(queue_); }

 private:
  Io put(long type, std::size_t text_bytes) {
    message_.type() = type;
    while (msgsnd(queue_, message_.raw(), text_bytes, flags_) != 0) {
      if (errno == EAGAIN) return Io::again;
      if (errno != EINTR) fail("msgsnd");
    }
    return Io::done;
  }

  int queue_;
  int flags_;
  ReadyWait ready_;
  std::size_t message_bytes_;
  TypedMessage message_;
  EndMarks end_marks_;
};

class TypedReceiver {
 public:
  TypedReceiver(int queue, const Shape& shape)
      : queue_(queue),
        flags_(shape.receive_wait == Wait::block ? 0 : IPC_NOWAIT),
        ready_(shape.receive_wait, 0),
        message_(shape.message_bytes) {}

  Io receive(std::span<std::byte> message) {
    std::size_t bytes = 0;
    if (const Io io = take(message.size(), bytes); io != Io::done) return io;
    if (bytes != message.size()) fail_wrong_size("msgrcv", bytes, message.size());
    std::memcpy(message.data(), message_.text(), bytes);
    return Io::done;
  }
  Io receive_sized(std::span<std::byte> buffer, std::size_t& message_bytes) {
    if (const Io io = take(buffer.size(), message_bytes); io != Io::done) return io;
    std::memcpy(buffer.data(), message_.text(), message_bytes);
    return Io::done;
  }
  void wait_to_receive() { ready_(-1); }
  std::optional<CapacityFacts::Limit> limit() const { return queue_limit(queue_); }

 private:
  // Into message_.
  Io take(std::size_t most_bytes, std::size_t& bytes) {
    if (ended_) return Io::closed;
    constexpr long first_of_any_type = 0;
    ssize_t got;
    while ((got = msgrcv(queue_, message_.raw(), most_bytes, first_of_any_type, flags_)) < 0) {
      if (errno == ENOMSG) return Io::again;
      if (errno != EINTR) fail("msgrcv");
    }
    ended_ = message_.type() == end_type;
    bytes = static_cast<std::size_t>(got);
    return ended_ ? Io::closed : Io::done;
  }

  int queue_;
  int flags_;
  ReadyWait ready_;
  TypedMessage message_;
  bool ended_ = false;
};

// Removes the queue when its maker destroys it. Removing ends every wait on it at once, messages or not: so
// it stays until the roles have ended.
class OwnedQueue {
 public:
  explicit OwnedQueue(int id) : id_(id), maker_(getpid()) {}
  OwnedQueue(OwnedQueue&& other) noexcept : id_(std::exchange(other.id_, -1)), maker_(other.maker_) {}
  OwnedQueue& operator=(OwnedQueue&&) = delete;
  ~OwnedQueue() {
    if (id_ >= 0 && getpid() == maker_) msgctl(id_, IPC_RMID, nullptr);
  }
  int id() const { return id_; }

 private:
  int id_;
  pid_t maker_;
};

class SysvMq {
 public:
  static constexpr std::string_view name = "sysv_mq";
  static constexpr Facts facts{.summary = "System V message queue",
                               .model = Facts::Model::message_passing,
                               .naming = Facts::Naming::key,
                               .most_senders = Facts::any_number,
                               .most_receivers = Facts::any_number,
                               .unit = Facts::Unit::messages,
                               .message_setting = "kernel.msgmax",
                               .scope = Facts::Scope::machine,
                               .standard = Facts::Standard::system_v,
                               .send_waits = {Wait::block, Wait::spin, Wait::yield},
                               .receive_waits = {Wait::block, Wait::spin, Wait::yield},
                               .outlives_its_makers = Facts::Outlives::messages,
                               .rights = Facts::Rights::apart,
                               .third_process_can = Facts::Interception::take};

  explicit SysvMq(const Shape& shape) : shape_(shape), queue_(make(shape)) {
    msqid_ds state;
    if (msgctl(queue_.id(), IPC_STAT, &state) != 0) fail("msgctl(IPC_STAT)");
    if (shape.message_bytes > state.msg_qbytes) {  // msgsnd would wait for ever
      throw Unsupported(fmt::format("{}: {} B is over the {} B that a queue holds; raise kernel.msgmnb", name,
                                    shape.message_bytes, state.msg_qbytes));
    }
    if (shape.capacity.kind != Capacity::Kind::bounded) return;
    state.msg_qbytes = shape.capacity.messages * shape.message_bytes;
    if (msgctl(queue_.id(), IPC_SET, &state) != 0) fail("msgctl(IPC_SET)");
  }

  SysvMq(const Shape& shape, const std::string& address)
      : shape_(shape), key_(static_cast<key_t>(std::stol(address, nullptr, 16))), queue_(-1) {}
  std::string address() const { return fmt::format("{:#x}", static_cast<unsigned>(key_)); }

  TypedSender open_sender(unsigned, Meeting& meeting) { return TypedSender(open(), shape_, meeting); }
  TypedReceiver open_receiver(unsigned, Meeting&) { return TypedReceiver(open(), shape_); }
  OwnedQueue take_remains() { return std::move(queue_); }

 private:
  OwnedQueue make(const Shape& shape) {
    require_buffered(name, shape.capacity, "a queue holds at most kernel.msgmnb bytes");
    require_within(name, fmt::format("{} B", shape.message_bytes), shape.message_bytes, "kernel.msgmax");
    if (shape.capacity.kind == Capacity::Kind::bounded) {
      const std::uint64_t messages = shape.capacity.messages;
      std::uint64_t bytes;
      if (__builtin_mul_overflow(messages, shape.message_bytes, &bytes)) bytes = UINT64_MAX;
      require_within(name, fmt::format("capacity {} of {} B", messages, shape.message_bytes), bytes,
                     "kernel.msgmnb");
    }
    for (;;) {
      key_ = unique_sysv_key();
      if (const int id = msgget(key_, IPC_CREAT | IPC_EXCL | 0600); id >= 0) return OwnedQueue(id);
      if (errno == ENOSPC) throw Unsupported(fmt::format("{}: no queue left under kernel.msgmni", name));
      if (errno != EEXIST) fail("msgget");
    }
  }
  int open() const {
    const int id = msgget(key_, 0);
    if (id < 0) fail("msgget of the link's key");
    return id;
  }

  Shape shape_;
  key_t key_ = 0;  // written by make()
  OwnedQueue queue_;
};

IPCMARK_TRANSPORT(SysvMq);

}  // namespace
}  // namespace ipcmark
