// broadcast: one sender (role 0), and every one of `receivers` gets every message and checks it. The timed
// span runs from the first send begun to the last receive of the last receiver ended.
//
// Where links lie in shared memory it is one ring with a cursor for each receiver (harness/broadcast_ring.h):
// a message is written once. Everywhere else a message goes to one receiver only, so the sender sends it
// again to each, over a link for each. The observation `copies` says how often it was sent.
//
// Figures are per message sent, payload counts as often as it was received. The distribution is of windows of
// messages as receiver 1 sees them. Per message and end there is one virtual call (workloads/any_link.h),
// about 1 ns.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "harness/broadcast_ring.h"
#include "workloads/any_work.h"

namespace ipcmark {

class Broadcast final : public AnyWork {
 public:
  static constexpr std::string_view name = "broadcast";
  static constexpr std::string_view samples = "window_ns";
  static constexpr std::array<std::string_view, 1> takes{"receivers"};
  static constexpr bool one_clock = false;

  static std::vector<RoleKind> roles(const Case& benchmark_case);
  static std::string unfit(const Case& benchmark_case, const TransportTraits& traits);
  static std::vector<Case> links_of(const Case& benchmark_case);
  static std::uint64_t bytes_per_message(const Case& benchmark_case) {
    return benchmark_case.receivers * benchmark_case.message_bytes;
  }
  static void observe(const Case& benchmark_case, const LaunchBoard& board,
                      std::vector<Observation>& observations);

  Broadcast(const Case& benchmark_case, const Shape& shape, const TrialOptions& options);

  unsigned links() const override { return one_ring_ ? 0 : case_.receivers; }
  unsigned senders_of(unsigned) const override { return 1; }
  void build(const std::string& directory) override;
  void open(Role& role) override;
  void drop() override;
  void run(Role& role) override;
  void end() override;

 private:
  void send_all(Role& role);
  void receive_all(Role& role);

  bool one_ring_;
  std::unique_ptr<AnyRegion> region_;
  std::unique_ptr<BroadcastDoorbellParts> doorbells_;
  std::unique_ptr<AnyMapping> mapping_;             // before the ends, which write to it as they go
  std::vector<std::unique_ptr<AnyEndpoint>> ends_;  // the sender's all, a receiver's one
};

}  // namespace ipcmark
