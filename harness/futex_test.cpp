#include "harness/futex.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/time.h>

#include <system_error>
#include <thread>

#include "harness/allowed_pus.h"
#include "harness/clock.h"
#include "harness/pinned_pair.h"

namespace ipcmark {
namespace {

TEST(Futex, DoesNotSleepWhenTheWordHasChanged) {
  std::atomic<std::uint32_t> word{1};
  EXPECT_EQ(futex_wait(word, 0), FutexWait::changed);
}

TEST(Futex, SleepsNoLongerThanTheDeadline) {
  std::atomic<std::uint32_t> word{0};
  const std::uint64_t deadline_ns = now_ns() + 20'000'000;
  EXPECT_EQ(futex_wait(word, 0, deadline_ns), FutexWait::timed_out);
  EXPECT_GE(now_ns(), deadline_ns);
  EXPECT_EQ(futex_wait(word, 0, 1), FutexWait::timed_out) << "a deadline long gone";
}

TEST(Futex, ASignalDoesNotEndTheSleep) {
  struct sigaction ignore_it {
  }, before{};
  ignore_it.sa_handler = [](int) {};
  sigaction(SIGALRM, &ignore_it, &before);
  const itimerval every_millisecond{{0, 1'000}, {0, 1'000}};
  setitimer(ITIMER_REAL, &every_millisecond, nullptr);
  std::atomic<std::uint32_t> word{0};
  const std::uint64_t deadline_ns = now_ns() + 20'000'000;
  EXPECT_EQ(futex_wait(word, 0, deadline_ns), FutexWait::timed_out);
  EXPECT_GE(now_ns(), deadline_ns);
  const itimerval never{};
  setitimer(ITIMER_REAL, &never, nullptr);
  sigaction(SIGALRM, &before, nullptr);
}

TEST(Futex, WakesNobodyWhereNobodySleeps) {
  std::atomic<std::uint32_t> word{0};
  EXPECT_EQ(futex_wake(word), 0);
}

TEST(Futex, AnotherProcessIsWoken) {
  const auto [first, last] = first_and_last_allowed_pu();
  const SharedPages<std::atomic<std::uint32_t>> word;
  const auto sleeper = [&] {
    while (word->load() == 0) futex_wait(*word, 0);
    return true;
  };
  const auto waker = [&] {
    while (futex_wake(*word) == 0) ::sched_yield();  // until the sleeper is really asleep; it sleeps again
    word->store(1);
    futex_wake(*word);
    return true;
  };
  run_pinned_pair(first, sleeper, last, waker, 10'000'000'000);
}

TEST(Futex, ABadAddressIsAnErrorThatNamesTheCall) {
  auto* const nowhere = reinterpret_cast<std::atomic<std::uint32_t>*>(8);
  try {
    futex_wake(*nowhere);
    FAIL() << "nothing thrown";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code().value(), EFAULT);
    EXPECT_NE(std::string(error.what()).find("futex"), std::string::npos);
  }
}

}  // namespace
}  // namespace ipcmark
