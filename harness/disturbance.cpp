#include "harness/disturbance.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "harness/cgroup.h"
#include "harness/clock.h"
#include "harness/text.h"

namespace ipcmark {
namespace {

namespace fs = std::filesystem;

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  for (std::size_t at = 0; (at = line.find_first_not_of(" \t", at)) != line.npos;) {
    const std::size_t end = std::min(line.find_first_of(" \t", at), line.size());
    words.push_back(line.substr(at, end - at));
    at = end;
  }
  return words;
}

// A table whose first line names processors ("CPU0 CPU2 ..."): where, after the row's name, those wanted
// stand.
std::vector<std::size_t> columns_of(std::string_view head, std::span<const int> os_processors) {
  std::vector<std::size_t> columns;
  const std::vector<std::string_view> names = words_of(head);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto number = names[i].starts_with("CPU") ? parse_number(names[i].substr(3)) : std::nullopt;
    if (number && std::ranges::count(os_processors, static_cast<int>(*number)) > 0) columns.push_back(i + 1);
  }
  return columns;
}

// Calls `take(words, sum)` for each row of such a table; false when it has none of the processors.
template <class Take>
bool each_row(std::string_view table, std::span<const int> os_processors, Take take) {
  const std::vector<std::string_view> lines = split(table, '\n');
  const std::vector<std::size_t> columns = columns_of(lines.front(), os_processors);
  if (columns.empty()) return false;
  for (std::string_view line : std::span(lines).subspan(1)) {
    const std::vector<std::string_view> words = words_of(line);
    std::uint64_t sum = 0;
    for (const std::size_t column : columns) {
      // Rows like ERR have one figure for all.
      if (column < words.size()) sum += parse_number(words[column]).value_or(0);
    }
    if (!words.empty()) take(words, sum);
  }
  return true;
}

// Calls `take(words)` for the line of each of the processors in /proc/stat.
template <class Take>
void each_processor(std::string_view proc_stat, std::span<const int> os_processors, Take take) {
  for (std::string_view line : split(proc_stat, '\n')) {
    if (!line.starts_with("cpu")) continue;
    const std::vector<std::string_view> words = words_of(line);
    const auto number = parse_number(words[0].substr(3));
    if (number && std::ranges::count(os_processors, static_cast<int>(*number)) > 0) take(words);
  }
}

// The number after "KEY", up to a blank or the end of its line.
std::optional<std::uint64_t> number_after(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  if (at == text.npos) return std::nullopt;
  const std::string_view rest = text.substr(at + key.size());
  return parse_number(rest.substr(0, rest.find_first_of(" \n")));
}

// A file of /proc or /sys, whole.
std::string text_of(const Descriptor& file) {
  std::string text;
  if (!file) return text;
  std::array<char, 8192> part;
  for (ssize_t got;
       (got = ::pread(file.get(), part.data(), part.size(), static_cast<off_t>(text.size()))) > 0;)
    text.append(part.data(), static_cast<std::size_t>(got));
  return text;
}

Descriptor open_at(const fs::path& root, std::string_view path) {
  return Descriptor(::open((root / path).c_str(), O_RDONLY | O_CLOEXEC));
}

void open_into(std::vector<Descriptor>& files, const fs::path& root, std::string_view path) {
  if (Descriptor file = open_at(root, path)) files.push_back(std::move(file));
}

std::optional<std::uint64_t> change(std::uint64_t before, std::uint64_t after) {
  constexpr std::uint64_t unknown = SystemCounters::unknown;
  if (before == unknown || after == unknown || after < before) return std::nullopt;
  return after - before;
}

std::optional<std::uint64_t> change(std::uint64_t before, std::uint64_t after, std::uint64_t unit) {
  const auto units = change(before, after);
  return units ? std::optional(*units * unit) : std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> steal_ticks(std::string_view proc_stat, std::span<const int> os_processors) {
  constexpr std::size_t steal = 8;
  std::optional<std::uint64_t> ticks;
  each_processor(proc_stat, os_processors, [&](const std::vector<std::string_view>& words) {
    if (words.size() > steal) ticks = ticks.value_or(0) + parse_number(words[steal]).value_or(0);
  });
  return ticks;
}

std::optional<ProcessorTicks> processor_ticks(std::string_view proc_stat,
                                              std::span<const int> os_processors) {
  constexpr std::size_t idle = 4, disk_wait = 5, steal = 8;
  std::optional<ProcessorTicks> ticks;
  each_processor(proc_stat, os_processors, [&](const std::vector<std::string_view>& words) {
    if (!ticks) ticks.emplace();
    // What follows steal is time of guests, which stands in the first two already.
    for (std::size_t i = 1; i <= std::min(steal, words.size() - 1); ++i)
      (i == idle || i == disk_wait ? ticks->idle : ticks->busy) += parse_number(words[i]).value_or(0);
  });
  return ticks;
}

std::optional<InterruptCounts> count_interrupts(std::string_view proc_interrupts,
                                                std::span<const int> os_processors) {
  InterruptCounts counts;
  const bool found = each_row(
      proc_interrupts, os_processors, [&](const std::vector<std::string_view>& words, std::uint64_t sum) {
        const bool numbered = words.front().find_first_not_of("0123456789:") == std::string_view::npos;
        const bool of_a_timer =
            words.front() == "LOC:" || (numbered && words.back().find("timer") != std::string_view::npos);
        (of_a_timer ? counts.timer : numbered ? counts.device : counts.other) += sum;
      });
  return found ? std::optional(counts) : std::nullopt;
}

std::optional<std::uint64_t> count_softirqs(std::string_view proc_softirqs,
                                            std::span<const int> os_processors) {
  std::uint64_t count = 0;
  const bool found =
      each_row(proc_softirqs, os_processors, [&](const auto&, std::uint64_t sum) { count += sum; });
  return found ? std::optional(count) : std::nullopt;
}

std::optional<std::uint64_t> pressure_us(std::string_view pressure) {
  return pressure.starts_with("some ") ? number_after(pressure, "total=") : std::nullopt;
}

std::optional<std::uint64_t> throttled_ns(std::string_view cpu_stat) {
  if (const auto us = number_after(cpu_stat, "throttled_usec ")) return *us * 1000;
  return number_after(cpu_stat, "throttled_time ");
}

SystemWatch::SystemWatch(std::vector<int> os_processors, const fs::path& root)
    : os_processors_(std::move(os_processors)),
      stat_(open_at(root, "proc/stat")),
      interrupts_(open_at(root, "proc/interrupts")),
      softirqs_(open_at(root, "proc/softirqs")),
      cpu_pressure_(open_at(root, "proc/pressure/cpu")),
      memory_pressure_(open_at(root, "proc/pressure/memory")),
      io_pressure_(open_at(root, "proc/pressure/io")) {
  const bool each_has_its_files = os_processors_.size() <= most_with_own_files;
  for (const int processor : each_has_its_files ? os_processors_ : std::vector<int>{}) {
    const std::string folder = fmt::format("sys/devices/system/cpu/cpu{}/", processor);
    open_into(throttle_counts_, root, folder + "thermal_throttle/core_throttle_count");
    open_into(frequencies_, root, folder + "cpufreq/scaling_cur_freq");
  }
  const auto groups = cpu_cgroups(root);
  if (!groups) return;
  for (const CpuCgroup& group : *groups) {
    if (group.quota_cpus) open_into(cpu_stats_, root, group.folder.substr(1) + "/cpu.stat");
  }
}

SystemCounters SystemWatch::read(Look look) const {
  SystemCounters now;
  const auto known = [](std::optional<std::uint64_t> value) {
    return value.value_or(SystemCounters::unknown);
  };
  now.steal_ticks = known(steal_ticks(text_of(stat_), os_processors_));
  if (const auto interrupts = count_interrupts(text_of(interrupts_), os_processors_)) {
    now.device_interrupts = interrupts->device;
    now.timer_interrupts = interrupts->timer;
    now.other_interrupts = interrupts->other;
  }
  now.softirqs = known(count_softirqs(text_of(softirqs_), os_processors_));
  now.cpu_pressure_us = known(pressure_us(text_of(cpu_pressure_)));
  now.memory_pressure_us = known(pressure_us(text_of(memory_pressure_)));
  now.io_pressure_us = known(pressure_us(text_of(io_pressure_)));
  const auto numbers_in = [](const std::vector<Descriptor>& files) {
    std::vector<std::uint64_t> numbers;
    for (const Descriptor& file : files) {
      const std::string text = text_of(file);
      if (const auto number = parse_number(std::string_view(text).substr(0, text.find('\n'))))
        numbers.push_back(*number);
    }
    return numbers;
  };
  const auto add = [](std::uint64_t& counter, std::uint64_t count) {
    counter = counter == SystemCounters::unknown ? count : counter + count;
  };
  for (const std::uint64_t count : numbers_in(throttle_counts_)) add(now.heat_throttles, count);
  if (look == Look::after) {
    if (const auto frequencies = numbers_in(frequencies_); !frequencies.empty())
      now.greatest_khz = std::ranges::max(frequencies);
  }
  // Each level stops those below for itself.
  for (const Descriptor& file : cpu_stats_) {
    if (const auto stopped_ns = throttled_ns(text_of(file))) add(now.quota_throttled_ns, *stopped_ns);
  }
  now.at_ns = now_ns();
  return now;
}

std::optional<Disturbance> between(const SystemCounters& before, const SystemCounters& after,
                                   std::span<const int> os_processors) {
  if (before.at_ns == 0 || after.at_ns <= before.at_ns) return std::nullopt;
  constexpr std::uint64_t us = 1000;
  const auto tick_ns = static_cast<std::uint64_t>(1'000'000'000 / ::sysconf(_SC_CLK_TCK));
  return Disturbance{.os_processors = {os_processors.begin(), os_processors.end()},
                     .observed_ns = after.at_ns - before.at_ns,
                     .steal_ns = change(before.steal_ticks, after.steal_ticks, tick_ns),
                     .device_interrupts = change(before.device_interrupts, after.device_interrupts),
                     .timer_interrupts = change(before.timer_interrupts, after.timer_interrupts),
                     .other_interrupts = change(before.other_interrupts, after.other_interrupts),
                     .softirqs = change(before.softirqs, after.softirqs),
                     .heat_throttles = change(before.heat_throttles, after.heat_throttles),
                     .mhz = after.greatest_khz == SystemCounters::unknown
                                ? std::nullopt
                                : std::optional(static_cast<double>(after.greatest_khz) / 1000),
                     .cpu_pressure_ns = change(before.cpu_pressure_us, after.cpu_pressure_us, us),
                     .memory_pressure_ns = change(before.memory_pressure_us, after.memory_pressure_us, us),
                     .io_pressure_ns = change(before.io_pressure_us, after.io_pressure_us, us),
                     .quota_throttled_ns = change(before.quota_throttled_ns, after.quota_throttled_ns)};
}

}  // namespace ipcmark
