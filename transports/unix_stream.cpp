// unix(7), SOCK_STREAM: a byte stream both ways between two processes of a machine. What it holds is the
// sender's send buffer; a sleeping sender goes on only when three quarters of it have been drained.

#include "harness/sockets.h"
#include "workloads/registry.h"

namespace ipcmark {
namespace {

class UnixStream {
 public:
  static constexpr std::string_view name = "unix_stream";
  static constexpr Facts facts = unix_stream_facts("Unix domain stream socket", Facts::Standard::posix);

  explicit UnixStream(const Shape& shape) : shape_(shape), listener_(name, SOCK_STREAM, shape) {}
  UnixStream(const Shape& shape, const std::string& address)
      : shape_(shape), listener_(name, SOCK_STREAM, shape, address) {}
  std::string address() const { return listener_.path(); }

  StreamSocketPeer open_peer(unsigned side, Meeting&) {
    return StreamSocketPeer(listener_.open(side), shape_);
  }

 private:
  Shape shape_;
  UnixListener listener_;
};

IPCMARK_TRANSPORT(UnixStream);

}  // namespace
}  // namespace ipcmark
