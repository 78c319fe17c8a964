#include "harness/size_mix.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>

#include "harness/shuffle.h"

namespace ipcmark {

MessageSizes::MessageSizes(std::string_view mix, unsigned sender) {
  const auto shares = parse_mix(mix);
  if (!shares) throw std::invalid_argument("no mix of sizes: " + std::string(mix));
  std::uint64_t total = 0;
  for (const SizeShare& share : *shares) {
    sizes_.push_back(share.bytes);
    total += share.weight;
  }

  // Products of a count up to 65,536 and a sum of 256 weights up to 10^9 stay far below 2^64.
  std::vector<std::uint64_t> uses(shares->size());
  table_.reserve(entries);
  for (std::uint64_t place = 0; place < entries; ++place) {
    std::size_t chosen = 0;
    std::uint64_t earliest = std::numeric_limits<std::uint64_t>::max();
    for (std::size_t i = 0; i < shares->size(); ++i) {
      const std::uint64_t weight = (*shares)[i].weight;
      const std::uint64_t begin = uses[i] * total / weight;
      const std::uint64_t end = ((uses[i] + 1) * total + weight - 1) / weight;
      if (begin > place || end >= earliest) continue;
      chosen = i;
      earliest = end;
    }
    ++uses[chosen];
    table_.push_back(static_cast<std::uint8_t>(chosen));
  }

  SplitMix64 random(sender);
  for (std::size_t first = 0; first < entries; first += block) {
    shuffle(std::span(table_).subspan(first, block), random);
  }
}

std::uint64_t MessageSizes::bytes(std::uint64_t first, std::uint64_t end) const {
  std::vector<std::uint64_t> messages(sizes_.size());
  const std::uint64_t whole_tables = (end - first) / entries;
  if (whole_tables > 0) {
    for (const std::uint8_t part : table_) messages[part] += whole_tables;
  }
  for (std::uint64_t n = first + whole_tables * entries; n < end; ++n) ++messages[part(n)];
  return std::inner_product(messages.begin(), messages.end(), sizes_.begin(), std::uint64_t{0});
}

MixedSequenceChecker::MixedSequenceChecker(unsigned sender, const Case& benchmark_case)
    : sender_(sender),
      touch_(benchmark_case.touch),
      sizes_(benchmark_case.mix, sender),
      numbers_(sender, sizes_.sizes().back(), touch_) {
  for (const std::size_t bytes : sizes_.sizes()) expected_.emplace_back(bytes, touch_);
  numbers_.counts_.detection_limit = detection_limit(sizes_.sizes().front());
}

void MixedSequenceChecker::observe_every_byte(std::span<const std::byte> message) {
  numbers_.counts_.every_byte = true;
  ++numbers_.counts_.checked;
  if (message.empty()) return settle(0, 0, false);
  const std::uint64_t stamp = read(message, Touch::header).stamp;
  settle(stamp, message.size(),
         verify(message, static_cast<unsigned>(stamp >> 48), stamp & 0xffff'ffff'ffff, touch_));
}

void MixedSequenceChecker::observe_unexpected(const Reading& reading, std::size_t message_bytes) {
  const auto size = std::ranges::lower_bound(sizes_.sizes(), message_bytes);
  const bool known = size != sizes_.sizes().end() && *size == message_bytes;
  const auto part = static_cast<std::size_t>(size - sizes_.sizes().begin());
  settle(reading.stamp, message_bytes, known && reading.sum == expected_[part](reading.stamp));
}

void MixedSequenceChecker::settle(std::uint64_t stamp, std::size_t message_bytes, bool intact) {
  std::optional<std::uint64_t> number;
  if (intact) number = numbers_.number_of(stamp, message_bytes);
  if (number && sizes_(*number) != message_bytes) number.reset();
  numbers_.settle(number);
}

}  // namespace ipcmark
