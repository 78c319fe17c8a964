// The baseline that ci/accuracy measures the ring of slots against: the classic queue of one producer and one
// consumer, in the form in which libraries ship it. Two indexes in shared memory, one written by each side
// (Lamport, "Specifying concurrent program modules", 1983), and beside each a copy of the other side's index,
// refreshed only when the queue looks full or empty (Lee, Bu and Chandranmenon, "A lock-free, cache-efficient
// multi-core synchronization mechanism for line-rate network traffic monitoring", IPDPS 2010).
//
// As in those libraries the queue is one object that both sides use: what a side needs to know is read from
// it by every operation, its own index included; each of the four words has 64 bytes to itself, messages are
// packed at multiples of 8 bytes, and one slot more than the capacity tells full from empty. Same verbs as
// harness/ring.h, spinning only, so that a comparison runs the same loop, the same wait and the same touch
// over both. No end of stream.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>

#include "harness/contract.h"
#include "harness/wait.h"

namespace ipcmark::baseline {

class TwoIndexRing {
 public:
  static std::size_t bytes_needed(std::uint64_t capacity, std::size_t message_bytes) {
    return sizeof(TwoIndexRing) + static_cast<std::size_t>(capacity + 1) * stride_of(message_bytes);
  }

  // Once, by one process, before both sides attach. The region is aligned to 64 bytes.
  static void initialise(std::span<std::byte> region, std::uint64_t capacity, std::size_t message_bytes) {
    new (region.data()) TwoIndexRing(capacity, message_bytes);
  }

  static TwoIndexRing& attach(std::span<std::byte> region) {
    return *std::launder(reinterpret_cast<TwoIndexRing*>(region.data()));
  }

  // The slot to write, null when full. The same until the push.
  std::byte* free_slot() {
    const std::uint64_t write = write_.load(std::memory_order_relaxed);  // only this side writes it
    const std::uint64_t next = after(write);
    if (next == read_seen_by_writer_) {
      // acquire: the consumer has read the slots before we write them again.
      read_seen_by_writer_ = read_.load(std::memory_order_acquire);
      if (next == read_seen_by_writer_) return nullptr;
    }
    return slot(write);
  }
  void push() {
    // release: the message is written before it counts as written.
    write_.store(after(write_.load(std::memory_order_relaxed)), std::memory_order_release);
  }

  // The oldest message, null when empty. The same until the pop.
  const std::byte* front() {
    const std::uint64_t read = read_.load(std::memory_order_relaxed);  // only this side writes it
    if (read == write_seen_by_reader_) {
      // acquire: the messages were written before they counted as written.
      write_seen_by_reader_ = write_.load(std::memory_order_acquire);
      if (read == write_seen_by_reader_) return nullptr;
    }
    return slot(read);
  }
  void pop() {
    // release: we have read the message before its slot counts as free.
    read_.store(after(read_.load(std::memory_order_relaxed)), std::memory_order_release);
  }

  std::size_t message_bytes() const { return message_bytes_; }

 private:
  TwoIndexRing(std::uint64_t capacity, std::size_t message_bytes)
      : slots_(capacity + 1), message_bytes_(message_bytes), stride_(stride_of(message_bytes)) {}

  static constexpr std::size_t stride_of(std::size_t message_bytes) { return (message_bytes + 7) / 8 * 8; }
  std::uint64_t after(std::uint64_t index) const { return index + 1 == slots_ ? 0 : index + 1; }
  std::byte* slot(std::uint64_t index) { return reinterpret_cast<std::byte*>(this + 1) + index * stride_; }

  std::uint64_t slots_;
  std::size_t message_bytes_;
  std::size_t stride_;
  alignas(64) std::atomic<std::uint64_t> write_{0};
  alignas(64) std::uint64_t read_seen_by_writer_ = 0;
  alignas(64) std::atomic<std::uint64_t> read_{0};
  alignas(64) std::uint64_t write_seen_by_reader_ = 0;
};

class TwoIndexSender {
 public:
  explicit TwoIndexSender(std::span<std::byte> region) : ring_(TwoIndexRing::attach(region)) {}

  Io loan(std::span<std::byte>& slot) {
    std::byte* const message = ring_.free_slot();
    if (message == nullptr) return Io::again;
    slot = {message, ring_.message_bytes()};
    return Io::done;
  }
  Io commit() {
    ring_.push();
    return Io::done;
  }
  void wait_to_send() { cpu_relax(); }

 private:
  TwoIndexRing& ring_;
};

class TwoIndexReceiver {
 public:
  explicit TwoIndexReceiver(std::span<std::byte> region) : ring_(TwoIndexRing::attach(region)) {}

  Io peek(std::span<const std::byte>& message) {
    const std::byte* const front = ring_.front();
    if (front == nullptr) return Io::again;
    message = {front, ring_.message_bytes()};
    return Io::done;
  }
  Io release() {
    ring_.pop();
    return Io::done;
  }
  void wait_to_receive() { cpu_relax(); }

 private:
  TwoIndexRing& ring_;
};

}  // namespace ipcmark::baseline
