#include "harness/cgroup.h"

#include <algorithm>
#include <string_view>

#include "harness/files.h"
#include "harness/text.h"

namespace ipcmark {
namespace {

bool has_word(std::string_view text, std::string_view word) {
  return std::ranges::count(split(text, ','), word) > 0;
}

struct Mount {
  std::string root, point, type, super_options;
};

// proc_pid_mountinfo(5): "36 35 98:0 ROOT POINT options optional-fields - TYPE source SUPER-OPTIONS"
std::vector<Mount> mounts(const Files& files) {
  std::vector<Mount> mounts;
  for (const std::string& line : files.lines("/proc/self/mountinfo")) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    const std::vector<std::string_view> before = split(std::string_view(line).substr(0, dash), ' ');
    const std::vector<std::string_view> after = split(std::string_view(line).substr(dash + 3), ' ');
    if (before.size() >= 5 && after.size() >= 3)
      mounts.push_back(
          {std::string(before[3]), std::string(before[4]), std::string(after[0]), std::string(after[2])});
  }
  return mounts;
}

// What a cgroup v2 cpu.max ("150000 100000") or v1 pair of files grants.
std::optional<double> quota_of(const Files& files, const std::string& folder, bool version_2) {
  std::string quota, period;
  if (version_2) {
    const std::string text = files.read(folder + "/cpu.max").value_or("");
    const std::size_t blank = text.find(' ');
    if (blank == std::string::npos) return std::nullopt;
    quota = text.substr(0, blank);
    period = text.substr(blank + 1);
  } else {
    quota = files.read(folder + "/cpu.cfs_quota_us").value_or("");
    period = files.read(folder + "/cpu.cfs_period_us").value_or("");
  }
  const auto granted = parse_number(quota), of = parse_number(period);  // "max" and "-1" are no numbers
  if (!granted || !of || *of == 0) return std::nullopt;
  return static_cast<double>(*granted) / static_cast<double>(*of);
}

}  // namespace

std::optional<std::vector<CpuCgroup>> cpu_cgroups(const std::filesystem::path& root) {
  const Files files(root);
  const std::vector<Mount> all_mounts = mounts(files);
  std::optional<std::vector<CpuCgroup>> groups;
  for (const std::string& line : files.lines("/proc/self/cgroup")) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    const bool version_2 = controllers.empty();
    if (!version_2 && !has_word(controllers, "cpu")) continue;
    for (const Mount& mount : all_mounts) {
      if (version_2 ? mount.type != "cgroup2"
                    : mount.type != "cgroup" || !has_word(mount.super_options, "cpu"))
        continue;
      if (!groups) groups.emplace();
      // Inside a container the mount's root may be a cgroup further down than the path in /proc/self/cgroup
      // starts.
      const std::string mounted = mount.root == "/" ? "" : mount.root;
      const bool below = path.starts_with(mounted + "/") && path.find("/..") == std::string::npos;
      std::string folder = mount.point;
      if (below && path.size() > mounted.size() + 1) folder += path.substr(mounted.size());
      for (;; folder.erase(folder.rfind('/'))) {
        groups->push_back({folder, quota_of(files, folder, version_2)});
        if (folder.size() <= mount.point.size()) break;
      }
      break;
    }
  }
  return groups;
}

}  // namespace ipcmark
