// fifo(7): a pipe with a name, between any two processes that may open it. Opening is a rendezvous: it sleeps
// until the other side opens too, so a pair must open its FIFOs in the same order.

#include <fcntl.h>
#include <sys/stat.h>

#include <climits>

#include "harness/fail.h"
#include "harness/isolation.h"
#include "harness/owned_name.h"
#include "harness/pipe_ends.h"
#include "workloads/registry.h"

namespace ipcmark {
namespace {

class Fifo {
 public:
  static constexpr std::string_view name = "fifo";
  static constexpr Facts facts{.summary = "pipe with a name; opening is a rendezvous",
                               .model = Facts::Model::message_passing,
                               .naming = Facts::Naming::path,
                               .establishment = Facts::Establishment::explicit_link,
                               .most_senders = Facts::any_number,
                               .most_receivers = Facts::any_number,
                               .unit = Facts::Unit::bytes,
                               .largest_shared_message = PIPE_BUF,
                               .scope = Facts::Scope::machine,
                               .standard = Facts::Standard::posix,
                               .send_waits = descriptor_waits,
                               .receive_waits = descriptor_waits,
                               .open_is_rendezvous = true,
                               .surplus_writer_withholds_end = true,
                               .sender_sees_death = true,
                               .receiver_sees_death = true,
                               .outlives_its_makers = Facts::Outlives::object,
                               .rights = Facts::Rights::apart,
                               .third_process_can = Facts::Interception::take};

  explicit Fifo(const Shape& shape) : shape_(shape), path_(shape.directory + "/" + unique_name(), unlink) {
    if (mkfifo(path_.c_str(), 0600) != 0) fail("mkfifo " + path_.text());
    // The capacity goes with the last descriptor, so it is set when the link opens; tried here, so that what
    // is refused is known before. O_RDWR on a FIFO does not sleep (Linux; POSIX leaves it undefined).
    open_as(O_RDWR);
  }

  Fifo(const Shape& shape, const std::string& address) : shape_(shape), path_(address) {}
  std::string address() const { return path_.text(); }

  PipeSender open_sender(unsigned, Meeting&) {
    Descriptor end = open_as(O_WRONLY);
    if (shape_.send_wait != Wait::block) set_nonblocking(end.get());
    return PipeSender(std::move(end), shape_.send_wait);
  }
  PipeReceiver open_receiver(unsigned, Meeting&) {
    Descriptor end = open_as(O_RDONLY);
    if (shape_.receive_wait != Wait::block) set_nonblocking(end.get());
    return PipeReceiver(std::move(end), shape_.receive_wait);
  }

 private:
  Descriptor open_as(int mode) const {
    int fd;
    while ((fd = open(path_.c_str(), mode | O_CLOEXEC)) < 0) {
      if (errno != EINTR) fail("open " + path_.text());
    }
    Descriptor end(fd);
    set_pipe_capacity(name, end.get(), shape_.capacity, shape_.message_bytes);
    return end;
  }

  Shape shape_;
  OwnedName path_;
};

IPCMARK_TRANSPORT(Fifo);

}  // namespace
}  // namespace ipcmark
