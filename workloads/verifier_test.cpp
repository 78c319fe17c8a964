// The verifier is shown to see: transports that lose, repeat or reorder every tenth message are named by it,
// and the same one that does not is not.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "harness/mailbox_checker.h"
#include "harness/ring_link.h"
#include "harness/shared_memory.h"
#include "harness/shared_ring.h"
#include "harness/test_work.h"
#include "workloads/registry.h"
#include "workloads/test_trial.h"
#include "workloads/trial.h"

namespace ipcmark {
namespace {

enum class Fault { none, loses, repeats, reorders };

// Every tenth message is dropped, sent again after itself, or held back until the next one has been sent.
template <class Sender, Fault fault>
class FaultySender {
 public:
  explicit FaultySender(Sender sender) : sender_(std::move(sender)) {}

  Io send(std::span<const std::byte> message) {
    if (late_is_due_) {
      if (const Io io = send_late(); io != Io::done) return io;
    }
    const bool strikes = fault != Fault::none && count_ % 10 == 9;
    const bool withholds = strikes && fault != Fault::repeats;
    if (!withholds) {
      if (const Io io = sender_.send(message); io != Io::done) return io;
      late_is_due_ = !late_.empty();
    }
    if (strikes && fault != Fault::loses) {
      late_.assign(message.begin(), message.end());
      late_is_due_ = fault == Fault::repeats;
    }
    ++count_;
    return Io::done;
  }
  Io finish() {
    if (!late_.empty()) {
      if (const Io io = send_late(); io != Io::done) return io;
    }
    return sender_.finish();
  }
  void wait_to_send() { sender_.wait_to_send(); }

 private:
  Io send_late() {
    const Io io = sender_.send(late_);
    if (io == Io::done) late_.clear(), late_is_due_ = false;
    return io;
  }

  Sender sender_;
  std::uint64_t count_ = 0;
  std::vector<std::byte> late_;
  bool late_is_due_ = false;
};

struct Inherited : InheritedMemory {
  Inherited(const Shape&, std::size_t bytes, std::size_t prefaulted_bytes)
      : InheritedMemory(bytes, prefaulted_bytes) {}
  static std::uint64_t most_bytes() { return std::numeric_limits<std::uint64_t>::max(); }
};

constexpr RegionKind inherited = region_kind<Inherited>();

constexpr std::string_view name_of(Fault fault) {
  switch (fault) {
    case Fault::loses:
      return "loses";
    case Fault::repeats:
      return "repeats";
    case Fault::reorders:
      return "reorders";
    default:
      return "works";
  }
}

template <Fault fault, class Kind = PairRing>
class FaultyRing {
 public:
  using Shared = FaultyRing<fault, MailboxRing>;
  static constexpr std::string_view name = name_of(fault);
  static constexpr Facts facts{.summary = "for a test",
                               .most_senders = Facts::any_number,
                               .most_receivers = Facts::any_number,
                               .send_waits = ring_waits,
                               .receive_waits = ring_waits};

  explicit FaultyRing(const Shape& shape) : link_(inherited, shape) {}

  auto open_sender(unsigned index, Meeting& meeting) {
    return FaultySender<decltype(link_.open_sender(index, meeting)), fault>(
        link_.open_sender(index, meeting));
  }
  auto open_receiver(unsigned index, Meeting& meeting) { return link_.open_receiver(index, meeting); }

 private:
  RingLink<Kind> link_;
};

using WorkingRing = FaultyRing<Fault::none>;
using LosingRing = FaultyRing<Fault::loses>;
using RepeatingRing = FaultyRing<Fault::repeats>;
using ReorderingRing = FaultyRing<Fault::reorders>;
// Loses them, and says that it may.
struct LossyRing : FaultyRing<Fault::loses> {
  static constexpr std::string_view name = "loses_and_says_so";
  static constexpr Facts facts = [] {
    Facts all = FaultyRing<Fault::loses>::facts;
    all.most_senders = all.most_receivers = 1;
    all.lossy = true;
    return all;
  }();
  using FaultyRing::FaultyRing;
};
[[maybe_unused]] const bool registered_lossy = register_transport<LossyRing>();
[[maybe_unused]] const bool registered_working = register_transport<WorkingRing>();
[[maybe_unused]] const bool registered_losing = register_transport<LosingRing>();
[[maybe_unused]] const bool registered_repeating = register_transport<RepeatingRing>();
[[maybe_unused]] const bool registered_reordering = register_transport<ReorderingRing>();

// Of a mix, every tenth message is told to be shorter or longer than it is, or has lost its end.
enum class SizeFault { none, shorter, longer, cut };

template <SizeFault fault>
class MissizingSender {
 public:
  explicit MissizingSender(MappedEndpoint<RingSender> sender) : sender_(std::move(sender)) {}

  Io send(std::span<const std::byte> message) { return sender_.send(message); }
  Io send_sized(std::span<const std::byte> message) {
    const bool strikes = fault != SizeFault::none && ++count_ % 10 == 0;
    if (!strikes) return ipcmark::send_sized(sender_, message);
    if (fault == SizeFault::shorter) return ipcmark::send_sized(sender_, message.first(message.size() - 1));
    std::vector<std::byte> other(message.begin(), message.end());
    if (fault == SizeFault::longer) other.push_back(std::byte{});
    if (fault == SizeFault::cut) other.back() = ~other.back();
    return ipcmark::send_sized(sender_, other);
  }
  Io finish() { return sender_.finish(); }
  void wait_to_send() { sender_.wait_to_send(); }

 private:
  MappedEndpoint<RingSender> sender_;
  std::uint64_t count_ = 0;
};

class SizedReceiverOfARing : public MappedEndpoint<RingReceiver> {
 public:
  explicit SizedReceiverOfARing(MappedEndpoint<RingReceiver> receiver)
      : MappedEndpoint(std::move(receiver)) {}
  Io receive_sized(std::span<std::byte> buffer, std::size_t& message_bytes) {
    auto& ring = static_cast<MappedEndpoint<RingReceiver>&>(*this);
    return ipcmark::receive_sized(ring, buffer, message_bytes);
  }
};

template <SizeFault fault>
class MissizingRing {
 public:
  static constexpr std::string_view name = fault == SizeFault::none      ? "sizes_right"
                                           : fault == SizeFault::shorter ? "sizes_shorter"
                                           : fault == SizeFault::longer  ? "sizes_longer"
                                                                         : "sizes_cut";
  static constexpr Facts facts{
      .summary = "for a test", .send_waits = ring_waits, .receive_waits = ring_waits};

  explicit MissizingRing(const Shape& shape) : link_(inherited, with_slots(shape)) {}

  auto open_sender(unsigned index, Meeting& meeting) {
    return MissizingSender<fault>(link_.open_sender(index, meeting));
  }
  auto open_receiver(unsigned index, Meeting& meeting) {
    return SizedReceiverOfARing(link_.open_receiver(index, meeting));
  }

 private:
  static Shape with_slots(Shape shape) {
    if (shape.mixed) shape.message_bytes = sized_slot_bytes(shape.message_bytes + 1);
    return shape;
  }
  RingLink<> link_;
};

[[maybe_unused]] const bool registered_right = register_transport<MissizingRing<SizeFault::none>>();
[[maybe_unused]] const bool registered_shorter = register_transport<MissizingRing<SizeFault::shorter>>();
[[maybe_unused]] const bool registered_longer = register_transport<MissizingRing<SizeFault::longer>>();
[[maybe_unused]] const bool registered_cut = register_transport<MissizingRing<SizeFault::cut>>();

constexpr std::uint64_t by_each_sender = 100;

struct Verdict {
  std::uint64_t lost = 0, duplicated = 0, reordered = 0, corrupted = 0;
  friend bool operator==(const Verdict&, const Verdict&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Verdict& v) {
    return out << "lost " << v.lost << ", duplicated " << v.duplicated << ", reordered " << v.reordered
               << ", corrupted " << v.corrupted;
  }
};
Verdict verdict_of(const Integrity& integrity) {
  return {integrity.lost, integrity.duplicated, integrity.reordered, integrity.corrupted};
}

// One sender, one receiver, by the loops and the checker that workloads use.
template <Fault fault>
Verdict verdict_on_a_stream(std::size_t bytes, bool every_byte) {
  Case measured;
  measured.message_bytes = bytes;
  const Shape shape{.message_bytes = bytes,
                    .capacity = Capacity::bounded(4),
                    .send_wait = Wait::futex,
                    .receive_wait = Wait::futex};
  Links<FaultyRing<fault>> links;
  TestWork work;
  work.link_count = 1;
  work.on_build = [&](const std::string&) { links.build(shape, 1); };
  std::optional<SenderEnd<FaultyRing<fault>>> sender;
  std::optional<ReceiverEnd<FaultyRing<fault>>> receiver;
  work.on_open = [&](Role& role) {
    if (role.index() == 0) {
      sender.emplace(links[0].open_sender(0, role.meeting(0)));
    } else {
      receiver.emplace(links[0].open_receiver(0, role.meeting(0)));
    }
  };
  work.on_run = [&](Role& role) {
    if (role.index() == 0) {
      with_writer(*sender, measured, [&](auto& writer) {
        for (std::uint64_t i = 0; i < by_each_sender; ++i) writer.write(i);
        writer.finish();
      });
    } else {
      with_reader(*receiver, measured, every_byte, [&](auto& reader) {
        while (reader.read_unless_closed()) {
        }
        reader.checker().finish(by_each_sender);
        role.board().integrity = reader.checker().counts();
      });
    }
  };
  const SharedLaunchBoard board;
  EXPECT_EQ(outcome_of(test_spec(2), work, *board), "");
  return verdict_of(board->roles[1].integrity);
}

TEST(TheVerifier, NamesWhatATransportDoesToAStream) {
  for (const std::size_t bytes : {1u, 8u, 64u}) {
    for (const bool every_byte : {false, true}) {
      EXPECT_EQ(verdict_on_a_stream<Fault::none>(bytes, every_byte), Verdict{});
      EXPECT_EQ(verdict_on_a_stream<Fault::loses>(bytes, every_byte), (Verdict{.lost = 10}));
      EXPECT_EQ(verdict_on_a_stream<Fault::repeats>(bytes, every_byte), (Verdict{.duplicated = 10}));
      // The last one is held back until the end and so comes in its place.
      EXPECT_EQ(verdict_on_a_stream<Fault::reorders>(bytes, every_byte), (Verdict{.reordered = 9}));
    }
  }
}

// Several senders, each with the fault, and several receivers.
template <Fault fault>
Verdict verdict_on_a_mailbox(unsigned senders, unsigned receivers, bool exact) {
  constexpr std::size_t bytes = 64;
  const SharedRingShape ring{4, bytes, senders, receivers, Wait::futex, Wait::futex};
  const std::size_t region_bytes = SharedRing::bytes_needed(ring.capacity, bytes);
  const Inherited region({}, region_bytes, region_bytes);
  SharedRing::initialise(region.map().bytes(), ring);
  MailboxChecker checker({senders, receivers, bytes, Touch::full, by_each_sender, exact});
  TestWork work;
  work.on_run = [&](Role& role) {
    std::vector<std::byte> message(bytes);
    if (role.index() < senders) {
      FaultySender<SharedRingSender, fault> sender(SharedRingSender(region.map().bytes()));
      const auto wait = [&] { sender.wait_to_send(); };
      for (std::uint64_t i = 0; i < by_each_sender; ++i) {
        fill(message, role.index(), i, Touch::full);
        until_done([&] { return sender.send(message); }, wait, "send");
      }
      until_done([&] { return sender.finish(); }, wait, "finish");
    } else {
      SharedRingReceiver receiver(region.map().bytes());
      MailboxReceiverChecker judge = checker.receiver(role.index() - senders);
      for (Io io; (io = receiver.receive(message)) != Io::closed;) {
        if (io == Io::done) {
          judge.observe(read(message, Touch::full));
        } else {
          receiver.wait_to_receive();
        }
      }
    }
  };
  EXPECT_EQ(outcome_of(test_spec(senders + receivers), work), "");
  return verdict_of(checker.judge(std::vector<std::uint64_t>(senders, by_each_sender)));
}

TEST(TheVerifier, NamesWhatATransportDoesToAMailbox) {
  for (const bool exact : {false, true}) {
    EXPECT_EQ(verdict_on_a_mailbox<Fault::none>(3, 3, exact), Verdict{});
    EXPECT_EQ(verdict_on_a_mailbox<Fault::loses>(3, 3, exact), (Verdict{.lost = 30}));
    EXPECT_EQ(verdict_on_a_mailbox<Fault::repeats>(3, 3, exact).duplicated, 30u);
    EXPECT_EQ(verdict_on_a_mailbox<Fault::repeats>(3, 1, exact), (Verdict{.duplicated = 30}));
    EXPECT_EQ(verdict_on_a_mailbox<Fault::reorders>(3, 1, exact), (Verdict{.reordered = 27}));
  }
}

// All the way to the reason that a person reads.
TEST(TheVerifier, FailsTheCaseOfATransportThatIsNotIntact) {
  const Topology topology = Topology::of_this_machine();
  const auto reason = [&](std::string_view transport) -> std::string {
    Case measured;
    measured.workload = "stream";
    measured.transport = transport;
    measured.send_wait = measured.receive_wait = Wait::futex;
    TrialOptions options;
    options.fixed_messages = 95;
    const TrialOutcome outcome = run_trial(measured, {{}, {}}, options, {topology, test_isolation()});
    const auto* failure = std::get_if<LaunchFailure>(&outcome);
    return failure == nullptr ? "" : failure->reason;
  };
  EXPECT_EQ(reason("works"), "");
  EXPECT_THAT(reason("repeats"), testing::HasSubstr("0 lost, 9 duplicated, 0 reordered, 0 corrupted of 104"));
  EXPECT_THAT(reason("reorders"), testing::HasSubstr("0 lost, 0 duplicated, 9 reordered, 0 corrupted of 95"));
}

Case over_a_lossy_link(std::string workload) {
  Case c;
  c.workload = std::move(workload);
  c.transport = LossyRing::name;
  c.send_wait = c.receive_wait = Wait::yield;
  return c;
}
Measurement measure_with_losses(const std::string& workload, std::uint64_t sent) {
  const Topology topology = Topology::of_this_machine();
  const TrialOutcome outcome = run_trial(over_a_lossy_link(workload), {{}, {}}, {.fixed_messages = sent},
                                         {topology, test_isolation()});
  const auto* failure = std::get_if<LaunchFailure>(&outcome);
  EXPECT_EQ(failure, nullptr) << failure->reason;
  return failure == nullptr ? std::get<Measurement>(outcome) : Measurement{};
}

TEST(ALossyLink, OfAStreamTheLostAreCountedAndTheOthersMeasured) {
  // The last one is lost too, so that nothing tells of the end.
  const Measurement measured = measure_with_losses("stream", 200);
  EXPECT_EQ(measured.messages, 180u);
  EXPECT_EQ(measured.integrity.checked, 180u);
  EXPECT_EQ(measured.integrity.lost, 20u);
  EXPECT_EQ(observed(measured, "lost"), 20);
  EXPECT_EQ(observed(measured, "lost_share"), 0.1);
  EXPECT_THAT(measured.verdict.reasons,
              testing::Contains(testing::StartsWith("20 of 200 messages were lost (10 %)")));
}

TEST(ALossyLink, RoundTripsWithoutAnAnswerAreGivenUpAndCounted) {
  // One goes before those that are timed: each side's tenth message is number 9 there, number 10 back.
  const Measurement measured = measure_with_losses("ping_pong", 12);
  EXPECT_EQ(measured.messages, 10u);
  EXPECT_EQ(measured.distribution->count, 10u);
  EXPECT_EQ(measured.integrity.lost, 3u) << "and no answer to what was lost";
  EXPECT_EQ(observed(measured, "lost"), 2);
  EXPECT_THAT(measured.verdict.reasons,
              testing::Contains(testing::StartsWith("2 of 12 round trips were lost")));
}

TEST(ALossyLink, IsNotForWorkloadsThatWaitForEveryMessage) {
  const TransportEntry& lossy = *Registry::instance().find(LossyRing::name);
  const auto unfit = [&](const Case& c) { return lossy.find_workload(c.workload)->unfit(c, lossy.traits); };
  for (const WorkloadEntry& workload : lossy.workloads) {
    const bool bears = workload.name == "stream" || workload.name == "ping_pong" || workload.name == "setup";
    EXPECT_EQ(unfit(over_a_lossy_link(std::string(workload.name))).empty(), bears) << workload.name;
  }
  Case c = over_a_lossy_link("stream");
  c.message_bytes = 5;
  EXPECT_THAT(unfit(c), testing::HasSubstr("under 6 B"));
  c.message_bytes = 64;
  c.overflow = Overflow::drop_new;
  EXPECT_THAT(unfit(c), testing::HasSubstr("nobody is told that it is full"));
  c.overflow = Overflow::wait;
  c.mix = "64:1";
  EXPECT_NE(unfit(c), "");
}

TEST(TheVerifier, FailsTheMixOfATransportThatDeliversAnotherSize) {
  const Topology topology = Topology::of_this_machine();
  const auto reason = [&](std::string_view transport, std::string_view workload, std::string_view mix,
                          bool every_byte) -> std::string {
    Case measured;
    measured.workload = workload;
    measured.transport = transport;
    measured.mix = mix;
    measured.message_bytes = parse_mix(mix)->back().bytes;
    measured.send_wait = measured.receive_wait = Wait::futex;
    TrialOptions options;
    options.fixed_messages = 95;
    options.every_byte = every_byte;
    const TrialOutcome outcome = run_trial(measured, {{}, {}}, options, {topology, test_isolation()});
    const auto* failure = std::get_if<LaunchFailure>(&outcome);
    return failure == nullptr ? "" : failure->reason;
  };
  using testing::HasSubstr;
  for (const bool every_byte : {false, true}) {
    for (const char* mix : {"64:3+100:1", "3:1+64:1"}) {
      SCOPED_TRACE(mix);
      EXPECT_EQ(reason("sizes_right", "stream", mix, every_byte), "");
      EXPECT_EQ(reason("sizes_right", "ping_pong", mix, every_byte), "");
      EXPECT_THAT(reason("sizes_shorter", "stream", mix, every_byte), HasSubstr(" 9 corrupted of 95"));
      EXPECT_THAT(reason("sizes_shorter", "ping_pong", mix, every_byte), HasSubstr("corrupted of"));
    }
    EXPECT_THAT(reason("sizes_cut", "stream", "64:3+100:1", every_byte), HasSubstr(" 9 corrupted of 95"));
    // Longer than the largest, it has no place in the receiver's buffer.
    EXPECT_THAT(reason("sizes_longer", "stream", "64:1", every_byte),
                HasSubstr("the size that came with a message is 65 B, where the largest is 64 B"));
    EXPECT_THAT(reason("sizes_longer", "stream", "64:999+128:1", every_byte),
                HasSubstr(" 9 corrupted of 95"));
  }
}

TEST(TheVerifier, FailsTheMailboxOfATransportThatIsNotIntact) {
  const Topology topology = Topology::of_this_machine();
  const auto reason = [&](std::string_view transport, unsigned receivers, bool every_byte) -> std::string {
    Case measured;
    measured.workload = "mailbox";
    measured.transport = transport;
    measured.senders = 3;
    measured.receivers = receivers;
    measured.send_wait = measured.receive_wait = Wait::futex;
    TrialOptions options;
    options.fixed_messages = 3 * 95;
    options.every_byte = every_byte;
    const TrialOutcome outcome = run_trial(measured, std::vector<std::vector<int>>(3 + receivers), options,
                                           {topology, test_isolation()});
    const auto* failure = std::get_if<LaunchFailure>(&outcome);
    return failure == nullptr ? "" : failure->reason;
  };
  using testing::HasSubstr;
  for (const bool every_byte : {false, true}) {
    for (const unsigned receivers : {1, 3}) {
      EXPECT_EQ(reason("works", receivers, every_byte), "");
      EXPECT_THAT(reason("loses", receivers, every_byte), HasSubstr("27 lost, 0 duplicated, 0 reordered"));
      EXPECT_THAT(reason("repeats", receivers, every_byte), HasSubstr("0 lost, 27 duplicated"));
    }
    EXPECT_THAT(reason("reorders", 1, every_byte), HasSubstr("0 lost, 0 duplicated, 27 reordered"));
  }
}

}  // namespace
}  // namespace ipcmark
