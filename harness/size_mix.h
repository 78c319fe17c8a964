// Which size each message of a mix has: a function of the mix, the sender and the message's number, the same
// in every run, so that two runs compare and a receiver knows what must come.
//
// The sizes stand in a table of 65,536 entries, message n taking entry n modulo that; looking one up is a
// load from memory that is read in order. Every stretch of the table holds each size as often as its weight
// says, to within one entry at either end, because the sizes are laid out as a fair scheduler would: the k-th
// use of a size of share s lies in [floor(k / s), ceil((k + 1) / s)), the earliest end first (Baruah, Cohen,
// Plaxton and Varvel, Proportionate Progress, Algorithmica 15, 1996). After that the entries of each block of
// 128 are shuffled, by the sender's number, so that no order of sizes can be learned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "harness/case.h"
#include "harness/payload.h"

namespace ipcmark {

class MessageSizes {
 public:
  static constexpr std::size_t entries = rarest_size;  // a power of two; each size has one at least
  static constexpr std::size_t block = 128;

  // Of a mix as parse_mix() takes it; throws std::invalid_argument for any other text.
  MessageSizes(std::string_view mix, unsigned sender);

  std::size_t operator()(std::uint64_t sequence) const { return sizes_[part(sequence)]; }
  // The index of that size among sizes().
  unsigned part(std::uint64_t sequence) const { return table_[sequence % entries]; }
  const std::vector<std::size_t>& sizes() const { return sizes_; }  // ascending
  // Of messages [first, end) together.
  std::uint64_t bytes(std::uint64_t first, std::uint64_t end) const;

 private:
  std::vector<std::size_t> sizes_;
  std::vector<std::uint8_t> table_;
};

// As SequenceChecker (harness/payload.h), of the messages of a mix. A message whose size is not the one that
// its number has is corrupted; so is one whose size no message has. Numbers repeat as the size at hand makes
// them: what was lost before a small message shows at the next large one.
class MixedSequenceChecker {
 public:
  // Throws as MessageSizes.
  MixedSequenceChecker(unsigned sender, const Case& benchmark_case);

  // A timed launch: the size, the stamp and the sum.
  void observe(const Reading& reading, std::size_t message_bytes) {
    ++numbers_.counts_.checked;
    const unsigned part = sizes_.part(numbers_.next_);
    const std::uint64_t stamp = make_stamp(sender_, numbers_.next_, message_bytes);
    if (message_bytes == sizes_.sizes()[part] && reading.stamp == stamp &&
        reading.sum == expected_[part](stamp)) [[likely]] {
      ++numbers_.next_;
    } else {
      observe_unexpected(reading, message_bytes);
    }
  }

  // A verified launch: the size, the stamp and every byte.
  void observe_every_byte(std::span<const std::byte> message);

  // As SequenceChecker's.
  void finish(std::uint64_t sent) { numbers_.finish(sent); }
  const Integrity& counts() const { return numbers_.counts(); }
  std::uint64_t next() const { return numbers_.next(); }

 private:
  void observe_unexpected(const Reading& reading, std::size_t message_bytes);
  void settle(std::uint64_t stamp, std::size_t message_bytes, bool intact);

  unsigned sender_;
  Touch touch_;
  MessageSizes sizes_;
  std::vector<ExpectedSum> expected_;  // by part
  SequenceChecker numbers_;            // of which the account alone is used
};

}  // namespace ipcmark
