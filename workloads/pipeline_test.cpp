#include "workloads/pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "workloads/affine.h"
#include "workloads/test_trial.h"

namespace ipcmark {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::optional<LaunchFailure> failed_launch_of(const Case& c, std::uint64_t messages) {
  const WorkloadEntry& workload = *Registry::instance().find(c.transport)->find_workload(c.workload);
  const std::vector<std::vector<int>> unpinned(workload.roles(c).size());
  const TrialOutcome outcome = run_trial(c, unpinned, {.fixed_messages = messages}, test_context());
  const auto* const failure = std::get_if<LaunchFailure>(&outcome);
  return failure == nullptr ? std::nullopt : std::optional(*failure);
}
std::string failure_of(const Case& c, std::uint64_t messages) {
  const std::optional<LaunchFailure> failure = failed_launch_of(c, messages);
  return failure ? failure->reason : "";
}

TEST(Pipeline, EveryFilterDoesItsPartOverEveryTransport) {
  for (const Case& plain : over_every_transport({.workload = "pipeline"})) {
    for (const std::uint64_t stages : {0u, 1u, 8u}) {
      for (const std::uint64_t bytes : {1u, 67u}) {
        Case c = with_a_wait(plain);
        c.stages = stages;
        c.message_bytes = bytes;
        SCOPED_TRACE(case_id(c));
        const Measurement measured = measure_case(c, 200);
        EXPECT_EQ(measured.messages, 200u);
        EXPECT_EQ(measured.integrity.checked, 200u);
        ASSERT_EQ(measured.roles.size(), std::max<std::uint64_t>(stages, 1) + 2);
        EXPECT_GT(observed(measured, "serial_ns_per_message"), 0);
        EXPECT_GT(observed(measured, "speedup"), 0);
      }
    }
  }
}

TEST(Pipeline, ByLoanEveryFilterReadsAndWritesInPlace) {
  const Case c{.workload = "pipeline",
               .transport = "posix_shm",
               .send_wait = Wait::yield,
               .receive_wait = Wait::yield,
               .send_access = Access::loan,
               .receive_access = Access::loan,
               .work = 1,
               .stages = 3};
  EXPECT_EQ(measure_case(c, 500).integrity.checked, 500u);
}

TEST(Pipeline, EachHopGoesOverTheTransportWhoseTurnItIs) {
  Case c{.workload = "pipeline",
         .transport = "pipe",
         .send_wait = Wait::yield,
         .receive_wait = Wait::yield,
         .stages = 4,
         .hops = "pipe+tcp+posix_shm"};
  std::vector<std::string> names;
  for (const Case& link : Pipeline::links_of(c)) names.push_back(link.transport);
  EXPECT_EQ(names, (std::vector<std::string>{"pipe", "tcp", "posix_shm", "pipe", "tcp"}));
  EXPECT_EQ(why_not(c), "");
  EXPECT_EQ(measure_case(c, 300).integrity.checked, 300u);
}

TEST(Pipeline, SaysWhyNot) {
  const Case c{.workload = "pipeline", .transport = "pipe"};
  const auto with = [&](auto change) {
    Case changed = c;
    change(changed);
    return why_not(changed);
  };
  EXPECT_EQ(with([](Case&) {}), "");
  EXPECT_EQ(
      with([](Case& x) { x.hops = "tcp+pipe"; }),
      "the hops tcp+pipe begin over tcp, and pipe was asked for: leave the transport open, or ask for tcp");
  EXPECT_EQ(with([](Case& x) { x.transport = "udp", x.hops = "pipe+posix_mq"; }).substr(0, 48),
            "the hops pipe+posix_mq begin over pipe, and udp ");
  EXPECT_EQ(with([](Case& x) { x.hops = "pipe+tcp+posix_mq"; }),
            "pipe+tcp+posix_mq names 3 hops, and there are 2: one more than filters");
  EXPECT_THAT(with([](Case& x) { x.hops = "pipe+udp"; }), HasSubstr("must lose nothing, and udp may"));
  EXPECT_EQ(with([](Case& x) { x.stages = 9; }), "a pipeline has at most 8 filters");
  EXPECT_THAT(with([](Case& x) { x.hops = "pipe+null"; }), HasSubstr("null carries nothing"));
  EXPECT_THAT(with([](Case& x) { x.filter = "cat", x.hops = "pipe+tcp"; }), HasSubstr("which tcp is not"));
  EXPECT_THAT(with([](Case& x) { x.filter = "cat", x.send_wait = Wait::poll; }), HasSubstr("waits by block"));
  EXPECT_EQ(with([](Case& x) { x.filter = "cat", x.work = 1; }), "a command does its own work");
}

TEST(Pipeline, ACommandIsAFilter) {
  for (const char* const transport : {"pipe", "fifo"}) {
    for (const char* const command :
         {"cat", "stdbuf -o0 tr '\\000-\\377' '\\001-\\377\\000'", "stdbuf -o0 tr a-y z"}) {
      for (const std::uint64_t bytes : {1u, 64u, 67u}) {
        const Case c{.workload = "pipeline",
                     .transport = transport,
                     .message_bytes = bytes,
                     .stages = 2,
                     .filter = command};
        SCOPED_TRACE(case_id(c));
        EXPECT_EQ(measure_case(c, 500).integrity.checked, 500u);
        EXPECT_EQ(failure_of(c, 500), "");
      }
    }
  }
}

TEST(Pipeline, ACommandThatIsNoFilterFailsTheLaunchWithTheReason) {
  Case c{.workload = "pipeline", .transport = "pipe"};
  const auto reason = [&](const char* command) {
    c.filter = command;
    const std::optional<LaunchFailure> failure = failed_launch_of(c, 10);
    EXPECT_TRUE(failure && failure->kind == LaunchFailure::Kind::failed) << command;
    return failure ? failure->reason : "";
  };
  EXPECT_THAT(reason("tr a b"), HasSubstr("passed on 0 of 256 bytes while its input was open; a command"));
  EXPECT_THAT(reason("true"), HasSubstr("ended after passing on 0 of 256 bytes"));
  EXPECT_THAT(reason("no-such-program | true"),
              testing::AnyOf(HasSubstr("not found"), HasSubstr("Permission denied")));
  EXPECT_THAT(reason("head -c 100"), HasSubstr("ended after passing on 100 of 256 bytes"));
}

TEST(Pipeline, ACommandThatCannotBeExecutedFailsTheLaunchAndSaysNothingBesides) {
  const Case c{.workload = "pipeline", .transport = "pipe", .filter = "no-such-program"};
  testing::internal::CaptureStderr();
  const std::optional<LaunchFailure> failure = failed_launch_of(c, 10);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  ASSERT_TRUE(failure.has_value());
  EXPECT_EQ(failure->kind, LaunchFailure::Kind::failed);
  // Where a folder of PATH may not be searched, a shell says that instead.
  EXPECT_THAT(failure->reason, StartsWith("the filter 'no-such-program' cannot be executed: "));
  EXPECT_THAT(failure->reason, testing::AnyOf(HasSubstr("not found"), HasSubstr("Permission denied")));
}

TrialOutcome timed(const Case& c) {
  constexpr std::uint64_t timed_ns = 5'000'000;
  const std::vector<std::vector<int>> unpinned(Pipeline::roles(c).size());
  return run_trial(c, unpinned, {.timed_ns = timed_ns}, test_context());
}

TEST(Pipeline, BesideCommandsStandTheSameCommandsOneAfterAnother) {
  for (const std::uint64_t bytes : {64u, 67u, 1u << 20}) {
    const Case c{.workload = "pipeline",
                 .transport = "pipe",
                 .message_bytes = bytes,
                 .stages = 2,
                 .filter = "stdbuf -o0 tr a-y z"};
    const TrialOutcome outcome = timed(c);
    ASSERT_TRUE(std::holds_alternative<Measurement>(outcome)) << std::get<LaunchFailure>(outcome).reason;
    EXPECT_GT(observed(std::get<Measurement>(outcome), "serial_ns_per_message"), 0);
    EXPECT_GT(observed(std::get<Measurement>(outcome), "speedup"), 0);
  }
}

TEST(Pipeline, ACommandThatMakesLessOfAFileFailsTheLaunch) {
  const Case c{.workload = "pipeline",
               .transport = "pipe",
               .filter = "sh -c 'if [ -p /dev/stdin ]; then exec cat; else exec head -c 1; fi'"};
  const TrialOutcome outcome = timed(c);
  ASSERT_TRUE(std::holds_alternative<LaunchFailure>(outcome));
  EXPECT_THAT(std::get<LaunchFailure>(outcome).reason, HasSubstr("bytes in a file the filter made 1"));
}

// One that gives back its first bytes only as it should, and later ones otherwise.
TEST(Pipeline, WhatACommandMakesOfLaterMessagesIsSeen) {
  const Case c{.workload = "pipeline",
               .transport = "pipe",
               .filter = "sh -c 'stdbuf -o0 head -c 256; exec stdbuf -o0 tr \"\\000\" x'"};
  EXPECT_THAT(failure_of(c, 100), HasSubstr("corrupted"));
}

}  // namespace
}  // namespace ipcmark
