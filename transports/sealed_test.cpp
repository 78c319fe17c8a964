// What the overlay does over the transports that it does not list.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "workloads/test_trial.h"

namespace ipcmark {
namespace {

bool is_for_a_test(const TransportEntry& entry) {
  return entry.traits.facts.summary.starts_with("for a test");
}

class Sealed : public testing::Test {
 protected:
  void SetUp() override {
    if (Registry::instance().find("sealed_pipe") == nullptr) GTEST_SKIP() << "not built";
  }
};

TEST_F(Sealed, IsHadOverEveryTransportThatCopiesAndIsNotSealedItself) {
  for (const TransportEntry& entry : Registry::instance().transports()) {
    const TransportTraits& traits = entry.traits;
    const TransportEntry* const sealed = Registry::instance().find("sealed_" + traits.name);
    ASSERT_EQ(sealed != nullptr,
              traits.facts.carries && !traits.facts.sealed && traits.copy_send && traits.copy_receive)
        << traits.name;
    if (sealed == nullptr) continue;
    EXPECT_TRUE(sealed->traits.facts.sealed);
    EXPECT_EQ(sealed->beneath, traits.name);
    EXPECT_EQ(sealed->traits.duplex, traits.duplex);
  }
}

TEST_F(Sealed, MovesEveryMessageOfEveryWorkloadOverEveryTransport) {
  for (const TransportEntry& entry : Registry::instance().named_only()) {
    if (entry.beneath.empty() || is_for_a_test(entry) || !why_not_here(entry).empty()) continue;
    for (const WorkloadEntry& workload : entry.workloads) {
      for (Case c :
           with_every_wait({.workload = std::string(workload.name), .transport = entry.traits.name})) {
        if (!why_not(c).empty()) continue;
        measure_case(c, 20);
        break;
      }
    }
  }
}

TEST_F(Sealed, AnswersWithRepliesOfAnotherSizeThanTheRequests) {
  for (const char* transport :
       {"sealed_unix_stream", "sealed_unix_seqpacket", "sealed_fd_passing", "sealed_posix_mq"}) {
    for (const std::uint64_t reply_bytes : {3u, 65u, 4'096u}) {
      Case c = with_a_wait({.workload = "client_server", .transport = transport});
      c.reply_bytes = reply_bytes;
      ASSERT_EQ(why_not(c), "") << case_id(c);
      measure_case(c, 50);
    }
  }
}

TEST_F(Sealed, MovesMessagesOfEverySizeByEveryCapacity) {
  for (const char* transport : {"sealed_posix_shm", "sealed_unix_stream", "sealed_sysv_mq"}) {
    for (const Capacity& capacity :
         {Capacity{}, Capacity::rendezvous(), Capacity::bounded(2), Capacity::unbounded()}) {
      for (const std::uint64_t bytes : {1u, 9u, 1'000u, 8'000u}) {
        Case c = with_a_wait({.workload = "stream", .transport = transport});
        c.capacity = capacity;
        c.message_bytes = bytes;
        if (why_not(c).empty()) measure_case(c, 50);
      }
    }
  }
}

}  // namespace
}  // namespace ipcmark
