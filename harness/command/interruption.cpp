#include "harness/command/interruption.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <system_error>

namespace ipcmark {
namespace {

std::atomic<int> told_through{-1};
static_assert(std::atomic<int>::is_always_lock_free);  // it is read in a signal handler

void tell(int) {
  const int saved_errno = errno;
  const char byte = 1;
  [[maybe_unused]] const ssize_t written = ::write(told_through.load(), &byte, 1);
  errno = saved_errno;
}

}  // namespace

Interruption::Interruption() {
  std::array<int, 2> ends;
  if (pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
    throw std::system_error(errno, std::generic_category(), "pipe2 for signals");
  }
  read_end_.reset(ends[0]);
  write_end_.reset(ends[1]);
  told_through.store(write_end_.get());
  struct sigaction action {};
  action.sa_handler = tell;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

Interruption::~Interruption() {
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
  told_through.store(-1);
}

bool Interruption::requested() const {
  pollfd event{read_end_.get(), POLLIN, 0};
  return poll(&event, 1, 0) > 0;
}

}  // namespace ipcmark
