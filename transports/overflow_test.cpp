// What senders do when a link is full: over every transport, each message is received or was dropped.
#include <gtest/gtest.h>

#include <variant>

#include "harness/isolation.h"
#include "harness/placement.h"
#include "workloads/test_trial.h"

namespace ipcmark {
namespace {

class Overflows : public OverEveryTransport {
 protected:
  Case stream_that_overflows(Overflow overflow) const {
    const TransportTraits& traits = Registry::instance().find(GetParam())->traits;
    Case c;
    c.workload = "stream";
    c.transport = GetParam();
    c.placement = "unpinned";
    c.message_bytes = 64;
    c.capacity = Capacity::bounded(1);
    c.send_wait = traits.facts.send_waits.contains(Wait::yield) ? Wait::yield : Wait::spin;
    c.receive_wait = c.send_wait;
    c.overflow = overflow;
    return c;
  }
  // Empty when the workload takes the case.
  std::string unfit(const Case& c) const {
    const TransportEntry& entry = *Registry::instance().find(c.transport);
    return entry.find_workload(c.workload)->unfit(c, entry.traits);
  }
  TrialOutcome run(const Case& c, std::uint64_t messages) {
    return run_trial(c, {{}, {}}, {.fixed_messages = messages, .every_byte = true},
                     {topology_, isolation_, -1});
  }
  // That what was sent is what was received or dropped, or the reason why the case cannot be.
  void expect_account_of(const Case& c) {
    SCOPED_TRACE(case_id(c));
    if (!unfit(c).empty()) {
      EXPECT_NE(unfit(c).find(to_string(c.overflow)), std::string::npos) << unfit(c);
      return;
    }
    constexpr std::uint64_t messages = 20'000;
    const TrialOutcome outcome = run(c, messages);
    if (const auto* failure = std::get_if<LaunchFailure>(&outcome)) {
      EXPECT_EQ(failure->kind, LaunchFailure::Kind::unsupported) << failure->reason;
      return;
    }
    const auto& measurement = std::get<Measurement>(outcome);
    ASSERT_EQ(measurement.observations.size(), 2u);
    EXPECT_EQ(measurement.observations[0].name, "sent");
    EXPECT_EQ(measurement.observations[0].value, static_cast<double>(messages));
    EXPECT_EQ(measurement.observations[1].name, "dropped");
    const auto dropped = static_cast<std::uint64_t>(measurement.observations[1].value);
    EXPECT_EQ(measurement.messages + dropped, messages);
    EXPECT_EQ(measurement.integrity.checked + dropped, messages);
    // A sender that goes on at once meets a receiver that has not taken its few messages yet, in 20,000
    // tries, however the two are scheduled.
    if (c.overflow == Overflow::drop_old) {
      EXPECT_GT(dropped, 0u);
    }
    EXPECT_TRUE(measurement.integrity.clean());
    EXPECT_EQ(measurement.messages, measurement.roles[1].messages) << "per message received, not per try";
  }

  Topology topology_ = Topology::of_this_machine();
  Isolation isolation_ = probe_isolation(Limits::host);
};

TEST_P(Overflows, WhatIsNotReceivedWasDropped) {
  expect_account_of(stream_that_overflows(Overflow::drop_new));
  expect_account_of(stream_that_overflows(Overflow::drop_old));
}

TEST_P(Overflows, TheOldestIsDroppedInEveryWayOfWaitingAndAccess) {
  const TransportTraits& traits = Registry::instance().find(GetParam())->traits;
  Case c = stream_that_overflows(Overflow::drop_old);
  if (!unfit(c).empty()) GTEST_SKIP() << unfit(c);
  for (const Wait wait : all_waits()) {
    if (wait == Wait::block || !traits.facts.send_waits.contains(wait)) continue;
    c.send_wait = c.receive_wait = wait;
    c.capacity = Capacity::bounded(3);
    c.send_access = traits.loan_send ? Access::loan : Access::copy;
    c.receive_access = traits.loan_receive ? Access::loan : Access::copy;
    expect_account_of(c);
  }
}

TEST_P(Overflows, AFullLinkFailsTheCaseThatAsksForIt) {
  const Case c = stream_that_overflows(Overflow::fail);
  if (!unfit(c).empty()) GTEST_SKIP() << unfit(c);
  // More than any link holds beside a receiver that is never as fast as a sender that does not wait.
  const TrialOutcome outcome = run(c, 2'000'000);
  const auto* failure = std::get_if<LaunchFailure>(&outcome);
  ASSERT_NE(failure, nullptr);
  if (failure->kind == LaunchFailure::Kind::unsupported) GTEST_SKIP() << failure->reason;
  EXPECT_NE(failure->reason.find("overflow: no room for message"), std::string::npos) << failure->reason;
}

INSTANTIATE_TEST_SUITE_P(All, Overflows, testing::ValuesIn(OverEveryTransport::names()),
                         [](const auto& parameter) { return parameter.param; });

TEST(Overflow, DropsTheOldestWhereASenderCanTakeItBack) {
  const auto unfit = [](const char* transport) {
    const TransportEntry& entry = *Registry::instance().find(transport);
    Case c;
    c.workload = "stream";
    c.transport = transport;
    c.send_wait = c.receive_wait = Wait::spin;
    c.overflow = Overflow::drop_old;
    return entry.find_workload("stream")->unfit(c, entry.traits);
  };
  for (const char* able : {"posix_mq", "posix_shm", "sysv_mq", "sysv_shm"}) EXPECT_EQ(unfit(able), "");
  for (const char* unable : {"pipe", "unix_stream", "unix_dgram"}) {
    EXPECT_NE(unfit(unable).find("takes a message out again"), std::string::npos);
  }
}

TEST(Overflow, IsRefusedWhereItCouldNotShow) {
  const TransportEntry& pipe = *Registry::instance().find("pipe");
  Case c;
  c.workload = "stream";
  c.transport = "pipe";
  c.overflow = Overflow::drop_new;
  const auto unfit = [&] { return pipe.find_workload("stream")->unfit(c, pipe.traits); };
  c.send_wait = Wait::block;
  EXPECT_NE(unfit().find("sleeps when the link is full"), std::string::npos);
  c.send_wait = Wait::spin;
  EXPECT_EQ(unfit(), "");
  c.message_bytes = 5;
  EXPECT_NE(unfit().find("under 6 B"), std::string::npos);
  c.message_bytes = 64;
  c.capacity = Capacity::rendezvous();
  EXPECT_NE(unfit().find("rendezvous"), std::string::npos);
}

}  // namespace
}  // namespace ipcmark
