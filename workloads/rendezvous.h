// A rendezvous (capacity 0) over a transport whose links keep what is sent: the receiver answers each message
// with an acknowledgement, and a send is done only once that has come. It goes back over a duplex link's
// other direction, else over a second link of the same transport.
//
// One message and one acknowledgement at a time, so neither link is ever full. What the receiver answers
// after, is its own receive: by copy, into its own buffer. A loan is not offered, since commit would be over
// before the receiver had read.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

#include "harness/contract.h"
#include "harness/meeting.h"
#include "workloads/endpoints.h"

namespace ipcmark {

namespace rendezvous_detail {

// Of the smallest message. Its value is looked at, so that a message of the peer's own that comes instead
// does not pass for one.
constexpr std::byte mark{0xA5};

// The sender's half of the exchange; it hears by `back`.
class AwaitedAcknowledgement {
 public:
  explicit AwaitedAcknowledgement(std::size_t bytes) : buffer_(bytes) {}

  // `put()` sends the message over `data`.
  template <class Put, class Back>
  Io send(Put put, Back& back) {
    if (!in_flight_) {
      if (const Io io = put(); io != Io::done) return io;
      in_flight_ = true;
    }
    if (const Io io = back.receive(buffer_); io != Io::done) return io;
    if (buffer_[0] != mark) throw std::logic_error("rendezvous: the peer sent before it had received");
    in_flight_ = false;
    return Io::done;
  }
  bool in_flight() const { return in_flight_; }

 private:
  std::vector<std::byte> buffer_;
  bool in_flight_ = false;
};

// The receiver's half.
class OwedAcknowledgement {
 public:
  explicit OwedAcknowledgement(std::size_t bytes) : message_(bytes, mark) {}

  // `take()` receives the message.
  template <class Take, class Back>
  Io receive(Take take, Back& back) {
    if (!owed_) {
      if (const Io io = take(); io != Io::done) return io;
      owed_ = true;
    }
    // A sender that has gone does not want it any more; its message has come all the same.
    if (back.send(message_) == Io::again) return Io::again;
    owed_ = false;
    return Io::done;
  }
  bool owed() const { return owed_; }

 private:
  std::vector<std::byte> message_;
  bool owed_ = false;
};

template <class Data, class Back>
class Sender {
 public:
  Sender(Data data, Back back, std::size_t acknowledgement_bytes)
      : data_(std::move(data)), back_(std::move(back)), awaited_(acknowledgement_bytes) {}

  Io send(std::span<const std::byte> message) {
    return awaited_.send([&] { return data_.send(message); }, back_);
  }
  Io send_sized(std::span<const std::byte> message) requires SizedSender<Data> {
    return awaited_.send([&] { return data_.send_sized(message); }, back_);
  }
  Io finish() { return data_.finish(); }
  void wait_to_send() {
    if (awaited_.in_flight()) return back_.wait_to_receive();
    data_.wait_to_send();
  }
  std::optional<CapacityFacts::Limit> limit() const { return limit_of(data_); }

 private:
  Data data_;
  Back back_;
  AwaitedAcknowledgement awaited_;
};

template <class Data, class Back>
class Receiver {
 public:
  Receiver(Data data, Back back, std::size_t acknowledgement_bytes)
      : data_(std::move(data)), back_(std::move(back)), owed_(acknowledgement_bytes) {}

  Io receive(std::span<std::byte> message) {
    return owed_.receive([&] { return data_.receive(message); }, back_);
  }
  Io receive_sized(std::span<std::byte> buffer, std::size_t& message_bytes) requires SizedReceiver<Data> {
    return owed_.receive([&] { return data_.receive_sized(buffer, message_bytes); }, back_);
  }
  void wait_to_receive() {
    if (owed_.owed()) return back_.wait_to_send();
    data_.wait_to_receive();
  }
  std::optional<CapacityFacts::Limit> limit() const { return limit_of(data_); }

 private:
  Data data_;
  Back back_;
  OwedAcknowledgement owed_;
};

// Both halves over one duplex endpoint. They take turns: while one side sends, the other must receive.
template <class P>
class Peer {
 public:
  Peer(P peer, std::size_t acknowledgement_bytes)
      : peer_(std::move(peer)), awaited_(acknowledgement_bytes), owed_(acknowledgement_bytes) {}

  Io send(std::span<const std::byte> message) {
    return awaited_.send([&] { return peer_.send(message); }, peer_);
  }
  Io send_sized(std::span<const std::byte> message) requires SizedSender<P> {
    return awaited_.send([&] { return peer_.send_sized(message); }, peer_);
  }
  Io finish() { return peer_.finish(); }
  void wait_to_send() {
    if (awaited_.in_flight()) return peer_.wait_to_receive();
    peer_.wait_to_send();
  }
  Io receive(std::span<std::byte> message) {
    return owed_.receive([&] { return peer_.receive(message); }, peer_);
  }
  Io receive_sized(std::span<std::byte> buffer, std::size_t& message_bytes) requires SizedReceiver<P> {
    return owed_.receive([&] { return peer_.receive_sized(buffer, message_bytes); }, peer_);
  }
  void wait_to_receive() {
    if (owed_.owed()) return peer_.wait_to_send();
    peer_.wait_to_receive();
  }
  std::optional<CapacityFacts::Limit> limit() const { return limit_of(peer_); }

 private:
  P peer_;
  AwaitedAcknowledgement awaited_;
  OwedAcknowledgement owed_;
};

}  // namespace rendezvous_detail

// Over any transport that loses nothing and has access by copy; a Transport itself, of the same name, facts
// and limits. Throws Unsupported as T does; over one duplex link also when the two sides are to wait by
// different ways, since a side hears of its own message as it hears of the other's.
template <Transport T>
class Acknowledged {
 public:
  static constexpr std::string_view name = T::name;
  static constexpr Facts facts = T::facts;

  explicit Acknowledged(const Shape& shape) : data_(buffered(shape)) {
    if constexpr (DuplexTransport<T>) {
      if (shape.send_wait != shape.receive_wait) {
        throw Unsupported(std::string(name) +
                          ": acknowledgements come back over the same link, for which a side can wait in one "
                          "way only; ask for the same wait on both sides");
      }
    } else {
      Shape back = buffered(shape);
      std::swap(back.send_wait, back.receive_wait);
      require_offered(traits_for<T>(back), back);
      back.message_bytes = acknowledgement_bytes_;
      try {
        back_.emplace(back);
      } catch (const Unsupported&) {
        // Not of one byte; then as large as what it answers.
        back.message_bytes = acknowledgement_bytes_ = shape.message_bytes;
        back_.emplace(back);
      }
    }
  }

  auto open_peer(unsigned side, Meeting& meeting) requires DuplexTransport<T> {
    return rendezvous_detail::Peer(data_.open_peer(side, meeting), acknowledgement_bytes_);
  }

  // Both sides open the link for messages first, the one for acknowledgements second.
  auto open_sender(unsigned index, Meeting& meeting) requires OneWayTransport<T> {
    auto data = data_.open_sender(index, meeting);
    Meeting beside = meeting.beside();
    return rendezvous_detail::Sender(std::move(data), back_->open_receiver(index, beside),
                                     acknowledgement_bytes_);
  }
  auto open_receiver(unsigned index, Meeting& meeting) requires OneWayTransport<T> {
    auto data = data_.open_receiver(index, meeting);
    Meeting beside = meeting.beside();
    return rendezvous_detail::Receiver(std::move(data), back_->open_sender(index, beside),
                                       acknowledgement_bytes_);
  }

  auto take_remains() requires HasRemains<T> {
    using Remains = typename RemainsOf<T>::Type;
    std::vector<Remains> remains;
    remains.push_back(data_.take_remains());
    if (back_) remains.push_back(back_->take_remains());
    return remains;
  }

 private:
  static Shape buffered(Shape shape) {
    shape.capacity = {};
    return shape;
  }

  T data_;
  std::optional<T> back_;  // of a one-way transport
  std::size_t acknowledgement_bytes_ = 1;
};

// How T gives capacity 0. Not at all what moves no byte, what may lose one of the two messages, and what has
// no access by copy.
template <LinkType T>
constexpr Rendezvous how_it_meets() {
  if constexpr (HasNativeRendezvous<T>) {
    return Rendezvous::native;
  } else if constexpr (Named<T>) {
    if (T::facts.carries && !T::facts.lossy && CopySender<SenderEnd<T>> && CopyReceiver<ReceiverEnd<T>>) {
      return Rendezvous::acknowledged;
    }
  }
  return Rendezvous::none;
}
template <LinkType T>
inline constexpr Rendezvous rendezvous_of = how_it_meets<T>();

// Calls `use` with std::type_identity of the form of T whose links have so many senders and receivers, and
// drop the oldest message where that is asked; of T itself when there is none, which may refuse them.
template <LinkType T, class Use>
auto with_sharing(const Shape& shape, Use use) {
  if constexpr (HasShared<T>) {
    const bool drops = shape.overflow == Overflow::drop_old && !DropsOldest<SenderEnd<T>>;
    if (drops || shape.senders + shape.receivers > 2) {
      return use(std::type_identity<typename T::Shared>{});
    }
  }
  return use(std::type_identity<T>{});
}

// Likewise of the form whose links have such a capacity, between one sender and one receiver.
template <LinkType T, class Use>
auto with_form(const Shape& shape, Use use) {
  if (shape.senders + shape.receivers > 2) return with_sharing<T>(shape, use);
  if constexpr (HasUnbounded<T>) {
    if (shape.capacity.kind == Capacity::Kind::unbounded) {
      return use(std::type_identity<typename T::Unbounded>{});
    }
  }
  if constexpr (rendezvous_of<T> != Rendezvous::none) {
    if (shape.capacity.kind == Capacity::Kind::rendezvous) {
      if constexpr (HasNativeRendezvous<T>) {
        return use(std::type_identity<typename T::NativeRendezvous>{});
      } else {
        return use(std::type_identity<Acknowledged<T>>{});
      }
    }
  }
  return with_sharing<T>(shape, use);
}

}  // namespace ipcmark
