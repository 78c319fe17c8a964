// The end of the stream where the kernel has none: the last sender leaves one mark for each receiver.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "harness/clock.h"
#include "harness/contract.h"
#include "harness/meeting.h"

namespace ipcmark {

// A sender's part in it. Belongs to one thread, as the sender does.
class EndMarks {
 public:
  EndMarks(const Meeting& meeting, unsigned receivers) : meeting_(meeting), receivers_(receivers) {}

  // `leave_one` makes one attempt to put a mark into the link. Repeated after `again` it goes on where it
  // was; done stays done.
  template <class LeaveOne>
  Io leave(LeaveOne leave_one) {
    if (!counted_) to_leave_ = meeting_.leave_as_sender() ? receivers_ : 0;
    counted_ = true;
    for (; to_leave_ > 0; --to_leave_) {
      if (const Io io = leave_one(); io != Io::done) return io;
    }
    return Io::done;
  }

 private:
  Meeting meeting_;
  unsigned receivers_;
  unsigned to_leave_ = 0;
  bool counted_ = false;
};

// Beside the mark of a lossy link, which may be lost as any message: a word by the meeting, which is not.
class EndNotice {
 public:
  // Whose end this side tells, and whose it hears of.
  EndNotice(const Meeting& meeting, std::string own, std::string other)
      : meeting_(meeting), own_("end of " + std::move(own)), other_("end of " + std::move(other)) {}

  void leave() {
    if (!left_) meeting_.publish(own_, {});
    left_ = true;
  }

  // Asked after an attempt that found nothing: whether nothing will come. What was sent before the end is
  // given loss_look_ns to arrive.
  bool is_over() {
    if (seen_ns_ == 0) {
      if (meeting_.has(other_)) seen_ns_ = now_ns();
      return false;
    }
    return now_ns() - seen_ns_ > loss_look_ns;
  }

 private:
  Meeting meeting_;
  std::string own_, other_;
  bool left_ = false;
  std::uint64_t seen_ns_ = 0;  // when the other side's end was heard of
};

}  // namespace ipcmark
