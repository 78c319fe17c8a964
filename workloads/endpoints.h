// What workloads share: the links of a launch and the ends that a role opens on them, and the two loops that
// turn single attempts into whole messages. Templates over the transport; nothing here is virtual.
#pragma once

#include <sys/mman.h>

#include <cerrno>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "harness/contract.h"
#include "harness/launch.h"
#include "harness/payload.h"
#include "harness/size_mix.h"
#include "harness/sized_slot.h"
#include "harness/traits.h"
#include "harness/work_unit.h"

namespace ipcmark {

struct NoRemains {};

template <class T>
struct RemainsOf {
  using Type = NoRemains;
};
template <HasRemains T>
struct RemainsOf<T> {
  using Type = decltype(std::declval<T&>().take_remains());
};

// Of a link of several, receivers too are counted from 0; `senders` are those of the link.
template <LinkType T>
auto open_sender_end(T& link, Meeting& meeting, unsigned index = 0) {
  if constexpr (DuplexTransport<T>) {
    return link.open_peer(index, meeting);
  } else {
    return link.open_sender(index, meeting);
  }
}
template <LinkType T>
auto open_receiver_end(T& link, Meeting& meeting, unsigned index = 0, unsigned senders = 1) {
  if constexpr (DuplexTransport<T>) {
    return link.open_peer(senders + index, meeting);
  } else {
    return link.open_receiver(index, meeting);
  }
}
template <LinkType T>
using SenderEnd = decltype(open_sender_end(std::declval<T&>(), std::declval<Meeting&>()));
template <LinkType T>
using ReceiverEnd = decltype(open_receiver_end(std::declval<T&>(), std::declval<Meeting&>()));

// Whether some form of T has senders that can drop the oldest message.
template <LinkType T>
constexpr bool drops_oldest() {
  if constexpr (DropsOldest<SenderEnd<T>>) return true;
  if constexpr (HasShared<T>) return DropsOldest<SenderEnd<typename T::Shared>>;
  return false;
}

// Whether T's links can carry messages of several sizes: by verbs of their own, or in slots.
template <LinkType T>
inline constexpr bool lends_slots = LoanSender<SenderEnd<T>>&& LoanReceiver<ReceiverEnd<T>>;
template <LinkType T>
inline constexpr bool carries_mixes = lends_slots<T> ||
                                      (SizedSender<SenderEnd<T>> && SizedReceiver<ReceiverEnd<T>>);

// What T is to be asked for, so that a message's size has room beside it. Any other shape stays as it is.
template <LinkType T>
Shape with_room_for_sizes(Shape shape) {
  if (!shape.mixed) return shape;
  if constexpr (requires { T::makes_room_itself; }) {
    return shape;
  } else if constexpr (lends_slots<T>) {
    shape.message_bytes = sized_slot_bytes(shape.message_bytes);
  } else if constexpr (requires { SenderEnd<T>::frame_bytes; }) {
    shape.message_bytes += SenderEnd<T>::frame_bytes;
  }
  return shape;
}

// What the types of T's ends tell. The rest is set where it is registered (workloads/registry.h).
template <LinkType T>
TransportTraits traits_of_ends(std::string_view name, const Facts& facts) {
  using S = SenderEnd<T>;
  using R = ReceiverEnd<T>;
  static_assert(CopySender<S> || LoanSender<S>,
                "what a link opens for sending must be a sender (harness/contract.h)");
  static_assert(CopyReceiver<R> || LoanReceiver<R>, "what a link opens for receiving must be a receiver");
  return {.name = std::string(name),
          .facts = facts,
          .duplex = DuplexTransport<T>,
          .copy_send = CopySender<S>,
          .loan_send = LoanSender<S>,
          .copy_receive = CopyReceiver<R>,
          .loan_receive = LoanReceiver<R>,
          .mixes = carries_mixes<T>,
          .drops_oldest = drops_oldest<T>()};
}

// Throws std::out_of_range for a name that no transport has.
const TransportTraits& registered_traits(std::string_view transport);

// T's own, or of the transport that the shape is of.
template <LinkType T>
const TransportTraits& traits_for(const Shape& shape) {
  if constexpr (Named<T>) {
    static const TransportTraits traits = traits_of_ends<T>(T::name, T::facts);
    return traits;
  } else {
    return registered_traits(shape.transport);
  }
}

// Refuses what a transport's facts and types do not offer, for all transports alike: waits, accesses, more
// senders or receivers, and messages that several of them would tear.
void require_offered(const TransportTraits& traits, const Shape& shape);

// The links of one launch, in index order.
template <LinkType T>
class Links {
 public:
  // Throws Unsupported.
  void build(const Shape& shape, unsigned count) {
    require_offered(traits_for<T>(shape), shape);
    links_.reserve(count);
    const Shape asked = with_room_for_sizes<T>(shape);
    for (unsigned i = 0; i < count; ++i) links_.push_back(std::make_unique<T>(asked));
  }
  // One that another process has made. Throws Unsupported.
  void attach(const Shape& shape, const std::string& address) requires Attachable<T> {
    require_offered(traits_for<T>(shape), shape);
    links_.push_back(std::make_unique<T>(with_room_for_sizes<T>(shape), address));
  }
  T& operator[](unsigned index) { return *links_.at(index); }

  // The names vanish; what cannot be removed while in use stays until end().
  void drop() {
    if constexpr (HasRemains<T>) {
      for (auto& link : links_) remains_.push_back(link->take_remains());
    }
    links_.clear();
  }
  // Also of links that were never dropped, because a later one could not be built.
  void end() {
    links_.clear();
    remains_.clear();
  }

 private:
  std::vector<std::unique_ptr<T>> links_;
  std::vector<typename RemainsOf<T>::Type> remains_;
};

// A sending and a receiving end for one role of a pair: the two halves of one duplex link, or the ends of two
// one-way links (link 0 carries what role 0 sends).
template <LinkType T>
class BothWays {
 public:
  static constexpr unsigned links = DuplexTransport<T> ? 1 : 2;

  void open(Links<T>& built, Role& role) {
    const unsigned side = role.index();
    if constexpr (DuplexTransport<T>) {
      peer_.emplace(built[0].open_peer(side, role.meeting(0)));
    } else if (side == 0) {
      sender_.emplace(built[0].open_sender(0, role.meeting(0)));
      receiver_.emplace(built[1].open_receiver(0, role.meeting(1)));
    } else {
      receiver_.emplace(built[0].open_receiver(0, role.meeting(0)));
      sender_.emplace(built[1].open_sender(0, role.meeting(1)));
    }
  }

  auto& sender() {
    if constexpr (DuplexTransport<T>) {
      return *peer_;
    } else {
      return *sender_;
    }
  }
  auto& receiver() {
    if constexpr (DuplexTransport<T>) {
      return *peer_;
    } else {
      return *receiver_;
    }
  }

 private:
  struct Nothing {};
  std::optional<std::conditional_t<DuplexTransport<T>, SenderEnd<T>, Nothing>> peer_;
  std::optional<std::conditional_t<DuplexTransport<T>, Nothing, SenderEnd<T>>> sender_;
  std::optional<std::conditional_t<DuplexTransport<T>, Nothing, ReceiverEnd<T>>> receiver_;
};

template <class Endpoint>
std::optional<CapacityFacts::Limit> limit_of(const Endpoint& endpoint) {
  if constexpr (ReportsLimit<Endpoint>) {
    return endpoint.limit();
  } else {
    return std::nullopt;
  }
}

// A message of the role's own: page-aligned, prefaulted on the role's memory node.
class MessageBuffer {
 public:
  explicit MessageBuffer(std::size_t message_bytes) : bytes_(message_bytes) {
    void* memory =
        mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) {
      throw std::system_error(errno, std::generic_category(),
                              "mmap of a message buffer of " + std::to_string(bytes_) + " B");
    }
    memory_ = static_cast<std::byte*>(memory);
  }
  ~MessageBuffer() { munmap(memory_, bytes_); }
  MessageBuffer(const MessageBuffer&) = delete;
  MessageBuffer& operator=(const MessageBuffer&) = delete;

  std::span<std::byte> span() { return {memory_, bytes_}; }

 private:
  std::byte* memory_;
  std::size_t bytes_;
};

struct PeerClosed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What a side does after its empty tries.
struct Toil {
  std::uint64_t units = 0;        // of work to do before each wait
  std::uint64_t empty_tries = 0;  // so far
  std::uint64_t units_done = 0;

  template <class Wait>
  void after_empty_try(Wait wait) {
    ++empty_tries;
    if (units > 0) do_work(units);
    units_done += units;
    wait();
  }
};

// Who sleeps leaves its processor to others, and works on nothing meanwhile.
inline Toil toil_of(const Case& c, Wait wait) { return {.units = may_sleep(wait) ? 0 : c.work}; }

// Adds one side's to what its role reports; a side that sleeps has no empty tries worth telling.
inline void keep_toil(RoleBoard& board, Wait wait, const Toil& toil) {
  if (may_sleep(wait)) return;
  board.tries_counted = true;
  board.empty_tries += toil.empty_tries;
  board.work_done += toil.units_done;
}

// Why a case cannot have work between its tries; empty when it can, or asks for none.
inline std::string work_needs_tries(const Case& c) {
  if (c.work == 0 || !may_sleep(c.send_wait) || !may_sleep(c.receive_wait)) return {};
  return "work between tries needs a side that waits by spin or yield";
}

template <class Attempt, class WaitFor>
inline void until_done(Attempt attempt, WaitFor wait_for, const char* what) {
  for (;;) {
    switch (attempt()) {
      case Io::done:
        return;
      case Io::again:
        wait_for();
        break;
      case Io::closed:
        throw PeerClosed(std::string(what) + ": the other side has closed the link");
    }
  }
}

// What sizes a Writer's messages have: one, or those of a mix. For one size its code has nothing of the
// other.
struct OneSize {
  OneSize(const Case&, unsigned) {}
};
struct MixedSizes {
  MixedSizes(const Case& benchmark_case, unsigned number) : of(benchmark_case.mix, number) {}
  MessageSizes of;
};

// Writes whole messages, every byte of them, with the sender's number in each.
template <Access access, class Sender, class Sizes = OneSize>
class Writer {
 public:
  static constexpr bool mixed = std::same_as<Sizes, MixedSizes>;

  Writer(Sender& sender, const Case& benchmark_case, unsigned number = 0)
      : sender_(sender),
        number_(number),
        touch_(benchmark_case.touch),
        sizes_(benchmark_case, number),
        buffer_(benchmark_case.message_bytes) {}

  void write(std::uint64_t sequence) {
    const auto wait = [this] { toil_.after_empty_try([this] { sender_.wait_to_send(); }); };
    if constexpr (access == Access::loan) {
      std::span<std::byte> slot;
      until_done([&] { return sender_.loan(slot); }, wait, "loan");
      fill_slot(slot, sequence);
      until_done([this] { return sender_.commit(); }, wait, "commit");
    } else {
      fill(message(sequence), number_, sequence, touch_);
      until_done([this, sequence] { return send(sequence); }, wait, "send");
    }
  }

  // Whether the message got into the link. Without room for it: as the overflow says. `drop_old` drops
  // others, `dropped` of them, in its favour.
  bool write_or_drop(std::uint64_t sequence, Overflow overflow, std::uint64_t& dropped) {
    for (;;) {
      switch (try_write(sequence)) {
        case Io::done:
          return true;
        case Io::closed:
          throw PeerClosed("send: the other side has closed the link");
        case Io::again:
          ++toil_.empty_tries;
          break;
      }
      if constexpr (SendsInPieces<Sender>) {
        if (sender_.within_message()) {
          sender_.wait_to_send();
          continue;
        }
      }
      if (overflow == Overflow::fail) {
        throw std::runtime_error("overflow: no room for message " + std::to_string(sequence));
      }
      if (overflow == Overflow::drop_new) {
        ++dropped;
        return false;
      }
      if constexpr (DropsOldest<Sender>) {
        if (sender_.drop_oldest() == Io::done) {
          ++dropped;
        } else {
          sender_.wait_to_send();  // the oldest one is being received
        }
      } else {
        throw std::logic_error("overflow: this sender cannot drop the oldest message");
      }
    }
  }

  // One attempt: may leave a part of the message in the link, which the next attempt completes.
  Io try_write(std::uint64_t sequence) {
    if constexpr (access == Access::loan) {
      std::span<std::byte> slot;
      if (const Io io = sender_.loan(slot); io != Io::done) return io;
      fill_slot(slot, sequence);
      return sender_.commit();
    } else {
      // A large message that finds no room for long is not written anew at every try.
      if (sequence != tried_) fill(message(sequence), number_, sequence, touch_);
      tried_ = sequence;
      return send(sequence);
    }
  }

  void finish() {
    until_done([this] { return sender_.finish(); }, [this] { sender_.wait_to_send(); }, "finish");
  }

  Toil& toil() { return toil_; }
  // Of messages [first, end), where they are not all of the case's size.
  std::uint64_t bytes(std::uint64_t first, std::uint64_t end) const requires mixed {
    return sizes_.of.bytes(first, end);
  }

 private:
  std::span<std::byte> message(std::uint64_t sequence) {
    if constexpr (mixed) return buffer_.span().first(sizes_.of(sequence));
    return buffer_.span();
  }
  Io send(std::uint64_t sequence) {
    if constexpr (mixed)
      return send_sized(sender_, message(sequence));
    else
      return sender_.send(buffer_.span());
  }
  void fill_slot(std::span<std::byte> slot, std::uint64_t sequence) {
    if constexpr (mixed) {
      const std::size_t message_bytes = sizes_.of(sequence);
      tell_size(slot, message_bytes);
      slot = slot.first(message_bytes);
    }
    fill(slot, number_, sequence, touch_);
  }

  Sender& sender_;
  unsigned number_;
  Touch touch_;
  [[no_unique_address]] Sizes sizes_;
  MessageBuffer buffer_;
  std::uint64_t tried_ = std::numeric_limits<std::uint64_t>::max();  // what try_write() has put into it
  Toil toil_;
};

// Reads whole messages, every byte of them, and has each judged.
template <Access access, class Receiver, class Checker>
class Reader {
 public:
  Reader(Receiver& receiver, const Case& benchmark_case, bool every_byte, Checker checker)
      : receiver_(receiver),
        touch_(benchmark_case.touch),
        every_byte_(every_byte),
        buffer_(benchmark_case.message_bytes),
        checker_(std::move(checker)) {}

  void read() {
    if (!read_unless_closed()) throw PeerClosed("receive: the other side has closed the link");
  }

  // False at the end of the stream.
  bool read_unless_closed() {
    return read_unless([] { return false; });
  }

  // False at the end of the stream too, and when `give_up()` says so after an attempt that found nothing.
  template <class GiveUp>
  bool read_unless(GiveUp give_up) {
    for (;;) {
      switch (try_read()) {
        case Io::done:
          return true;
        case Io::again:
          if (give_up()) return false;
          toil_.after_empty_try([this] { receiver_.wait_to_receive(); });
          break;
        case Io::closed:
          return false;
      }
    }
  }

  Io try_read() {
    if constexpr (access == Access::loan) {
      std::span<const std::byte> message;
      if (const Io io = receiver_.peek(message); io != Io::done) return io;
      if constexpr (mixed) message = sized_message(message);
      judge(message);
      return receiver_.release();
    } else if constexpr (mixed) {
      std::size_t message_bytes = 0;
      if (const Io io = receive_sized(receiver_, buffer_.span(), message_bytes); io != Io::done) return io;
      judge(buffer_.span().first(message_bytes));
      return Io::done;
    } else {
      if (const Io io = receiver_.receive(buffer_.span()); io != Io::done) return io;
      judge(buffer_.span());
      return Io::done;
    }
  }

  Checker& checker() { return checker_; }
  Toil& toil() { return toil_; }

 private:
  static constexpr bool mixed = std::same_as<Checker, MixedSequenceChecker>;

  void judge(std::span<const std::byte> message) {
    if (every_byte_) [[unlikely]] {
      checker_.observe_every_byte(message);
    } else if constexpr (mixed) {
      checker_.observe(ipcmark::read(message, touch_), message.size());
    } else {
      checker_.observe(ipcmark::read(message, touch_));
    }
  }

  Receiver& receiver_;
  Touch touch_;
  bool every_byte_;
  MessageBuffer buffer_;
  Checker checker_;
  Toil toil_;
};

// Calls `use` with a Writer for the access that the case asks of its sender.
template <class Sizes = OneSize, class Sender, class Use>
void with_writer(Sender& sender, const Case& benchmark_case, unsigned number, Use use) {
  if (benchmark_case.send_access == Access::loan) {
    if constexpr (LoanSender<Sender>) {
      Writer<Access::loan, Sender, Sizes> writer(sender, benchmark_case, number);
      return use(writer);
    }
  } else if constexpr (CopySender<Sender>) {
    Writer<Access::copy, Sender, Sizes> writer(sender, benchmark_case, number);
    return use(writer);
  }
  throw Unsupported(benchmark_case.transport + ": its sender has no " +
                    std::string(to_string(benchmark_case.send_access)) + " access");
}
template <class Sender, class Use>
void with_writer(Sender& sender, const Case& benchmark_case, Use use) {
  with_writer(sender, benchmark_case, 0, use);
}

template <class Receiver, class Checker, class Use>
void with_reader(Receiver& receiver, const Case& benchmark_case, bool every_byte, Checker checker, Use use) {
  if (benchmark_case.receive_access == Access::loan) {
    if constexpr (LoanReceiver<Receiver>) {
      Reader<Access::loan, Receiver, Checker> reader(receiver, benchmark_case, every_byte,
                                                     std::move(checker));
      return use(reader);
    }
  } else if constexpr (CopyReceiver<Receiver>) {
    Reader<Access::copy, Receiver, Checker> reader(receiver, benchmark_case, every_byte, std::move(checker));
    return use(reader);
  }
  throw Unsupported(benchmark_case.transport + ": its receiver has no " +
                    std::string(to_string(benchmark_case.receive_access)) + " access");
}
// Of the one sender 0.
template <class Receiver, class Use>
void with_reader(Receiver& receiver, const Case& benchmark_case, bool every_byte, Use use) {
  with_reader(receiver, benchmark_case, every_byte,
              SequenceChecker(0, benchmark_case.message_bytes, benchmark_case.touch), use);
}

// For workloads that take mixes: `use` is compiled for one size and, apart from that, for several. Both are
// of the one sender 0.
template <class Sender, class Use>
void with_sized_writer(Sender& sender, const Case& benchmark_case, Use use) {
  if constexpr (SizedSender<Sender> || LoanSender<Sender>) {
    if (is_mix(benchmark_case)) return with_writer<MixedSizes>(sender, benchmark_case, 0, use);
  }
  with_writer(sender, benchmark_case, use);
}
template <class Receiver, class Use>
void with_sized_reader(Receiver& receiver, const Case& benchmark_case, bool every_byte, Use use) {
  if constexpr (SizedReceiver<Receiver> || LoanReceiver<Receiver>) {
    if (is_mix(benchmark_case)) {
      return with_reader(receiver, benchmark_case, every_byte, MixedSequenceChecker(0, benchmark_case), use);
    }
  }
  with_reader(receiver, benchmark_case, every_byte, use);
}

// For the role that also writes, by such a writer.
template <class W, class Receiver, class Use>
void with_reader_beside(const W&, Receiver& receiver, const Case& benchmark_case, bool every_byte, Use use) {
  if constexpr (!W::mixed) {
    with_reader(receiver, benchmark_case, every_byte, use);
  } else if constexpr (SizedReceiver<Receiver> || LoanReceiver<Receiver>) {
    with_reader(receiver, benchmark_case, every_byte, MixedSequenceChecker(0, benchmark_case), use);
  } else {
    throw Unsupported(benchmark_case.transport + ": a link's messages are of one size");
  }
}

// Notes the bytes of messages [first, end), which the role has sent in its timed part. Of one size they need
// no note.
template <class W>
void keep_bytes(RoleBoard& board, const W& writer, std::uint64_t first, std::uint64_t end) {
  if constexpr (W::mixed) board.timed_bytes = writer.bytes(first, end);
}

}  // namespace ipcmark
