#include "harness/role_cost.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <system_error>

namespace ipcmark {
namespace {

std::optional<std::uint64_t> read_run_delay_ns(int schedstat) {
  std::array<char, 128> text;
  const ssize_t length = pread(schedstat, text.data(), text.size(), 0);
  if (length <= 0) return std::nullopt;
  const char* end = text.data() + length;
  const char* space = std::find(static_cast<const char*>(text.data()), end, ' ');
  std::uint64_t delay_ns = 0;
  if (space == end || std::from_chars(space + 1, end, delay_ns).ec != std::errc()) return std::nullopt;
  return delay_ns;
}

std::uint64_t in_ns(const timeval& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000u +
         static_cast<std::uint64_t>(time.tv_usec) * 1'000u;
}

// The coarse clock moves on at each tick.
std::uint64_t tick_ns() {
  timespec tick{};
  if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) != 0 || tick.tv_nsec == 0) return 10'000'000;
  return static_cast<std::uint64_t>(tick.tv_nsec);
}

}  // namespace

CostMeter::CostMeter() : schedstat_(open("/proc/self/schedstat", O_RDONLY | O_CLOEXEC)) {}

RoleCost CostMeter::read() const {
  timespec cpu;
  rusage usage;
  if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) != 0) {
    throw std::system_error(errno, std::generic_category(), "clock_gettime(CLOCK_PROCESS_CPUTIME_ID)");
  }
  if (getrusage(RUSAGE_SELF, &usage) != 0)
    throw std::system_error(errno, std::generic_category(), "getrusage");
  return {.cpu_ns = static_cast<std::uint64_t>(cpu.tv_sec) * 1'000'000'000u +
                    static_cast<std::uint64_t>(cpu.tv_nsec),
          .voluntary_switches = static_cast<std::uint64_t>(usage.ru_nvcsw),
          .involuntary_switches = static_cast<std::uint64_t>(usage.ru_nivcsw),
          .minor_faults = static_cast<std::uint64_t>(usage.ru_minflt),
          .major_faults = static_cast<std::uint64_t>(usage.ru_majflt),
          .run_delay_ns = schedstat_ ? read_run_delay_ns(schedstat_.get()) : std::nullopt,
          .user_ns = in_ns(usage.ru_utime),
          .system_ns = in_ns(usage.ru_stime)};
}

RoleCost CostMeter::stop() const {
  if (timed_part_observer != nullptr) timed_part_observer->end();
  RoleCost cost = read();
  cost.cpu_ns -= at_start_.cpu_ns;
  cost.voluntary_switches -= at_start_.voluntary_switches;
  cost.involuntary_switches -= at_start_.involuntary_switches;
  cost.minor_faults -= at_start_.minor_faults;
  cost.major_faults -= at_start_.major_faults;
  if (cost.run_delay_ns && at_start_.run_delay_ns) {
    *cost.run_delay_ns -= *at_start_.run_delay_ns;
  } else {
    cost.run_delay_ns.reset();
  }
  constexpr std::uint64_t ticks_that_tell = 1'000;
  if (cost.cpu_ns >= ticks_that_tell * tick_ns()) {
    *cost.user_ns -= *at_start_.user_ns;
    *cost.system_ns -= *at_start_.system_ns;
  } else {
    cost.user_ns = cost.system_ns = std::nullopt;
  }
  return cost;
}

}  // namespace ipcmark
