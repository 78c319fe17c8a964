// sigqueue(3): a realtime signal carries a value, eight bytes here, and such signals queue in order
// (signal(7)). A longer message is a row of them. The receiver keeps them blocked and takes one at a time by
// sigtimedwait(2); no handler runs. signalfd(2) is what poll and epoll look at.
//
// Naming is direct and asymmetric: a sender names a process, and the signal tells the receiver who sent it,
// by which the rows of several senders are told apart. The end of the stream is a signal of the next higher
// number: of those that are pending the lowest number comes first. What signals a process outside the link
// sends is thrown away.
//
// Pending signals are counted for each user, over all of a user's processes, and one that is over the
// receiver's RLIMIT_SIGPENDING is refused with EAGAIN (setrlimit(2)). So all links of a launch share one
// store, and a chain of them could come to a stop: the first link fills it, and the one that should empty
// that link finds no room to send on. Each receiver's limit is therefore what all links are to hold, and on
// top of it what the links after the first are, up to its own: something is always left for the later ones. A
// link that is alone holds exactly what was asked. No sender can sleep until there is room.
//
// What is sent to a process that has died is thrown away without a word until its parent has waited for it
// (ESRCH then). So a sender looks at the receiver's pidfd_open(2) every so many signals.

#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <map>
#include <numeric>
#include <vector>

#include "harness/byte_stream.h"
#include "harness/end_marks.h"
#include "harness/fail.h"
#include "harness/refusals.h"
#include "workloads/registry.h"

namespace ipcmark {
namespace {

using Word = decltype(sigval::sival_ptr);
static_assert(sizeof(Word) == sizeof(std::uint64_t), "a message's size goes in one");

// A bound of our own: a message of 8,192 signals takes milliseconds already.
constexpr std::size_t largest_message = 65'536;

constexpr std::uint64_t words_of(std::uint64_t bytes) {
  return bytes / sizeof(Word) + (bytes % sizeof(Word) != 0);
}

rlimit pending_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_SIGPENDING, &limit) != 0) fail("getrlimit(RLIMIT_SIGPENDING)");
  return limit;
}

// Signal numbers by which a process receives over one link.
struct Numbers {
  int data = 0;
  int end = 0;
};

// Those that this process has in use: two for each link it receives over. A forked process begins with its
// parent's, which it cannot use.
class NumbersInUse {
 public:
  static Numbers take() {
    for (int data = SIGRTMIN; data < SIGRTMAX; data += 2) {
      if (taken[index_of(data)]) continue;
      taken[index_of(data)] = true;
      return {data, data + 1};
    }
    throw Unsupported(fmt::format(
        "signal: this process receives over {} links, and there are no more pairs of realtime signals",
        (SIGRTMAX - SIGRTMIN + 1) / 2));
  }
  static void give_back(const Numbers& numbers) { taken[index_of(numbers.data)] = false; }

 private:
  static std::size_t index_of(int data) { return static_cast<std::size_t>(data - SIGRTMIN) / 2; }
  inline static std::array<bool, 32> taken{};
};

// Of this user, in any process (SigQ in proc_pid_status(5)).
std::uint64_t signals_pending_now() {
  std::ifstream status("/proc/self/status");
  for (std::string name; status >> name;) {
    std::uint64_t pending = 0;
    if (name == "SigQ:" && status >> pending) return pending;
  }
  return 0;
}

// The links made by this process, or by its parent before the fork, in their order.
class LinksAlive {
 public:
  // `signals`: to be held; 0: a share of what the user may have.
  static void add(const void* link, std::uint64_t signals) { alive.push_back({link, signals}); }
  static void remove(const void* link) {
    std::erase_if(alive, [&](const One& one) { return one.link == link; });
  }

  // The limit of the link's receiver. Saturates.
  static std::uint64_t limit_of(const void* link) {
    const std::uint64_t share = at_first / (2 * alive.size() - 1);
    const auto sum = [&](std::uint64_t so_far, const One& one) {
      std::uint64_t more;
      return __builtin_add_overflow(so_far, one.signals > 0 ? one.signals : share, &more) ? UINT64_MAX : more;
    };
    const auto own = std::ranges::find(alive, link, &One::link);
    return std::accumulate(alive.begin() + 1, own + 1,
                           std::accumulate(alive.begin(), alive.end(), std::uint64_t{0}, sum), sum);
  }

 private:
  struct One {
    const void* link;
    std::uint64_t signals;
  };
  inline static std::vector<One> alive;
  inline static const std::uint64_t at_first = pending_limit().rlim_cur;
};

// Never lowers the limit that another link of this process has been given.
void allow_pending(std::uint64_t signals) {
  static std::uint64_t allowed = 0;
  allowed = std::max(allowed, signals);
  rlimit limit = pending_limit();
  std::uint64_t in_all;
  if (__builtin_add_overflow(allowed, signals_pending_now(), &in_all)) in_all = RLIM_INFINITY;
  limit.rlim_cur = std::min<rlim_t>(in_all, limit.rlim_max);
  if (setrlimit(RLIMIT_SIGPENDING, &limit) != 0) fail("setrlimit(RLIMIT_SIGPENDING)");
}

CapacityFacts::Limit limit_told(std::uint64_t signals) { return {signals, "charge", "RLIMIT_SIGPENDING"}; }

struct Target {
  pid_t process;
  Numbers numbers;
};

class SignalSender {
 public:
  static constexpr std::size_t frame_bytes = sizeof(Word);

  SignalSender(const Shape& shape, const Meeting& meeting, std::uint64_t limit)
      : meeting_(meeting), ready_(shape.send_wait, 0), limit_(limit), end_marks_(meeting, 1) {}

  Io send(std::span<const std::byte> message) { return send_words(message, 0); }
  Io send_sized(std::span<const std::byte> message) { return send_words(message, 1); }

  Io finish() {
    const Io io = end_marks_.leave([this] { return send_word(target().numbers.end, nullptr); });
    return io == Io::closed ? Io::done : io;
  }
  void wait_to_send() { ready_(-1); }
  bool within_message() const { return sent_words_ != 0; }
  std::optional<CapacityFacts::Limit> limit() const { return limit_told(limit_); }

 private:
  // Before the message goes its size, if so many words are given to it.
  Io send_words(std::span<const std::byte> message, std::uint64_t frame_words) {
    const std::uint64_t words = frame_words + words_of(message.size());
    for (; sent_words_ < words; ++sent_words_) {
      Word word{};
      if (sent_words_ < frame_words) {
        const std::uint64_t size = message.size();
        std::memcpy(&word, &size, sizeof word);
      } else {
        const std::size_t first = (sent_words_ - frame_words) * sizeof word;
        std::memcpy(&word, message.data() + first, std::min(sizeof word, message.size() - first));
      }
      if (const Io io = send_word(target().numbers.data, word); io != Io::done) return io;
    }
    sent_words_ = 0;
    return Io::done;
  }

  Io send_word(int number, Word word) {
    constexpr unsigned between_looks = 64;
    if (until_look_ == 0 && has_died()) return Io::closed;
    until_look_ = (until_look_ == 0 ? between_looks : until_look_) - 1;
    sigval value{};
    value.sival_ptr = word;
    while (sigqueue(target().process, number, value) != 0) {
      if (means_again(errno)) {
        until_look_ = 0;
        return Io::again;
      }
      if (errno == ESRCH) return Io::closed;
      if (errno != EINTR) fail("sigqueue");
    }
    return Io::done;
  }

  bool has_died() {
    pollfd exit{life_.get(), POLLIN, 0};
    return life_ && poll(&exit, 1, 0) > 0;
  }

  // The receiver may open later than this side.
  const Target& target() {
    if (target_.process == 0) {
      target_ = meeting_.await_value<Target>("receiver");
      life_.reset(static_cast<int>(syscall(SYS_pidfd_open, target_.process, 0)));
      if (!life_ && errno != ESRCH) fail("pidfd_open");
    }
    return target_;
  }

  Meeting meeting_;
  ReadyWait ready_;
  std::uint64_t limit_;  // of pending signals
  EndMarks end_marks_;
  Target target_{};
  Descriptor life_;               // readable once the receiver has ended
  unsigned until_look_ = 1;       // signals until the next look at it
  std::uint64_t sent_words_ = 0;  // of the message under way, its frame included
};

class SignalReceiver {
 public:
  SignalReceiver(const Shape& shape, const Meeting& meeting, std::uint64_t limit)
      : meeting_(meeting),
        sender_count_(shape.senders),
        sleeps_(shape.receive_wait == Wait::block),
        ready_(shape.receive_wait, POLLIN),
        limit_(limit),
        numbers_(NumbersInUse::take()) {
    sigemptyset(&awaited_);
    sigaddset(&awaited_, numbers_.data);
    sigaddset(&awaited_, numbers_.end);
    if (const int error = pthread_sigmask(SIG_BLOCK, &awaited_, nullptr); error != 0) {
      throw std::system_error(error, std::generic_category(), "pthread_sigmask");
    }
    allow_pending(limit);
    if (shape.receive_wait == Wait::poll || shape.receive_wait == Wait::epoll) {
      descriptor_.reset(signalfd(-1, &awaited_, SFD_CLOEXEC));
      if (!descriptor_) fail("signalfd");
    }
    meeting_.publish_value("receiver", Target{getpid(), numbers_});
  }
  // The signals stay blocked: one that comes late would end the process.
  ~SignalReceiver() {
    if (numbers_.data == 0) return;
    const timespec at_once{};
    while (sigtimedwait(&awaited_, nullptr, &at_once) > 0 || errno == EINTR) {
    }
    NumbersInUse::give_back(numbers_);
  }
  SignalReceiver(SignalReceiver&& other) noexcept
      : meeting_(other.meeting_),
        sender_count_(other.sender_count_),
        sleeps_(other.sleeps_),
        ready_(std::move(other.ready_)),
        limit_(other.limit_),
        numbers_(std::exchange(other.numbers_, {})),
        awaited_(other.awaited_),
        descriptor_(std::move(other.descriptor_)),
        rows_(std::move(other.rows_)),
        ended_(other.ended_) {}
  SignalReceiver& operator=(SignalReceiver&&) = delete;

  Io receive(std::span<std::byte> message) {
    return receive_words(message, [&](const Row&) { return message.size(); });
  }
  Io receive_sized(std::span<std::byte> buffer, std::size_t& message_bytes) {
    message_bytes = 0;
    return receive_words(
        buffer, [&](const Row& row) { return row.size; }, &message_bytes);
  }
  void wait_to_receive() { ready_(descriptor_.get()); }
  std::optional<CapacityFacts::Limit> limit() const { return limit_told(limit_); }

 private:
  // What has come of a sender's message under way.
  struct Row {
    bool framed = false;  // its size has come
    std::uint64_t size = 0;
    std::uint64_t words = 0;  // of the message itself
    std::vector<std::byte> bytes;
  };

  template <class SizeOf>
  Io receive_words(std::span<std::byte> message, SizeOf size_of, std::size_t* tell_size = nullptr) {
    if (ended_) return Io::closed;
    for (;;) {
      siginfo_t signal;
      if (const Io io = take(signal); io != Io::done) return io;
      if (signal.si_signo == numbers_.end) {
        if (!is_of_this_link(signal.si_pid)) continue;
        return end();
      }
      if (!is_of_this_link(signal.si_pid)) continue;
      Row& row = rows_[signal.si_pid];
      if (tell_size != nullptr && !row.framed) {
        std::memcpy(&row.size, &signal.si_value.sival_ptr, sizeof row.size);
        require_size(row.size, message.size());
        row.framed = true;
        continue;
      }
      const std::size_t size = size_of(row), first = row.words * sizeof(Word);
      if (row.bytes.size() < size) row.bytes.resize(size);
      std::memcpy(row.bytes.data() + first, &signal.si_value.sival_ptr, std::min(sizeof(Word), size - first));
      if (++row.words < words_of(size)) continue;
      std::copy_n(row.bytes.begin(), size, message.begin());
      if (tell_size != nullptr) *tell_size = size;
      row.words = 0;
      row.framed = false;
      return Io::done;
    }
  }

  Io take(siginfo_t& signal) {
    constexpr timespec at_once{};
    while (sigtimedwait(&awaited_, &signal, sleeps_ ? nullptr : &at_once) < 0) {
      if (means_again(errno)) return Io::again;
      if (errno != EINTR) fail("sigtimedwait");
    }
    return Io::done;
  }

  Io end() {
    ended_ = true;
    for (const auto& [process, row] : rows_) {
      if (row.words == 0 && !row.framed) continue;
      throw std::system_error(EPROTO, std::generic_category(),
                              fmt::format("end of stream {} signals into a message", row.words + row.framed));
    }
    return Io::closed;
  }

  // A sender tells its number before it sends.
  bool is_of_this_link(pid_t process) {
    if (rows_.contains(process)) return true;
    for (unsigned i = 0; i < sender_count_; ++i) {
      const std::string sender = fmt::format("sender {}", i);
      if (meeting_.has(sender) && meeting_.await_value<pid_t>(sender) == process) {
        rows_.emplace(process, Row{});
        return true;
      }
    }
    return false;
  }

  Meeting meeting_;
  unsigned sender_count_;
  bool sleeps_;
  ReadyWait ready_;
  std::uint64_t limit_;  // of pending signals
  Numbers numbers_;
  sigset_t awaited_;
  Descriptor descriptor_;
  std::map<pid_t, Row> rows_;
  bool ended_ = false;
};

class Signal {
 public:
  static constexpr std::string_view name = "signal";
  static constexpr Facts facts{.summary = "queued realtime signals, eight bytes with each",
                               .model = Facts::Model::message_passing,
                               .naming = Facts::Naming::none,
                               .addressing = Facts::Addressing::asymmetric,
                               .most_senders = Facts::any_number,
                               .most_links_per_pair = 15,
                               .unit = Facts::Unit::bytes,
                               .largest_message = largest_message,
                               .scope = Facts::Scope::machine,
                               .standard = Facts::Standard::posix,
                               .send_waits = {Wait::spin, Wait::yield},
                               .receive_waits = descriptor_waits,
                               .sender_sees_death = true};

  explicit Signal(const Shape& shape) : shape_(shape) {
    require_buffered(name, shape.capacity, "pending signals have a limit");
    if (shape.message_bytes - (shape.mixed ? SignalSender::frame_bytes : 0) > largest_message) {
      throw Unsupported(fmt::format("{}: {} B are more than {} signals of {} B", name, shape.message_bytes,
                                    words_of(largest_message), sizeof(Word)));
    }
    std::uint64_t signals = 0;
    const bool bounded = shape.capacity.kind == Capacity::Kind::bounded;
    if (bounded && __builtin_mul_overflow(words_of(shape.message_bytes), shape.capacity.messages, &signals)) {
      signals = UINT64_MAX;
    }
    LinksAlive::add(this, signals);
    if (const rlim_t most = pending_limit().rlim_max; LinksAlive::limit_of(this) > most) {
      LinksAlive::remove(this);
      throw Unsupported(
          fmt::format("{}: {} messages of {} B, with the launch's other links, are more signals than "
                      "RLIMIT_SIGPENDING allows, {}; raise it by ulimit -i",
                      name, shape.capacity.messages, shape.message_bytes, most));
    }
  }
  ~Signal() { LinksAlive::remove(this); }
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  SignalSender open_sender(unsigned index, Meeting& meeting) {
    meeting.publish_value(fmt::format("sender {}", index), getpid());
    return {shape_, meeting, LinksAlive::limit_of(this)};
  }
  SignalReceiver open_receiver(unsigned, Meeting& meeting) {
    return {shape_, meeting, LinksAlive::limit_of(this)};
  }

 private:
  Shape shape_;
};

IPCMARK_TRANSPORT(Signal);

}  // namespace
}  // namespace ipcmark
