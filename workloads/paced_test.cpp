#include "workloads/paced.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <time.h>
#include <unistd.h>

#include <array>

#include "harness/fail.h"
#include "harness/pipe_ends.h"
#include "workloads/test_trial.h"

namespace ipcmark {
namespace {

Histogram histogram_of(const Measurement& measured, std::string_view of) {
  if (measured.distribution && measured.distribution->of == of)
    return *Histogram::decode(measured.distribution->histogram);
  for (const Distribution& further : measured.further_distributions) {
    if (further.of == of) return *Histogram::decode(further.histogram);
  }
  ADD_FAILURE() << "no samples of " << of;
  return {};
}

void expect_consistent(const Measurement& measured, std::uint64_t messages) {
  EXPECT_EQ(measured.messages, messages);
  const Histogram response = histogram_of(measured, "response_ns");
  const Histogram service = histogram_of(measured, "service_ns");
  const Histogram send_lag = histogram_of(measured, "send_lag_ns");
  EXPECT_EQ(response.count(), messages);
  EXPECT_EQ(service.count(), messages);
  EXPECT_EQ(send_lag.count(), messages);
  // No message was sent before it was due, so each one's response time is the longest of the three.
  for (const double share : {0.01, 0.5, 0.9, 0.99, 1.0}) {
    EXPECT_GE(*response.quantile(share), *service.quantile(share)) << share;
    EXPECT_GE(*response.quantile(share), *send_lag.quantile(share)) << share;
  }
  EXPECT_LE(observed(measured, "achieved"), observed(measured, "offered"));
  EXPECT_GT(observed(measured, "saturation"), 0);
  EXPECT_EQ(observed(measured, "negative_times"), -1) << "no such thing is to be told";
}

constexpr std::uint64_t paced_messages = 200;

TEST(Paced, TimesEveryMessageOverEveryTransportAndWait) {
  for (const Case& plain : over_every_transport({.workload = "paced", .rate = {20'000}})) {
    for (const Case& c : with_every_wait(plain)) {
      SCOPED_TRACE(case_id(c));
      const Measurement measured = measure_case(c, paced_messages);
      expect_consistent(measured, paced_messages);
      EXPECT_NEAR(observed(measured, "offered"), 20'000, 1);
    }
  }
}

TEST(Paced, HasEveryKindOfArrivalCapacityAndRate) {
  const Case plain{.workload = "paced", .transport = "pipe", .rate = {20'000}};
  Case poisson = plain, bursts = plain, relative = plain, unasked = plain, rendezvous = plain;
  poisson.arrivals = Arrivals::poisson;
  bursts.arrivals = Arrivals::burst, bursts.burst = 10;
  relative.rate = {20, true};
  unasked.rate = {};
  rendezvous.capacity = Capacity::rendezvous();
  rendezvous.rendezvous = Rendezvous::acknowledged;
  for (const Case& c : {poisson, bursts, relative, unasked, rendezvous}) {
    SCOPED_TRACE(case_id(c));
    const Measurement measured = measure_case(c, paced_messages);
    expect_consistent(measured, paced_messages);
    const double share = c.rate.percent ? 0.2 : c.rate.value == 0 ? 0.5 : 0;
    if (share > 0) {
      EXPECT_NEAR(observed(measured, "offered") / observed(measured, "saturation"), share, 0.01);
    }
  }
}

TEST(Paced, ArrivesAsItsSeedSays) {
  const Case c{.workload = "paced", .transport = "pipe", .rate = {50'000}, .arrivals = Arrivals::poisson};
  const auto offered = [&](std::uint64_t seed) {
    const auto outcome = run_trial(c, {{}, {}}, {.fixed_messages = 100, .seed = seed}, test_context());
    return observed(std::get<Measurement>(outcome), "offered");
  };
  const double first = offered(1);
  EXPECT_EQ(offered(1), first);
  EXPECT_NE(offered(2), first);
}

TEST(Paced, IsRefusedWhereItMeansNothing) {
  EXPECT_THAT(why_not({.workload = "paced", .transport = "null"}), testing::HasSubstr("carries nothing"));
  EXPECT_THAT(why_not({.workload = "paced", .transport = "pipe", .arrivals = Arrivals::burst}),
              testing::HasSubstr("burst:N"));
  EXPECT_THAT(why_not({.workload = "paced", .transport = "pipe", .burst = 4}), testing::HasSubstr("burst:N"));
  EXPECT_THAT(why_not({.workload = "stream", .transport = "pipe", .rate = {1'000}}),
              testing::HasSubstr("no rate:1000"));
  EXPECT_THAT(why_not({.workload = "idle_gap", .transport = "pipe", .gap_ns = 6'000'000'000}),
              testing::HasSubstr("gap:6s is over 5s"));
}

// ---- receivers to which something happens once, in the middle of the load ----

constexpr std::uint64_t misfortune_ns = 20'000'000;
constexpr unsigned before_it_happens = 500;

struct Stalls {
  static constexpr std::string_view name = "stalls";
  static void happen() {
    const timespec stall{0, static_cast<long>(misfortune_ns)};
    ::clock_nanosleep(CLOCK_MONOTONIC, 0, &stall, nullptr);
  }
};
struct Leaves {
  static constexpr std::string_view name = "leaves";
  [[noreturn]] static void happen() { ::_exit(0); }
};

template <class Misfortune>
class UnluckyReceiver : public PipeReceiver {
 public:
  using PipeReceiver::PipeReceiver;
  Io receive(std::span<std::byte> message) {
    const Io io = PipeReceiver::receive(message);
    if (io == Io::done && ++received_ == before_it_happens) Misfortune::happen();
    return io;
  }

 private:
  unsigned received_ = 0;
};

// Holds one page, with messages of a page one message.
template <class Misfortune>
class UnluckyPipe {
 public:
  static constexpr std::string_view name = Misfortune::name;
  static constexpr Facts facts{.summary = "for a test", .unit = Facts::Unit::bytes};
  explicit UnluckyPipe(const Shape& shape) {
    std::array<int, 2> ends;
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail("pipe2");
    read_end_.reset(ends[0]);
    write_end_.reset(ends[1]);
    set_pipe_capacity(name, ends[1], Capacity::bounded(1), shape.message_bytes);
  }
  PipeSender open_sender(unsigned, Meeting&) { return PipeSender(std::move(write_end_), Wait::block); }
  UnluckyReceiver<Misfortune> open_receiver(unsigned, Meeting&) {
    return UnluckyReceiver<Misfortune>(std::move(read_end_), Wait::block);
  }

 private:
  Descriptor read_end_, write_end_;
};
[[maybe_unused]] const bool registered_unlucky =
    register_transport<UnluckyPipe<Stalls>>() && register_transport<UnluckyPipe<Leaves>>();

// Whatever this machine's speed: what was due in the first half of the stall was received after its end.
TEST(Paced, AStallOfTheReceiverIsInTheResponseTimesOfAllThatWasDueInIt) {
  constexpr std::uint64_t rate = 5'000, all = 1'500;
  const Measurement measured =
      measure_case({.workload = "paced", .transport = "stalls", .message_bytes = 4'096, .rate = {rate}}, all);
  expect_consistent(measured, all);
  constexpr double due_in_half = static_cast<double>(rate * (misfortune_ns / 2)) / 1e9;
  const Histogram response = histogram_of(measured, "response_ns");
  EXPECT_GE(*response.quantile(1 - 0.9 * due_in_half / static_cast<double>(all)), 10e6);
  EXPECT_GE(response.max_ns(), 19'000'000u);
  // One message lay in the link and one was being sent: all others had their wait before, as send lag.
  const Histogram send_lag = histogram_of(measured, "send_lag_ns");
  EXPECT_GE(*send_lag.quantile(1 - 0.8 * due_in_half / static_cast<double>(all)), 10e6);
}

TEST(Paced, AReceiverThatLeavesYieldsNoFigures) {
  const Case c{.workload = "paced", .transport = "leaves", .message_bytes = 4'096, .rate = {5'000}};
  const auto outcome = run_trial(c, {{}, {}}, {.fixed_messages = 1'500}, test_context());
  ASSERT_TRUE(std::holds_alternative<LaunchFailure>(outcome));
  EXPECT_EQ(std::get<LaunchFailure>(outcome).kind, LaunchFailure::Kind::failed);
}

TEST(Paced, OffersWholeBursts) {
  const Case c{
      .workload = "paced", .transport = "pipe", .burst = 7, .rate = {10'000}, .arrivals = Arrivals::burst};
  const auto outcome = run_trial(c, {{}, {}}, {.timed_ns = 1'000'000, .warm_up_ns = 1}, test_context());
  EXPECT_EQ(std::get<Measurement>(outcome).messages, 7u);  // 10 are due in a millisecond
  EXPECT_NEAR(observed(std::get<Measurement>(outcome), "offered"), 10'000, 1);
}

TEST(IdleGap, TimesEveryMessageOverEveryTransportAndWait) {
  for (const Case& plain : over_every_transport({.workload = "idle_gap", .gap_ns = 20'000})) {
    for (const Case& c : with_every_wait(plain)) {
      SCOPED_TRACE(case_id(c));
      const Measurement measured = measure_case(c, 50);
      EXPECT_EQ(measured.messages, 50u);
      EXPECT_EQ(histogram_of(measured, "one_way_ns").count(), 50u);
      // The gaps are within the span, and no message is.
      EXPECT_GE(measured.span_ns, 49 * c.gap_ns);
    }
  }
}

TEST(IdleGap, HasColdCaches) {
  const Case c{.workload = "idle_gap", .transport = "pipe", .gap_ns = 1'000, .caches = Caches::cold};
  if (!why_not(c).empty()) GTEST_SKIP() << why_not(c);
  EXPECT_EQ(measure_case(c, 20).messages, 20u);
}

TEST(IdleGap, TimesEnoughMessagesHoweverLongTheGap) {
  const Case c{.workload = "idle_gap", .transport = "pipe", .gap_ns = 1'000'000};
  const auto outcome = run_trial(c, {{}, {}}, {.timed_ns = 1'000'000, .warm_up_ns = 1}, test_context());
  EXPECT_GE(std::get<Measurement>(outcome).messages, fewest_gaps);
}

}  // namespace
}  // namespace ipcmark
