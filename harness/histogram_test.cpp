#include "harness/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace ipcmark {
namespace {

Histogram histogram_of(const std::vector<std::uint64_t>& values) {
  Histogram histogram;
  for (const std::uint64_t value : values) histogram.record(value);
  return histogram;
}

TEST(Histogram, BucketsCoverEveryValueWithoutGapOrOverlap) {
  std::uint64_t next = 0;
  for (std::size_t bucket = 0; bucket < Histogram::bucket_count; ++bucket) {
    const std::uint64_t low = Histogram::bucket_low(bucket), high = Histogram::bucket_high(bucket);
    ASSERT_EQ(low, next) << bucket;
    ASSERT_LE(low, high) << bucket;
    ASSERT_EQ(Histogram::bucket_of(low), bucket);
    ASSERT_EQ(Histogram::bucket_of(high), bucket);
    next = high + 1;
  }
  EXPECT_EQ(next, 0u) << "the last bucket ends at 2^64 - 1";
}

TEST(Histogram, NoBucketIsWiderThanOneIn128) {
  for (std::size_t bucket = 256; bucket < Histogram::bucket_count; ++bucket) {
    const std::uint64_t low = Histogram::bucket_low(bucket);
    ASSERT_LE(Histogram::bucket_high(bucket) - low + 1, low / 128) << bucket;
  }
}

TEST(Histogram, FollowsTheWrittenFormula) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t value = random() >> (random() % 64);
    std::size_t expected = static_cast<std::size_t>(value);
    if (value >= 256) {
      unsigned log2 = 0;
      while (value >> log2 > 1) ++log2;
      expected = (std::size_t{log2 - 7} << 7) + static_cast<std::size_t>(value >> (log2 - 7));
    }
    ASSERT_EQ(Histogram::bucket_of(value), expected) << value;
  }
}

TEST(Histogram, KeepsCountSumLeastAndGreatestExactly) {
  const Histogram histogram = histogram_of({1'000'003, 17, 999'999'999'989, 17});
  EXPECT_EQ(histogram.count(), 4u);
  EXPECT_EQ(histogram.min_ns(), 17u);
  EXPECT_EQ(histogram.max_ns(), 999'999'999'989u);
  EXPECT_DOUBLE_EQ(histogram.mean_ns(), (1'000'003.0 + 17 + 999'999'999'989.0 + 17) / 4);
}

TEST(Histogram, TakesTheEdgesOfUint64) {
  const Histogram histogram = histogram_of({0, UINT64_MAX, UINT64_MAX, UINT64_MAX});
  EXPECT_EQ(histogram.min_ns(), 0u);
  EXPECT_EQ(histogram.max_ns(), UINT64_MAX);
  EXPECT_DOUBLE_EQ(histogram.mean_ns(), 0.75 * 18'446'744'073'709'551'615.0) << "the sum does not overflow";
  EXPECT_NEAR(*histogram.quantile(1), 18'446'744'073'709'551'615.0, 18'446'744'073'709'551'615.0 / 256);
}

TEST(Histogram, ZeroBytesAreAnEmptyHistogram) {
  std::vector<std::byte> zeros(sizeof(Histogram));
  Histogram from_zeros;
  from_zeros.record(5);
  std::memcpy(static_cast<void*>(&from_zeros), zeros.data(), zeros.size());
  EXPECT_EQ(from_zeros, Histogram{});
  EXPECT_EQ(from_zeros.count(), 0u);
  EXPECT_EQ(from_zeros.min_ns(), 0u);
  EXPECT_EQ(from_zeros.mean_ns(), 0);
  EXPECT_FALSE(from_zeros.quantile(0.5).has_value());
  EXPECT_FALSE(from_zeros.percentile(0.5).has_value());
  from_zeros.record(42);
  EXPECT_EQ(from_zeros.min_ns(), 42u);
  EXPECT_EQ(from_zeros.max_ns(), 42u);
}

struct Series {
  const char* name;
  std::function<std::uint64_t(std::mt19937_64&)> draw;
};

class HistogramSeries : public testing::TestWithParam<Series> {
 protected:
  std::vector<std::uint64_t> draw(std::size_t count, unsigned seed) const {
    std::mt19937_64 random(seed);
    std::vector<std::uint64_t> values(count);
    for (auto& value : values) value = GetParam().draw(random);
    return values;
  }
};

TEST_P(HistogramSeries, QuantilesLieWithinHalfAPercentOfTheExactOrderStatistics) {
  for (const std::size_t count : {1u, 2u, 99u, 1'000u, 50'001u}) {
    auto values = draw(count, 7);
    const Histogram histogram = histogram_of(values);
    std::sort(values.begin(), values.end());
    for (const double q : {0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0}) {
      // The same nearest rank in whole numbers: per mille.
      const auto mille = static_cast<std::size_t>(std::lround(q * 1000));
      const std::size_t rank = std::max<std::size_t>(1, (mille * count + 999) / 1000);
      const auto exact = static_cast<double>(values[rank - 1]);
      const double found = *histogram.quantile(q);
      ASSERT_NEAR(found, exact, exact < 256 ? 0 : exact / 256) << "q " << q << " of " << count;
    }
    EXPECT_EQ(histogram.min_ns(), values.front());
    EXPECT_EQ(histogram.max_ns(), values.back());
  }
}

TEST_P(HistogramSeries, MergingEqualsRecordingBoth) {
  const auto first = draw(3'000, 1), second = draw(500, 2);
  Histogram merged = histogram_of(first);
  merged.merge(histogram_of(second));
  auto both = first;
  both.insert(both.end(), second.begin(), second.end());
  EXPECT_EQ(merged, histogram_of(both));
  Histogram with_nothing = merged;
  with_nothing.merge(Histogram{});
  EXPECT_EQ(with_nothing, merged);
}

TEST_P(HistogramSeries, DecodingGivesBackWhatWasEncoded) {
  const Histogram histogram = histogram_of(draw(10'000, 3));
  const auto decoded = Histogram::decode(histogram.encode());
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(*decoded, histogram);
  EXPECT_EQ(decoded->encode(), histogram.encode());
}

INSTANTIATE_TEST_SUITE_P(
    All, HistogramSeries,
    testing::Values(Series{"uniform", [](auto& random) { return random() % 10'000; }},
                    Series{"bimodal",
                           [](auto& random) { return (random() % 2 ? 300 : 90'000) + random() % 50; }},
                    Series{"heavy_tail",
                           [](auto& random) {
                             const double u = (static_cast<double>(random() >> 11) + 1) / 9007199254740993.0;
                             return static_cast<std::uint64_t>(200 / std::pow(u, 1.5));
                           }},
                    Series{"constant", [](auto&) { return std::uint64_t{12'345}; }},
                    Series{"everything", [](auto& random) { return random() >> (random() % 64); }}),
    [](const auto& series) { return series.param.name; });

TEST(Histogram, APercentileNeedsAHundredSamplesBeyondIt) {
  Histogram histogram;
  for (int i = 0; i < 199; ++i) histogram.record(1'000);
  EXPECT_FALSE(histogram.percentile(0.5).has_value()) << "rank 100 of 199: 99 beyond";
  histogram.record(1'000);
  EXPECT_EQ(histogram.percentile(0.5), 1'000) << "rank 100 of 200: 100 beyond";
  for (int i = 200; i < 99'999; ++i) histogram.record(1'000);
  EXPECT_FALSE(histogram.percentile(0.999).has_value());
  histogram.record(1'000);
  EXPECT_EQ(histogram.percentile(0.999), 1'000);
  EXPECT_FALSE(histogram.percentile(1).has_value());
}

TEST(Histogram, EncodesAsWritten) {
  EXPECT_EQ(Histogram{}.encode(), "h1;0;0;0;0;");
  EXPECT_EQ(histogram_of({0}).encode(), "h1;1;0;0;0;0");
  EXPECT_EQ(histogram_of({5, 5, 7, 300}).encode(), "h1;4;5;300;317;5x2 2 271");
  EXPECT_EQ(histogram_of({UINT64_MAX, UINT64_MAX}).encode(),
            "h1;2;18446744073709551615;18446744073709551615;36893488147419103230;7423x2");
  EXPECT_EQ(Histogram::decode("h1;0;0;0;0;"), Histogram{});
}

TEST(Histogram, RefusesWhatItWouldNotWrite) {
  ASSERT_TRUE(Histogram::decode("h1;4;5;300;317;5x2 2 271").has_value());
  for (const char* text : {
           "",
           "h1",
           "h2;4;5;300;317;5x2 2 271",
           "h1;4;5;300;317",
           "h1;4;5;300;317;",
           "h1;0;0;0;0;0x0",
           "h1;0;1;0;0;",
           "h1;3;5;300;317;5x2 2 271",      // the count is not the sum of counts
           "h1;4;6;300;317;5x2 2 271",      // the least value is in another bucket
           "h1;4;5;302;317;5x2 2 271",      // and so is the greatest
           "h1;4;5;300;316;5x2 2 271",      // the sum is less than the values can add up to
           "h1;4;5;300;318;5x2 2 271",      // or more
           "h1;4;5;300;317;5x2 2 271 ",     // trailing
           "h1;4;5;300;317;5x2  2 271",     //
           "h1;4;5;300;317; 5x2 2 271",     //
           "h1;4;5;300;317;5x2,2,271",      //
           "h1;4;5;300;317;5x 2 271",       //
           "h1;4;5;300;317;5x2x2 2 271",    //
           "h1;4;5;300;317;5x2 02 271",     // leading zero
           "h1;4;5;300;317;5x2 2x1 271",    // a count of 1 is left out
           "h1;4;5;300;317;5x2 2x0 2 269",  // an empty bucket is left out
           "h1;4;5;300;317;5 0 2 271",      // a bucket named twice
           "h1;4;5;300;317;-5x2 2 271",     //
           "h1;4;5;300;317;5x2 2 7500",     // no such bucket
           "h1;4;5;300;317;5x2 2 18446744073709551610",
           "h1;99999999999999999999999;5;300;317;5x2 2 271",
           "h1;1;0;0;340282366920938463463374607431768211456;0",
       }) {
    EXPECT_FALSE(Histogram::decode(text).has_value()) << text;
  }
}

TEST(Histogram, NoPrefixOfAnEncodingIsTakenForTheWhole) {
  const std::string text = histogram_of({5, 5, 7, 300, 300, 81'000, 4'000'000}).encode();
  for (std::size_t length = 0; length < text.size(); ++length) {
    EXPECT_FALSE(Histogram::decode(std::string_view(text).substr(0, length)).has_value()) << length;
  }
}

}  // namespace
}  // namespace ipcmark
