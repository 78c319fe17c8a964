// A link behind virtual calls, for whatever treats all transports alike: tests, tools, and every workload
// over what enters the kernel for each message, compiled once for all such transports. A virtual call costs
// about 1 ns a message.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "workloads/endpoints.h"

namespace ipcmark {

// An end whose readiness poll(2) and epoll(7) tell.
template <class E>
concept HasDescriptor = requires(const E end) {
  { end.fd() } -> std::same_as<int>;
};

// Any endpoint. A verb that the endpoint does not have throws std::logic_error; TransportTraits tells which
// it has.
class AnyEndpoint {
 public:
  virtual ~AnyEndpoint() = default;
  virtual Io send(std::span<const std::byte> message) = 0;
  virtual Io send_sized(std::span<const std::byte> message) = 0;
  virtual Io loan(std::span<std::byte>& slot) = 0;
  virtual Io commit() = 0;
  virtual Io finish() = 0;
  virtual void wait_to_send() = 0;
  virtual Io drop_oldest() = 0;
  virtual Io receive(std::span<std::byte> message) = 0;
  virtual Io receive_sized(std::span<std::byte> buffer, std::size_t& message_bytes) = 0;
  virtual Io peek(std::span<const std::byte>& message) = 0;
  virtual Io release() = 0;
  virtual void wait_to_receive() = 0;
  virtual std::optional<CapacityFacts::Limit> limit() const = 0;
  // False unless it SendsInPieces.
  virtual bool within_message() const = 0;
  // Nothing, and as many as one likes, unless it ReportsBacklog.
  virtual Backlog peak_backlog() = 0;
  virtual std::uint64_t most_messages() = 0;
  // None unless it ReportsFigures.
  virtual std::vector<MechanismFigure> figures() = 0;
  // By which the kernel knows it, owned by this object; -1 unless it HasDescriptor.
  virtual int fd() const = 0;
};

class AnyLink {
 public:
  virtual ~AnyLink() = default;
  // Duplex links open peer `index`; on one-way links the first opens a sender, the second a receiver.
  virtual std::unique_ptr<AnyEndpoint> open_sender(unsigned index, Meeting& meeting) = 0;
  virtual std::unique_ptr<AnyEndpoint> open_receiver(unsigned index, Meeting& meeting) = 0;
  // By which a stranger finds it. Throws std::logic_error where none can.
  virtual std::string address() = 0;
  // As the launch's parent does once all have opened; the remains stay until this object goes.
  virtual void drop() = 0;
  // The link of another transport that this one's messages go through; null where none does.
  virtual AnyLink* beneath() { return nullptr; }
  // Before it is opened. None unless it ReportsFigures.
  virtual std::vector<MechanismFigure> figures() { return {}; }
};

template <class E>
class ErasedEndpoint final : public AnyEndpoint {
 public:
  explicit ErasedEndpoint(E&& endpoint) : endpoint_(std::move(endpoint)) {}

  Io send(std::span<const std::byte> message) override {
    if constexpr (CopySender<E>) return endpoint_.send(message);
    lacks("send");
  }
  Io send_sized(std::span<const std::byte> message) override {
    if constexpr (SizedSender<E> || LoanSender<E>) return ipcmark::send_sized(endpoint_, message);
    lacks("send_sized");
  }
  Io loan(std::span<std::byte>& slot) override {
    if constexpr (LoanSender<E>) return endpoint_.loan(slot);
    lacks("loan");
  }
  Io commit() override {
    if constexpr (LoanSender<E>) return endpoint_.commit();
    lacks("commit");
  }
  Io finish() override {
    if constexpr (SenderBase<E>) return endpoint_.finish();
    lacks("finish");
  }
  void wait_to_send() override {
    if constexpr (SenderBase<E>) return endpoint_.wait_to_send();
    lacks("wait_to_send");
  }
  Io drop_oldest() override {
    if constexpr (DropsOldest<E>) return endpoint_.drop_oldest();
    lacks("drop_oldest");
  }
  Io receive(std::span<std::byte> message) override {
    if constexpr (CopyReceiver<E>) return endpoint_.receive(message);
    lacks("receive");
  }
  Io receive_sized(std::span<std::byte> buffer, std::size_t& message_bytes) override {
    if constexpr (SizedReceiver<E> || LoanReceiver<E>) {
      return ipcmark::receive_sized(endpoint_, buffer, message_bytes);
    }
    lacks("receive_sized");
  }
  Io peek(std::span<const std::byte>& message) override {
    if constexpr (LoanReceiver<E>) return endpoint_.peek(message);
    lacks("peek");
  }
  Io release() override {
    if constexpr (LoanReceiver<E>) return endpoint_.release();
    lacks("release");
  }
  void wait_to_receive() override {
    if constexpr (ReceiverBase<E>) return endpoint_.wait_to_receive();
    lacks("wait_to_receive");
  }
  std::optional<CapacityFacts::Limit> limit() const override { return limit_of(endpoint_); }
  bool within_message() const override {
    if constexpr (SendsInPieces<E>) return endpoint_.within_message();
    return false;
  }
  Backlog peak_backlog() override {
    if constexpr (ReportsBacklog<E>) return endpoint_.peak_backlog();
    return {};
  }
  std::uint64_t most_messages() override {
    if constexpr (ReportsBacklog<E>) return endpoint_.most_messages();
    return std::numeric_limits<std::uint64_t>::max();
  }
  std::vector<MechanismFigure> figures() override {
    if constexpr (ReportsFigures<E>) return endpoint_.figures();
    return {};
  }
  int fd() const override {
    if constexpr (HasDescriptor<E>) return endpoint_.fd();
    return -1;
  }

 private:
  [[noreturn]] static void lacks(const char* verb) {
    throw std::logic_error(std::string("this endpoint has no ") + verb);
  }

  E endpoint_;
};

template <LinkType T>
class ErasedLink final : public AnyLink {
 public:
  explicit ErasedLink(const Shape& shape) { links_.build(shape, 1); }
  ErasedLink(const Shape& shape, const std::string& address) requires Attachable<T> {
    links_.attach(shape, address);
  }
  ~ErasedLink() override {
    links_.drop();
    links_.end();
  }

  std::unique_ptr<AnyEndpoint> open_sender(unsigned index, Meeting& meeting) override {
    if constexpr (DuplexTransport<T>) {
      return erase(links_[0].open_peer(index, meeting));
    } else {
      return erase(links_[0].open_sender(index, meeting));
    }
  }
  std::unique_ptr<AnyEndpoint> open_receiver(unsigned index, Meeting& meeting) override {
    if constexpr (DuplexTransport<T>) {
      return erase(links_[0].open_peer(index, meeting));
    } else {
      return erase(links_[0].open_receiver(index, meeting));
    }
  }
  std::string address() override {
    if constexpr (Attachable<T>) return links_[0].address();
    throw std::logic_error("no stranger can attach to this link");
  }
  void drop() override { links_.drop(); }
  std::vector<MechanismFigure> figures() override {
    if constexpr (ReportsFigures<T>) return links_[0].figures();
    return {};
  }

 private:
  template <class E>
  static std::unique_ptr<AnyEndpoint> erase(E&& endpoint) {
    return std::make_unique<ErasedEndpoint<E>>(std::move(endpoint));
  }

  Links<T> links_;
};

}  // namespace ipcmark
