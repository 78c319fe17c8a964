// idle_gap: how long a message takes to a receiver that has been idle. The next message is sent `gap` after
// the receiver said that it turns to waiting for it, so that it has waited that long; by then a processor may
// have gone into a deep sleep, and other work may have had its caches. The samples run from the begin of
// sending to the end of receiving, by the clock of both roles: a time below zero makes the launch invalid.
//
// With caches:cold each side writes memory of twice the size of its second-level cache between two messages,
// before the gap: what those levels then hold are not the messages, the link or what the kernel keeps of it.
// The receiver's attempt brings back what it needs to begin waiting, as it would for anybody.
//
// The sender waits out the gap at its processor. At least `fewest_gaps` messages are timed.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "workloads/one_way_work.h"
#include "workloads/stamp_log.h"

namespace ipcmark {

class IdleGap final : public OneWayWork {
 public:
  static constexpr std::string_view name = "idle_gap";
  static constexpr std::string_view samples = "one_way_ns";
  static constexpr std::array<std::string_view, 2> takes{"gap", "caches"};
  static constexpr bool one_clock = false;

  static std::string unfit(const Case& benchmark_case, const TransportTraits& traits);

  IdleGap(const Case& benchmark_case, const Shape& shape, const TrialOptions& options);

 private:
  void send(Role& role) override;
  void receive(Role& role) override;
  void report(Role& role, std::uint64_t messages);

  StampLog log_{2};
};

}  // namespace ipcmark
