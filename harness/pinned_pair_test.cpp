#include "harness/pinned_pair.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <stdexcept>

#include "harness/allowed_pus.h"

namespace ipcmark {
namespace {

constexpr std::uint64_t limit_ns = 1'000'000'000;

bool no_children_left() { return ::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD; }

TEST(PinnedPair, RunsEachFunctionOnItsProcessorInAProcessOfItsOwn) {
  const auto [first, last] = first_and_last_allowed_pu();
  const SharedPages<std::array<int, 4>> seen;
  run_pinned_pair(
      first, [&] { return (*seen)[0] = ::sched_getcpu(), (*seen)[1] = ::getpid(), true; }, last,
      [&] { return (*seen)[2] = ::sched_getcpu(), (*seen)[3] = ::getpid(), true; }, 10 * limit_ns);
  EXPECT_EQ((*seen)[0], first);
  EXPECT_EQ((*seen)[2], last);
  EXPECT_NE((*seen)[1], (*seen)[3]);
  EXPECT_NE((*seen)[1], ::getpid());
  EXPECT_TRUE(no_children_left());
}

TEST(PinnedPair, AFunctionThatFailsThrowsOrDiesIsAnError) {
  const int pu = first_and_last_allowed_pu().first;
  const auto good = [] { return true; };
  EXPECT_THROW(run_pinned_pair(
                   pu, good, pu, [] { return false; }, limit_ns),
               std::runtime_error);
  EXPECT_THROW(run_pinned_pair(
                   pu, []() -> bool { throw 1; }, pu, good, limit_ns),
               std::runtime_error);
  EXPECT_THROW(run_pinned_pair(
                   pu, good, pu, [] { return ::raise(SIGKILL) == 0; }, limit_ns),
               std::runtime_error);
  EXPECT_TRUE(no_children_left());
}

TEST(PinnedPair, OneThatHangsOrIsStoppedIsEndedWhenTimeIsUp) {
  const int pu = first_and_last_allowed_pu().first;
  const auto good = [] { return true; };
  EXPECT_THROW(run_pinned_pair(
                   pu, good, pu, [] { return ::pause() == 0; }, limit_ns / 20),
               std::runtime_error);
  EXPECT_THROW(run_pinned_pair(
                   pu, good, pu, [] { return ::raise(SIGSTOP) == 0; }, limit_ns / 20),
               std::runtime_error);
  EXPECT_TRUE(no_children_left());
}

}  // namespace
}  // namespace ipcmark
