#include "workloads/any_ends.h"
#include "workloads/inlined.h"

namespace ipcmark {

std::vector<WorkloadEntry> workloads_over_any_one_way() { return inlined_workloads<AnyOneWay>(); }

}  // namespace ipcmark
