// What a role consumes between two moments: processor time, switches, faults, waiting for a processor.
#pragma once

#include "harness/descriptor.h"
#include "harness/measurement.h"

namespace ipcmark {

// Is told when the timed part of this process begins and ends, inside what a CostMeter measures.
class TimedPartObserver {
 public:
  virtual ~TimedPartObserver() = default;
  virtual void begin() = 0;
  virtual void end() = 0;
};
// Of this process; not owned. Set before its first CostMeter starts.
inline TimedPartObserver* timed_part_observer = nullptr;

// Used by one process for itself, all its threads included (run delay: its first thread). Both calls take a
// few microseconds of system calls; make them outside what is timed.
class CostMeter {
 public:
  CostMeter();
  // Throws std::system_error when the kernel refuses getrusage or the processor clock.
  void start() {
    at_start_ = read();
    if (timed_part_observer != nullptr) timed_part_observer->begin();
  }
  RoleCost stop() const;

 private:
  RoleCost read() const;

  Descriptor
      schedstat_;  // /proc/self/schedstat: time run, time waited to run, slices (Documentation/scheduler)
  RoleCost at_start_;
};

}  // namespace ipcmark
