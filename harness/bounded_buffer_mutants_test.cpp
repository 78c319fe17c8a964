// The verifier is shown to see. The textbook's bounded buffer (two counting semaphores, a mutex for the
// producers and one for the consumers) is run one step at a time, in an order that the test chooses, so that
// what goes wrong goes wrong every time: once as it should be, and with each of its four guards left out.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include "harness/mailbox_checker.h"
#include "harness/payload.h"

namespace ipcmark {
namespace {

enum class Missing { nothing, full_check, empty_check, producers_mutex, consumers_mutex };

constexpr std::size_t message_bytes = 64;
using Message = std::array<std::byte, message_bytes>;

struct Buffer {
  explicit Buffer(std::size_t capacity, Missing guard = Missing::nothing)
      : missing(guard), free(capacity), slots(capacity) {}

  Missing missing;
  std::size_t free, filled = 0;               // the semaphores
  bool producing = false, consuming = false;  // the mutexes
  std::size_t in = 0, out = 0;
  std::vector<Message> slots;
};

// One producer or consumer. Each step is one that no other can come between; a step that must wait does
// nothing and says false.
class Process {
 public:
  virtual ~Process() = default;
  bool step() {
    if (finished() || !steps_[at_]()) return false;
    at_ = (at_ + 1) % steps_.size();
    return true;
  }
  virtual bool finished() const = 0;

 protected:
  static bool down(std::size_t& semaphore) { return semaphore > 0 && semaphore-- > 0; }
  static bool lock(bool& mutex) { return !std::exchange(mutex, true); }

  std::vector<std::function<bool()>> steps_;

 private:
  std::size_t at_ = 0;
};

class Producer : public Process {
 public:
  Producer(Buffer& buffer, unsigned sender, std::uint64_t messages) : messages_(messages) {
    const auto copy_half = [this, &buffer](std::size_t begin) {
      std::copy_n(message_.begin() + begin, message_bytes / 2, buffer.slots[position_].begin() + begin);
      return true;
    };
    steps_ = {[&buffer] { return buffer.missing == Missing::full_check || down(buffer.free); },
              [&buffer] { return buffer.missing == Missing::producers_mutex || lock(buffer.producing); },
              [this, &buffer, sender] {
                position_ = buffer.in;
                fill(message_, sender, sent_, Touch::full);
                return true;
              },
              [copy_half] { return copy_half(0); },
              [copy_half] { return copy_half(message_bytes / 2); },
              [this, &buffer] {
                buffer.in = (position_ + 1) % buffer.slots.size();
                buffer.producing = false;
                ++buffer.filled;
                ++sent_;
                return true;
              }};
  }
  bool finished() const override { return sent_ == messages_; }

 private:
  std::uint64_t messages_, sent_ = 0;
  std::size_t position_ = 0;
  Message message_{};
};

class Consumer : public Process {
 public:
  Consumer(Buffer& buffer, std::uint64_t messages) : messages_(messages) {
    const auto copy_half = [this, &buffer](std::size_t begin) {
      std::copy_n(buffer.slots[position_].begin() + begin, message_bytes / 2, message_.begin() + begin);
      return true;
    };
    steps_ = {[&buffer] { return buffer.missing == Missing::empty_check || down(buffer.filled); },
              [&buffer] { return buffer.missing == Missing::consumers_mutex || lock(buffer.consuming); },
              [this, &buffer] {
                position_ = buffer.out;
                return true;
              },
              [copy_half] { return copy_half(0); },
              [copy_half] { return copy_half(message_bytes / 2); },
              [this, &buffer] {
                buffer.out = (position_ + 1) % buffer.slots.size();
                buffer.consuming = false;
                ++buffer.free;
                received.push_back(message_);
                return true;
              }};
  }
  bool finished() const override { return received.size() == messages_; }

  std::vector<Message> received;

 private:
  std::uint64_t messages_;
  std::size_t position_ = 0;
  Message message_{};
};

// Producers and consumers of one buffer of two slots. Each consumer takes a fixed number of messages.
class Scene {
 public:
  Scene(Missing missing, std::vector<std::uint64_t> sent, std::vector<std::uint64_t> received)
      : buffer_(2, missing), sent_(std::move(sent)) {
    for (unsigned i = 0; i < sent_.size(); ++i) producers_.emplace_back(buffer_, i, sent_[i]);
    for (const std::uint64_t messages : received) consumers_.emplace_back(buffer_, messages);
    for (Producer& producer : producers_) processes_.push_back(&producer);
    for (Consumer& consumer : consumers_) processes_.push_back(&consumer);
  }
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  static constexpr int steps_of_a_message = 6;

  // Processes count from 0, the producers first.
  Scene& whole_message(std::size_t process) {
    for (int i = 0; i < steps_of_a_message; ++i) processes_[process]->step();
    return *this;
  }
  // Both take each of their steps for one message side by side.
  Scene& side_by_side(std::size_t one, std::size_t other) {
    for (int i = 0; i < steps_of_a_message; ++i) processes_[one]->step(), processes_[other]->step();
    return *this;
  }
  // Steps in random order.
  Scene& at_random(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    for (int i = 0; i < 200; ++i) processes_[random() % processes_.size()]->step();
    return *this;
  }
  // Whatever is left to do, one whole turn after the other. False when nobody can go on.
  bool to_the_end() {
    for (bool moved = true; moved;) {
      moved = false;
      for (Process* process : processes_) moved |= process->step();
    }
    return std::all_of(processes_.begin(), processes_.end(),
                       [](auto* process) { return process->finished(); });
  }

  Integrity mailbox_verdict(bool exact) const {
    MailboxChecker checker({static_cast<unsigned>(producers_.size()),
                            static_cast<unsigned>(consumers_.size()), message_bytes, Touch::full,
                            *std::max_element(sent_.begin(), sent_.end()), exact});
    for (unsigned i = 0; i < consumers_.size(); ++i) {
      MailboxReceiverChecker receiver = checker.receiver(i);
      for (const Message& message : consumers_[i].received) receiver.observe_every_byte(message);
    }
    return checker.judge(sent_);
  }
  Integrity sequence_verdict() const {
    SequenceChecker checker(0, message_bytes, Touch::full);
    for (const Message& message : consumers_[0].received) checker.observe_every_byte(message);
    checker.finish(sent_[0]);
    return checker.counts();
  }

  // What is right, as plainly as can be: every message came once, whole, and each consumer got those of one
  // producer in order.
  bool right() const {
    std::map<std::pair<unsigned, std::uint64_t>, int> came;
    for (const Consumer& consumer : consumers_) {
      std::vector<std::uint64_t> next(sent_.size());
      for (const Message& message : consumer.received) {
        const std::uint64_t stamp = read(message, Touch::header).stamp;
        const auto sender = static_cast<unsigned>(stamp >> 48);
        const std::uint64_t sequence = stamp & 0xffff'ffff'ffff;
        if (!verify(message, sender, sequence, Touch::full)) return false;
        if (sequence < next.at(sender) || ++came[{sender, sequence}] > 1) return false;
        next[sender] = sequence + 1;
      }
    }
    std::uint64_t due = 0;
    for (const std::uint64_t messages : sent_) due += messages;
    return came.size() == due;
  }

 private:
  Buffer buffer_;
  std::vector<std::uint64_t> sent_;
  std::deque<Producer> producers_;
  std::deque<Consumer> consumers_;
  std::vector<Process*> processes_;
};

void expect_named(const Integrity& found, const Integrity& expected) {
  EXPECT_EQ(found.lost, expected.lost) << "lost";
  EXPECT_EQ(found.duplicated, expected.duplicated) << "duplicated";
  EXPECT_EQ(found.reordered, expected.reordered) << "reordered";
  EXPECT_EQ(found.corrupted, expected.corrupted) << "corrupted";
}

// A producer that does not look whether the buffer is full puts its third message over the first.
TEST(TheVerifier, NamesABoundedBufferWithoutFullCheck) {
  for (const Missing missing : {Missing::full_check, Missing::nothing}) {
    Scene scene(missing, {3}, {3});
    scene.whole_message(0).whole_message(0).whole_message(0);
    ASSERT_TRUE(scene.to_the_end());
    Integrity expected;
    if (missing != Missing::nothing) expected.lost = expected.duplicated = expected.reordered = 1;
    expect_named(scene.sequence_verdict(), expected);
    expect_named(scene.mailbox_verdict(true), expected);
    EXPECT_EQ(scene.mailbox_verdict(false).clean(), missing == Missing::nothing);
  }
}

// A consumer that does not look whether the buffer is empty takes what it took a lap ago, and is then a lap
// ahead of what is sent.
TEST(TheVerifier, NamesABoundedBufferWithoutEmptyCheck) {
  for (const Missing missing : {Missing::empty_check, Missing::nothing}) {
    Scene scene(missing, {3}, {3});
    scene.whole_message(0).whole_message(1).whole_message(0).whole_message(1);
    scene.whole_message(1).whole_message(0);
    ASSERT_TRUE(scene.to_the_end());
    Integrity expected;
    if (missing != Missing::nothing) expected.lost = expected.duplicated = 1;
    expect_named(scene.sequence_verdict(), expected);
    expect_named(scene.mailbox_verdict(true), expected);
    EXPECT_EQ(scene.mailbox_verdict(false).clean(), missing == Missing::nothing);
  }
}

// From a slot that was never filled there is nothing to take but zeros.
TEST(TheVerifier, NamesWhatWasReadBeforeItWasWritten) {
  for (const Missing missing : {Missing::empty_check, Missing::nothing}) {
    Scene scene(missing, {1}, {1});
    scene.whole_message(1);
    ASSERT_TRUE(scene.to_the_end());
    Integrity expected;
    if (missing != Missing::nothing) expected.corrupted = 1;
    expect_named(scene.sequence_verdict(), expected);
    expect_named(scene.mailbox_verdict(true), expected);
    expect_named(scene.mailbox_verdict(false), expected);
  }
}

// Two producers fill the same slot: one message is gone, and the slot after it still holds an old one.
TEST(TheVerifier, NamesABoundedBufferWithTwoProducersInOneSlot) {
  for (const Missing missing : {Missing::producers_mutex, Missing::nothing}) {
    Scene scene(missing, {2, 2}, {4});
    scene.whole_message(0).whole_message(1).whole_message(2).whole_message(2);
    scene.side_by_side(0, 1);
    ASSERT_TRUE(scene.to_the_end());
    Integrity expected;
    if (missing != Missing::nothing) expected.lost = expected.duplicated = 1;
    expect_named(scene.mailbox_verdict(true), expected);
    EXPECT_EQ(scene.mailbox_verdict(false).clean(), missing == Missing::nothing);
  }
}

// Two consumers empty the same slot: both have its message, and nobody gets the next one.
TEST(TheVerifier, NamesABoundedBufferWithTwoConsumersOfOneSlot) {
  for (const Missing missing : {Missing::consumers_mutex, Missing::nothing}) {
    Scene scene(missing, {2}, {1, 1});
    scene.whole_message(0).whole_message(0);
    scene.side_by_side(1, 2);
    ASSERT_TRUE(scene.to_the_end());
    Integrity expected;
    if (missing != Missing::nothing) expected.lost = expected.duplicated = 1;
    expect_named(scene.mailbox_verdict(true), expected);
    expect_named(scene.mailbox_verdict(false), expected);
  }
}

// Thousands of orders of steps, always the same ones: whatever is wrong is seen, and nothing else.
TEST(TheVerifier, SaysIntactExactlyWhenABoundedBufferDeliveredRightInAnyOrderOfSteps) {
  for (const Missing missing : {Missing::nothing, Missing::full_check, Missing::empty_check,
                                Missing::producers_mutex, Missing::consumers_mutex}) {
    int wrong = 0;
    for (std::uint64_t seed = 0; seed < 2'000; ++seed) {
      Scene scene(missing, {4, 4}, {3, 5});
      scene.at_random(seed);
      ASSERT_TRUE(scene.to_the_end()) << seed;
      ASSERT_EQ(scene.mailbox_verdict(true).clean(), scene.right()) << seed;
      ASSERT_EQ(scene.mailbox_verdict(false).clean(), scene.right()) << seed;
      wrong += !scene.right();
    }
    if (missing == Missing::nothing) {
      EXPECT_EQ(wrong, 0);
    } else {
      EXPECT_GT(wrong, 500) << static_cast<int>(missing);
    }
  }
}

}  // namespace
}  // namespace ipcmark
