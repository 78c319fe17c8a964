// ci/verify: every transport through every workload with every byte of every message compared, for as many
// messages as a fault that strikes once in a million needs to show. Nothing is timed.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <iterator>
#include <map>

#include "harness/placement.h"
#include "harness/suite.h"
#include "harness/text.h"
#include "workloads/trial.h"

namespace ipcmark::verification {
namespace {

struct Amounts {
  std::uint64_t messages = 1'000'000;
  std::uint64_t round_trips = 100'000;
  std::uint64_t set_ups = 1'000;
  unsigned mailbox_senders = 8, mailbox_receivers = 8;
  std::vector<std::string> transports, workloads;
};

std::uint64_t amount_for(const Case& c, const Amounts& amounts) {
  // An answer behind an acknowledgement is two small writes in a row: Nagle's algorithm holds the second back
  // until the first is acknowledged, which takes 40 ms.
  if (c.transport == "tcp_nagle" && c.workload == "ping_pong" && c.capacity == Capacity::rendezvous())
    return 50;
  if (c.workload == "setup") return amounts.set_ups;
  if (c.workload == "stream" || c.workload == "mailbox") return amounts.messages;
  return amounts.round_trips;
}

// The ways of waiting that differ most: asleep, and by tries that give the processor away. Spinning is
// left out since the roles of a mailbox are more than a small machine's processors.
std::vector<WaitPair> waits_of(const Facts& facts) {
  std::vector<WaitPair> waits;
  for (const Wait wait : {Wait::block, Wait::futex, Wait::yield}) {
    if (facts.send_waits.contains(wait) && facts.receive_waits.contains(wait)) waits.push_back({wait, wait});
  }
  return waits;
}

// What a workload is verified with beyond its defaults.
std::vector<Case> variants(Case c, const Facts& facts, const Amounts& amounts) {
  if (c.workload == "mailbox") {
    c.senders = std::min(amounts.mailbox_senders, facts.most_senders);
    c.receivers = std::min(amounts.mailbox_receivers, facts.most_receivers);
  }
  if (c.workload == "client_server" || c.workload == "pairs") c.senders = c.workload == "pairs" ? 1 : 4;
  if (c.workload == "pairs") c.pairs = 4;
  if (c.workload == "pipeline") c.stages = 2;
  if (c.workload == "broadcast" || c.workload == "state") c.receivers = 3;
  if (c.workload == "burst" || c.workload == "cross") c.burst = 1;
  std::vector<Case> all{c};
  if (c.workload == "stream" || c.workload == "ping_pong") {
    for (const Capacity& capacity : {Capacity::bounded(1), Capacity::rendezvous(), Capacity::unbounded()}) {
      all.push_back(c);
      all.back().capacity = capacity;
    }
    all.push_back(c);
    all.back().mix = "1:1+64:90+4Ki:9";
    all.back().message_bytes = 4'096;
  }
  return all;
}

class Verification {
 public:
  explicit Verification(Amounts amounts)
      : amounts_(std::move(amounts)),
        topology_(Topology::of_this_machine()),
        isolation_(probe_isolation(Limits::host)) {}

  int run() {
    std::vector<TransportEntry> transports = Registry::instance().transports();
    std::ranges::copy_if(Registry::instance().named_only(), std::back_inserter(transports),
                         [this](const auto& entry) { return named(amounts_.transports, entry.traits.name); });
    for (const TransportEntry& transport : transports) {
      if (!wanted(amounts_.transports, transport.traits.name)) continue;
      for (const WorkloadEntry& workload : transport.workloads) {
        if (!wanted(amounts_.workloads, std::string(workload.name))) continue;
        for (const WaitPair wait : waits_of(transport.traits.facts)) {
          Case c;
          c.workload = workload.name;
          c.transport = transport.traits.name;
          c.placement = "unpinned";
          c.send_wait = wait.send;
          c.receive_wait = wait.receive;
          if (!transport.traits.copy_send) c.send_access = Access::loan;
          if (!transport.traits.copy_receive) c.receive_access = Access::loan;
          for (const Case& variant : variants(c, transport.traits.facts, amounts_))
            verify(transport, workload, variant);
        }
      }
    }
    fmt::print("{} verified, {} failed, {} skipped\n", verified_, failed_, skipped_);
    return failed_ == 0 && verified_ > 0 ? 0 : 1;
  }

 private:
  static bool named(const std::vector<std::string>& chosen, const std::string& name) {
    return std::ranges::find(chosen, name) != chosen.end();
  }
  static bool wanted(const std::vector<std::string>& chosen, const std::string& name) {
    return chosen.empty() || named(chosen, name);
  }

  void skip(const std::string& what, std::string_view reason) {
    ++skipped_;
    fmt::print("skipped   {}: {}\n", what, reason);
  }

  void verify(const TransportEntry& transport, const WorkloadEntry& workload, const Case& c) {
    const std::uint64_t amount = amount_for(c, amounts_);
    const std::string what =
        fmt::format("{} {} capacity {} {}{}{}", c.transport, c.workload, to_string(c.capacity),
                    to_string(c.send_wait, c.receive_wait), is_mix(c) ? " mix " + c.mix : "",
                    c.senders + c.receivers > 2 ? fmt::format(" {} x {}", c.senders, c.receivers) : "");
    if (const std::string reason = workload.unfit(c, transport.traits); !reason.empty())
      return skip(what, reason);
    const TrialContext context{topology_, isolation_, -1};
    const std::vector<std::vector<int>> anywhere(workload.roles(c).size());
    const TrialOutcome outcome =
        run_trial(c, anywhere, {.fixed_messages = amount, .every_byte = true}, context);
    if (const auto* failure = std::get_if<LaunchFailure>(&outcome)) {
      if (failure->kind == LaunchFailure::Kind::unsupported) return skip(what, failure->reason);
      ++failed_;
      fmt::print("FAILED    {}: {}\n", what, failure->reason);
    } else {
      const auto& measurement = std::get<Measurement>(outcome);
      ++verified_;
      const std::uint64_t lost = measurement.integrity.lost;
      fmt::print("verified  {}: {} messages, {} compared{}\n", what, measurement.messages,
                 measurement.integrity.checked, lost > 0 ? fmt::format(", {} lost", lost) : "");
    }
    std::fflush(stdout);
  }

  Amounts amounts_;
  Topology topology_;
  Isolation isolation_;
  unsigned verified_ = 0, failed_ = 0, skipped_ = 0;
};

}  // namespace
}  // namespace ipcmark::verification

int main(int argc, char** argv) {
  ipcmark::verification::Amounts amounts;
  CLI::App app("Every transport through every workload, every byte compared.", "ci/verify");
  app.add_option("--messages", amounts.messages, "for stream and mailbox")->check(CLI::PositiveNumber);
  app.add_option("--round-trips", amounts.round_trips, "for ping_pong and all others")
      ->check(CLI::PositiveNumber);
  app.add_option("--set-ups", amounts.set_ups, "for setup")->check(CLI::PositiveNumber);
  app.add_option("--senders", amounts.mailbox_senders, "of a mailbox")->check(CLI::Range(1u, 8u));
  app.add_option("--receivers", amounts.mailbox_receivers, "of a mailbox")->check(CLI::Range(1u, 8u));
  app.add_option("--transport", amounts.transports, "only these")->delimiter(',');
  app.add_option("--workload", amounts.workloads, "only these")->delimiter(',');
  try {
    app.parse(argc, argv);
    return ipcmark::verification::Verification(amounts).run();
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    fmt::print(stderr, "ci/verify: {}\n", error.what());
    return 2;
  }
}
