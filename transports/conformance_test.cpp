// What every registered transport must do. Each test runs once for each transport in the registry, so none
// escapes; what a transport does not claim is checked to be refused.

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <tuple>
#include <vector>

#include "harness/clock.h"
#include "harness/descriptor.h"
#include "harness/payload.h"
#include "harness/suite.h"
#include "harness/test_work.h"
#include "workloads/test_trial.h"

namespace ipcmark {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
namespace fs = std::filesystem;

using Endpoints = std::vector<std::unique_ptr<AnyEndpoint>>;
using Script = std::function<void(Role&, Endpoints&)>;

// Sender 0 and receiver 1 over links of one transport, each running a script once all are open.
class PairWork final : public Work {
 public:
  PairWork(const TransportEntry& transport, const Shape& shape, Script sender, Script receiver,
           unsigned link_count = 1)
      : transport_(transport),
        shape_(shape),
        scripts_{std::move(sender), std::move(receiver)},
        link_count_(link_count) {}

  std::function<void()> after_build = [] {};
  std::function<void(Role&)> before_open = [](Role&) {};

  unsigned links() const override { return link_count_; }
  unsigned senders_of(unsigned) const override { return transport_.traits.duplex ? 2 : 1; }
  void build(const std::string& directory) override {
    shape_.directory = directory;
    for (unsigned i = 0; i < link_count_; ++i) links_.push_back(transport_.make_link(shape_));
    after_build();
  }
  void open(Role& role) override {
    before_open(role);
    for (unsigned i = 0; i < link_count_; ++i) {
      endpoints_.push_back(role.index() == 0
                               ? links_[i]->open_sender(0, role.meeting(i))
                               : links_[i]->open_receiver(transport_.traits.duplex ? 1 : 0, role.meeting(i)));
    }
  }
  void drop() override {
    for (auto& link : links_) link->drop();
  }
  void run(Role& role) override { scripts_[role.index()](role, endpoints_); }
  void end() override { links_.clear(); }

 private:
  const TransportEntry& transport_;
  Shape shape_;
  Script scripts_[2];
  unsigned link_count_;
  std::vector<std::unique_ptr<AnyLink>> links_;
  Endpoints endpoints_;
};

// Sends and receives one whole message at a time by the shape's accesses, all bytes written and compared.
class Mail {
 public:
  // Without bytes that cross a link its receiver makes up messages until it hears of the end.
  explicit Mail(const Shape& shape, bool exact = true)
      : shape_(shape), exact_(exact), bytes_(shape.message_bytes) {}

  Io try_send(AnyEndpoint& link, std::uint64_t sequence, unsigned sender = 0) {
    if (shape_.send_access == Access::loan) {
      std::span<std::byte> slot;
      if (const Io io = link.loan(slot); io != Io::done) return io;
      require(slot.size() == shape_.message_bytes, "a loaned slot of another size than the message's");
      fill(slot, sender, sequence, Touch::full);
      return link.commit();
    }
    fill(bytes_, sender, sequence, Touch::full);
    return link.send(bytes_);
  }
  void send(AnyEndpoint& link, std::uint64_t sequence, unsigned sender = 0) {
    for (Io io; (io = try_send(link, sequence, sender)) != Io::done;) {
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

  Io try_receive(AnyEndpoint& link, std::uint64_t sequence, unsigned sender = 0) {
    if (shape_.receive_access == Access::loan) {
      std::span<const std::byte> message;
      if (const Io io = link.peek(message); io != Io::done) return io;
      check(message, sequence, sender);
      return link.release();
    }
    if (const Io io = link.receive(bytes_); io != Io::done) return io;
    check(bytes_, sequence, sender);
    return Io::done;
  }
  // False at the end of the stream.
  bool receive(AnyEndpoint& link, std::uint64_t sequence, unsigned sender = 0) {
    for (;;) {
      const Io io = try_receive(link, sequence, sender);
      if (io != Io::again) return io == Io::done;
      link.wait_to_receive();
    }
  }
  void receive_whole_stream(Role& role, AnyEndpoint& link, std::uint64_t expected) {
    std::uint64_t received = 0;
    for (; receive(link, received); role.moved(received)) ++received;
    require(received == expected || !exact_,
            fmt::format("closed after {} messages of {}", received, expected));
  }

 private:
  void check(std::span<const std::byte> message, std::uint64_t sequence, unsigned sender) const {
    require(message.size() == shape_.message_bytes && verify(message, sender, sequence, Touch::full),
            fmt::format("message {} of {} B is not what was sent", sequence, shape_.message_bytes));
  }

  Shape shape_;
  bool exact_;
  std::vector<std::byte> bytes_;
};

Wait first_claimed(const WaitSet& claimed, std::initializer_list<Wait> wanted) {
  for (Wait wait : wanted) {
    if (claimed.contains(wait)) return wait;
  }
  throw std::logic_error("none of the waits that a test needs is claimed");
}

// Waits whose attempts never sleep, so that `again` can be seen.
void let_attempts_return(const Facts& facts, Shape& shape) {
  shape.send_wait = first_claimed(facts.send_waits, {Wait::yield, Wait::spin, Wait::poll, Wait::futex});
  shape.receive_wait = first_claimed(facts.receive_waits, {Wait::yield, Wait::spin, Wait::poll, Wait::futex});
}

void hold_until(Role& role, unsigned ticket, std::uint64_t value) {
  while (role.launch().tickets[ticket].load() < value) usleep(100);
}
void announce(Role& role, unsigned ticket, std::uint64_t value) {
  role.launch().tickets[ticket].store(value);
}

class TransportConformance : public OverEveryTransport {
 protected:
  // The one most people would ask for.
  Wait shared_wait() const {
    for (const Wait wait : {Wait::block, Wait::futex, Wait::poll, Wait::yield, Wait::spin}) {
      if (facts().send_waits.contains(wait) && facts().receive_waits.contains(wait)) return wait;
    }
    throw std::logic_error("the two sides of " + traits().name + " have no wait in common");
  }
  // Both sides wait alike, as they must where one link carries answers too.
  Shape plain_shape(std::size_t message_bytes = 64) const {
    Shape shape;
    shape.message_bytes = message_bytes;
    shape.send_wait = shape.receive_wait = shared_wait();
    shape.send_access = traits().copy_send ? Access::copy : Access::loan;
    shape.receive_access = traits().copy_receive ? Access::copy : Access::loan;
    return shape;
  }
  // Of more than a page where the kernel splits: a full non-blocking pipe takes a part of such a message, and
  // the sender must complete it.
  std::size_t odd_size() const { return facts().unit == Facts::Unit::bytes ? 5'000 : 4'000; }
  // One that is soon full.
  Shape tight_shape(std::size_t message_bytes = 64) const {
    Shape shape = plain_shape(message_bytes);
    if (facts().carries && !facts().never_full) shape.capacity = Capacity::bounded(2);
    return shape;
  }

  // A lossy link loses what its receiver has not made room for: there a sender holds back until the messages
  // before this one have come.
  void hold_back(Role& role, std::uint64_t sequence) const {
    while (facts().lossy && role.launch().roles[1].progress.load() < sequence) sched_yield();
  }

  std::string run_pair(const Shape& shape, Script sender, Script receiver,
                       Limits limits = Limits::host) const {
    PairWork work(transport(), shape, std::move(sender), std::move(receiver));
    return outcome_of(test_spec(2, limits), work);
  }
  // Sender to receiver, then the end of the stream.
  std::string pass(const Shape& shape, std::uint64_t messages, Limits limits = Limits::host) const {
    return run_pair(
        shape,
        [&](Role& role, Endpoints& links) {
          Mail mail(shape);
          for (std::uint64_t i = 0; i < messages; role.moved(++i)) {
            hold_back(role, i);
            mail.send(*links[0], i);
          }
          mail.finish(*links[0]);
        },
        [&](Role& role, Endpoints& links) {
          Mail(shape, facts().carries).receive_whole_stream(role, *links[0], messages);
        },
        limits);
  }

  Case case_of(const Shape& shape, const std::string& workload, Limits limits = Limits::host) const {
    return {.workload = workload,
            .transport = traits().name,
            .message_bytes = shape.message_bytes,
            .capacity = shape.capacity,
            .send_wait = shape.send_wait,
            .receive_wait = shape.receive_wait,
            .send_access = shape.send_access,
            .receive_access = shape.receive_access,
            .limits = limits};
  }

  static const Topology& topology() {
    static const Topology machine = Topology::of_this_machine();
    return machine;
  }

  // An error other than Unsupported is a failure of the test.
  std::string why_refused(const Shape& asked) const {
    std::string reason;
    TestWork work;
    work.on_build = [&](const std::string& directory) {
      Shape shape = asked;
      shape.directory = directory;
      transport().make_link(shape);
    };
    return outcome_of(test_spec(1), work);
  }
  std::string refusal() const { return "unsupported: " + traits().name + ": "; }
};

#define SKIP_UNLESS_IT_CARRIES() \
  if (!facts().carries) GTEST_SKIP() << "no byte crosses this link"

// ---- messages ----

TEST_P(TransportConformance, MessagesOfEverySizeArriveExactOrAreRefusedWithAReason) {
  constexpr std::size_t every_transport_takes = 4'096;
  constexpr std::size_t mebibyte = 1 << 20;
  for (const std::size_t bytes :
       {std::size_t{1},     std::size_t{2},      std::size_t{3},      std::size_t{7},      std::size_t{8},
        std::size_t{9},     std::size_t{63},     std::size_t{64},     std::size_t{65},     std::size_t{127},
        std::size_t{4'095}, std::size_t{4'096},  std::size_t{4'097},  std::size_t{8'191},  std::size_t{8'192},
        std::size_t{8'193}, std::size_t{65'535}, std::size_t{65'536}, std::size_t{65'537}, mebibyte,
        4 * mebibyte + 3}) {
    SCOPED_TRACE(fmt::format("{} B", bytes));
    const std::string outcome = pass(plain_shape(bytes), 5);
    if (outcome.empty()) continue;
    EXPECT_THAT(outcome, StartsWith(refusal()));
    EXPECT_GT(bytes, every_transport_takes);
    // What the host's limits or the default capacity do not take.
    for (const Limits limits : {Limits::host, Limits::raised}) {
      Shape shape = plain_shape(bytes);
      shape.capacity = Capacity::bounded(1);
      if (limits == Limits::raised && !test_isolation(limits).namespaces) continue;
      const std::string otherwise = pass(shape, 5, limits);
      if (!otherwise.empty()) {
        EXPECT_THAT(otherwise, StartsWith(refusal()));
      }
    }
  }
}

TEST_P(TransportConformance, EveryWaitAndAccessItClaimsWorksWithEveryOther) {
  std::vector<Access> send_accesses, receive_accesses;
  if (traits().copy_send) send_accesses.push_back(Access::copy);
  if (traits().loan_send) send_accesses.push_back(Access::loan);
  if (traits().copy_receive) receive_accesses.push_back(Access::copy);
  if (traits().loan_receive) receive_accesses.push_back(Access::loan);
  Shape shape = tight_shape();
  for (const Wait send_wait : all_waits()) {
    for (const Wait receive_wait : all_waits()) {
      if (!facts().send_waits.contains(send_wait) || !facts().receive_waits.contains(receive_wait)) continue;
      for (const Access send_access : send_accesses) {
        for (const Access receive_access : receive_accesses) {
          shape.send_wait = send_wait;
          shape.receive_wait = receive_wait;
          shape.send_access = send_access;
          shape.receive_access = receive_access;
          SCOPED_TRACE(fmt::format("{} {}", to_string(send_wait, receive_wait),
                                   to_string(send_access, receive_access)));
          EXPECT_EQ(pass(shape, 60), "");
        }
      }
    }
  }
}

TEST_P(TransportConformance, AMixOfSizesArrivesExactByEveryWaitAndAccessOrIsRefusedWithAReason) {
  Case mixed = case_of(plain_shape(), "stream");
  mixed.message_bytes = std::min<std::uint64_t>(5'000, facts().largest_message.value_or(5'000));
  mixed.mix = fmt::format("1:2+7:1+64:3+{}:1", mixed.message_bytes);
  const std::vector<std::vector<int>> anywhere(2);
  const TrialContext context{topology(), test_isolation(), -1};
  if (!traits().mixes) {
    Shape shape = plain_shape();
    shape.mixed = true;
    EXPECT_THAT(why_refused(shape), StartsWith(refusal()));
    const WorkloadEntry& workload = *transport().find_workload("stream");
    EXPECT_THAT(workload.unfit(mixed, traits()), StartsWith(traits().name + ": "));
    return;
  }
  std::vector<AccessPair> accesses;
  for (const Access send : {Access::copy, Access::loan}) {
    for (const Access receive : {Access::copy, Access::loan}) {
      if (send == Access::copy ? !traits().copy_send : !traits().loan_send) continue;
      if (receive == Access::copy ? !traits().copy_receive : !traits().loan_receive) continue;
      accesses.push_back({send, receive});
    }
  }
  // The accesses take turns, a step further for each wait: so each workload meets all of them. So do the
  // capacities beside the default one.
  const std::array others{Capacity::bounded(1), Capacity::rendezvous(), Capacity::unbounded()};
  std::size_t turn = 0, other = 0;
  for (const Wait wait : all_waits()) {
    if (!facts().send_waits.contains(wait) || !facts().receive_waits.contains(wait)) continue;
    ++turn;
    for (const char* workload : {"stream", "ping_pong", "duplex", "burst"}) {
      for (const Capacity& capacity : {Capacity{}, others[other++ % others.size()]}) {
        const AccessPair access = accesses[turn++ % accesses.size()];
        Case c = mixed;
        c.workload = workload;
        c.capacity = capacity;
        c.send_wait = c.receive_wait = wait;
        c.send_access = access.send;
        c.receive_access = access.receive;
        SCOPED_TRACE(case_id(c));
        const WorkloadEntry& entry = *transport().find_workload(workload);
        if (!entry.unfit(c, traits()).empty()) continue;
        const TrialOptions options{.fixed_messages = 20, .fixed_within_ns = 50'000'000, .every_byte = true};
        const TrialOutcome outcome = run_trial(c, anywhere, options, context);
        const auto* failure = std::get_if<LaunchFailure>(&outcome);
        if (failure == nullptr) continue;
        // What has no such capacity says so; with the default one it must do.
        EXPECT_EQ(failure->kind, LaunchFailure::Kind::unsupported) << failure->reason;
        EXPECT_THAT(failure->reason, StartsWith(traits().name + ": "));
        EXPECT_NE(capacity, Capacity{});
      }
    }
  }
}

TEST_P(TransportConformance, WaitsAndAccessesItDoesNotClaimAreRefused) {
  const auto expect_refused = [&](const Shape& shape) {
    EXPECT_THAT(why_refused(shape), StartsWith(refusal()));
  };
  for (const Wait wait : all_waits()) {
    SCOPED_TRACE(to_string(wait));
    Shape shape = plain_shape();
    shape.send_wait = wait;
    if (!facts().send_waits.contains(wait)) expect_refused(shape);
    shape = plain_shape();
    shape.receive_wait = wait;
    if (!facts().receive_waits.contains(wait)) expect_refused(shape);
  }
  for (const auto& [access, sends, receives] :
       {std::tuple{Access::copy, traits().copy_send, traits().copy_receive},
        std::tuple{Access::loan, traits().loan_send, traits().loan_receive}}) {
    SCOPED_TRACE(to_string(access));
    Shape shape = plain_shape();
    shape.send_access = access;
    if (!sends) expect_refused(shape);
    shape = plain_shape();
    shape.receive_access = access;
    if (!receives) expect_refused(shape);
  }
}

TEST_P(TransportConformance, BothDirectionsOfADuplexLinkCarryAtOnce) {
  if (!traits().duplex) GTEST_SKIP() << "one-way";
  Shape shape = tight_shape(odd_size());
  let_attempts_return(facts(), shape);
  const Script both_ways = [&](Role& role, Endpoints& links) {
    constexpr std::uint64_t messages = 200;
    const unsigned own = role.index(), other = 1 - own;
    Mail outgoing(shape), incoming(shape);
    std::uint64_t sent = 0, received = 0;
    while (sent < messages || received < messages) {
      // Two at a time fit each way.
      const bool may_send = sent < messages && (!facts().lossy || sent <= received);
      if (may_send && outgoing.try_send(*links[0], sent, own) == Io::done) ++sent;
      if (received < messages && incoming.try_receive(*links[0], received, other) == Io::done) ++received;
      role.moved(sent + received);
      sched_yield();
    }
    outgoing.finish(*links[0]);
    require(!incoming.receive(*links[0], received, other), "more messages than were sent");
  };
  EXPECT_EQ(run_pair(shape, both_ways, both_ways), "");
}

TEST_P(TransportConformance, ASecondLinkBesideTheFirstDoesNotDisturbIt) {
  SKIP_UNLESS_IT_CARRIES();
  const Shape shape = plain_shape();
  constexpr std::uint64_t messages = 100;
  PairWork work(
      transport(), shape,
      [&](Role& role, Endpoints& links) {
        Mail mail(shape);
        for (std::uint64_t i = 0; i < messages; role.moved(++i)) {
          mail.send(*links[0], i, 0);
          if (i < messages / 2) mail.send(*links[1], i, 1);
          if (i == messages / 2) mail.finish(*links[1]);
        }
        mail.finish(*links[0]);
      },
      [&](Role& role, Endpoints& links) {
        Mail mail(shape);
        for (std::uint64_t i = 0; i < messages; role.moved(++i)) {
          require(mail.receive(*links[0], i, 0), "the first link ended early");
          if (i < messages / 2) require(mail.receive(*links[1], i, 1), "the second link ended early");
        }
        require(!mail.receive(*links[1], 0, 1), "the second link did not end");
        require(!mail.receive(*links[0], 0, 0), "the first link did not end");
      },
      2);
  EXPECT_EQ(outcome_of(test_spec(2), work), "");
}

// ---- full and empty ----

#define SKIP_IF_IT_NEVER_SAYS_THAT_IT_IS_FULL()                    \
  if (facts().lossy) GTEST_SKIP() << "what finds no room is lost"; \
  if (facts().never_full) GTEST_SKIP() << "never full"

TEST_P(TransportConformance, AFullLinkSaysAgainAndAnEmptyOneToo) {
  SKIP_UNLESS_IT_CARRIES();
  SKIP_IF_IT_NEVER_SAYS_THAT_IT_IS_FULL();
  for (const std::size_t bytes : {std::size_t{64}, odd_size()}) {
    SCOPED_TRACE(fmt::format("{} B", bytes));
    Shape shape = tight_shape(bytes);
    let_attempts_return(facts(), shape);
    enum : unsigned { empty_seen, filled, rest_sent };
    const std::string outcome = run_pair(
        shape,
        [&](Role& role, Endpoints& links) {
          Mail mail(shape);
          hold_until(role, empty_seen, 1);
          std::uint64_t sent = 0;
          constexpr std::uint64_t far_too_many = 1'000'000;
          while (sent < far_too_many && mail.try_send(*links[0], sent) == Io::done) role.moved(++sent);
          require(sent < far_too_many, "a link of two messages never said again");
          announce(role, filled, 1);
          const std::uint64_t all = sent + 50;
          for (; sent < all; role.moved(++sent)) mail.send(*links[0], sent);
          announce(role, rest_sent, all);
          mail.finish(*links[0]);
        },
        [&](Role& role, Endpoints& links) {
          Mail mail(shape);
          require(mail.try_receive(*links[0], 0) == Io::again, "an empty link did not say again");
          announce(role, empty_seen, 1);
          hold_until(role, filled, 1);
          std::uint64_t received = 0;
          for (; mail.receive(*links[0], received); role.moved(received)) ++received;
          require(received == role.launch().tickets[rest_sent].load(), "messages are missing");
        });
    EXPECT_EQ(outcome, "");
  }
}

// A sleep for what has been lost would have no end.
TEST_P(TransportConformance, AnEmptyLossyLinkSaysAgainHoweverOneWaitsAndKeepsWhatComesFirst) {
  if (!facts().lossy) GTEST_SKIP() << "nothing is lost";
  for (const Wait wait : all_waits()) {
    if (!facts().send_waits.contains(wait) || !facts().receive_waits.contains(wait)) continue;
    SCOPED_TRACE(to_string(wait));
    Shape shape = tight_shape();
    shape.send_wait = shape.receive_wait = wait;
    enum : unsigned { empty_seen, sent_many };
    constexpr std::uint64_t far_too_many = 1'000;
    const std::string outcome = run_pair(
        shape,
        [&](Role& role, Endpoints& links) {
          Mail mail(shape);
          hold_until(role, empty_seen, 1);
          for (std::uint64_t i = 0; i < far_too_many; role.moved(++i)) mail.send(*links[0], i);
          mail.finish(*links[0]);  // its mark is lost as well
          announce(role, sent_many, 1);
        },
        [&](Role& role, Endpoints& links) {
          Mail mail(shape);
          for (int i = 0; i < 2; ++i) {
            require(mail.try_receive(*links[0], 0) == Io::again, "an empty link did not say again");
            links[0]->wait_to_receive();
          }
          announce(role, empty_seen, 1);
          hold_until(role, sent_many, 1);
          std::uint64_t received = 0;
          for (; mail.receive(*links[0], received); role.moved(received)) ++received;
          require(received >= 2, "not even what fits has come");
          require(received < far_too_many, "nothing was lost");
          require(!mail.receive(*links[0], 0), "closed did not stay closed");
        });
    EXPECT_EQ(outcome, "");
  }
}

TEST_P(TransportConformance, ASenderThatSleepsGoesOnWhenTheReceiverDrains) {
  SKIP_UNLESS_IT_CARRIES();
  SKIP_IF_IT_NEVER_SAYS_THAT_IT_IS_FULL();
  const Shape shape = tight_shape(4'096);
  constexpr std::uint64_t messages = 2'000;
  const std::string outcome = run_pair(
      shape,
      [&](Role& role, Endpoints& links) {
        Mail mail(shape);
        for (std::uint64_t i = 0; i < messages; role.moved(++i)) mail.send(*links[0], i);
        mail.finish(*links[0]);
      },
      [&](Role& role, Endpoints& links) {
        const std::atomic<std::uint64_t>& sent = role.launch().roles[0].progress;
        for (std::uint64_t before = 1; sent.load() == 0 || sent.load() != before;) {
          before = sent.load();
          usleep(5'000);
        }
        require(sent.load() < messages, "the sender never had to wait");
        Mail(shape).receive_whole_stream(role, *links[0], messages);
      });
  EXPECT_EQ(outcome, "");
}

TEST_P(TransportConformance, IsNeverFullIfItSaysSo) {
  if (!facts().never_full) GTEST_SKIP() << "is full at some time";
  EXPECT_TRUE(traits().unbounded);
  for (const Capacity& capacity : {Capacity{}, Capacity::unbounded()}) {
    Shape shape = plain_shape(4'096);
    shape.capacity = capacity;
    let_attempts_return(facts(), shape);
    constexpr std::uint64_t messages = 50'000;  // more than any other link holds unasked
    const std::string outcome = run_pair(
        shape,
        [&](Role& role, Endpoints& links) {
          Mail mail(shape);
          for (std::uint64_t i = 0; i < messages; role.moved(++i)) {
            require(mail.try_send(*links[0], i) == Io::done, "a sender had to wait");
          }
          mail.finish(*links[0]);
        },
        [&](Role& role, Endpoints& links) {
          const std::atomic<std::uint64_t>& sent = role.launch().roles[0].progress;
          while (sent.load() < messages) usleep(1'000);
          Mail(shape).receive_whole_stream(role, *links[0], messages);
        });
    EXPECT_EQ(outcome, "");
  }
}

TEST_P(TransportConformance, TheCapacityAskedForIsHonoured) {
  SKIP_UNLESS_IT_CARRIES();
  if (facts().never_full) {
    Shape shape = plain_shape();
    shape.capacity = Capacity::bounded(3);
    EXPECT_THAT(why_refused(shape), HasSubstr(traits().name + ": it is never full"));
    return;
  }
  // 2,049 B: two of them do not fit into one page.
  for (const std::size_t bytes : {64, 2'049, 4'096}) {
    std::vector<std::uint64_t> fits, limits_found;
    for (const std::uint64_t messages : {1, 2, 3, 16}) {
      SCOPED_TRACE(fmt::format("{} messages of {} B", messages, bytes));
      Shape shape = plain_shape(bytes);
      shape.capacity = Capacity::bounded(messages);
      const Limits limits = test_isolation(Limits::raised).namespaces ? Limits::raised : Limits::host;
      const TrialContext context{topology(), test_isolation(limits)};
      CapacityFacts found = probe_capacity(case_of(shape, "stream", limits), context);
      // Of this limit the user's other processes may have some in use just now.
      const bool users = found.limit && found.limit->source == "RLIMIT_SIGPENDING";
      for (int more = 0; users && more < 20 && found.fits_min.value_or(messages) < messages; ++more) {
        usleep(100'000);
        found = probe_capacity(case_of(shape, "stream", limits), context);
      }
      if (!found.fits_min) {
        EXPECT_THAT(found.note, StartsWith("not probed: " + traits().name + ": "));
        EXPECT_EQ(limits, Limits::host) << found.note;
        continue;
      }
      EXPECT_GE(*found.fits_min, messages);
      fits.push_back(*found.fits_max);
      EXPECT_EQ(found.resume_after.has_value(), !facts().lossy);
      EXPECT_GE(found.resume_after.value_or(1), 1u);
      if (!found.limit) continue;
      limits_found.push_back(found.limit->value);
      EXPECT_FALSE(found.limit->source.empty());
      if (found.limit->unit == "messages") {
        EXPECT_EQ(found.limit->value, messages);
        EXPECT_EQ(*found.fits_max, messages);
      } else if (found.limit->unit == "bytes") {
        EXPECT_LE(*found.fits_max * bytes, found.limit->value);
        // What keeps messages is filled to the last byte; a stream's pages are rounded up.
        if (facts().unit == Facts::Unit::messages) {
          EXPECT_EQ(*found.fits_max, messages);
        }
      } else {
        EXPECT_EQ(found.limit->unit, "charge");
        EXPECT_GT(found.limit->value, 0u);
      }
    }
    // Small ones all lie in the smallest buffer that some kernels give.
    if (bytes < 4'096) continue;
    if (fits.size() > 1) {
      EXPECT_LT(fits.front(), fits.back());
    }
    if (limits_found.size() > 1) {
      EXPECT_LT(limits_found.front(), limits_found.back());
    }
  }
}

TEST_P(TransportConformance, TheDefaultCapacityIsToldAndHoldsAMessage) {
  SKIP_UNLESS_IT_CARRIES();
  const CapacityFacts found =
      probe_capacity(case_of(plain_shape(), "stream"), {topology(), test_isolation(Limits::host)});
  ASSERT_TRUE(found.fits_max) << found.note;
  EXPECT_GE(found.fits_min.value_or(0), 1u);
  EXPECT_GE(found.fits_max.value_or(0), found.fits_min.value_or(0));
}

TEST_P(TransportConformance, CapacitiesItCannotHaveAreRefusedWithAReason) {
  for (const auto& [capacity, has] :
       {std::pair{Capacity::rendezvous(), traits().rendezvous != Rendezvous::none},
        std::pair{Capacity::unbounded(), traits().unbounded}}) {
    Shape shape = plain_shape();
    shape.capacity = capacity;
    const std::string reason = why_refused(shape);
    if (has) {
      EXPECT_EQ(reason, "") << to_string(capacity);
    } else {
      EXPECT_THAT(reason, StartsWith(refusal())) << to_string(capacity);
    }
  }
}

TEST_P(TransportConformance, AbsurdSizesGiveAReasonAndNoError) {
  Shape huge_message = plain_shape(std::size_t{1} << 40);
  Shape huge_capacity = plain_shape();
  huge_capacity.capacity = Capacity::bounded(std::uint64_t{1} << 62);
  Shape overflowing = plain_shape(std::size_t{1} << 40);
  overflowing.capacity = Capacity::bounded(UINT64_MAX / 2);
  for (const Shape& shape : {huge_message, huge_capacity, overflowing}) {
    const std::string outcome = why_refused(shape);
    // A byte stream takes a message of any size, piece by piece.
    if (!outcome.empty() || shape.capacity != Capacity{}) {
      EXPECT_THAT(outcome, StartsWith(refusal()));
    }
  }
}

// ---- the end of the stream ----

TEST_P(TransportConformance, ClosedComesAfterEverythingThatWasSentAndStays) {
  Shape shape = plain_shape();
  for (const std::uint64_t messages : {0, 1, 7}) {
    SCOPED_TRACE(messages);
    const std::string outcome = run_pair(
        shape,
        [&](Role& role, Endpoints& links) {
          Mail mail(shape);
          for (std::uint64_t i = 0; i < messages; role.moved(++i)) mail.send(*links[0], i);
          mail.finish(*links[0]);
          mail.finish(*links[0]);
        },
        [&](Role& role, Endpoints& links) {
          Mail mail(shape, facts().carries);
          mail.receive_whole_stream(role, *links[0], messages);
          for (int i = 0; i < 3; ++i) require(!mail.receive(*links[0], 0), "closed did not stay closed");
        });
    EXPECT_EQ(outcome, "");
  }
}

TEST_P(TransportConformance, TheEndOfAFullStreamIsSaidWithoutSleeping) {
  SKIP_UNLESS_IT_CARRIES();
  SKIP_IF_IT_NEVER_SAYS_THAT_IT_IS_FULL();
  Shape shape = tight_shape();
  let_attempts_return(facts(), shape);
  enum : unsigned { first_attempt_made };
  const std::string outcome = run_pair(
      shape,
      [&](Role& role, Endpoints& links) {
        Mail mail(shape);
        std::uint64_t sent = 0;
        while (mail.try_send(*links[0], sent) == Io::done) role.moved(++sent);
        // A stream must not end inside the message that was begun.
        if (facts().unit == Facts::Unit::messages) {
          require(links[0]->finish() != Io::closed, "closed while finishing");
        }
        announce(role, first_attempt_made, 1 + sent);
        if (facts().unit == Facts::Unit::bytes) mail.send(*links[0], sent);
        mail.finish(*links[0]);
      },
      [&](Role& role, Endpoints& links) {
        hold_until(role, first_attempt_made, 1);
        const std::uint64_t sent = role.launch().tickets[first_attempt_made].load() - 1;
        Mail(shape).receive_whole_stream(role, *links[0],
                                         sent + (facts().unit == Facts::Unit::bytes ? 1 : 0));
      });
  EXPECT_EQ(outcome, "");
}

// Tells bytes from messages too: only a stream of bytes can hold a part of one.
TEST_P(TransportConformance, AMessageBrokenOffIsAnErrorOnAByteStreamAndNeverSeenElsewhere) {
  SKIP_UNLESS_IT_CARRIES();
  if (facts().never_full) GTEST_SKIP() << "a sender gets rid of every message as a whole";
  // The larger the message, the likelier it is that a stream takes a part of it.
  Shape shape = plain_shape();
  for (const std::size_t bytes : {4'000, 8'000, 200'003, 1'000'003}) {
    if (why_refused(plain_shape(bytes)).empty()) shape = plain_shape(bytes);
  }
  let_attempts_return(facts(), shape);
  enum : unsigned { sent_whole };
  const std::string outcome = run_pair(
      shape,
      [&](Role& role, Endpoints& links) {
        Mail mail(shape);
        std::uint64_t sent = 0;
        const std::uint64_t most = facts().lossy ? 1 : 1'000'000;
        while (sent < most && mail.try_send(*links[0], sent) == Io::done) role.moved(++sent);
        announce(role, sent_whole, 1 + sent);
        mail.finish(*links[0]);
      },
      [&](Role& role, Endpoints& links) {
        Mail mail(shape);
        hold_until(role, sent_whole, 1);
        const std::uint64_t sent = role.launch().tickets[sent_whole].load() - 1;
        for (std::uint64_t i = 0; i < sent; role.moved(++i)) {
          require(mail.receive(*links[0], i), "closed before the whole messages had come");
        }
        std::string error;
        bool closed = false;
        try {
          closed = !mail.receive(*links[0], sent);
        } catch (const std::system_error& failure) {
          error = failure.what();
        }
        if (facts().unit == Facts::Unit::bytes) {
          require(error.find("end of stream") != std::string::npos,
                  "no error at the broken message: " + error);
        } else {
          require(closed && error.empty(), "no end of stream after the whole messages: " + error);
        }
      });
  EXPECT_EQ(outcome, "");
}

// ---- loans ----

TEST_P(TransportConformance, ASlotThatIsReadIsNotWrittenBeforeItsRelease) {
  if (!traits().loan_receive) GTEST_SKIP() << "no loans";
  Shape shape = tight_shape();
  shape.receive_access = Access::loan;
  let_attempts_return(facts(), shape);
  enum : unsigned { filled, looked, convinced };
  const std::string outcome = run_pair(
      shape,
      [&](Role& role, Endpoints& links) {
        Mail mail(shape);
        std::uint64_t sent = 0;
        for (; sent < 2; role.moved(++sent)) mail.send(*links[0], sent);
        announce(role, filled, 1);
        // It may go on where there is room beside the slot that is read.
        while (role.launch().tickets[looked].load() == 0) {
          if (mail.try_send(*links[0], sent) == Io::done) role.moved(++sent);
        }
        const std::uint64_t all = sent + 8;
        announce(role, convinced, all);
        for (; sent < all; role.moved(++sent)) mail.send(*links[0], sent);
        mail.finish(*links[0]);
      },
      [&](Role& role, Endpoints& links) {
        hold_until(role, filled, 1);
        std::span<const std::byte> first, again;
        require(links[0]->peek(first) == Io::done, "no message to read");
        for (int i = 0; i < 1'000; ++i) {
          require(links[0]->peek(again) == Io::done && again.data() == first.data(),
                  "a second look gave another slot");
          require(verify(again, 0, 0, Touch::full), "the message changed while it was read");
        }
        announce(role, looked, 1);
        hold_until(role, convinced, 1);
        require(verify(again, 0, 0, Touch::full), "the message changed while it was read");
        require(links[0]->release() == Io::done, "release failed");
        Mail mail(shape);
        const std::uint64_t all = role.launch().tickets[convinced].load();
        for (std::uint64_t i = 1; i < all; role.moved(++i))
          require(mail.receive(*links[0], i), "ended early");
        require(!mail.receive(*links[0], 0), "did not end");
      });
  EXPECT_EQ(outcome, "");
}

TEST_P(TransportConformance, ASlotLoanedTwiceIsTheSameAndLiesAligned) {
  if (!traits().loan_send) GTEST_SKIP() << "no loans";
  Shape shape = plain_shape(13);
  shape.send_access = Access::loan;
  const std::string outcome = run_pair(
      shape,
      [&](Role&, Endpoints& links) {
        for (std::uint64_t i = 0; i < 5; ++i) {
          std::span<std::byte> once, twice;
          require(links[0]->loan(once) == Io::done && links[0]->loan(twice) == Io::done, "no slot");
          require(once.data() == twice.data() && once.size() == shape.message_bytes, "two loans, two slots");
          require(reinterpret_cast<std::uintptr_t>(once.data()) % 8 == 0, "a slot is not aligned to 8");
          fill(once, 0, i, Touch::full);
          require(links[0]->commit() == Io::done, "commit failed");
        }
        Mail(shape).finish(*links[0]);
      },
      [&](Role& role, Endpoints& links) { Mail(shape).receive_whole_stream(role, *links[0], 5); });
  EXPECT_EQ(outcome, "");
}

// ---- signals and deaths ----

void start_signal_storm() {
  struct sigaction action {};
  action.sa_handler = [](int) {};  // without SA_RESTART
  sigaction(SIGALRM, &action, nullptr);
  const itimerval every{{0, 300}, {0, 300}};
  setitimer(ITIMER_REAL, &every, nullptr);
}

TEST_P(TransportConformance, AStormOfSignalsChangesNothing) {
  for (const Wait wait : all_waits()) {
    if (wait == Wait::spin || wait == Wait::yield) continue;  // they never sleep
    if (!facts().send_waits.contains(wait) || !facts().receive_waits.contains(wait)) continue;
    SCOPED_TRACE(to_string(wait));
    Shape shape = tight_shape(odd_size());
    shape.send_wait = shape.receive_wait = wait;
    constexpr std::uint64_t messages = 300;
    for (const unsigned late : {0, 1}) {
      PairWork work(
          transport(), shape,
          [&](Role& role, Endpoints& links) {
            Mail mail(shape);
            for (std::uint64_t i = 0; i < messages; role.moved(++i)) {
              if (i % 50 == 0) pause();  // now the receiver sleeps through some
              hold_back(role, i);
              mail.send(*links[0], i);
            }
            mail.finish(*links[0]);
          },
          [&](Role& role, Endpoints& links) {
            Mail mail(shape);
            for (std::uint64_t i = 0; i < messages; role.moved(++i)) {
              if (i % 50 == 25) pause(), pause();  // now the sender
              require(mail.receive(*links[0], i), "ended early");
            }
            require(!mail.receive(*links[0], 0), "did not end");
          });
      work.before_open = [&](Role& role) {
        start_signal_storm();
        if (role.index() == late) pause(), pause(), pause();  // the other sleeps while it opens
      };
      EXPECT_EQ(outcome_of(test_spec(2), work), "");
    }
  }
}

TEST_P(TransportConformance, ARoleThatIsKilledIsNamedWithItsMessageCount) {
  const Shape shape = plain_shape();
  const std::string outcome = run_pair(
      shape,
      [&](Role& role, Endpoints& links) {
        Mail mail(shape);
        for (std::uint64_t i = 0; i < 3; role.moved(++i)) mail.send(*links[0], i);
        kill(getpid(), SIGKILL);
      },
      [&](Role& role, Endpoints& links) {
        Mail mail(shape);
        for (std::uint64_t i = 0; i < 3; role.moved(++i)) require(mail.receive(*links[0], i), "ended early");
        pause();
      });
  EXPECT_EQ(outcome, "failed: sender 0: killed by signal 9 after 3 messages");
}

// Two processes that no launch watches over, so that one can find out by itself that the other has died.
class Bereavement {
 public:
  Bereavement(const TransportEntry& transport, const Shape& shape) : transport_(transport), shape_(shape) {}

  // `victim` (0 sends, 1 receives) is killed after its script; the other's script says whether it saw the
  // end. Runs in a role, which gets whatever goes wrong.
  bool survivor_sees_it(unsigned victim, std::function<void(AnyEndpoint&)> last_deeds,
                        std::function<bool(AnyEndpoint&)> sees_end) {
    struct Shared {
      MeetingTable table;
      std::atomic<unsigned> opened, dropped, victim_gone, saw_end;
      char error[256];
    };
    void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    require(memory != MAP_FAILED, "mmap");
    Shared& shared = *static_cast<Shared*>(memory);
    shared.table.senders_left.store(transport_.traits.duplex ? 2 : 1);
    const std::unique_ptr<AnyLink> link = transport_.make_link(shape_);
    pid_t pids[2];
    for (unsigned side = 0; side < 2; ++side) {
      pids[side] = fork();
      if (pids[side] != 0) continue;
      try {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        Meeting meeting(shared.table, now_ns() + 5'000'000'000u);
        const std::unique_ptr<AnyEndpoint> endpoint =
            side == 0 ? link->open_sender(0, meeting)
                      : link->open_receiver(transport_.traits.duplex ? 1 : 0, meeting);
        link->drop();
        ++shared.opened;
        while (shared.dropped.load() == 0) usleep(100);
        if (side == victim) {
          last_deeds(*endpoint);
          kill(getpid(), SIGKILL);
        }
        shared.saw_end = sees_end(*endpoint) ? 1 : 0;
      } catch (const std::exception& error) {
        strncpy(shared.error, error.what(), sizeof shared.error - 1);
      }
      _exit(0);
    }
    while (shared.opened.load() < 2 && shared.error[0] == 0) usleep(100);
    link->drop();
    shared.dropped = 1;
    for (const pid_t pid : pids) waitpid(pid, nullptr, 0);
    require(shared.error[0] == 0, shared.error);
    return shared.saw_end.load() != 0;
  }

 private:
  const TransportEntry& transport_;
  Shape shape_;
};

TEST_P(TransportConformance, WhatItSaysAboutDeathsIsWhatTheSurvivorSees) {
  SKIP_UNLESS_IT_CARRIES();
  constexpr int patience_ms = 150;  // how long a survivor looks for what should not come
  TestWork work;
  std::string directory;
  work.on_build = [&](const std::string& made) { directory = made; };
  work.on_run = [&](Role&) {
    Shape shape = tight_shape();
    shape.directory = directory;
    const bool can_block =
        facts().send_waits.contains(Wait::block) && facts().receive_waits.contains(Wait::block);
    for (const bool blocking : {false, true}) {
      if (blocking && !can_block) continue;
      if (!blocking) let_attempts_return(facts(), shape);
      if (blocking) shape.send_wait = shape.receive_wait = Wait::block;
      Bereavement pair(transport(), shape);
      // One that is not told would sleep for ever in a blocking attempt.
      if (!blocking || facts().receiver_sees_death) {
        const bool seen = pair.survivor_sees_it(
            0,
            [&](AnyEndpoint& sender) {
              Mail mail(shape);
              for (std::uint64_t i = 0; i < 2; ++i) mail.send(sender, i);
            },
            [&](AnyEndpoint& receiver) {
              Mail mail(shape);
              for (std::uint64_t i = 0; i < 2; ++i)
                require(mail.receive(receiver, i), "sent messages were lost");
              for (int i = 0; i < patience_ms; ++i) {
                if (mail.try_receive(receiver, 2) == Io::closed) return true;
                usleep(1'000);
              }
              return false;
            });
        require(seen == facts().receiver_sees_death,
                seen ? "the receiver saw the sender's death" : "the receiver did not see the sender's death");
      }
      if (!blocking || facts().sender_sees_death) {
        const bool seen = pair.survivor_sees_it(
            1, [](AnyEndpoint&) {},
            [&](AnyEndpoint& sender) {
              Mail mail(shape);
              std::uint64_t sent = 0;
              for (int i = 0; i < patience_ms;) {
                const Io io = mail.try_send(sender, sent);
                if (io == Io::closed) return true;
                if (io == Io::done) ++sent;
                if (io == Io::again || facts().never_full) {
                  ++i;
                  usleep(1'000);
                }
              }
              return false;
            });
        require(seen == facts().sender_sees_death,
                seen ? "the sender saw the receiver's death" : "the sender did not see the receiver's death");
      }
    }
  };
  EXPECT_EQ(outcome_of(test_spec(1), work), "");
}

// ---- names, memory, strangers ----

// Kernel objects under this process's names.
std::set<std::string> names_of_mine(const std::vector<std::string>& folders) {
  std::set<std::string> names;
  const std::string mine = fmt::format("ipcmark-{}-", getpid());
  for (const std::string& folder : folders) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
      if (entry.path().filename().string().starts_with(mine)) names.insert(entry.path());
    }
  }
  return names;
}

std::set<std::string> keys_of_mine() {
  std::set<std::string> keys;
  for (const char* table : {"/proc/sysvipc/msg", "/proc/sysvipc/shm", "/proc/sysvipc/sem"}) {
    std::ifstream rows(table);
    for (std::string row; std::getline(rows, row);) {
      const long key = std::strtol(row.c_str(), nullptr, 10);
      if ((static_cast<unsigned long>(key) & 0xffffffffu) >> 20 == sysv_key_prefix) {
        keys.insert(fmt::format("{} {}", table, key));
      }
    }
  }
  return keys;
}

// A port on which a socket of this process listens, or takes messages from anybody.
struct Port {
  int type = 0;
  in_port_t number = 0;
  friend bool operator==(const Port&, const Port&) = default;
};
std::vector<Port> ports_of_mine() {
  std::vector<Port> ports;
  const auto option = [](int fd, int name) {
    int value = 0;
    socklen_t bytes = sizeof value;
    return getsockopt(fd, SOL_SOCKET, name, &value, &bytes) == 0 ? value : 0;
  };
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    const int fd = std::atoi(entry.path().filename().c_str());
    const int type = option(fd, SO_TYPE);
    if (type != SOCK_DGRAM && option(fd, SO_ACCEPTCONN) == 0) continue;
    sockaddr_in address{};
    socklen_t bytes;
    bytes = sizeof address;
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &bytes) == 0 &&
        address.sin_family == AF_INET) {
      EXPECT_EQ(ntohl(address.sin_addr.s_addr), INADDR_LOOPBACK);
      ports.push_back({type, address.sin_port});
    }
  }
  return ports;
}

TEST_P(TransportConformance, ItIsNamedAsItSaysAndLeavesNoName) {
  TestWork work;
  work.on_build = [&](const std::string& directory) {
    Shape shape = plain_shape();
    shape.directory = directory;
    const std::string queues = directory + "/queues";
    const bool sees_queues = test_isolation().namespaces && mkdir(queues.c_str(), 0700) == 0 &&
                             mount("queues", queues.c_str(), "mqueue", 0, nullptr) == 0;
    const std::vector<std::string> folders{directory, "/dev/shm", queues};
    const auto names_before = names_of_mine(folders);
    const auto keys_before = keys_of_mine();
    const auto ports_before = ports_of_mine();

    std::unique_ptr<AnyLink> link = transport().make_link(shape);
    const bool path = names_of_mine(folders) != names_before;
    const bool key = keys_of_mine() != keys_before;
    const bool address = ports_of_mine() != ports_before;
    link->drop();
    require(names_of_mine(folders) == names_before, "a name in the file system was left");
    require(ports_of_mine() == ports_before, "a listening port was left");
    link.reset();
    require(keys_of_mine() == keys_before, "a System V key was left");
    if (sees_queues) {
      umount(queues.c_str());
      rmdir(queues.c_str());
    }

    const Facts::Naming seen = path      ? Facts::Naming::path
                               : key     ? Facts::Naming::key
                               : address ? Facts::Naming::address
                                         : Facts::Naming::none;
    require(path + key + address <= 1, "named in several ways");
    if (!sees_queues && !path && facts().naming == Facts::Naming::path) {
      throw Unsupported("no mqueue file system to look into");
    }
    require(seen == facts().naming, "it is named otherwise than its facts say");
    require(address == (facts().scope == Facts::Scope::network), "its scope is another than its facts say");
  };
  std::string outcome = outcome_of(test_spec(1), work);
  // Without namespaces other processes' objects come and go in the same tables.
  for (int more = 0; more < 10 && outcome.starts_with("failed: ") && !test_isolation().namespaces; ++more) {
    outcome = outcome_of(test_spec(1), work);
  }
  if (outcome.starts_with("unsupported: ")) GTEST_SKIP() << outcome;
  EXPECT_EQ(outcome, "");
}

// Not those that are shared with the kernel alone (io_uring(7)).
unsigned shared_mappings() {
  std::ifstream maps("/proc/self/maps");
  unsigned count = 0;
  for (std::string line; std::getline(maps, line);) {
    const std::size_t rights = line.find(' ');
    const bool shared = rights != std::string::npos && line[rights + 4] == 's';
    count += shared && line.find("[io_uring]") == std::string::npos;
  }
  return count;
}

TEST_P(TransportConformance, ItSharesMemoryOrPassesMessagesAsItSays) {
  const Shape shape = plain_shape();
  const unsigned before = shared_mappings();
  const Script look = [&](Role&, Endpoints&) {
    // The launch's own board may be mapped anew; it is there in `before` too, since the board is made first.
    require((shared_mappings() > before + 1) == (facts().model == Facts::Model::shared_memory),
            "its model is another than its facts say");
  };
  EXPECT_EQ(run_pair(shape, look, look), "");
}

TEST_P(TransportConformance, AStrangerAtItsPortDisturbsNobody) {
  if (facts().naming != Facts::Naming::address) GTEST_SKIP() << "no address that a stranger could know";
  const Shape shape = plain_shape();
  constexpr std::uint64_t messages = 50;
  std::vector<Descriptor> strangers;
  PairWork work(
      transport(), shape,
      [&](Role& role, Endpoints& links) {
        Mail mail(shape);
        for (std::uint64_t i = 0; i < messages; role.moved(++i)) mail.send(*links[0], i);
        mail.finish(*links[0]);
      },
      [&](Role& role, Endpoints& links) { Mail(shape).receive_whole_stream(role, *links[0], messages); });
  work.after_build = [&] {
    const std::vector<Port> ports = ports_of_mine();
    require(ports.size() == 1, "no listening port found");
    for (int i = 0; i < 4; ++i) {
      Descriptor stranger(socket(AF_INET, ports[0].type | SOCK_CLOEXEC, 0));
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = ports[0].number;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      require(connect(stranger.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0,
              "the stranger could not connect");
      const std::string noise(i * 100, 'x');  // the first says nothing
      if (i > 0)
        require(write(stranger.get(), noise.data(), noise.size()) > 0, "the stranger could not write");
      if (i < 3) strangers.push_back(std::move(stranger));  // the last has gone again
    }
  };
  EXPECT_EQ(outcome_of(test_spec(2), work), "");
}

// ---- what it says of itself, and the workloads ----

TEST_P(TransportConformance, ItDescribesItselfInOneShortLine) {
  EXPECT_FALSE(facts().summary.empty());
  EXPECT_LE(facts().summary.size(), 60u);
  EXPECT_EQ(facts().summary.find('\n'), std::string_view::npos);
  EXPECT_EQ(traits().name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"), std::string::npos);
}

TEST_P(TransportConformance, EveryWorkloadRunsOverItVerifiedAndTimed) {
  for (const WorkloadEntry& workload : transport().workloads) {
    const Case plain = case_of(plain_shape(64), std::string(workload.name));
    if (!workload.unfit(plain, traits()).empty()) continue;
    const std::vector<std::vector<int>> unpinned(workload.roles(plain).size());
    const std::uint64_t fixed_messages = workload.name == "setup" ? 20 : 300;  // each of them forks a process
    for (const bool every_byte : {true, false}) {
      for (const std::size_t bytes : {std::size_t{64}, std::size_t{1}, odd_size()}) {
        if (!every_byte && bytes != 64) continue;
        if (facts().lossy &&
            !workload.unfit(case_of(plain_shape(bytes), std::string(workload.name)), traits()).empty()) {
          continue;
        }
        SCOPED_TRACE(fmt::format("{} of {} B, {}", workload.name, bytes, every_byte ? "verified" : "timed"));
        TrialOptions options;
        options.every_byte = every_byte;
        if (every_byte) options.fixed_messages = fixed_messages;
        options.timed_ns = 3'000'000;
        options.warm_up_ns = 500'000;
        const TrialOutcome outcome = run_trial(case_of(plain_shape(bytes), std::string(workload.name)),
                                               unpinned, options, {topology(), test_isolation(Limits::host)});
        const auto* failure = std::get_if<LaunchFailure>(&outcome);
        ASSERT_EQ(failure, nullptr) << failure->reason;
        const auto& measurement = std::get<Measurement>(outcome);
        EXPECT_EQ(measurement.integrity.every_byte, every_byte);
        EXPECT_GE(measurement.integrity.checked, measurement.messages);
        std::uint64_t lost = 0;
        if (facts().lossy && workload.name == "stream") {
          lost = measurement.integrity.lost;
          EXPECT_EQ(every_byte ? measurement.messages + lost : fixed_messages, fixed_messages)
              << "what has come, and what has not";
          EXPECT_LE(observed(measurement, "lost"), static_cast<double>(lost))
              << "those of the warm-up as well";
          EXPECT_GE(observed(measurement, "lost_share"), 0);
        } else {
          EXPECT_TRUE(measurement.integrity.clean());
        }
        EXPECT_GT(measurement.messages, 0u);
        EXPECT_GT(measurement.span_ns, 0u);
        EXPECT_EQ(measurement.roles.size(), unpinned.size());
        if (every_byte) {
          EXPECT_EQ((measurement.messages + lost) % fixed_messages, 0u) << "of each role that counts";
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, TransportConformance, testing::ValuesIn(OverEveryTransport::names()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace ipcmark
