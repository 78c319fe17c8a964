// Whole messages over any endpoint (workloads/any_link.h), by either access: for workloads that are compiled
// once for all transports.
#pragma once

#include <cstddef>
#include <span>
#include <stdexcept>

#include "harness/case.h"
#include "harness/clock.h"
#include "harness/histogram.h"
#include "workloads/any_link.h"
#include "workloads/endpoints.h"
#include "workloads/registry.h"

namespace ipcmark {

// Whether the case's transport gives its links' region itself, for workloads that have their own use for it.
inline bool lies_in_memory(const Case& c) {
  const TransportEntry* const entry = Registry::instance().find(c.transport);
  return entry != nullptr && entry->region != nullptr;
}

// Why a workload that looks at messages cannot have this transport; empty when it can.
inline std::string needs_bytes(const Facts& facts, std::string_view workload, std::string_view transport) {
  if (facts.carries) return {};
  return std::string(workload) + " looks at what has come, and " + std::string(transport) +
         " carries nothing";
}

// The receiving end that goes with open_sender(0).
inline std::unique_ptr<AnyEndpoint> open_any_receiver(AnyLink& link, bool duplex, Meeting& meeting) {
  return link.open_receiver(duplex ? 1 : 0, meeting);
}

// Holds a message of its own, for any number of endpoints.
class AnyWriter {
 public:
  AnyWriter(Access access, std::size_t message_bytes) : access_(access), buffer_(message_bytes) {}

  // `fill(span<byte>)` writes the message to where it goes from. Throws PeerClosed.
  template <class Fill>
  void write(AnyEndpoint& to, Fill fill) {
    const auto wait = [&] { to.wait_to_send(); };
    if (access_ == Access::loan) {
      std::span<std::byte> slot;
      until_done([&] { return to.loan(slot); }, wait, "loan");
      fill(slot);
      until_done([&] { return to.commit(); }, wait, "commit");
    } else {
      fill(buffer_.span());
      until_done([&] { return to.send(buffer_.span()); }, wait, "send");
    }
  }

 private:
  Access access_;
  MessageBuffer buffer_;
};

inline void finish(AnyEndpoint& sender) {
  until_done([&] { return sender.finish(); }, [&] { sender.wait_to_send(); }, "finish");
}

class AnyReader {
 public:
  AnyReader(Access access, std::size_t message_bytes) : access_(access), buffer_(message_bytes) {}

  // One attempt. `look(span<const byte>)` is shown the message where it lies.
  template <class Look>
  Io try_read(AnyEndpoint& from, Look look) {
    if (access_ == Access::loan) {
      std::span<const std::byte> message;
      if (const Io io = from.peek(message); io != Io::done) return io;
      look(message);
      return from.release();
    }
    if (const Io io = from.receive(buffer_.span()); io != Io::done) return io;
    look(std::span<const std::byte>(buffer_.span()));
    return Io::done;
  }

  // False at the end of the stream.
  template <class Look>
  bool read_unless_closed(AnyEndpoint& from, Look look) {
    for (;;) {
      switch (try_read(from, look)) {
        case Io::done:
          return true;
        case Io::again:
          from.wait_to_receive();
          break;
        case Io::closed:
          return false;
      }
    }
  }
  template <class Look>
  void read(AnyEndpoint& from, Look look) {
    if (!read_unless_closed(from, look)) throw PeerClosed("receive: the other side has closed the link");
  }

 private:
  Access access_;
  MessageBuffer buffer_;
};

// How steadily `messages` flow: the durations of about a thousand windows of as many calls of `move_one`
// each; a rest is moved, but no window. Returns the messages of a window.
template <class Move>
std::uint64_t record_windows(std::uint64_t messages, Histogram& histogram, Move move_one) {
  constexpr std::uint64_t windows = 1'024;
  const std::uint64_t window = messages / windows + 1;
  std::uint64_t before_ns = now_ns();
  for (; messages >= window; messages -= window) {
    for (std::uint64_t i = 0; i < window; ++i) move_one();
    const std::uint64_t after_ns = now_ns();
    histogram.record(after_ns - before_ns);
    before_ns = after_ns;
  }
  for (; messages > 0; --messages) move_one();
  return window;
}

// As the reader of a case judges messages: every byte, or stamp and sum.
inline void judge(SequenceChecker& checker, std::span<const std::byte> message, bool every_byte,
                  Touch touch) {
  if (every_byte) {
    checker.observe_every_byte(message);
  } else {
    checker.observe(read(message, touch));
  }
}

}  // namespace ipcmark
