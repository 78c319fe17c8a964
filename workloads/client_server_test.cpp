#include "workloads/client_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "workloads/test_trial.h"

namespace ipcmark {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t calls = 100;

void expect_every_call_answered(const Case& c) {
  SCOPED_TRACE(case_id(c));
  const Measurement measured = measure_case(c, calls);
  EXPECT_EQ(measured.messages, c.senders * calls);
  EXPECT_EQ(measured.bytes,
            measured.messages * (c.message_bytes + (c.reply_bytes == 0 ? c.message_bytes : c.reply_bytes)));
  ASSERT_EQ(measured.roles.size(), c.senders + 1);
  for (unsigned client = 0; client < c.senders; ++client) EXPECT_EQ(measured.roles[client].messages, calls);
  EXPECT_EQ(measured.roles.back().messages, c.senders * calls);
  // Request and reply, and one call before the first that is timed.
  EXPECT_EQ(measured.integrity.checked, 2 * c.senders * (calls + 1));
  ASSERT_TRUE(measured.distribution);
  EXPECT_EQ(measured.distribution->of, "call_ns");
  EXPECT_EQ(measured.distribution->count, c.senders * calls);
  EXPECT_GT(observed(measured, "jain_index"), 0);
}

TEST(ClientServer, AnswersOneClientByEveryWait) {
  for (const Case& plain : over_every_transport({.workload = "client_server"})) {
    for (const Case& c : with_every_wait(plain)) expect_every_call_answered(c);
  }
}

// Of a message of 200,000 bytes a part may have come when another link is looked at.
TEST(ClientServer, KeepsApartWhatComesInPieces) {
  for (const char* transport : {"pipe", "fifo", "unix_stream", "tcp"}) {
    for (const Wait wait : {Wait::poll, Wait::epoll, Wait::yield}) {
      expect_every_call_answered({.workload = "client_server",
                                  .transport = transport,
                                  .message_bytes = 200'000,
                                  .send_wait = wait,
                                  .receive_wait = wait,
                                  .senders = 4,
                                  .reply_bytes = 8});
    }
  }
}

// 5,000 bytes are over PIPE_BUF, so a pipe's clients have links of their own.
TEST(ClientServer, AnswersThreeClientsOnASharedLinkAndOnLinksOfTheirOwn) {
  unsigned had = 0;
  for (Case plain : over_every_transport({.workload = "client_server", .senders = 3})) {
    for (const std::uint64_t message_bytes : {std::uint64_t{64}, std::uint64_t{5'000}}) {
      plain.message_bytes = message_bytes;
      for (const Case& c : with_every_wait(plain)) {
        if (c.send_wait == Wait::spin || !why_not(c).empty()) continue;
        expect_every_call_answered(c);
        ++had;
      }
    }
  }
  EXPECT_GE(had, 40u);
}

TEST(ClientServer, RepliesMayBeOfAnotherSize) {
  for (Case plain : over_every_transport({.workload = "client_server", .senders = 2})) {
    for (const std::uint64_t reply_bytes : {std::uint64_t{3}, std::uint64_t{2'000}}) {
      plain.reply_bytes = reply_bytes;
      Case c = with_a_wait(plain);
      if (!why_not(c).empty()) c.send_wait = c.receive_wait = Wait::yield;
      ASSERT_EQ(why_not(c), "") << case_id(c);
      expect_every_call_answered(c);
    }
  }
}

TEST(ClientServer, ALinkBothWaysIsMadeForTheLargerOfRequestAndReply) {
  Case c{.workload = "client_server", .transport = "unix_seqpacket"};
  c.message_bytes = 1 << 24;
  const std::string too_large = why_not(c);
  EXPECT_THAT(too_large, HasSubstr("16777216 B in one message"));
  c.message_bytes = 64;
  c.reply_bytes = 1 << 24;
  EXPECT_EQ(why_not(c), too_large);
}

TEST(ClientServer, SaysWhyAServerCannotWait) {
  Case c{.workload = "client_server",
         .transport = "posix_shm",
         .message_bytes = 4,  // do not say whose they are, so each client has a link of its own
         .send_wait = Wait::futex,
         .receive_wait = Wait::futex,
         .senders = 3};
  EXPECT_THAT(why_not(c), HasSubstr("cannot wait by futex for several links"));
  c.senders = 24;
  EXPECT_THAT(why_not(c), HasSubstr("clients are at most 12"));
  c.message_bytes = 64;
  EXPECT_THAT(why_not(c), HasSubstr("clients are at most 23"));
  c.senders = 3;
  EXPECT_EQ(why_not(c), "") << "they share one";
  c.senders = 1;
  EXPECT_EQ(why_not(c), "");
  c.send_access = Access::loan;
  EXPECT_THAT(why_not(c), HasSubstr("copy"));
}

}  // namespace
}  // namespace ipcmark
