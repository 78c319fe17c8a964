#include "workloads/state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "workloads/test_trial.h"

namespace ipcmark {
namespace {

using testing::HasSubstr;

TEST(State, EveryReaderReadsTheLatestRecordWhole) {
  for (const Case& plain : over_every_transport({.workload = "state"})) {
    for (const Wait wait : {Wait::yield, Wait::block}) {
      for (const std::uint64_t bytes : {1u, 67u, 4'096u}) {
        for (const unsigned receivers : {1u, 3u}) {
          Case c = plain;
          c.send_wait = c.receive_wait = wait;
          c.message_bytes = bytes;
          c.receivers = receivers;
          if (!why_not(c).empty()) continue;
          SCOPED_TRACE(case_id(c));
          const Measurement measured = measure_case(c, 300);
          EXPECT_EQ(measured.messages, 300u);
          EXPECT_EQ(observed(measured, "updates"), 300);
          EXPECT_EQ(observed(measured, "torn"), 0);
          EXPECT_GE(observed(measured, "reads"), receivers);
          EXPECT_GE(observed(measured, "staleness"), 0);
          ASSERT_EQ(measured.roles.size(), receivers + 1);
        }
      }
    }
  }
}

TEST(State, OnlyARecordInARegionOfSharedMemoryIsReadWithoutAMessage) {
  for (const Case& plain : over_every_transport({.workload = "state", .receivers = 2})) {
    Case c = plain;
    c.send_wait = c.receive_wait = Wait::yield;
    const bool in_place = Registry::instance().find(c.transport)->region != nullptr;
    EXPECT_EQ(State::links_of(c).size(), in_place ? 0 : 2) << c.transport;
    EXPECT_EQ(observed(measure_case(c, 100), "retries") >= 0, in_place) << c.transport;
  }
}

TEST(State, AReaderThatSleepsReadsEveryMessage) {
  const Case c{.workload = "state", .transport = "pipe", .receivers = 2, .work = 1};
  EXPECT_EQ(observed(measure_case(c, 200), "reads"), 400);
}

TEST(State, SaysWhyNot) {
  Case c{
      .workload = "state", .transport = "posix_shm", .send_wait = Wait::yield, .receive_wait = Wait::yield};
  EXPECT_EQ(why_not(c), "");
  c.receive_wait = Wait::futex;
  EXPECT_THAT(why_not(c), HasSubstr("tries again by spin or yield"));
  c.receive_wait = Wait::yield;
  c.capacity = Capacity::bounded(4);
  EXPECT_THAT(why_not(c), HasSubstr("no capacity to set"));
  c.capacity = {};
  c.receive_access = Access::loan;
  EXPECT_THAT(why_not(c), HasSubstr("only a copy"));
  EXPECT_THAT(why_not({.workload = "state", .transport = "null"}), HasSubstr("carries nothing"));
  EXPECT_THAT(why_not({.workload = "state", .transport = "pipe", .receivers = 24}), HasSubstr("at most 23"));
}

}  // namespace
}  // namespace ipcmark
