// How many messages a link really holds, and how many must be drained before a sender that waits goes on.
// Where the sender tries again and again, it fills the link while nobody receives, then the receiver takes
// one message at a time until the sender gets another in. Where it sleeps, it is looked at from outside: the
// link is full when it has gone to sleep, and has room when it is no longer asleep, which for Unix sockets is
// much later than when another try would succeed. Over a lossy link the sender sends more than fit, and the
// receiver counts what has been kept. Three times over on one link, or as often as 65,536 sends and half a
// second allow. Of a link's several senders and receivers only the first ones do anything. Runs on a link of
// its own, never beside a measurement. The receiver must be able to try without sleeping; so must the sender,
// or its sleep be seen in /proc.
#pragma once

#include <memory>

#include "harness/case.h"
#include "harness/contract.h"
#include "harness/launch.h"

namespace ipcmark {

// Positions of the sender's figures on its RoleBoard.
struct ProbeFigures {
  static constexpr unsigned fits_min = 0, fits_max = 1, bound_reached = 2, resume_after = 3, has_resume = 4,
                            only_rounds = 5;  // > 0: so many, for want of time
  static constexpr unsigned process = 6;      // the sender's, as /proc names it
};

std::unique_ptr<Work> make_capacity_probe(const Case& benchmark_case, const Shape& shape);

}  // namespace ipcmark
