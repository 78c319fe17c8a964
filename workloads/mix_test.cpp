#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/size_mix.h"
#include "workloads/test_trial.h"

namespace ipcmark {
namespace {

using testing::HasSubstr;

Case mixed(std::string_view workload, std::string_view transport = "pipe") {
  Case c;
  c.workload = workload;
  c.transport = transport;
  c.mix = "64:9+4Ki:1";
  c.message_bytes = 4096;
  return c;
}

TEST(AMix, IsWorthTheBytesThatWereSent) {
  constexpr std::uint64_t messages = 100;
  const MessageSizes sizes("64:9+4Ki:1", 0);
  for (const Case& plain : over_every_transport(mixed("stream"))) {
    Case c = with_a_wait(plain);
    SCOPED_TRACE(case_id(c));
    EXPECT_EQ(measure_case(c, messages).bytes, sizes.bytes(0, messages));
    c.workload = "ping_pong";  // of which one round trip goes before
    EXPECT_EQ(measure_case(c, messages).bytes, 2 * sizes.bytes(1, 1 + messages));
    c.workload = "duplex";
    const Measurement both = measure_case(c, messages);
    EXPECT_EQ(both.messages, 2 * messages);
    EXPECT_EQ(both.bytes, 2 * sizes.bytes(0, messages));
    c.workload = "burst";
    c.burst = 5;
    EXPECT_EQ(measure_case(c, messages).bytes, sizes.bytes(0, messages));
  }
  EXPECT_LT(sizes.bytes(0, messages), messages * 4096 / 4);
}

TEST(AMix, OfASingleSizeIsWorthWhatThatSizeIs) {
  Case c = mixed("stream");
  c.mix = "64:1";
  c.message_bytes = 64;
  EXPECT_EQ(measure_case(c, 100).bytes, 6'400u);
}

TEST(AMix, IsRefusedByWorkloadsAndTransportsOfOneSize) {
  for (const char* workload :
       {"mailbox", "pairs", "client_server", "broadcast", "cross", "pipeline", "setup", "state"}) {
    EXPECT_EQ(why_not(mixed(workload)), std::string(workload) + " has no mix:64:9+4Ki:1");
  }
  EXPECT_EQ(why_not(mixed("stream", "null")), "null: a link's messages are of one size");
  Case dropping = mixed("stream");
  dropping.send_wait = dropping.receive_wait = Wait::yield;
  dropping.overflow = Overflow::drop_new;
  EXPECT_THAT(why_not(dropping), HasSubstr("a mix of sizes waits for room"));
}

TEST(AMix, IsSaidToFitAsOftenAsItsLargestMessageDoes) {
  const auto fits = [](Case c) {
    c.send_wait = c.receive_wait = Wait::spin;
    const CapacityFacts facts = probe_capacity(c, test_context());
    EXPECT_TRUE(facts.fits_min && facts.fits_max) << facts.note;
    EXPECT_EQ(facts.fits_min, facts.fits_max);
    return facts.fits_max.value_or(0);
  };
  for (const char* transport : {"posix_shm", "posix_mq"}) {
    Case c = mixed("stream", transport);
    c.capacity = Capacity::bounded(4);
    EXPECT_EQ(fits(c), 4u) << transport;
  }
  // In a pipe, with the size that goes before it.
  Case framed = mixed("stream", "pipe");
  framed.mix = "none";
  framed.message_bytes += 4;
  EXPECT_EQ(fits(mixed("stream", "pipe")), fits(framed));
}

}  // namespace
}  // namespace ipcmark
