// Two short-lived processes on two given processors, for the small measurements made before any launch.
#pragma once

#include <sys/mman.h>

#include <cerrno>
#include <cstdint>
#include <functional>
#include <new>
#include <system_error>
#include <type_traits>

namespace ipcmark {

// A T on pages of its own that forked processes share. Throws std::system_error.
template <class T>
class SharedPages {
  static_assert(std::is_trivially_destructible_v<T>);

 public:
  SharedPages() {
    void* const pages = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap of shared pages");
    object_ = new (pages) T;
  }
  SharedPages(const SharedPages&) = delete;
  SharedPages& operator=(const SharedPages&) = delete;
  ~SharedPages() { ::munmap(object_, sizeof(T)); }

  T& operator*() const { return *object_; }
  T* operator->() const { return object_; }

 private:
  T* object_;
};

// Forks twice, pins each child to its processor (OS indexes; the same one twice is allowed) and runs the
// functions there. Returns when both have returned true. The children die with this process and never outlive
// the call. Throws std::system_error when a processor cannot be had, std::runtime_error when a function says
// false, throws, dies, or time is up.
void run_pinned_pair(int first_os_pu, const std::function<bool()>& first, int second_os_pu,
                     const std::function<bool()>& second, std::uint64_t timeout_ns);

}  // namespace ipcmark
