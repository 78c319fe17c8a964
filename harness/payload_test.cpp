#include "harness/payload.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

namespace ipcmark {
namespace {

// The format once more, byte by byte.
std::vector<std::byte> oracle(std::size_t size, unsigned sender, std::uint64_t sequence) {
  const std::uint64_t stamp = (sequence % (std::uint64_t{1} << 48)) + (std::uint64_t{sender} << 48);
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) {
    const std::uint64_t word = stamp + i / 8 * 0x9E3779B97F4A7C15u;
    bytes[i] = static_cast<std::byte>(word >> 8 * (i % 8) & 0xff);
  }
  return bytes;
}

std::uint64_t oracle_sum(std::span<const std::byte> bytes) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    sum += std::uint64_t{std::to_integer<std::uint64_t>(bytes[i])} << 8 * (i % 8);
  return sum;
}

std::vector<std::size_t> sizes_up_to_200_and_some_large() {
  std::vector<std::size_t> sizes;
  for (std::size_t size = 1; size <= 200; ++size) sizes.push_back(size);
  for (std::size_t size : {4096, 1 << 20, (4 << 20) + 3}) sizes.push_back(size);
  return sizes;
}

constexpr std::uint64_t some_sequence = 0x1234'5678'9abc;
constexpr unsigned some_sender = 0xfedc;

TEST(Payload, FillsEveryByteAndNoOtherAtEveryAlignment) {
  for (const std::size_t size : sizes_up_to_200_and_some_large()) {
    for (std::size_t offset = 0; offset < 8; ++offset) {
      std::vector<std::byte> buffer(offset + size + 8, std::byte{0xee});
      const std::span message(buffer.data() + offset, size);
      fill(message, some_sender, some_sequence, Touch::full);
      const auto expected = oracle(size, some_sender, some_sequence);
      ASSERT_TRUE(std::equal(message.begin(), message.end(), expected.begin())) << size << " at " << offset;
      ASSERT_EQ(
          std::count(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(offset), std::byte{0xee}),
          static_cast<std::ptrdiff_t>(offset));
      ASSERT_EQ(std::count(buffer.end() - 8, buffer.end(), std::byte{0xee}), 8) << size << " at " << offset;
    }
  }
}

TEST(Payload, SumsEveryByteAtEveryAlignment) {
  std::mt19937_64 random(1);
  for (const std::size_t size : sizes_up_to_200_and_some_large()) {
    for (std::size_t offset = 0; offset < 8; ++offset) {
      std::vector<std::byte> buffer(offset + size + 8, std::byte{0xee});
      const std::span message(buffer.data() + offset, size);
      for (auto& byte : message) byte = static_cast<std::byte>(random());
      const Reading reading = read(message, Touch::full);
      ASSERT_EQ(reading.sum, oracle_sum(message)) << size << " at " << offset;
      ASSERT_EQ(reading.stamp, oracle_sum(message.first(std::min<std::size_t>(size, 8)))) << size;
    }
  }
}

TEST(Payload, TheExpectedSumIsTheSumOfWhatWasFilled) {
  for (const Touch touch : {Touch::full, Touch::header}) {
    for (const std::size_t size : sizes_up_to_200_and_some_large()) {
      for (const std::uint64_t sequence : {std::uint64_t{0}, std::uint64_t{255}, some_sequence, UINT64_MAX}) {
        std::vector<std::byte> message(size);
        fill(message, some_sender, sequence, touch);
        const Reading reading = read(message, touch);
        ASSERT_EQ(reading.stamp, make_stamp(some_sender, sequence, size)) << size;
        ASSERT_EQ(reading.sum, ExpectedSum(size, touch)(reading.stamp)) << size;
        ASSERT_TRUE(verify(message, some_sender, sequence, touch)) << size;
      }
    }
  }
}

TEST(Payload, HeaderTouchesTheFirstEightBytesOnly) {
  for (const std::size_t size : sizes_up_to_200_and_some_large()) {
    std::vector<std::byte> message(size, std::byte{0xee});
    fill(message, some_sender, some_sequence, Touch::header);
    const std::size_t touched = std::min<std::size_t>(size, 8);
    const auto expected = oracle(touched, some_sender, some_sequence);
    ASSERT_TRUE(std::equal(expected.begin(), expected.end(), message.begin())) << size;
    ASSERT_EQ(static_cast<std::size_t>(std::count(message.begin() + static_cast<std::ptrdiff_t>(touched),
                                                  message.end(), std::byte{0xee})),
              size - touched);
    const Reading before = read(message, Touch::header);
    std::fill(message.begin() + static_cast<std::ptrdiff_t>(touched), message.end(), std::byte{0x11});
    EXPECT_EQ(read(message, Touch::header).sum, before.sum);
    EXPECT_TRUE(verify(message, some_sender, some_sequence, Touch::header));
    message[touched - 1] ^= std::byte{1};
    EXPECT_FALSE(verify(message, some_sender, some_sequence, Touch::header)) << size;
  }
}

TEST(Payload, AFlippedBitAnywhereIsSeenByVerifyAndByTheSum) {
  for (std::size_t size = 1; size <= 200; ++size) {
    std::vector<std::byte> message(size);
    fill(message, some_sender, some_sequence, Touch::full);
    const std::uint64_t sum = ExpectedSum(size, Touch::full)(make_stamp(some_sender, some_sequence, size));
    ASSERT_TRUE(verify(message, some_sender, some_sequence, Touch::full));
    for (std::size_t bit = 0; bit < 8 * size; ++bit) {
      const auto mask = static_cast<std::byte>(1u << bit % 8);
      message[bit / 8] ^= mask;
      ASSERT_FALSE(verify(message, some_sender, some_sequence, Touch::full)) << size << " bit " << bit;
      ASSERT_NE(read(message, Touch::full).sum, sum) << size << " bit " << bit;
      message[bit / 8] ^= mask;
    }
  }
}

TEST(Payload, VerifySeesAnotherSenderOrSequence) {
  std::vector<std::byte> message(64);
  fill(message, 3, 1000, Touch::full);
  EXPECT_TRUE(verify(message, 3, 1000, Touch::full));
  EXPECT_FALSE(verify(message, 2, 1000, Touch::full));
  EXPECT_FALSE(verify(message, 3, 1001, Touch::full));
}

TEST(Payload, SequencesRepeatAtTheDetectionLimit) {
  EXPECT_EQ(detection_limit(1), 256u);
  EXPECT_EQ(detection_limit(2), 65'536u);
  EXPECT_EQ(detection_limit(5), std::uint64_t{1} << 40);
  for (const std::size_t size : {6u, 7u, 8u, 4096u}) EXPECT_EQ(detection_limit(size), std::uint64_t{1} << 48);
  for (std::size_t size = 1; size <= 9; ++size) {
    const std::uint64_t limit = detection_limit(size);
    EXPECT_EQ(make_stamp(5, 77, size), make_stamp(5, 77 + limit, size)) << size;
    EXPECT_NE(make_stamp(5, 77, size), make_stamp(5, 77 + limit / 2, size)) << size;
  }
}

// Sends the given sequence numbers to a checker, in order, through real payloads.
class Stream {
 public:
  explicit Stream(std::size_t size, std::uint64_t first = 0)
      : size_(size), timed_(0, size, Touch::full, first), verified_(0, size, Touch::full, first) {}

  Stream& send(std::uint64_t sequence, unsigned sender = 0) {
    auto message = oracle(size_, sender, sequence);
    observe(message);
    return *this;
  }
  Stream& send_range(std::uint64_t first, std::uint64_t end) {
    for (; first < end; ++first) send(first);
    return *this;
  }
  Stream& send_flipped(std::uint64_t sequence, std::size_t bit) {
    auto message = oracle(size_, 0, sequence);
    message[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    observe(message);
    return *this;
  }
  Stream& finish(std::uint64_t sent) {
    timed_.finish(sent);
    verified_.finish(sent);
    return *this;
  }
  void expect(std::uint64_t lost, std::uint64_t duplicated, std::uint64_t reordered,
              std::uint64_t corrupted) const {
    for (const SequenceChecker* checker : {&timed_, &verified_}) {
      SCOPED_TRACE(checker == &timed_ ? "timed" : "verified");
      const Integrity& counts = checker->counts();
      EXPECT_EQ(counts.lost, lost);
      EXPECT_EQ(counts.duplicated, duplicated);
      EXPECT_EQ(counts.reordered, reordered);
      EXPECT_EQ(counts.corrupted, corrupted);
      EXPECT_EQ(counts.checked, checked_);
      EXPECT_EQ(counts.detection_limit, detection_limit(size_));
    }
    EXPECT_FALSE(timed_.counts().every_byte);
    EXPECT_EQ(verified_.counts().every_byte, checked_ > 0);
  }

 private:
  void observe(std::span<const std::byte> message) {
    ++checked_;
    timed_.observe(read(message, Touch::full));
    verified_.observe_every_byte(message);
  }

  std::size_t size_;
  SequenceChecker timed_, verified_;
  std::uint64_t checked_ = 0;
};

class SequenceCheckerOfSize : public testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(Sizes, SequenceCheckerOfSize, testing::Values(1, 2, 3, 7, 8, 9, 64, 100),
                         testing::PrintToStringParamName());

TEST_P(SequenceCheckerOfSize, FindsNothingInAnIntactStream) {
  Stream(GetParam()).send_range(0, 70'000).finish(70'000).expect(0, 0, 0, 0);
  Stream(GetParam(), 1'000).send_range(1'000, 3'000).finish(2'000).expect(0, 0, 0, 0);
}

TEST_P(SequenceCheckerOfSize, CountsLosses) {
  Stream(GetParam())
      .send_range(0, 1'000)
      .send_range(1'007, 2'000)
      .send_range(2'001, 3'000)
      .finish(3'000)
      .expect(8, 0, 0, 0);
}

TEST_P(SequenceCheckerOfSize, CountsLossesAtBothEnds) {
  Stream(GetParam()).send_range(4, 300).finish(310).expect(14, 0, 0, 0);
  Stream(GetParam()).finish(5).expect(5, 0, 0, 0);
}

TEST_P(SequenceCheckerOfSize, CountsDuplicates) {
  Stream(GetParam())
      .send_range(0, 1'000)
      .send(999)
      .send(990)
      .send_range(1'000, 1'100)
      .finish(1'100)
      .expect(0, 2, 0, 0);
}

TEST_P(SequenceCheckerOfSize, CountsReorderedMessagesOnce) {
  Stream(GetParam())
      .send_range(0, 500)
      .send(501)
      .send(500)
      .send(505)
      .send(503)
      .send(502)
      .send(504)
      .send_range(506, 600)
      .finish(600)
      .expect(0, 0, 4, 0);
}

TEST_P(SequenceCheckerOfSize, ALateMessageTwiceIsReorderedThenDuplicated) {
  Stream(GetParam()).send_range(0, 10).send(11).send(10).send(10).send(12).finish(13).expect(0, 1, 1, 0);
}

TEST_P(SequenceCheckerOfSize, SeesAFlippedBitOfWordZero) {
  const std::size_t bits = 8 * std::min<std::size_t>(GetParam(), 8);
  for (std::size_t bit = 0; bit < bits; ++bit) {
    SequenceChecker checker(0, GetParam(), Touch::full);
    for (std::uint64_t sequence = 0; sequence < 100; ++sequence) {
      auto message = oracle(GetParam(), 0, sequence);
      if (sequence == 50) message[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
      checker.observe(read(message, Touch::full));
    }
    EXPECT_FALSE(checker.counts().clean()) << "bit " << bit;
  }
}

TEST(SequenceChecker, ACorruptedMessageStandsForTheOneExpected) {
  for (const std::size_t size : {9u, 64u, 100u}) {
    for (const std::size_t bit : {std::size_t{64}, 8 * size - 1}) {
      Stream(size).send_range(0, 50).send_flipped(50, bit).send_range(51, 100).finish(100).expect(0, 0, 0, 1);
    }
  }
}

TEST(SequenceChecker, AnotherSendersMessageIsCorrupted) {
  Stream(64).send_range(0, 50).send(50, 1).send_range(51, 100).finish(100).expect(0, 0, 0, 1);
}

TEST(SequenceChecker, ANumberBeforeTheFirstOrFarAheadIsCorrupted) {
  Stream(64, 1'000).send(1'000).send(999).send_range(1'002, 1'010).finish(10).expect(0, 0, 0, 1);
  Stream(64).send(0).send(std::uint64_t{1} << 40).send_range(2, 10).finish(10).expect(0, 0, 0, 1);
}

TEST(SequenceChecker, MoreThanWasSentIsCorrupted) {
  Stream(64).send_range(0, 12).finish(10).expect(0, 0, 0, 2);
}

TEST(SequenceChecker, OneByteKnowsLossesUpToHalfItsRange) {
  Stream(1).send_range(0, 1'000).send_range(1'127, 2'000).finish(2'000).expect(127, 0, 0, 0);
  // A whole period lost goes unnoticed until the total is known.
  Stream(1).send_range(0, 1'000).send_range(1'256, 2'000).expect(0, 0, 0, 0);
  Stream(1).send_range(0, 1'000).send_range(1'256, 2'000).finish(2'000).expect(256, 0, 0, 0);
}

TEST(SequenceChecker, SequencesGoOnPastTheDetectionLimit) {
  const std::uint64_t limit = detection_limit(8);
  Stream(8, limit - 10).send_range(limit - 10, limit + 10).finish(20).expect(0, 0, 0, 0);
  Stream(8, limit - 10)
      .send_range(limit - 10, limit - 1)
      .send(limit)
      .send(limit - 1)
      .finish(11)
      .expect(0, 0, 1, 0);
}

// Every message is sent once, twice or never and then moved a little: the counts must add up to what was
// done.
TEST(SequenceChecker, AddsUpOverRandomFaults) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 50; ++round) {
    constexpr std::uint64_t sent = 2'000;
    std::uint64_t dropped = 0, doubled = 0;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> arrivals;  // when, which
    for (std::uint64_t sequence = 0; sequence < sent; ++sequence) {
      const std::uint64_t copies = random() % 10 == 0 ? 0 : random() % 10 == 0 ? 2 : 1;
      dropped += copies == 0;
      doubled += copies == 2;
      for (std::uint64_t copy = 0; copy < copies; ++copy)
        arrivals.emplace_back(sequence + random() % 20, sequence);
    }
    std::stable_sort(arrivals.begin(), arrivals.end(), [](auto& a, auto& b) { return a.first < b.first; });
    Stream stream(64);
    std::vector<bool> seen(sent);
    std::uint64_t reordered = 0, furthest = 0;
    for (const auto& [when, sequence] : arrivals) {
      stream.send(sequence);
      if (!seen[sequence]) reordered += sequence < furthest;
      seen[sequence] = true;
      furthest = std::max(furthest, sequence);
    }
    stream.finish(sent).expect(dropped, doubled, reordered, 0);
  }
}

}  // namespace
}  // namespace ipcmark
