#include "workloads/timed_work.h"

#include <gtest/gtest.h>

#include <vector>

namespace ipcmark {
namespace {

constexpr double long_enough_ns = 4e6;
constexpr std::uint64_t any_number = std::uint64_t{1} << 40;

// Remembers how many messages each phase was asked to move; `ns_of(phase, messages)` is how long it takes.
template <class NsOf>
auto phases_into(std::vector<std::uint64_t>& phases, NsOf ns_of) {
  return [&phases, ns_of](std::uint64_t messages) {
    phases.push_back(messages);
    return static_cast<std::uint64_t>(ns_of(phases.size(), messages));
  };
}

TEST(WarmUp, grows_until_a_phase_takes_long_enough) {
  std::vector<std::uint64_t> phases;
  const WarmUp done(long_enough_ns, any_number, phases_into(phases, [](std::size_t, std::uint64_t messages) {
                      return 1'000 * messages;
                    }));
  EXPECT_DOUBLE_EQ(done.ns_per_message(), 1'000);
  EXPECT_GE(phases.back() * 1'000, long_enough_ns);
  std::uint64_t sum = 0;
  for (const std::uint64_t messages : phases) sum += messages;
  EXPECT_EQ(done.moved(), sum);
}

TEST(WarmUp, moves_in_no_phase_more_than_it_may) {
  std::vector<std::uint64_t> phases;
  const WarmUp done(long_enough_ns, 50,
                    phases_into(phases, [](std::size_t, std::uint64_t messages) { return 10 * messages; }));
  EXPECT_EQ(phases.back(), 50u);
  EXPECT_DOUBLE_EQ(done.ns_per_message(), 10);
}

TEST(WarmUp, does_not_take_one_disturbed_phase_for_the_pace) {
  for (std::size_t disturbed = 1; disturbed <= 5; ++disturbed) {
    std::vector<std::uint64_t> phases;
    const WarmUp done(long_enough_ns, any_number,
                      phases_into(phases, [disturbed](std::size_t phase, std::uint64_t messages) {
                        return 100 * messages + (phase == disturbed ? 300'000'000 : 0);
                      }));
    EXPECT_DOUBLE_EQ(done.ns_per_message(), 100) << "phase " << disturbed;
  }
}

// The first messages find room; every one after them waits.
TEST(WarmUp, believes_a_pace_that_falls_and_stays_low) {
  std::vector<std::uint64_t> phases;
  std::uint64_t moved = 0;
  const WarmUp done(long_enough_ns, any_number,
                    phases_into(phases, [&moved](std::size_t, std::uint64_t messages) {
                      std::uint64_t ns = 0;
                      for (std::uint64_t i = 0; i < messages; ++i) ns += moved++ < 60 ? 500 : 200'000'000;
                      return ns;
                    }));
  EXPECT_GT(done.ns_per_message(), 100'000'000);
}

}  // namespace
}  // namespace ipcmark
