// state: a record of message_bytes that one writer (role 0) updates and each receiver (`receivers` of them)
// reads for its latest value, over and over. A read that is torn shows in the record, which carries its
// number in every word, and counts as corrupted.
//
// Where links lie in shared memory the record does too: updated in place under a seqlock (harness/seqlock.h),
// for which nobody waits. Everywhere else the writer sends the whole record to every reader, over a link for
// each; a reader takes all that has come and keeps the last. One that sleeps inside its attempts (block)
// cannot know what else has come: each message is a read to it.
//
// Figures are per update, and the timed span runs from the first update begun until every reader has read the
// last. `work` units are done between two updates. Observations, over all readers: reads; retries, attempts
// in which the writer got in between; torn, which any but 0 is a failed case; staleness, how many updates a
// read was behind the writer when it was done, on average over a sample of the reads. The distribution is of
// windows of updates.
//
// Per message there is one virtual call (workloads/any_link.h), about 1 ns; a seqlock has none.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "workloads/any_work.h"

namespace ipcmark {

class State final : public AnyWork {
 public:
  static constexpr std::string_view name = "state";
  static constexpr std::string_view samples = "window_ns";
  static constexpr std::array<std::string_view, 2> takes{"receivers", "work"};
  static constexpr bool one_clock = false;

  static std::vector<RoleKind> roles(const Case& benchmark_case);
  static std::string unfit(const Case& benchmark_case, const TransportTraits& traits);
  static std::vector<Case> links_of(const Case& benchmark_case);
  static void observe(const Case& benchmark_case, const LaunchBoard& board,
                      std::vector<Observation>& observations);

  State(const Case& benchmark_case, const Shape& shape, const TrialOptions& options);

  unsigned links() const override { return in_place_ ? 0 : case_.receivers; }
  unsigned senders_of(unsigned) const override { return 1; }
  void build(const std::string& directory) override;
  void open(Role& role) override;
  void drop() override;
  void run(Role& role) override;

 private:
  class Tally;

  void write_updates(Role& role);
  void read_in_place(Role& role);
  void read_messages(Role& role);

  bool in_place_;
  std::unique_ptr<AnyRegion> region_;
  std::unique_ptr<AnyMapping> mapping_;
  std::vector<std::unique_ptr<AnyEndpoint>> ends_;  // the writer's all, a reader's one
};

}  // namespace ipcmark
