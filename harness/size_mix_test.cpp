#include "harness/size_mix.h"

#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

namespace ipcmark {
namespace {

TEST(MessageSizes, HaveTheirShareOfEveryStretchToWithinOneAtEitherEnd) {
  for (const char* mix : {"64:90+4Ki:10", "1:1+2:1+3:1", "64:1", "8:65535+1Mi:1",
                          "1:7+5:11+64:13+100:17+4Ki:3", "64:999999999+128:1000000000"}) {
    SCOPED_TRACE(mix);
    const std::vector<SizeShare> shares = parse_mix(mix).value();
    const auto total = std::accumulate(shares.begin(), shares.end(), 0.0,
                                       [](double sum, const SizeShare& s) { return sum + double(s.weight); });
    const MessageSizes sizes(mix, 0);
    std::map<std::size_t, double> seen;
    for (std::size_t end = 1; end <= MessageSizes::entries; ++end) {
      ++seen[sizes(end - 1)];
      if (end % MessageSizes::block != 0) continue;
      for (const SizeShare& share : shares) {
        const double due = static_cast<double>(end) * static_cast<double>(share.weight) / total;
        ASSERT_LT(std::abs(seen[share.bytes] - due), 1.0) << share.bytes << " of the first " << end;
      }
    }
    EXPECT_EQ(seen.size(), shares.size());
  }
}

TEST(MessageSizes, AreAFunctionOfMixSenderAndNumberAlone) {
  const MessageSizes one("64:1+4Ki:1", 3), same("4Ki:1+64:1", 3), of_another_sender("64:1+4Ki:1", 4);
  unsigned differ = 0;
  for (std::uint64_t n = 0; n < MessageSizes::entries; ++n) {
    ASSERT_EQ(one(n), same(n));
    ASSERT_EQ(one(n), one(n + 5 * MessageSizes::entries));
    differ += one(n) != of_another_sender(n);
  }
  EXPECT_GT(differ, MessageSizes::entries / 4);
}

TEST(MessageSizes, ComeInAnOrderThatDoesNotRepeatFromBlockToBlock) {
  const MessageSizes sizes("64:1+4Ki:1", 0);
  std::set<std::vector<std::size_t>> blocks;
  for (std::size_t first = 0; first < MessageSizes::entries; first += MessageSizes::block) {
    std::vector<std::size_t> block;
    for (std::size_t i = 0; i < MessageSizes::block; ++i) block.push_back(sizes(first + i));
    blocks.insert(block);
  }
  EXPECT_EQ(blocks.size(), MessageSizes::entries / MessageSizes::block);
}

TEST(MessageSizes, AddUpToTheBytesOfAnyRange) {
  const MessageSizes sizes("1:3+64:2+4Ki:1", 0);
  for (const auto& [first, end] :
       std::vector<std::pair<std::uint64_t, std::uint64_t>>{{0, 0},
                                                            {5, 6},
                                                            {100, 1'000},
                                                            {65'500, 65'600},
                                                            {3, 3 + 65'536},
                                                            {70'000, 70'000 + 3 * 65'536 + 17}}) {
    std::uint64_t sum = 0;
    for (std::uint64_t n = first; n < end; ++n) sum += sizes(n);
    EXPECT_EQ(sizes.bytes(first, end), sum) << first << " to " << end;
  }
}

TEST(MessageSizes, OfNoMixAreRefused) {
  for (const char* bad : {"none", "", "64"}) EXPECT_THROW(MessageSizes(bad, 0), std::invalid_argument);
}

// Sends messages of a mix to a checker of timed launches and to one of verified ones, through real payloads.
class MixedStream {
 public:
  explicit MixedStream(const char* mix) : sizes_(mix, 0), timed_(0, of(mix)), verified_(0, of(mix)) {}

  MixedStream& send(std::uint64_t number) { return send_as(number, sizes_(number)); }
  MixedStream& send_as(std::uint64_t number, std::size_t bytes) {
    std::vector<std::byte> message(bytes);
    fill(message, 0, number, Touch::full);
    return deliver(message);
  }
  MixedStream& deliver(std::span<const std::byte> message) {
    timed_.observe(read(message, Touch::full), message.size());
    verified_.observe_every_byte(message);
    return *this;
  }
  MixedStream& send_range(std::uint64_t first, std::uint64_t end) {
    for (; first < end; ++first) send(first);
    return *this;
  }
  void expect(std::uint64_t sent, std::uint64_t lost, std::uint64_t duplicated, std::uint64_t reordered,
              std::uint64_t corrupted) {
    for (MixedSequenceChecker* checker : {&timed_, &verified_}) {
      SCOPED_TRACE(checker == &timed_ ? "timed" : "verified");
      checker->finish(sent);
      EXPECT_EQ(checker->counts().lost, lost);
      EXPECT_EQ(checker->counts().duplicated, duplicated);
      EXPECT_EQ(checker->counts().reordered, reordered);
      EXPECT_EQ(checker->counts().corrupted, corrupted);
    }
  }
  // The first message from `number` on that has this size.
  std::uint64_t next_of(std::size_t bytes, std::uint64_t number) const {
    while (sizes_(number) != bytes) ++number;
    return number;
  }
  const MixedSequenceChecker& verified() const { return verified_; }

 private:
  static Case of(const char* mix) {
    Case c;
    c.mix = mix;
    return c;
  }
  MessageSizes sizes_;
  MixedSequenceChecker timed_, verified_;
};

constexpr const char* any_sizes = "1:2+7:3+64:4+100:1";

TEST(MixedSequenceChecker, FindsNothingInAnIntactStream) {
  MixedStream stream(any_sizes);
  stream.send_range(0, 70'000).expect(70'000, 0, 0, 0, 0);
  EXPECT_EQ(stream.verified().counts().checked, 70'000u);
  EXPECT_TRUE(stream.verified().counts().every_byte);
  EXPECT_EQ(stream.verified().counts().detection_limit, 256u);
}

TEST(MixedSequenceChecker, CountsWhatIsLostRepeatedAndOutOfOrder) {
  MixedStream(any_sizes).send_range(0, 50).send_range(57, 300).expect(300, 7, 0, 0, 0);
  MixedStream(any_sizes).send_range(0, 300).send(299).send(250).send_range(300, 400).expect(400, 0, 2, 0, 0);
  MixedStream(any_sizes).send_range(0, 300).send(301).send(300).send_range(302, 400).expect(400, 0, 0, 1, 0);
  MixedStream(any_sizes).send_range(0, 90).expect(100, 10, 0, 0, 0);
}

TEST(MixedSequenceChecker, TakesAMessageOfAnotherSizeThanItsNumberHasForCorrupted) {
  for (const std::size_t right : {1u, 7u, 64u, 100u}) {
    for (const std::size_t wrong : {1u, 2u, 7u, 63u, 64u, 65u, 100u, 101u}) {
      if (right == wrong) continue;
      SCOPED_TRACE(std::to_string(wrong) + " B instead of " + std::to_string(right));
      MixedStream stream(any_sizes);
      const std::uint64_t number = stream.next_of(right, 1'000);
      stream.send_range(0, number).send_as(number, wrong).send_range(number + 1, number + 50);
      stream.expect(number + 50, 0, 0, 0, 1);
    }
  }
}

TEST(MixedSequenceChecker, TakesWhatIsCutOrFlippedOrEmptyForCorrupted) {
  MixedStream stream("64:1+100:1");
  std::vector<std::byte> message(stream.next_of(64, 0) == 0 ? 64 : 100);
  fill(message, 0, 0, Touch::full);
  message.back() ^= std::byte{1};
  stream.deliver(message);
  stream.deliver(std::span(message).first(0));
  std::vector<std::byte> cut(stream.next_of(64, 2) == 2 ? 64 : 100);
  fill(cut, 0, 2, Touch::full);
  stream.deliver(std::span(cut).first(cut.size() - 1));
  stream.send_range(3, 50).expect(50, 0, 0, 0, 3);
}

}  // namespace
}  // namespace ipcmark
