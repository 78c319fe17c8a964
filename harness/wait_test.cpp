#include "harness/wait.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <iterator>
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

class SleepingReadyWait : public ReadyWaitTest, public testing::WithParamInterface<Wait> {};
INSTANTIATE_TEST_SUITE_P(Way, SleepingReadyWait, testing::Values(Wait::poll, Wait::epoll),
                         [](const auto& wait) { return std::string(to_string(wait.param)); });

TEST_P(SleepingReadyWait, ReturnsOnceThereIsSomethingToReadEachTime) {
  ReadyWait ready(GetParam(), POLLIN);
  for (int i = 0; i < 3; ++i) {
    std::thread writer([this] { EXPECT_EQ(::write(ends_[1], "x", 1), 1); });
    ready(ends_[0]);
    char byte;
    EXPECT_EQ(::read(ends_[0], &byte, 1), 1);
    writer.join();
  }
}

TEST_P(SleepingReadyWait, ReturnsAgainWhileSomethingIsLeftToRead) {
  EXPECT_EQ(::write(ends_[1], "xy", 2), 2);
  ReadyWait ready(GetParam(), POLLIN);
  ready(ends_[0]);
  char byte;
  EXPECT_EQ(::read(ends_[0], &byte, 1), 1);
  ready(ends_[0]);
}

TEST_P(SleepingReadyWait, ReturnsWhenThePeerHasGone) {
  ReadyWait ready(GetParam(), POLLIN);
  ::close(ends_[1]);
  ends_[1] = -1;
  ready(ends_[0]);
}

TEST_P(SleepingReadyWait, ReturnsWhenThereIsRoomToWrite) { ReadyWait(GetParam(), POLLOUT)(ends_[1]); }

TEST_P(SleepingReadyWait, GoesOnAfterItWasMoved) {
  EXPECT_EQ(::write(ends_[1], "x", 1), 1);
  ReadyWait ready(GetParam(), POLLIN);
  ready(ends_[0]);
  ReadyWait moved(std::move(ready));
  moved(ends_[0]);
}

TEST_P(SleepingReadyWait, SignalsDoNotEndIt) {
  struct sigaction on_alarm {
  }, before{};
  on_alarm.sa_handler = [](int) {};  // without SA_RESTART
  ASSERT_EQ(::sigaction(SIGALRM, &on_alarm, &before), 0);
  std::atomic<bool> written{false};
  std::atomic<pthread_t> who{};
  std::thread sleeper([&] {
    who = pthread_self();
    ReadyWait(GetParam(), POLLIN)(ends_[0]);
    EXPECT_TRUE(written);
  });
  while (who.load() == pthread_t{}) std::this_thread::yield();
  for (int i = 0; i < 50; ++i) {
    pthread_kill(who, SIGALRM);
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  written = true;
  EXPECT_EQ(::write(ends_[1], "x", 1), 1);
  sleeper.join();
  ::sigaction(SIGALRM, &before, nullptr);
}

TEST_P(SleepingReadyWait, WithATimeoutItReturnsThoughNothingComes) {
  ReadyWait ready(GetParam(), POLLIN, 1);
  for (int i = 0; i < 3; ++i) ready(ends_[0]);
}

TEST_F(ReadyWaitTest, EpollSaysWhatIsWrongWithADescriptorThatCannotBeWaitedFor) {
  EXPECT_THROW(ReadyWait(Wait::epoll, POLLIN)(-1), std::system_error);
}

std::ptrdiff_t open_descriptors() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

TEST_F(ReadyWaitTest, EpollKeepsOneDescriptorUntilItIsDestroyed) {
  const std::ptrdiff_t before = open_descriptors();
  {
    ReadyWait ready(Wait::epoll, POLLOUT);
    for (int i = 0; i < 3; ++i) ready(ends_[1]);
    EXPECT_EQ(open_descriptors(), before + 1);
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(ReadyWaitTest, SpinAndYieldReturnAtOnce) {
  ReadyWait(Wait::spin, POLLIN)(ends_[0]);
  ReadyWait(Wait::yield, POLLIN)(ends_[0]);
}

TEST_F(ReadyWaitTest, OtherWaitsNeverGetHere) {
  EXPECT_THROW(ReadyWait(Wait::block, POLLIN)(ends_[0]), std::logic_error);
  EXPECT_THROW(ReadyWait(Wait::futex, POLLIN)(ends_[0]), std::logic_error);
  EXPECT_NO_THROW(ReadyWait(Wait::block, POLLIN, 1)(ends_[0])) << "its attempts end by themselves";
}

}  // namespace
}  // namespace ipcmark
