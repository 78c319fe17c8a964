// The bounded buffer as lectures teach it (Silberschatz, Galvin and Gagne, "Operating System Concepts",
// section 3.5): a circular array, one slot always unused so that full and empty differ, busy waiting, and
// nothing to keep the two indexes off each other's cache line. It stands beside the ring of the other
// transports to show what that one is worth.
//
// One thing is not as taught: the indexes are atomic. With plain ints the lectures' `while (in == out) ;`
// hangs at -O3. Nothing in the loop writes either, so the compiler reads both once, before it, and what is
// left is a jump to itself; by the rules of C++ the unsynchronized reads are a data race, so it may. gcc 12
// makes of
//
//     int in, out;
//     void wait_for_item() { while (in == out) ; }
//
// a comparison and `.L3: jmp .L3`. Even unhoisted, a plain store of `in` may become visible before the item
// on processors that reorder stores.

#include <fmt/format.h>
#include <sched.h>

#include <atomic>
#include <cstring>
#include <new>

#include "harness/ring_facts.h"
#include "harness/ring_link.h"
#include "harness/shared_memory.h"
#include "workloads/inlined.h"

namespace ipcmark {
namespace {

struct BoundedBuffer {
  explicit BoundedBuffer(std::uint64_t slots) : buffer_size(slots) {}

  std::uint64_t buffer_size;  // slots, one more than messages
  // In the one order of all (seq_cst), as variables are thought of: a slot is written before `in` passes it,
  // and read before `out` does.
  std::atomic<std::uint64_t> in{0}, out{0};
  std::atomic<bool> finished{false};
  // The slots follow.
};

// One side's view of it, and how it waits.
class BufferEnd {
 public:
  BufferEnd(InheritedMemory::Mapping memory, const Shape& shape, Wait wait)
      : memory_(std::move(memory)), message_bytes_(shape.message_bytes), wait_(wait) {}
  std::optional<CapacityFacts::Limit> limit() const {
    return CapacityFacts::Limit{buffer().buffer_size - 1, "messages", "slots but one"};
  }

 protected:
  BoundedBuffer& buffer() const {
    return *std::launder(reinterpret_cast<BoundedBuffer*>(memory_.bytes().data()));
  }
  std::byte* slot(std::uint64_t index) const {
    return memory_.bytes().data() + sizeof(BoundedBuffer) + index * message_bytes_;
  }
  void pause() const {
    if (wait_ == Wait::yield) {
      sched_yield();
    } else {
      cpu_relax();
    }
  }

 private:
  InheritedMemory::Mapping memory_;
  std::size_t message_bytes_;
  Wait wait_;
};

class Producer : public BufferEnd {
 public:
  using BufferEnd::BufferEnd;

  Io send(std::span<const std::byte> message) {
    const std::uint64_t in = buffer().in, next = (in + 1) % buffer().buffer_size;
    if (next == buffer().out) return Io::again;
    std::memcpy(slot(in), message.data(), message.size());
    buffer().in = next;
    return Io::done;
  }
  Io finish() {
    buffer().finished = true;
    return Io::done;
  }
  void wait_to_send() const { pause(); }
};

class Consumer : public BufferEnd {
 public:
  using BufferEnd::BufferEnd;

  Io receive(std::span<std::byte> message) {
    const std::uint64_t out = buffer().out;
    if (buffer().in == out) {
      if (!buffer().finished) return Io::again;
      // What was sent before the end may have come between the two looks.
      if (buffer().in == out) return Io::closed;
    }
    std::memcpy(message.data(), slot(out), message.size());
    buffer().out = (out + 1) % buffer().buffer_size;
    return Io::done;
  }
  void wait_to_receive() const { pause(); }
};

class TextbookRing {
 public:
  static constexpr std::string_view name = "textbook_ring";
  static constexpr Facts facts = [] {
    Facts all = ring_facts("the lectures' circular buffer, one slot unused", Facts::Standard::posix);
    all.most_senders = all.most_receivers = 1;
    all.send_waits = all.receive_waits = {Wait::spin, Wait::yield};
    all.third_process_can = Facts::Interception::take;  // nobody looks who moves `out`
    return all;
  }();

  explicit TextbookRing(const Shape& shape)
      : shape_(shape), memory_(bytes_needed(shape), bytes_needed(shape)) {
    new (memory_.map().bytes().data()) BoundedBuffer(ring_slots(shape) + 1);
  }

  Producer open_sender(unsigned, Meeting&) { return Producer(memory_.map(), shape_, shape_.send_wait); }
  Consumer open_receiver(unsigned, Meeting&) { return Consumer(memory_.map(), shape_, shape_.receive_wait); }

 private:
  static std::size_t bytes_needed(const Shape& shape) {
    const std::uint64_t messages = ring_slots(shape);
    std::size_t bytes;
    if (__builtin_mul_overflow(messages + 1, shape.message_bytes, &bytes) ||
        __builtin_add_overflow(bytes, sizeof(BoundedBuffer), &bytes)) {
      throw Unsupported(fmt::format("{}: {} slots of {} B do not fit an address space", name, messages + 1,
                                    shape.message_bytes));
    }
    require_memory(name, bytes);
    return bytes;
  }

  Shape shape_;
  InheritedMemory memory_;
};

IPCMARK_INLINED_TRANSPORT(TextbookRing);

}  // namespace
}  // namespace ipcmark
