// pipeline: a source (role 0), one to eight filters and a sink (the last role), each pair of neighbours over
// a link of its own. Every filter really transforms every message (workloads/affine.h) and does `work` units
// for it; the sink undoes what all of them must have done and judges what is left, so a filter that is passed
// by, or does its part out of turn, shows as corrupted messages. The timed span runs from the first send
// begun to the last receive ended.
//
// Beside it stands the serial baseline: one process that fills, transforms, works and reads as all of them
// do, over no link at all. Observations: serial_ns_per_message, and speedup, serial over pipelined.
//
// With `hops` each hop goes over the transport whose turn it is; the first one's is the case's, and so are
// its limit and what it holds. With `filter` each filter is that command between its standard input and
// output, as a shell's pipeline has it: over pipes or FIFOs, which a command can read and write. It must do
// to every byte the same as to every other byte of that value (cat, tr) and pass on what it has without
// waiting for more; both are tried before the launch. Its serial baseline, in timed launches, is the same
// commands one after another, each making a whole file in memory of the one before.
//
// Per message and end there is one virtual call (workloads/any_link.h), about 1 ns.
#pragma once

#include <sys/types.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "workloads/any_work.h"

namespace ipcmark {

class Pipeline final : public AnyWork {
 public:
  static constexpr std::string_view name = "pipeline";
  static constexpr std::string_view samples = "window_ns";
  static constexpr std::array<std::string_view, 4> takes{"work", "stages", "hops", "filter"};
  static constexpr bool one_clock = false;
  static constexpr std::uint64_t most_filters = 8;

  static std::vector<RoleKind> roles(const Case& benchmark_case);
  static std::string unfit(const Case& benchmark_case, const TransportTraits& traits);
  static std::vector<Case> links_of(const Case& benchmark_case);
  static void observe(const Case& benchmark_case, const LaunchBoard& board,
                      std::vector<Observation>& observations);

  Pipeline(const Case& benchmark_case, const Shape& shape, const TrialOptions& options);

  unsigned links() const override { return static_cast<unsigned>(hops_.size()); }
  unsigned senders_of(unsigned) const override { return 1; }
  void build(const std::string& directory) override;
  void open(Role& role) override;
  void run(Role& role) override;

 private:
  using ByteMap = std::array<unsigned char, 256>;

  bool has_command() const { return case_.filter != "none"; }
  void run_source(Role& role);
  void run_filter(Role& role);
  void run_command(Role& role);
  void run_sink(Role& role);
  void run_serially(RoleBoard& board) const;
  void run_commands_serially(RoleBoard& board) const;
  std::uint64_t ns_of_commands_in_turn(std::uint64_t messages) const;
  void judge_mapped(SequenceChecker& checker, std::span<const std::byte> message,
                    std::span<std::byte> scratch) const;

  std::uint64_t filters_;
  std::vector<const TransportEntry*> hops_;
  ByteMap command_maps_to_{};  // what all commands in a row make of each byte
  bool command_maps_ = false;  // to another one, any of them
  pid_t command_ = -1;         // a filter's own
  std::unique_ptr<AnyEndpoint> from_, to_;
};

}  // namespace ipcmark
