#include "harness/cleanup.h"

#include <fmt/format.h>
#include <mqueue.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <sstream>
#include <string_view>
#include <system_error>

#include "harness/isolation.h"

namespace ipcmark {
namespace {

namespace fs = std::filesystem;

bool is_alive(long pid) { return pid > 0 && (kill(static_cast<pid_t>(pid), 0) == 0 || errno == EPERM); }

// The pid inside "ipcmark-<pid>-<hexadecimal>"; 0 for any other name.
long maker_of(std::string_view name) {
  constexpr std::string_view prefix = "ipcmark-";
  if (!name.starts_with(prefix)) return 0;
  name.remove_prefix(prefix.size());
  long pid = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
  return error == std::errc() && end != name.data() + name.size() && *end == '-' ? pid : 0;
}

bool is_mine(const fs::path& path) {
  struct stat status;
  return lstat(path.c_str(), &status) == 0 && status.st_uid == geteuid();
}

void sweep_folder(const fs::path& folder, std::string_view what, std::vector<std::string>& removed) {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename();
    const long maker = maker_of(name);
    if (maker == 0 || is_alive(maker) || !is_mine(entry.path())) continue;
    if (fs::remove_all(entry.path(), ignored) > 0)
      removed.push_back(fmt::format("{} {}", what, entry.path().string()));
  }
}

void sweep_posix_queues(std::vector<std::string>& removed) {
  std::ifstream mounts("/proc/self/mounts");
  bool seen = false;
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream fields(line);
    std::string source, folder, type;
    fields >> source >> folder >> type;
    if (type != "mqueue") continue;
    seen = true;
    sweep_folder(folder, "POSIX message queue", removed);
  }
  if (!seen)
    removed.push_back(
        "(POSIX message queues: no mqueue file system is mounted, so none could be looked for)");
}

// /proc/sysvipc/{msg,sem,shm}: a header line that names the columns, then a row an object (proc(5)).
template <class Remove>
void sweep_sysv(const char* table, std::string_view what, const char* id_column,
                std::initializer_list<std::string_view> pid_columns, long youngest_s, Remove remove,
                std::vector<std::string>& removed) {
  std::ifstream file(table);
  std::string header;
  std::getline(file, header);
  for (std::string line; std::getline(file, line);) {
    std::istringstream names(header), values(line);
    long key = 0, id = -1, uid = -1, changed = 0;
    bool in_use = false;
    std::string column;
    for (long value; names >> column && values >> value;) {
      if (column == "key") key = value;
      if (column == id_column) id = value;
      if (column == "uid") uid = value;
      if (column == "ctime") changed = value;
      for (std::string_view pid_column : pid_columns)
        in_use = in_use || (column == pid_column && is_alive(value));
    }
    const bool ours = (static_cast<unsigned long>(key) & 0xffffffffu) >> 20 == sysv_key_prefix;
    if (!ours || in_use || uid != static_cast<long>(geteuid()) || std::time(nullptr) - changed < youngest_s)
      continue;
    if (remove(static_cast<int>(id)) == 0) removed.push_back(fmt::format("{} {} (key {:#x})", what, id, key));
  }
}

}  // namespace

std::vector<std::string> remove_leftovers() {
  std::vector<std::string> removed;
  sweep_folder("/dev/shm", "shared memory", removed);
  sweep_folder("/tmp", "folder", removed);
  sweep_folder("/var/tmp", "file", removed);
  if (const char* chosen = std::getenv("TMPDIR"); chosen != nullptr && *chosen == '/') {
    sweep_folder(chosen, "folder", removed);
  }
  sweep_posix_queues(removed);
  // A queue does not tell who made it: a young one may belong to a launch that has not sent yet.
  constexpr long youngest_queue_s = 60;
  sweep_sysv(
      "/proc/sysvipc/msg", "System V message queue", "msqid", {"lspid", "lrpid"}, youngest_queue_s,
      [](int id) { return msgctl(id, IPC_RMID, nullptr); }, removed);
  sweep_sysv(
      "/proc/sysvipc/shm", "System V shared memory", "shmid", {"cpid", "lpid"}, 0,
      [](int id) { return shmctl(id, IPC_RMID, nullptr); }, removed);
  // The table names no process, but the semaphore knows who touched it last; at first, who made it.
  sweep_sysv(
      "/proc/sysvipc/sem", "System V semaphore", "semid", {}, 0,
      [](int id) { return is_alive(semctl(id, 0, GETPID)) ? -1 : semctl(id, 0, IPC_RMID); }, removed);
  return removed;
}

}  // namespace ipcmark
