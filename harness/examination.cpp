#include "harness/examination.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

#include "harness/descriptor.h"
#include "harness/futex.h"

namespace ipcmark {
namespace {

void refuse(ExaminationBoard& board, const std::string& reason) {
  const std::size_t length = std::min(reason.size(), sizeof board.refusal - 1);
  std::memcpy(board.refusal, reason.data(), length);
}

// ---- hardware counters ----

Descriptor open_event(std::uint64_t config, bool user_only) {
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_HARDWARE;
  attributes.config = config;
  attributes.disabled = 1;
  attributes.inherit = 1;
  attributes.exclude_kernel = user_only;
  attributes.exclude_hv = 1;
  attributes.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
  return Descriptor(
      static_cast<int>(::syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC)));
}

class Counters final : public TimedPartObserver {
 public:
  explicit Counters(ExaminationBoard& board) : board_(board) {
    constexpr std::array configs{PERF_COUNT_HW_CPU_CYCLES, PERF_COUNT_HW_INSTRUCTIONS,
                                 PERF_COUNT_HW_CACHE_MISSES, PERF_COUNT_HW_BRANCH_MISSES};
    static_assert(configs.size() == ExaminationBoard::names.size());
    int error = 0;
    for (std::size_t i = 0; i < configs.size(); ++i) {
      events_[i] = open_event(configs[i], board.user_only);
      if (!events_[i] && i == 0 && (errno == EACCES || errno == EPERM)) {
        board.user_only = true;
        events_[i] = open_event(configs[i], true);
      }
      if (!events_[i]) error = errno;
    }
    if (std::ranges::none_of(events_, [](const Descriptor& event) { return bool(event); })) {
      refuse(board, fmt::format("perf_event_open: {}{}", std::strerror(error),
                                error == ENOENT || error == EOPNOTSUPP
                                    ? " (no hardware counters here, as in many virtual machines)"
                                : error == EACCES || error == EPERM ? " (see kernel.perf_event_paranoid)"
                                                                    : ""));
    }
  }
  void begin() override { control(PERF_EVENT_IOC_ENABLE); }
  void end() override {
    control(PERF_EVENT_IOC_DISABLE);
    for (std::size_t i = 0; i < events_.size(); ++i) {
      struct {
        std::uint64_t count, enabled_ns, running_ns;
      } read{};
      if (!events_[i] || ::read(events_[i].get(), &read, sizeof read) != sizeof read || read.running_ns == 0)
        continue;
      // More events than the processor has counters take turns on them.
      board_.events[i] =
          static_cast<std::uint64_t>(static_cast<double>(read.count) * static_cast<double>(read.enabled_ns) /
                                     static_cast<double>(read.running_ns));
      board_.known[i] = true;
    }
  }

 private:
  void control(unsigned long request) {
    for (const Descriptor& event : events_) {
      if (event) ::ioctl(event.get(), request, 0);
    }
  }

  ExaminationBoard& board_;
  std::array<Descriptor, ExaminationBoard::names.size()> events_;
};

// ---- system calls ----

bool resume(pid_t tracee, int signal_number) {
  return ::ptrace(PTRACE_SYSCALL, tracee, 0, signal_number) == 0;
}

// Other roles take an end that nobody holds any more for the end of the stream.
void close_everything() {
  if (::close_range(0, ~0U, 0) == 0) return;
  // Before Linux 5.9.
  for (int descriptor = 0; descriptor < ::getdtablesize(); ++descriptor) ::close(descriptor);
}

// Ends with its parent. Stops are told apart as in ptrace(2), "Syscall-stops" and "PTRACE_EVENT stops".
[[noreturn]] void trace_parent(pid_t parent, ExaminationBoard& board) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  close_everything();
  const auto answer = [&board](std::uint32_t word) {
    board.tracing.store(word, std::memory_order_release);
    futex_wake(board.tracing);
  };
  while (board.tracing.load(std::memory_order_acquire) == 0) futex_wait(board.tracing, 0);
  constexpr unsigned long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
                                    PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC;
  if (::getppid() != parent || ::ptrace(PTRACE_SEIZE, parent, 0, options) != 0 ||
      ::ptrace(PTRACE_INTERRUPT, parent, 0, 0) != 0) {
    refuse(board, fmt::format("ptrace: {}", std::strerror(errno)));
    answer(3);
    ::_exit(1);
  }
  answer(2);
  int status = 0;
  for (pid_t tracee; (tracee = ::waitpid(-1, &status, __WALL)) > 0 || errno == EINTR;) {
    if (tracee <= 0) continue;
    if (!WIFSTOPPED(status)) {
      if (tracee == parent) break;
      continue;
    }
    const int signal_number = WSTOPSIG(status);
    const int event = status >> 16;
    if (signal_number == (SIGTRAP | 0x80)) {
      __ptrace_syscall_info info{};
      if (board.counting.load(std::memory_order_relaxed) != 0 &&
          ::ptrace(PTRACE_GET_SYSCALL_INFO, tracee, sizeof info, &info) > 0 &&
          info.op == PTRACE_SYSCALL_INFO_ENTRY) {
        ++board.calls[std::min<std::size_t>(info.entry.nr, board.calls.size() - 1)];
      }
      resume(tracee, 0);
    } else if (event == PTRACE_EVENT_STOP && signal_number != SIGTRAP) {
      ::ptrace(PTRACE_LISTEN, tracee, 0, 0);  // stopped by a signal, and to stay so until it may go on
    } else {
      resume(tracee, event != 0 ? 0 : signal_number);
    }
  }
  ::_exit(0);
}

class SystemCalls final : public TimedPartObserver {
 public:
  explicit SystemCalls(ExaminationBoard& board) : board_(board) {
    const pid_t self = ::getpid();
    const pid_t tracer = ::fork();
    if (tracer < 0) {
      refuse(board, fmt::format("fork of the tracer: {}", std::strerror(errno)));
      return;
    }
    if (tracer == 0) trace_parent(self, board);
    ::prctl(PR_SET_PTRACER, tracer);  // where only ancestors may trace (kernel.yama.ptrace_scope 1)
    board.tracing.store(1, std::memory_order_release);
    futex_wake(board.tracing);
    while (board.tracing.load(std::memory_order_acquire) == 1) futex_wait(board.tracing, 1);
  }
  void begin() override { board_.counting.store(1, std::memory_order_relaxed); }
  void end() override { board_.counting.store(0, std::memory_order_relaxed); }

 private:
  ExaminationBoard& board_;
};

}  // namespace

std::unique_ptr<TimedPartObserver> begin_examination(Examine examine, ExaminationBoard& board) {
  switch (examine) {
    case Examine::nothing:
      break;
    case Examine::counters:
      return std::make_unique<Counters>(board);
    case Examine::system_calls:
      return std::make_unique<SystemCalls>(board);
  }
  return nullptr;
}

std::string system_call_name(std::size_t number) {
  struct Name {
    std::size_t number;
    std::string_view name;
  };
  // What transports and waits use; the rest keeps its number.
  static constexpr Name names[] = {
      {SYS_read, "read"},
      {SYS_write, "write"},
      {SYS_readv, "readv"},
      {SYS_writev, "writev"},
      {SYS_io_uring_enter, "io_uring_enter"},
      {SYS_tee, "tee"},
      {SYS_vmsplice, "vmsplice"},
      {SYS_recvfrom, "recvfrom"},
      {SYS_sendto, "sendto"},
      {SYS_recvmsg, "recvmsg"},
      {SYS_sendmsg, "sendmsg"},
      {SYS_ppoll, "ppoll"},
      {SYS_epoll_pwait, "epoll_pwait"},
      {SYS_futex, "futex"},
      {SYS_sched_yield, "sched_yield"},
      {SYS_mq_timedsend, "mq_timedsend"},
      {SYS_mq_timedreceive, "mq_timedreceive"},
      {SYS_msgsnd, "msgsnd"},
      {SYS_msgrcv, "msgrcv"},
      {SYS_semop, "semop"},
      {SYS_semtimedop, "semtimedop"},
      {SYS_process_vm_readv, "process_vm_readv"},
      {SYS_process_vm_writev, "process_vm_writev"},
      {SYS_rt_sigtimedwait, "rt_sigtimedwait"},
      {SYS_rt_sigqueueinfo, "rt_sigqueueinfo"},
      {SYS_kill, "kill"},
      {SYS_close, "close"},
      {SYS_openat, "openat"},
      {SYS_mmap, "mmap"},
      {SYS_munmap, "munmap"},
      {SYS_clone, "clone"},
      {SYS_wait4, "wait4"},
      {SYS_socket, "socket"},
      {SYS_connect, "connect"},
      {SYS_accept4, "accept4"},
      {SYS_clock_gettime, "clock_gettime"},
      {SYS_clock_nanosleep, "clock_nanosleep"},
#ifdef SYS_poll
      {SYS_poll, "poll"},
#endif
#ifdef SYS_epoll_wait
      {SYS_epoll_wait, "epoll_wait"},
#endif
  };
  const auto* const found = std::ranges::find(names, number, &Name::number);
  return found != std::end(names) ? std::string(found->name) : fmt::format("system call {}", number);
}

}  // namespace ipcmark
