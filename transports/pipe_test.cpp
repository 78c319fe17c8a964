// What pipes and FIFOs alone promise.

#include <gtest/gtest.h>
#include <unistd.h>

#include "workloads/test_trial.h"

namespace ipcmark {
namespace {

// pipe(7): a write of up to PIPE_BUF is whole, and begins in the last page only if it fits there.
TEST(Pipes, HoldInEachPageAsManyWholeMessagesAsFitIntoIt) {
  const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  for (const char* transport : {"pipe", "fifo"}) {
    for (const std::uint64_t bytes : {1, 2, 64, 100, 1'000, 2'048, 2'049, 4'096}) {
      for (const Capacity& capacity : {Capacity{}, Capacity::bounded(16), Capacity::bounded(1'000)}) {
        Case c;
        c.workload = "stream";
        c.transport = transport;
        c.message_bytes = bytes;
        c.capacity = capacity;
        const CapacityFacts found = probe_capacity(c, test_context());
        if (!found.limit) {  // what an ordinary user's pipes may hold is bounded (fs.pipe-user-pages-soft)
          EXPECT_NE(found.note, "");
          continue;
        }
        const std::uint64_t expected = found.limit->value / page * (page / bytes);
        EXPECT_EQ(found.fits_min.value_or(0), expected) << transport << ", " << bytes << " B";
        EXPECT_EQ(found.fits_max.value_or(0), expected) << transport << ", " << bytes << " B";
        EXPECT_FALSE(found.fits_is_lower_bound) << transport << ", " << bytes << " B";
      }
    }
  }
}

}  // namespace
}  // namespace ipcmark
