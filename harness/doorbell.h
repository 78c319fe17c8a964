// How a side of a link in shared memory waits for the other side to have done something, by each way that a
// case can name. What is waited for is the business of the queue (harness/ring.h and others); how, is decided
// here, so that queues with different waits differ in nothing else.
//
//   Doorbell       lies in the shared region, one for each side that may wait
//   DoorbellParts  what a way needs besides: a descriptor or a semaphore. Held by the link, made by the
//                  launch's parent before the fork
//   DoorbellEnd    what an endpoint holds of a doorbell, to wait at it or to ring it
//
// Any number of threads of any number of processes may wait at a doorbell, and ring it, at once. Use:
//
//   the waiter, after an attempt said `again`            the other side, for each thing it does
//     own.wait([&] {                                       state.store(..., seq_cst);
//       return <worth another attempt>;  // seq_cst loads  others.ring();
//     });
//
// Nobody sleeps through it: the waiter announces itself, looks again, then sleeps; the ringer publishes, then
// looks for who has announced itself. All four accesses are seq_cst, so they have one order: a waiter that
// does not see what was published looked before it was, and announced itself before that, so the ringer sees
// the announcement. Publishing must be a seq_cst store or read-modify-write for this. (Atomics rather than
// fences, which ThreadSanitizer does not understand.) Where nobody ever sleeps, ring() does nothing and
// publishing may be a release: may_sleep() tells, and does not change.
//
// ring() wakes one waiter, which is enough where any waiter can use what was published; ring(n) is for n such
// things at once, ring_all() for what concerns them all, such as the end.
//
// Sleeping is taking a token, on every way, and tokens are exact: a ringer takes an announcement away before
// it puts a token for it; a waiter that need not sleep after all takes its announcement back, and if there is
// none left, the token. So
//   waiters between announcing and leaving = announcements + tokens, put or about to be
// and no token outlives the waiter that it was put for.
#pragma once

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <limits>
#include <string_view>

#include "harness/case.h"
#include "harness/clock.h"
#include "harness/contract.h"
#include "harness/descriptor.h"
#include "harness/wait.h"

namespace ipcmark {

inline constexpr WaitSet doorbell_waits{Wait::spin,      Wait::yield,          Wait::futex,   Wait::adaptive,
                                        Wait::semaphore, Wait::sysv_semaphore, Wait::condvar, Wait::eventfd};

// Made once, in place, before anybody has an end of it. Never destroyed: it goes with its region.
class Doorbell {
 public:
  // Throws std::invalid_argument for a way that is none of doorbell_waits.
  explicit Doorbell(Wait way);
  Doorbell(const Doorbell&) = delete;
  Doorbell& operator=(const Doorbell&) = delete;

 private:
  friend class DoorbellEnd;

  struct Monitor {
    pthread_mutex_t mutex;
    pthread_cond_t more_tokens;
    std::uint32_t tokens;
  };

  // Processors fetch lines in pairs, so what must not disturb its neighbours lies on 128 bytes of its own.
  alignas(128) std::atomic<std::uint32_t> announced_{0};
  std::atomic<std::uint32_t> tokens_{0};  // futex, adaptive
  Wait way_;
  union {
    sem_t semaphore_;  // semaphore
    Monitor monitor_;  // condvar
  };
};

// Removes what it made when its maker destroys it: a semaphore at once, whoever waits at it. So it stays
// until the roles have ended, as a link's remains do.
class DoorbellParts {
 public:
  // For the ways that need nothing besides the region.
  DoorbellParts() = default;
  // What this way needs, if anything. Throws Unsupported, beginning with the transport's name, where the
  // kernel does not offer it or has none left.
  DoorbellParts(std::string_view transport, Wait way);
  DoorbellParts(DoorbellParts&& other) noexcept;
  DoorbellParts& operator=(DoorbellParts&&) = delete;
  ~DoorbellParts();

 private:
  friend class DoorbellEnd;

  Descriptor event_;           // eventfd(2)
  int semaphore_ = -1;         // semget(2)
  pid_t semaphore_maker_ = 0;  // who removes it
};

// For both sides of a link.
struct LinkDoorbellParts {
  DoorbellParts senders, receivers;
};

// Belongs to one thread. The region must outlive it; the parts need not, save that they are not to be
// destroyed by their maker.
class DoorbellEnd {
 public:
  // Throws std::invalid_argument when the parts are not those of the doorbell's way, std::system_error when
  // no descriptor is left.
  DoorbellEnd(Doorbell& doorbell, const DoorbellParts& parts);

  // Whether anybody can ever sleep at this doorbell. If not, there is no need to ring.
  bool may_sleep() const { return ipcmark::may_sleep(doorbell_->way_); }

  // Wakes so many waiters, if they sleep or are about to. Throws std::system_error.
  void ring(std::uint32_t waiters = 1) {
    // seq_cst: looked at after what the caller published.
    if (doorbell_->announced_.load(std::memory_order_seq_cst) != 0) wake(waiters);
  }
  void ring_all() { ring(std::numeric_limits<std::uint32_t>::max()); }

  // Waits until `ready` may be true, or was worth another look: with spin and yield it pauses once and does
  // not look. A signal does not end it. Throws std::system_error.
  template <class Ready>
  void wait(Ready ready) {
    switch (doorbell_->way_) {
      case Wait::spin:
        cpu_relax();
        return;
      case Wait::yield:
        ::sched_yield();
        return;
      case Wait::adaptive:
        for (const std::uint64_t end = now_ns() + adaptive_spin_ns; now_ns() < end;) {
          if (ready()) return;
          cpu_relax();
        }
        break;
      default:
        break;
    }
    // seq_cst: announced before `ready` looks.
    doorbell_->announced_.fetch_add(1, std::memory_order_seq_cst);
    if (ready() && take_announcement_back()) return;
    take_token();
  }

 private:
  // How long adaptive spins: a few times what sleeping and being woken costs, so that waiting never costs
  // more than a small multiple of the better choice (Karlin et al., "Competitive randomized algorithms",
  // 1990).
  static constexpr std::uint64_t adaptive_spin_ns = 20'000;

  void wake(std::uint32_t most);
  bool take_announcement_back();
  void take_token();
  void put_tokens(std::uint32_t count);

  Doorbell* doorbell_;
  int semaphore_;
  Descriptor event_;  // its own duplicate
};

}  // namespace ipcmark
