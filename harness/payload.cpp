#include "harness/payload.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace ipcmark {

namespace {

static_assert(std::endian::native == std::endian::little, "payload words are little endian");

// 2^64 / golden ratio, made odd: neighbouring words differ in about half their bits.
constexpr std::uint64_t step = 0x9E37'79B9'7F4A'7C15;
constexpr std::uint64_t furthest_ahead = std::uint64_t{1} << 32;
constexpr std::size_t most_holes = 4096;

constexpr std::uint64_t low_bytes(std::uint64_t word, std::size_t bytes) {
  return word & ((std::uint64_t{1} << 8 * bytes) - 1);  // bytes < 8
}

std::uint64_t load(const std::byte* from, std::size_t bytes) {
  std::uint64_t word = 0;
  std::memcpy(&word, from, bytes);
  return word;
}

}  // namespace

void fill(std::span<std::byte> message, unsigned sender, std::uint64_t sequence, Touch touch) {
  std::byte* const bytes = message.data();
  std::uint64_t word = make_stamp(sender, sequence, 8);
  const std::size_t words =
      touch == Touch::full ? message.size() / 8 : std::min<std::size_t>(message.size() / 8, 1);
  for (std::size_t i = 0; i < words; ++i) {
    std::memcpy(bytes + 8 * i, &word, 8);
    word += step;
  }
  // Of most sizes there is no tail, and a call that copies nothing costs as much as the rest of a small
  // message.
  const std::size_t tail = touch == Touch::full || words == 0 ? message.size() % 8 : 0;
  if (tail != 0) std::memcpy(bytes + 8 * words, &word, tail);
}

Reading read(std::span<const std::byte> message, Touch touch) {
  const std::byte* const bytes = message.data();
  if (message.size() < 8) {
    const std::uint64_t stamp = load(bytes, message.size());
    return {stamp, stamp};
  }
  const std::uint64_t stamp = load(bytes, 8);
  if (touch == Touch::header) return {stamp, stamp};
  const std::size_t words = message.size() / 8;
  const std::size_t tail = message.size() % 8;
  std::uint64_t sum = tail == 0 ? 0 : load(bytes + 8 * words, tail);
  for (std::size_t i = 0; i < words; ++i) sum += load(bytes + 8 * i, 8);
  return {stamp, sum};
}

// The sum of stamp + i * step for i below n is n * stamp + step * n (n - 1) / 2. Of n and n - 1 one is even,
// so the halving is exact before the product is cut to 64 bits.
ExpectedSum::ExpectedSum(std::size_t message_bytes, Touch touch) {
  if (message_bytes < 8 || touch == Touch::header) return;
  words_ = message_bytes / 8;
  constant_ = step * (words_ % 2 == 0 ? words_ / 2 * (words_ - 1) : (words_ - 1) / 2 * words_);
  tail_mask_ = low_bytes(~std::uint64_t{0}, message_bytes % 8);
  tail_offset_ = words_ * step;
}

bool verify(std::span<const std::byte> message, unsigned sender, std::uint64_t sequence, Touch touch) {
  const std::byte* const bytes = message.data();
  std::uint64_t word = make_stamp(sender, sequence, 8);
  const std::size_t words =
      touch == Touch::full ? message.size() / 8 : std::min<std::size_t>(message.size() / 8, 1);
  for (std::size_t i = 0; i < words; ++i) {
    if (load(bytes + 8 * i, 8) != word) return false;
    word += step;
  }
  if (touch == Touch::header && words > 0) return true;
  return load(bytes + 8 * words, message.size() % 8) == low_bytes(word, message.size() % 8);
}

SequenceChecker::SequenceChecker(unsigned sender, std::size_t message_bytes, Touch touch, std::uint64_t first)
    : message_bytes_(message_bytes),
      sender_(sender),
      touch_(touch),
      first_(first),
      expected_(message_bytes, touch) {
  counts_.detection_limit = detection_limit(message_bytes);
  expect(first);
}

void SequenceChecker::observe_every_byte(std::span<const std::byte> message) {
  counts_.every_byte = true;
  ++counts_.checked;
  const std::uint64_t stamp = read(message, Touch::header).stamp;
  const bool intact = message.size() == message_bytes_ &&
                      verify(message, static_cast<unsigned>(stamp >> 48), stamp & 0xffff'ffff'ffff, touch_);
  if (intact && stamp == expected_stamp_) {
    expect(next_ + 1);
  } else {
    observe_unexpected(stamp, intact);
  }
}

void SequenceChecker::observe_unexpected(std::uint64_t stamp, bool intact) {
  settle(intact ? number_of(stamp, message_bytes_) : std::nullopt);
}

std::optional<std::uint64_t> SequenceChecker::number_of(std::uint64_t stamp,
                                                        std::size_t message_bytes) const {
  const std::uint64_t limit = detection_limit(message_bytes);
  const std::uint64_t ahead = (stamp - next_) % limit;  // limit is a power of two: the borrow does no harm
  const bool behind = ahead >= limit / 2;
  const std::uint64_t distance = behind ? limit - ahead : ahead;
  const std::uint64_t number = behind ? next_ - distance : next_ + distance;
  if (make_stamp(sender_, number, message_bytes) != stamp || (behind && distance > next_ - first_) ||
      (!behind && distance > furthest_ahead)) {
    return std::nullopt;
  }
  return number;
}

void SequenceChecker::settle(std::optional<std::uint64_t> number) {
  if (!number) {
    ++counts_.corrupted;
    expect(next_ + 1);
  } else if (*number >= next_) {
    pass_over(next_, *number);
    expect(*number + 1);
  } else if (fill_hole(*number)) {
    --counts_.lost;
    ++counts_.reordered;
  } else {
    ++counts_.duplicated;
  }
}

void SequenceChecker::pass_over(std::uint64_t first, std::uint64_t end) {
  counts_.lost += end - first;
  if (first == end) return;
  holes_.emplace(first, end);
  if (holes_.size() > most_holes) holes_.erase(holes_.begin());
}

bool SequenceChecker::fill_hole(std::uint64_t sequence) {
  auto hole = holes_.upper_bound(sequence);
  if (hole == holes_.begin()) return false;
  --hole;
  const auto [first, end] = *hole;
  if (sequence >= end) return false;
  holes_.erase(hole);
  if (first < sequence) holes_.emplace(first, sequence);
  if (sequence + 1 < end) holes_.emplace(sequence + 1, end);
  return true;
}

void SequenceChecker::finish(std::uint64_t sent) {
  const std::uint64_t end = first_ + sent;
  if (next_ < end) {
    counts_.lost += end - next_;
  } else {
    counts_.corrupted += next_ - end;
  }
}

}  // namespace ipcmark
