#include "harness/byte_stream.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

#include "harness/shuffle.h"

namespace ipcmark {
namespace {

// A stream in memory that does to each call what a kernel may: moves any part of what is asked, has no room
// or nothing there, or is interrupted.
struct Fickle {
  static constexpr const char* put_name = "put";
  static constexpr const char* take_name = "take";
  static inline std::deque<std::byte> bytes;
  static inline SplitMix64 random{1};
  static inline bool ended = false;
  static inline unsigned calls = 0;

  static void begin(std::uint64_t seed) {
    bytes.clear();
    random = SplitMix64(seed);
    ended = false;
    calls = 0;
  }
  static ssize_t refusal() {
    errno = random.below(2) == 0 ? EINTR : EAGAIN;
    return -1;
  }
  static ssize_t put(int, const std::byte* from, std::size_t count, Wait) {
    ++calls;
    if (random.below(3) == 0) return refusal();
    const std::size_t moved = 1 + random.below(count);
    bytes.insert(bytes.end(), from, from + moved);
    return static_cast<ssize_t>(moved);
  }
  static ssize_t put_parts(int, std::span<iovec> parts, Wait wait) {
    std::vector<std::byte> all;
    for (const iovec& part : parts) {
      const auto* const from = static_cast<const std::byte*>(part.iov_base);
      all.insert(all.end(), from, from + part.iov_len);
    }
    return put(-1, all.data(), all.size(), wait);
  }
  static ssize_t take(int, std::byte* into, std::size_t count, Wait) {
    if (bytes.empty() && ended) return 0;
    if (bytes.empty() || random.below(3) == 0) return refusal();
    const std::size_t moved = 1 + random.below(std::min(count, bytes.size()));
    std::copy_n(bytes.begin(), moved, into);
    bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(moved));
    return static_cast<ssize_t>(moved);
  }
  static Io end(Descriptor&, Wait) {
    ended = true;
    return Io::done;
  }
};

using Sender = ByteStreamSender<Fickle>;
using Receiver = ByteStreamReceiver<Fickle>;
static_assert(SizedSender<Sender> && SizedReceiver<Receiver> && SendsInPieces<Sender>);

std::vector<std::byte> message_of(std::size_t size, unsigned number) {
  std::vector<std::byte> message(size);
  for (std::size_t i = 0; i < size; ++i) message[i] = static_cast<std::byte>(number * 31 + i);
  return message;
}

TEST(Frames, KeepEverySizeWhateverTheStreamSplitsAndJoins) {
  constexpr std::size_t largest = 300;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Fickle::begin(seed);
    Sender sender(Descriptor{}, Wait::spin);
    Receiver receiver(Descriptor{}, Wait::spin);
    SplitMix64 sizes(seed);
    std::vector<std::vector<std::byte>> sent;
    for (unsigned i = 0; i < 100; ++i) sent.push_back(message_of(1 + sizes.below(largest), i));
    std::vector<std::byte> buffer(largest);
    unsigned written = 0;
    for (unsigned read = 0; read < sent.size();) {
      if (written < sent.size() && sender.send_sized(sent[written]) == Io::done) {
        EXPECT_FALSE(sender.within_message());
        ++written;
      }
      std::size_t size = 0;
      if (receiver.receive_sized(buffer, size) != Io::done) continue;
      ASSERT_EQ(size, sent[read].size());
      ASSERT_TRUE(std::equal(sent[read].begin(), sent[read].end(), buffer.begin()));
      ++read;
    }
    sender.finish();
    std::size_t size = 0;
    EXPECT_EQ(receiver.receive_sized(buffer, size), Io::closed);
  }
}

TEST(Frames, CostNothingWhereThereAreNone) {
  Fickle::begin(7);
  Sender sender(Descriptor{}, Wait::spin);
  const auto message = message_of(100, 1);
  while (sender.send(message) != Io::done) {
  }
  EXPECT_EQ(Fickle::bytes.size(), message.size());
}

// What a receiver makes of the bytes.
std::string error_of(std::vector<unsigned char> bytes, std::size_t largest) {
  Fickle::begin(3);
  for (const unsigned char byte : bytes) Fickle::bytes.push_back(std::byte{byte});
  Fickle::ended = true;
  Receiver receiver(Descriptor{}, Wait::spin);
  std::vector<std::byte> buffer(largest);
  std::size_t size = 0;
  try {
    Io io;
    while ((io = receiver.receive_sized(buffer, size)) == Io::again) {
    }
    return io == Io::closed ? "closed" : std::to_string(size) + " B";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code().value(), EPROTO);
    return "error";
  }
}

TEST(Frames, ThatAreCutShortOrTellASizeThatNoMessageHasAreErrors) {
  EXPECT_EQ(error_of({}, 8), "closed");
  EXPECT_EQ(error_of({2, 0, 0, 0, 'a', 'b'}, 8), "2 B");
  EXPECT_EQ(error_of({2, 0}, 8), "error");
  EXPECT_EQ(error_of({2, 0, 0, 0}, 8), "error");
  EXPECT_EQ(error_of({2, 0, 0, 0, 'a'}, 8), "error");
  EXPECT_EQ(error_of({0, 0, 0, 0, 'a'}, 8), "error");
  EXPECT_EQ(error_of({9, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 8), "error");
  EXPECT_EQ(error_of({0, 0, 0, 1, 1}, 8), "error");
}

}  // namespace
}  // namespace ipcmark
