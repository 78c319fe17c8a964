#include "workloads/setup.h"

#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <new>

#include "harness/batches.h"
#include "harness/fail.h"
#include "harness/futex.h"
#include "harness/text.h"
#include "workloads/any_messages.h"

namespace ipcmark {
namespace {

// How far one process has come, told to the other.
class Progress {
 public:
  void reach(std::uint32_t step) {
    step_.store(step, std::memory_order_release);
    futex_wake(step_);
  }
  // Between looks `meanwhile` may throw, when the other has died.
  template <class Meanwhile>
  void await(std::uint32_t step, Meanwhile meanwhile) {
    constexpr std::uint64_t look_after_ns = 100'000'000;
    for (std::uint32_t seen; (seen = step_.load(std::memory_order_acquire)) != step;) {
      if (futex_wait(step_, seen, now_ns() + look_after_ns) == FutexWait::timed_out) meanwhile();
    }
  }

 private:
  std::atomic<std::uint32_t> step_{0};
};

enum Part : unsigned { create, open_both, first_message, close_both, remove_link, phase_count };
constexpr std::array<const char*, phase_count> phase_names{"create_ns", "open_ns", "first_message_ns",
                                                           "close_ns", "remove_ns"};
constexpr unsigned opened_by_fork = phase_count;  // position on the board, after the phases

constexpr std::uint32_t maker_steps = 3, opener_steps = 2;  // in a cycle

// Longer than a launch waits for a message to move.
constexpr std::uint64_t patience_ns = 20'000'000'000;

std::uint64_t nanoseconds(const timeval& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_usec) * 1'000;
}

// Of the children that have been waited for.
std::uint64_t children_cpu_ns() {
  rusage usage;
  if (getrusage(RUSAGE_CHILDREN, &usage) != 0) fail("getrusage of the children");
  return nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime);
}

// These stand beside the region, and only relatives of their maker have them (harness/doorbell.h).
bool is_inherited(Wait wait) { return wait == Wait::sysv_semaphore || wait == Wait::eventfd; }

// Whether only a relative of the maker can open such a link.
bool needs_fork(const TransportEntry& transport, const Shape& shape) {
  return !transport.is_attachable() ||
         (transport.region != nullptr && (is_inherited(shape.send_wait) || is_inherited(shape.receive_wait)));
}

}  // namespace

struct SetupBoard {
  alignas(128) Progress maker;   // 3 * cycle + 1: made, + 2: open at both ends, + 3: message received
  alignas(128) Progress opener;  // 2 * cycle + 1: opened, + 2: closed
  char address[256];
  char failure[512];  // of a forked opener
  cpu_set_t opener_processors;
  std::uint64_t open_begin_ns, open_end_ns, send_begin_ns, close_begin_ns, close_end_ns;  // by the opener
  MeetingTable meeting;
};

std::string Setup::unfit(const Case& benchmark_case, const TransportTraits& traits) {
  return needs_bytes(traits.facts, name, benchmark_case.transport);
}

void Setup::observe(const Case&, const LaunchBoard& board, std::vector<Observation>& observations) {
  for (unsigned phase = 0; phase < phase_count; ++phase) {
    observations.push_back(
        {phase_names[phase], "ns, median", static_cast<double>(board.roles[0].figures[phase])});
  }
  observations.push_back(
      {"opened_by_fork", "1: yes", static_cast<double>(board.roles[0].figures[opened_by_fork])});
}

Setup::Setup(const Case& benchmark_case, const Shape& shape, const TrialOptions& options)
    : AnyWork(benchmark_case, shape, options) {
  // A link for one sender may know that one by its name, and no stranger gets in; one for several does not.
  const Facts& facts = transport_.traits.facts;
  if (facts.addressing == Facts::Addressing::asymmetric) shape_.senders = std::min(2u, facts.most_senders);
}

Setup::~Setup() {
  if (board_ != nullptr) munmap(board_, sizeof *board_);
}

void Setup::build(const std::string& directory) {
  AnyWork::build(directory);
  void* const memory =
      mmap(nullptr, sizeof(SetupBoard), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail("mmap of the board of setup");
  board_ = new (memory) SetupBoard{};
}

void Setup::open(Role& role) {
  if (role.index() == 0) return;
  if (sched_getaffinity(0, sizeof board_->opener_processors, &board_->opener_processors) != 0) {
    fail("sched_getaffinity");
  }
}

void Setup::run(Role& role) {
  measure_cache_line(role);
  role.lock_memory();
  if (role.index() == 0) {
    lead(role);
  } else {
    follow(role);
  }
}

// What the opener does in a cycle, over a link that it inherited or one that it finds by its address.
void Setup::open_and_send(AnyLink* inherited, std::uint64_t cycle) {
  SetupBoard& board = *board_;
  const auto count = static_cast<std::uint32_t>(cycle);
  const auto await_maker = [&](std::uint32_t step) { board.maker.await(count * maker_steps + step, [] {}); };
  Meeting meeting(board.meeting, now_ns() + patience_ns);
  AnyWriter writer(shape_.send_access, shape_.message_bytes);

  std::unique_ptr<AnyEndpoint> sender;
  if (inherited != nullptr) {
    sender = inherited->open_sender(0, meeting);
    inherited->drop();
  } else {
    await_maker(1);
    board.open_begin_ns = now_ns();
    sender = transport_.attach(shape_, board.address)->open_sender(0, meeting);
  }
  board.open_end_ns = now_ns();
  board.opener.reach(count * opener_steps + 1);

  await_maker(2);
  writer.write(*sender, [&](std::span<std::byte> message) {
    fill(message, 0, cycle, case_.touch);
    board.send_begin_ns = now_ns();
  });

  await_maker(3);
  board.close_begin_ns = now_ns();
  finish(*sender);
  sender.reset();
  board.close_end_ns = now_ns();
  board.opener.reach(count * opener_steps + 2);
}

void Setup::follow(Role& role) {
  CostMeter meter;
  std::uint64_t cycle = 0;
  follow_phases(
      role, meter,
      [&](std::uint64_t cycles, bool) {
        for (std::uint64_t i = 0; i < cycles; ++i) {
          if (!needs_fork(transport_, shape_)) open_and_send(nullptr, cycle);
          role.moved(++cycle);
        }
      },
      [] {});
}

void Setup::lead(Role& role) {
  SetupBoard& board = *board_;
  RoleBoard& own = role.board();
  const bool forks = needs_fork(transport_, shape_);
  const bool duplex = transport_.traits.duplex;
  own.figures[opened_by_fork] = forks;
  SequenceChecker checker(0, shape_.message_bytes, case_.touch);
  AnyReader reader(shape_.receive_access, shape_.message_bytes);
  std::array<std::vector<double>, phase_count> phases;
  std::uint64_t cycle = 0;

  const auto run_cycle = [&](bool timed) {
    const auto count = static_cast<std::uint32_t>(cycle);
    std::array<std::uint64_t, phase_count> took{};
    pid_t child = -1;
    const auto await_opener = [&](std::uint32_t step) {
      board.opener.await(count * opener_steps + step, [&] {
        if (child > 0 && waitpid(child, nullptr, WNOHANG) == child) {
          throw std::runtime_error(fmt::format("the forked opener has died: {}", board.failure));
        }
      });
    };
    const auto judge_message = [&](std::span<const std::byte> message) {
      judge(checker, message, options_.every_byte, case_.touch);
    };

    const std::uint64_t begin_ns = now_ns();
    std::unique_ptr<AnyLink> link = transport_.make_link(shape_);
    took[create] = now_ns() - begin_ns;
    if (cycle == 0) role.keep_figures(link->figures());

    new (&board.meeting) MeetingTable{};
    board.meeting.senders_left.store(1, std::memory_order_relaxed);
    Meeting meeting(board.meeting, now_ns() + patience_ns);
    if (forks) {
      board.open_begin_ns = now_ns();
      const pid_t maker = getpid();
      child = fork();
      if (child < 0) fail("fork of an opener");
      if (child == 0) {
        try {
          prctl(PR_SET_PDEATHSIG, SIGKILL);
          if (getppid() != maker) _exit(1);
          if (sched_setaffinity(0, sizeof board.opener_processors, &board.opener_processors) != 0) {
            fail("sched_setaffinity");
          }
          open_and_send(link.get(), cycle);
        } catch (const std::exception& error) {
          fmt::format_to_n(board.failure, sizeof board.failure - 1, "{}", error.what());
          _exit(1);
        }
        _exit(0);
      }
    } else {
      const std::string address = link->address();
      if (address.size() >= sizeof board.address) throw std::length_error("an address of " + address);
      std::memcpy(board.address, address.c_str(), address.size() + 1);
    }
    board.maker.reach(count * maker_steps + 1);
    std::unique_ptr<AnyEndpoint> receiver = link->open_receiver(duplex ? shape_.senders : 0, meeting);
    const std::uint64_t own_open_end_ns = now_ns();
    if (!own.has_limit) role.keep_limit(receiver->limit());
    await_opener(1);
    took[open_both] = std::max(own_open_end_ns, board.open_end_ns) - board.open_begin_ns;

    const std::uint64_t drop_begin_ns = now_ns();
    link->drop();
    took[remove_link] = now_ns() - drop_begin_ns;

    board.maker.reach(count * maker_steps + 2);
    reader.read(*receiver, judge_message);
    took[first_message] = now_ns() - board.send_begin_ns;
    board.maker.reach(count * maker_steps + 3);

    while (reader.read_unless_closed(*receiver, judge_message)) {
    }
    receiver.reset();
    const std::uint64_t own_close_end_ns = now_ns();
    await_opener(2);
    took[close_both] = std::max(own_close_end_ns, board.close_end_ns) - board.close_begin_ns;

    const std::uint64_t remove_begin_ns = now_ns();
    link.reset();
    const std::uint64_t end_ns = now_ns();
    took[remove_link] += end_ns - remove_begin_ns;

    if (child > 0 && waitpid(child, nullptr, 0) != child) fail("waitpid of an opener");
    role.moved(++cycle);
    own.histogram.record(end_ns - begin_ns);
    if (!timed) return;
    for (unsigned phase = 0; phase < phase_count; ++phase) {
      phases[phase].push_back(static_cast<double>(took[phase]));
    }
  };

  CostMeter meter;
  lead_phases(role, options_, [&](std::uint64_t cycles, bool timed) {
    if (!timed) {
      for (std::uint64_t i = 0; i < cycles; ++i) run_cycle(false);
      return;
    }
    own.histogram = {};
    for (auto& phase : phases) phase.reserve(cycles);
    const std::uint64_t children_before_ns = children_cpu_ns();
    meter.start();
    own.begin_ns = now_ns();
    for (std::uint64_t i = 0; i < cycles; ++i) run_cycle(true);
    own.end_ns = now_ns();
    own.cost = meter.stop();
    own.cost.cpu_ns += children_cpu_ns() - children_before_ns;
    own.timed_messages = cycles;
    own.messages_per_sample = 1;
  });
  for (unsigned phase = 0; phase < phase_count; ++phase) {
    own.figures[phase] = static_cast<std::uint64_t>(order_statistic(phases[phase], 0.5));
  }
  role.announce({PhaseKind::drain, 0});
  role.conclude();
  checker.finish(cycle);
  own.integrity = checker.counts();
  own.integrity.every_byte = options_.every_byte;
}

}  // namespace ipcmark
