#include "harness/meeting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <system_error>
#include <thread>

#include "harness/clock.h"
#include "harness/test_work.h"

namespace ipcmark {
namespace {

using testing::HasSubstr;

class MeetingTest : public testing::Test {
 protected:
  Meeting with_patience_of(std::uint64_t ms) { return {*table_, now_ns() + ms * 1'000'000}; }

  std::unique_ptr<MeetingTable> table_ = std::make_unique<MeetingTable>();
};

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

TEST_F(MeetingTest, WhatIsPublishedIsFoundByItsName) {
  Meeting meeting = with_patience_of(0);
  meeting.publish("first", bytes_of("one"));
  meeting.publish("empty", {});
  meeting.publish_value("number", std::uint16_t{4711});
  const auto first = meeting.await("first");
  EXPECT_TRUE(std::ranges::equal(first, bytes_of("one")));
  EXPECT_TRUE(meeting.await("empty").empty());
  EXPECT_EQ(meeting.await_value<std::uint16_t>("number"), 4711);
}

TEST_F(MeetingTest, NamesAreComparedWhole) {
  Meeting meeting = with_patience_of(0);
  meeting.publish("port 1", {});
  EXPECT_THROW(meeting.await("port"), std::system_error);
  EXPECT_THROW(meeting.await("port 10"), std::system_error);
  EXPECT_NO_THROW(meeting.await("port 1"));
}

TEST_F(MeetingTest, WhetherSomethingIsThereIsAskedWithoutWaiting) {
  Meeting meeting = with_patience_of(0);
  EXPECT_FALSE(meeting.has("end"));
  meeting.publish("end of 0", {});
  EXPECT_FALSE(meeting.has("end"));
  EXPECT_TRUE(meeting.has("end of 0"));
  EXPECT_FALSE(meeting.beside().has("end of 0"));
}

TEST_F(MeetingTest, ASecondLinkBesideTheFirstHasNamesOfItsOwn) {
  Meeting meeting = with_patience_of(0);
  meeting.publish_value("port", 1);
  EXPECT_THROW(meeting.beside().await("port"), std::system_error);
  meeting.beside().publish_value("port", 2);
  EXPECT_EQ(meeting.await_value<int>("port"), 1);
  EXPECT_EQ(meeting.beside().await_value<int>("port"), 2);
}

TEST_F(MeetingTest, WaitingInVainEndsAtTheDeadlineAndSaysForWhat) {
  try {
    with_patience_of(20).await("the other side");
    FAIL();
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code().value(), ETIMEDOUT);
    EXPECT_THAT(error.what(), HasSubstr("the other side"));
  }
}

TEST_F(MeetingTest, TheLongestNamesAndBlobsFitAndLongerOnesAreRefused) {
  Meeting meeting = with_patience_of(0);
  const std::string name(MeetingTable::max_name_bytes, 'n'), blob(MeetingTable::max_blob_bytes, 'b');
  meeting.publish(name, bytes_of(blob));
  EXPECT_TRUE(std::ranges::equal(meeting.await(name), bytes_of(blob)));
  EXPECT_THROW(meeting.publish(name + "n", {}), std::length_error);
  EXPECT_THROW(meeting.publish("blob", bytes_of(blob + "b")), std::length_error);
}

TEST_F(MeetingTest, IsFullAfterSoManyBlobsAndKeepsThem) {
  Meeting meeting = with_patience_of(0);
  for (std::size_t i = 0; i < MeetingTable::max_blobs; ++i) meeting.publish_value(std::to_string(i), i);
  EXPECT_THROW(meeting.publish("one more", {}), std::length_error);
  for (std::size_t i = 0; i < MeetingTable::max_blobs; ++i) {
    EXPECT_EQ(meeting.await_value<std::size_t>(std::to_string(i)), i);
  }
}

TEST_F(MeetingTest, AValueOfAnotherSizeIsAnError) {
  Meeting meeting = with_patience_of(0);
  meeting.publish_value("number", std::uint16_t{1});
  EXPECT_THROW(meeting.await_value<std::uint64_t>("number"), std::length_error);
}

TEST_F(MeetingTest, TheLastSenderToLeaveIsToldSo) {
  constexpr unsigned senders = 8;
  for (int round = 0; round < 50; ++round) {
    table_->senders_left.store(senders);
    std::atomic<unsigned> told{0};
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < senders; ++i) {
      threads.emplace_back([&] { told += with_patience_of(0).leave_as_sender(); });
    }
    threads.clear();
    EXPECT_EQ(told.load(), 1u);
  }
}

TEST(MeetingInALaunch, EveryRoleFindsWhatEveryOtherPublishes) {
  constexpr unsigned roles = 6;
  TestWork work;
  work.link_count = 2;
  work.on_open = [](Role& role) {
    for (unsigned link : {0, 1}) {
      role.meeting(link).publish_value(std::to_string(role.index()), 100 * link + role.index());
    }
    for (unsigned other = 0; other < roles; ++other) {
      for (unsigned link : {0, 1}) {
        require(role.meeting(link).await_value<unsigned>(std::to_string(other)) == 100 * link + other,
                "the links' meetings are mixed up");
      }
    }
  };
  EXPECT_EQ(outcome_of(test_spec(roles), work), "");
}

}  // namespace
}  // namespace ipcmark
