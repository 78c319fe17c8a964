// The baseline that ci/accuracy measures the ring of slots against: the classic ring with two indexes in
// shared memory, one written by each side, and a private copy of the other side's index that is refreshed
// only when the ring looks full or empty (Lamport, "Specifying concurrent program modules", 1983; the cached
// indexes after Lee, Bu and Chandranmenon, "A lock-free, cache-efficient multi-core synchronization
// mechanism", ICPP 2009).
//
// Each index is alone in its line of 64 bytes, and messages are packed at multiples of 8 bytes. Same verbs as
// harness/ring.h, spinning only, so that a comparison runs the same loop and the same touch over both. No
// shutdown.
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
    return sizeof(Header) + static_cast<std::size_t>(capacity) * stride_of(message_bytes);
  }

  // Once, by one process, before both sides attach. The region is aligned to 64 bytes.
  static void initialise(std::span<std::byte> region, std::uint64_t capacity, std::size_t message_bytes) {
    auto* const header = new (region.data()) Header;
    header->capacity = capacity;
    header->message_bytes = message_bytes;
  }

 protected:
  struct Header {
    std::uint64_t capacity = 0;
    std::size_t message_bytes = 0;
    alignas(64) std::atomic<std::uint64_t> written{0};   // messages committed so far
    alignas(64) std::atomic<std::uint64_t> released{0};  // messages given back so far
  };

  explicit TwoIndexRing(std::span<std::byte> region)
      : header_(*std::launder(reinterpret_cast<Header*>(region.data()))),
        slots_(region.data() + sizeof(Header)),
        slot_(slots_),
        end_(slots_ + header_.capacity * stride_of(header_.message_bytes)),
        stride_(stride_of(header_.message_bytes)),
        message_bytes_(header_.message_bytes),
        capacity_(header_.capacity) {}

  static constexpr std::size_t stride_of(std::size_t message_bytes) { return (message_bytes + 7) / 8 * 8; }

  void advance() {
    ++position_;
    slot_ += stride_;
    if (slot_ == end_) slot_ = slots_;
  }

  Header& header_;
  std::byte* slots_;
  std::byte* slot_;
  std::byte* end_;
  std::size_t stride_;
  std::size_t message_bytes_;
  std::uint64_t capacity_;
  std::uint64_t position_ = 0;
};

class TwoIndexSender : TwoIndexRing {
 public:
  explicit TwoIndexSender(std::span<std::byte> region) : TwoIndexRing(region) {}

  Io loan(std::span<std::byte>& slot) {
    if (position_ - released_ == capacity_) {
      // acquire: the receiver has read the slots before we write them again.
      released_ = header_.released.load(std::memory_order_acquire);
      if (position_ - released_ == capacity_) return Io::again;
    }
    slot = {slot_, message_bytes_};
    return Io::done;
  }

  Io commit() {
    advance();
    // release: the message is written before it counts as written.
    header_.written.store(position_, std::memory_order_release);
    return Io::done;
  }

  void wait_to_send() { cpu_relax(); }

 private:
  std::uint64_t released_ = 0;  // as last read
};

class TwoIndexReceiver : TwoIndexRing {
 public:
  explicit TwoIndexReceiver(std::span<std::byte> region) : TwoIndexRing(region) {}

  Io peek(std::span<const std::byte>& message) {
    if (position_ == written_) {
      // acquire: the messages were written before they counted as written.
      written_ = header_.written.load(std::memory_order_acquire);
      if (position_ == written_) return Io::again;
    }
    message = {slot_, message_bytes_};
    return Io::done;
  }

  Io release() {
    advance();
    // release: we have read the message before its slot counts as free.
    header_.released.store(position_, std::memory_order_release);
    return Io::done;
  }

  void wait_to_receive() { cpu_relax(); }

 private:
  std::uint64_t written_ = 0;  // as last read
};

}  // namespace ipcmark::baseline
