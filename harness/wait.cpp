#include "harness/wait.h"

#include <sched.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace ipcmark {

void ReadyWait::operator()(int fd) const {
  switch (wait_) {
    case Wait::spin:
      cpu_relax();
      return;
    case Wait::yield:
      ::sched_yield();
      return;
    case Wait::poll: {
      pollfd ready{fd, events_, 0};
      while (::poll(&ready, 1, -1) < 0) {
        if (errno != EINTR) {
          throw std::system_error(errno, std::generic_category(), "poll of descriptor " + std::to_string(fd));
        }
      }
      return;
    }
    default:
      throw std::logic_error("a descriptor cannot be waited for by " + std::string(to_string(wait_)));
  }
}

}  // namespace ipcmark
