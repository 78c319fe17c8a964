#include "harness/pipe_ends.h"

#include <fmt/format.h>

#include <climits>
#include <cstring>

#include "harness/refusals.h"

namespace ipcmark {
namespace {

// A write begins in the last page used only if its odd bytes (count modulo the page) fit there whole
// (fs/pipe.c): so a page holds whole small messages, and a large one may begin a page of its own. What has
// been read of a page is room only once all of it has: the first message may be the last of its page.
// Saturates.
std::uint64_t bytes_for(std::uint64_t messages, std::size_t message_bytes) {
  const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  std::uint64_t pages;
  if (message_bytes <= page) {
    const std::uint64_t messages_a_page = page / message_bytes, others = messages - 1;
    pages = others / messages_a_page + (others % messages_a_page != 0);
    if (__builtin_add_overflow(pages, 1, &pages)) return UINT64_MAX;
  } else if (__builtin_mul_overflow(messages, (message_bytes + page - 1) / page, &pages)) {
    return UINT64_MAX;
  }
  return pages > UINT64_MAX / page ? UINT64_MAX : pages * page;
}

}  // namespace

void set_pipe_capacity(std::string_view transport, int fd, const Capacity& capacity,
                       std::size_t message_bytes) {
  require_buffered(transport, capacity, "it holds what F_SETPIPE_SZ sets, at most fs.pipe-max-size bytes");
  if (capacity.kind == Capacity::Kind::standard) return;
  const std::uint64_t bytes = bytes_for(capacity.messages, message_bytes);
  if (bytes <= INT_MAX && fcntl(fd, F_SETPIPE_SZ, static_cast<int>(bytes)) >= 0) return;
  throw Unsupported(fmt::format(
      "{}: a buffer of {} messages of {} B was refused ({}); fs.pipe-max-size and "
      "fs.pipe-user-pages-soft bound it for ordinary users",
      transport, capacity.messages, message_bytes, bytes > INT_MAX ? "over 2 GiB" : strerror(errno)));
}

CapacityFacts::Limit pipe_limit(int fd) {
  const int bytes = fcntl(fd, F_GETPIPE_SZ);
  if (bytes < 0) throw std::system_error(errno, std::generic_category(), "fcntl(F_GETPIPE_SZ)");
  return {static_cast<std::uint64_t>(bytes), "bytes", "F_GETPIPE_SZ"};
}

}  // namespace ipcmark
