// setup: what it costs to have a link at all. Each cycle of the timed part makes a fresh link where launches
// make theirs, opens it from two processes, hands one message over, closes both ends and removes the link.
//
//   create         the maker (role 0) makes the link
//   open           from the opener's first step towards it until both processes hold their ends
//   first_message  from the opener's send begun to the maker's receive ended
//   close          from the opener's finish begun until neither process holds an end; the maker has seen the
//                  end of the stream
//   remove         the maker removes the name, as soon as both have opened, and at the end what could not be
//                  removed while in use
//
// Where a process that inherited nothing can attach, role 1 is the opener, by the link's address. Else (also
// where sides of a shared region wait by what is inherited: eventfd, sysv_semaphore) the maker forks an
// opener for every cycle, which inherits the link and runs where role 1 would: open then includes the fork,
// which is what such a link costs, and the observation opened_by_fork is 1. The processes tell each other of
// their steps through futexes; that is in the cycle, and in no phase.
//
// Per message there is one virtual call (workloads/any_link.h), about 1 ns.
#pragma once

#include <array>

#include "workloads/any_work.h"

namespace ipcmark {

struct SetupBoard;

class Setup final : public AnyWork {
 public:
  static constexpr std::string_view name = "setup";
  static constexpr std::string_view samples = "cycle_ns";
  static constexpr std::array<std::string_view, 0> takes{};
  static constexpr bool bears_losses = true;  // one message, to a receiver that has room
  static constexpr bool one_clock = false;

  static std::vector<RoleKind> roles(const Case&) {
    return {{.name = "maker 0", .receives = true, .counts = true}, {.name = "opener 1", .sends = true}};
  }
  static std::string unfit(const Case& benchmark_case, const TransportTraits& traits);
  static void observe(const Case& benchmark_case, const LaunchBoard& board,
                      std::vector<Observation>& observations);

  Setup(const Case& benchmark_case, const Shape& shape, const TrialOptions& options);
  ~Setup() override;

  unsigned links() const override { return 0; }  // none that roles open before the start
  unsigned senders_of(unsigned) const override { return 0; }
  void build(const std::string& directory) override;
  void open(Role& role) override;
  void run(Role& role) override;

 private:
  void lead(Role& role);
  void follow(Role& role);
  void open_and_send(AnyLink* inherited, std::uint64_t cycle);

  SetupBoard* board_ = nullptr;  // shared by both roles
};

}  // namespace ipcmark
