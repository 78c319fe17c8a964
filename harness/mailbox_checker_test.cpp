#include "harness/mailbox_checker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <ostream>
#include <random>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "harness/test_work.h"

namespace ipcmark {
namespace {

struct Verdict {
  std::uint64_t lost = 0, duplicated = 0, reordered = 0, corrupted = 0;
  friend bool operator==(const Verdict&, const Verdict&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Verdict& v) {
    return out << "lost " << v.lost << ", duplicated " << v.duplicated << ", reordered " << v.reordered
               << ", corrupted " << v.corrupted;
  }
};
constexpr Verdict clean{};

Verdict verdict_of(const Integrity& integrity) {
  return {integrity.lost, integrity.duplicated, integrity.reordered, integrity.corrupted};
}

// A mailbox whose messages arrive where the test says.
class Mailbox {
 public:
  explicit Mailbox(const MailboxShape& shape) : shape_(shape), checker_(shape) {
    for (unsigned i = 0; i < shape.receivers; ++i) receivers_.push_back(checker_.receiver(i));
  }

  Mailbox& arrives(unsigned receiver, unsigned sender, std::uint64_t sequence) {
    std::vector<std::byte> message(shape_.message_bytes);
    fill(message, sender, sequence, shape_.touch);
    return arrives(receiver, message);
  }
  Mailbox& arrives(unsigned receiver, std::span<const std::byte> message) {
    if (every_byte) {
      receivers_[receiver].observe_every_byte(message);
    } else {
      receivers_[receiver].observe(read(message, shape_.touch));
    }
    return *this;
  }
  Verdict judged(const std::vector<std::uint64_t>& sent) const { return verdict_of(checker_.judge(sent)); }
  const MailboxChecker& checker() const { return checker_; }

  bool every_byte = false;

 private:
  MailboxShape shape_;
  MailboxChecker checker_;
  std::vector<MailboxReceiverChecker> receivers_;
};

MailboxShape shape_of(bool exact, unsigned senders, unsigned receivers, std::size_t bytes = 64,
                      std::uint64_t most_messages_each = 1'000) {
  return {senders, receivers, bytes, Touch::full, most_messages_each, exact};
}

class MailboxCheckerInEitherForm : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Forms, MailboxCheckerInEitherForm, testing::Bool(),
                         [](const auto& form) { return form.param ? "exact" : "counted"; });

TEST_P(MailboxCheckerInEitherForm, FindsNothingWrongHoweverTheMessagesAreDealtOut) {
  std::mt19937_64 random(1);
  for (const std::size_t bytes : {1u, 2u, 3u, 6u, 7u, 8u, 9u, 64u}) {
    for (const unsigned senders : {1u, 2u, 8u}) {
      for (const unsigned receivers : {1u, 2u, 8u}) {
        Mailbox mailbox(shape_of(GetParam(), senders, receivers, bytes));
        mailbox.every_byte = receivers == 2;
        std::vector<std::uint64_t> most(senders), sent(senders);
        for (std::uint64_t& messages : most) messages = random() % 1'000;
        std::uint64_t received_last = 0, total = 0;
        while (sent != most) {
          const auto sender = static_cast<unsigned>(random() % senders);
          if (sent[sender] == most[sender]) continue;
          const auto receiver = static_cast<unsigned>(random() % receivers);
          mailbox.arrives(receiver, sender, sent[sender]++);
          ++total;
          received_last += receiver == receivers - 1;
        }
        const Integrity integrity = mailbox.checker().judge(sent);
        EXPECT_EQ(verdict_of(integrity), clean) << bytes << " B, " << senders << " x " << receivers;
        EXPECT_EQ(integrity.checked, total);
        EXPECT_EQ(integrity.every_byte, mailbox.every_byte);
        EXPECT_EQ(integrity.detection_limit, detection_limit(bytes));
        EXPECT_EQ(mailbox.checker().received(receivers - 1), received_last);
      }
    }
  }
}

TEST_P(MailboxCheckerInEitherForm, NamesWhatArrivedNowhereAsLost) {
  Mailbox mailbox(shape_of(GetParam(), 2, 2));
  mailbox.arrives(0, 0, 0).arrives(1, 0, 2).arrives(0, 1, 0);
  EXPECT_EQ(mailbox.judged({3, 1}), (Verdict{.lost = 1}));
  EXPECT_EQ(mailbox.judged({5, 4}), (Verdict{.lost = 6}));
  EXPECT_EQ(Mailbox(shape_of(GetParam(), 2, 2)).judged({3, 4}), (Verdict{.lost = 7}));
}

TEST_P(MailboxCheckerInEitherForm, NamesWhatTwoReceiversGotAsDuplicated) {
  Mailbox mailbox(shape_of(GetParam(), 2, 2));
  mailbox.arrives(0, 0, 0).arrives(1, 0, 0).arrives(0, 1, 0).arrives(1, 1, 1);
  EXPECT_EQ(mailbox.judged({1, 2}), (Verdict{.duplicated = 1}));
}

TEST_P(MailboxCheckerInEitherForm, NamesWhatOneReceiverGotTwiceInARowAsDuplicatedOnly) {
  Mailbox mailbox(shape_of(GetParam(), 1, 1));
  mailbox.arrives(0, 0, 0).arrives(0, 0, 0).arrives(0, 0, 1);
  EXPECT_EQ(mailbox.judged({2}), (Verdict{.duplicated = 1}));
}

TEST_P(MailboxCheckerInEitherForm, NamesWhatArrivedBehindALaterOneAsReordered) {
  Mailbox mailbox(shape_of(GetParam(), 2, 2));
  mailbox.arrives(0, 0, 1).arrives(0, 0, 0).arrives(0, 0, 2);
  mailbox.arrives(1, 1, 3).arrives(0, 1, 0).arrives(0, 1, 1).arrives(1, 1, 4).arrives(1, 1, 2);
  EXPECT_EQ(mailbox.judged({3, 5}), (Verdict{.reordered = 2})) << "between receivers there is no order";
}

TEST_P(MailboxCheckerInEitherForm, NamesADamagedMessageAsCorruptedAndNotAsLostToo) {
  for (const bool every_byte : {false, true}) {
    for (const std::size_t at : {0u, 6u, 7u, 8u, 63u}) {  // number, sender, body, end
      Mailbox mailbox(shape_of(GetParam(), 2, 1));
      mailbox.every_byte = every_byte;
      std::vector<std::byte> message(64);
      fill(message, 0, 1, Touch::full);
      message[at] ^= std::byte{0x40};
      mailbox.arrives(0, 0, 0).arrives(0, message).arrives(0, 0, 2);
      EXPECT_EQ(mailbox.judged({3, 0}), (Verdict{.corrupted = 1})) << at;
    }
  }
}

TEST_P(MailboxCheckerInEitherForm, NamesSendersAndNumbersThatDoNotExistAsCorrupted) {
  Mailbox mailbox(shape_of(GetParam(), 2, 1, 64, 10));
  mailbox.arrives(0, 0, 0).arrives(0, 2, 0).arrives(0, 1, 10);
  EXPECT_EQ(mailbox.judged({1, 0}), (Verdict{.corrupted = 2}));
}

TEST_P(MailboxCheckerInEitherForm, JudgesTheWholeOfShortMessagesWhoseSendersItCannotTellApart) {
  for (const std::size_t bytes : {1u, 2u, 3u, 6u}) {
    Mailbox mailbox(shape_of(GetParam(), 2, 2, bytes));
    EXPECT_FALSE(mailbox.checker().order_is_judged());
    for (std::uint64_t i = 0; i < 700; ++i) {
      mailbox.arrives(i % 2, 0, i);
      if (i < 300) mailbox.arrives(i % 3 == 0, 1, 299 - i);
    }
    EXPECT_EQ(mailbox.judged({700, 300}), clean);
    EXPECT_EQ(mailbox.judged({702, 300}), (Verdict{.lost = 2}));
    EXPECT_EQ(mailbox.judged({699, 300}).duplicated + mailbox.judged({699, 300}).corrupted, 1u);
    mailbox.arrives(0, 0, 5);
    EXPECT_EQ(mailbox.judged({700, 300}), (Verdict{.duplicated = 1}));
  }
}

TEST_P(MailboxCheckerInEitherForm, JudgesOrderOnlyWhereTheStampTellsIt) {
  const auto judges_order = [&](unsigned senders, std::size_t bytes, std::uint64_t most) {
    return MailboxChecker(shape_of(GetParam(), senders, 2, bytes, most)).order_is_judged();
  };
  EXPECT_TRUE(judges_order(1, 1, 256));
  EXPECT_FALSE(judges_order(1, 1, 257));
  EXPECT_TRUE(judges_order(1, 3, 1'000));
  EXPECT_FALSE(judges_order(2, 6, 10));
  EXPECT_TRUE(judges_order(256, 7, 10));
  EXPECT_FALSE(judges_order(257, 7, 10));
  EXPECT_TRUE(judges_order(257, 8, 10));
}

TEST_P(MailboxCheckerInEitherForm, JudgesAcrossProcesses) {
  MailboxChecker checker(shape_of(GetParam(), 2, 3));
  TestWork work;
  work.on_run = [&](Role& role) {
    MailboxReceiverChecker receiver = checker.receiver(role.index());
    std::vector<std::byte> message(64);
    for (std::uint64_t i = role.index(); i < 900; i += 3) {
      if (i == 450) continue;
      fill(message, i % 2, i / 2, Touch::full);
      receiver.observe_every_byte(message);
      if (i == 451) receiver.observe_every_byte(message);
    }
  };
  ASSERT_EQ(outcome_of(test_spec(3), work), "");
  const Integrity integrity = checker.judge(std::vector<std::uint64_t>{450, 450});
  EXPECT_EQ(verdict_of(integrity), (Verdict{.lost = 1, .duplicated = 1}));
  EXPECT_EQ(integrity.checked, 900u);
  EXPECT_TRUE(integrity.every_byte);
  EXPECT_EQ(checker.received(0), 299u);
  EXPECT_EQ(checker.received(1), 301u);
}

// What random deliveries come to, counted as plainly as can be.
TEST(MailboxChecker, TellsExactlyWhatWentWrongInItsExactForm) {
  std::mt19937_64 random(7);
  for (int run = 0; run < 200; ++run) {
    constexpr unsigned senders = 3, receivers = 2;
    constexpr std::uint64_t messages = 50;
    Mailbox mailbox(shape_of(true, senders, receivers, 16, messages));
    std::map<std::pair<unsigned, std::uint64_t>, std::uint64_t> came;
    std::map<std::pair<unsigned, unsigned>, std::uint64_t> highest;  // by receiver and sender
    Verdict expected{.lost = senders * messages};
    for (int i = 0; i < 200; ++i) {
      const auto sender = static_cast<unsigned>(random() % senders);
      const auto receiver = static_cast<unsigned>(random() % receivers);
      const std::uint64_t sequence = random() % messages;
      mailbox.arrives(receiver, sender, sequence);
      std::uint64_t& high = highest[{receiver, sender}];
      if (came[{sender, sequence}]++ > 0) {
        ++expected.duplicated;
      } else {
        --expected.lost;
        expected.reordered += sequence < high;
      }
      high = std::max(high, sequence);
    }
    ASSERT_EQ(mailbox.judged({messages, messages, messages}), expected);
  }
}

TEST(MailboxChecker, SeesInSumsThatEquallyManyAreLostAndDuplicated) {
  const auto judged = [](const std::vector<std::uint64_t>& sequences) {
    Mailbox mailbox(shape_of(false, 1, 8));
    for (unsigned i = 0; i < sequences.size(); ++i) mailbox.arrives(i, 0, sequences[i]);
    return mailbox.judged({sequences.size()});
  };
  EXPECT_EQ(judged({0, 1, 2, 3, 4, 5}), clean);
  EXPECT_EQ(judged({0, 1, 2, 3, 3, 5}), (Verdict{.lost = 1, .duplicated = 1}));
  EXPECT_EQ(judged({0, 2, 2, 2, 4, 5}), (Verdict{.lost = 1, .duplicated = 1})) << "the sum is right";
  EXPECT_EQ(judged({0, 0, 4, 4, 4, 4, 4, 8}), (Verdict{.lost = 1, .duplicated = 1})) << "the sum is right";
}

TEST(MailboxChecker, SeesAnyTwoMessagesExchangedForAnyTwoOthersInSums) {
  constexpr std::uint64_t messages = 8;
  for (std::uint64_t code = 0; code < messages * messages * messages * messages; ++code) {
    const std::uint64_t a = code % 8, b = code / 8 % 8, c = code / 64 % 8, d = code / 512;
    if (a >= b || (a == c && b == d) || (a == d && b == c)) continue;
    Mailbox mailbox(shape_of(false, 1, 1, 8));
    for (std::uint64_t i = 0; i < messages; ++i) mailbox.arrives(0, 0, i == a ? c : i == b ? d : i);
    const Verdict verdict = mailbox.judged({messages});
    ASSERT_TRUE(verdict.lost == 1 && verdict.duplicated == 1)
        << a << b << " for " << c << d << ": " << verdict;
  }
}

TEST(MailboxChecker, RefusesMailboxesAndReceiversThatDoNotExist) {
  EXPECT_THROW(MailboxChecker(shape_of(true, 0, 1)), std::invalid_argument);
  EXPECT_THROW(MailboxChecker(shape_of(true, 1, 0)), std::invalid_argument);
  EXPECT_THROW(MailboxChecker(shape_of(true, 1, 1, 0)), std::invalid_argument);
  EXPECT_THROW(MailboxChecker(shape_of(true, 8, 8, 8, UINT64_MAX)), std::system_error);
  MailboxChecker checker(shape_of(true, 2, 2));
  EXPECT_THROW(checker.receiver(2), std::out_of_range);
  EXPECT_THROW(checker.judge(std::vector<std::uint64_t>{1}), std::invalid_argument);
}

}  // namespace
}  // namespace ipcmark
