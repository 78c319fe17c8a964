// Messages of several sizes in slots that are lent (Shape::mixed): the size of the message in a slot stands
// in the slot's last 8 bytes, and the link is made with slots that have the room. Ends that lend slots and
// have no other verbs for it (SizedSender, SizedReceiver) send and receive copies by these functions. A size
// that no message can have ends the launch (std::system_error, EPROTO).
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <system_error>

#include "harness/contract.h"

namespace ipcmark {

// A slot that holds a message of any size up to the largest, and its size.
constexpr std::size_t sized_slot_bytes(std::size_t largest) {
  return (largest + 7) / 8 * 8 + sizeof(std::uint64_t);
}
constexpr std::size_t largest_in_slot(std::size_t slot_bytes) { return slot_bytes - sizeof(std::uint64_t); }

// Throws std::system_error where `bytes` is the size of no message.
inline void require_size(std::uint64_t bytes, std::size_t largest) {
  if (bytes >= 1 && bytes <= largest) return;
  throw std::system_error(EPROTO, std::generic_category(),
                          "the size that came with a message is " + std::to_string(bytes) +
                              " B, where the largest is " + std::to_string(largest) + " B");
}

// Before the slot is committed.
inline void tell_size(std::span<std::byte> slot, std::size_t message_bytes) {
  const std::uint64_t size = message_bytes;
  std::memcpy(slot.data() + largest_in_slot(slot.size()), &size, sizeof size);
}
// The message in a slot.
inline std::span<const std::byte> sized_message(std::span<const std::byte> slot) {
  const std::size_t largest = largest_in_slot(slot.size());
  std::uint64_t size = 0;
  std::memcpy(&size, slot.data() + largest, sizeof size);
  require_size(size, largest);
  return slot.first(size);
}

template <class S>
Io send_sized(S& sender, std::span<const std::byte> message) {
  if constexpr (SizedSender<S>) {
    return sender.send_sized(message);
  } else {
    std::span<std::byte> slot;
    if (const Io io = sender.loan(slot); io != Io::done) return io;
    std::memcpy(slot.data(), message.data(), message.size());
    tell_size(slot, message.size());
    return sender.commit();
  }
}

// Into a buffer of the largest size.
template <class R>
Io receive_sized(R& receiver, std::span<std::byte> buffer, std::size_t& message_bytes) {
  if constexpr (SizedReceiver<R>) {
    return receiver.receive_sized(buffer, message_bytes);
  } else {
    std::span<const std::byte> slot;
    if (const Io io = receiver.peek(slot); io != Io::done) return io;
    const std::span<const std::byte> message = sized_message(slot);
    require_size(message.size(), buffer.size());
    std::memcpy(buffer.data(), message.data(), message.size());
    message_bytes = message.size();
    return receiver.release();
  }
}

}  // namespace ipcmark
