// Stands before the source of a transport that is included for its types alone: nothing looks it up by name,
// so it is not instantiated with every workload.
#pragma once

#include "workloads/registry.h"

#undef IPCMARK_TRANSPORT
#define IPCMARK_TRANSPORT(Type) static_assert(true)
