#include "harness/floors.h"

#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <exception>
#include <vector>

#include "harness/batches.h"
#include "harness/cache_line.h"
#include "harness/futex.h"
#include "harness/payload.h"
#include "harness/pinned_pair.h"

namespace ipcmark {

namespace {

constexpr std::uint64_t patience_ns = 5'000'000'000;
constexpr unsigned handover_batches = 30;
constexpr std::uint64_t handovers_a_batch = 50;

Floors::Touch touch_floor(std::uint64_t message_bytes) {
  constexpr unsigned batches = 9;
  const std::size_t calls = std::max<std::size_t>(1, 65'536 / message_bytes / 2);
  std::vector<std::byte> from(message_bytes), to(message_bytes);
  std::uint64_t sequence = 0;
  const double write_ns = median_call_ns(batches, calls, [&] { fill(from, 0, sequence++, Touch::full); });
  const double read_ns = median_call_ns(batches, calls, [&] { keep(read(from, Touch::full).sum); });
  const double memcpy_ns = median_call_ns(batches, calls, [&] {
    std::memcpy(to.data(), from.data(), from.size());
    keep(to.data());
  });
  return {message_bytes, write_ns, read_ns, memcpy_ns};
}

// By syscall(2), since the C library may answer getppid itself.
double system_call_cost_ns() {
  return median_call_ns(25, 1'000, [] { keep(::syscall(SYS_getppid)); });
}

// Two processes that wake each other in turns; whoever is not awake sleeps in the kernel.
struct Handover {
  alignas(128) std::atomic<std::uint32_t> there{0};
  alignas(128) std::atomic<std::uint32_t> back{0};
  std::array<std::uint64_t, handover_batches> batch_ns{};

  static void await(std::atomic<std::uint32_t>& word, std::uint32_t value, std::uint64_t deadline_ns) {
    for (std::uint32_t seen; (seen = word.load(std::memory_order_acquire)) != value;) {
      if (futex_wait(word, seen, deadline_ns) == FutexWait::timed_out) throw std::exception();
    }
  }
  static void give(std::atomic<std::uint32_t>& word, std::uint32_t value) {
    word.store(value, std::memory_order_release);
    futex_wake(word);
  }

  void lead(std::uint64_t deadline_ns) {
    std::uint32_t number = 0;
    for (std::uint64_t& span_ns : batch_ns) {
      const std::uint64_t begin_ns = now_ns();
      for (std::uint64_t i = 0; i < handovers_a_batch; ++i) {
        give(there, ++number);
        await(back, number, deadline_ns);
      }
      span_ns = now_ns() - begin_ns;
    }
  }
  void follow(std::uint64_t deadline_ns) {
    for (std::uint32_t number = 1; number <= batch_ns.size() * handovers_a_batch; ++number) {
      await(there, number, deadline_ns);
      give(back, number);
    }
  }
  // Of one of the two ways, in the quickest batch: whoever else wants these processors makes the others
  // longer.
  double least_ns() const {
    return static_cast<double>(std::ranges::min(batch_ns)) / (2.0 * handovers_a_batch);
  }
};

}  // namespace

Floors measure_floors(std::span<const std::uint64_t> message_sizes) {
  Floors floors;
  floors.clock_read_ns = clock_read_cost_ns();
  floors.system_call_ns = system_call_cost_ns();
  for (const std::uint64_t bytes : message_sizes) floors.touch.push_back(touch_floor(bytes));
  return floors;
}

Floors::OnPu measure_floors_on(int os_pu, std::span<const std::uint64_t> message_sizes) {
  constexpr std::size_t most_sizes = 64;
  struct Shared {
    double clock_read_ns = 0, system_call_ns = 0;
    std::array<Floors::Touch, most_sizes> touch{};
    Handover handover;
  };
  const SharedPages<Shared> shared;
  const std::span sizes = message_sizes.first(std::min(most_sizes, message_sizes.size()));
  const std::uint64_t deadline_ns = now_ns() + patience_ns;
  const auto lead = [&] {
    shared->clock_read_ns = clock_read_cost_ns();
    shared->system_call_ns = system_call_cost_ns();
    std::ranges::transform(sizes, shared->touch.begin(), touch_floor);
    shared->handover.lead(deadline_ns);
    return true;
  };
  const auto follow = [&] {
    shared->handover.follow(deadline_ns);
    return true;
  };
  run_pinned_pair(os_pu, lead, os_pu, follow, patience_ns);
  return {.clock_read_ns = shared->clock_read_ns,
          .system_call_ns = shared->system_call_ns,
          .context_switch_ns = shared->handover.least_ns(),
          .touch = {shared->touch.begin(), shared->touch.begin() + std::ssize(sizes)}};
}

Floors::Between measure_floors_between(int first_os_pu, int second_os_pu) {
  const SharedPages<Handover> handover;
  const std::uint64_t deadline_ns = now_ns() + patience_ns;
  const auto lead = [&] {
    handover->lead(deadline_ns);
    return true;
  };
  const auto follow = [&] {
    handover->follow(deadline_ns);
    return true;
  };
  run_pinned_pair(first_os_pu, lead, second_os_pu, follow, patience_ns);
  return {.cache_line_round_trip_ns = measure_cache_line_round_trip(first_os_pu, second_os_pu).median_ns,
          .futex_wake_ns = handover->least_ns()};
}

void add_floors_of(Floors& floors, std::span<const NumberedPu> pus,
                   std::span<const std::pair<NumberedPu, NumberedPu>> pairs,
                   std::span<const std::uint64_t> message_sizes, std::uint64_t budget_ns) {
  const std::uint64_t begin_ns = now_ns();
  std::size_t left_out = 0;
  const auto note = [&floors](const std::string& text) {
    floors.note += (floors.note.empty() ? "" : "; ") + text;
  };
  const auto attempt = [&](const auto& measure) {
    if (now_ns() - begin_ns >= budget_ns) {
      ++left_out;
      return;
    }
    try {
      measure();
    } catch (const std::exception& error) {
      note(error.what());
    }
  };
  for (const NumberedPu& pu : pus) {
    attempt([&] {
      floors.pus.push_back(measure_floors_on(pu.os_index, message_sizes));
      floors.pus.back().pu = pu.logical_index;
    });
  }
  for (const auto& [first, second] : pairs) {
    attempt([&] {
      floors.pairs.push_back(measure_floors_between(first.os_index, second.os_index));
      floors.pairs.back().first_pu = first.logical_index;
      floors.pairs.back().second_pu = second.logical_index;
    });
  }
  if (left_out > 0) {
    note(fmt::format("{} of {} PUs and pairs not measured: the {:.3g} s for it were up", left_out,
                     pus.size() + pairs.size(), static_cast<double>(budget_ns) / 1e9));
  }
}

}  // namespace ipcmark
