#include "results/floor.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <vector>

#include "results/launches.h"
#include "results/statistics.h"

namespace ipcmark {
namespace {

// Of a role that is pinned to one; -1 else.
int pu_of(const RoleReport& role) { return role.granted_pus.size() == 1 ? role.granted_pus.front() : -1; }

const Floors::OnPu* on(const Floors& floors, int pu) {
  const auto found = std::ranges::find(floors.pus, pu, &Floors::OnPu::pu);
  return found == floors.pus.end() ? nullptr : &*found;
}

const Floors::Between* between(const Floors& floors, int first, int second) {
  const auto found = std::ranges::find_if(floors.pairs, [&](const Floors::Between& pair) {
    return (pair.first_pu == first && pair.second_pu == second) ||
           (pair.first_pu == second && pair.second_pu == first);
  });
  return found == floors.pairs.end() ? nullptr : &*found;
}

bool moves_nothing(const Case& benchmark_case) { return benchmark_case.transport == "null"; }

bool is_called(const RoleReport& role, std::string_view kind) { return role.role.starts_with(kind); }

bool is_one_way(const Measurement& measurement) { return measurement.distribution->of == "one_way_ns"; }

// Who answers role 0, or only receives from it.
const RoleReport* answering(const Measurement& measurement) {
  if (!measurement.distribution || measurement.roles.size() < 2) return nullptr;
  if (measurement.distribution->of == "round_trip_ns" || is_one_way(measurement))
    return &measurement.roles[1];
  if (measurement.distribution->of != "call_ns") return nullptr;
  const auto server = std::ranges::find_if(measurement.roles,
                                           [](const RoleReport& role) { return is_called(role, "server"); });
  return server == measurement.roles.end() ? nullptr : &*server;
}

}  // namespace

std::optional<Floor> latency_floor(const Floors& floors, std::span<const LaunchRecord* const> launches) {
  const LaunchRecord& launch = *launches.front();
  const RoleReport* answers = answering(launch.measurement);
  if (answers == nullptr || moves_nothing(launch.benchmark_case)) return std::nullopt;
  const int first = pu_of(launch.measurement.roles.front()), second = pu_of(*answers);
  if (first < 0 || second < 0) return std::nullopt;
  const bool one_way = is_one_way(launch.measurement);
  const double ways = one_way ? 1 : 2;
  if (first == second) {
    const Floors::OnPu* const pu = on(floors, first);
    if (pu == nullptr) return std::nullopt;
    return Floor{one_way ? "a context switch" : "two context switches", ways * pu->context_switch_ns};
  }
  const Floors::Between* const pair = between(floors, first, second);
  if (pair == nullptr) return std::nullopt;
  if (!spins(launch.benchmark_case.receive_wait))
    return Floor{one_way ? "a wake-up" : "two wake-ups", ways * pair->futex_wake_ns};
  const std::vector<double> round_trips = cache_line_round_trips(launches);
  const double round_trip_ns = round_trips.empty() ? pair->cache_line_round_trip_ns : median(round_trips);
  return Floor{one_way ? "half a cache-line round trip" : "cache-line round trip", ways / 2 * round_trip_ns};
}

std::optional<Floor> throughput_floor(const Floors& floors, std::span<const LaunchRecord* const> launches) {
  const Case& c = launches.front()->benchmark_case;
  if (moves_nothing(c) || is_mix(c) ||
      (c.workload != "stream" && c.workload != "mailbox" && c.workload != "pairs")) {
    return std::nullopt;
  }
  double writing_ns = 0, reading_ns = 0, senders = 0, receivers = 0;
  std::set<int> pus;
  for (const RoleReport& role : launches.front()->measurement.roles) {
    const bool sends = is_called(role, "sender");
    if (!sends && !is_called(role, "receiver")) return std::nullopt;
    const Floors::OnPu* const pu = on(floors, pu_of(role));
    if (pu == nullptr) return std::nullopt;
    const auto touch = std::ranges::find(pu->touch, c.message_bytes, &Floors::Touch::message_bytes);
    if (touch == pu->touch.end()) return std::nullopt;
    pus.insert(pu->pu);
    const bool copies = (sends ? c.send_access : c.receive_access) == Access::copy;
    const double touching_ns = c.touch == Touch::full ? (sends ? touch->write_ns : touch->read_ns) : 0;
    (sends ? writing_ns : reading_ns) += touching_ns + (copies ? touch->memcpy_ns : 0);
    (sends ? senders : receivers) += 1;
  }
  if (senders == 0 || receivers == 0) return std::nullopt;
  // Of one message; where processors differ, their mean.
  const double write_ns = writing_ns / senders, read_ns = reading_ns / receivers;
  const double ns = std::max(
      {write_ns / senders, read_ns / receivers, (write_ns + read_ns) / static_cast<double>(pus.size())});
  if (ns <= 0) return std::nullopt;
  const bool touches = c.touch == Touch::full;
  const bool copies = c.send_access == Access::copy || c.receive_access == Access::copy;
  return Floor{!copies   ? "writing and reading the payload"
               : touches ? "writing, copying and reading the payload"
                         : "copying the payload",
               ns};
}

}  // namespace ipcmark
