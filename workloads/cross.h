// cross: both roles first send k messages (`burst`, else one), then receive k. While k fits into a link the
// rounds go through. Beyond it both stand in their sends and neither gets to the receive that would free the
// other: a deadlock where they sleep, a livelock where they spin or yield and try for ever. Where one buffer
// serves both ways (Facts::one_buffer_both_ways) 2k must fit to be sure of that, beside what the round before
// still holds (less than CapacityFacts::resume_after); from there to k it depends on how the sends of both
// interleave, and one of the two may get to its receives and find its own messages before the other's.
//
// It is recognised, counted and broken, and the launch then ends as any other: every message arrives intact.
// A thread in each role looks at it every 10 ms. Its role is stuck once, for 200 ms on end, both roles
// have been in the sends of the same round (over one buffer: in that round, and not both in its receives), no
// message of its own has moved, and it was asleep in the kernel at every look (harness/thread_state.h), or
// had made new empty tries at twenty of them. A role that merely lacks a processor is neither, so a slow
// machine delays the verdict and does not make it. When both are stuck, the thread of each role that is still
// sending receives what its role would have received; so both can finish their sends. That round is the last
// of its phase.
//
// Beyond what fits that is the answer that the mechanism owes, and no fault of the launch; `remark` tells it,
// and that the span is mostly the time to recognise it. An answer that is not what `fits` leads one to expect
// is `unexpected`.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "workloads/any_work.h"

namespace ipcmark {

class Cross final : public AnyWork {
 public:
  static constexpr std::string_view name = "cross";
  static constexpr std::string_view samples = "exchange_ns";
  static constexpr std::array<std::string_view, 1> takes{"burst"};
  static constexpr bool one_clock = false;
  static constexpr bool every_capacity = true;

  static std::vector<RoleKind> roles(const Case&);
  static std::string unfit(const Case& benchmark_case, const TransportTraits& traits);
  // completed: 1 or 0, warm-up included; and when it is 0, `deadlock_after` or `livelock_after`: how many
  // messages of both sides lay in the links by then, in the last round that got stuck.
  static void observe(const Case& benchmark_case, const LaunchBoard& board,
                      std::vector<Observation>& observations);
  // Empty when every round went through.
  static std::string remark(const Case& benchmark_case, const LaunchBoard& board);
  // Stuck although what is sent first fits, or through although it does not. Empty where it is not known.
  static std::string unexpected(const Case& benchmark_case, const CapacityFacts& capacity,
                                const std::vector<Observation>& observations);

  Cross(const Case& benchmark_case, const Shape& shape, const TrialOptions& options);

  unsigned links() const override { return transport_.traits.duplex ? 1 : 2; }
  unsigned senders_of(unsigned) const override { return transport_.traits.duplex ? 2 : 1; }
  void open(Role& role) override;
  void run(Role& role) override;

 private:
  std::optional<AnyEnd> sender_, receiver_;  // over a duplex link the same end
};

}  // namespace ipcmark
