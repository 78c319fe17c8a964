#include "harness/command/reporter.h"

#include <benchmark/benchmark.h>

#include <array>
#include <exception>
#include <optional>
#include <stdexcept>

namespace ipcmark {
namespace {

// 1.7 tells of an error by a flag, later releases by a kind.
bool was_skipped(const benchmark::BenchmarkReporter::Run& run) {
#ifdef IPCMARK_BENCHMARK_HAS_SKIPPED
  return run.skipped != benchmark::internal::NotSkipped;
#else
  return run.error_occurred;
#endif
}
const std::string& skip_message(const benchmark::BenchmarkReporter::Run& run) {
#ifdef IPCMARK_BENCHMARK_HAS_SKIPPED
  return run.skip_message;
#else
  return run.error_message;
#endif
}

// Prints nothing: the console and the file are ours (the library's context printer warns of Debian's build of
// itself).
class JoiningReporter final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      ++reported_;
      if (was_skipped(run)) {
        failure_ = skip_message(run);
      } else {
        iterations_ = static_cast<std::uint64_t>(run.iterations);
      }
    }
  }

  unsigned reported() const { return reported_; }
  const std::optional<std::string>& failure() const { return failure_; }
  std::uint64_t iterations() const { return iterations_; }

 private:
  unsigned reported_ = 0;
  std::uint64_t iterations_ = 0;
  std::optional<std::string> failure_;
};

}  // namespace

void initialise_benchmark_library() {
  // Without it the library repeats a pass until half a second of manual time is full.
#ifdef IPCMARK_BENCHMARK_HAS_SKIPPED
  std::array<char, 32> no_minimum{"--benchmark_min_time=0s"};
#else
  std::array<char, 32> no_minimum{"--benchmark_min_time=0"};
#endif
  std::array<char, 8> program{"ipcmark"};
  std::array<char*, 3> arguments{program.data(), no_minimum.data(), nullptr};
  int count = 2;
  benchmark::Initialize(&count, arguments.data());
}

std::string benchmark_library_version() { return IPCMARK_BENCHMARK_VERSION; }

TrialOutcome run_as_benchmark(const std::string& id, const std::function<TrialOutcome()>& trial) {
  std::optional<TrialOutcome> outcome;
  std::exception_ptr thrown;
  unsigned passes = 0;
  benchmark::RegisterBenchmark(id.c_str(), [&](benchmark::State& state) {
    if (++passes > 1) {
      state.SkipWithError("the library asked for a second pass");
      return;
    }
    try {
      outcome = trial();
    } catch (...) {
      thrown = std::current_exception();
      state.SkipWithError("the trial threw");
      return;
    }
    if (const auto* failure = std::get_if<LaunchFailure>(&*outcome)) {
      state.SkipWithError(failure->reason.c_str());
      return;
    }
    const auto& measurement = std::get<Measurement>(*outcome);
    while (state.KeepRunningBatch(static_cast<benchmark::IterationCount>(measurement.messages))) {
      state.SetIterationTime(static_cast<double>(measurement.span_ns) * 1e-9);
    }
  })->UseManualTime();
  JoiningReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter, nullptr, ".");
  benchmark::ClearRegisteredBenchmarks();
  if (thrown) std::rethrow_exception(thrown);

  if (reporter.reported() != 1 || !outcome) {
    throw std::logic_error("Google Benchmark reported " + std::to_string(reporter.reported()) +
                           " runs for one launch");
  }
  if (const auto* measurement = std::get_if<Measurement>(&*outcome);
      measurement != nullptr && (reporter.failure() || reporter.iterations() != measurement->messages)) {
    throw std::logic_error("Google Benchmark reported " + reporter.failure().value_or("other iterations") +
                           " for a launch that was measured");
  }
  return *outcome;
}

}  // namespace ipcmark
