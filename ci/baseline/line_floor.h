// The floor that ci/accuracy holds the rings against: what no ring of 64-byte messages can do without, and
// nothing else. Each message is one line, written by one process and read by the other. There is no sequence
// number, no index, and no flow control but this: the sender fills one batch of lines while the receiver
// drains the other, and at the end of each they change over. So the lines move at the pace at which these two
// processors can move them, both asking for lines ahead as the ring of slots does; a ring comes near it, but
// has to say of each message that it is there, and to say so at once.
//
// No ring either: a message is not received before its batch is full. Same verbs as harness/ring.h, spinning
// only, for whole batches of messages. No end of stream.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>

#include "harness/contract.h"
#include "harness/ring.h"
#include "harness/wait.h"

namespace ipcmark::baseline {

class LineFloor {
 public:
  static constexpr std::size_t line_bytes = 64;
  // So many that changing over costs next to nothing, so few that both batches stay in a second-level cache.
  // Measured: 1,000 and 8,000 are slower.
  static constexpr std::uint64_t batch_messages = 2'000;

  static constexpr std::size_t bytes_needed() { return sizeof(LineFloor); }

  // Once, by one process, before both sides attach. The region is aligned to 128 bytes.
  static void initialise(std::span<std::byte> region) { new (region.data()) LineFloor; }

  static LineFloor& attach(std::span<std::byte> region) {
    return *std::launder(reinterpret_cast<LineFloor*>(region.data()));
  }

 private:
  friend class LineFloorEnd;
  friend class LineFloorSender;
  friend class LineFloorReceiver;

  static constexpr std::size_t batch_bytes = batch_messages * line_bytes;
  // Lines asked for ahead; more and fewer were measured to be no faster.
  static constexpr std::size_t bytes_ahead = 32 * line_bytes;
  static_assert(bytes_ahead < batch_bytes);

  LineFloor() = default;

  // Batches so far, the one written by the sender, the other by the receiver.
  alignas(128) std::atomic<std::uint64_t> filled_{0};
  alignas(128) std::atomic<std::uint64_t> drained_{0};
  alignas(128) std::byte lines_[2][batch_bytes];
};

// A side's place: a line of the batch that it has.
class LineFloorEnd {
 protected:
  explicit LineFloorEnd(std::span<std::byte> region) : floor_(LineFloor::attach(region)) {}

  template <class Ask>
  void begin_batch(Ask ask) {
    line_ = floor_.lines_[batches_ % 2];
    end_ = line_ + LineFloor::batch_bytes;
    for (std::size_t offset = 0; offset < LineFloor::bytes_ahead; offset += LineFloor::line_bytes) {
      ask(line_ + offset);
    }
  }
  // False at the end of the batch. Never asks for lines of the other one, which the other side is using.
  template <class Ask>
  bool advance(Ask ask) {
    line_ += LineFloor::line_bytes;
    if (static_cast<std::size_t>(end_ - line_) > LineFloor::bytes_ahead) ask(line_ + LineFloor::bytes_ahead);
    return line_ != end_;
  }

  LineFloor& floor_;
  std::uint64_t batches_ = 0;  // this side has done with
  std::byte* line_ = nullptr;
  std::byte* end_ = nullptr;  // line_ == end_: has no batch
};

class LineFloorSender : LineFloorEnd {
 public:
  explicit LineFloorSender(std::span<std::byte> region) : LineFloorEnd(region) {}

  Io loan(std::span<std::byte>& slot) {
    if (line_ == end_) [[unlikely]] {
      // acquire: the receiver has read the lines before we write them again.
      if (batches_ - floor_.drained_.load(std::memory_order_acquire) == 2) return Io::again;
      begin_batch(ring_detail::ask_for_writing);
    }
    slot = {line_, LineFloor::line_bytes};
    return Io::done;
  }
  Io commit() {
    // release: the messages are written before their batch counts as filled.
    if (!advance(ring_detail::ask_for_writing)) floor_.filled_.store(++batches_, std::memory_order_release);
    return Io::done;
  }
  void wait_to_send() { cpu_relax(); }
};

class LineFloorReceiver : LineFloorEnd {
 public:
  explicit LineFloorReceiver(std::span<std::byte> region) : LineFloorEnd(region) {}

  Io peek(std::span<const std::byte>& message) {
    if (line_ == end_) [[unlikely]] {
      // acquire: the messages were written before their batch counted as filled.
      if (batches_ == floor_.filled_.load(std::memory_order_acquire)) return Io::again;
      begin_batch(ring_detail::ask_for_reading);
    }
    message = {line_, LineFloor::line_bytes};
    return Io::done;
  }
  Io release() {
    // release: we have read the messages before their batch counts as drained.
    if (!advance(ring_detail::ask_for_reading)) floor_.drained_.store(++batches_, std::memory_order_release);
    return Io::done;
  }
  void wait_to_receive() { cpu_relax(); }
};

}  // namespace ipcmark::baseline
