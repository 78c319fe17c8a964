// posix_shm, spinning on loaned slots, against the two-index ring, and its round trip against the bare cache
// line; each with a floor that the same turns measure.

#include <fmt/format.h>

#include "ci/baseline/bare_slots.h"
#include "ci/baseline/line_floor.h"
#include "ci/baseline/side_by_side.h"
#include "ci/baseline/two_index_ring.h"
#include "harness/cache_line.h"
#include "workloads/ping_pong.h"
#include "workloads/rings.h"

namespace ipcmark::accuracy {
namespace {

constexpr std::uint64_t ring_capacity = 1'024;

Case ring_case(std::uint64_t capacity = ring_capacity) {
  Case benchmark_case = sixty_four_bytes("posix_shm", Wait::spin, Access::loan);
  benchmark_case.capacity = Capacity::bounded(capacity);
  return benchmark_case;
}

Shape ring_shape_in(const std::string& directory, std::uint64_t capacity = ring_capacity) {
  const Case benchmark_case = ring_case(capacity);
  return {.transport = benchmark_case.transport,
          .message_bytes = benchmark_case.message_bytes,
          .capacity = benchmark_case.capacity,
          .send_wait = benchmark_case.send_wait,
          .receive_wait = benchmark_case.receive_wait,
          .send_access = benchmark_case.send_access,
          .receive_access = benchmark_case.receive_access,
          .directory = directory};
}

MemoryMap shared_pages(std::size_t bytes) {
  void* memory =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap for a baseline");
  return {memory, bytes};
}

// A stream by whole messages over loaned slots; the loops of the stream workload between its clock readings.
template <class Sender, class Receiver>
class StreamContestant final : public Contestant {
 public:
  explicit StreamContestant(std::unique_ptr<Sender> sender)
      : sender_(std::move(sender)), writer_(std::make_unique<LoanWriter>(*sender_, ring_case())) {}
  explicit StreamContestant(std::unique_ptr<Receiver> receiver)
      : receiver_(std::move(receiver)),
        reader_(std::make_unique<LoanReader>(*receiver_, ring_case(), false, checker_of(ring_case()))) {}

  Span lead(std::uint64_t count) override {
    const std::uint64_t begin_ns = now_ns();
    for (std::uint64_t i = 0; i < count; ++i) writer_->write(sequence_++);
    return {begin_ns, now_ns()};
  }
  Span follow(std::uint64_t count) override {
    for (std::uint64_t i = 0; i < count; ++i) reader_->read();
    const std::uint64_t end_ns = now_ns();
    if (!reader_->checker().counts().clean()) throw std::runtime_error("the stream was not intact");
    return {0, end_ns};
  }

 private:
  using LoanWriter = Writer<Access::loan, Sender>;
  using LoanReader = Reader<Access::loan, Receiver, SequenceChecker>;

  std::unique_ptr<Sender> sender_;
  std::unique_ptr<Receiver> receiver_;
  std::unique_ptr<LoanWriter> writer_;
  std::unique_ptr<LoanReader> reader_;
  std::uint64_t sequence_ = 0;
};

template <class Sender, class Receiver, class MakeSender, class MakeReceiver>
std::unique_ptr<Contestant> stream_contestant(Role& role, MakeSender make_sender,
                                              MakeReceiver make_receiver) {
  using Side = StreamContestant<Sender, Receiver>;
  if (role.index() == 0) return std::make_unique<Side>(std::make_unique<Sender>(make_sender()));
  return std::make_unique<Side>(std::make_unique<Receiver>(make_receiver()));
}

class RingStreamContest final : public Contest {
 public:
  std::string name() const override { return fmt::format("ring stream, {} slots", ring_capacity); }
  unsigned links() const override { return 1; }
  unsigned senders_of(unsigned) const override { return 1; }
  std::uint64_t count() const override { return 10 * baseline::LineFloor::batch_messages; }
  bool ends_at_follower() const override { return true; }
  bool has_floor() const override { return true; }

  void build(const std::string& directory) override {
    links_.build(ring_shape_in(directory), 1);
    for (MemoryMap& region : baselines_) {
      region = shared_pages(baseline::TwoIndexRing::bytes_needed(ring_capacity, 64));
      baseline::TwoIndexRing::initialise(region.bytes(), ring_capacity, 64);
    }
    floor_ = shared_pages(baseline::LineFloor::bytes_needed());
    baseline::LineFloor::initialise(floor_.bytes());
  }
  void drop() override { links_.drop(); }
  void end() override { links_.end(); }

  std::vector<std::unique_ptr<Contestant>> open(Role& role) override {
    using RingSide = SenderEnd<RingOfSlots>;
    std::vector<std::unique_ptr<Contestant>> opened;
    opened.push_back(stream_contestant<RingSide, ReceiverEnd<RingOfSlots>>(
        role, [&] { return open_sender_end(links_[0], role.meeting(0)); },
        [&] { return open_receiver_end(links_[0], role.meeting(0)); }));
    for (const MemoryMap& region : baselines_) {
      opened.push_back(stream_contestant<baseline::TwoIndexSender, baseline::TwoIndexReceiver>(
          role, [&] { return baseline::TwoIndexSender(region.bytes()); },
          [&] { return baseline::TwoIndexReceiver(region.bytes()); }));
    }
    opened.push_back(stream_contestant<baseline::LineFloorSender, baseline::LineFloorReceiver>(
        role, [&] { return baseline::LineFloorSender(floor_.bytes()); },
        [&] { return baseline::LineFloorReceiver(floor_.bytes()); }));
    return opened;
  }

 private:
  Links<RingOfSlots> links_;
  std::array<MemoryMap, 2> baselines_;
  MemoryMap floor_;
};

// The transfer of one line each way: no message, no clock.
class CacheLineContestant final : public Contestant {
 public:
  explicit CacheLineContestant(CacheLinePair& pair) : pair_(pair) {}

  Span lead(std::uint64_t count) override {
    const std::uint64_t begin_ns = now_ns();
    if (!bounce_lead(pair_, count, begin_ns + patience_ns))
      throw std::runtime_error("the cache line did not come back");
    return {begin_ns, now_ns()};
  }
  Span follow(std::uint64_t count) override {
    if (!bounce_follow(pair_, count, now_ns() + patience_ns))
      throw std::runtime_error("the cache line did not come");
    return {};
  }

 private:
  static constexpr std::uint64_t patience_ns = 5'000'000'000;
  CacheLinePair& pair_;
};

class RingRoundTripContest final : public Contest {
 public:
  explicit RingRoundTripContest(std::uint64_t capacity) : capacity_(capacity) {}

  std::string name() const override {
    return fmt::format("ring ping_pong, {} slot{}", capacity_, capacity_ == 1 ? "" : "s");
  }
  unsigned links() const override { return 2; }
  unsigned senders_of(unsigned) const override { return 1; }
  std::uint64_t count() const override { return 2'000; }
  bool has_floor() const override { return true; }

  void build(const std::string& directory) override {
    links_.build(ring_shape_in(directory, capacity_), 2);
    pages_ = shared_pages(2 * 4'096);
    for (MemoryMap& floor : floors_) floor = shared_pages(baseline::BareSlots::bytes_needed(capacity_));
  }
  void drop() override { links_.drop(); }
  void end() override { links_.end(); }

  std::vector<std::unique_ptr<Contestant>> open(Role& role) override {
    ends_.open(links_, role);
    std::vector<std::unique_ptr<Contestant>> opened;
    opened.push_back(contestant(role, ends_.sender(), ends_.receiver()));
    for (std::size_t page = 0; page < 2; ++page) {
      opened.push_back(std::make_unique<CacheLineContestant>(
          *reinterpret_cast<CacheLinePair*>(pages_.bytes().data() + page * 4'096)));
    }
    floor_sender_.emplace(floors_[role.index()].bytes(), capacity_);
    floor_receiver_.emplace(floors_[1 - role.index()].bytes(), capacity_);
    opened.push_back(contestant(role, *floor_sender_, *floor_receiver_));
    return opened;
  }

 private:
  template <class Sender, class Receiver>
  std::unique_ptr<Contestant> contestant(Role& role, Sender& sender, Receiver& receiver) const {
    using W = Writer<Access::loan, Sender>;
    using R = Reader<Access::loan, Receiver, SequenceChecker>;
    const Case benchmark_case = ring_case(capacity_);
    return std::make_unique<RoundTripContestant<W, R>>(
        role, std::make_unique<W>(sender, benchmark_case),
        std::make_unique<R>(receiver, benchmark_case, false, checker_of(benchmark_case)));
  }

  std::uint64_t capacity_;
  Links<RingOfSlots> links_;
  BothWays<RingOfSlots> ends_;
  MemoryMap pages_;
  std::array<MemoryMap, 2> floors_;  // of the messages that each role sends
  std::optional<baseline::BareSlotSender> floor_sender_;
  std::optional<baseline::BareSlotReceiver> floor_receiver_;
};

}  // namespace

std::unique_ptr<Contest> ring_stream_contest() { return std::make_unique<RingStreamContest>(); }
std::unique_ptr<Contest> ring_round_trip_contest() { return std::make_unique<RingRoundTripContest>(1); }
std::unique_ptr<Contest> long_ring_round_trip_contest() {
  return std::make_unique<RingRoundTripContest>(ring_capacity);
}

}  // namespace ipcmark::accuracy
