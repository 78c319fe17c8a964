// A log-linear histogram of nanoseconds that keeps the whole distribution of a launch.
//
// It covers every uint64 and clips nothing. Values below 256 have a bucket each; above, every power of two is
// cut into 128 buckets, so a bucket is at most 1/128 of its lowest value wide and its midpoint at most 0.4 %
// off. Count, sum, least and greatest value are exact. The scheme is that of HdrHistogram (hdrhistogram.org)
// with 7 bits of precision.
//
// 58 KiB, trivially copyable, and memory of all zero bytes is an empty histogram: it may lie in shared
// memory, where a forked role fills it and the parent reads it afterwards. Not thread-safe; one writer at a
// time.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ipcmark {

class Histogram {
 public:
  static constexpr std::size_t octaves = 57;  // from 128 on; what lies below has as many buckets as one
  static constexpr std::size_t buckets_per_octave = 128;
  static constexpr std::size_t bucket_count = (octaves + 1) * buckets_per_octave;

  static constexpr std::size_t bucket_of(std::uint64_t value) {
    if (value < 256) return static_cast<std::size_t>(value);
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - 8;
    return (std::size_t{shift} << 7) + static_cast<std::size_t>(value >> shift);
  }
  static constexpr std::uint64_t bucket_low(std::size_t bucket) {
    if (bucket < 256) return bucket;
    return std::uint64_t{128 + bucket % 128} << (bucket / 128 - 1);
  }
  // The greatest value of the bucket, itself included.
  static constexpr std::uint64_t bucket_high(std::size_t bucket) {
    if (bucket < 256) return bucket;
    return bucket_low(bucket) + ((std::uint64_t{1} << (bucket / 128 - 1)) - 1);
  }

  void record(std::uint64_t value_ns) {
    ++buckets_[bucket_of(value_ns)];
    ++count_;
    sum_ += value_ns;
    if (value_ns > max_) max_ = value_ns;
    if (~value_ns > inverted_min_) inverted_min_ = ~value_ns;
  }

  // Equal to having recorded both series.
  void merge(const Histogram& other);

  std::uint64_t count() const { return count_; }
  std::uint64_t min_ns() const { return count_ == 0 ? 0 : ~inverted_min_; }  // 0 when empty, as all below
  std::uint64_t max_ns() const { return max_; }
  double mean_ns() const;
  std::uint64_t in_bucket(std::size_t bucket) const { return buckets_[bucket]; }

  // The smallest recorded value that at least a share q of all values does not exceed (nearest rank; 0 < q <=
  // 1): the midpoint of its bucket, clamped to [min, max]. nullopt when empty.
  std::optional<double> quantile(double q) const;

  // quantile(q), but nullopt when fewer than 100 samples lie beyond it: such a figure would be a few samples'
  // luck.
  std::optional<double> percentile(double q) const;

  // "h1;<count>;<min>;<max>;<sum>;<body>": body is space-separated "d" or "dxC", d the distance from the
  // previous non-empty bucket (the first: from bucket 0), C its count, left out when 1. decode() takes only
  // what encode() writes and says nullopt to anything else.
  std::string encode() const;
  static std::optional<Histogram> decode(std::string_view text);

  bool operator==(const Histogram&) const = default;

 private:
  __extension__ using Sum = unsigned __int128;  // 2^64 values of 2^64 ns cannot overflow it

  std::uint64_t rank_of(double q) const;
  double value_at_rank(std::uint64_t rank) const;

  Sum sum_ = 0;
  std::uint64_t count_ = 0;
  std::uint64_t inverted_min_ = 0;  // ~min, so that zero bytes mean "nothing yet"
  std::uint64_t max_ = 0;
  std::array<std::uint64_t, bucket_count> buckets_{};
};

}  // namespace ipcmark
