// Ctrl-C and SIGTERM as a descriptor that becomes readable.
#pragma once

#include "harness/descriptor.h"

namespace ipcmark {

// While an object lives, SIGINT and SIGTERM do not end the process; they are told here. At most one object at
// a time.
class Interruption {
 public:
  Interruption();  // throws std::system_error
  ~Interruption();
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;

  int fd() const { return read_end_.get(); }  // readable once interrupted, and from then on
  bool requested() const;

 private:
  Descriptor read_end_, write_end_;
};

}  // namespace ipcmark
