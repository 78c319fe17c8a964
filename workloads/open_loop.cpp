#include "workloads/open_loop.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "harness/measurement.h"
#include "harness/shuffle.h"

namespace ipcmark {
namespace {

// [0, 1), in steps of 2^-53.
double uniform(SplitMix64& random) { return std::ldexp(static_cast<double>(random() >> 11), -53); }

}  // namespace

std::uint64_t Schedule::fill(std::span<std::uint64_t> due_ns) const {
  const double distance_ns = ns_per_second / messages_per_second;
  const auto at = [](double ns) { return static_cast<std::uint64_t>(std::llround(ns)); };
  if (arrivals == Arrivals::poisson) {
    SplitMix64 random(seed);
    double now_ns = 0;
    for (std::uint64_t& due : due_ns) {
      now_ns -= distance_ns * std::log1p(-uniform(random));
      due = at(now_ns);
    }
    return at(now_ns + distance_ns);
  }
  const std::uint64_t together = arrivals == Arrivals::burst ? std::max<std::uint64_t>(1, burst) : 1;
  const auto of_group = [&](std::uint64_t group) {
    return at(static_cast<double>(group * together) * distance_ns);
  };
  for (std::size_t i = 0; i < due_ns.size(); ++i) due_ns[i] = of_group(i / together);
  return of_group((due_ns.size() + together - 1) / together);
}

std::string OneWayTimes::complaint() const {
  if (negative_ == 0) return {};
  return fmt::format(
      "{} of {} one-way times are below zero, by up to {} ns: the roles' processors disagree on "
      "the time",
      negative_, all_, furthest_ns_);
}

void OpenLoop::account(std::uint64_t begin_ns, std::span<const std::uint64_t> due_ns,
                       std::uint64_t next_due_ns, std::span<const std::uint64_t> sent_ns,
                       std::span<const std::uint64_t> received_ns) {
  std::uint64_t end_ns = begin_ns + next_due_ns;
  for (std::size_t i = 0; i < due_ns.size(); ++i) {
    times.record(begin_ns + due_ns[i], received_ns[i], response);
    times.record(sent_ns[i], received_ns[i], service);
    times.record(begin_ns + due_ns[i], sent_ns[i], send_lag);
    end_ns = std::max(end_ns, received_ns[i]);
  }
  const double messages = static_cast<double>(due_ns.size()) * ns_per_second;
  offered_per_s = messages / static_cast<double>(std::max<std::uint64_t>(1, next_due_ns));
  achieved_per_s = messages / static_cast<double>(std::max<std::uint64_t>(1, end_ns - begin_ns));
}

std::string OpenLoop::complaint() const {
  if (std::string disagreement = times.complaint(); !disagreement.empty()) return disagreement;
  const double share = achieved_per_s / offered_per_s;
  if (share >= least_achieved_share) return {};
  return fmt::format("achieved {:.3g} % of the offered rate", 100 * share);
}

}  // namespace ipcmark
