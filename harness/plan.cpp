#include "harness/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <stdexcept>

#include "harness/build_info.h"
#include "harness/pairwise.h"
#include "harness/shuffle.h"
#include "harness/text.h"

namespace ipcmark {
namespace {

// Typical costs of a launch beside its timed part, as seen on a two-core virtual machine; they bear on
// estimates only.
constexpr double launch_overhead_s = 0.030;
constexpr double verified_launch_s = 0.040;
constexpr double examined_launch_s = 0.040;

// A full cross product of everything is half a million; beyond twice that a suite is a slip of the hand, and
// would fill the memory before anybody reads why.
constexpr std::size_t most_combinations = 1'000'000;

struct Place {
  std::string asked;
  PlacementAnswer answer;

  const std::string& name() const { return answer.reason.empty() ? answer.name : asked; }
  friend bool operator==(const Place& a, const Place& b) { return a.name() == b.name(); }
};

// A grid over one transport and one workload, with every choice made.
struct Block {
  const TransportTraits* transport;  // or what those of its links have in common
  Case base;                         // what is not listed below
  unsigned roles;
  std::vector<std::uint64_t> message_bytes;
  std::vector<Capacity> capacities;
  std::vector<WaitPair> waits;
  std::vector<AccessPair> accesses;
  std::vector<Place> places;
  bool every_wait, every_access;  // that the transport has, was asked for
};

bool has(const TransportTraits& transport, WaitPair wait) {
  return transport.facts.send_waits.contains(wait.send) &&
         transport.facts.receive_waits.contains(wait.receive);
}

bool sends_by(const TransportTraits& transport, Access access) {
  return access == Access::copy ? transport.copy_send : transport.loan_send;
}
bool receives_by(const TransportTraits& transport, Access access) {
  return access == Access::copy ? transport.copy_receive : transport.loan_receive;
}
bool has(const TransportTraits& transport, AccessPair access) {
  return sends_by(transport, access.send) && receives_by(transport, access.receive);
}

// Why a transport cannot have this case by what it is; empty when it can.
std::string lacks(const TransportTraits& transport, const Case& c) {
  const std::string& name = transport.name;
  if (std::ranges::find(transport.workloads, c.workload) == transport.workloads.end()) {
    return fmt::format("{} does not run {}", name, c.workload);
  }
  const auto words = [](const WaitSet& waits) {
    std::vector<std::string> all;
    for (const Wait wait : all_waits()) {
      if (waits.contains(wait)) all.emplace_back(to_string(wait));
    }
    return all.empty() ? "none" : join(all, ", ");
  };
  const WaitSet& send_waits = transport.facts.send_waits;
  const WaitSet& receive_waits = transport.facts.receive_waits;
  if (!send_waits.contains(c.send_wait)) {
    const bool either = c.send_wait == c.receive_wait && !receive_waits.contains(c.send_wait);
    return fmt::format("{} does not wait by {}{}; it has {}", name, to_string(c.send_wait),
                       either ? "" : " to send", words(send_waits));
  }
  if (!receive_waits.contains(c.receive_wait)) {
    return fmt::format("{} does not wait by {} to receive; it has {}", name, to_string(c.receive_wait),
                       words(receive_waits));
  }
  if (!sends_by(transport, c.send_access)) {
    return fmt::format("{} has no {} access to send", name, to_string(c.send_access));
  }
  if (!receives_by(transport, c.receive_access)) {
    return fmt::format("{} has no {} access to receive", name, to_string(c.receive_access));
  }
  return {};
}

template <class T>
void add_once(std::vector<T>& values, const T& value) {
  if (std::ranges::find(values, value) == values.end()) values.push_back(value);
}

// What each choice comes to on this transport. One that it has none of stays, to be skipped with its reason.
template <class T>
std::vector<T> choose(const std::vector<Choice<T>>& choices, const TransportTraits& transport,
                      const std::vector<T>& all) {
  std::vector<T> chosen;
  for (const Choice<T>& choice : choices) {
    if (choice.every) {
      for (const T& value : all) {
        if (has(transport, value)) add_once(chosen, value);
      }
      continue;
    }
    const auto found =
        std::ranges::find_if(choice.first_of, [&](const T& value) { return has(transport, value); });
    add_once(chosen, found == choice.first_of.end() ? choice.first_of.front() : *found);
  }
  return chosen;
}

std::vector<WaitPair> every_wait() {
  std::vector<WaitPair> all;
  for (const Wait wait : all_waits()) all.push_back({wait, wait});
  return all;
}

std::vector<AccessPair> every_access() {
  return {{Access::copy, Access::copy}, {Access::loan, Access::loan}};
}

// In one dimension, leaves of every part the values asked of it that it has, and those that no part has. A
// part left with none goes.
template <class Part, class T, class Asked>
void narrow_to(std::vector<Part>& parts, Asked asked, std::vector<T> Part::*values) {
  std::vector<T> present;
  for (const Part& part : parts) present.insert(present.end(), (part.*values).begin(), (part.*values).end());
  const auto in = [](const std::vector<T>& some, const T& value) {
    return std::ranges::find(some, value) != some.end();
  };
  for (Part& part : parts) {
    std::vector<T> left;
    for (const T& value : asked(part)) {
      if (in(part.*values, value) || !in(present, value)) left.push_back(value);
    }
    part.*values = std::move(left);
  }
  std::erase_if(parts, [values](const Part& part) { return (part.*values).empty(); });
}

template <class Part, class T>
void narrow(std::vector<Part>& parts, const std::vector<T>& asked, std::vector<T> Part::*values) {
  if (!asked.empty())
    narrow_to(
        parts, [&asked](const Part&) -> const std::vector<T>& { return asked; }, values);
}

std::vector<std::string> names_of(std::span<const TransportTraits> transports) {
  std::vector<std::string> names;
  for (const TransportTraits& transport : transports) names.push_back(transport.name);
  return names;
}

class Planner {
 public:
  Planner(const Narrowing& narrowing, const PlanInputs& inputs) : narrowing_(narrowing), inputs_(inputs) {}

  // Every case the suite asks for, whether it can be had or not, without repeats.
  std::vector<Case> combinations(const Suite& suite) {
    for (const std::string& name : asked_transports()) {
      const std::string complaint = complain_if_unknown("transport", name, known_transports());
      if (!complaint.empty()) throw std::invalid_argument(complaint);
    }
    std::vector<Grid> grids = suite.grids;
    for (Grid& grid : grids) {
      skip_not_built(suite, grid);
      name_all(suite, grid);
    }
    narrow(grids, narrowing_.workloads, &Grid::workloads);
    narrow(grids, asked_transports(), &Grid::transports);
    narrow_further(grids);
    for (const Grid& grid : grids) check_hops(suite, grid);

    std::vector<Block> blocks;
    for (const Grid& grid : grids) add_blocks(suite.name, grid, blocks);
    if (!narrowing_.message_bytes.empty())
      std::erase_if(blocks, [](const Block& b) { return is_mix(b.base); });
    narrow(blocks, narrowing_.message_bytes, &Block::message_bytes);
    narrow(blocks, narrowing_.capacities, &Block::capacities);
    if (!narrowing_.waits.empty()) {
      narrow_to(
          blocks, [&](const Block& b) { return choose(narrowing_.waits, *b.transport, every_wait()); },
          &Block::waits);
    }
    if (!narrowing_.accesses.empty()) {
      narrow_to(
          blocks, [&](const Block& b) { return choose(narrowing_.accesses, *b.transport, every_access()); },
          &Block::accesses);
    }
    if (!narrowing_.placements.empty()) {
      narrow_to(
          blocks, [&](const Block& b) { return places(narrowing_.placements, b.roles); }, &Block::places);
    }

    std::size_t combinations = 0;
    for (const Block& block : blocks) {
      std::size_t of_block = 1;
      for (const std::size_t values : {block.message_bytes.size(), block.capacities.size(),
                                       block.waits.size(), block.accesses.size(), block.places.size()}) {
        of_block = within_bound(suite.name, of_block * values);
      }
      combinations = within_bound(suite.name, combinations + of_block);
    }
    if (suite.cover == Suite::Cover::pairwise) tell_what_transports_lack(blocks);
    std::vector<Case> cases;
    std::set<Case> seen;
    for (const Block& block : blocks) {
      for (const Case& combination : expand(block)) {
        if (seen.insert(combination).second) cases.push_back(combination);
      }
    }
    return cases;
  }

  // For each case the reason why it cannot be launched, or an empty string.
  std::vector<std::string> reasons_against(const std::vector<Case>& cases) {
    std::vector<std::string> reasons;
    std::map<Limits, std::set<Case>> links;
    for (const Case& c : cases) {
      reasons.push_back(known_reason(c));
      if (!reasons.back().empty()) continue;
      for (const Case& link : inputs_.links(c)) links[c.limits].insert(link_of(link));
    }
    std::map<Case, std::string> refused;
    for (const auto& [limits, distinct] : links) {
      const std::vector<Case> batch(distinct.begin(), distinct.end());
      const std::vector<std::string> answers = inputs_.admit(batch);
      for (std::size_t i = 0; i < batch.size(); ++i) refused[batch[i]] = answers.at(i);
    }
    for (std::size_t i = 0; i < cases.size(); ++i) {
      if (!reasons[i].empty()) continue;
      for (const Case& link : inputs_.links(cases[i])) {
        if (reasons[i].empty()) reasons[i] = refused.at(link_of(link));
      }
    }
    return reasons;
  }

  // What combinations() left out: of transports that were not built, and, of a cover, what "*" does not stand
  // for.
  const std::vector<SkippedCase>& left_out() const { return left_out_; }

  const PlacementAnswer& place(const std::string& placement, unsigned roles) {
    const auto [found, first] = placed_.try_emplace({placement, roles});
    if (first) found->second = inputs_.place(placement, roles);
    return found->second;
  }

 private:
  // What makes two links the same; the rest is about the processes at their ends.
  static Case link_of(Case c) {
    c.workload.clear();
    c.placement.clear();
    c.touch = {};
    c.sched.clear();
    return c;
  }

  // A reason that is seen without building the link.
  std::string known_reason(const Case& c) {
    if (std::string reason = lacks(in_common(c), c); !reason.empty()) return reason;
    if (std::string reason = inputs_.unfit(c); !reason.empty()) return reason;
    const PlacementAnswer& placed = place(c.placement, roles_of(c));
    return placed.reason.empty() ? crowded(c, placed.role_pus) : placed.reason;
  }

  unsigned roles_of(const Case& c) const { return static_cast<unsigned>(inputs_.roles(c).size()); }

  const TransportTraits& find(std::string_view name) const {
    const auto listed = std::ranges::find(inputs_.transports, name, &TransportTraits::name);
    if (listed != inputs_.transports.end()) return *listed;
    return *std::ranges::find(inputs_.named_only, name, &TransportTraits::name);
  }

  // Of each once; more than the case's own only where it names its hops.
  std::vector<std::string> link_transports(const Case& c) const {
    std::vector<std::string> names;
    if (c.hops != "none") {
      for (const Case& link : inputs_.links(c)) add_once(names, link.transport);
    }
    if (names.empty()) names.push_back(c.transport);
    return names;
  }

  // The waits and the accesses that the transports of all the case's links have; the rest as of the first.
  const TransportTraits& in_common(const Case& c) {
    const std::vector<std::string> names = link_transports(c);
    if (names.size() == 1) return find(names.front());
    const auto [found, first] = in_common_.try_emplace(join(names, "+"));
    if (!first) return found->second;
    TransportTraits& common = found->second = find(names.front());
    common.name = found->first;
    for (const std::string& name : names) {
      const TransportTraits& each = find(name);
      common.facts.send_waits &= each.facts.send_waits;
      common.facts.receive_waits &= each.facts.receive_waits;
      common.copy_send = common.copy_send && each.copy_send;
      common.loan_send = common.loan_send && each.loan_send;
      common.copy_receive = common.copy_receive && each.copy_receive;
      common.loan_receive = common.loan_receive && each.loan_receive;
    }
    return common;
  }

  void check_hops(const Suite& suite, const Grid& grid) const {
    const auto hops = grid.further.find("hops");
    if (hops == grid.further.end()) return;
    const std::vector<std::string> known = known_transports();
    for (const std::string& turns : hops->second) {
      if (turns == "none") continue;
      for (const std::string_view name : split(turns, '+')) {
        const std::string complaint = complain_if_unknown("transport", name, known);
        if (!complaint.empty())
          throw std::invalid_argument(fmt::format("suite {}: hops: {}", suite.name, complaint));
      }
    }
  }

  std::vector<std::string> known_transports() const {
    std::vector<std::string> known = names_of(inputs_.transports);
    std::ranges::copy(names_of(inputs_.named_only), std::back_inserter(known));
    return known;
  }

  // Puts every transport's name in the place of "*", and refuses names that are not there.
  void name_all(const Suite& suite, Grid& grid) const {
    if (std::ranges::find(grid.transports, "*") != grid.transports.end()) {
      grid.transports = names_of(inputs_.transports);
    }
    const auto check = [&](std::string_view kind, std::span<const std::string> words,
                           std::span<const std::string> all) {
      for (const std::string& word : words) {
        const std::string complaint = complain_if_unknown(kind, word, all);
        if (!complaint.empty())
          throw std::invalid_argument(fmt::format("suite {}: {}", suite.name, complaint));
      }
    };
    check("transport", grid.transports, known_transports());
    check("workload", grid.workloads, inputs_.workloads);
  }

  // Nobody knows what such a transport has: each first choice stands for all.
  void skip_not_built(const Suite& suite, Grid& grid) {
    const auto asked_or = [](const auto& asked, const auto& own) { return asked.empty() ? own : asked; };
    for (const NotBuilt& absent : inputs_.not_built) {
      if (std::erase(grid.transports, absent.transport) == 0 || !asked_transports().empty()) continue;
      Case plain;
      plain.transport = absent.transport;
      const auto first = [](const auto& choices, auto otherwise) {
        return choices.front().every ? otherwise : choices.front().first_of.front();
      };
      const WaitPair wait = first(asked_or(narrowing_.waits, grid.waits), WaitPair{});
      plain.send_wait = wait.send;
      plain.receive_wait = wait.receive;
      const AccessPair access = first(asked_or(narrowing_.accesses, grid.accesses), AccessPair{});
      plain.send_access = access.send;
      plain.receive_access = access.receive;
      plain.placement = first(asked_or(narrowing_.placements, grid.placements), std::string("unpinned"));
      for (const std::string& workload : grid.workloads) {
        const auto& wanted = narrowing_.workloads;
        if (!wanted.empty() && std::ranges::find(wanted, workload) == wanted.end()) continue;
        plain.workload = workload;
        for (Case c : with_further(suite.name, plain, grid)) {
          const auto sizes = asked_or(narrowing_.message_bytes, grid.message_bytes);
          for (const std::uint64_t bytes : is_mix(c) ? std::vector{c.message_bytes} : sizes) {
            for (const Capacity& capacity : asked_or(narrowing_.capacities, grid.capacities)) {
              c.message_bytes = bytes;
              c.capacity = capacity;
              left_out_.push_back(
                  {case_id(c), c,
                   fmt::format("{} was not built, for want of {}", absent.transport, absent.package)});
            }
          }
        }
      }
    }
  }

  std::vector<std::string> asked_transports() const {
    const bool every = std::ranges::find(narrowing_.transports, "*") != narrowing_.transports.end();
    return every ? std::vector<std::string>{} : narrowing_.transports;
  }

  // Both factors of a product are at most the bound before, so that it does not overflow.
  static std::size_t within_bound(std::string_view suite, std::size_t combinations) {
    if (combinations <= most_combinations) return combinations;
    throw std::invalid_argument(fmt::format("suite {}: spans over {} combinations; fewer values are allowed",
                                            suite, most_combinations));
  }

  void add_blocks(const std::string& suite, const Grid& grid, std::vector<Block>& blocks) {
    const bool every_transport = grid.transports == names_of(inputs_.transports);
    for (const std::string& workload : grid.workloads) {
      for (const std::string& name : grid.transports) {
        Case plain;
        plain.workload = workload;
        plain.transport = name;
        plain.touch = narrowing_.touch.value_or(grid.touch);
        plain.limits = narrowing_.limits.value_or(grid.limits);
        plain.sched = narrowing_.sched.value_or(grid.sched);
        for (const Case& base : with_further(suite, plain, grid)) {
          // Every transport is one for each pipeline of named hops: the first of these.
          if (every_transport && link_transports(base).front() != name) continue;
          const TransportTraits& transport = in_common(base);
          const unsigned roles = roles_of(base);
          within_bound(suite, blocks.size());
          const auto sizes = is_mix(base) ? std::vector{base.message_bytes} : grid.message_bytes;
          blocks.push_back(
              {&transport, base, roles, sizes, grid.capacities, choose(grid.waits, transport, every_wait()),
               choose(grid.accesses, transport, every_access()), places(grid.placements, roles),
               narrowing_.waits.empty() && std::ranges::any_of(grid.waits, &Choice<WaitPair>::every),
               narrowing_.accesses.empty() &&
                   std::ranges::any_of(grid.accesses, &Choice<AccessPair>::every)});
        }
      }
    }
  }

  // The base for every combination of the grid's further parameters.
  static std::vector<Case> with_further(std::string_view suite, const Case& plain, const Grid& grid) {
    std::vector<Case> bases{plain};
    for (const Parameter& parameter : further_parameters()) {
      const auto values = grid.further.find(parameter.key);
      if (values == grid.further.end()) continue;
      within_bound(suite, bases.size() * values->second.size());
      std::vector<Case> more;
      for (const Case& base : bases) {
        for (const std::string& value : values->second) {
          Case& c = more.emplace_back(base);
          if (!parameter.parse(value, c)) {
            throw std::invalid_argument(
                fmt::format("{}: {} is not {}", parameter.key, value, parameter.allowed));
          }
        }
      }
      bases = std::move(more);
    }
    return bases;
  }

  // As narrow_to, for each further parameter that is asked for.
  void narrow_further(std::vector<Grid>& grids) const {
    for (const auto& [key, asked] : narrowing_.further) {
      std::vector<std::string> present;
      for (const Grid& grid : grids) {
        const auto values = grid.further.find(key);
        if (values != grid.further.end())
          present.insert(present.end(), values->second.begin(), values->second.end());
      }
      const auto in = [](const std::vector<std::string>& some, const std::string& value) {
        return std::ranges::find(some, value) != some.end();
      };
      for (Grid& grid : grids) {
        const std::vector<std::string> own = grid.further[key];
        std::vector<std::string>& left = grid.further[key];
        left.clear();
        for (const std::string& value : asked) {
          if (in(own, value) || !in(present, value)) left.push_back(value);
        }
      }
      std::erase_if(grids, [&key = key](const Grid& grid) { return grid.further.at(key).empty(); });
    }
  }

  std::vector<Place> places(const std::vector<PlacementChoice>& choices, unsigned roles) {
    std::vector<Place> places;
    for (const PlacementChoice& choice : choices) {
      for (const std::string& asked : choice.every ? inputs_.every_placement : std::vector{to_string(choice)})
        add_once(places, Place{asked, place(asked, roles)});
    }
    return places;
  }

  // A cover meets every pair of values that there is; for a pair of a transport and a wait or an access that
  // it has not, one case tells why not.
  void tell_what_transports_lack(const std::vector<Block>& blocks) {
    std::set<std::pair<std::string_view, WaitPair>> waits;
    std::set<std::pair<std::string_view, AccessPair>> accesses;
    const auto tell = [this](const Block& block, WaitPair wait, AccessPair access) {
      Block one = block;
      one.message_bytes.resize(1);
      one.capacities.resize(1);
      one.places.erase(one.places.begin() + 1, one.places.end());
      one.waits = {wait};
      one.accesses = {access};
      for (const Case& c : expand(one)) left_out_.push_back({case_id(c), c, lacks(*block.transport, c)});
    };
    for (const Block& block : blocks) {
      const TransportTraits& transport = *block.transport;
      const bool has_some = !block.message_bytes.empty() && !block.capacities.empty() &&
                            !block.waits.empty() && !block.accesses.empty() && !block.places.empty();
      if (!has_some) continue;
      for (const WaitPair wait : every_wait()) {
        if (!block.every_wait || has(transport, wait) || !waits.insert({transport.name, wait}).second)
          continue;
        tell(block, wait, block.accesses.front());
      }
      for (const AccessPair access : every_access()) {
        if (!block.every_access || has(transport, access) ||
            !accesses.insert({transport.name, access}).second)
          continue;
        tell(block, block.waits.front(), access);
      }
    }
  }

  static std::vector<Case> expand(const Block& block) {
    std::vector<Case> cases;
    for (const std::uint64_t message_bytes : block.message_bytes) {
      for (const Capacity& capacity : block.capacities) {
        for (const WaitPair wait : block.waits) {
          for (const AccessPair access : block.accesses) {
            for (const Place& at : block.places) {
              Case& c = cases.emplace_back(block.base);
              c.message_bytes = message_bytes;
              c.capacity = capacity;
              c.send_wait = wait.send;
              c.receive_wait = wait.receive;
              c.send_access = access.send;
              c.receive_access = access.receive;
              c.placement = at.name();
              if (capacity.kind == Capacity::Kind::rendezvous) c.rendezvous = block.transport->rendezvous;
            }
          }
        }
      }
    }
    return cases;
  }

  std::string crowded(const Case& c, const std::vector<std::vector<int>>& role_pus) const {
    const std::vector<RoleKind> roles = inputs_.roles(c);
    std::size_t spinning = 0;
    std::set<int> pus;
    bool unpinned = false;
    for (std::size_t role = 0; role < role_pus.size(); ++role) {
      const bool spins = (roles[role].sends && c.send_wait == Wait::spin) ||
                         (roles[role].receives && c.receive_wait == Wait::spin);
      if (!spins) continue;
      ++spinning;
      pus.insert(role_pus[role].begin(), role_pus[role].end());
      unpinned = unpinned || role_pus[role].empty();
    }
    const std::size_t available = unpinned ? inputs_.processing_units : pus.size();
    if (spinning <= available) return {};
    if (spinning == 2) return "both roles spin on one processing unit; use yield, or another placement";
    return fmt::format("{} roles spin on {} processing units; use yield, or another placement", spinning,
                       available);
  }

  const Narrowing& narrowing_;
  const PlanInputs& inputs_;
  std::vector<SkippedCase> left_out_;
  std::map<std::string, TransportTraits> in_common_;  // by their names, joined
  std::map<std::pair<std::string, unsigned>, PlacementAnswer> placed_;
};

// The number of each value in its column, counted from 0 in the order met.
std::vector<std::vector<unsigned>> numbered(const std::vector<Case>& cases) {
  std::vector<std::map<std::string, unsigned>> seen;
  std::vector<std::vector<unsigned>> rows;
  for (const Case& c : cases) {
    std::vector<std::string> fields{c.workload,
                                    c.transport,
                                    std::to_string(c.message_bytes),
                                    to_string(c.capacity),
                                    to_string(c.send_wait, c.receive_wait),
                                    to_string(c.send_access, c.receive_access),
                                    c.placement,
                                    std::string(to_string(c.touch)),
                                    std::string(to_string(c.limits)),
                                    c.sched};
    for (const Parameter& parameter : further_parameters()) fields.push_back(parameter.text(c));
    seen.resize(fields.size());
    std::vector<unsigned>& row = rows.emplace_back();
    for (std::size_t column = 0; column < fields.size(); ++column) {
      const auto next = static_cast<unsigned>(seen[column].size());
      row.push_back(seen[column].try_emplace(fields[column], next).first->second);
    }
  }
  return rows;
}

}  // namespace

bool Narrowing::empty() const {
  return transports.empty() && workloads.empty() && message_bytes.empty() && capacities.empty() &&
         waits.empty() && accesses.empty() && placements.empty() && !touch && !limits && !sched &&
         further.empty();
}

Suite suite_of(const Narrowing& narrowing) {
  const auto take = [](auto& values, const auto& asked) {
    if (!asked.empty()) values = asked;
  };
  Grid grid;
  grid.workloads = {"ping_pong", "stream"};
  take(grid.workloads, narrowing.workloads);
  take(grid.transports, narrowing.transports);
  take(grid.message_bytes, narrowing.message_bytes);
  take(grid.capacities, narrowing.capacities);
  take(grid.waits, narrowing.waits);
  take(grid.accesses, narrowing.accesses);
  take(grid.placements, narrowing.placements);
  grid.touch = narrowing.touch.value_or(grid.touch);
  grid.limits = narrowing.limits.value_or(grid.limits);
  grid.sched = narrowing.sched.value_or(grid.sched);
  grid.further = narrowing.further;

  Suite suite;
  suite.name = "custom";
  suite.description = "the grid that the command line spans";
  suite.launches = 6;
  suite.grids = {std::move(grid)};
  return suite;
}

Plan make_plan(const Suite& suite, const Narrowing& narrowing, const PlanInputs& inputs, std::uint64_t seed) {
  Planner planner(narrowing, inputs);
  const std::vector<Case> cases = planner.combinations(suite);
  const std::vector<std::string> reasons = planner.reasons_against(cases);
  std::vector<std::size_t> kept(cases.size());
  std::iota(kept.begin(), kept.end(), std::size_t{0});
  if (suite.cover == Suite::Cover::pairwise) {
    const auto cover =
        pairwise_cover(numbered(cases), seed, [&](std::size_t row) { return reasons[row].empty(); });
    kept = cover.chosen;
    kept.insert(kept.end(), cover.refused.begin(), cover.refused.end());
    std::ranges::sort(kept);
  }

  Plan plan;
  plan.suite = suite.name;
  plan.launches = suite.launches;
  plan.min_time_ns = suite.min_time_ns;
  plan.seed = seed;
  plan.verified_while_timed = suite.cover == Suite::Cover::pairwise;
  std::vector<bool> is_kept(cases.size());
  for (const std::size_t i : kept) is_kept[i] = true;
  for (std::size_t i = 0; inputs.account_for_all && i < cases.size(); ++i) {
    if (is_kept[i]) continue;
    plan.left_out.push_back(
        {case_id(cases[i]), cases[i], reasons[i].empty() ? std::string(covered) : reasons[i]});
  }
  for (const std::size_t i : kept) {
    const Case& c = cases[i];
    if (reasons[i].empty()) {
      plan.cases.push_back(
          {case_id(c), c,
           planner.place(c.placement, static_cast<unsigned>(inputs.roles(c).size())).role_pus});
    } else {
      plan.skipped.push_back({case_id(c), c, reasons[i]});
    }
  }
  plan.skipped.insert(plan.skipped.end(), planner.left_out().begin(), planner.left_out().end());
  return plan;
}

std::vector<std::size_t> round_order(std::uint64_t seed, unsigned round, std::size_t cases) {
  std::vector<std::size_t> order(cases);
  std::iota(order.begin(), order.end(), std::size_t{0});
  SplitMix64 rounds(seed ^ (std::uint64_t{round} << 32));
  SplitMix64 random(rounds());
  shuffle(std::span(order), random);
  return order;
}

double estimated_seconds(const Plan& plan) {
  // The traced one; hardware counters, where there are any, take as much again.
  const double before_s = verified_launch_s + (is_examined(plan) ? examined_launch_s : 0);
  double seconds = 0;
  for (const PlannedCase& planned : plan.cases) {
    const std::uint64_t gaps_ns = fewest_gaps * planned.benchmark_case.gap_ns;
    const double launch_s =
        static_cast<double>(std::max(plan.min_time_ns, gaps_ns)) * 1e-9 + launch_overhead_s;
    seconds += plan.launches * launch_s + before_s;
  }
  return seconds;
}

std::uint64_t draw_seed() { return std::random_device{}(); }

std::string complain_if_unknown(std::string_view kind, std::string_view word,
                                std::span<const std::string> known) {
  if (std::ranges::find(known, word) != known.end()) return {};
  const auto absent = std::ranges::find(not_built(), word, &NotBuilt::transport);
  if (kind == "transport" && absent != not_built().end()) {
    return fmt::format("transport '{}' was not built, for want of {}: install it and build anew", word,
                       absent->package);
  }
  const auto close = nearest(word, known);
  return fmt::format("unknown {} '{}'{}; known: {}", kind, word,
                     close ? fmt::format(" (did you mean {}?)", *close) : "", join(known, ", "));
}

}  // namespace ipcmark
