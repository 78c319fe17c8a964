#include "harness/doorbell.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/ipc.h>
#include <sys/sem.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include "harness/fail.h"
#include "harness/futex.h"
#include "harness/isolation.h"

namespace ipcmark {
namespace {

// The pthread functions return what is wrong.
void require_done(int error, const char* call) {
  if (error != 0) throw std::system_error(error, std::generic_category(), call);
}

[[noreturn]] void refuse(std::string_view transport, const std::string& what) {
  throw Unsupported(std::string(transport) + ": " + what + " (" + strerror(errno) + ")");
}

class Locked {
 public:
  explicit Locked(pthread_mutex_t& mutex) : mutex_(mutex) {
    require_done(pthread_mutex_lock(&mutex_), "pthread_mutex_lock");
  }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;
  ~Locked() { pthread_mutex_unlock(&mutex_); }

 private:
  pthread_mutex_t& mutex_;
};

// Takes one where there is one.
bool take_one(std::atomic<std::uint32_t>& count) {
  std::uint32_t there = count.load(std::memory_order_relaxed);
  // relaxed: a count of waiters and tokens; what they wait for is ordered by the queue's own accesses.
  while (there != 0 && !count.compare_exchange_weak(there, there - 1, std::memory_order_relaxed)) {
  }
  return there != 0;
}

}  // namespace

Doorbell::Doorbell(Wait way) : way_(way) {
  if (!doorbell_waits.contains(way)) {
    throw std::invalid_argument("shared memory cannot be waited for by " + std::string(to_string(way)));
  }
  if (way == Wait::semaphore) {
    if (sem_init(&semaphore_, 1, 0) != 0) fail("sem_init");
  } else if (way == Wait::condvar) {
    pthread_mutexattr_t for_mutex;
    require_done(pthread_mutexattr_init(&for_mutex), "pthread_mutexattr_init");
    require_done(pthread_mutexattr_setpshared(&for_mutex, PTHREAD_PROCESS_SHARED),
                 "pthread_mutexattr_setpshared");
    require_done(pthread_mutex_init(&monitor_.mutex, &for_mutex), "pthread_mutex_init");
    pthread_mutexattr_destroy(&for_mutex);
    pthread_condattr_t for_condition;
    require_done(pthread_condattr_init(&for_condition), "pthread_condattr_init");
    require_done(pthread_condattr_setpshared(&for_condition, PTHREAD_PROCESS_SHARED),
                 "pthread_condattr_setpshared");
    require_done(pthread_cond_init(&monitor_.more_tokens, &for_condition), "pthread_cond_init");
    pthread_condattr_destroy(&for_condition);
    monitor_.tokens = 0;
  }
}

DoorbellParts::DoorbellParts(std::string_view transport, Wait way) {
  if (way == Wait::eventfd) {
    // A read takes one token, not all, so that each of several waiters gets the one put for it.
    event_.reset(::eventfd(0, EFD_SEMAPHORE | EFD_CLOEXEC));
    if (!event_) refuse(transport, "eventfd was refused");
  } else if (way == Wait::sysv_semaphore) {
    semaphore_maker_ = getpid();
    // Nobody opens it by its key, but what a killed launch leaves is known by it (harness/cleanup.h).
    do {
      semaphore_ = semget(unique_sysv_key(), 1, IPC_CREAT | IPC_EXCL | 0600);
    } while (semaphore_ < 0 && errno == EEXIST);
    if (semaphore_ < 0) refuse(transport, "a System V semaphore was refused; kernel.sem bounds them");
    // Zero on Linux already; POSIX leaves it open.
    if (semctl(semaphore_, 0, SETVAL, 0) != 0) fail("semctl(SETVAL)");
  }
}

DoorbellParts::DoorbellParts(DoorbellParts&& other) noexcept
    : event_(std::move(other.event_)),
      semaphore_(std::exchange(other.semaphore_, -1)),
      semaphore_maker_(other.semaphore_maker_) {}

DoorbellParts::~DoorbellParts() {
  if (semaphore_ >= 0 && getpid() == semaphore_maker_) semctl(semaphore_, 0, IPC_RMID);
}

DoorbellEnd::DoorbellEnd(Doorbell& doorbell, const DoorbellParts& parts)
    : doorbell_(&doorbell), semaphore_(parts.semaphore_) {
  if ((doorbell.way_ == Wait::eventfd) != static_cast<bool>(parts.event_) ||
      (doorbell.way_ == Wait::sysv_semaphore) != (parts.semaphore_ >= 0)) {
    throw std::invalid_argument("these are not the parts of a doorbell of " +
                                std::string(to_string(doorbell.way_)));
  }
  if (parts.event_) {
    event_.reset(fcntl(parts.event_.get(), F_DUPFD_CLOEXEC, 0));
    if (!event_) fail("fcntl(F_DUPFD_CLOEXEC) of an eventfd");
  }
}

void DoorbellEnd::wake(std::uint32_t most) {
  // relaxed: it cannot be older than the caller's look. Whom another ringer has taken away meanwhile will
  // look again, and that look comes after the announcement that follows.
  std::uint32_t waiting = doorbell_->announced_.load(std::memory_order_relaxed), woken;
  do {
    if (waiting == 0) return;
    woken = std::min(waiting, most);
  } while (!doorbell_->announced_.compare_exchange_weak(waiting, waiting - woken, std::memory_order_relaxed));
  put_tokens(woken);
}

bool DoorbellEnd::take_announcement_back() { return take_one(doorbell_->announced_); }

void DoorbellEnd::take_token() {
  switch (doorbell_->way_) {
    case Wait::semaphore:
      while (sem_wait(&doorbell_->semaphore_) != 0) {
        if (errno != EINTR) fail("sem_wait");
      }
      return;
    case Wait::sysv_semaphore: {
      sembuf take{0, -1, 0};
      while (semop(semaphore_, &take, 1) != 0) {
        if (errno != EINTR) fail("semop");
      }
      return;
    }
    case Wait::condvar: {
      Doorbell::Monitor& monitor = doorbell_->monitor_;
      const Locked locked(monitor.mutex);
      while (monitor.tokens == 0) {
        require_done(pthread_cond_wait(&monitor.more_tokens, &monitor.mutex), "pthread_cond_wait");
      }
      --monitor.tokens;
      return;
    }
    case Wait::eventfd: {
      std::uint64_t one;
      while (::read(event_.get(), &one, sizeof one) < 0) {
        if (errno != EINTR) fail("read of an eventfd");
      }
      return;
    }
    default:
      while (!take_one(doorbell_->tokens_)) futex_wait(doorbell_->tokens_, 0);
  }
}

void DoorbellEnd::put_tokens(std::uint32_t count) {
  switch (doorbell_->way_) {
    case Wait::semaphore:
      for (; count > 0; --count) {
        if (sem_post(&doorbell_->semaphore_) != 0) fail("sem_post");
      }
      return;
    case Wait::sysv_semaphore: {
      sembuf put{0, static_cast<short>(count), 0};
      while (semop(semaphore_, &put, 1) != 0) {
        if (errno != EINTR) fail("semop");
      }
      return;
    }
    case Wait::condvar: {
      Doorbell::Monitor& monitor = doorbell_->monitor_;
      {
        const Locked locked(monitor.mutex);
        monitor.tokens += count;
      }
      // All, not one: with several waiters, pthread_cond_signal of glibc 2.25 to 2.40 may wake nobody (glibc
      // bug 25847).
      require_done(pthread_cond_broadcast(&monitor.more_tokens), "pthread_cond_broadcast");
      return;
    }
    case Wait::eventfd: {
      const std::uint64_t tokens = count;
      while (::write(event_.get(), &tokens, sizeof tokens) < 0) {
        if (errno != EINTR) fail("write to an eventfd");
      }
      return;
    }
    default:
      // relaxed: futex_wait looks at the word under the kernel's lock, which futex_wake takes after this.
      doorbell_->tokens_.fetch_add(count, std::memory_order_relaxed);
      futex_wake(doorbell_->tokens_, static_cast<int>(std::min<std::uint32_t>(count, INT_MAX)));
  }
}

}  // namespace ipcmark
