// What a role consumes between two moments: processor time, switches, faults, waiting for a processor.
#pragma once

#include "harness/descriptor.h"
#include "harness/measurement.h"

namespace ipcmark {

// Used by one process for itself, all its threads included (run delay: its first thread). Both calls take a
// few microseconds of system calls; make them outside what is timed.
class CostMeter {
 public:
  CostMeter();
  // Throws std::system_error when the kernel refuses getrusage or the processor clock.
  void start() { at_start_ = read(); }
  RoleCost stop() const;

 private:
  RoleCost read() const;

  Descriptor
      schedstat_;  // /proc/self/schedstat: time run, time waited to run, slices (Documentation/scheduler)
  RoleCost at_start_;
};

}  // namespace ipcmark
