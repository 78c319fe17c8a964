#include "harness/floors.h"

#include <gtest/gtest.h>

#include <array>

namespace ipcmark {
namespace {

TEST(Floors, EveryFloorIsMeasuredForEverySize) {
  constexpr std::array<std::uint64_t, 4> sizes{1, 64, 100, 1 << 20};
  const Floors floors = measure_floors(sizes);
  EXPECT_GT(floors.clock_read_ns, 0);
  EXPECT_GT(floors.system_call_ns, 0);
  ASSERT_EQ(floors.touch.size(), sizes.size());
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    EXPECT_EQ(floors.touch[i].message_bytes, sizes[i]);
    EXPECT_GT(floors.touch[i].write_ns, 0);
    EXPECT_GT(floors.touch[i].read_ns, 0);
    EXPECT_GT(floors.touch[i].memcpy_ns, 0);
  }
}

}  // namespace
}  // namespace ipcmark
