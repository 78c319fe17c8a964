// What a launch lives in: PID, IPC and mount namespaces of its own with a private tmpfs where the kernel
// allows it, else nothing but care (namespaces(7), user_namespaces(7), ipc_namespaces(7)).
#pragma once

#include <string>

#include "harness/case.h"

namespace ipcmark {

struct Isolation {
  bool namespaces = false;      // pid + ipc + mount, and a private tmpfs at `directory`
  bool user_namespace = false;  // entered first, because this process may not make the others as it is
  std::string directory;  // where launches put their names; fresh tmpfs, or the folder for one's own folders
  std::string description;  // "pid+ipc+mount namespaces", or what stands in for them and why
};

// Tries, in a child that ends at once, what enter_isolation() does for these limits, and tells what is to be
// had. With IPCMARK_NO_NAMESPACES set in the environment it is as if the kernel refused. Throws
// std::system_error when not even a fork succeeds. For Limits::raised without namespaces the description is
// the reason why not.
Isolation probe_isolation(Limits limits);

// Called by a fresh child of the runner that is about to fork the launch's parent: moves into new namespaces;
// the *next* child is then process 1 of them. Nothing happens without namespaces. Throws std::system_error.
void enter_isolation(const Isolation& isolation);

// Called by that next child: mounts the private tmpfs and brings the new IPC namespace's limits to the
// host's, or raises them as far as the kernel lets anyone. Throws std::system_error; also when the host's
// limits cannot be set.
void settle_in(const Isolation& isolation, Limits limits);

// Where a file goes that is to lie on a disk: $TMPDIR, else /var/tmp, which is kept over reboots and so is no
// tmpfs (file-hierarchy(7)).
std::string disk_directory();

// "ipcmark-<pid of the launch's parent>-<16 random hexadecimal digits>": what `ipcmark clean` recognises.
std::string unique_name();
// This process as whoever mounted /proc numbers it: inside a PID namespace that has no /proc of its own, as
// those outside do. Throws std::system_error where there is no /proc.
std::string number_in_proc();
// As unique_name(), by that number: for what lies where others look too.
std::string unique_name_for_all();
// A key for System V objects with the recognisable upper 12 bits `sysv_key_prefix`, the rest random.
int unique_sysv_key();
inline constexpr unsigned sysv_key_prefix = 0x1bcu;

}  // namespace ipcmark
