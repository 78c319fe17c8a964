#include "workloads/cross.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <utility>

#include "workloads/test_trial.h"

namespace ipcmark {
namespace {

using testing::Contains;
using testing::StartsWith;

// A pipe; the receiver of the first that a launch makes lies down before its first receive, for longer than a
// deadlock takes to be seen. Its peer sleeps in the sends of the next round by then.
class LatePipe {
 public:
  static constexpr std::string_view name = "late_pipe";
  static constexpr Facts facts{.summary = "for a test"};

  class Receiver {
   public:
    Receiver(AnyEnd end, bool is_late) : end_(std::move(end)), is_late_(is_late) {}
    Io receive(std::span<std::byte> message) {
      if (std::exchange(is_late_, false)) std::this_thread::sleep_for(std::chrono::milliseconds(1'200));
      return end_.receive(message);
    }
    void wait_to_receive() { end_.wait_to_receive(); }

   private:
    AnyEnd end_;
    bool is_late_;
  };

  explicit LatePipe(const Shape& shape)
      : is_first_(std::exchange(none_yet_, false)),
        link_(Registry::instance().find("pipe")->make_link(shape)) {}
  AnyEnd open_sender(unsigned, Meeting& meeting) { return AnyEnd(link_->open_sender(0, meeting)); }
  Receiver open_receiver(unsigned, Meeting& meeting) {
    return Receiver(AnyEnd(link_->open_receiver(0, meeting)), is_first_);
  }

 private:
  static inline bool none_yet_ = true;  // in the launch's parent
  bool is_first_;
  std::unique_ptr<AnyLink> link_;
};
[[maybe_unused]] const bool registered_late = register_transport<LatePipe>();

struct Expectation {
  const char* transport;
  Wait wait;
  const char* word;
};
constexpr Expectation expectations[] = {
    {"pipe", Wait::block, "deadlock"},        {"pipe", Wait::poll, "deadlock"},
    {"pipe", Wait::spin, "livelock"},         {"posix_shm", Wait::futex, "deadlock"},
    {"posix_shm", Wait::spin, "livelock"},    {"posix_mq", Wait::block, "deadlock"},
    {"unix_stream", Wait::block, "deadlock"}, {"unix_seqpacket", Wait::yield, "livelock"}};

Case case_of(const Expectation& expected) {
  return {.workload = "cross",
          .transport = expected.transport,
          .send_wait = expected.wait,
          .receive_wait = expected.wait};
}

std::uint64_t fits(const Case& c) {
  const CapacityFacts facts = probe_capacity(c, test_context());
  EXPECT_TRUE(facts.fits_min.has_value()) << case_id(c) << ": " << facts.note;
  return facts.fits_min.value_or(1);
}

TEST(Cross, GoesThroughAsLongAsWhatIsSentFirstFits) {
  for (const Expectation& expected : expectations) {
    Case c = case_of(expected);
    const std::uint64_t most = fits(c);
    for (const std::uint64_t burst : {most, most - most / 16}) {
      c.burst = burst;
      SCOPED_TRACE(case_id(c));
      constexpr std::uint64_t rounds = 5;
      const Measurement measured = measure_case(c, rounds * c.burst);
      EXPECT_EQ(observed(measured, "completed"), 1);
      EXPECT_EQ(observed(measured, std::string(expected.word) + "_after"), -1);
      EXPECT_EQ(measured.messages, 2 * rounds * c.burst);
      EXPECT_NE(measured.verdict.grade, Grade::invalid);
    }
  }
}

TEST(Cross, IsSeenToBeStuckBeyondItAndStillDeliversEveryMessage) {
  for (const Expectation& expected : expectations) {
    Case c = case_of(expected);
    c.burst = 2 * fits(c) + 2;
    SCOPED_TRACE(case_id(c));
    const Measurement measured = measure_case(c, 3 * c.burst);
    EXPECT_EQ(observed(measured, "completed"), 0);
    EXPECT_EQ(measured.integrity.checked, 2 * c.burst) << "the first such round is the last";
    const double after = observed(measured, std::string(expected.word) + "_after");
    EXPECT_GE(after, 2.0 * static_cast<double>(fits(c)));
    EXPECT_LT(after, 2.0 * static_cast<double>(c.burst));
    EXPECT_NE(measured.verdict.grade, Grade::invalid) << measured.verdict.reasons.front();
    EXPECT_THAT(measured.verdict.reasons, Contains(StartsWith(std::string("ended in a ") + expected.word)));
  }
}

TEST(Cross, SaysWhenTheAnswerIsNotWhatFitsLeadsOneToExpect) {
  const WorkloadEntry& cross = *Registry::instance().find("pipe")->find_workload("cross");
  const std::vector<Observation> through{{"completed", "ratio", 1}}, stuck{{"completed", "ratio", 0}};
  CapacityFacts holds;
  Case c = case_of({"pipe", Wait::block, "deadlock"});
  c.burst = 65;
  EXPECT_EQ(cross.unexpected(c, holds, stuck), "") << "nobody knows";
  holds.fits_min = 60;
  holds.fits_max = 64;
  EXPECT_EQ(cross.unexpected(c, holds, stuck), "");
  EXPECT_EQ(cross.unexpected(c, holds, through),
            "unexpected: 65 messages a side went through, though only 64 fit");
  holds.fits_is_lower_bound = true;
  EXPECT_EQ(cross.unexpected(c, holds, through), "");
  c.burst = 62;
  EXPECT_EQ(cross.unexpected(c, holds, through), "");
  EXPECT_EQ(cross.unexpected(c, holds, stuck), "");
  c.burst = 60;
  EXPECT_EQ(cross.unexpected(c, holds, through), "");
  EXPECT_EQ(cross.unexpected(c, holds, stuck), "unexpected: a deadlock of 60 messages a side, though 60 fit");
}

TEST(Cross, OverOneBufferBothWaysIsStuckWhereverTheTwoStand) {
  for (const Wait send_wait : {Wait::block, Wait::poll, Wait::spin, Wait::yield}) {
    Case c = case_of({"fifo_rdwr", Wait::yield, ""});
    c.send_wait = send_wait;
    const std::string word = send_wait == Wait::block || send_wait == Wait::poll ? "deadlock" : "livelock";
    const CapacityFacts holds = probe_capacity(c, test_context());
    const std::uint64_t both = holds.fits_min.value();
    c.burst = (both + 1 - holds.resume_after.value()) / 2;
    EXPECT_EQ(observed(measure_case(c, 3 * c.burst), "completed"), 1) << case_id(c);
    for (const std::uint64_t beyond : {both + 1, 4 * both}) {
      c.burst = beyond;
      SCOPED_TRACE(case_id(c));
      const Measurement measured = measure_case(c, 3 * c.burst);
      EXPECT_EQ(observed(measured, "completed"), 0);
      EXPECT_GE(observed(measured, word + "_after"), both);
      EXPECT_LT(observed(measured, word + "_after"), 2 * beyond);
    }
  }
}

// A FIFO both ways, whose second side is let into its first sends only when the first stands in its own.
class StaggeredFifo {
 public:
  static constexpr std::string_view name = "staggered_fifo";
  static constexpr Facts facts{
      .summary = "for a test", .receive_waits = {Wait::spin, Wait::yield}, .one_buffer_both_ways = true};

  class Peer {
   public:
    Peer(AnyEnd end, bool is_late) : end_(std::move(end)), is_late_(is_late) {}
    Io send(std::span<const std::byte> message) {
      if (std::exchange(is_late_, false)) std::this_thread::sleep_for(std::chrono::milliseconds(100));
      return end_.send(message);
    }
    Io receive(std::span<std::byte> message) { return end_.receive(message); }
    Io finish() { return end_.finish(); }
    void wait_to_send() { end_.wait_to_send(); }
    void wait_to_receive() { end_.wait_to_receive(); }

   private:
    AnyEnd end_;
    bool is_late_;
  };

  explicit StaggeredFifo(const Shape& shape)
      : link_(Registry::instance().find("fifo_rdwr")->make_link(shape)) {}
  Peer open_peer(unsigned side, Meeting& meeting) {
    return Peer(AnyEnd(link_->open_sender(side, meeting)), side == late_side);
  }
  static inline unsigned late_side = 0;  // set in the launch's parent

 private:
  std::unique_ptr<AnyLink> link_;
};
[[maybe_unused]] const bool registered_staggered = register_transport<StaggeredFifo>();

TEST(Cross, OverOneBufferASideThatFindsItsOwnMessagesFirstIsStuckToo) {
  Case c{.workload = "cross", .transport = "staggered_fifo", .receive_wait = Wait::yield};
  const std::uint64_t both =
      fits({.workload = "cross", .transport = "fifo_rdwr", .receive_wait = Wait::yield});
  c.burst = both - 1;
  for (const unsigned late : {0u, 1u}) {
    StaggeredFifo::late_side = late;
    const Measurement measured = measure_case(c, 3 * c.burst);
    EXPECT_EQ(observed(measured, "completed"), 0) << "late: " << late;
    EXPECT_GE(observed(measured, "deadlock_after"), both);
    EXPECT_EQ(measured.integrity.checked, 2 * c.burst);
  }
}

TEST(Cross, OverOneBufferHalfOfWhatFitsIsExpectedToGoThrough) {
  const WorkloadEntry& cross = *Registry::instance().find("fifo_rdwr")->find_workload("cross");
  const std::vector<Observation> through{{"completed", "ratio", 1}}, stuck{{"completed", "ratio", 0}};
  CapacityFacts holds;
  holds.fits_min = holds.fits_max = 100;
  holds.resume_after = 1;
  Case c = case_of({"fifo_rdwr", Wait::yield, "livelock"});
  c.burst = 50;
  EXPECT_EQ(cross.unexpected(c, holds, through), "");
  EXPECT_EQ(cross.unexpected(c, holds, stuck),
            "unexpected: a livelock of 50 messages a side, though 100 fit in both directions together");
  holds.resume_after = 11;  // up to 10 are held back
  EXPECT_EQ(cross.unexpected(c, holds, stuck), "");
  c.burst = 45;
  EXPECT_EQ(cross.unexpected(c, holds, stuck),
            "unexpected: a livelock of 45 messages a side, though 90 fit in both directions together");
  for (c.burst = 51; c.burst <= 100; c.burst += 49) {
    EXPECT_EQ(cross.unexpected(c, holds, through), "");
    EXPECT_EQ(cross.unexpected(c, holds, stuck), "");
  }
  c.burst = 101;
  EXPECT_EQ(cross.unexpected(c, holds, stuck), "");
  EXPECT_EQ(cross.unexpected(c, holds, through),
            "unexpected: 101 messages a side went through, though only 100 fit");
}

Case at_capacity_0(Case c) {
  c.capacity = Capacity::rendezvous();
  c.rendezvous = Registry::instance().find(c.transport)->traits.rendezvous;
  return c;
}

TEST(Cross, OfTwoRendezvousIsStuckAtTheFirstMessage) {
  for (const Expectation& expected : expectations) {
    const Case c = at_capacity_0(case_of(expected));
    SCOPED_TRACE(case_id(c));
    if (Registry::instance().find(c.transport)->traits.duplex) {
      EXPECT_THAT(why_not(c), testing::HasSubstr("acknowledgements"));
      continue;
    }
    const Measurement measured = measure_case(c, 3);
    EXPECT_EQ(observed(measured, "completed"), 0);
    EXPECT_EQ(observed(measured, std::string(expected.word) + "_after"), 0);
    EXPECT_EQ(measured.integrity.checked, 2u);
  }
}

TEST(Cross, WithoutABoundAlwaysGoesThrough) {
  Case c = case_of({"posix_shm", Wait::futex, "deadlock"});
  c.capacity = Capacity::unbounded();
  c.burst = 20'000;
  EXPECT_EQ(observed(measure_case(c, 3 * c.burst), "completed"), 1);
}

TEST(Cross, OfOneMessageGoesThroughOnEveryTransport) {
  for (const Case& plain : over_every_transport({.workload = "cross"})) {
    const Case c = with_a_wait(plain);
    const Measurement measured = measure_case(c, 100);
    EXPECT_EQ(observed(measured, "completed"), 1) << case_id(c);
    EXPECT_EQ(measured.messages, 200u) << case_id(c);
  }
}

TEST(Cross, APeerThatIsLateToReceiveIsNoDeadlock) {
  Case c{.workload = "cross", .transport = "late_pipe"};
  c.burst = fits({.workload = "cross", .transport = "pipe"});
  constexpr std::uint64_t rounds = 3;
  const Measurement measured = measure_case(c, rounds * c.burst);
  EXPECT_EQ(observed(measured, "completed"), 1);
  EXPECT_EQ(measured.messages, 2 * rounds * c.burst);
}

}  // namespace
}  // namespace ipcmark
