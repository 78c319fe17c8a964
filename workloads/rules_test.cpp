// Rules of measurement that a workload could break and still give figures (CONTRIBUTING.md lists the tests of
// all rules).

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <string_view>

#include "harness/fail.h"
#include "harness/pipe_ends.h"
#include "workloads/test_trial.h"

namespace ipcmark {
namespace {

constexpr std::uint64_t messages = 16, delay_us = 2'000;

struct BeforeEverySend {
  static constexpr std::string_view name = "sends_late";
  static constexpr bool sends = true;
};
struct BeforeEveryReceive {
  static constexpr std::string_view name = "receives_late";
  static constexpr bool sends = false;
};

class LateSender : public PipeSender {
 public:
  using PipeSender::PipeSender;
  Io send(std::span<const std::byte> message) {
    ::usleep(delay_us);
    return PipeSender::send(message);
  }
};
class LateReceiver : public PipeReceiver {
 public:
  using PipeReceiver::PipeReceiver;
  Io receive(std::span<std::byte> message) {
    ::usleep(delay_us);
    return PipeReceiver::receive(message);
  }
};

// A pipe with room for all messages, one side of which takes its time for each.
template <class When>
class LatePipe {
 public:
  static constexpr std::string_view name = When::name;
  static constexpr Facts facts{.summary = "for a test", .unit = Facts::Unit::bytes};
  explicit LatePipe(const Shape&) {
    std::array<int, 2> ends;
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail("pipe2");
    read_end_.reset(ends[0]);
    write_end_.reset(ends[1]);
  }
  auto open_sender(unsigned, Meeting&) {
    if constexpr (When::sends)
      return LateSender(std::move(write_end_), Wait::block);
    else
      return PipeSender(std::move(write_end_), Wait::block);
  }
  auto open_receiver(unsigned, Meeting&) {
    if constexpr (When::sends)
      return PipeReceiver(std::move(read_end_), Wait::block);
    else
      return LateReceiver(std::move(read_end_), Wait::block);
  }

 private:
  Descriptor read_end_, write_end_;
};
[[maybe_unused]] const bool registered_late =
    register_transport<LatePipe<BeforeEverySend>>() && register_transport<LatePipe<BeforeEveryReceive>>();

// The sender is through at once. By its side alone the stream would take no time at all.
TEST(TheSpanOfAStream, LastsUntilTheLastReceiveHasEnded) {
  const Measurement measured = measure_case({.workload = "stream", .transport = "receives_late"}, messages);
  EXPECT_GE(measured.span_ns, messages * delay_us * 1'000);
}

// By the receiver's side alone the first message would take no time.
TEST(TheSpanOfAStream, BeginsWithTheFirstSend) {
  const Measurement measured = measure_case({.workload = "stream", .transport = "sends_late"}, messages);
  EXPECT_GE(measured.span_ns, messages * delay_us * 1'000);
}

// With a reading before and one after each round trip, the time between the two would be in none.
TEST(RoundTripTimes, LieEndToEndSoThatOneReadingOfTheClockIsBoth) {
  const Measurement measured = measure_case({.workload = "ping_pong", .transport = "pipe"}, 500);
  ASSERT_TRUE(measured.distribution);
  const auto histogram = Histogram::decode(measured.distribution->histogram);
  ASSERT_TRUE(histogram);
  EXPECT_EQ(histogram->count(), 500u);
  EXPECT_DOUBLE_EQ(histogram->mean_ns() * 500, static_cast<double>(measured.span_ns));
}

TEST(APercentile, ShorterThanTheClockCanTellIsWithheld) {
  Distribution times;
  times.p50_ns = 9;
  times.p90_ns = 10;
  times.p99_ns = 11;
  withhold_below_step(times, 10);
  EXPECT_FALSE(times.p50_ns);
  EXPECT_EQ(times.p90_ns, 10);
  EXPECT_EQ(times.p99_ns, 11);
  EXPECT_FALSE(times.p999_ns);
}

}  // namespace
}  // namespace ipcmark
