#include "harness/role_cost.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cstddef>
#include <thread>

namespace ipcmark {
namespace {

std::uint64_t thread_cpu_ns() {
  timespec cpu;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
  return static_cast<std::uint64_t>(cpu.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(cpu.tv_nsec);
}

void use_a_processor_for(std::uint64_t ns) {
  const std::uint64_t end_ns = thread_cpu_ns() + ns;
  while (thread_cpu_ns() < end_ns) {
  }
}

constexpr std::uint64_t a_while_ns = 20'000'000;

TEST(RoleCost, CountsEveryThreadOfTheProcess) {
  CostMeter meter;
  meter.start();
  std::jthread([] { use_a_processor_for(a_while_ns); }).join();
  EXPECT_GE(meter.stop().cpu_ns, a_while_ns);
}

TEST(RoleCost, CountsNothingOfWhatWasUsedBefore) {
  use_a_processor_for(a_while_ns);
  CostMeter meter;
  meter.start();
  EXPECT_LT(meter.stop().cpu_ns, a_while_ns);
}

TEST(RoleCost, OfASleepIsASwitchAndNoProcessorTimeForAsLong) {
  CostMeter meter;
  meter.start();
  usleep(static_cast<useconds_t>(10 * a_while_ns / 1'000));
  const RoleCost cost = meter.stop();
  EXPECT_GE(cost.voluntary_switches, 1u);
  EXPECT_LT(cost.cpu_ns, 10 * a_while_ns);
}

TEST(RoleCost, CountsAFaultForEachPageThatIsTouchedFirst) {
  constexpr std::size_t pages = 100;
  const auto page_bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* const memory =
      mmap(nullptr, pages * page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  madvise(memory, pages * page_bytes, MADV_NOHUGEPAGE);
  CostMeter meter;
  meter.start();
  for (std::size_t page = 0; page < pages; ++page) static_cast<volatile char*>(memory)[page * page_bytes] = 1;
  EXPECT_GE(meter.stop().minor_faults, pages);
  munmap(memory, pages * page_bytes);
}

TEST(RoleCost, SplitsNoTimeThatIsOnlySampledUnlessItWasLong) {
  CostMeter meter;
  meter.start();
  use_a_processor_for(a_while_ns);
  const RoleCost cost = meter.stop();
  EXPECT_FALSE(cost.user_ns);
  EXPECT_FALSE(cost.system_ns);
}

}  // namespace
}  // namespace ipcmark
