// null moves nothing: a send throws the message away, a receive makes up the one that would have come. What a
// workload costs over it is what the harness itself costs, and the floor under every other figure.

#include <sys/mman.h>

#include <atomic>
#include <memory>
#include <new>

#include "harness/fail.h"
#include "harness/payload.h"
#include "workloads/inlined.h"

namespace ipcmark {
namespace {

// All that sender and receiver share: how many messages there were, once the sender has finished.
struct NullEnd {
  std::atomic<std::uint64_t> finished{0};
  std::uint64_t sent = 0;
};

struct UnmapNullEnd {
  void operator()(NullEnd* end) const { munmap(end, sizeof *end); }
};
using SharedNullEnd = std::shared_ptr<NullEnd>;

class NullSender {
 public:
  explicit NullSender(SharedNullEnd end) : end_(std::move(end)) {}

  Io send(std::span<const std::byte>) {
    ++sent_;
    return Io::done;
  }
  Io finish() {
    end_->sent = sent_;
    end_->finished.store(1, std::memory_order_release);  // the count is written before
    return Io::done;
  }
  void wait_to_send() {}

 private:
  SharedNullEnd end_;
  std::uint64_t sent_ = 0;
};

class NullReceiver {
 public:
  explicit NullReceiver(SharedNullEnd end) : end_(std::move(end)) {}

  Io receive(std::span<std::byte> message) {
    if (end_->finished.load(std::memory_order_acquire) != 0 && received_ >= end_->sent) return Io::closed;
    fill(message, 0, received_++, Touch::full);
    return Io::done;
  }
  void wait_to_receive() {}

 private:
  SharedNullEnd end_;
  std::uint64_t received_ = 0;
};

class Null {
 public:
  static constexpr std::string_view name = "null";
  static constexpr Facts facts{.summary = "moves nothing; the floor of the harness itself",
                               .model = Facts::Model::shared_memory,
                               .naming = Facts::Naming::none,
                               .unit = Facts::Unit::messages,
                               .scope = Facts::Scope::machine,
                               .standard = Facts::Standard::none,
                               .send_waits = {Wait::block, Wait::spin},
                               .receive_waits = {Wait::block, Wait::spin},
                               .carries = false};

  explicit Null(const Shape& shape) {
    if (shape.capacity != Capacity{}) throw Unsupported("null: holds nothing, so it has no capacity to set");
    void* memory = mmap(nullptr, sizeof(NullEnd), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) fail("mmap for null");
    end_ = SharedNullEnd(new (memory) NullEnd, UnmapNullEnd{});
  }

  NullSender open_sender(unsigned, Meeting&) { return NullSender(end_); }
  NullReceiver open_receiver(unsigned, Meeting&) { return NullReceiver(end_); }

 private:
  SharedNullEnd end_;
};

IPCMARK_INLINED_TRANSPORT(Null);

}  // namespace
}  // namespace ipcmark
