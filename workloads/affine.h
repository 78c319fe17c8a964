// What a filter does to a message: every 8-byte word x becomes factor * x + offset modulo 2^64, a shorter
// tail its low bytes. Two filters with different factors (and the same odd offset) do not commute, so whoever
// undoes all of them in reverse order finds the message again only if each has done its part, in its place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "harness/case.h"
#include "harness/payload.h"

namespace ipcmark {

struct Affine {
  std::uint64_t factor = 1;  // odd, so that there is an inverse
  std::uint64_t offset = 0;

  constexpr std::uint64_t operator()(std::uint64_t word) const { return factor * word + offset; }
  constexpr Affine then(const Affine& next) const { return {next.factor * factor, next(offset)}; }
  constexpr Affine inverse() const {
    // Newton's iteration doubles the bits that are right; an odd number is its own inverse modulo 8.
    std::uint64_t inverted = factor;
    for (int bits = 3; bits < 64; bits *= 2) inverted *= 2 - factor * inverted;
    return {inverted, 0 - inverted * offset};
  }
};

// Of the filters of a pipeline, counted from 0.
constexpr Affine filter_of_stage(std::uint64_t stage) { return {4 * stage + 5, 0x9e37'79b9'7f4a'7c15}; }

constexpr Affine filters_of_stages(std::uint64_t stages) {
  Affine all;
  for (std::uint64_t stage = 0; stage < stages; ++stage) all = all.then(filter_of_stage(stage));
  return all;
}

// Every word of `from` (header: the first) goes to the same place in `to`, of the same size; they may be the
// same memory.
inline void filter_words(std::span<const std::byte> from, std::span<std::byte> to, const Affine& map,
                         Touch touch) {
  const std::size_t bytes = touch == Touch::header && from.size() > 8 ? 8 : from.size();
  for (std::size_t at = 0; at < bytes; at += 8) {
    const std::size_t count = bytes - at < 8 ? bytes - at : 8;
    std::uint64_t word = 0;
    std::memcpy(&word, from.data() + at, count);
    word = map(word);
    std::memcpy(to.data() + at, &word, count);
  }
}

// What read() would have said of the message before the map, told from what it says of it now.
inline Reading undone(const Reading& now, std::span<const std::byte> message, const Affine& map,
                      Touch touch) {
  const Affine back = map.inverse();
  if (touch == Touch::header && message.size() >= 8) return {back(now.stamp), back(now.stamp)};
  const std::size_t words = message.size() / 8, tail_bytes = message.size() % 8;
  std::uint64_t tail = 0;
  std::memcpy(&tail, message.data() + 8 * words, tail_bytes);
  const std::uint64_t mask = (std::uint64_t{1} << 8 * tail_bytes) - 1;  // 0 without a tail
  const std::uint64_t tail_before = back(tail) & mask;
  const std::uint64_t sum = back.factor * (now.sum - tail) + words * back.offset + tail_before;
  return {words == 0 ? tail_before : back(now.stamp), sum};
}

}  // namespace ipcmark
