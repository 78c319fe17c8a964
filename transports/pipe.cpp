// pipe(7): a one-way stream of bytes between relatives. Capacity is set in bytes, in whole pages, through
// F_SETPIPE_SZ.

#include <fcntl.h>

#include <array>
#include <climits>

#include "harness/fail.h"
#include "harness/pipe_ends.h"
#include "workloads/registry.h"

namespace ipcmark {
namespace {

class Pipe {
 public:
  static constexpr std::string_view name = "pipe";
  static constexpr Facts facts = pipe_facts("one-way byte stream between relatives", Facts::Standard::posix);

  explicit Pipe(const Shape& shape) : shape_(shape) {
    std::array<int, 2> ends;
    if (pipe2(ends.data(), O_CLOEXEC) != 0) fail("pipe2");
    read_end_.reset(ends[0]);
    write_end_.reset(ends[1]);
    set_pipe_capacity(name, write_end_.get(), shape.capacity, shape.message_bytes);
    // The file descriptions are these two alone, one for each direction, so O_NONBLOCK is each side's own:
    // all senders share one, all receivers the other.
    if (shape.send_wait != Wait::block) set_nonblocking(write_end_.get());
    if (shape.receive_wait != Wait::block) set_nonblocking(read_end_.get());
  }

  // Every role has inherited both ends.
  PipeSender open_sender(unsigned, Meeting&) { return PipeSender(std::move(write_end_), shape_.send_wait); }
  PipeReceiver open_receiver(unsigned, Meeting&) {
    return PipeReceiver(std::move(read_end_), shape_.receive_wait);
  }

 private:
  Shape shape_;
  Descriptor read_end_, write_end_;
};

IPCMARK_TRANSPORT(Pipe);

}  // namespace
}  // namespace ipcmark
