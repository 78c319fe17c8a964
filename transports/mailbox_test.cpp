// The mailbox workload over every registered transport: each message to exactly one receiver, whoever it is.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <ranges>
#include <vector>

#include "harness/descriptor.h"
#include "harness/test_work.h"
#include "workloads/fairness.h"
#include "workloads/test_trial.h"

namespace ipcmark {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

const Topology& topology() {
  static const Topology machine = Topology::of_this_machine();
  return machine;
}

class MailboxOver : public OverEveryTransport {
 protected:
  const WorkloadEntry& mailbox() const { return *transport().find_workload("mailbox"); }

  Case mailbox_case(unsigned senders, unsigned receivers, std::size_t bytes = 64) const {
    Case c;
    c.workload = "mailbox";
    c.transport = GetParam();
    c.senders = senders;
    c.receivers = receivers;
    c.message_bytes = bytes;
    sleep_with(c, {Wait::block, Wait::futex, Wait::yield});
    return c;
  }
  // The first of these that both sides have: what receivers say to senders comes back by a link like it.
  void sleep_with(Case& c, std::initializer_list<Wait> waits) const {
    for (const Wait wait : std::vector<Wait>(waits.begin(), waits.end()) | std::views::reverse) {
      if (facts().send_waits.contains(wait) && facts().receive_waits.contains(wait))
        c.send_wait = c.receive_wait = wait;
    }
  }
  bool shared_by(unsigned senders, unsigned receivers) const {
    return senders <= facts().most_senders && receivers <= facts().most_receivers;
  }

  static TrialOutcome outcome(const Case& c, const TrialOptions& options) {
    const std::vector<std::vector<int>> unpinned(c.senders + c.receivers);
    return run_trial(c, unpinned, options, {topology(), test_isolation()});
  }
  static TrialOptions verified(std::uint64_t messages) {
    TrialOptions options;
    options.fixed_messages = messages;
    options.every_byte = true;
    return options;
  }
  static TrialOptions timed() {
    TrialOptions options;
    options.timed_ns = 3'000'000;
    options.warm_up_ns = 500'000;
    return options;
  }
  static std::string reason_of(const TrialOutcome& outcome) {
    const auto* failure = std::get_if<LaunchFailure>(&outcome);
    return failure == nullptr ? "" : failure->reason;
  }

  static double observed(const Measurement& measurement, std::string_view name) {
    for (const Observation& each : measurement.observations) {
      if (each.name == name) return each.value;
    }
    ADD_FAILURE() << "no " << name;
    return 0;
  }

  void expect_all_told(const Case& c, const TrialOutcome& outcome) const {
    ASSERT_EQ(reason_of(outcome), "");
    const auto& measurement = std::get<Measurement>(outcome);
    EXPECT_TRUE(measurement.integrity.clean());
    EXPECT_EQ(measurement.integrity.checked, measurement.messages + measurement.warm_up_messages);
    EXPECT_GT(measurement.span_ns, 0u);
    ASSERT_EQ(measurement.roles.size(), c.senders + c.receivers);
    std::vector<double> shares;
    std::uint64_t sent = 0, received = 0;
    double share = 0;
    for (unsigned role = 0; role < c.senders + c.receivers; ++role) {
      const RoleReport& report = measurement.roles[role];
      if (role < c.senders) {
        EXPECT_EQ(report.role, fmt::format("sender {}", role));
        EXPECT_NEAR(static_cast<double>(report.messages),
                    static_cast<double>(measurement.messages) / c.senders, 1);
        sent += report.messages;
      } else {
        EXPECT_EQ(report.role, fmt::format("receiver {}", role));
        shares.push_back(static_cast<double>(report.messages));
        received += report.messages;
        share += observed(measurement, fmt::format("receiver_{}_share", role));
      }
    }
    EXPECT_EQ(sent, measurement.messages);
    EXPECT_EQ(received, measurement.messages);
    EXPECT_NEAR(share, 1, 1e-9);
    EXPECT_DOUBLE_EQ(observed(measurement, "jain_index"), jain_index(shares));
  }
};

#define SKIP_UNLESS_ALL_ARRIVES() \
  if (!facts().carries || facts().lossy) GTEST_SKIP() << GetParam() << " does not deliver all"

TEST_P(MailboxOver, GivesEveryMessageToExactlyOneReceiver) {
  SKIP_UNLESS_ALL_ARRIVES();
  const std::size_t largest = facts().largest_shared_message.value_or(
      std::min<std::uint64_t>(5'000, facts().largest_message.value_or(5'000)));
  for (const unsigned senders : {1, 2, 4}) {
    for (const unsigned receivers : {1, 2, 4}) {
      if (!shared_by(senders, receivers)) continue;
      for (const std::size_t bytes : {std::size_t{1}, std::size_t{64}, largest}) {
        for (const bool sleeps : {true, false}) {
          SCOPED_TRACE(fmt::format("{} x {} of {} B, {}", senders, receivers, bytes,
                                   sleeps ? "sleeping" : "yielding"));
          Case c = mailbox_case(senders, receivers, bytes);
          if (!sleeps) sleep_with(c, {Wait::yield, Wait::spin});
          const TrialOutcome result = outcome(c, verified(500));
          expect_all_told(c, result);
          if (HasFailure()) return;
          EXPECT_EQ(std::get<Measurement>(result).messages, 500u);
          EXPECT_TRUE(std::get<Measurement>(result).integrity.every_byte);
        }
      }
    }
  }
}

TEST_P(MailboxOver, IsMeasuredAfterAWarmUpThatNobodyCounts) {
  SKIP_UNLESS_ALL_ARRIVES();
  for (const auto& [senders, receivers] : {std::pair{1u, 1u}, {1u, 3u}, {3u, 1u}, {3u, 3u}}) {
    if (!shared_by(senders, receivers)) continue;
    for (const bool sleeps : {true, false}) {
      SCOPED_TRACE(fmt::format("{} x {}, {}", senders, receivers, sleeps ? "sleeping" : "yielding"));
      Case c = mailbox_case(senders, receivers);
      if (!sleeps) sleep_with(c, {Wait::yield, Wait::spin});
      const TrialOutcome result = outcome(c, timed());
      expect_all_told(c, result);
      if (HasFailure()) return;
      EXPECT_GT(std::get<Measurement>(result).warm_up_messages, 0u);
    }
  }
}

// Whoever sleeps is woken for a message that is his, and for the end. (More spin than there are processors.)
TEST_P(MailboxOver, MayWaitInEveryWay) {
  SKIP_UNLESS_ALL_ARRIVES();
  const unsigned senders = std::min(3u, facts().most_senders);
  const unsigned receivers = std::min(3u, facts().most_receivers);
  for (const Wait wait : all_waits()) {
    if (wait == Wait::spin || !facts().send_waits.contains(wait) || !facts().receive_waits.contains(wait)) {
      continue;
    }
    for (const Capacity capacity : {Capacity{}, Capacity::bounded(1)}) {
      SCOPED_TRACE(fmt::format("{}, capacity {}", to_string(wait), to_string(capacity)));
      Case c = mailbox_case(senders, receivers);
      c.send_wait = c.receive_wait = wait;
      c.capacity = capacity;
      const TrialOutcome result = outcome(c, verified(1'000));
      const auto* failure = std::get_if<LaunchFailure>(&result);
      if (failure != nullptr && failure->kind == LaunchFailure::Kind::unsupported && capacity != Capacity{}) {
        continue;  // capacities have tests of their own
      }
      expect_all_told(c, result);
      if (HasFailure()) return;
    }
  }
}

TEST_P(MailboxOver, IsRefusedWithAReasonWhereItCannotBeShared) {
  SKIP_UNLESS_ALL_ARRIVES();
  const auto why_not = [&](unsigned senders, unsigned receivers, std::size_t bytes) {
    return reason_of(outcome(mailbox_case(senders, receivers, bytes), verified(10)));
  };
  if (facts().most_senders == 1) {
    EXPECT_THAT(why_not(2, 1, 64), StartsWith(GetParam() + ": a link's sending processes are at most 1"));
  }
  if (facts().most_receivers == 1) {
    EXPECT_THAT(why_not(1, 2, 64), StartsWith(GetParam() + ": a link's receiving processes are at most 1"));
  }
  if (facts().largest_shared_message) {
    EXPECT_THAT(why_not(2, 1, *facts().largest_shared_message + 1),
                StartsWith(GetParam() + ": several senders or receivers would tear messages of more than"));
  }
}

// ---- delivery ----

// The senders' sums are compared with the receivers' by the workload itself, which fails if they differ.
TEST_P(MailboxOver, TellsEachSenderWhoGotItsMessages) {
  SKIP_UNLESS_ALL_ARRIVES();
  for (const unsigned senders : {1, 2, 3}) {
    for (const unsigned receivers : {1, 3}) {
      if (!shared_by(senders, receivers)) continue;
      for (const bool sleeps : {true, false}) {
        SCOPED_TRACE(fmt::format("{} x {}, {}", senders, receivers, sleeps ? "sleeping" : "yielding"));
        Case c = mailbox_case(senders, receivers);
        c.delivery = Delivery::notify;
        if (!sleeps) sleep_with(c, {Wait::yield, Wait::spin});
        expect_all_told(c, outcome(c, verified(200)));
        if (HasFailure()) return;
      }
    }
  }
}

// A launch with one process more, which opens the link as a receiver too, once the first one has.
class WithAThird final : public Work {
 public:
  WithAThird(std::unique_ptr<Work> work, unsigned third) : work_(std::move(work)), third_(third) {}

  unsigned links() const override { return work_->links(); }
  unsigned senders_of(unsigned link) const override { return work_->senders_of(link); }
  void build(const std::string& directory) override { work_->build(directory); }
  void open(Role& role) override {
    const auto& receiver = role.launch().roles[third_ - 1].state;
    while (role.index() == third_ && receiver.load() == RoleState::forked) sched_yield();
    work_->open(role);
  }
  void drop() override { work_->drop(); }
  void run(Role& role) override { work_->run(role); }
  void end() override { work_->end(); }

 private:
  std::unique_ptr<Work> work_;
  unsigned third_;
};

TEST_P(MailboxOver, DeliveredExclusivelyRefusesAThirdProcessAsReceiver) {
  SKIP_UNLESS_ALL_ARRIVES();
  Case c = mailbox_case(1, 1);
  c.delivery = Delivery::exclusive;
  expect_all_told(c, outcome(c, verified(200)));

  Shape shape;
  shape.transport = c.transport;
  shape.send_wait = c.send_wait;
  shape.receive_wait = c.receive_wait;
  LaunchSpec spec{.roles = {{"sender 0", {}}, {"receiver 1", {}}, {"third 2", {}}},
                  .isolation = test_isolation()};
  WithAThird work(mailbox().make(c, shape, verified(200)), 2);
  EXPECT_EQ(outcome_of(spec, work),
            fmt::format("failed: third 2: {}: delivery is exclusive, and the link has its receiver (after 0 "
                        "messages)",
                        GetParam()));
}

// What the refusal of the harness stands in for elsewhere.
TEST(ExclusiveDelivery, IsTheKernelsOwnWhereAReceiverIsNamed) {
  for (const std::string_view name : {"unix_dgram", "unix_stream", "unix_seqpacket"}) {
    SCOPED_TRACE(name);
    const TransportEntry& transport = *Registry::instance().find(name);
    TestWork work;
    std::unique_ptr<AnyLink> link;
    work.on_build = [&](const std::string& directory) {
      Shape shape;
      shape.directory = directory;
      link = transport.make_link(shape);
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      const std::string path = link->address();
      require(path.size() < sizeof address.sun_path, "a path too long");
      path.copy(address.sun_path, path.size());
      const int type = name == "unix_dgram"    ? SOCK_DGRAM
                       : name == "unix_stream" ? SOCK_STREAM
                                               : SOCK_SEQPACKET;
      const Descriptor another(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
      require(bind(another.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
                  errno == EADDRINUSE,
              "another receiver could take the name");
    };
    work.on_end = [&] { link.reset(); };
    EXPECT_EQ(outcome_of(test_spec(1), work), "");
  }
}

TEST_P(MailboxOver, SaysWhyAMailboxCannotBe) {
  const auto why_not = [&](const Case& c) { return mailbox().unfit(c, transport().traits); };
  if (!facts().carries || facts().lossy) {
    EXPECT_EQ(why_not(mailbox_case(1, 1)), GetParam() + ": a mailbox needs messages that all arrive");
    return;
  }
  EXPECT_EQ(why_not(mailbox_case(8, 8)), "");
  EXPECT_THAT(why_not(mailbox_case(20, 8)), HasSubstr("more than the 24 processes of a launch"));
  Case c = mailbox_case(1, 2);
  c.delivery = Delivery::exclusive;
  EXPECT_EQ(why_not(c), "exclusive delivery is to one receiver, not to 2");
  c = mailbox_case(2, 2, 6);
  c.delivery = Delivery::notify;
  EXPECT_EQ(why_not(c), "a message of 6 B does not say which of 2 senders to notify; it takes 7 B");
  c = mailbox_case(2, 2);
  c.capacity = Capacity::rendezvous();
  EXPECT_EQ(why_not(c), "mailbox has no capacity:0");
}

INSTANTIATE_TEST_SUITE_P(All, MailboxOver, testing::ValuesIn(OverEveryTransport::names()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace ipcmark
