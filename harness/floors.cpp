#include "harness/floors.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

#include "harness/batches.h"
#include "harness/payload.h"

namespace ipcmark {

namespace {

Floors::Touch touch_floor(std::uint64_t message_bytes) {
  constexpr unsigned batches = 9;
  const std::size_t calls = std::max<std::size_t>(1, 65'536 / message_bytes / 2);
  std::vector<std::byte> from(message_bytes), to(message_bytes);
  std::uint64_t sequence = 0;
  const double write_ns = median_call_ns(batches, calls, [&] { fill(from, 0, sequence++, Touch::full); });
  const double read_ns = median_call_ns(batches, calls, [&] { keep(read(from, Touch::full).sum); });
  const double memcpy_ns = median_call_ns(batches, calls, [&] {
    std::memcpy(to.data(), from.data(), from.size());
    keep(to.data());
  });
  return {message_bytes, write_ns, read_ns, memcpy_ns};
}

}  // namespace

Floors measure_floors(std::span<const std::uint64_t> message_sizes) {
  Floors floors;
  floors.clock_read_ns = clock_read_cost_ns();
  // By syscall(2), since the C library may answer getppid itself.
  floors.system_call_ns = median_call_ns(25, 1'000, [] { keep(::syscall(SYS_getppid)); });
  for (const std::uint64_t bytes : message_sizes) floors.touch.push_back(touch_floor(bytes));
  return floors;
}

}  // namespace ipcmark
