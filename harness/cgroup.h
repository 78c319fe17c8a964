// The control groups that may stop this process when a quota of processor time is used up.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace ipcmark {

struct CpuCgroup {
  std::string folder;                // "/sys/fs/cgroup/user.slice"
  std::optional<double> quota_cpus;  // processors per period: 1.5; nullopt: none
};

// This process's group and those above it, up to the mount's own: each level limits those below (cgroups(7),
// versions 1 and 2). nullopt when no hierarchy that could limit is mounted. Reads `root`/proc and `root`/sys;
// no errors.
std::optional<std::vector<CpuCgroup>> cpu_cgroups(const std::filesystem::path& root = "/");

}  // namespace ipcmark
