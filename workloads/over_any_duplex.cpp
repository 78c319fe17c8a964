#include "workloads/any_ends.h"
#include "workloads/inlined.h"

namespace ipcmark {

std::vector<WorkloadEntry> workloads_over_any_duplex() { return inlined_workloads<AnyDuplex>(); }

}  // namespace ipcmark
