// paced: the sender hands over messages when they are due (workloads/open_loop.h), whatever the receiver
// does; the response time of a message runs from when it was due, not from when there was room for it. First
// the link is seen to move as much as it can, with the same loops and all messages due at once: that is the
// `saturation` of which a rate may be a percentage. Without a rate: 50 %.
//
// The samples are response times, with service times (from the begin of sending) and the send lag (from due
// to the begin of sending) beside them; a message's time ends when it has been received and read. Nobody
// tells the other a time: each role notes its own, and both notes are put together after the timed part,
// which is as many messages as are due in the time asked, at most StampLog::most_messages. The launch is
// invalid when the offered rate was not achieved, or when a time came out below zero.
//
// The sender waits for the due time at its processor: its cost says nothing.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "workloads/one_way_work.h"
#include "workloads/stamp_log.h"

namespace ipcmark {

class Paced final : public OneWayWork {
 public:
  static constexpr std::string_view name = "paced";
  static constexpr std::string_view samples = "response_ns";
  static constexpr std::array<std::string_view, 4> takes{"rate", "arrivals", "burst", "p99_bound"};
  static constexpr bool one_clock = false;
  static constexpr bool every_capacity = true;

  static std::string unfit(const Case& benchmark_case, const TransportTraits& traits);
  static void observe(const Case&, const LaunchBoard& board, std::vector<Observation>& observations);

  Paced(const Case& benchmark_case, const Shape& shape, const TrialOptions& options)
      : OneWayWork(benchmark_case, shape, options) {}

 private:
  void send(Role& role) override;
  void receive(Role& role) override;
  void report(Role& role, std::uint64_t messages);

  StampLog log_{3};
};

}  // namespace ipcmark
