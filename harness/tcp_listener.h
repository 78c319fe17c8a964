// tcp(7) over the loopback interface: one listens on a port that the kernel picks, side 0 connects, side 1
// accepts.
#pragma once

#include <netinet/in.h>

#include <string>
#include <string_view>

#include "harness/contract.h"
#include "harness/descriptor.h"

namespace ipcmark {

// A stream of N messages of capacity: send and receive buffer are each asked to hold N messages with the
// kernel's own bookkeeping for the smallest segment. A message may wait in either, so about twice as many
// fit.
class TcpListener {
 public:
  // Throws Unsupported, beginning with the transport's name, for capacities that its buffers cannot have.
  // `transport` must outlive it.
  TcpListener(std::string_view transport, const Shape& shape, bool no_delay);
  // Another process's: side 0 alone can be opened.
  TcpListener(std::string_view transport, const Shape& shape, bool no_delay, const std::string& address);

  std::string address() const;  // "127.0.0.1:PORT"

  // Sleeps until connected. Throws std::system_error. The port is open to every process of the machine. Only
  // roles of this launch can write to the meeting, so side 0 says there from which port it is about to
  // connect, and whoever came from another is sent away.
  Descriptor open(unsigned side, Meeting& meeting) const;

 private:
  Descriptor connect_to(Meeting& meeting) const;
  Descriptor accept_from(Meeting& meeting) const;
  Descriptor bound_socket() const;
  void set_buffer(int fd, int option, const char* option_name, const char* sysctl) const;

  std::string_view transport_;
  Capacity capacity_;
  std::size_t message_bytes_;
  bool no_delay_;
  Descriptor listener_;
  sockaddr_in address_{};
};

}  // namespace ipcmark
