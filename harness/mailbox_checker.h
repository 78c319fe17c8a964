// Judges a mailbox: the messages of several senders, each of which may arrive at any one of several
// receivers, in processes of their own. What SequenceChecker (harness/payload.h) tells of one sender and one
// receiver cannot be told by any receiver alone here, since a number that is missing has usually gone to
// another. So each receiver keeps a tally in memory that all share, and the tallies are judged together at
// the end.
//
// The exact form counts the arrivals of every single message, 4 bytes of memory each, in one table for all
// receivers. It is for verified launches. The counted form keeps, for each receiver and sender, the number of
// messages, the sum of their sequence numbers and that of their squares; it is for timed launches.
//
//                exact                                           counted
//   lost         messages that arrived nowhere                   as many as are missing in number, or 1
//   duplicated   arrivals beyond the first, wherever             as many as are over in number, or 1
//   reordered    first arrivals at a receiver behind a later     arrivals at a receiver behind a later
//   message
//                message of the same sender                      of the same sender, save repeats of the
//                latest
//   corrupted    its sum or a byte does not match its stamp, its sender or number does not exist. One that is
//                missing elsewhere is taken for it, so that it does not count as lost too.
//
// Counted, losses and duplications of one sender that are the same in number cancel out there; the sums still
// tell that they are not the same messages (1 and 1 are then shown, without being able to tell more). Equal
// number, sum and sum of squares leave at least three lost messages and three others duplicated, whose
// numbers happen to agree in all of these (as 1, 5, 6 and 2, 3, 7 do).
//
// What the stamp holds decides what can be told. From 8 bytes on, everything. With 7, of at most 256 senders.
// With less, who sent a message is not in it: of several senders only all together are judged, each value of
// the stamp by how often it should have arrived, and order not at all (order_is_judged()). Below 6 bytes
// numbers repeat after `detection_limit` messages, and order is judged up to as many per sender; a message
// exchanged for one that carries the same stamp cannot be seen, nor need it be.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "harness/case.h"
#include "harness/measurement.h"
#include "harness/memory_map.h"
#include "harness/payload.h"

namespace ipcmark {

struct MailboxShape {
  unsigned senders = 1;
  unsigned receivers = 1;
  std::size_t message_bytes = 8;
  Touch touch = Touch::full;
  std::uint64_t most_messages_each = 0;  // no sender sends more, warm-up included
  bool exact = false;
};

namespace mailbox_detail {

// Of one sender's messages at one receiver, or of all senders' where they cannot be told apart.
struct Tally {
  std::uint64_t messages;
  std::uint64_t sum;      // of sequence numbers, modulo 2^64
  std::uint64_t squares;  // of their squares, modulo 2^64
  std::uint64_t next;     // one more than the highest
  std::uint64_t reordered;
};

// Of one receiver, besides.
struct alignas(128) Mishaps {
  std::uint64_t corrupted;
  std::uint64_t compared_bytewise;
};

using Arrivals = std::atomic<std::uint32_t>;
static_assert(Arrivals::is_always_lock_free);

}  // namespace mailbox_detail

class MailboxReceiverChecker;

// Made before the roles are forked and asked after they have ended.
class MailboxChecker {
 public:
  // Throws std::system_error when there is no memory for it, std::invalid_argument for a mailbox of nobody.
  explicit MailboxChecker(const MailboxShape& shape);

  // For receiver `index`, in whichever process that is; one at a time. The checker's memory must outlive it.
  MailboxReceiverChecker receiver(unsigned index);

  bool order_is_judged() const;

  // What was received of `sent` messages of each sender (numbers 0 .. sent - 1), over all receivers.
  Integrity judge(std::span<const std::uint64_t> sent) const;

  // Messages that this receiver got, damaged ones included.
  std::uint64_t received(unsigned receiver) const;

 private:
  friend class MailboxReceiverChecker;

  bool senders_are_told_apart() const;
  unsigned sources() const { return senders_are_told_apart() ? shape_.senders : 1; }  // tallies a receiver
  std::uint64_t numbers() const;  // that a stamp can hold, and any sender sends
  std::size_t receiver_bytes() const;
  std::span<mailbox_detail::Tally> tallies(unsigned receiver) const;
  mailbox_detail::Mishaps& mishaps(unsigned receiver) const;
  std::span<mailbox_detail::Arrivals> arrivals() const;  // by source, then number; empty unless exact

  void judge_arrivals(std::span<const std::uint64_t> sent, Integrity& integrity) const;
  void judge_sums(std::span<const std::uint64_t> sent, Integrity& integrity) const;

  MailboxShape shape_;
  MemoryMap memory_;
};

// Observes the messages that arrive at one receiver. Belongs to one thread.
class MailboxReceiverChecker {
 public:
  // A timed launch: the stamp and the sum.
  void observe(const Reading& reading) { keep(reading.stamp, reading.sum == expected_(reading.stamp)); }

  // A verified launch: the stamp and every byte.
  void observe_every_byte(std::span<const std::byte> message);

 private:
  friend class MailboxChecker;
  MailboxReceiverChecker(const MailboxChecker& checker, unsigned index);

  void keep(std::uint64_t stamp, bool intact) {
    const std::uint64_t number = stamp & number_mask_;
    const std::uint64_t source = (stamp >> 48) & source_mask_;
    if (!intact || source >= tallies_.size() || number >= numbers_) [[unlikely]] {
      ++mishaps_->corrupted;
      return;
    }
    mailbox_detail::Tally& tally = tallies_[source];
    ++tally.messages;
    tally.sum += number;
    tally.squares += number * number;
    // relaxed: nothing is read before all processes have ended. Whoever adds to 0 has the first arrival.
    const bool repeated = arrivals_.empty() ? number + 1 == tally.next
                                            : arrivals_[source * numbers_ + number].fetch_add(
                                                  1, std::memory_order_relaxed) != 0;
    if (number >= tally.next) {
      tally.next = number + 1;
    } else if (!repeated) {
      ++tally.reordered;
    }
  }

  std::span<mailbox_detail::Tally> tallies_;
  mailbox_detail::Mishaps* mishaps_;
  std::span<mailbox_detail::Arrivals> arrivals_;
  std::uint64_t numbers_;
  std::uint64_t number_mask_;
  std::uint64_t source_mask_;
  std::size_t message_bytes_;
  Touch touch_;
  ExpectedSum expected_;
};

}  // namespace ipcmark
