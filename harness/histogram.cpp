#include "harness/histogram.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <type_traits>
#include <utility>

namespace ipcmark {

static_assert(std::is_trivially_copyable_v<Histogram>);
static_assert(Histogram::bucket_of(UINT64_MAX) == Histogram::bucket_count - 1);

namespace {

constexpr std::uint64_t samples_beyond = 100;

template <class Unsigned>
void append_decimal(std::string& text, Unsigned value) {
  char digits[40];
  char* const end = digits + sizeof digits;
  char* first = end;
  do {
    *--first = static_cast<char>('0' + static_cast<int>(value % 10));
    value /= 10;
  } while (value != 0);
  text.append(first, end);
}

// Takes a decimal number off the front of text. No sign, no leading zero, no overflow.
template <class Unsigned>
bool take_decimal(std::string_view& text, Unsigned& value) {
  constexpr auto limit = static_cast<Unsigned>(-1);
  std::size_t length = 0;
  value = 0;
  while (length < text.size() && text[length] >= '0' && text[length] <= '9') {
    const auto digit = static_cast<Unsigned>(text[length] - '0');
    if (value > (limit - digit) / 10) return false;
    value = static_cast<Unsigned>(value * 10 + digit);
    ++length;
  }
  const bool leading_zero = length > 1 && text[0] == '0';
  text.remove_prefix(length);
  return length > 0 && !leading_zero;
}

bool take(std::string_view& text, char expected) {
  if (text.empty() || text.front() != expected) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

void Histogram::merge(const Histogram& other) {
  for (std::size_t bucket = 0; bucket < bucket_count; ++bucket) buckets_[bucket] += other.buckets_[bucket];
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
  inverted_min_ = std::max(inverted_min_, other.inverted_min_);
}

double Histogram::mean_ns() const {
  return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_);
}

// 1e-6 takes back what q * count gained by rounding: 0.999 * 1000 must not become rank 1000.
std::uint64_t Histogram::rank_of(double q) const {
  const double rank = std::ceil(q * static_cast<double>(count_) - 1e-6);
  if (rank >= static_cast<double>(count_)) return count_;
  return std::max<std::uint64_t>(1, rank < 1 ? 1 : static_cast<std::uint64_t>(rank));
}

double Histogram::value_at_rank(std::uint64_t rank) const {
  std::size_t bucket = 0;
  for (std::uint64_t seen = buckets_[0]; seen < rank; seen += buckets_[bucket]) ++bucket;
  const std::uint64_t low = bucket_low(bucket);
  const double midpoint = static_cast<double>(low) + static_cast<double>(bucket_high(bucket) - low) / 2;
  return std::clamp(midpoint, static_cast<double>(min_ns()), static_cast<double>(max_ns()));
}

std::optional<double> Histogram::quantile(double q) const {
  if (count_ == 0) return std::nullopt;
  return value_at_rank(rank_of(q));
}

std::optional<double> Histogram::percentile(double q) const {
  if (count_ == 0) return std::nullopt;
  const std::uint64_t rank = rank_of(q);
  if (count_ - rank < samples_beyond) return std::nullopt;
  return value_at_rank(rank);
}

std::string Histogram::encode() const {
  std::string text = "h1;";
  append_decimal(text, count());
  text += ';';
  append_decimal(text, min_ns());
  text += ';';
  append_decimal(text, max_ns());
  text += ';';
  append_decimal(text, sum_);
  text += ';';
  std::size_t previous = 0;
  bool first = true;
  for (std::size_t bucket = 0; bucket < bucket_count; ++bucket) {
    if (buckets_[bucket] == 0) continue;
    if (!first) text += ' ';
    append_decimal(text, bucket - previous);
    if (buckets_[bucket] != 1) {
      text += 'x';
      append_decimal(text, buckets_[bucket]);
    }
    previous = bucket;
    first = false;
  }
  return text;
}

std::optional<Histogram> Histogram::decode(std::string_view text) {
  std::optional<Histogram> result(std::in_place);
  std::uint64_t min = 0;
  if (!take(text, 'h') || !take(text, '1') || !take(text, ';')) return std::nullopt;
  if (!take_decimal(text, result->count_) || !take(text, ';')) return std::nullopt;
  if (!take_decimal(text, min) || !take(text, ';')) return std::nullopt;
  if (!take_decimal(text, result->max_) || !take(text, ';')) return std::nullopt;
  if (!take_decimal(text, result->sum_) || !take(text, ';')) return std::nullopt;
  if (text.empty()) {
    if (result->count_ != 0 || min != 0 || result->max_ != 0 || result->sum_ != 0) return std::nullopt;
    return result;
  }

  Sum counted = 0, least_sum = 0, greatest_sum = 0;
  std::size_t bucket = 0;
  for (bool first = true; first || take(text, ' '); first = false) {
    std::uint64_t distance = 0, samples = 1;
    if (!take_decimal(text, distance)) return std::nullopt;
    if (distance >= bucket_count - bucket || (distance == 0 && !first)) return std::nullopt;
    bucket += static_cast<std::size_t>(distance);
    if (take(text, 'x') && (!take_decimal(text, samples) || samples < 2)) return std::nullopt;
    if (first && bucket_of(min) != bucket) return std::nullopt;
    result->buckets_[bucket] = samples;
    counted += samples;
    least_sum += Sum{samples} * std::max(bucket_low(bucket), min);
    greatest_sum += Sum{samples} * std::min(bucket_high(bucket), result->max_);
  }
  if (!text.empty() || counted != result->count_ || bucket_of(result->max_) != bucket || min > result->max_ ||
      result->sum_ < least_sum || result->sum_ > greatest_sum) {
    return std::nullopt;
  }
  result->inverted_min_ = ~min;
  return result;
}

}  // namespace ipcmark
