// Test helper: two processors this process may run on.
#pragma once

#include <sched.h>

#include <utility>

namespace ipcmark {

// OS indexes of the first and the last; the same one twice when there is only one.
inline std::pair<int, int> first_and_last_allowed_pu() {
  cpu_set_t set;
  CPU_ZERO(&set);
  ::sched_getaffinity(0, sizeof set, &set);
  int first = -1, last = -1;
  for (int pu = 0; pu < CPU_SETSIZE; ++pu) {
    if (!CPU_ISSET(static_cast<std::size_t>(pu), &set)) continue;
    if (first < 0) first = pu;
    last = pu;
  }
  return {first, last};
}

}  // namespace ipcmark
