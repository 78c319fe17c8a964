// What the kernel says a thread is doing just now.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <string_view>

#include "harness/descriptor.h"
#include "harness/fail.h"

namespace ipcmark {

// Of the thread that makes it; any thread of the process may ask. Throws std::system_error without /proc.
class ThreadState {
 public:
  ThreadState() : stat_(::open("/proc/thread-self/stat", O_RDONLY | O_CLOEXEC)) {
    if (!stat_) fail("open /proc/thread-self/stat");
  }

  // In a sleep that an event must end: state S of proc_pid_stat(5). One that could run but has no processor
  // is not (R), nor one that waits for a page from a disk (D) or was stopped (T).
  bool sleeps() const {
    std::array<char, 256> text;  // the number, the name of at most 64 bytes in parentheses, the state
    const ssize_t got = ::pread(stat_.get(), text.data(), text.size(), 0);
    if (got <= 0) fail("pread /proc/thread-self/stat");
    const std::string_view line(text.data(), static_cast<std::size_t>(got));
    const std::size_t name_end = line.rfind(") ");  // what follows the name are numbers and one letter
    return name_end != std::string_view::npos && line.substr(name_end + 2, 1) == "S";
  }

 private:
  Descriptor stat_;
};

}  // namespace ipcmark
