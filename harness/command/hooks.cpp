#include "harness/command/hooks.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "harness/clock.h"
#include "harness/descriptor.h"
#include "harness/text.h"

namespace ipcmark {
namespace {

[[noreturn]] void become_shell(const std::string& command, const HookSurroundings& surroundings) {
  setpgid(0, 0);
  const int nothing = open("/dev/null", O_RDONLY);
  dup2(nothing, STDIN_FILENO);
  dup2(STDERR_FILENO, STDOUT_FILENO);
  close_range(STDERR_FILENO + 1, ~0U, 0);
  setenv("IPCMARK_CASE", surroundings.case_id.c_str(), 1);
  setenv("IPCMARK_ROUND", std::to_string(surroundings.round).c_str(), 1);
  setenv("IPCMARK_PIDS", fmt::format("{}", fmt::join(surroundings.roles, ",")).c_str(), 1);
  setenv("IPCMARK_CPUS", fmt::format("{}", fmt::join(surroundings.os_processors, ",")).c_str(), 1);
  execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
  _exit(127);
}

// Until the process has ended; false when it may not go on.
bool wait_for(int pidfd, int interrupt_fd, std::uint64_t limit_ns) {
  const std::uint64_t deadline_ns = now_ns() + limit_ns;
  std::array<pollfd, 2> events{pollfd{pidfd, POLLIN, 0}, pollfd{interrupt_fd, POLLIN, 0}};
  for (;;) {
    const std::uint64_t at_ns = now_ns();
    if (at_ns >= deadline_ns) return false;
    const auto left_ms = static_cast<int>((deadline_ns - at_ns) / 1'000'000) + 1;
    if (poll(events.data(), events.size(), left_ms) <= 0) continue;
    if (events[0].revents != 0) return true;
    if (events[1].revents != 0) return false;
  }
}

}  // namespace

HookRun run_hook(std::string_view option, const std::string& command, const HookSurroundings& surroundings,
                 int interrupt_fd, std::uint64_t limit_ns) {
  const std::uint64_t begin_ns = now_ns();
  const auto ended = [&](std::string problem) {
    return HookRun{std::string(option), now_ns() - begin_ns, std::move(problem)};
  };
  const pid_t shell = fork();
  if (shell == 0) become_shell(command, surroundings);
  if (shell < 0) return ended(fmt::format("fork: {}", std::strerror(errno)));
  setpgid(shell, shell);  // here too, so that it is done when either of them goes on
  // Not pidfd_open(): glibc 2.36 declares it without extern "C".
  const Descriptor pidfd(static_cast<int>(syscall(SYS_pidfd_open, shell, 0)));
  const bool over = wait_for(pidfd.get(), interrupt_fd, limit_ns);
  if (!over) kill(-shell, SIGKILL);
  int status = 0;
  while (waitpid(shell, &status, 0) < 0 && errno == EINTR) {
  }
  if (!over) {
    return ended(now_ns() - begin_ns >= limit_ns
                     ? fmt::format("not over after {}, killed", format_ns(static_cast<double>(limit_ns)))
                     : "killed, because the run was interrupted");
  }
  if (WIFSIGNALED(status)) return ended(fmt::format("killed by signal {}", WTERMSIG(status)));
  return ended(WEXITSTATUS(status) == 0 ? "" : fmt::format("exit status {}", WEXITSTATUS(status)));
}

}  // namespace ipcmark
