// The end of the stream where the kernel has none: the last sender leaves one mark for each receiver.
#pragma once

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

}  // namespace ipcmark
