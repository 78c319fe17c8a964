#include "workloads/broadcast.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "workloads/test_trial.h"

namespace ipcmark {
namespace {

using testing::HasSubstr;

TEST(Broadcast, EveryReceiverGetsEveryMessage) {
  for (const Case& plain : over_every_transport({.workload = "broadcast"})) {
    for (const unsigned receivers : {1u, 4u}) {
      for (const Case& waiting : with_every_wait(plain)) {
        if (waiting.send_wait == Wait::spin) continue;  // slow where processors are few
        Case c = waiting;
        c.receivers = receivers;
        SCOPED_TRACE(case_id(c));
        const Measurement measured = measure_case(c, 200);
        EXPECT_EQ(measured.messages, 200u);
        EXPECT_EQ(measured.integrity.checked, 200u * receivers);
        EXPECT_EQ(measured.bytes, 200u * receivers * c.message_bytes);
      }
    }
  }
}

TEST(Broadcast, IsOneMessageOnlyInARegionOfSharedMemory) {
  for (const Case& plain : over_every_transport({.workload = "broadcast", .receivers = 3})) {
    const Case c = with_a_wait(plain);
    const bool shared = Registry::instance().find(c.transport)->region != nullptr;
    EXPECT_EQ(observed(measure_case(c, 50), "copies"), shared ? 1 : 3) << c.transport;
  }
}

TEST(Broadcast, WaitsForTheSlowestInARingOfOneAndByLoan) {
  for (const Access access : {Access::copy, Access::loan}) {
    const Case c{.workload = "broadcast",
                 .transport = "sysv_shm",
                 .message_bytes = 67,
                 .capacity = Capacity::bounded(1),
                 .send_wait = Wait::futex,
                 .receive_wait = Wait::futex,
                 .send_access = access,
                 .receive_access = access,
                 .receivers = 3};
    EXPECT_EQ(measure_case(c, 200).integrity.checked, 600u);
  }
}

TEST(Broadcast, SaysWhyNot) {
  EXPECT_THAT(why_not({.workload = "broadcast", .transport = "null"}), HasSubstr("carries nothing"));
  EXPECT_THAT(why_not({.workload = "broadcast", .transport = "pipe", .receivers = 24}),
              HasSubstr("at most 23"));
}

}  // namespace
}  // namespace ipcmark
