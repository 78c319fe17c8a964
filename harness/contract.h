// The contract between transports and workloads: three nouns (transport, link, endpoint) and no virtual call
// per message. Everything here is compile-time; what a transport can do is read from its type.
//
// A transport is a type T. A link is an object T(shape), made by the launch's parent before the roles are
// forked. An endpoint is what a role opens on it, in the role's own process, and owns alone.
//
// Every attempt (send, receive, loan, commit, peek, release, finish) tries once. With Wait::block the attempt
// itself sleeps and never says `again`; with any other wait it returns at once, and after `again` the caller
// calls wait_to_send() or wait_to_receive() and repeats the same attempt with the same bytes. Endpoints own
// partial progress. A signal (EINTR) never surfaces. End of stream inside a message is an error
// (std::system_error).
//
// On a lossy link (Facts::lossy) a receiver may sleep for what has been lost. There no sleep for a message
// lasts longer than loss_look_ns, with Wait::block neither: such an attempt says `again` too, and the caller
// decides what has been lost (workloads/losses.h). Only the end of the stream is never lost.
//
// Not thread-safe: an endpoint, of a duplex link each direction of it, belongs to one thread of a process.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "harness/case.h"
#include "harness/measurement.h"

namespace ipcmark {

class Meeting;

enum class Io : std::uint8_t {
  done,
  again,   // full or empty just now
  closed,  // end of stream, or the peer has gone (EPIPE, ECONNRESET, ECONNREFUSED)
};

// Thrown by T(shape), or by an open, when this machine or this mechanism cannot give what was asked. The text
// is the reason a person reads beside the skipped case, starting with the transport's name.
struct Unsupported : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// How long a receiver sleeps over a lossy link before it looks up: long enough for a sender or the kernel to
// be kept from a processor for a while, short enough for the end of a phase to come soon.
inline constexpr std::uint64_t loss_look_ns = 20'000'000;

// What is asked of a link.
struct Shape {
  std::string transport{};         // by which the registry knows it (workloads/registry.h)
  std::size_t message_bytes = 64;  // of each message; mixed: of the largest, with what a transport adds to it
  bool mixed = false;              // messages differ in size
  Capacity capacity{};
  unsigned senders = 1;
  unsigned receivers = 1;
  Wait send_wait = Wait::block;
  Wait receive_wait = Wait::block;
  Access send_access = Access::copy;
  Access receive_access = Access::copy;
  Overflow overflow = Overflow::wait;
  std::string directory{};  // the launch's own, mode 0700; names in the file system go here
};

class WaitSet {
 public:
  constexpr WaitSet(std::initializer_list<Wait> waits) {
    for (Wait wait : waits) bits_ |= 1u << static_cast<unsigned>(wait);
  }
  constexpr bool contains(Wait wait) const { return bits_ >> static_cast<unsigned>(wait) & 1u; }
  constexpr WaitSet& operator&=(const WaitSet& other) {
    bits_ &= other.bits_;
    return *this;
  }

 private:
  std::uint32_t bits_ = 0;
};

// The textbook's answers that no signature gives, in the words of Silberschatz, Galvin and Gagne ("Operating
// System Concepts", chapter 3) and Stevens ("UNIX Network Programming", volume 2, chapter 1). Each one has a
// conformance test that fails if it lies (transports/facts_test.cpp, transports/conformance_test.cpp).
//
// They hold among processes that keep to the mechanism. Past every one of them get: a descriptor passed to a
// stranger (SCM_RIGHTS in unix(7), pidfd_getfd(2)) or opened anew through /proc/PID/fd, a tracer (ptrace(2),
// process_vm_readv(2)), and, on a network, unless what goes through is sealed, whoever may capture packets.
struct Facts {
  enum class Model : std::uint8_t { message_passing, shared_memory };
  // How a process that did not inherit the link finds it; with none, only relatives of its maker can open it.
  enum class Naming : std::uint8_t { none, path, key, address };
  // Direct communication: both ends name each other (symmetric), or senders name the receiver, which takes
  // from any of them (asymmetric). Indirect: both name a mailbox, and neither the other.
  enum class Addressing : std::uint8_t { symmetric, asymmetric, mailbox };
  // Whether the link is there as soon as it is made, or only once both sides have taken part.
  enum class Establishment : std::uint8_t { implicit_link, explicit_link };
  // What the kernel keeps: a stream of bytes, or messages.
  enum class Unit : std::uint8_t { bytes, messages };
  // What is left for others when the processes that made and opened the link have died. Stevens calls
  // nothing and object "process-persistent", messages "kernel-persistent".
  enum class Outlives : std::uint8_t { nothing, object, messages };
  // What another user can be granted: nothing (there are no permissions to grant), sending and receiving only
  // together, each without the other, or sending alone (what is received belongs to its one receiver).
  enum class Rights : std::uint8_t { none, together, apart, sending };
  // What a process that is neither sender nor receiver can do with a message under way.
  enum class Interception : std::uint8_t { none, copy, take };
  enum class Scope : std::uint8_t { machine, network };
  // Whose the mechanism is that messages go through, whatever makes it or waits for it. None: a protocol
  // above it makes other bytes of them, or there are no messages.
  enum class Standard : std::uint8_t { posix, system_v, linux_only, none };

  static constexpr unsigned any_number = std::numeric_limits<unsigned>::max();

  std::string_view summary;  // one line for `ipcmark list transports`
  Model model = Model::message_passing;
  Naming naming = Naming::none;
  // Whether the name is not enough: who finds the link must show what its maker's relatives alone have.
  bool asks_for_credentials = false;
  Addressing addressing = Addressing::mailbox;
  Establishment establishment = Establishment::implicit_link;
  unsigned most_senders = 1;  // processes on one link
  unsigned most_receivers = 1;
  unsigned most_links_per_pair = any_number;  // between the same two processes
  Unit unit = Unit::messages;
  std::optional<std::uint64_t> largest_message{};  // in bytes, whatever is set; nullopt: none but memory's
  std::string_view message_setting{};              // the sysctl that bounds it further; empty: there is none
  // The largest that stays whole when several send or receive, in bytes; nullopt: all that it takes at all.
  std::optional<std::uint64_t> largest_shared_message{};
  Scope scope = Scope::machine;
  Standard standard = Standard::posix;
  WaitSet send_waits{Wait::block};
  WaitSet receive_waits{Wait::block};
  bool open_is_rendezvous = false;  // neither side's open returns before the other side opens too
  // Whether the end of the stream stays away as long as any process still holds a descriptor to write to.
  bool surplus_writer_withholds_end = false;
  // Whether the kernel tells a side that the process at the other end has died: its attempts then say closed.
  // Where it does not, the launch notices and names the dead role.
  bool sender_sees_death = false;
  bool receiver_sees_death = false;
  // Whether what both sides of a duplex link have sent lies in one buffer: either's messages take room from
  // the other's.
  bool one_buffer_both_ways = false;
  // Whether a sender never has to wait for room: it is unbounded unasked, and no number can be set.
  bool never_full = false;
  bool lossy = false;  // what finds no room is gone, and its sender is told that it was sent
  Outlives outlives_its_makers = Outlives::nothing;
  Rights rights = Rights::none;
  Interception third_process_can = Interception::none;
  // Whether a message under way can neither be read nor be changed unnoticed by whoever handles its bytes.
  // That none follows can be made up all the same: an attempt says closed whether a stream has ended or its
  // sender has gone.
  bool sealed = false;
  bool carries = true;  // false: no byte crosses the link; what is received is made up (the null transport)

  // Or only relatives of its maker.
  constexpr bool opened_by_strangers() const { return naming != Naming::none && !asks_for_credentials; }
};

template <class S>
concept SenderBase = requires(S sender) {
  // Says end of stream; may be `again`, but is done at once on a link that has been drained.
  { sender.finish() } -> std::same_as<Io>;
  { sender.wait_to_send() } -> std::same_as<void>;
};

template <class S>
concept CopySender = SenderBase<S> && requires(S sender, std::span<const std::byte> message) {
  { sender.send(message) } -> std::same_as<Io>;
};

// A loaned buffer holds message_bytes bytes, aligned to 8; it may be rewritten only after the receiver's
// release.
template <class S>
concept LoanSender = SenderBase<S> && requires(S sender, std::span<std::byte>& slot) {
  { sender.loan(slot) } -> std::same_as<Io>;
  { sender.commit() } -> std::same_as<Io>;
};

// A sender that may have handed over a part of a message when it says `again`: that one must go on.
template <class S>
concept SendsInPieces = requires(const S sender) {
  { sender.within_message() } -> std::same_as<bool>;
};

// A sender that can drop the oldest message out of a full link; `again` when there is none to drop. It may
// have to be repeated until there is room, and after `again` the caller calls wait_to_send().
template <class S>
concept DropsOldest = requires(S sender) {
  { sender.drop_oldest() } -> std::same_as<Io>;
};

template <class R>
concept ReceiverBase = requires(R receiver) {
  { receiver.wait_to_receive() } -> std::same_as<void>;
};

template <class R>
concept CopyReceiver = ReceiverBase<R> && requires(R receiver, std::span<std::byte> message) {
  { receiver.receive(message) } -> std::same_as<Io>;
};

template <class R>
concept LoanReceiver = ReceiverBase<R> && requires(R receiver, std::span<const std::byte>& message) {
  { receiver.peek(message) } -> std::same_as<Io>;
  { receiver.release() } -> std::same_as<Io>;
};

// The same for messages of any size from 1 byte to the largest (Shape::mixed), each received as long as it
// was sent; a link is used by these verbs, or by those that lend a slot, which then tells its message's size
// (harness/sized_slot.h). A stream of bytes sends the size before each message, in the same call, and says as
// frame_bytes how much that is. A receiver's buffer has the largest size.
template <class S>
concept SizedSender = SenderBase<S> && requires(S sender, std::span<const std::byte> message) {
  { sender.send_sized(message) } -> std::same_as<Io>;
};
template <class R>
concept SizedReceiver = ReceiverBase<R> &&
    requires(R receiver, std::span<std::byte> buffer, std::size_t& message_bytes) {
  { receiver.receive_sized(buffer, message_bytes) } -> std::same_as<Io>;
};

// The capacity as the mechanism reports it once opened; nullopt when it does not say.
template <class E>
concept ReportsLimit = requires(const E endpoint) {
  { endpoint.limit() } -> std::same_as<std::optional<CapacityFacts::Limit>>;
};

// What lay in an unbounded link at most: messages sent and not received, and the memory they took.
struct Backlog {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
};
// Its sender tells, also after it has finished; and how many messages are surely within the link's limit.
template <class E>
concept ReportsBacklog = requires(E endpoint) {
  { endpoint.peak_backlog() } -> std::same_as<Backlog>;
  { endpoint.most_messages() } -> std::same_as<std::uint64_t>;
};

// What this mechanism alone has to tell, of a link before it is opened or of a sender after it has finished.
// The texts are literals.
struct MechanismFigure {
  std::string_view name;  // as results call it, at most 39 characters
  std::string_view unit;  // at most 23
  double value = 0;
};
template <class T>
concept ReportsFigures = requires(T& of) {
  { of.figures() } -> std::same_as<std::vector<MechanismFigure>>;
};

// A link is either one-way (open_sender, open_receiver) or duplex (open_peer, which is both sender and
// receiver). Where the ends of a one-way link are descriptors, of pipes and POSIX message queues, the kernel
// refuses the other direction; in shared memory, a System V queue, by signals and in another's memory it is
// the processes' own convention. Senders and receivers are numbered from 0, and each process opens at most
// one of them. The sides of a duplex link are 0 and 1; where it takes several senders, side i sends and side
// Shape::senders receives.
template <class T>
concept OneWayTransport = requires(T link, unsigned index, Meeting& meeting) {
  link.open_sender(index, meeting);
  link.open_receiver(index, meeting);
};

template <class T>
concept DuplexTransport = requires(T link, unsigned side, Meeting& meeting) {
  link.open_peer(side, meeting);
};

template <class T>
concept LinkType = std::constructible_from<T, const Shape&> &&(OneWayTransport<T> || DuplexTransport<T>);

template <class T>
concept Named = requires {
  { T::name } -> std::convertible_to<std::string_view>;
  { T::facts } -> std::convertible_to<const Facts&>;
};

template <class T>
concept Transport = LinkType<T> && Named<T>;

// A link may have another form for what its own cannot have: types T::Unbounded and T::NativeRendezvous for
// those capacities, which T(shape) refuses, and T::Shared for several senders or receivers, and for a sender
// that drops the oldest message where T's own cannot.
template <class T>
concept HasUnbounded = LinkType<typename T::Unbounded>;
template <class T>
concept HasNativeRendezvous = LinkType<typename T::NativeRendezvous>;
template <class T>
concept HasShared = LinkType<typename T::Shared>;

// What must live until every role has ended although the link itself is dropped once all are open: a kernel
// object that cannot be removed while in use. Its destructor removes it.
template <class T>
concept HasRemains = requires(T link) {
  link.take_remains();
};

// Only where a process that inherited nothing can take part: T(shape, address) opens in it what a link of the
// same shape calls its address(), and owns nothing of it. What is asked of the Meeting is the harness's own.
// On a one-way link a stranger may send or receive; on a duplex link it takes a sending side.
template <class T>
concept Attachable = std::constructible_from<T, const Shape&, const std::string&> && requires(const T link) {
  { link.address() } -> std::convertible_to<std::string>;
};

}  // namespace ipcmark
