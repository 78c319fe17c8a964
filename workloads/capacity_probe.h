// How many messages a link really holds: the sender fills it while nobody receives, then the receiver takes
// one message at a time until the sender gets another in. Over a lossy link: the sender sends more than fit,
// and the receiver counts what has been kept. Three times over on one link, or as often as 65,536 sends and
// half a second allow. Of a link's several senders and receivers only the first ones do anything. Runs on a
// link of its own, never beside a measurement; needs a sender that can try without sleeping.
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
};

std::unique_ptr<Work> make_capacity_probe(const Case& benchmark_case, const Shape& shape);

}  // namespace ipcmark
