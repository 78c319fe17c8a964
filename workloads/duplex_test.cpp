#include "workloads/duplex.h"

#include <gtest/gtest.h>

#include <utility>

#include "workloads/test_trial.h"

namespace ipcmark {
namespace {

constexpr std::uint64_t each_way = 300;

TEST(Duplex, BothSidesSendAndReceiveEveryMessageByEveryWait) {
  for (const Case& plain : over_every_transport({.workload = "duplex"})) {
    for (const Case& c : with_every_wait(plain)) {
      SCOPED_TRACE(case_id(c));
      const Measurement measured = measure_case(c, each_way);
      EXPECT_EQ(measured.messages, 2 * each_way);
      EXPECT_EQ(measured.integrity.checked, 2 * each_way);
      ASSERT_EQ(measured.roles.size(), 2u);
      EXPECT_EQ(measured.roles[0].messages, each_way);
      EXPECT_EQ(measured.roles[1].messages, each_way);
      EXPECT_GT(observed(measured, "share_from_0_to_1"), 0);
      EXPECT_LT(observed(measured, "share_from_0_to_1"), 1);
    }
  }
}

// Whoever slept in a send while its peer did too would sleep for ever.
TEST(Duplex, GoesOnWithBothLinksFull) {
  for (const Case& plain : over_every_transport({.workload = "duplex", .capacity = Capacity::bounded(1)})) {
    bool is_first = true;
    for (Case c : with_every_wait(plain)) {
      if (c.send_wait == Wait::spin || !why_not(c).empty()) continue;
      measure_case(c, each_way / 3);
      c.message_bytes = 100'000;
      if (std::exchange(is_first, false) && why_not(c).empty()) measure_case(c, each_way / 10);
    }
  }
}

TEST(Duplex, EachSideMayWaitInItsOwnWay) {
  for (const auto& [send, receive] : {std::pair{Wait::block, Wait::poll}, {Wait::poll, Wait::block}}) {
    for (const char* transport : {"pipe", "unix_stream"}) {
      measure_case({.workload = "duplex", .transport = transport, .send_wait = send, .receive_wait = receive},
                   each_way);
    }
  }
}

}  // namespace
}  // namespace ipcmark
