#include "harness/doorbell.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "harness/pinned_pair.h"
#include "harness/test_stress.h"
#include "harness/test_work.h"

namespace ipcmark {
namespace {

// Things that some make and others use up, at most `room` of them there at a time: the bounded buffer without
// the buffer. A wake-up that is lost leaves somebody asleep for ever.
struct Store {
  Store(Wait way, std::uint64_t room_for) : room(room_for), makers(way), users(way) {}

  std::uint64_t room;
  std::atomic<std::uint64_t> things{0}, used{0};
  std::atomic<unsigned> makers_left{0};
  Doorbell makers, users;
};

// Lets others run from time to time, so that spinning tests come to an end on a machine with fewer processors
// than threads.
template <class Ready>
void wait_at(DoorbellEnd& own, Ready ready) {
  thread_local unsigned waits = 0;
  own.wait(ready);
  if (++waits % 256 == 0) sched_yield();
}

void make(Store& store, const LinkDoorbellParts& parts, std::uint64_t things) {
  DoorbellEnd own(store.makers, parts.senders), users(store.users, parts.receivers);
  for (std::uint64_t made = 0; made < things;) {
    std::uint64_t there = store.things.load();
    if (there == store.room) {
      wait_at(own, [&] { return store.things.load() != store.room; });
    } else if (store.things.compare_exchange_weak(there, there + 1)) {
      users.ring();
      ++made;
    }
  }
  if (store.makers_left.fetch_sub(1) == 1) users.ring_all();
}

void use(Store& store, const LinkDoorbellParts& parts) {
  DoorbellEnd own(store.users, parts.receivers), makers(store.makers, parts.senders);
  for (;;) {
    const bool over = store.makers_left.load() == 0;
    std::uint64_t there = store.things.load();
    if (there != 0) {
      if (!store.things.compare_exchange_weak(there, there - 1)) continue;
      store.used.fetch_add(1);
      makers.ring();
    } else if (over) {
      return;
    } else {
      wait_at(own, [&] { return store.things.load() != 0 || store.makers_left.load() == 0; });
    }
  }
}

class DoorbellOf : public testing::TestWithParam<Wait> {
 protected:
  LinkDoorbellParts parts() const {
    return {DoorbellParts("store", GetParam()), DoorbellParts("store", GetParam())};
  }
};

std::vector<Wait> all_doorbell_waits() {
  std::vector<Wait> waits;
  for (const Wait wait : all_waits()) {
    if (doorbell_waits.contains(wait)) waits.push_back(wait);
  }
  return waits;
}
std::vector<Wait> sleeping_waits() {
  std::vector<Wait> waits = all_doorbell_waits();
  std::erase_if(waits, [](Wait wait) { return wait == Wait::spin || wait == Wait::yield; });
  return waits;
}
std::string name_of(const testing::TestParamInfo<Wait>& wait) { return std::string(to_string(wait.param)); }

INSTANTIATE_TEST_SUITE_P(Way, DoorbellOf, testing::ValuesIn(all_doorbell_waits()), name_of);

TEST_P(DoorbellOf, SeveralThreadsOnBothSidesLoseNoWakeUp) {
  const LinkDoorbellParts kernel = parts();
  for (const std::uint64_t room : {1, 2, 50}) {
    for (const auto& [makers, users] : {std::pair{1u, 4u}, {4u, 1u}, {3u, 3u}}) {
      SCOPED_TRACE(testing::Message() << room << " things, " << makers << " makers, " << users << " users");
      constexpr std::uint64_t things = 300 * patience;
      Store store(GetParam(), room);
      store.makers_left = makers;
      std::vector<std::thread> threads;
      for (unsigned i = 0; i < users; ++i) threads.emplace_back([&] { use(store, kernel); });
      for (unsigned i = 0; i < makers; ++i)
        threads.emplace_back([&] { make(store, kernel, things / makers); });
      for (std::thread& thread : threads) thread.join();
      EXPECT_EQ(store.used, things / makers * makers);
    }
  }
}

TEST_P(DoorbellOf, SeveralProcessesOnBothSidesLoseNoWakeUp) {
  const LinkDoorbellParts kernel = parts();
  struct Pages {
    alignas(Store) std::byte bytes[sizeof(Store)];
  };
  const SharedPages<Pages> pages;
  constexpr unsigned each = 3;
  constexpr std::uint64_t things = 300 * patience;
  auto& store = *new (pages->bytes) Store(GetParam(), 2);
  store.makers_left = each;
  std::vector<pid_t> children;
  for (unsigned i = 0; i < 2 * each; ++i) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      alarm(60);
      try {
        i < each ? make(store, kernel, things) : use(store, kernel);
        _exit(0);
      } catch (...) {
        _exit(1);
      }
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(store.used, each * things);
}

class SleepingDoorbellOf : public DoorbellOf {};
INSTANTIATE_TEST_SUITE_P(Way, SleepingDoorbellOf, testing::ValuesIn(sleeping_waits()), name_of);

TEST_P(SleepingDoorbellOf, NobodySleepsWhoFindsItReady) {
  const LinkDoorbellParts kernel = parts();
  Doorbell doorbell(GetParam());
  DoorbellEnd end(doorbell, kernel.senders);
  end.wait([] { return true; });
}

// Rung for after it announced itself, and ready all the same. More often than a System V semaphore counts to.
TEST_P(SleepingDoorbellOf, AWaiterThatNeedNotSleepLeavesNoTokenBehind) {
  const LinkDoorbellParts kernel = parts();
  Doorbell doorbell(GetParam());
  DoorbellEnd waiter(doorbell, kernel.senders), ringer(doorbell, kernel.senders);
  bool last_look = false;
  const auto ring_meanwhile = [&] {
    ringer.ring();
    return last_look;
  };
  for (int i = 0; i < 40'000; ++i) {
    last_look = i % 2 == 0;
    waiter.wait(ring_meanwhile);
  }

  std::atomic<bool> open{false}, woken{false};
  std::thread sleeper([&] {
    DoorbellEnd end(doorbell, kernel.senders);
    end.wait([&] { return open.load(); });
    EXPECT_TRUE(open) << "a token of the past woke it";
    woken = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_FALSE(woken);
  open = true;
  ringer.ring();
  sleeper.join();
}

TEST_P(SleepingDoorbellOf, RingingForAllWakesAll) {
  const LinkDoorbellParts kernel = parts();
  Doorbell doorbell(GetParam());
  std::atomic<bool> over{false};
  std::atomic<unsigned> about_to_wait{0};
  std::vector<std::thread> sleepers;
  for (int i = 0; i < 5; ++i) {
    sleepers.emplace_back([&] {
      DoorbellEnd end(doorbell, kernel.senders);
      while (!over) {
        end.wait([&] {
          ++about_to_wait;
          return over.load();
        });
      }
    });
  }
  while (about_to_wait < 5) std::this_thread::yield();
  over = true;
  DoorbellEnd(doorbell, kernel.senders).ring_all();
  for (std::thread& sleeper : sleepers) sleeper.join();
}

TEST_P(SleepingDoorbellOf, SignalsDoNotEndTheSleep) {
  const LinkDoorbellParts kernel = parts();
  Doorbell doorbell(GetParam());
  struct sigaction on_alarm {
  }, before{};
  on_alarm.sa_handler = [](int) {};  // without SA_RESTART
  ASSERT_EQ(sigaction(SIGALRM, &on_alarm, &before), 0);
  std::atomic<bool> open{false};
  std::atomic<pthread_t> who{};
  std::thread sleeper([&] {
    who = pthread_self();
    DoorbellEnd end(doorbell, kernel.senders);
    end.wait([&] { return open.load(); });
    EXPECT_TRUE(open);
  });
  while (who.load() == pthread_t{}) std::this_thread::yield();
  for (int i = 0; i < 50; ++i) {
    pthread_kill(who, SIGALRM);
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  open = true;
  DoorbellEnd(doorbell, kernel.senders).ring();
  sleeper.join();
  sigaction(SIGALRM, &before, nullptr);
}

TEST(Doorbell, OnlyThoseThatMaySleepNeedToBeRung) {
  for (const Wait wait : all_doorbell_waits()) {
    Doorbell doorbell(wait);
    const DoorbellParts kernel("doorbell", wait);
    EXPECT_EQ(DoorbellEnd(doorbell, kernel).may_sleep(), wait != Wait::spin && wait != Wait::yield);
  }
}

TEST(Doorbell, RefusesWaysThatItDoesNotHaveAndPartsOfOthers) {
  for (const Wait wait : {Wait::block, Wait::poll, Wait::epoll}) {
    EXPECT_THROW(Doorbell{wait}, std::invalid_argument) << to_string(wait);
  }
  for (const Wait wait : {Wait::eventfd, Wait::sysv_semaphore}) {
    Doorbell doorbell(wait), spinning(Wait::spin);
    const DoorbellParts kernel("doorbell", wait);
    EXPECT_THROW(DoorbellEnd(doorbell, DoorbellParts()), std::invalid_argument) << to_string(wait);
    EXPECT_THROW(DoorbellEnd(spinning, kernel), std::invalid_argument) << to_string(wait);
  }
}

TEST(Doorbell, WithoutADescriptorLeftEventfdIsUnsupported) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    rlimit before{};
    getrlimit(RLIMIT_NOFILE, &before);
    const rlimit none{0, before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    try {
      const DoorbellParts kernel("posix_shm", Wait::eventfd);
    } catch (const Unsupported& reason) {
      setrlimit(RLIMIT_NOFILE, &before);
      _exit(std::string_view(reason.what()).starts_with("posix_shm: eventfd was refused (") ? 0 : 1);
    } catch (...) {
    }
    _exit(2);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

auto semaphores() {
  std::ifstream table("/proc/sysvipc/sem");
  return std::count(std::istreambuf_iterator<char>(table), {}, '\n') - 1;
}

// In an IPC namespace of its own, where nobody else makes semaphores.
std::string outcome_alone(std::function<void()> test) {
  TestWork work;
  work.on_build = [&](const std::string&) { test(); };
  return outcome_of(test_spec(1), work);
}

TEST(Doorbell, ASystemVSemaphoreIsRemovedByItsMakerAlone) {
  if (!test_isolation().namespaces) GTEST_SKIP() << "no namespaces";
  EXPECT_EQ(outcome_alone([] {
              require(semaphores() == 0, "semaphores of others");
              {
                DoorbellParts made("posix_shm", Wait::sysv_semaphore);
                const DoorbellParts kernel(std::move(made));
                require(semaphores() == 1, "not one semaphore was made");
                const pid_t child = fork();
                if (child == 0) {
                  { const DoorbellParts inherited(std::move(const_cast<DoorbellParts&>(kernel))); }
                  _exit(0);
                }
                waitpid(child, nullptr, 0);
                require(semaphores() == 1, "a child removed it");
              }
              require(semaphores() == 0, "it was left behind");
            }),
            "");
}

TEST(Doorbell, WithoutASemaphoreLeftSystemVIsUnsupported) {
  if (!test_isolation().namespaces) GTEST_SKIP() << "no namespaces";
  const std::string outcome = outcome_alone([] {
    std::ofstream limit("/proc/sys/kernel/sem");
    limit << "1 1 1 0" << std::flush;
    require(static_cast<bool>(limit), "the namespace's limits cannot be written");
    const DoorbellParts kernel("posix_shm", Wait::sysv_semaphore);
  });
  EXPECT_THAT(outcome,
              testing::StartsWith("unsupported: posix_shm: a System V semaphore was refused; kernel.sem "));
}

}  // namespace
}  // namespace ipcmark
