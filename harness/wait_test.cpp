#include "harness/wait.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace ipcmark {
namespace {

class ReadyWaitTest : public testing::Test {
 protected:
  ReadyWaitTest() { EXPECT_EQ(::pipe(ends_.data()), 0); }
  ~ReadyWaitTest() override {
    for (const int fd : ends_) {
      if (fd >= 0) ::close(fd);
    }
  }
  std::array<int, 2> ends_{-1, -1};
};

TEST_F(ReadyWaitTest, PollReturnsOnceThereIsSomethingToRead) {
  std::thread writer([this] { EXPECT_EQ(::write(ends_[1], "x", 1), 1); });
  ReadyWait(Wait::poll, POLLIN)(ends_[0]);
  char byte;
  EXPECT_EQ(::read(ends_[0], &byte, 1), 1);
  writer.join();
}

TEST_F(ReadyWaitTest, PollReturnsWhenThePeerHasGone) {
  ::close(ends_[1]);
  ends_[1] = -1;
  ReadyWait(Wait::poll, POLLIN)(ends_[0]);
}

TEST_F(ReadyWaitTest, PollReturnsWhenThereIsRoomToWrite) { ReadyWait(Wait::poll, POLLOUT)(ends_[1]); }

TEST_F(ReadyWaitTest, SpinAndYieldReturnAtOnce) {
  ReadyWait(Wait::spin, POLLIN)(ends_[0]);
  ReadyWait(Wait::yield, POLLIN)(ends_[0]);
}

TEST_F(ReadyWaitTest, OtherWaitsNeverGetHere) {
  EXPECT_THROW(ReadyWait(Wait::block, POLLIN)(ends_[0]), std::logic_error);
  EXPECT_THROW(ReadyWait(Wait::futex, POLLIN)(ends_[0]), std::logic_error);
}

}  // namespace
}  // namespace ipcmark
