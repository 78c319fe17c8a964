// Random order from a recorded seed, the same with every standard library: std::shuffle and the distributions
// of <random> are not.
#pragma once

#include <cstdint>
#include <span>
#include <utility>

namespace ipcmark {

// Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014.
class SplitMix64 {
 public:
  explicit constexpr SplitMix64(std::uint64_t seed) : state_(seed) {}

  constexpr std::uint64_t operator()() {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }

  // Uniform in [0, bound), without bias. Needs bound > 0.
  constexpr std::uint64_t below(std::uint64_t bound) {
    const std::uint64_t rejected = (0 - bound) % bound;  // 2^64 mod bound
    std::uint64_t drawn = (*this)();
    while (drawn < rejected) drawn = (*this)();
    return drawn % bound;
  }

 private:
  std::uint64_t state_;
};

// Fisher and Yates: every order is equally likely.
template <class T>
constexpr void shuffle(std::span<T> values, SplitMix64& random) {
  for (std::size_t left = values.size(); left > 1; --left) {
    std::swap(values[left - 1], values[random.below(left)]);
  }
}

}  // namespace ipcmark
