#include "harness/cache_line.h"

#include <array>
#include <stdexcept>
#include <vector>

#include "harness/batches.h"
#include "harness/clock.h"
#include "harness/pinned_pair.h"
#include "harness/spin_until.h"

namespace ipcmark {

std::optional<std::uint64_t> bounce_lead(CacheLinePair& pair, std::uint64_t round_trips,
                                         std::uint64_t deadline_ns) {
  std::uint64_t number = pair.ping.load(std::memory_order_relaxed);  // only we write it
  const std::uint64_t begin = now_ns();
  for (std::uint64_t i = 0; i < round_trips; ++i) {
    ++number;
    pair.ping.store(number, std::memory_order_release);
    const auto answered = [&] { return pair.pong.load(std::memory_order_acquire) == number; };
    if (!spin_until(answered, deadline_ns)) return std::nullopt;
  }
  return now_ns() - begin;
}

bool bounce_follow(CacheLinePair& pair, std::uint64_t round_trips, std::uint64_t deadline_ns) {
  std::uint64_t number = pair.pong.load(std::memory_order_relaxed);  // only we write it
  for (std::uint64_t i = 0; i < round_trips; ++i) {
    ++number;
    const auto asked = [&] { return pair.ping.load(std::memory_order_acquire) == number; };
    if (!spin_until(asked, deadline_ns)) return false;
    pair.pong.store(number, std::memory_order_release);
  }
  return true;
}

CacheLineRoundTrip measure_cache_line_round_trip(int lead_os_pu, int follow_os_pu, unsigned batches,
                                                 std::uint64_t round_trips_per_batch) {
  constexpr std::uint64_t timeout_ns = 5'000'000'000;
  constexpr unsigned most_batches = 1'000;
  if (batches == 0 || batches > most_batches || round_trips_per_batch == 0) {
    throw std::invalid_argument("cache-line round trip: 1 to 1000 batches of at least one round trip");
  }
  struct Shared {
    CacheLinePair pair;
    std::array<std::uint64_t, most_batches> batch_ns{};
  };
  const SharedPages<Shared> shared;
  const std::uint64_t deadline_ns = now_ns() + timeout_ns;
  const auto lead = [&] {
    if (!bounce_lead(shared->pair, round_trips_per_batch, deadline_ns)) return false;  // warm-up
    for (unsigned batch = 0; batch < batches; ++batch) {
      const auto span_ns = bounce_lead(shared->pair, round_trips_per_batch, deadline_ns);
      if (!span_ns) return false;
      shared->batch_ns[batch] = *span_ns;
    }
    return true;
  };
  const auto follow = [&] {
    return bounce_follow(shared->pair, (batches + 1) * round_trips_per_batch, deadline_ns);
  };
  run_pinned_pair(lead_os_pu, lead, follow_os_pu, follow, timeout_ns);

  std::vector<double> means;
  for (unsigned batch = 0; batch < batches; ++batch) {
    means.push_back(static_cast<double>(shared->batch_ns[batch]) /
                    static_cast<double>(round_trips_per_batch));
  }
  return {order_statistic(means, 0.5), order_statistic(means, 0.1), order_statistic(means, 0.9), batches};
}

}  // namespace ipcmark
