// What a message carries, so that the receiver can tell whether it is the one that was sent.
//
// Word 0 is the stamp: the low 48 bits of the sequence number, and the sender in the upper 16. Word i (8
// bytes, little endian) is stamp + i * an odd constant; a tail shorter than 8 bytes holds the low bytes of
// the next word. A message shorter than 8 bytes holds the low bytes of the stamp: with 1 byte, the sequence
// modulo 256.
//
// fill() and read() are the work every sender and receiver does in the timed part. They are out of line on
// purpose: one function for all transports, whose cost is measured as a floor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>

#include "harness/case.h"
#include "harness/measurement.h"

namespace ipcmark {

// Sequence numbers repeat after this many messages: 2^(8 * size), from 6 bytes on 2^48.
constexpr std::uint64_t detection_limit(std::size_t message_bytes) {
  return std::uint64_t{1} << (message_bytes < 6 ? 8 * message_bytes : 48);
}

// The stamp as a message of that size carries it. Senders count from 0 to 65535.
constexpr std::uint64_t make_stamp(unsigned sender, std::uint64_t sequence, std::size_t message_bytes) {
  const std::uint64_t stamp = (sequence & 0xffff'ffff'ffff) | std::uint64_t{sender} << 48;
  return message_bytes < 8 ? stamp & ((std::uint64_t{1} << 8 * message_bytes) - 1) : stamp;
}

// Writes every byte of the message (full), or its first 8 (header). Any alignment, any size from 1.
void fill(std::span<std::byte> message, unsigned sender, std::uint64_t sequence, Touch touch);

struct Reading {
  std::uint64_t stamp = 0;
  std::uint64_t sum = 0;  // of all words modulo 2^64, the tail as a shorter word; header: the stamp alone
};

// Reads every byte of the message (full), or its first 8 (header).
Reading read(std::span<const std::byte> message, Touch touch);

// The sum read() finds in an intact message with a given stamp, for messages of one size; no loop, so that a
// timed launch can check it. Against the stamp that was expected (not the one found) it exposes every single
// flipped bit.
class ExpectedSum {
 public:
  ExpectedSum(std::size_t message_bytes, Touch touch);
  std::uint64_t operator()(std::uint64_t stamp) const {
    return words_ * stamp + constant_ + ((stamp + tail_offset_) & tail_mask_);
  }

 private:
  std::uint64_t words_ = 1;
  std::uint64_t constant_ = 0;
  std::uint64_t tail_offset_ = 0;
  std::uint64_t tail_mask_ = 0;
};

// Whether every byte (header: each of the first 8) is what fill() writes.
bool verify(std::span<const std::byte> message, unsigned sender, std::uint64_t sequence, Touch touch);

// Judges the messages of one sender as they arrive at one receiver. The next sequence number expected starts
// at `first`.
//
//   corrupted   its sum does not match its stamp, the sender is another, or its number is more than 2^32
//   ahead or lies
//               before `first`. It is taken for the message expected at that place, so that nothing counts as
//               lost too.
//   lost        numbers passed over. One that arrives after all is then no longer lost but
//   reordered   (counted once per message that arrives behind a later one).
//   duplicated  a number that has been seen.
//
// Within the detection limit L of the size: numbers are known modulo L, and one up to L/2 - 1 ahead counts as
// ahead, any other as behind. L messages lost in a row go unnoticed until finish(), which knows the total. A
// message of at most 8 bytes is nothing but its stamp: there a flipped bit shows as lost, duplicated or
// reordered messages, or as corrupted. Of the holes in the series the latest 4096 are remembered; a message
// that fills an older one counts as duplicated.
class SequenceChecker {
 public:
  SequenceChecker(unsigned sender, std::size_t message_bytes, Touch touch, std::uint64_t first = 0);

  // A timed launch: the stamp and the sum.
  void observe(const Reading& reading) {
    ++counts_.checked;
    if (reading.stamp == expected_stamp_ && reading.sum == expected_sum_) [[likely]] {
      expect(next_ + 1);
    } else {
      observe_unexpected(reading.stamp, reading.sum == expected_(reading.stamp));
    }
  }

  // A verified launch: the stamp and every byte.
  void observe_every_byte(std::span<const std::byte> message);

  // Counts what is still missing of `sent` messages in all (numbers first .. first + sent - 1). More than
  // were sent are corrupted. Call once, at the end.
  void finish(std::uint64_t sent);

  const Integrity& counts() const { return counts_; }
  std::uint64_t next() const { return next_; }  // the number expected next

 private:
  friend class MixedSequenceChecker;  // harness/size_mix.h

  void expect(std::uint64_t sequence) {
    next_ = sequence;
    expected_stamp_ = make_stamp(sender_, sequence, message_bytes_);
    expected_sum_ = expected_(expected_stamp_);
  }
  void observe_unexpected(std::uint64_t stamp, bool intact);
  // The number near the one expected that a message with such a stamp has; nullopt when none can have it.
  std::optional<std::uint64_t> number_of(std::uint64_t stamp, std::size_t message_bytes) const;
  void settle(std::optional<std::uint64_t> number);  // without one it is corrupted
  void pass_over(std::uint64_t first, std::uint64_t end);
  bool fill_hole(std::uint64_t sequence);

  std::uint64_t next_ = 0;
  std::uint64_t expected_stamp_ = 0;
  std::uint64_t expected_sum_ = 0;
  std::size_t message_bytes_;
  unsigned sender_;
  Touch touch_;
  std::uint64_t first_;
  ExpectedSum expected_;
  std::map<std::uint64_t, std::uint64_t> holes_;  // [first, end) of numbers passed over
  Integrity counts_;
};

}  // namespace ipcmark
