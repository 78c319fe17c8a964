#include "harness/pinned_pair.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <stdexcept>
#include <string>

#include "harness/clock.h"

namespace ipcmark {

namespace {

struct Outcome {
  std::atomic<int> pin_errno{0};
  std::atomic<bool> succeeded{false};
};

int pin_this_process(int os_pu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (os_pu < 0 || os_pu >= CPU_SETSIZE) return EINVAL;
  CPU_SET(static_cast<std::size_t>(os_pu), &set);
  return ::sched_setaffinity(0, sizeof set, &set) == 0 ? 0 : errno;
}

[[noreturn]] void be_child(pid_t parent, int os_pu, const std::function<bool()>& body, Outcome& outcome) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  try {
    outcome.pin_errno = pin_this_process(os_pu);
    if (outcome.pin_errno == 0) outcome.succeeded = body();
  } catch (...) {
  }
  ::_exit(0);
}

class Child {
 public:
  Child(int os_pu, const std::function<bool()>& body, Outcome& outcome) {
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (pid_ == 0) be_child(parent, os_pu, body, outcome);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }

 private:
  pid_t pid_;
};

// Closes both ends whatever happens. The children inherit them, so the read end hangs up when the last child
// ends.
struct EndOfChildren {
  EndOfChildren() {
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
      throw std::system_error(errno, std::generic_category(), "pipe2");
  }
  EndOfChildren(const EndOfChildren&) = delete;
  EndOfChildren& operator=(const EndOfChildren&) = delete;
  ~EndOfChildren() {
    close_write_end();
    ::close(ends[0]);
  }
  void close_write_end() {
    if (ends[1] >= 0) ::close(ends[1]);
    ends[1] = -1;
  }
  bool wait_until(std::uint64_t deadline_ns) {
    pollfd end{ends[0], 0, 0};  // POLLHUP is always reported
    for (;;) {
      const std::uint64_t now = now_ns();
      if (now >= deadline_ns) return false;
      const int left_ms = static_cast<int>((deadline_ns - now) / 1'000'000) + 1;
      const int ready = ::poll(&end, 1, left_ms);
      if (ready > 0) return true;
      if (ready < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "poll");
    }
  }

  std::array<int, 2> ends{-1, -1};
};

}  // namespace

void run_pinned_pair(int first_os_pu, const std::function<bool()>& first, int second_os_pu,
                     const std::function<bool()>& second, std::uint64_t timeout_ns) {
  const SharedPages<std::array<Outcome, 2>> outcomes;
  EndOfChildren end;
  bool in_time = false;
  {
    const Child first_child(first_os_pu, first, (*outcomes)[0]);
    const Child second_child(second_os_pu, second, (*outcomes)[1]);
    end.close_write_end();
    in_time = end.wait_until(now_ns() + timeout_ns);
  }
  const std::array<int, 2> pus{first_os_pu, second_os_pu};
  for (std::size_t i = 0; i < 2; ++i) {
    if (const int error = (*outcomes)[i].pin_errno; error != 0) {
      throw std::system_error(error, std::generic_category(),
                              "sched_setaffinity to processor " + std::to_string(pus[i]));
    }
  }
  for (std::size_t i = 0; i < 2; ++i) {
    if (!(*outcomes)[i].succeeded) {
      throw std::runtime_error("the helper process on processor " + std::to_string(pus[i]) +
                               (in_time ? " failed" : " did not come to an end in time"));
    }
  }
}

}  // namespace ipcmark
