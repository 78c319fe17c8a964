// Timing something short: many calls between two readings of the clock, many such batches, their median.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "harness/clock.h"

namespace ipcmark {

// The value at share q of the sorted values (0 <= q <= 1), the lower of two neighbours; values must not be
// empty.
inline double order_statistic(std::vector<double> values, double q) {
  const auto rank = static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + rank, values.end());
  return values[static_cast<std::size_t>(rank)];
}

// Nanoseconds per call of `call`: the median of `batches`, after one batch that is not counted.
template <class Call>
double median_call_ns(unsigned batches, std::size_t calls_per_batch, Call call) {
  std::vector<double> means;
  means.reserve(batches);
  for (unsigned batch = 0; batch <= batches; ++batch) {
    const std::uint64_t begin = now_ns();
    for (std::size_t i = 0; i < calls_per_batch; ++i) call();
    const std::uint64_t end = now_ns();
    if (batch > 0) means.push_back(static_cast<double>(end - begin) / static_cast<double>(calls_per_batch));
  }
  return order_statistic(std::move(means), 0.5);
}

// The compiler must assume that this value is used, and that memory is read and written here.
template <class T>
void keep(const T& value) {
  asm volatile("" : : "g"(value) : "memory");
}

}  // namespace ipcmark
