#include "harness/disturbance.h"

#include <gtest/gtest.h>

#include <array>

#include "harness/fake_root.h"

namespace ipcmark {
namespace {

constexpr std::array<int, 1> first{0};
constexpr std::array<int, 2> both{0, 2};

constexpr std::string_view stat =
    "cpu  10 0 10 100 0 0 0 30 0 0\n"
    "cpu0 5 0 5 50 0 0 0 10 0 0\n"
    "cpu2 5 0 5 50 0 0 0 20 0 0\n"
    "intr 12345 0 9\n";

TEST(Steal, IsAddedOverTheProcessorsNamedAndNoOthers) {
  EXPECT_EQ(steal_ticks(stat, first), 10u);
  EXPECT_EQ(steal_ticks(stat, both), 30u);
  EXPECT_EQ(steal_ticks(stat, std::array{1}), std::nullopt);
  EXPECT_EQ(steal_ticks("", both), std::nullopt);
}

constexpr std::string_view interrupts =
    "           CPU0       CPU2       \n"
    "  0:         44          0  IO-APIC   2-edge      timer\n"
    " 24:          2          7  IO-APIC   5-edge      ACPI:Ged\n"
    "128:          1    1000000  PCI-MSIX-0000:00:03.0   1-edge      virtio1-req.0\n"
    "NMI:          0          0   Non-maskable interrupts\n"
    "LOC:        100        200   Local timer interrupts\n"
    "RES:         30         40   Rescheduling interrupts\n"
    "ERR:          5\n";

TEST(Interrupts, AreToldApartByWhatRaisedThem) {
  const auto counts = count_interrupts(interrupts, both);
  ASSERT_TRUE(counts);
  EXPECT_EQ(counts->device, 2u + 7 + 1 + 1'000'000);
  EXPECT_EQ(counts->timer, 44u + 300);
  EXPECT_EQ(counts->other, 70u + 5);
  EXPECT_EQ(count_interrupts(interrupts, first)->device, 3u);
  EXPECT_FALSE(count_interrupts(interrupts, std::array{1}));
  EXPECT_FALSE(count_interrupts("", both));
}

TEST(Softirqs, AreAddedOverTheProcessors) {
  constexpr std::string_view text =
      "                    CPU0       CPU2       \n"
      "          HI:          1          2\n"
      "      NET_RX:         10         20\n";
  EXPECT_EQ(count_softirqs(text, both), 33u);
  EXPECT_EQ(count_softirqs(text, first), 11u);
}

TEST(Pressure, IsTheTotalOfTheLineSome) {
  EXPECT_EQ(pressure_us("some avg10=0.00 avg60=0.00 avg300=0.01 total=4711\nfull avg10=0.00 total=5\n"),
            4711u);
  EXPECT_EQ(pressure_us(""), std::nullopt);
}

TEST(Throttling, IsReadFromBothVersionsOfControlGroups) {
  EXPECT_EQ(throttled_ns("usage_usec 9\nnr_periods 4\nnr_throttled 2\nthrottled_usec 1500\n"), 1'500'000u);
  EXPECT_EQ(throttled_ns("nr_periods 4\nnr_throttled 2\nthrottled_time 1500\n"), 1500u);
  EXPECT_EQ(throttled_ns("usage_usec 9\n"), std::nullopt);
}

TEST(SystemWatch, TellsWhatChangedAndWhatIsUnknown) {
  FakeRoot root;
  root.with("proc/stat", std::string(stat)).with("proc/interrupts", std::string(interrupts));
  root.with("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw");
  root.with("proc/self/cgroup", "0::/box");
  root.with("sys/fs/cgroup/box/cpu.max", "50000 100000");
  root.with("sys/fs/cgroup/box/cpu.stat", "throttled_usec 100");
  root.with("sys/devices/system/cpu/cpu2/cpufreq/scaling_cur_freq", "2500000");
  root.with("sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "3");
  const SystemWatch watch({0, 2}, root.path());
  const SystemCounters before = watch.read(SystemWatch::Look::before);
  root.with("proc/stat", "cpu0 5 0 5 50 0 0 0 12 0 0\ncpu2 5 0 5 50 0 0 0 21 0 0");
  root.with("sys/fs/cgroup/box/cpu.stat", "throttled_usec 250");
  root.with("sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "5");
  const auto found = between(before, watch.read(SystemWatch::Look::after), watch.os_processors());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->os_processors, (std::vector{0, 2}));
  EXPECT_GT(found->observed_ns, 0u);
  EXPECT_EQ(found->steal_ns, 30'000'000u);
  EXPECT_EQ(found->device_interrupts, 0u);
  EXPECT_EQ(found->quota_throttled_ns, 150'000u);
  EXPECT_EQ(found->heat_throttles, 2u);
  EXPECT_EQ(found->mhz, 2500);
  EXPECT_EQ(before.greatest_khz, SystemCounters::unknown);
  EXPECT_EQ(found->softirqs, std::nullopt);
  EXPECT_EQ(found->cpu_pressure_ns, std::nullopt);
}

TEST(SystemWatch, WithoutBothLooksTellsNothing) {
  const SystemWatch watch({0});
  EXPECT_FALSE(between({}, watch.read(SystemWatch::Look::after), first));
  EXPECT_FALSE(between(watch.read(SystemWatch::Look::before), {}, first));
}

}  // namespace
}  // namespace ipcmark
