#include "harness/wait.h"

#include <sched.h>
#include <sys/epoll.h>

#include <cerrno>
#include <stdexcept>
#include <string>

#include "harness/fail.h"

namespace ipcmark {

// poll's events have the same values in epoll's.
static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT);

void ReadyWait::watch(int fd) {
  Descriptor epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) fail("epoll_create1");
  epoll_event wanted{};
  wanted.events = static_cast<std::uint32_t>(events_);
  if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &wanted) != 0) {
    fail("epoll_ctl(EPOLL_CTL_ADD) of descriptor " + std::to_string(fd));
  }
  epoll_ = std::move(epoll);
}

void ReadyWait::operator()(int fd) {
  switch (wait_) {
    case Wait::spin:
      cpu_relax();
      return;
    case Wait::yield:
      ::sched_yield();
      return;
    case Wait::poll: {
      pollfd ready{fd, events_, 0};
      while (::poll(&ready, 1, timeout_ms_.value_or(-1)) < 0) {
        if (errno != EINTR) fail("poll of descriptor " + std::to_string(fd));
      }
      return;
    }
    case Wait::epoll: {
      if (!epoll_) watch(fd);
      epoll_event ready;
      while (epoll_wait(epoll_.get(), &ready, 1, timeout_ms_.value_or(-1)) < 0) {
        if (errno != EINTR) fail("epoll_wait for descriptor " + std::to_string(fd));
      }
      return;
    }
    case Wait::block:
      if (timeout_ms_) return;
      [[fallthrough]];
    default:
      throw std::logic_error("a descriptor cannot be waited for by " + std::string(to_string(wait_)));
  }
}

}  // namespace ipcmark
