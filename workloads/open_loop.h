// An open loop: messages are due at times that nothing the receiver does can move, so that whoever is kept
// waiting shows it. A loop that sends the next message only when the last one got through stops measuring
// whenever it is held up, and leaves out the very times that matter ("coordinated omission"; G. Tene, "How
// NOT to Measure Latency", 2013).
//
// Plain functions of their arguments: no clock is read here.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "harness/case.h"
#include "harness/histogram.h"

namespace ipcmark {

// When messages are due, in nanoseconds from the begin. Of a Poisson process the distances are exponential,
// and follow from `seed` and their index alone.
struct Schedule {
  Arrivals arrivals = Arrivals::fixed;
  double messages_per_second = 1;  // over 0
  std::uint64_t burst = 1;         // messages at once; of Arrivals::burst
  std::uint64_t seed = 0;          // of Arrivals::poisson

  // Fills in all that are due, the first ones of the schedule. Returns when the next one would be due.
  std::uint64_t fill(std::span<std::uint64_t> due_ns) const;
};

// Differences between two processes' readings of a clock. What is below zero is never clamped: it is counted,
// and makes the figures unusable.
class OneWayTimes {
 public:
  void record(std::uint64_t from_ns, std::uint64_t to_ns, Histogram& histogram) {
    ++all_;
    if (to_ns >= from_ns) {
      histogram.record(to_ns - from_ns);
      return;
    }
    ++negative_;
    if (from_ns - to_ns > furthest_ns_) furthest_ns_ = from_ns - to_ns;
  }

  std::uint64_t negative() const { return negative_; }
  // Why the figures are not to be used; empty when they can.
  std::string complaint() const;

 private:
  std::uint64_t all_ = 0, negative_ = 0, furthest_ns_ = 0;
};

// Under this share of the offered rate the receiver did not keep up: the backlog grew as long as the load
// lasted, so that the response times say how long that was, and nothing of the mechanism. The rest is for the
// last message's own time.
inline constexpr double least_achieved_share = 0.98;

// What became of all messages of an open loop. 174 KiB.
struct OpenLoop {
  Histogram response;  // due -> received
  Histogram service;   // send begun -> received
  Histogram send_lag;  // due -> send begun
  OneWayTimes times;   // all three of each message
  double offered_per_s = 0;
  double achieved_per_s = 0;  // never more than offered: catching up after the end is late, too

  // Readings of one clock, in the order due; `next_due_ns` as Schedule::fill returns it. Not empty.
  void account(std::uint64_t begin_ns, std::span<const std::uint64_t> due_ns, std::uint64_t next_due_ns,
               std::span<const std::uint64_t> sent_ns, std::span<const std::uint64_t> received_ns);

  // Why the figures are not to be used; empty when they can.
  std::string complaint() const;
};

}  // namespace ipcmark
