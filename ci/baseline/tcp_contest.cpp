#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "ci/baseline/kernel_contest.h"

namespace ipcmark::accuracy {
namespace {

BareLink bare_tcp() {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (listener < 0 || bind(listener, generic, length) != 0 || listen(listener, 1) != 0 ||
      getsockname(listener, generic, &length) != 0) {
    fail_bare("listen on loopback");
  }
  const int active = socket(AF_INET, SOCK_STREAM, 0);
  if (active < 0 || connect(active, generic, length) != 0) fail_bare("connect to loopback");
  const int passive = accept(listener, nullptr, nullptr);
  if (passive < 0) fail_bare("accept on loopback");
  close(listener);
  const int on = 1;
  for (const int end : {active, passive}) {
    if (setsockopt(end, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) fail_bare("setsockopt(TCP_NODELAY)");
  }
  return {active, active, passive, passive};
}

}  // namespace

std::unique_ptr<Contest> tcp_contest() { return std::make_unique<KernelContest<AnyDuplex>>("tcp", bare_tcp); }

}  // namespace ipcmark::accuracy
