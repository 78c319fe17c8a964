#include "harness/work_unit.h"

namespace ipcmark {

std::uint64_t do_work(std::uint64_t units) {
  constexpr unsigned steps = 64;
  // Knuth's MMIX generator: each number needs the one before it.
  constexpr std::uint64_t factor = 6'364'136'223'846'793'005, increment = 1'442'695'040'888'963'407;
  volatile std::uint64_t kept = 1;
  std::uint64_t number = kept;
  for (; units > 0; --units) {
    for (unsigned i = 0; i < steps; ++i) number = number * factor + increment;
  }
  kept = number;
  return kept;
}

}  // namespace ipcmark
