#include "harness/work_unit.h"

#include <gtest/gtest.h>

namespace ipcmark {
namespace {

TEST(WorkUnit, MoreUnitsGoOnWhereFewerEnded) {
  std::uint64_t number = 1;
  for (unsigned i = 0; i < 3 * 64; ++i)
    number = number * 6'364'136'223'846'793'005u + 1'442'695'040'888'963'407u;
  EXPECT_EQ(do_work(0), 1u);
  EXPECT_NE(do_work(1), do_work(2));
  EXPECT_EQ(do_work(3), number);
}

}  // namespace
}  // namespace ipcmark
