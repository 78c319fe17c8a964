#include "harness/pipe_ends.h"

#include <fmt/format.h>

#include <climits>
#include <cstring>

#include "harness/refusals.h"

namespace ipcmark {

void set_pipe_capacity(std::string_view transport, int fd, const Capacity& capacity,
                       std::size_t message_bytes) {
  require_buffered(transport, capacity);
  if (capacity.kind == Capacity::Kind::standard) return;
  const bool too_many = capacity.messages > static_cast<std::uint64_t>(INT_MAX) / message_bytes;
  if (!too_many && fcntl(fd, F_SETPIPE_SZ, static_cast<int>(capacity.messages * message_bytes)) >= 0) return;
  throw Unsupported(
      fmt::format("{}: a buffer of {} messages of {} B was refused ({}); fs.pipe-max-size and "
                  "fs.pipe-user-pages-soft bound it for ordinary users",
                  transport, capacity.messages, message_bytes, too_many ? "over 2 GiB" : strerror(errno)));
}

CapacityFacts::Limit pipe_limit(int fd) {
  const int bytes = fcntl(fd, F_GETPIPE_SZ);
  if (bytes < 0) throw std::system_error(errno, std::generic_category(), "fcntl(F_GETPIPE_SZ)");
  return {static_cast<std::uint64_t>(bytes), "bytes", "F_GETPIPE_SZ"};
}

}  // namespace ipcmark
