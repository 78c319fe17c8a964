#include "workloads/affine.h"

#include <gtest/gtest.h>

#include <vector>

namespace ipcmark {
namespace {

TEST(Filters, AreUndoneByTheirInverse) {
  for (std::uint64_t stages = 0; stages <= 8; ++stages) {
    const Affine all = filters_of_stages(stages), back = all.inverse();
    for (const std::uint64_t word : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}}) {
      EXPECT_EQ(back(all(word)), word);
      EXPECT_EQ(stages == 0, all(word) == word);
    }
  }
}

TEST(Filters, DoNotCommute) {
  for (std::uint64_t a = 0; a < 8; ++a) {
    for (std::uint64_t b = 0; b < a; ++b) {
      const Affine first = filter_of_stage(a), second = filter_of_stage(b);
      EXPECT_NE(first.then(second)(1), second.then(first)(1)) << a << " and " << b;
    }
  }
}

TEST(Filters, OfWholeMessagesAreUndoneInTheReadingAlone) {
  const Affine all = filters_of_stages(8);
  for (const Touch touch : {Touch::full, Touch::header}) {
    for (const std::size_t bytes : {1u, 3u, 7u, 8u, 9u, 64u, 67u, 4096u}) {
      std::vector<std::byte> message(bytes);
      fill(message, 0, 123'456'789, touch);
      const Reading before = read(message, touch);
      std::vector<std::byte> step = message, at_once = message;
      for (std::uint64_t stage = 0; stage < 8; ++stage)
        filter_words(step, step, filter_of_stage(stage), touch);
      filter_words(message, at_once, all, touch);
      EXPECT_EQ(step, at_once) << bytes;
      const Reading told = undone(read(step, touch), step, all, touch);
      EXPECT_EQ(told.stamp, before.stamp) << bytes;
      EXPECT_EQ(told.sum, before.sum) << bytes;
      filter_words(step, step, all.inverse(), touch);
      EXPECT_EQ(step, message) << bytes;
    }
  }
}

}  // namespace
}  // namespace ipcmark
