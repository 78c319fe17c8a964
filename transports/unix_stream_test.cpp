// What only Unix sockets promise.

#include <gtest/gtest.h>

#include "workloads/test_trial.h"

namespace ipcmark {
namespace {

// Linux, net/unix/af_unix.c, unix_writable(): who sleeps is woken once no more than a quarter of the send
// buffer is taken; who tries gets in as soon as there is any room.
TEST(UnixSockets, WakeASleepingSenderOnceThreeQuartersAreDrainedAndLetAnotherTryInAtOnce) {
  for (const char* transport : {"unix_stream", "socketpair", "unix_seqpacket"}) {
    for (const Case& c : with_every_wait({.workload = "stream", .transport = transport})) {
      SCOPED_TRACE(case_id(c));
      const CapacityFacts found = probe_capacity(c, test_context());
      ASSERT_TRUE(found.fits_min && found.resume_after) << found.note;
      if (may_sleep(c.send_wait)) {
        EXPECT_NEAR(static_cast<double>(*found.resume_after), 0.75 * static_cast<double>(*found.fits_min),
                    2.0);
      } else {
        EXPECT_EQ(*found.resume_after, 1u);
      }
    }
  }
}

}  // namespace
}  // namespace ipcmark
