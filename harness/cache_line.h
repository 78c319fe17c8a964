// The floor under every hand-over between two processors: what it costs to pass one cache line to and fro.
//
// Each direction has a line of its own, alone in its 128 bytes (processors fetch lines in pairs), in a page
// nobody has used before: the leader writes its line and waits for the follower's, as two messages through
// shared memory do. A round trip is therefore two invalidations and two transfers. Figures are as measured,
// never clamped.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

namespace ipcmark {

// In memory shared by two processes; zero bytes are a valid start.
struct CacheLinePair {
  alignas(128) std::atomic<std::uint64_t> ping{0};
  alignas(128) std::atomic<std::uint64_t> pong{0};
};

// One side makes the round trips, the other answers them; both name the same number. Whoever waits spins, and
// from time to time offers its processor to others, so that two roles on one processor come through too.
// false (nullopt) when now_ns() passed the deadline: the other side has gone or is stopped, and the pair must
// not be used again.
std::optional<std::uint64_t> bounce_lead(CacheLinePair& pair, std::uint64_t round_trips,
                                         std::uint64_t deadline_ns);
bool bounce_follow(CacheLinePair& pair, std::uint64_t round_trips, std::uint64_t deadline_ns);

struct CacheLineRoundTrip {
  double median_ns = 0;  // of the batches' means
  double low_ns = 0;     // tenth percentile of them
  double high_ns = 0;    // ninetieth
  unsigned batches = 0;
};

// Forks two processes pinned to these processors (OS indexes), on fresh pages. Which page it is matters: the
// same two processors were seen to need 260 ns on one and 430 ns on another, so take the median of several
// calls. Throws std::system_error when a processor cannot be had, std::runtime_error when a process dies or
// five seconds pass.
CacheLineRoundTrip measure_cache_line_round_trip(int lead_os_pu, int follow_os_pu, unsigned batches = 25,
                                                 std::uint64_t round_trips_per_batch = 2'000);

}  // namespace ipcmark
