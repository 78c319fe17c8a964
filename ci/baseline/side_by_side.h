// Contestants that run in alternation inside the same two pinned processes, so that the ratio of their times
// owes as little as possible to the processes, the processors and the hour.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "harness/launch.h"
#include "harness/memory_map.h"
#include "workloads/ping_pong.h"

namespace ipcmark::accuracy {

// One thing to time. Both processes make their own object of it from the same links.
class Contestant {
 public:
  virtual ~Contestant() = default;
  // Moves `count` messages or round trips and returns when that began and ended, as far as this side knows.
  virtual Span lead(std::uint64_t count) = 0;
  virtual Span follow(std::uint64_t count) = 0;
};

// What is being compared: made in the launch's parent, opened in each role.
class Contest {
 public:
  virtual ~Contest() = default;
  virtual std::string name() const = 0;
  virtual unsigned links() const = 0;
  virtual unsigned senders_of(unsigned link) const = 0;
  virtual void build(const std::string& directory) = 0;
  // Contestants 0, 1, 2: the one under test, what it is held against, and that again for the A/A control. 3,
  // where there is one: the floor under all of them.
  virtual std::vector<std::unique_ptr<Contestant>> open(Role& role) = 0;
  virtual void drop() = 0;
  virtual void end() = 0;
  virtual std::uint64_t count() const = 0;                 // messages or round trips a turn
  virtual bool ends_at_follower() const { return false; }  // a stream: timed to the last receive
  virtual bool has_floor() const { return false; }
  unsigned contestants() const { return has_floor() ? 4 : 3; }
};

inline constexpr unsigned floor_contestant = 3;
inline constexpr unsigned most_contestants = 4;

// Runs `rounds` rounds of every contestant in rotating order (ci/baseline/turns.h). `launch` counts the
// launches of a contest, from 0.
class SideBySide final : public Work {
 public:
  SideBySide(Contest& contest, unsigned rounds, unsigned launch);
  // Of one message or round trip, the mean of the round's turns.
  double ns(unsigned round, unsigned contestant) const;

  unsigned links() const override { return contest_.links(); }
  unsigned senders_of(unsigned link) const override { return contest_.senders_of(link); }
  void build(const std::string& directory) override { contest_.build(directory); }
  void open(Role& role) override { opened_ = contest_.open(role); }
  void drop() override { contest_.drop(); }
  void run(Role& role) override;
  void end() override { contest_.end(); }

 private:
  struct Turn {
    Span lead, follow;
  };
  Turn& turn(unsigned pass, unsigned contestant) const;

  Contest& contest_;
  unsigned rounds_;
  unsigned launch_;
  MemoryMap times_;
  std::vector<std::unique_ptr<Contestant>> opened_;
};

// Round trips over anything that writes and reads messages, by the very loop that ping_pong times.
template <class W, class R>
class RoundTripContestant final : public Contestant {
 public:
  RoundTripContestant(Role& role, std::unique_ptr<W> writer, std::unique_ptr<R> reader)
      : writer_(std::move(writer)), reader_(std::move(reader)), loop_(role, *writer_, *reader_) {}

  Span lead(std::uint64_t count) override { return loop_.lead_timed(count, *histogram_); }
  Span follow(std::uint64_t count) override {
    loop_.answer(count);
    return {};
  }

 private:
  std::unique_ptr<W> writer_;
  std::unique_ptr<R> reader_;
  RoundTrips<W, R> loop_;
  std::unique_ptr<Histogram> histogram_ = std::make_unique<Histogram>();
};

inline SequenceChecker checker_of(const Case& c) { return SequenceChecker(0, c.message_bytes, c.touch); }

Case sixty_four_bytes(std::string transport, Wait wait, Access access);

std::unique_ptr<Contest> pipe_contest();
std::unique_ptr<Contest> unix_stream_contest();
std::unique_ptr<Contest> tcp_contest();
std::unique_ptr<Contest> ring_stream_contest();
// Through rings of one slot, which is all that a round trip needs, or of as many as the stream's.
std::unique_ptr<Contest> ring_round_trip_contest();
std::unique_ptr<Contest> long_ring_round_trip_contest();

}  // namespace ipcmark::accuracy
