// burst: the sender hands over k messages at once (`burst`, else one) while nobody receives; only then the
// receiver takes them, and the next burst begins when it has. As long as the link holds a whole burst the
// sender never waits: capacity is what decouples the two in time.
//
// Of a burst that does not fit, the receiver is called for as soon as the sender is seen to wait: by an
// attempt that said `again`, or, where attempts sleep, by a thread that finds the sender asleep at three
// looks a millisecond apart (harness/thread_state.h). The samples are how long the sender waited in each
// burst, 0 where it did not: from the first attempt without room to the one that got in, and so on; of those
// that sleep, the whole attempt.
//
// At the end the sender hands over one more burst and ends its process before the receiver begins: what it
// left behind is still delivered (`delivered_after_exit`). Only what did not fit was taken before; the end of
// the stream too needs room where it is a message of its own (harness/end_marks.h).
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "workloads/one_way_work.h"

namespace ipcmark {

class Burst final : public OneWayWork {
 public:
  static constexpr std::string_view name = "burst";
  static constexpr std::string_view samples = "sender_wait_ns";
  static constexpr std::array<std::string_view, 2> takes{"burst", "mix"};
  static constexpr bool one_clock = false;
  static constexpr bool every_capacity = true;

  static std::string unfit(const Case& benchmark_case, const TransportTraits& traits);
  static void observe(const Case&, const LaunchBoard& board, std::vector<Observation>& observations);

  Burst(const Case& benchmark_case, const Shape& shape, const TrialOptions& options);

  void open(Role& role) override;

 private:
  void send(Role& role) override;
  void receive(Role& role) override;
};

}  // namespace ipcmark
