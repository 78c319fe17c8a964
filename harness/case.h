// One point of the grid: plain data, its words, and its id. No dependency but the standard library.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ipcmark {

// How one side of a link waits when an attempt says `again` (or, for `block`, inside the attempt itself).
enum class Wait : std::uint8_t {
  block,
  poll,
  epoll,
  spin,
  yield,
  futex,
  adaptive,  // spin for a while, then futex
  semaphore,
  sysv_semaphore,
  condvar,
  eventfd,
};
// Whether a side may be put to sleep until another wakes it; if not, it tries again and again.
constexpr bool may_sleep(Wait wait) { return wait != Wait::spin && wait != Wait::yield; }

// Whether a side passes its own buffer (copy) or writes and reads inside the link (loan).
enum class Access : std::uint8_t { copy, loan };

// Whether every byte of a payload is written and read, or its first eight only.
enum class Touch : std::uint8_t { full, header };

// The kernel's limits as found, or raised inside the launch's own IPC namespace.
enum class Limits : std::uint8_t { host, raised };

// What a sender does with a message for which there is no room.
enum class Overflow : std::uint8_t {
  wait,
  fail,      // the case fails at the first one
  drop_new,  // that message is given up
  drop_old,  // the oldest one in the link is
};

// Who gets a message of a mailbox, and who learns of it.
enum class Delivery : std::uint8_t {
  first,      // whoever receives first
  exclusive,  // the link has one receiver; another one's open is refused
  notify,     // whoever receives first, and the sender is told who it was
};

// When the messages of an open loop are due.
enum class Arrivals : std::uint8_t {
  fixed,    // at equal distances
  poisson,  // at random, each regardless of the others
  burst,    // several at once, the bursts at equal distances
};

// What caches hold when a message comes: what the one before left, or something else.
enum class Caches : std::uint8_t { warm, cold };

// Messages a second, or percent of the most that the same case was seen to move; 0: not asked for.
struct Rate {
  std::uint64_t value = 0;
  bool percent = false;

  friend auto operator<=>(const Rate&, const Rate&) = default;
};

// How a link of capacity 0 makes its sender wait for the receiver: by itself, or by a message back.
enum class Rendezvous : std::uint8_t { none, native, acknowledged };

// How much a link is asked to hold before its sender must wait.
struct Capacity {
  enum class Kind : std::uint8_t { standard, rendezvous, bounded, unbounded };
  Kind kind = Kind::standard;
  std::uint64_t messages = 0;  // > 0 when bounded, else 0

  static constexpr Capacity bounded(std::uint64_t messages) { return {Kind::bounded, messages}; }
  static constexpr Capacity rendezvous() { return {Kind::rendezvous, 0}; }
  static constexpr Capacity unbounded() { return {Kind::unbounded, 0}; }

  friend auto operator<=>(const Capacity&, const Capacity&) = default;
};

struct Case {
  std::string workload{};
  std::string transport{};
  std::uint64_t message_bytes = 64;  // of a mix the largest size
  Capacity capacity{};
  Wait send_wait = Wait::block;
  Wait receive_wait = Wait::block;
  Access send_access = Access::copy;
  Access receive_access = Access::copy;
  std::string placement = "unpinned";  // a class of DESIGN's words, or logical PU indexes joined by '+'
  unsigned senders = 1;
  unsigned receivers = 1;
  Touch touch = Touch::full;
  Limits limits = Limits::host;
  std::string sched = "other";  // other | fifo:N

  // What only some workloads and links have; see further_parameters().
  Rendezvous rendezvous = Rendezvous::none;  // follows from transport and capacity
  Overflow overflow = Overflow::wait;
  Delivery delivery = Delivery::first;
  std::uint64_t burst = 0;        // messages sent at once
  std::uint64_t reply_bytes = 0;  // 0: as many as the message
  std::uint64_t work = 0;         // units of work between two tries, or for each message
  std::uint64_t stages = 0;       // filters between source and sink
  std::uint64_t pairs = 0;        // independent pairs at once
  std::string hops = "none";      // transports joined by '+': hop i of a pipeline goes over the i-th, modulo
                                  // their number, and the first is the case's own; none: all over that
  std::string filter = "none";    // the command that each filter of a pipeline runs; none: its own code
  std::string mix = "none";       // sizes of the messages and their weights, see parse_mix(); none: all have
                                  // message_bytes
  Rate rate{};                    // of an open loop
  Arrivals arrivals = Arrivals::fixed;
  std::uint64_t p99_bound_ns = 0;  // of the response times that a load may have; 0: none
  std::uint64_t gap_ns = 0;        // between the receiver's being ready and the next message
  Caches caches = Caches::warm;

  friend auto operator<=>(const Case&, const Case&) = default;
};

// The parameters that only some workloads and links have, and the numbers of senders and receivers: all told
// alike, as a word. Everything that goes through all of a case's parameters (ids, files, grids, options)
// walks this table.
struct Parameter {
  std::string_view key;                  // in ids, result files and suite files
  std::string_view option;               // on the command line; empty when it cannot be asked for
  std::string_view help;                 // one line
  std::string_view allowed;              // what parse takes
  std::uint64_t (*number)(const Case&);  // null: a word
  std::string (*text)(const Case&);
  bool (*parse)(std::string_view text, Case&);  // false: malformed, and the case is as it was
};
std::span<const Parameter> further_parameters();
// Whether the case says of it what every case says that does not know it: then ids and files leave it out,
// but for senders and receivers.
bool is_neutral(const Parameter& parameter, const Case& benchmark_case);

// Of which the timed part of a case with gaps has at least so many, however long they are.
inline constexpr std::uint64_t fewest_gaps = 40;

// The full set of parameters, in a fixed order:
// workload:stream/transport:pipe/size:64/capacity:default/wait:block/access:copy/placement:same_l3/senders:1/
// receivers:1/touch:full/limits:host/sched:other, and after these each further parameter that is not neutral.
// One word when both sides agree, else "send+receive".
std::string case_id(const Case& benchmark_case);
// The exact inverse: nullopt for anything case_id does not write.
std::optional<Case> parse_case_id(std::string_view id);

std::string_view to_string(Wait wait);
std::string_view to_string(Access access);
std::string_view to_string(Touch touch);
std::string_view to_string(Limits limits);
std::string_view to_string(Overflow overflow);
std::string_view to_string(Delivery delivery);
std::string_view to_string(Rendezvous rendezvous);
std::string_view to_string(Arrivals arrivals);
std::string_view to_string(Caches caches);
std::string to_string(const Rate& rate);          // 20000 | 75%
std::string to_string(const Capacity& capacity);  // default | 0 | N | unbounded

// "block", or "block+spin" when the two differ.
std::string to_string(Wait send, Wait receive);
std::string to_string(Access send, Access receive);

// The inverse; nullopt for anything else.
std::optional<Wait> parse_wait(std::string_view text);
std::optional<Access> parse_access(std::string_view text);
std::optional<Touch> parse_touch(std::string_view text);
std::optional<Limits> parse_limits(std::string_view text);
std::optional<Capacity> parse_capacity(std::string_view text);  // refuses a negative or overflowing number

// Up to 10^9 a second and 1000 %.
std::optional<Rate> parse_rate(std::string_view text);

std::span<const Wait> all_waits();

// 64, 4Ki, 1Mi, 3Gi; nullopt when malformed, zero or over 1 TiB.
std::optional<std::uint64_t> parse_bytes(std::string_view text);
// 4096 -> "4Ki"; a number that is no multiple of a binary unit stays as it is.
std::string format_bytes(std::uint64_t bytes);

// A size of a mix, and its weight among the weights of all.
struct SizeShare {
  std::uint64_t bytes = 0;
  std::uint64_t weight = 0;
  friend bool operator==(const SizeShare&, const SizeShare&) = default;
};
// A weight is a whole number up to 10^9, and at least this part of all: 1 in so many messages.
inline constexpr std::uint64_t rarest_size = 65'536;
// "64:90+4Ki:10", in any order, no size twice, at most 256 of them; ascending by size. nullopt when
// malformed.
std::optional<std::vector<SizeShare>> parse_mix(std::string_view text);
inline bool is_mix(const Case& benchmark_case) { return benchmark_case.mix != "none"; }
// Of the case's messages.
std::uint64_t smallest_message(const Case& benchmark_case);

}  // namespace ipcmark
