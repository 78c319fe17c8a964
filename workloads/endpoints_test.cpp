#include "workloads/endpoints.h"

#include <gtest/gtest.h>

#include "workloads/registry.h"
#include "workloads/test_trial.h"

namespace ipcmark {
namespace {

// Counts its links and the kernel objects that they could not remove; the second link cannot be made.
class Counted {
 public:
  static inline int links = 0, objects = 0;

  struct Sender {
    Io send(std::span<const std::byte>) { return Io::done; }
    Io finish() { return Io::done; }
    void wait_to_send() {}
  };
  struct Receiver {
    Io receive(std::span<std::byte>) { return Io::closed; }
    void wait_to_receive() {}
  };
  class Remains {
   public:
    Remains() { ++objects; }
    Remains(Remains&& other) noexcept : owns_(std::exchange(other.owns_, false)) {}
    ~Remains() { objects -= owns_; }

   private:
    bool owns_ = true;
  };

  static constexpr std::string_view name = "counted";
  static constexpr Facts facts{.summary = "for a test"};

  explicit Counted(const Shape& shape) {
    if (links == 1 && shape.message_bytes == 13) throw Unsupported("counted: one is enough");
    ++links;
  }
  ~Counted() { --links; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

  Sender open_sender(unsigned, Meeting&) { return {}; }
  Receiver open_receiver(unsigned, Meeting&) { return {}; }
  Remains take_remains() { return std::move(remains_); }

 private:
  Remains remains_;
};

TEST(Links, DropRemovesTheLinksAndEndWhatTheyCouldNotRemove) {
  Links<Counted> links;
  links.build(Shape{}, 2);
  EXPECT_EQ(Counted::links, 2);
  links.drop();
  EXPECT_EQ(Counted::links, 0);
  EXPECT_EQ(Counted::objects, 2);
  links.end();
  EXPECT_EQ(Counted::objects, 0);
}

TEST(Links, WhatWasBuiltBeforeOneThatCouldNotBeIsRemovedAtTheEnd) {
  Links<Counted> links;
  EXPECT_THROW(links.build(Shape{.message_bytes = 13}, 2), Unsupported);
  EXPECT_EQ(Counted::links, 1);
  links.end();
  EXPECT_EQ(Counted::links, 0);
  EXPECT_EQ(Counted::objects, 0);
}

TEST(Links, WaitsAndAccessesThatAreNotOfferedAreRefusedByName) {
  const auto reason = [](const Shape& shape) -> std::string {
    try {
      Links<Counted>().build(shape, 1);
      return "";
    } catch (const Unsupported& unsupported) {
      return unsupported.what();
    }
  };
  EXPECT_EQ(reason({}), "");
  EXPECT_EQ(reason({.send_wait = Wait::futex}), "counted: its sender cannot wait by futex");
  EXPECT_EQ(reason({.receive_wait = Wait::spin}), "counted: its receiver cannot wait by spin");
  EXPECT_EQ(reason({.send_access = Access::loan}), "counted: its sender has no access by loan");
  EXPECT_EQ(reason({.receive_access = Access::loan}), "counted: its receiver has no access by loan");
}

TEST(Toil, ASideThatTriesAgainWorksFirstAndThenWaitsAsItDoes) {
  for (const Wait wait : {Wait::spin, Wait::yield}) {
    Toil toil = toil_of({.work = 3}, wait);
    unsigned waits = 0;
    for (unsigned i = 0; i < 5; ++i) toil.after_empty_try([&] { ++waits; });
    EXPECT_EQ(waits, 5u);
    EXPECT_EQ(toil.empty_tries, 5u);
    EXPECT_EQ(toil.units_done, 15u);
  }
}

TEST(Toil, ASideThatSleepsIsNotKeptAwakeByTheWorkOfTheOther) {
  for (const Wait wait : {Wait::block, Wait::poll, Wait::adaptive, Wait::futex}) {
    EXPECT_EQ(toil_of({.work = 3}, wait).units, 0u);
  }
}

// The two sides of a ping-pong over a link whose sides wait so, in turn, with five units of work in each try.
std::vector<RoleReport> sides(std::string_view transport, Wait send, Wait receive) {
  Case c{.workload = "ping_pong", .transport = std::string(transport)};
  c.send_wait = send;
  c.receive_wait = receive;
  c.work = 5;
  EXPECT_EQ(why_not(c), "");
  return measure_case(c, 300).roles;
}

TEST(Toil, ACaseTellsTheEmptyTriesOfBothSidesAndTheWorkDoneInThem) {
  for (const std::string_view transport : {"pipe", "posix_shm", "unix_stream"}) {
    for (const Wait wait : {Wait::spin, Wait::yield}) {
      const auto roles = sides(transport, wait, wait);
      ASSERT_EQ(roles.size(), 2u);
      for (const auto& role : roles) {
        ASSERT_TRUE(role.empty_tries && role.work_done) << transport;
        EXPECT_GT(*role.empty_tries, 0u) << transport;
        EXPECT_EQ(*role.work_done, 5 * *role.empty_tries) << transport;
      }
    }
  }
}

TEST(Toil, WorkNeedsASideThatDoesNotSleep) {
  Case c{.workload = "ping_pong", .transport = "pipe"};
  c.work = 5;
  c.send_wait = Wait::block;
  c.receive_wait = Wait::poll;
  EXPECT_EQ(why_not(c), "work between tries needs a side that waits by spin or yield");
}

}  // namespace
}  // namespace ipcmark
