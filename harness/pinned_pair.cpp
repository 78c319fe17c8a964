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
    std::array<int, 2> ends;
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
      throw std::system_error(errno, std::generic_category(), "pipe2");
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ == 0) be_child(parent, os_pu, body, outcome);
    const int fork_errno = errno;
    ::close(ends[1]);  // only the child holds it now
    end_ = ends[0];
    if (pid_ < 0) {
      ::close(end_);
      throw std::system_error(fork_errno, std::generic_category(), "fork");
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
    ::close(end_);
  }

  // Hangs up when the child has ended.
  int end() const { return end_; }

 private:
  pid_t pid_;
  int end_;
};

// Returns when both children have ended, one has ended without success, or the deadline has passed (then
// false).
bool wait_for(const std::array<const Child*, 2>& children, const std::array<Outcome, 2>& outcomes,
              std::uint64_t deadline_ns) {
  // No events are asked for: a hang-up is always reported. poll(2) passes over a negative descriptor.
  std::array<pollfd, 2> ends{{{children[0]->end(), 0, 0}, {children[1]->end(), 0, 0}}};
  while (ends[0].fd >= 0 || ends[1].fd >= 0) {
    const std::uint64_t now = now_ns();
    if (now >= deadline_ns) return false;
    const int left_ms = static_cast<int>((deadline_ns - now) / 1'000'000) + 1;
    if (::poll(ends.data(), ends.size(), left_ms) < 0 && errno != EINTR) {
      throw std::system_error(errno, std::generic_category(), "poll");
    }
    for (std::size_t i = 0; i < 2; ++i) {
      if (ends[i].fd < 0 || (ends[i].revents & POLLHUP) == 0) continue;
      if (!outcomes[i].succeeded) return true;
      ends[i].fd = -1;
    }
  }
  return true;
}

}  // namespace

void run_pinned_pair(int first_os_pu, const std::function<bool()>& first, int second_os_pu,
                     const std::function<bool()>& second, std::uint64_t timeout_ns) {
  const SharedPages<std::array<Outcome, 2>> outcomes;
  bool in_time = false;
  {
    const Child first_child(first_os_pu, first, (*outcomes)[0]);
    const Child second_child(second_os_pu, second, (*outcomes)[1]);
    in_time = wait_for({&first_child, &second_child}, *outcomes, now_ns() + timeout_ns);
  }
  const std::array<int, 2> pus{first_os_pu, second_os_pu};
  for (std::size_t i = 0; i < 2; ++i) {
    if (const int error = (*outcomes)[i].pin_errno; error != 0) {
      throw std::system_error(error, std::generic_category(),
                              "sched_setaffinity to processor " + std::to_string(pus[i]));
    }
  }
  if (!(*outcomes)[0].succeeded || !(*outcomes)[1].succeeded) {
    throw std::runtime_error("the helper processes on processors " + std::to_string(first_os_pu) + " and " +
                             std::to_string(second_os_pu) +
                             (in_time ? ": one of them failed" : " did not come to an end in time"));
  }
}

}  // namespace ipcmark
