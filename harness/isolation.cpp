#include "harness/isolation.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <map>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "harness/descriptor.h"
#include "harness/fail.h"

namespace ipcmark {
namespace {

// Per IPC namespace, with the largest value that the kernel lets its owner set (mq_overview(7); msgmnb and
// msgmax are bounded only by int). What is only a default stays the host's.
struct IpcLimit {
  const char* path;
  const char* raised;
};
constexpr std::array ipc_limits{
    IpcLimit{"/proc/sys/fs/mqueue/msg_max", "65536"},
    IpcLimit{"/proc/sys/fs/mqueue/msgsize_max", "16777216"},
    IpcLimit{"/proc/sys/fs/mqueue/queues_max", "256"},
    IpcLimit{"/proc/sys/fs/mqueue/msg_default", nullptr},
    IpcLimit{"/proc/sys/kernel/msgmax", "16777216"},
    IpcLimit{"/proc/sys/kernel/msgmnb", "268435456"},
    IpcLimit{"/proc/sys/kernel/msgmni", "32000"},
    IpcLimit{"/proc/sys/kernel/shmmax", "18446744073692774399"},
    IpcLimit{"/proc/sys/kernel/shmall", "18446744073692774399"},
    IpcLimit{"/proc/sys/kernel/shmmni", "4096"},
    IpcLimit{"/proc/sys/kernel/sem", "32000\t1024000000\t500\t32000"},
};

std::optional<std::string> read_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  return line;
}

// Read before the first namespace is made, inherited by every child.
const std::map<std::string, std::string>& host_limits() {
  static const std::map<std::string, std::string> values = [] {
    std::map<std::string, std::string> read;
    for (const IpcLimit& limit : ipc_limits) {
      if (std::optional<std::string> value = read_line(limit.path)) read.emplace(limit.path, *value);
    }
    return read;
  }();
  return values;
}

void write_file(const char* path, std::string_view text) {
  Descriptor file(open(path, O_WRONLY | O_CLOEXEC));
  if (!file) fail(fmt::format("open {}", path));
  if (write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    fail(fmt::format("write '{}' to {}", text, path));
  }
}

void copy_host_limit(const IpcLimit& limit) {
  const auto host = host_limits().find(limit.path);
  if (host == host_limits().end() || read_line(limit.path) == host->second) return;
  write_file(limit.path, host->second);
}

// As far as this kernel lets the namespace's owner: the files that it keeps closed stay at their defaults,
// which the transports read for themselves. Throws only if none could be raised.
void raise_limits() {
  std::optional<std::system_error> refusal;
  unsigned raised = 0;
  for (const IpcLimit& limit : ipc_limits) {
    try {
      if (limit.raised == nullptr) {
        copy_host_limit(limit);
      } else {
        write_file(limit.path, limit.raised);
        ++raised;
      }
    } catch (const std::system_error& error) {
      if (!refusal) refusal = error;
    }
  }
  if (raised == 0 && refusal) throw *refusal;
  // Only with CAP_SYS_RESOURCE; without it a large POSIX queue is refused when opened, and says so.
  const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
  setrlimit(RLIMIT_MSGQUEUE, &unlimited);
}

std::string try_namespaces(const Isolation& wanted, Limits limits) {
  std::array<int, 2> ends;
  if (pipe2(ends.data(), O_CLOEXEC) != 0) fail("pipe2 for the isolation probe");
  Descriptor read_end(ends[0]), write_end(ends[1]);
  const auto report_and_exit = [&](const char* reason) {
    const ssize_t written = write(write_end.get(), reason, strlen(reason));
    _exit(written < 0 ? 2 : 0);
  };
  const pid_t outer = fork();
  if (outer < 0) fail("fork for the isolation probe");
  if (outer == 0) {
    try {
      enter_isolation(wanted);
      const pid_t inner = fork();
      if (inner < 0) fail("fork into the new PID namespace");
      if (inner == 0) {
        try {
          settle_in(wanted, limits);
          report_and_exit("granted");
        } catch (const std::exception& error) {
          report_and_exit(error.what());
        }
      }
      waitpid(inner, nullptr, 0);
      _exit(0);
    } catch (const std::exception& error) {
      report_and_exit(error.what());
    }
  }
  write_end.reset();
  std::string answer;
  std::array<char, 512> chunk;
  for (ssize_t got;
       (got = ::read(read_end.get(), chunk.data(), chunk.size())) > 0 || (got < 0 && errno == EINTR);) {
    if (got > 0) answer.append(chunk.data(), static_cast<std::size_t>(got));
  }
  while (waitpid(outer, nullptr, 0) < 0 && errno == EINTR) {
  }
  return answer.empty() ? "the probe died" : answer;
}

std::string temporary_directory() {
  const char* chosen = std::getenv("TMPDIR");
  return chosen != nullptr && *chosen == '/' ? chosen : "/tmp";
}

std::uint64_t random_bits() {
  std::uint64_t bits;
  if (getrandom(&bits, sizeof bits, 0) != sizeof bits) fail("getrandom");
  return bits;
}

}  // namespace

Isolation probe_isolation(Limits limits) {
  host_limits();
  std::string reason = "IPCMARK_NO_NAMESPACES is set";
  if (std::getenv("IPCMARK_NO_NAMESPACES") == nullptr) {
    for (const bool user_namespace : {false, true}) {
      for (const char* mount_point : {"/dev/shm", "/tmp"}) {
        if (access(mount_point, F_OK) != 0) continue;
        Isolation wanted{
            .namespaces = true,
            .user_namespace = user_namespace,
            .directory = mount_point,
            .description = user_namespace ? "user+pid+ipc+mount namespaces" : "pid+ipc+mount namespaces"};
        const std::string answer = try_namespaces(wanted, limits);
        if (answer == "granted") return wanted;
        reason = answer;
      }
    }
  }
  return {.namespaces = false,
          .user_namespace = false,
          .directory = temporary_directory(),
          .description = fmt::format("no namespaces ({}): random names, mode 0600, subreaper", reason)};
}

void enter_isolation(const Isolation& isolation) {
  if (!isolation.namespaces) return;
  const uid_t uid = geteuid();
  const gid_t gid = getegid();
  int flags = CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNS;
  if (isolation.user_namespace) flags |= CLONE_NEWUSER;
  if (unshare(flags) != 0) fail("unshare");
  if (isolation.user_namespace) {
    write_file("/proc/self/setgroups", "deny");
    // Root inside: the IPC limits' files belong to the namespace's root.
    write_file("/proc/self/uid_map", fmt::format("0 {} 1", uid));
    write_file("/proc/self/gid_map", fmt::format("0 {} 1", gid));
  }
}

void settle_in(const Isolation& isolation, Limits limits) {
  if (!isolation.namespaces) {
    if (limits == Limits::raised) {
      throw std::runtime_error("limits can be raised only inside an IPC namespace: " + isolation.description);
    }
    return;
  }
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) fail("mount / private");
  if (mount("ipcmark", isolation.directory.c_str(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") !=
      0) {
    fail("mount tmpfs on " + isolation.directory);
  }
  if (limits == Limits::raised) {
    raise_limits();
  } else {
    for (const IpcLimit& limit : ipc_limits) copy_host_limit(limit);
  }
}

std::string disk_directory() {
  const char* const chosen = std::getenv("TMPDIR");
  return chosen != nullptr && *chosen == '/' ? chosen : "/var/tmp";
}

std::string unique_name() { return fmt::format("ipcmark-{}-{:016x}", getpid(), random_bits()); }

std::string number_in_proc() {
  std::array<char, 32> number{};
  if (readlink("/proc/self", number.data(), number.size() - 1) < 0) fail("readlink /proc/self");
  return number.data();
}

std::string unique_name_for_all() {
  return fmt::format("ipcmark-{}-{:016x}", number_in_proc(), random_bits());
}

int unique_sysv_key() {
  return static_cast<int>(sysv_key_prefix << 20 | static_cast<unsigned>(random_bits() & 0xfffffu));
}

}  // namespace ipcmark
