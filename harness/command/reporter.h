// Google Benchmark as the driver: one registration and one pass per launch.
#pragma once

#include <functional>
#include <string>

#include "workloads/trial.h"

namespace ipcmark {

// Tells the library what it must know before its first pass. Call once in a process.
void initialise_benchmark_library();

std::string benchmark_library_version();

// Registers `id` as a benchmark with manual time, runs it for a single pass of as many iterations as the
// trial moved messages, and returns what the library's reporter was then told of it: the trial's own
// measurement, or its failure. The trial is called exactly once. What it throws is thrown on.
TrialOutcome run_as_benchmark(const std::string& id, const std::function<TrialOutcome()>& trial);

}  // namespace ipcmark
