#include <sys/socket.h>

#include "ci/baseline/kernel_contest.h"

namespace ipcmark::accuracy {
namespace {

BareLink bare_socket_pair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) fail_bare("socketpair");
  return {ends[0], ends[0], ends[1], ends[1]};
}

}  // namespace

std::unique_ptr<Contest> unix_stream_contest() {
  return std::make_unique<KernelContest<AnyDuplex>>("unix_stream", bare_socket_pair);
}

}  // namespace ipcmark::accuracy
