// Capacity 0 and unbounded, over every transport in the registry: what each promises is looked for where a
// bounded link must be seen to break the promise, so that a look that sees nothing is no proof.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "harness/clock.h"
#include "harness/payload.h"
#include "harness/test_work.h"
#include "workloads/test_trial.h"

namespace ipcmark {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

using Script = std::function<void(Role&, AnyEndpoint&)>;

// Sender 0 and receiver 1 over one link.
class PairWork final : public Work {
 public:
  PairWork(const TransportEntry& transport, const Shape& shape, Script sender, Script receiver)
      : transport_(transport), shape_(shape), scripts_{std::move(sender), std::move(receiver)} {}

  unsigned links() const override { return 1; }
  unsigned senders_of(unsigned) const override { return transport_.traits.duplex ? 2 : 1; }
  void build(const std::string& directory) override {
    shape_.directory = directory;
    link_ = transport_.make_link(shape_);
  }
  void open(Role& role) override {
    end_ = role.index() == 0 ? link_->open_sender(0, role.meeting(0))
                             : link_->open_receiver(transport_.traits.duplex ? 1 : 0, role.meeting(0));
  }
  void drop() override { link_->drop(); }
  void run(Role& role) override { scripts_[role.index()](role, *end_); }
  void end() override { link_.reset(); }

 private:
  const TransportEntry& transport_;
  Shape shape_;
  Script scripts_[2];
  std::unique_ptr<AnyLink> link_;
  std::unique_ptr<AnyEndpoint> end_;
};

Io try_send(AnyEndpoint& link, const Shape& shape, std::uint64_t sequence, std::span<std::byte>& loaned) {
  if (shape.send_access == Access::copy) {
    std::vector<std::byte> message(shape.message_bytes);
    fill(message, 0, sequence, Touch::full);
    return link.send(message);
  }
  // A commit that said `again` is repeated without another loan.
  if (loaned.empty()) {
    if (const Io io = link.loan(loaned); io != Io::done) return io;
    fill(loaned, 0, sequence, Touch::full);
  }
  const Io io = link.commit();
  if (io == Io::done) loaned = {};
  return io;
}

void send(AnyEndpoint& link, const Shape& shape, std::uint64_t sequence) {
  std::span<std::byte> loaned;
  for (Io io; (io = try_send(link, shape, sequence, loaned)) != Io::done;) {
    require(io == Io::again, "closed while sending");
    link.wait_to_send();
  }
}

void finish(AnyEndpoint& link) {
  for (Io io; (io = link.finish()) != Io::done;) {
    require(io == Io::again, "closed while finishing");
    link.wait_to_send();
  }
}

// False at the end of the stream.
bool receive(AnyEndpoint& link, const Shape& shape, std::uint64_t sequence) {
  std::vector<std::byte> copy(shape.message_bytes);
  for (;;) {
    std::span<const std::byte> message = copy;
    const bool loan = shape.receive_access == Access::loan;
    const Io io = loan ? link.peek(message) : link.receive(copy);
    if (io == Io::closed) return false;
    if (io == Io::again) {
      link.wait_to_receive();
      continue;
    }
    require(message.size() == shape.message_bytes && verify(message, 0, sequence, Touch::full),
            fmt::format("message {} is not what was sent", sequence));
    if (!loan) return true;
    for (Io released; (released = link.release()) != Io::done;) {
      require(released == Io::again, "closed while releasing");
      link.wait_to_receive();
    }
    return true;
  }
}

class TransportCapacity : public OverEveryTransport {
 protected:
  // Each way of waiting of either side, and each access, at least once.
  std::vector<Shape> shapes(const Capacity& capacity, std::size_t message_bytes) const {
    std::vector<Shape> all;
    const auto offered = [&](Wait wait) {
      return traits().facts.send_waits.contains(wait) && traits().facts.receive_waits.contains(wait);
    };
    Shape shape;
    shape.message_bytes = message_bytes;
    shape.capacity = capacity;
    shape.send_access = traits().copy_send ? Access::copy : Access::loan;
    shape.receive_access = traits().copy_receive ? Access::copy : Access::loan;
    for (const Wait wait : all_waits()) {
      if (!offered(wait)) continue;
      shape.send_wait = shape.receive_wait = wait;
      all.push_back(shape);
    }
    shape = all.front();
    if (!traits().duplex || traits().rendezvous != Rendezvous::acknowledged) {
      shape.receive_wait = all.back().receive_wait;
      all.push_back(shape);
      std::swap(shape.send_wait, shape.receive_wait);
      all.push_back(shape);
    }
    shape = all.front();
    const bool answers =
        capacity == Capacity::rendezvous() && traits().rendezvous == Rendezvous::acknowledged;
    if (traits().loan_send && traits().loan_receive && !answers) {
      shape.send_access = shape.receive_access = Access::loan;
      all.push_back(shape);
    }
    return all;
  }
  static std::string text(const Shape& shape) {
    return fmt::format("{} B, {}, {}", shape.message_bytes, to_string(shape.send_wait, shape.receive_wait),
                       to_string(shape.send_access, shape.receive_access));
  }

  std::string run_pair(const Shape& shape, Script sender, Script receiver) const {
    PairWork work(transport(), shape, std::move(sender), std::move(receiver));
    return outcome_of(test_spec(2), work);
  }

  // The receiver looks before each receive whether the sender has done more sends than it has received. A
  // sender that may is given `patience_us` each time to show it.
  std::string look_for_messages_in_flight(const Shape& shape, std::uint64_t patience_us) const {
    constexpr std::uint64_t messages = 10;
    return run_pair(
        shape,
        [&](Role& role, AnyEndpoint& link) {
          for (std::uint64_t i = 0; i < messages; role.moved(++i)) send(link, shape, i);
          finish(link);
        },
        [&](Role& role, AnyEndpoint& link) {
          const std::atomic<std::uint64_t>& sent = role.launch().roles[0].progress;
          bool seen = false;
          for (std::uint64_t received = 0; received < messages; role.moved(++received)) {
            for (const std::uint64_t end = now_ns() + patience_us * 1'000; !seen && now_ns() < end;
                 usleep(100)) {
              seen = sent.load() > received;
            }
            require(receive(link, shape, received), "ended early");
          }
          require(!receive(link, shape, messages), "more messages than were sent");
          require(!seen, "a message was in flight when its sender returned");
        });
  }

  // The sender sends before the receiver receives anything.
  std::string look_for_a_sender_that_waits(const Shape& shape) const {
    constexpr std::uint64_t messages = 30'000;
    return run_pair(
        shape,
        [&](Role& role, AnyEndpoint& link) {
          for (std::uint64_t i = 0; i < messages; role.moved(++i)) {
            std::span<std::byte> loaned;
            require(try_send(link, shape, i, loaned) == Io::done, "a sender was seen waiting");
          }
          finish(link);
          role.launch().tickets[0].store(1);
        },
        [&](Role& role, AnyEndpoint& link) {
          while (role.launch().tickets[0].load() == 0) usleep(100);
          for (std::uint64_t i = 0; i < messages; role.moved(++i)) {
            require(receive(link, shape, i), "ended early");
          }
          require(!receive(link, shape, messages), "more messages than were sent");
        });
  }

  // As most people would ask for it.
  Shape plain_shape(const Capacity& capacity, std::size_t message_bytes = 64) const {
    std::vector<Shape> all = shapes(capacity, message_bytes);
    const auto waits_by = [](std::initializer_list<Wait> waits) {
      return [waits](const Shape& shape) {
        return shape.send_wait == shape.receive_wait &&
               std::ranges::find(waits, shape.send_wait) != waits.end();
      };
    };
    const auto asleep = std::ranges::find_if(all, waits_by({Wait::block, Wait::futex}));
    return asleep != all.end() ? *asleep : *std::ranges::find_if(all, waits_by({Wait::yield}));
  }

  TrialOutcome run(const std::string& workload, const Shape& shape, bool every_byte) const {
    TrialOptions options;
    options.every_byte = every_byte;
    if (every_byte) options.fixed_messages = 50;
    options.timed_ns = 3'000'000;
    options.warm_up_ns = 500'000;
    return run_trial(case_of(workload, shape), {{}, {}}, options, {topology(), test_isolation()});
  }
  Case case_of(const std::string& workload, const Shape& shape) const {
    Case c;
    c.workload = workload;
    c.transport = traits().name;
    c.message_bytes = shape.message_bytes;
    c.capacity = shape.capacity;
    c.send_wait = shape.send_wait;
    c.receive_wait = shape.receive_wait;
    c.send_access = shape.send_access;
    c.receive_access = shape.receive_access;
    return c;
  }
  static const Topology& topology() {
    static const Topology machine = Topology::of_this_machine();
    return machine;
  }
};

constexpr std::uint64_t short_while_us = 1'000, long_while_us = 10'000'000;

// ---- capacity 0 ----

TEST_P(TransportCapacity, ARendezvousNeverHasAMessageInFlightWhenTheSenderReturns) {
  if (traits().rendezvous == Rendezvous::none) GTEST_SKIP() << "no rendezvous";
  // A stream of bytes takes large ones in pieces.
  const std::size_t pieces = traits().facts.unit == Facts::Unit::bytes ? 400'000 : 4'000;
  const std::size_t large = std::min<std::size_t>(pieces, traits().facts.largest_message.value_or(pieces));
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{64}, large}) {
    for (const Shape& shape : shapes(Capacity::rendezvous(), bytes)) {
      SCOPED_TRACE(text(shape));
      EXPECT_EQ(look_for_messages_in_flight(shape, short_while_us), "");
    }
  }
}

TEST_P(TransportCapacity, ABoundedLinkHasMessagesInFlightByTheSameLook) {
  if (!traits().facts.carries) GTEST_SKIP() << "no byte crosses this link";
  if (traits().facts.lossy) GTEST_SKIP() << "messages in flight are lost";
  const Capacity holds_some = traits().facts.never_full ? Capacity{} : Capacity::bounded(4);
  EXPECT_THAT(look_for_messages_in_flight(plain_shape(holds_some), long_while_us),
              HasSubstr("a message was in flight when its sender returned"));
}

TEST_P(TransportCapacity, ARendezvousThatSaysAgainSendsOnceHoweverOftenItIsTried) {
  if (traits().rendezvous == Rendezvous::none) GTEST_SKIP() << "no rendezvous";
  for (const Shape& shape : shapes(Capacity::rendezvous(), 64)) {
    if (shape.send_wait == Wait::block) continue;
    SCOPED_TRACE(text(shape));
    enum : unsigned { tries, looked };
    const std::string outcome = run_pair(
        shape,
        [&](Role& role, AnyEndpoint& link) {
          for (std::uint64_t i = 0; i < 5; role.moved(++i)) {
            std::span<std::byte> loaned;
            // The receiver waits for as many tries.
            for (int attempt = 0; attempt < 50; ++attempt) {
              require(try_send(link, shape, i, loaned) == Io::again, "done before it was received");
            }
            role.launch().tickets[tries].store(i + 1);
            for (Io io; (io = try_send(link, shape, i, loaned)) != Io::done;) {
              require(io == Io::again, "closed while sending");
              link.wait_to_send();
            }
          }
          finish(link);
        },
        [&](Role& role, AnyEndpoint& link) {
          for (std::uint64_t i = 0; i < 5; role.moved(++i)) {
            while (role.launch().tickets[tries].load() <= i) usleep(100);
            require(receive(link, shape, i), "ended early");
          }
          require(!receive(link, shape, 5), "a message came twice");
        });
    EXPECT_EQ(outcome, "");
  }
}

TEST_P(TransportCapacity, ARendezvousHoldsNothingAndIsRunByTheWorkloads) {
  if (traits().rendezvous == Rendezvous::none) GTEST_SKIP() << "no rendezvous";
  const Shape shape = plain_shape(Capacity::rendezvous());
  for (const char* workload : {"ping_pong", "stream"}) {
    for (const bool every_byte : {true, false}) {
      SCOPED_TRACE(workload);
      const TrialOutcome outcome = run(workload, shape, every_byte);
      const auto* failure = std::get_if<LaunchFailure>(&outcome);
      ASSERT_EQ(failure, nullptr) << failure->reason;
      EXPECT_TRUE(std::get<Measurement>(outcome).integrity.clean());
    }
  }
  const CapacityFacts found = probe_capacity(case_of("stream", shape), {topology(), test_isolation()});
  ASSERT_TRUE(found.fits_max) << found.note;
  EXPECT_EQ(found.fits_max.value_or(99), 0u);
}

TEST_P(TransportCapacity, AnAcknowledgedRendezvousRefusesLoansRatherThanCopy) {
  if (traits().rendezvous != Rendezvous::acknowledged) GTEST_SKIP() << "not acknowledged";
  for (const bool sending : {true, false}) {
    Shape shape = plain_shape(Capacity::rendezvous());
    (sending ? shape.send_access : shape.receive_access) = Access::loan;
    const auto nothing = [](Role&, AnyEndpoint&) {};
    EXPECT_THAT(run_pair(shape, nothing, nothing), StartsWith("unsupported: " + traits().name + ": its "));
  }
}

// ---- unbounded ----

TEST_P(TransportCapacity, AnUnboundedSenderIsNeverSeenWaiting) {
  if (!traits().unbounded) GTEST_SKIP() << "not unbounded";
  for (const Shape& shape : shapes(Capacity::unbounded(), 64)) {
    SCOPED_TRACE(text(shape));
    EXPECT_EQ(look_for_a_sender_that_waits(shape), "");
  }
}

TEST_P(TransportCapacity, ABoundedSenderIsSeenWaitingByTheSameLook) {
  if (traits().facts.never_full) GTEST_SKIP() << "never full";
  if (!traits().facts.carries) GTEST_SKIP() << "no byte crosses this link";
  if (traits().facts.lossy) GTEST_SKIP() << "what finds no room is lost";
  for (const Shape& shape : shapes(Capacity::bounded(4), 64)) {
    if (shape.send_wait == Wait::block) continue;
    EXPECT_THAT(look_for_a_sender_that_waits(shape), HasSubstr("a sender was seen waiting"));
    return;
  }
}

TEST_P(TransportCapacity, HoldsWhatWasAskedHoweverMuchHasGoneThrough) {
  if (traits().facts.never_full) GTEST_SKIP() << "holds all";
  if (!traits().facts.carries) GTEST_SKIP() << "no byte crosses this link";
  if (traits().facts.lossy) GTEST_SKIP() << "what finds no room is lost";
  // One always lies in the link, and two come and go: it never begins anew.
  constexpr std::uint64_t capacity = 3, a_round = capacity - 1, rounds = 60, messages = 1 + rounds * a_round;
  enum : unsigned { sent, taken };
  for (const std::size_t bytes : {64, 100, 2'049}) {
    Shape shape = plain_shape(Capacity::bounded(capacity), bytes);
    for (const Shape& one : shapes(shape.capacity, bytes)) {
      if (one.send_wait != Wait::block) shape = one;
    }
    SCOPED_TRACE(text(shape));
    const std::string outcome = run_pair(
        shape,
        [&](Role& role, AnyEndpoint& link) {
          for (std::uint64_t i = 0; i < messages; role.moved(++i)) {
            // TCP makes room a moment after its peer has read.
            std::span<std::byte> loaned;
            Io io = Io::again;
            for (int attempt = 0; attempt < 5'000 && io == Io::again; ++attempt) {
              if (attempt > 0) usleep(200);
              io = try_send(link, shape, i, loaned);
            }
            require(io == Io::done,
                    fmt::format("message {} found no room beside {}", i, (i + 1) % a_round + 1));
            if (i % a_round != 0) continue;
            role.launch().tickets[sent].store(i + 1);
            while (role.launch().tickets[taken].load() < i) sched_yield();
          }
          finish(link);
        },
        [&](Role& role, AnyEndpoint& link) {
          for (std::uint64_t i = 0; i < messages; role.moved(++i)) {
            // The last of a round stays until the next round's have come.
            while (i + 1 < messages && role.launch().tickets[sent].load() < i + 2) sched_yield();
            require(receive(link, shape, i), "ended early");
            role.launch().tickets[taken].store(i + 1);
          }
          require(!receive(link, shape, messages), "more messages than were sent");
        });
    EXPECT_EQ(outcome, "");
  }
}

TEST_P(TransportCapacity, ABacklogOverTheLimitFailsTheCaseByName) {
  if (!traits().unbounded) GTEST_SKIP() << "not unbounded";
  // Large messages, where it can be loaned and not written: hardly a page is touched.
  Shape shape = plain_shape(Capacity::unbounded(), 20 << 20);
  if (traits().loan_send) shape.send_access = Access::loan;
  const std::string outcome = run_pair(
      shape,
      [&](Role& role, AnyEndpoint& link) {
        const std::vector<std::byte> message(shape.message_bytes);
        for (std::uint64_t i = 0; i < 100; role.moved(++i)) {
          std::span<std::byte> slot;
          require(traits().loan_send ? link.loan(slot) == Io::done && link.commit() == Io::done
                                     : link.send(message) == Io::done,
                  "a sender was seen waiting");
        }
      },
      [&](Role&, AnyEndpoint&) { pause(); });
  EXPECT_THAT(outcome, StartsWith("failed: sender 0: backlog over "));
}

TEST_P(TransportCapacity, AnUnboundedStreamTellsItsPeakBacklog) {
  if (!traits().unbounded) GTEST_SKIP() << "not unbounded";
  for (const Shape& shape : shapes(Capacity::unbounded(), 64)) {
    for (const char* workload : {"ping_pong", "stream"}) {
      SCOPED_TRACE(std::string(workload) + " " + text(shape));
      const TrialOutcome outcome = run(workload, shape, false);
      const auto* failure = std::get_if<LaunchFailure>(&outcome);
      ASSERT_EQ(failure, nullptr) << failure->reason;
      const auto& measurement = std::get<Measurement>(outcome);
      EXPECT_TRUE(measurement.integrity.clean());
      ASSERT_GE(measurement.observations.size(), 2u);
      EXPECT_EQ(measurement.observations[0].name, "peak_backlog");
      EXPECT_LE(measurement.observations[0].value, static_cast<double>(measurement.integrity.checked));
      EXPECT_EQ(measurement.observations[1].name, "peak_backlog_memory");
      EXPECT_GT(measurement.observations[1].value, 0);
      EXPECT_EQ(measurement.limit->unit, "bytes");
    }
  }
}

TEST_P(TransportCapacity, LargeMessagesStayWithinTheLimitOfAnUnboundedStream) {
  if (!traits().unbounded) GTEST_SKIP() << "not unbounded";
  // 50 of them are over 1 GiB.
  const TrialOutcome outcome = run("stream", plain_shape(Capacity::unbounded(), 24 << 20), true);
  const auto* failure = std::get_if<LaunchFailure>(&outcome);
  ASSERT_EQ(failure, nullptr) << failure->reason;
  const auto& measurement = std::get<Measurement>(outcome);
  EXPECT_LE(measurement.bytes, measurement.limit->value / 2);
  EXPECT_GE(measurement.messages, 1u);
}

TEST_P(TransportCapacity, WhatAnUnboundedLinkFitsIsALowerBound) {
  if (!traits().unbounded) GTEST_SKIP() << "not unbounded";
  const CapacityFacts found =
      probe_capacity(case_of("stream", plain_shape(Capacity::unbounded())), {topology(), test_isolation()});
  ASSERT_TRUE(found.fits_max) << found.note;
  EXPECT_TRUE(found.fits_is_lower_bound);
  EXPECT_EQ(found.fits_min.value_or(0), 65'536u);
}

TEST_P(TransportCapacity, WhatBoundsATransportIsSaidWhereUnboundedIsRefused) {
  if (traits().unbounded) GTEST_SKIP() << "unbounded";
  const auto nothing = [](Role&, AnyEndpoint&) {};
  EXPECT_THAT(run_pair(plain_shape(Capacity::unbounded()), nothing, nothing),
              StartsWith("unsupported: " + traits().name + ": "));
}

INSTANTIATE_TEST_SUITE_P(All, TransportCapacity, testing::ValuesIn(OverEveryTransport::names()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace ipcmark
