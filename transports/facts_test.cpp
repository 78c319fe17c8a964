// What a transport says of itself (Facts in harness/contract.h) is so: every test runs once for each
// transport in the registry and fails if a fact lies. Model, unit, direction and who sees whose death are
// tested in conformance_test.cpp.
//
// A test that needs a process which inherited nothing executes this program anew, as a stranger (main below).

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <mqueue.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <vector>

#include "harness/clock.h"
#include "harness/descriptor.h"
#include "harness/examination.h"
#include "harness/fail.h"
#include "harness/isolation.h"
#include "harness/memory_map.h"
#include "harness/owned_name.h"
#include "harness/payload.h"
#include "harness/refusals.h"
#include "harness/test_work.h"
#include "workloads/test_trial.h"

namespace ipcmark {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// ---- processes of a test, and what they share ----

struct Board {
  MeetingTable meeting;
  std::atomic<bool> failed;
  std::atomic<bool> reached[4];
  std::atomic<std::uint64_t> figure, second_figure;
  char error[256];
  char address[256];
};

class SharedBoard {
 public:
  SharedBoard() : file_(memfd_create("ipcmark-board", 0)) {  // strangers inherit it
    if (!file_ || ftruncate(file_.get(), sizeof(Board)) != 0) fail("memfd_create");
    map();
    board().meeting.senders_left.store(1);
  }
  explicit SharedBoard(int inherited) : file_(inherited) { map(); }

  int fd() const { return file_.get(); }
  Board& operator*() const { return board(); }
  Board* operator->() const { return &board(); }
  Meeting meeting() const { return Meeting(board().meeting, now_ns() + 5'000'000'000u); }

 private:
  void map() {
    void* memory = mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
    if (memory == MAP_FAILED) fail("mmap of the board");
    map_ = MemoryMap(memory, sizeof(Board));
  }
  Board& board() const { return *reinterpret_cast<Board*>(map_.bytes().data()); }

  Descriptor file_;
  MemoryMap map_;
};

// What must come is waited for this long before the test fails; what must not come is looked for only a
// moment.
constexpr int patience_ms = 5'000, moment_ms = 40;

template <class Condition>
bool comes(Condition condition, int wait_ms = patience_ms) {
  for (; !condition(); --wait_ms) {
    if (wait_ms == 0) return false;
    usleep(1'000);
  }
  return true;
}

void report(Board& board, const char* error) {
  strncpy(board.error, error, sizeof board.error - 1);
  board.failed = true;
}

// A child that ends with this object at the latest. What its body throws is on the board.
class Child {
 public:
  template <class Body>
  Child(const SharedBoard& board, Body body) : pid_(fork()) {
    if (pid_ < 0) fail("fork");
    if (pid_ > 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    try {
      body();
    } catch (const std::exception& error) {
      report(*board, error.what());
    }
    _exit(0);
  }
  ~Child() { end(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void end() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    join();
  }
  void join() {
    if (pid_ > 0) waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_;
};

[[noreturn]] void hold_all() {
  for (;;) pause();
}

void require_reached(const SharedBoard& board, unsigned step, const std::string& what) {
  require(comes([&] { return board->reached[step].load() || board->failed.load(); }), what + " never came");
  require(!board->failed.load(), board->error);
}

// ---- messages ----

Wait first_claimed(const WaitSet& claimed, std::initializer_list<Wait> wanted) {
  for (const Wait wait : wanted) {
    if (claimed.contains(wait)) return wait;
  }
  throw std::logic_error("none of the waits that a test needs is claimed");
}

// Of as many processes as the transport takes, up to so many.
Shape shape_of(const TransportTraits& traits, unsigned senders = 1, unsigned receivers = 1) {
  const std::initializer_list<Wait> returning{Wait::yield, Wait::spin, Wait::poll, Wait::futex};
  Shape shape;
  shape.senders = std::min(senders, traits.facts.most_senders);
  shape.receivers = std::min(receivers, traits.facts.most_receivers);
  shape.send_wait = first_claimed(traits.facts.send_waits, returning);
  shape.receive_wait = first_claimed(traits.facts.receive_waits, returning);
  shape.send_access = traits.copy_send ? Access::copy : Access::loan;
  shape.receive_access = traits.copy_receive ? Access::copy : Access::loan;
  return shape;
}

struct Received {
  unsigned sender = 0;
  std::uint64_t sequence = 0;
  bool intact = false;
};

// One process's end of a link, and its own buffer.
class End {
 public:
  End(std::unique_ptr<AnyEndpoint> endpoint, const Shape& shape)
      : endpoint_(std::move(endpoint)), shape_(shape), buffer_(shape.message_bytes) {}

  Io try_send(std::uint64_t sequence, unsigned sender = 0) {
    if (shape_.send_access == Access::loan) {
      std::span<std::byte> slot;
      if (const Io io = endpoint_->loan(slot); io != Io::done) return io;
      fill(slot, sender, sequence, Touch::full);
      return endpoint_->commit();
    }
    fill(buffer_, sender, sequence, Touch::full);
    return endpoint_->send(buffer_);
  }
  void send(std::uint64_t sequence, unsigned sender = 0) {
    for (Io io; (io = try_send(sequence, sender)) != Io::done; endpoint_->wait_to_send()) {
      require(io == Io::again, "closed while sending");
    }
  }
  void finish() {
    for (Io io; (io = endpoint_->finish()) != Io::done; endpoint_->wait_to_send()) {
      require(io == Io::again, "closed while finishing");
    }
  }

  Io try_receive() {
    if (shape_.receive_access == Access::loan) {
      std::span<const std::byte> message;
      if (const Io io = endpoint_->peek(message); io != Io::done) return io;
      look_at(message);
      return endpoint_->release();
    }
    if (const Io io = endpoint_->receive(buffer_); io != Io::done) return io;
    look_at(buffer_);
    return Io::done;
  }
  // False at the end of the stream.
  bool receive() {
    Io io;
    while ((io = try_receive()) == Io::again) endpoint_->wait_to_receive();
    return io == Io::done;
  }
  bool receives_within(int wait_ms) {
    return comes([this] { return try_receive() == Io::done; }, wait_ms);
  }
  bool ends_within(int wait_ms) {
    return comes([this] { return try_receive() == Io::closed; }, wait_ms);
  }
  const Received& received() const { return received_; }

 private:
  void look_at(std::span<const std::byte> message) {
    const std::uint64_t stamp = read(message, Touch::full).stamp;
    received_ = {static_cast<unsigned>(stamp >> 48), stamp & 0xffff'ffff'ffff, false};
    received_.intact = verify(message, received_.sender, received_.sequence, Touch::full);
  }

  std::unique_ptr<AnyEndpoint> endpoint_;
  Shape shape_;
  std::vector<std::byte> buffer_;
  Received received_;
};

// A link of one transport, and the ways to open it.
struct OpenedLink {
  const TransportEntry& transport;
  Shape shape;
  const SharedBoard& board;
  std::unique_ptr<AnyLink> link;

  static OpenedLink made(const TransportEntry& transport, const Shape& shape, const SharedBoard& board) {
    OpenedLink made{transport, shape, board, transport.make_link(shape)};
    if (transport.is_attachable()) {
      const std::string address = made.link->address();
      require(address.size() < sizeof board->address, "a long address");
      strcpy(board->address, address.c_str());
    }
    return made;
  }
  // As a stranger does. What no stranger can open is taken from the forking process.
  OpenedLink found() {
    if (!transport.is_attachable()) return {transport, shape, board, std::move(link)};
    return {transport, shape, board, transport.attach(shape, board->address)};
  }

  End sender(unsigned index = 0) {
    Meeting meeting = board.meeting();
    return End(link->open_sender(index, meeting), shape);
  }
  End receiver(unsigned index = 0) {
    Meeting meeting = board.meeting();
    return End(link->open_receiver(transport.traits.duplex ? shape.senders + index : index, meeting), shape);
  }
  // A stranger's end to receive by: on a duplex link only a sending side is left to it.
  End strange_receiver() { return transport.traits.duplex ? sender() : receiver(); }
};

// ---- kernel objects by their address ----

// Each does something to the object, whatever its kind; false when there is none of that address.
bool is_key(const std::string& address) { return address.starts_with("0x"); }
key_t key_of(const std::string& address) { return static_cast<key_t>(std::stol(address, nullptr, 16)); }

bool grant(const std::string& address, mode_t mode) {
  if (is_key(address)) {
    msqid_ds queue;
    if (const int id = msgget(key_of(address), 0); id >= 0 && msgctl(id, IPC_STAT, &queue) == 0) {
      queue.msg_perm.mode = static_cast<unsigned short>(mode);
      return msgctl(id, IPC_SET, &queue) == 0;
    }
    shmid_ds segment;
    if (const int id = shmget(key_of(address), 0, 0); id >= 0 && shmctl(id, IPC_STAT, &segment) == 0) {
      segment.shm_perm.mode = static_cast<unsigned short>(mode);
      return shmctl(id, IPC_SET, &segment) == 0;
    }
    return false;
  }
  if (chmod(address.c_str(), mode) == 0) return true;
  if (!address.starts_with("/")) return false;
  if (const Descriptor queue(mq_open(address.c_str(), O_RDONLY)); queue)
    return fchmod(queue.get(), mode) == 0;
  if (const Descriptor memory(shm_open(address.c_str(), O_RDONLY, 0)); memory) {
    return fchmod(memory.get(), mode) == 0;
  }
  return false;
}

void remove_object(const std::string& address) {
  if (is_key(address)) {
    if (const int id = msgget(key_of(address), 0); id >= 0) msgctl(id, IPC_RMID, nullptr);
    if (const int id = shmget(key_of(address), 0, 0); id >= 0) shmctl(id, IPC_RMID, nullptr);
  } else if (address.starts_with("/")) {
    unlink(address.c_str());
    mq_unlink(address.c_str());
    shm_unlink(address.c_str());
  }
}

// Whether shared memory of that address holds the message, looked at without a trace.
bool holds_a_copy(const std::string& address, std::span<const std::byte> message) {
  const auto holds = [&](std::span<const std::byte> memory) {
    return memmem(memory.data(), memory.size(), message.data(), message.size()) != nullptr;
  };
  if (is_key(address)) {
    shmid_ds segment;
    const int id = shmget(key_of(address), 0, 0);
    if (id < 0 || shmctl(id, IPC_STAT, &segment) != 0) return false;
    void* memory = shmat(id, nullptr, SHM_RDONLY);
    require(memory != reinterpret_cast<void*>(-1), "shmat");
    const bool found = holds({static_cast<const std::byte*>(memory), segment.shm_segsz});
    shmdt(memory);
    return found;
  }
  if (!address.starts_with("/")) return false;
  Descriptor object(shm_open(address.c_str(), O_RDONLY, 0));
  if (!object) object.reset(open(address.c_str(), O_RDONLY | O_NONBLOCK));
  struct stat status {};
  if (!object || fstat(object.get(), &status) != 0) return false;
  if (!S_ISREG(status.st_mode)) return false;
  const auto bytes = static_cast<std::size_t>(status.st_size);
  void* memory = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, object.get(), 0);
  require(memory != MAP_FAILED, "mmap");
  const MemoryMap mapped(memory, bytes);
  return holds(mapped.bytes());
}

// ---- strangers ----

constexpr const char* stranger_flag = "--as-stranger";
constexpr std::uint64_t first_of_stranger = 1, messages_of_stranger = 3;

// A receiver that takes from any sender does so where it may expect several.
Shape stranger_shape(const TransportTraits& traits) {
  return shape_of(traits, traits.facts.addressing == Facts::Addressing::asymmetric ? 2 : 1);
}

enum Step : unsigned { opened, told, done };

// In a program of its own, which knows nothing but the address: sends a few messages, receives one, or looks
// for the first one of sender 0. What it found, plus one, is the board's figure.
void be_stranger(const SharedBoard& board, const std::string& task, const std::string& transport,
                 const std::string& address) {
  const TransportEntry* entry = Registry::instance().find(transport);
  require(entry != nullptr && entry->is_attachable(), "no stranger can attach to " + transport);
  const Shape shape = stranger_shape(entry->traits);
  if (task == "copy") {
    std::vector<std::byte> message(shape.message_bytes);
    fill(message, 0, 0, Touch::full);
    board->figure = holds_a_copy(address, message) ? 1 : 0;
    board->reached[done] = true;
    return;
  }
  strcpy(board->address, address.c_str());
  OpenedLink link{*entry, shape, board, entry->attach(shape, address)};
  End end = task == "send" ? link.sender() : link.strange_receiver();
  board->reached[opened] = true;
  if (task == "send") {
    for (std::uint64_t i = 0; i < messages_of_stranger; ++i) end.send(first_of_stranger + i);
    end.finish();
  } else if (end.receives_within(task == "look" ? moment_ms : patience_ms)) {
    board->figure = 1 + end.received().sequence;
  }
  board->reached[done] = true;
  if (task == "send") hold_all();  // an end of file is not the end of a process
}

class Stranger {
 public:
  Stranger(const SharedBoard& board, const char* task, const std::string& transport,
           const std::string& address)
      : board_(board), child_(board, [&] {
          execl("/proc/self/exe", "transports_test", stranger_flag, std::to_string(board.fd()).c_str(), task,
                transport.c_str(), address.c_str(), nullptr);
          fail("exec of /proc/self/exe");
        }) {}

  // What it found.
  std::uint64_t figure() {
    require_reached(board_, done, "the stranger's end");
    return board_->figure.load();
  }

 private:
  const SharedBoard& board_;
  Child child_;
};

class FactsOf : public OverEveryTransport {
 protected:
  std::string refusal() const { return "unsupported: " + traits().name + ": "; }

  // Runs it in a role, in the launch's namespaces; fails with what it throws.
  void in_a_role(const std::function<void(const std::string& directory)>& body) const {
    EXPECT_EQ(outcome_in_a_role(body), "");
  }
  std::string outcome_in_a_role(const std::function<void(const std::string& directory)>& body) const {
    TestWork work;
    std::string directory;
    work.on_build = [&](const std::string& made) { directory = made; };
    work.on_run = [&](Role&) { body(directory); };
    LaunchSpec spec = test_spec(1);
    spec.stall_s = 60;
    return outcome_of(spec, work);
  }
  // Somebody may stand between the two sides of a stream that have found each other by a name.
  bool is_a_connection() const {
    return traits().duplex && facts().naming != Facts::Naming::none && facts().unit == Facts::Unit::bytes &&
           facts().establishment == Facts::Establishment::explicit_link;
  }
  bool over_a_network() const { return facts().scope == Facts::Scope::network; }
  Shape in(const std::string& directory, Shape shape) const {
    shape.directory = directory;
    return shape;
  }
  // The largest of some sizes that two processes can exchange: the larger, the sooner it is torn.
  std::size_t large_size() const {
    for (const std::size_t bytes : {100'000, 8'000}) {
      Shape shape = shape_of(traits());
      shape.message_bytes = bytes;
      if (why_refused(shape).empty()) return bytes;
    }
    return 4'000;
  }
  std::string why_refused(const Shape& asked) const {
    TestWork work;
    work.on_build = [&](const std::string& directory) { transport().make_link(in(directory, asked)); };
    return outcome_of(test_spec(1), work);
  }
};

// What carries nothing is not tested further.
TEST_P(FactsOf, WhatCarriesNothingClaimsNothing) {
  if (facts().carries) GTEST_SKIP() << "it carries messages";
  EXPECT_EQ(facts().outlives_its_makers, Facts::Outlives::nothing);
  EXPECT_EQ(facts().rights, Facts::Rights::none);
  EXPECT_EQ(facts().third_process_can, Facts::Interception::none);
  EXPECT_EQ(facts().scope, Facts::Scope::machine);
  EXPECT_FALSE(facts().lossy || facts().surplus_writer_withholds_end);
  EXPECT_FALSE(facts().largest_message || facts().largest_shared_message);
  EXPECT_TRUE(facts().message_setting.empty());
}

#define SKIP_UNLESS_IT_CARRIES() \
  if (!facts().carries) GTEST_SKIP() << "no byte crosses this link"

// ---- naming: who can open it ----

TEST_P(FactsOf, TheMakersChildAndItsSiblingsCanOpenIt) {
  SKIP_UNLESS_IT_CARRIES();
  in_a_role([&](const std::string& directory) {
    for (const bool siblings : {false, true}) {
      const SharedBoard board;
      OpenedLink link = OpenedLink::made(transport(), in(directory, shape_of(traits())), board);
      enum : unsigned { sender_open, receiver_open, ended };
      const Child receiver(board, [&] {
        End end = link.receiver();
        board->reached[receiver_open] = true;
        require_reached(board, sender_open, "the sender");
        link.link->drop();
        require(end.receive() && end.received().sequence == 7, "not what was sent");
        require(!end.receive(), "more than was sent");
        board->reached[ended] = true;
      });
      const auto send = [&] {
        End end = link.sender();
        board->reached[sender_open] = true;
        require_reached(board, receiver_open, "the receiver");
        link.link->drop();
        end.send(7);
        end.finish();
        require_reached(board, ended, "the receiver's end");
      };
      if (siblings) {
        const Child sender(board, send);
        require_reached(board, sender_open, "the sender");
        require_reached(board, receiver_open, "the receiver");
        link.link->drop();
        require_reached(board, ended, "the receiver's end");
      } else {
        send();
      }
    }
  });
}

TEST_P(FactsOf, AStrangerOpensItByItsDocumentedNameOrNotAtAll) {
  EXPECT_EQ(transport().is_attachable(), facts().opened_by_strangers());
  if (!facts().opened_by_strangers()) return;
  in_a_role([&](const std::string& directory) {
    const Shape shape = in(directory, stranger_shape(traits()));
    {
      const SharedBoard board;
      OpenedLink link = OpenedLink::made(transport(), shape, board);
      const std::string address = board->address;
      require(facts().naming != Facts::Naming::path || address.starts_with("/"), "no path: " + address);
      require(facts().naming != Facts::Naming::key || is_key(address), "no key: " + address);
      require(facts().naming != Facts::Naming::address || address.find(':') != std::string::npos,
              "no address: " + address);
      Stranger stranger(board, "send", traits().name, address);
      End end = link.receiver();
      for (std::uint64_t i = 0; i < messages_of_stranger; ++i) {
        require(end.receives_within(patience_ms) && end.received().intact &&
                    end.received().sequence == first_of_stranger + i,
                fmt::format("message {} of the stranger is missing; {}", i, board->error));
      }
    }
    if (traits().duplex) return;  // one connection, both ways
    const SharedBoard board;
    OpenedLink link = OpenedLink::made(transport(), shape, board);
    Stranger stranger(board, "receive", traits().name, board->address);
    End end = link.sender();
    end.send(11);
    require(stranger.figure() == 1 + 11, "the stranger received something else");
  });
}

// ---- direction and addressing ----

using Ends = std::vector<End>;
using Script = std::function<void(Role&, Ends&)>;

// The senders, then the receivers of links of one shape, each running a script once all are open.
class ManyWork final : public Work {
 public:
  ManyWork(const TransportEntry& transport, const Shape& shape, Script sender, Script receiver,
           unsigned link_count = 1)
      : transport_(transport),
        shape_(shape),
        sender_(std::move(sender)),
        receiver_(std::move(receiver)),
        link_count_(link_count) {}

  std::function<void()> before_build = [] {};

  unsigned links() const override { return link_count_; }
  unsigned senders_of(unsigned) const override { return shape_.senders; }
  void build(const std::string& directory) override {
    before_build();
    shape_.directory = directory;
    for (unsigned i = 0; i < link_count_; ++i) links_.push_back(transport_.make_link(shape_));
  }
  void open(Role& role) override {
    const unsigned index = role.index();
    for (unsigned i = 0; i < link_count_; ++i) {
      const bool sends = index < shape_.senders;
      Meeting& meeting = role.meeting(i);
      ends_.emplace_back(sends ? links_[i]->open_sender(index, meeting)
                               : links_[i]->open_receiver(
                                     transport_.traits.duplex ? index : index - shape_.senders, meeting),
                         shape_);
    }
  }
  void drop() override {
    for (auto& link : links_) link->drop();
  }
  void run(Role& role) override { (role.index() < shape_.senders ? sender_ : receiver_)(role, ends_); }
  void end() override { links_.clear(); }

 private:
  const TransportEntry& transport_;
  Shape shape_;
  Script sender_, receiver_;
  unsigned link_count_;
  std::vector<std::unique_ptr<AnyLink>> links_;
  Ends ends_;
};

std::string outcome_of_many(const Shape& shape, Work& work, Limits limits = Limits::host) {
  return outcome_of(test_spec(shape.senders + shape.receivers, limits), work);
}

// What this process has open: descriptor numbers, and the kernel's names of what is behind them.
std::map<int, std::string> open_objects() {
  std::map<int, std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;  // the iterator's own
    const std::string object = std::filesystem::read_symlink(entry.path(), gone);
    if (!gone) found[std::atoi(entry.path().filename().c_str())] = object;
  }
  return found;
}
std::set<std::string> names_of_open_objects() {
  std::set<std::string> names;
  for (const auto& [fd, object] : open_objects()) names.insert(object);
  return names;
}

bool is_pipe(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
}
bool is_message_queue(int fd) {
  constexpr auto mqueue_magic = 0x19800202;
  struct statfs status {};
  return fstatfs(fd, &status) == 0 && status.f_type == mqueue_magic;
}

// Sockets of this process that name another end; where it has sent, by those also that can only have named
// it with the message: a datagram socket without a peer sends to nobody (EDESTADDRREQ in sendto(3p)).
std::set<int> sockets_that_name_another(bool has_sent) {
  std::set<int> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int fd = std::atoi(entry.path().filename().c_str());
    sockaddr_storage address;
    socklen_t bytes = sizeof address;
    if (getpeername(fd, reinterpret_cast<sockaddr*>(&address), &bytes) == 0) {
      found.insert(fd);
      continue;
    }
    int type = 0;
    bytes = sizeof type;
    const bool datagram = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) == 0 && type == SOCK_DGRAM;
    if (has_sent && datagram) found.insert(fd);
  }
  return found;
}

// The system calls of a sender and of a receiver while messages are under way (ptrace(2)). nullopt: this
// machine does not let one look.
std::optional<std::vector<CostExamination::Traced>> traced_roles(const TransportTraits& traits) {
  const Shape shape = shape_of(traits);
  const Case c{.workload = "stream",
               .transport = traits.name,
               .message_bytes = shape.message_bytes,
               .send_wait = shape.send_wait,
               .receive_wait = shape.receive_wait,
               .send_access = shape.send_access,
               .receive_access = shape.receive_access};
  CostExamination found;
  trace_system_calls(c, {{}, {}}, test_context(), found);
  if (found.traced_messages == 0) return std::nullopt;
  return found.traced;
}

// Whether each side of a pair names another by a process's number.
struct NamedByNumber {
  bool by_sender = false, by_receiver = false;
};
std::optional<NamedByNumber> who_names_a_process(const TransportTraits& traits) {
  const std::optional<std::vector<CostExamination::Traced>> traced = traced_roles(traits);
  if (!traced) return std::nullopt;
  const auto names_one = [](const CostExamination::Traced& role) {
    return std::ranges::any_of(role.calls, [](const CostExamination::Call& call) {
      return call.name.starts_with("process_vm_") || call.name == "rt_sigqueueinfo";
    });
  };
  return NamedByNumber{names_one(traced->at(0)), names_one(traced->at(1))};
}

TEST_P(FactsOf, AsManySidesNameTheOtherAsItsAddressingSays) {
  const Shape shape = shape_of(traits(), 2, 2);
  std::size_t before = 0;
  const std::optional<NamedByNumber> by_number = who_names_a_process(traits());
  if (!by_number) GTEST_SKIP() << "system calls cannot be traced here";
  const auto names_other = [&](bool has_sent) { return sockets_that_name_another(has_sent).size() > before; };
  ManyWork work(
      transport(), shape,
      [&](Role& role, Ends& ends) {
        ends[0].send(0, role.index());
        require(
            (names_other(true) || by_number->by_sender) == (facts().addressing != Facts::Addressing::mailbox),
            "the sender");
        ends[0].finish();
      },
      [&](Role&, Ends& ends) {
        while (ends[0].receive()) {
        }
        require((names_other(false) || by_number->by_receiver) ==
                    (facts().addressing == Facts::Addressing::symmetric),
                "the receiver");
      });
  work.before_build = [&] { before = sockets_that_name_another(true).size(); };
  EXPECT_EQ(outcome_of_many(shape, work), "");
}

TEST_P(FactsOf, AOneWayLinksEndsDoOneThingOnly) {
  if (traits().duplex) GTEST_SKIP() << "both ways, which conformance_test.cpp shows";
  const Shape shape = shape_of(traits());
  ManyWork work(
      transport(), shape,
      [&](Role&, Ends& ends) {
        EXPECT_THROW(ends[0].try_receive(), std::logic_error);
        require(!testing::Test::HasFailure(), "a sender receives");
        ends[0].finish();
      },
      [&](Role&, Ends& ends) {
        EXPECT_THROW(ends[0].try_send(0), std::logic_error);
        require(!testing::Test::HasFailure(), "a receiver sends");
      });
  EXPECT_EQ(outcome_of_many(shape, work), "");
}

// Whether the kernel lets this process receive or send through a pipe or a message queue: asked by calls that
// move nothing, because a pipe has nothing of size 0 and a queue takes nothing that is too large.
bool lets_receive(int fd) {
  char byte;
  return (is_pipe(fd) ? ::read(fd, &byte, 0) : mq_receive(fd, &byte, 0, nullptr)) == 0 || errno != EBADF;
}
bool lets_send(int fd) {
  if (is_pipe(fd)) return ::write(fd, "", 0) == 0 || errno != EBADF;
  mq_attr attributes;
  require(mq_getattr(fd, &attributes) == 0, "mq_getattr");
  const std::vector<char> too_large(static_cast<std::size_t>(attributes.mq_msgsize) + 1);
  return mq_send(fd, too_large.data(), too_large.size(), 0) == 0 || errno != EBADF;
}

TEST_P(FactsOf, ThroughAOneWayLinksDescriptorsNothingGoesBack) {
  if (traits().duplex) GTEST_SKIP() << "both ways, which conformance_test.cpp shows";
  const Shape shape = shape_of(traits());
  const SharedBoard board;
  std::set<std::string> before;
  const auto look = [&](Role&, Ends& ends) {
    std::set<std::string> sends, receives;
    for (const auto& [fd, object] : open_objects()) {
      if (before.contains(object) || !(is_pipe(fd) || is_message_queue(fd))) continue;
      if (lets_send(fd)) sends.insert(object);
      if (lets_receive(fd)) receives.insert(object);
    }
    for (const std::string& object : sends) {
      require(!receives.contains(object), "this side can send and receive through " + object);
    }
    board->figure += sends.size() + receives.size();
    ends.clear();
  };
  ManyWork work(transport(), shape, look, look);
  work.before_build = [&] { before = names_of_open_objects(); };
  EXPECT_EQ(outcome_of_many(shape, work), "");
  if (board->figure == 0) GTEST_SKIP() << "it has no descriptors that messages go through";
}

// ---- establishment ----

// Whether a side's open returns although the other has not opened yet. Order, not time: the other side opens
// only afterwards, or when it has waited in vain.
bool opens_alone(const TransportEntry& transport, const Shape& shape, bool sender_first, int wait_ms) {
  const SharedBoard board;
  OpenedLink link = OpenedLink::made(transport, shape, board);
  const auto open = [&](bool sender) {
    [[maybe_unused]] const End end = sender ? link.sender() : link.receiver();
    board->reached[sender == sender_first ? opened : done] = true;
    hold_all();
  };
  const Child first(board, [&] { open(sender_first); });
  const bool alone = comes([&] { return board->reached[opened].load(); }, wait_ms);
  const Child second(board, [&] { open(!sender_first); });
  require_reached(board, opened, "the first side's open");
  require_reached(board, done, "the second side's open");
  return alone;
}

TEST_P(FactsOf, ItsOpenLastsAsLongAsItsPeersDelayIfItSaysSo) {
  const bool sender_opens_alone = !facts().open_is_rendezvous;
  const bool receiver_opens_alone = facts().establishment == Facts::Establishment::implicit_link;
  in_a_role([&](const std::string& directory) {
    const Shape shape = in(directory, shape_of(traits()));
    for (const bool sender_first : {true, false}) {
      const bool expected = sender_first ? sender_opens_alone : receiver_opens_alone;
      const char* side = sender_first ? "sender" : "receiver";
      require(opens_alone(transport(), shape, sender_first, expected ? patience_ms : moment_ms) == expected,
              fmt::format("the {}'s open {} the other side's", side,
                          expected ? "waited for" : "returned before"));
    }
  });
}

// ---- processes and links ----

// How often each message of each sender was received.
class Tally {
 public:
  Tally(unsigned senders, std::uint64_t messages) : messages_(messages), bytes_(senders * messages * 4) {
    void* memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) fail("mmap of the tally");
    map_ = MemoryMap(memory, bytes_);
  }
  void count(const Received& received) {
    const std::uint64_t place = received.sender * messages_ + received.sequence;
    require(received.intact, "a torn message");
    require(received.sequence < messages_ && place < bytes_ / 4, "a message that nobody sent");
    counts()[place].fetch_add(1);
  }
  bool has_come(unsigned sender, std::uint64_t sequence) const {
    return counts()[sender * messages_ + sequence].load() > 0;
  }
  bool every_message_came_once() const {
    return std::all_of(counts(), counts() + bytes_ / 4, [](const auto& count) { return count.load() == 1; });
  }

 private:
  std::atomic<std::uint32_t>* counts() const {
    return reinterpret_cast<std::atomic<std::uint32_t>*>(map_.bytes().data());
  }
  std::uint64_t messages_;
  std::size_t bytes_;
  MemoryMap map_;
};

void expect_each_message_once(const TransportEntry& transport, const Shape& shape, std::uint64_t messages,
                              Limits limits = Limits::host) {
  Tally tally(shape.senders, messages);
  ManyWork work(
      transport, shape,
      [&](Role& role, Ends& ends) {
        const bool lossy = transport.traits.facts.lossy;
        for (std::uint64_t i = 0; i < messages; role.moved(++i)) {
          while (lossy && i > 0 && !tally.has_come(role.index(), i - 1)) sched_yield();
          ends[0].send(i, role.index());
        }
        ends[0].finish();
      },
      [&](Role& role, Ends& ends) {
        std::uint64_t received = 0;
        for (; ends[0].receive(); role.moved(++received)) tally.count(ends[0].received());
        for (int i = 0; i < 3; ++i)
          require(ends[0].try_receive() == Io::closed, "closed did not stay closed");
      });
  EXPECT_EQ(outcome_of_many(shape, work, limits), "");
  EXPECT_TRUE(tally.every_message_came_once());
}

TEST_P(FactsOf, AsManyProcessesShareALinkAsItSaysAndNoMore) {
  SKIP_UNLESS_IT_CARRIES();
  const auto largest = facts().largest_shared_message
                           ? static_cast<std::size_t>(*facts().largest_shared_message)
                           : large_size();
  for (const unsigned senders : {1, 2, 4}) {
    for (const unsigned receivers : {1, 2, 4}) {
      for (const std::size_t bytes : {std::size_t{64}, largest}) {
        for (const bool sleeping : {false, true}) {
          SCOPED_TRACE(fmt::format("{} x {} of {} B, {}", senders, receivers, bytes,
                                   sleeping ? "sleeping" : "not sleeping"));
          Shape shape = shape_of(traits());
          if (sleeping) {
            const auto sleeps = {Wait::block, Wait::futex, Wait::poll, Wait::yield};
            shape.send_wait = first_claimed(facts().send_waits, sleeps);
            shape.receive_wait = first_claimed(facts().receive_waits, sleeps);
          }
          shape.senders = senders;
          shape.receivers = receivers;
          shape.message_bytes = bytes;
          // Of what has been read a lossy link may count a part as if it were there, for a while.
          if (!facts().never_full) shape.capacity = Capacity::bounded(facts().lossy ? 2 * senders : 2);
          if (senders <= facts().most_senders && receivers <= facts().most_receivers) {
            expect_each_message_once(transport(), shape, 100);
          } else if (bytes == 64) {
            EXPECT_THAT(why_refused(shape), StartsWith(refusal()));
          }
        }
      }
    }
  }
  if (!facts().largest_shared_message) return;
  EXPECT_TRUE(facts().most_senders > 1 || facts().most_receivers > 1) << "nobody shares it";
  for (const bool several_senders : {true, false}) {
    Shape shape = shape_of(traits(), several_senders ? 2 : 1, several_senders ? 1 : 2);
    if (shape.senders + shape.receivers < 3) continue;
    shape.message_bytes = largest + 1;
    EXPECT_THAT(why_refused(shape), StartsWith(refusal()));
  }
}

TEST_P(FactsOf, TheSameTwoProcessesHaveAsManyLinksAsItSaysAndNoMore) {
  SKIP_UNLESS_IT_CARRIES();
  const Shape shape = shape_of(traits());
  const auto outcome = [&](unsigned links) {
    ManyWork work(
        transport(), shape,
        [&](Role&, Ends& ends) {
          for (unsigned i = 0; i < links; ++i) ends[i].send(i);
          for (End& end : ends) end.finish();
        },
        [&](Role&, Ends& ends) {
          for (unsigned i = links; i-- > 0;) {
            require(ends[i].receive() && ends[i].received().sequence == i, "not what was sent here");
            require(!ends[i].receive(), "more than was sent here");
          }
        },
        links);
    return outcome_of_many(shape, work);
  };
  const unsigned most = facts().most_links_per_pair;
  EXPECT_EQ(outcome(std::min(most, max_links)), "");
  if (most == Facts::any_number) return;
  ASSERT_LT(most, max_links) << "a launch cannot have the one too many";
  EXPECT_THAT(outcome(most + 1), StartsWith(refusal()));
  EXPECT_THAT(outcome(most + 1), HasSubstr(std::to_string(most)));
}

// ---- messages ----

TEST_P(FactsOf, MessagesAreAsLargeAsItSaysAndNoLarger) {
  SKIP_UNLESS_IT_CARRIES();
  const auto outcome = [&](std::uint64_t bytes, Capacity capacity, Limits limits) {
    Shape shape = shape_of(traits());
    shape.message_bytes = bytes;
    shape.capacity = capacity;
    ManyWork work(
        transport(), shape,
        [&](Role&, Ends& ends) {
          ends[0].send(0);
          ends[0].finish();
        },
        [&](Role&, Ends& ends) {
          require(ends[0].receive() && ends[0].received().intact, "it did not come");
        });
    return outcome_of_many(shape, work, limits);
  };
  const Capacity one = Capacity::bounded(1);
  if (facts().largest_message) {
    const Limits limits = test_isolation(Limits::raised).namespaces ? Limits::raised : Limits::host;
    const std::string largest = outcome(*facts().largest_message, one, limits);
    if (!largest.empty()) {  // what is set here may be less, or the memory that a user gets for it
      EXPECT_THAT(largest, StartsWith(refusal()));
      EXPECT_FALSE(facts().message_setting.empty());
      if (limits == Limits::raised) {
        EXPECT_THAT(largest, testing::Not(HasSubstr(std::string(facts().message_setting))));
      }
    }
    for (const Capacity capacity : {Capacity{}, one}) {
      const std::string refused = outcome(*facts().largest_message + 1, capacity, limits);
      EXPECT_THAT(refused, StartsWith(refusal()));
      EXPECT_THAT(refused, HasSubstr(std::string(facts().message_setting)));
    }
  }
  if (!facts().message_setting.empty()) {
    const std::optional<std::uint64_t> set = read_sysctl(facts().message_setting);
    if (!set) GTEST_SKIP() << "this machine tells no " << facts().message_setting;
    EXPECT_EQ(outcome(std::min<std::uint64_t>(*set - transport().added_bytes, 1 << 20), one, Limits::host),
              "");
    const std::uint64_t beyond_it = 2 * *set + 1;  // a buffer is twice what is set
    EXPECT_THAT(outcome(beyond_it, {}, Limits::host), StartsWith(refusal()));
    const std::string refused = outcome(beyond_it, one, Limits::host);
    EXPECT_THAT(refused, StartsWith(refusal()));
    EXPECT_THAT(refused, HasSubstr(std::string(facts().message_setting)));
    // A setting of the launch's own IPC namespace is tried beyond every fixed bound that is known.
    const bool own = facts().message_setting.starts_with("fs.mqueue.") ||
                     facts().message_setting.starts_with("kernel.msg");
    if (own && !facts().largest_message && test_isolation(Limits::raised).namespaces) {
      in_a_role([&](const std::string&) {
        std::string path = "/proc/sys/" + std::string(facts().message_setting);
        std::replace(path.begin(), path.end(), '.', '/');
        const Descriptor file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
        constexpr std::string_view beyond = "33554432";
        require(!file || write(file.get(), beyond.data(), beyond.size()) > 0 || errno != EINVAL,
                "its setting has a largest value");
      });
    }
  } else if (!facts().largest_message) {
    EXPECT_EQ(outcome(8 << 20, {}, Limits::host), "");
  }
}

TEST_P(FactsOf, AnOverrunLinkLosesMessagesOnlyIfItSaysSo) {
  SKIP_UNLESS_IT_CARRIES();
  const Shape shape = shape_of(traits());
  constexpr std::uint64_t far_too_many = 100'000;
  ManyWork work(
      transport(), shape,
      [&](Role& role, Ends& ends) {
        std::uint64_t sent = 0;
        while (sent < far_too_many && ends[0].try_send(sent) == Io::done) role.moved(++sent);
        role.launch().tickets[0] = 1 + sent;
        ends[0].send(sent);
        ends[0].finish();
      },
      [&](Role& role, Ends& ends) {
        require(comes([&] { return role.launch().tickets[0].load() > 0; }), "the link is never full");
        std::uint64_t received = 0;
        for (; ends[0].receive(); role.moved(received)) ++received;
        require((received < role.launch().tickets[0].load()) == facts().lossy, "lost or not");
      });
  EXPECT_EQ(outcome_of_many(shape, work), "");
}

TEST_P(FactsOf, WhatOneSideHasSentTakesRoomFromTheOtherIfItSaysSo) {
  SKIP_UNLESS_IT_CARRIES();
  if (!traits().duplex || facts().lossy) {
    EXPECT_FALSE(facts().one_buffer_both_ways) << "it has no such room";
    return;
  }
  in_a_role([&](const std::string& directory) {
    const SharedBoard board;
    OpenedLink link = OpenedLink::made(transport(), in(directory, shape_of(traits())), board);
    enum : unsigned { peer_open, full, looked };
    const Child peer(board, [&] {
      End end = link.receiver();
      board->reached[peer_open] = true;
      require_reached(board, full, "the full link");
      require((end.try_send(0) == Io::again) == facts().one_buffer_both_ways, "room or not");
      board->reached[looked] = true;
    });
    End end = link.sender();
    require_reached(board, peer_open, "the peer");
    std::uint64_t sent = 0;
    while (end.try_send(sent) == Io::done) ++sent;
    board->reached[full] = true;
    require_reached(board, looked, "the peer's look");
  });
}

// ---- the end ----

TEST_P(FactsOf, ASurplusWriterWithholdsTheEndIfItSaysSo) {
  SKIP_UNLESS_IT_CARRIES();
  in_a_role([&](const std::string& directory) {
    const SharedBoard board;
    OpenedLink link = OpenedLink::made(transport(), in(directory, shape_of(traits())), board);
    enum : unsigned { sender_open, receiver_open, finished, seen };
    const Child sender(board, [&] {
      End end = link.sender();
      link.link->drop();
      const Child surplus(board, hold_all);  // has inherited the sender's descriptors
      board->reached[sender_open] = true;
      end.send(0);
      end.finish();
      board->reached[finished] = true;
      require_reached(board, seen, "the receiver's look");
    });
    const Child receiver(board, [&] {
      End end = link.receiver();
      link.link->drop();
      board->reached[receiver_open] = true;
      require(end.receive(), "no message");
      require_reached(board, finished, "the sender's end");
      require(end.ends_within(facts().surplus_writer_withholds_end ? moment_ms : patience_ms) !=
                  facts().surplus_writer_withholds_end,
              facts().surplus_writer_withholds_end ? "the end came all the same" : "the end never came");
      board->reached[seen] = true;
      require(end.ends_within(patience_ms), "the end never came");
      board->figure = 1;
    });
    require_reached(board, sender_open, "the sender");
    require_reached(board, receiver_open, "the receiver");
    link.link->drop();
    require(comes([&] { return board->figure.load() == 1 || board->failed.load(); }), "no end");
    require(!board->failed.load(), board->error);
  });
}

TEST_P(FactsOf, WhatOutlivesItsMakersIsWhatItSays) {
  SKIP_UNLESS_IT_CARRIES();
  if (!facts().opened_by_strangers()) {
    EXPECT_EQ(facts().outlives_its_makers, Facts::Outlives::nothing) << "nobody could find it";
    return;
  }
  in_a_role([&](const std::string& directory) {
    const SharedBoard makers;
    Child maker(makers, [&] {
      OpenedLink link = OpenedLink::made(transport(), in(directory, stranger_shape(traits())), makers);
      Child receiver(makers, [&] {
        [[maybe_unused]] const End end = link.receiver();
        makers->reached[opened] = true;
        hold_all();
      });
      End end = link.sender();
      require_reached(makers, opened, "the receiver");
      end.send(0);
      receiver.end();
      makers->reached[done] = true;
      hold_all();
    });
    require_reached(makers, done, "the makers' message");
    maker.end();
    const std::string address = makers->address;
    const auto find = [&] {
      const SharedBoard senders, receivers;
      if (facts().outlives_its_makers == Facts::Outlives::nothing) {
        const Stranger stranger(senders, "send", traits().name, address);
        require(comes([&] { return senders->failed.load(); }), "something was left");
        return;
      }
      Stranger receiver(receivers, "receive", traits().name, address);
      if (facts().outlives_its_makers == Facts::Outlives::messages) {
        require(receiver.figure() == 1 + 0, "the undelivered message was not left");
        return;
      }
      // Whatever was left comes first, unless the open waits for a sender.
      comes([&] { return receivers->reached[opened].load(); }, 5 * moment_ms);
      comes([&] { return receivers->reached[done].load(); }, moment_ms);
      const Stranger sender(senders, "send", traits().name, address);
      require(receiver.figure() == 1 + first_of_stranger, "not the new message");
    };
    try {
      find();
    } catch (...) {
      remove_object(address);
      throw;
    }
    remove_object(address);
  });
}

// ---- others ----

struct Powers {
  bool send = false;
  bool receive = false;
};

sockaddr_un at_path(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

// Whether the file of a socket gives what is sent there to who opens it or has a socket of its own called so.
bool lets_receive_by_its_file(const std::string& path) {
  const Descriptor opened(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  const Descriptor own(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = at_path(path);
  return opened || bind(own.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

// What a process can do that, before it opens the link, has made itself another (another user, in another
// network), the object's permissions being `mode`. Both sides are there, and there is something to receive.
Powers powers_of_another(const TransportEntry& transport, const Shape& shape, std::optional<mode_t> mode,
                         const std::function<void()>& become_another) {
  const auto attempt = [&](bool send) {
    const SharedBoard board;
    OpenedLink link = OpenedLink::made(transport, shape, board);
    if (mode) grant(board->address, *mode);
    const Child receiver(board, [&] {
      End end = link.receiver();
      try {
        if (transport.traits.duplex) end.send(0);
      } catch (const std::system_error&) {  // it has nobody to send to
      }
      hold_all();
    });
    const Child sender(board, [&] {
      if (transport.traits.duplex) hold_all();
      End end = link.sender();
      end.send(0);
      board->reached[told] = true;
      hold_all();
    });
    if (!transport.traits.duplex) require_reached(board, told, "the sender");
    const SharedBoard others;
    Child another(others, [&] {
      become_another();
      if (!send && transport.traits.facts.rights == Facts::Rights::sending &&
          lets_receive_by_its_file(board->address)) {
        others->reached[done] = true;
      }
      OpenedLink found = link.found();
      End end = send ? found.sender() : found.strange_receiver();
      if (send) end.send(1);
      if (send || end.receives_within(moment_ms)) others->reached[done] = true;
    });
    another.join();
    return others->reached[done].load();
  };
  return {attempt(true), attempt(false)};
}

TEST_P(FactsOf, AnotherUserCanBeGrantedWhatItSays) {
  SKIP_UNLESS_IT_CARRIES();
  if (!facts().opened_by_strangers()) {
    EXPECT_EQ(facts().rights, Facts::Rights::none) << "another user cannot find it";
    return;
  }
  if (geteuid() != 0 || test_isolation().user_namespace) GTEST_SKIP() << "needs root to become another user";
  const auto become_nobody = [] {
    constexpr uid_t nobody = 65'534;
    require(setgroups(0, nullptr) == 0 && setresgid(nobody, nobody, nobody) == 0 &&
                setresuid(nobody, nobody, nobody) == 0,
            "setresuid");
  };
  in_a_role([&](const std::string& directory) {
    if (chmod(directory.c_str(), 0711) != 0) fail("chmod " + directory);
    const Shape shape = in(directory, stranger_shape(traits()));
    for (const mode_t mode : {0600u, 0602u, 0604u, 0606u}) {
      const bool may_write = mode & 2, may_read = mode & 4;
      const Powers powers = powers_of_another(transport(), shape, mode, become_nobody);
      const bool as_said = [&] {
        switch (facts().rights) {
          case Facts::Rights::none:
            return powers.send && powers.receive;
          case Facts::Rights::together:
            return powers.send == powers.receive && (powers.send ? may_write : mode != 0606);
          case Facts::Rights::apart:
            return powers.send == may_write && powers.receive == may_read;
          case Facts::Rights::sending:
            break;
        }
        return powers.send == may_write && !powers.receive;
      }();
      require(as_said, fmt::format("granted {:o}, another user could{} send and could{} receive", mode,
                                   powers.send ? "" : " not", powers.receive ? "" : " not"));
    }
  });
}

TEST_P(FactsOf, ItReachesAsFarAsItSays) {
  SKIP_UNLESS_IT_CARRIES();
  in_a_role([&](const std::string& directory) {
    const SharedBoard board;
    Child trial(board, [&] { board->reached[done] = unshare(CLONE_NEWNET) == 0; });
    trial.join();
    if (!board->reached[done]) return;  // a fork's network is as good as any
    const Powers powers =
        powers_of_another(transport(), in(directory, stranger_shape(traits())), std::nullopt,
                          [] { require(unshare(CLONE_NEWNET) == 0, "unshare"); });
    require(powers.send == (facts().scope == Facts::Scope::machine),
            powers.send ? "reached without a network" : "not reached from another network of this machine");
  });
}

TEST_P(FactsOf, AThirdProcessTakesOrCopiesAMessageOrSeesNothing) {
  SKIP_UNLESS_IT_CARRIES();
  in_a_role([&](const std::string& directory) {
    const SharedBoard board;
    OpenedLink link = OpenedLink::made(transport(), in(directory, stranger_shape(traits())), board);
    enum : unsigned { sent, receiver_open, go, answered };
    const Child receiver(board, [&] {
      End end = link.receiver();
      board->reached[receiver_open] = true;
      require_reached(board, go, "the third process's end");
      const bool taken = facts().third_process_can == Facts::Interception::take;
      board->figure = end.receives_within(taken ? moment_ms : patience_ms) ? 1 : 0;
      board->reached[answered] = true;
    });
    const Child sender(board, [&] {
      End end = link.sender();
      end.send(0);
      board->reached[sent] = true;
      hold_all();
    });
    require_reached(board, receiver_open, "the receiver");
    require_reached(board, sent, "the sender's message");
    bool copied = false, received = false;
    if (facts().opened_by_strangers()) {
      const SharedBoard strangers, others;
      copied = Stranger(strangers, "copy", traits().name, board->address).figure() == 1;
      if (facts().third_process_can != Facts::Interception::copy) {
        received = Stranger(others, "look", traits().name, board->address).figure() > 0;
      }
    } else {
      const SharedBoard relatives;
      Child relative(relatives, [&] {
        End end = link.receiver();
        relatives->reached[opened] = true;
        if (end.receives_within(moment_ms)) relatives->figure = 1;
        relatives->reached[done] = true;
      });
      const auto is_over = [&](unsigned step) { return relatives->reached[step] || relatives->failed; };
      // Where one more is not let in it may be left waiting.
      const bool may_wait = facts().establishment == Facts::Establishment::explicit_link;
      if (comes([&] { return is_over(opened); }, may_wait ? 5 * moment_ms : patience_ms))
        require(comes([&] { return is_over(done); }), "no end");
      received = relatives->figure.load() == 1;
    }
    board->reached[go] = true;
    require_reached(board, answered, "the receiver's answer");
    const bool taken = received && board->figure.load() == 0;
    require(board->figure.load() == 1 || taken, "the message has gone");
    const Facts::Interception found = taken                ? Facts::Interception::take
                                      : copied || received ? Facts::Interception::copy
                                                           : Facts::Interception::none;
    require(found == facts().third_process_can,
            fmt::format("{}, {}", copied ? "copied" : "not copied", taken ? "taken" : "not taken"));
  });
}

// The socket in a directory that has one; empty if there is none.
std::string socket_in(const std::string& directory) {
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.is_socket()) return entry.path();
  }
  return {};
}

Descriptor unix_stream_at(const std::string& path, bool listening) {
  Descriptor made(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = at_path(path);
  const auto* named = reinterpret_cast<const sockaddr*>(&address);
  if (listening) {
    require(bind(made.get(), named, sizeof address) == 0 && listen(made.get(), 1) == 0, "bind " + path);
  } else {
    if (connect(made.get(), named, sizeof address) != 0) return {};
  }
  return made;
}

// How somebody else comes between the two sides of a connection.
struct Diversion {
  Descriptor listener;                             // where the side arrives that connects to the link
  std::function<Descriptor(int arrived)> lead_on;  // to the link itself
  std::function<void()> divert = [] {};            // to be called in the process of that side
  std::vector<Descriptor> kept_ports{};
};

// From now on whoever connects to the path is diverted.
Diversion diversion_of_file(const std::string& path) {
  const auto beside = std::make_shared<OwnedName>(path + ".moved", unlink);
  require(rename(path.c_str(), beside->c_str()) == 0, "rename");
  return {unix_stream_at(path, true), [beside](int) { return unix_stream_at(beside->text(), false); }};
}

sockaddr_in at_loopback(in_port_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = port;
  return address;
}

Descriptor tcp_bound_to(in_port_t port) {
  Descriptor made(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = at_loopback(port);
  require(bind(made.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "bind");
  return made;
}

bool connects_to(const Descriptor& socket, in_port_t port) {
  const sockaddr_in address = at_loopback(port);
  return connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

// Those on which this process listens.
std::set<in_port_t> tcp_ports() {
  std::set<in_port_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int fd = std::atoi(entry.path().filename().c_str());
    int listens = 0;
    sockaddr_in address{};
    socklen_t bytes = sizeof listens, address_bytes = sizeof address;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &bytes) == 0 && listens != 0 &&
        getsockname(fd, reinterpret_cast<sockaddr*>(&address), &address_bytes) == 0 &&
        address.sin_family == AF_INET) {
      found.insert(address.sin_port);
    }
  }
  return found;
}

// Those that anybody in this process's network has, or had a moment ago (TIME_WAIT).
std::set<in_port_t> tcp_ports_in_use() {
  std::set<in_port_t> found;
  std::ifstream lines("/proc/self/net/tcp");
  std::string line, number, local;
  for (std::getline(lines, line); lines >> number >> local && std::getline(lines, line);) {
    found.insert(htons(static_cast<in_port_t>(std::stoul(local.substr(local.find(':') + 1), nullptr, 16))));
  }
  return found;
}

in_port_t only(const std::set<in_port_t>& ports) {
  require(ports.size() == 1, fmt::format("{} ports", ports.size()));
  return *ports.begin();
}

// A network of this process's own, in which nobody but its loopback interface is.
void enter_new_network() {
  if (unshare(CLONE_NEWNET) != 0) {
    throw Unsupported(fmt::format("no network of its own: unshare: {}", strerror(errno)));
  }
  const Descriptor any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq loopback{};
  strcpy(loopback.ifr_name, "lo");
  loopback.ifr_flags = IFF_UP;
  require(ioctl(any.get(), SIOCSIFFLAGS, &loopback) == 0, "SIOCSIFFLAGS");
}
std::shared_ptr<Descriptor> this_network() {
  return std::make_shared<Descriptor>(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
}
void enter_network(const Descriptor& network) { require(setns(network.get(), CLONE_NEWNET) == 0, "setns"); }

// As a router does that leaves ports as they are: the side that connects lives in another network, where
// port `from` leads here, and from here its own port to `to`. In a process that has entered a network of its
// own.
Diversion diversion_of_port(in_port_t from, in_port_t to) {
  const auto here = this_network();
  std::set<in_port_t> in_use = tcp_ports_in_use();
  in_use.erase(from);
  enter_new_network();
  Diversion made;
  // So that a port which is free there is free here too.
  for (const in_port_t port : in_use) made.kept_ports.push_back(tcp_bound_to(port));
  made.listener = tcp_bound_to(from);
  require(listen(made.listener.get(), 1) == 0, "listen");
  made.divert = [there = this_network()] { enter_network(*there); };
  enter_network(*here);
  made.lead_on = [to](int arrived) -> Descriptor {
    sockaddr_in who{};
    socklen_t bytes = sizeof who;
    require(getpeername(arrived, reinterpret_cast<sockaddr*>(&who), &bytes) == 0, "getpeername");
    Descriptor onward = tcp_bound_to(who.sin_port);
    return connects_to(onward, to) ? std::move(onward) : Descriptor();
  };
  return made;
}

// Hands on what the two sides of a connection say, keeps what the first one says, and changes a bit of it
// when told.
class Eavesdropper {
 public:
  explicit Eavesdropper(Diversion diversion) : diversion_(std::move(diversion)) {
    void* memory = mmap(nullptr, sizeof(Heard), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    require(memory != MAP_FAILED, "mmap");
    map_ = MemoryMap(memory, sizeof(Heard));
  }

  // In the process of the side that connects, before it does.
  void divert() const { diversion_.divert(); }

  void change_what_comes_next() { heard().change = true; }
  bool has_heard(std::span<const std::byte> message) const {
    return memmem(heard().bytes, heard().count.load(), message.data(), message.size()) != nullptr;
  }

  void listen_in() {
    const Descriptor first(accept(diversion_.listener.get(), nullptr, nullptr));
    require(bool(first), "nobody came to the eavesdropper");
    const Descriptor second = diversion_.lead_on(first.get());
    require(bool(second), "the eavesdropper is not between them");
    std::array<pollfd, 2> sides{{{first.get(), POLLIN, 0}, {second.get(), POLLIN, 0}}};
    while (poll(sides.data(), sides.size(), -1) > 0) {
      for (const unsigned side : {0u, 1u}) {
        if (sides[side].revents == 0) continue;
        std::array<std::byte, 4'096> bytes;
        const ssize_t got = ::read(sides[side].fd, bytes.data(), bytes.size());
        if (got <= 0) return;
        if (side == 0) keep(std::span(bytes).first(static_cast<std::size_t>(got)));
        if (::write(sides[1 - side].fd, bytes.data(), static_cast<std::size_t>(got)) != got) return;
      }
    }
  }

 private:
  struct Heard {
    std::atomic<bool> change;
    std::atomic<std::size_t> count;
    std::byte bytes[1 << 16];
  };
  Heard& heard() const { return *reinterpret_cast<Heard*>(map_.bytes().data()); }
  void keep(std::span<std::byte> some) {
    const std::size_t before = heard().count.load();
    require(before + some.size() <= sizeof heard().bytes, "too much is said");
    std::ranges::copy(some, heard().bytes + before);
    heard().count.store(before + some.size());
    if (heard().change.exchange(false)) some[some.size() / 2] ^= std::byte{1};
  }

  Diversion diversion_;
  MemoryMap map_;
};

// What goes through the link beneath, handled there by its own ends.
TEST_P(FactsOf, WhatIsSealedOverAnothersLinkCanNeitherBeReadNorChangedNorMadeUpNorSentAgainThere) {
  if (transport().beneath.empty()) GTEST_SKIP() << "its messages go through no other transport's links";
  in_a_role([&](const std::string& directory) {
    const SharedBoard board;
    const Shape shape = in(directory, shape_of(traits()));
    const std::size_t sealed_bytes = shape.message_bytes + transport().added_bytes;
    OpenedLink link = OpenedLink::made(transport(), shape, board);
    require(link.link->beneath() != nullptr, "it shows no link beneath");
    enum : unsigned { sent, handled, over };
    const Child sender(board, [&] {
      End end = link.sender();
      for (const unsigned sequence : {0, 1, 2}) end.send(sequence);
      board->reached[sent] = true;
      hold_all();
    });
    require_reached(board, sent, "the messages");
    const Child eavesdropper(board, [&] {
      Meeting meeting = board.meeting();
      AnyLink& beneath = *link.link->beneath();
      const auto reader = beneath.open_receiver(0, meeting);
      std::vector<std::vector<std::byte>> sealed(3, std::vector<std::byte>(sealed_bytes));
      for (unsigned i = 0; i < sealed.size(); ++i) {
        for (Io io; (io = reader->receive(sealed[i])) != Io::done; reader->wait_to_receive()) {
          require(io == Io::again, "the link beneath is closed");
        }
        std::vector<std::byte> message(shape.message_bytes);
        fill(message, 0, i, Touch::full);
        require(memmem(sealed[i].data(), sealed_bytes, message.data() + 8, 8) == nullptr, "it was read");
      }
      require(!std::ranges::equal(std::span(sealed[0]).last(16), std::span(sealed[1]).last(16)), "one tag");
      std::vector<std::vector<std::byte>> handed_on{sealed[0]};
      for (std::size_t at = 0; at < sealed_bytes; at += 5) {
        handed_on.push_back(sealed[1]);
        handed_on.back()[at] ^= std::byte{1};
      }
      handed_on.emplace_back(sealed_bytes, std::byte{7});
      handed_on.push_back(sealed[0]);
      handed_on.push_back(sealed[2]);
      handed_on.push_back(sealed[1]);
      const auto writer = beneath.open_sender(0, meeting);
      for (std::size_t i = 0; i < handed_on.size(); ++i) {
        for (Io io; (io = writer->send(handed_on[i])) != Io::done; writer->wait_to_send()) {
          require(io == Io::again, "the link beneath is closed");
        }
        // One at a time: there may be room for no more.
        board->figure = i + 1;
        require(comes([&] { return board->second_figure.load() == i + 1; }), "it was not taken");
      }
      board->reached[handled] = true;
      hold_all();
    });
    const Child receiver(board, [&] {
      End end = link.receiver();
      std::string story;
      for (std::uint64_t i = 1; !board->reached[handled]; ++i) {
        if (!comes([&] { return board->figure.load() == i || board->reached[handled]; })) break;
        if (board->reached[handled]) break;
        try {
          require(end.receives_within(patience_ms) && end.received().intact, "a message is not intact");
          story += std::to_string(end.received().sequence);
        } catch (const std::system_error&) {
          story += '-';
        }
        board->second_figure = i;
      }
      strncpy(board->address, story.c_str(), sizeof board->address - 1);
      board->reached[over] = true;
    });
    require_reached(board, over, "the receiver");
    const std::size_t changed = (sealed_bytes + 4) / 5;
    // The first, none of those with a bit changed, neither one made up nor the first again, the last, and
    // none before it.
    require(board->address == "0" + std::string(changed + 2, '-') + "2-",
            fmt::format("what came became {}", board->address));
  });
}

TEST_P(FactsOf, WhatIsSealedCanNeitherBeReadNorChangedOnItsWay) {
  if (!transport().beneath.empty()) GTEST_SKIP() << "looked at in the link beneath";
  if (!is_a_connection()) {
    EXPECT_FALSE(facts().sealed) << "nobody could stand between its two sides to see it";
    GTEST_SKIP() << "no connection that can be led past somebody else";
  }
  const std::string outcome = outcome_in_a_role([&](const std::string& directory) {
    if (over_a_network()) enter_new_network();
    const SharedBoard board;
    const Shape shape = in(directory, shape_of(traits()));
    OpenedLink link = OpenedLink::made(transport(), shape, board);
    const in_port_t own_port = over_a_network() ? only(tcp_ports()) : in_port_t{};
    Eavesdropper eavesdropper(over_a_network() ? diversion_of_port(own_port, own_port)
                                               : diversion_of_file(socket_in(directory)));
    enum : unsigned { heard, received, changed };
    enum class Found : std::uint64_t { intact, changed, refused, nothing };
    const Child between(board, [&] { eavesdropper.listen_in(); });
    const Child receiver(board, [&] {
      End end = link.receiver();
      require(end.receives_within(patience_ms) && end.received().intact, "the first message is not intact");
      board->reached[received] = true;
      Found found = Found::nothing;
      try {
        if (end.receives_within(patience_ms)) found = end.received().intact ? Found::intact : Found::changed;
      } catch (const std::system_error&) {
        found = Found::refused;
      }
      board->figure = static_cast<std::uint64_t>(found);
      board->reached[changed] = true;
    });
    const Child sender(board, [&] {
      eavesdropper.divert();
      End end = link.sender();
      end.send(0);
      require_reached(board, heard, "the eavesdropper");
      end.send(1);
      hold_all();
    });
    require_reached(board, received, "the first message");
    std::vector<std::byte> message(shape.message_bytes);
    fill(message, 0, 0, Touch::full);
    require(eavesdropper.has_heard(message) != facts().sealed,
            facts().sealed ? "it was read" : "it was not read");
    eavesdropper.change_what_comes_next();
    board->reached[heard] = true;
    require_reached(board, changed, "the second message");
    const auto found = static_cast<Found>(board->figure.load());
    require(found == (facts().sealed ? Found::refused : Found::changed),
            fmt::format("of a changed message became {}", static_cast<int>(found)));
  });
  if (outcome.starts_with("unsupported: ")) GTEST_SKIP() << outcome;
  EXPECT_EQ(outcome, "");
}

TEST_P(FactsOf, WhoHasOnlyFoundItGetsInUnlessItAsksForCredentials) {
  if (!transport().beneath.empty()) GTEST_SKIP() << "what is made up in the link beneath is refused";
  if (!is_a_connection()) {
    EXPECT_FALSE(facts().asks_for_credentials) << "nobody could come to it without";
    GTEST_SKIP() << "no connection that can be led to another link";
  }
  const std::string outcome = outcome_in_a_role([&](const std::string& directory) {
    if (over_a_network()) enter_new_network();
    const SharedBoard board, misled;
    const Shape shape = shape_of(traits());
    const std::string folders[]{directory + "/own", directory + "/other"};
    for (const std::string& folder : folders) require(mkdir(folder.c_str(), 0700) == 0, "mkdir");
    OpenedLink own = OpenedLink::made(transport(), in(folders[0], shape), board);
    const std::set<in_port_t> own_port = tcp_ports();
    OpenedLink other = OpenedLink::made(transport(), in(folders[1], shape), misled);
    std::set<in_port_t> other_port = tcp_ports();
    for (const in_port_t port : own_port) other_port.erase(port);

    // Noise comes first, and is sent away.
    const std::string path = socket_in(folders[0]);
    if (facts().asks_for_credentials) {
      constexpr std::string_view noise = "let me in";
      const Descriptor stranger = over_a_network() ? tcp_bound_to(0) : unix_stream_at(path, false);
      require(stranger && (!over_a_network() || connects_to(stranger, only(own_port))) &&
                  ::write(stranger.get(), noise.data(), noise.size()) > 0,
              "the stranger could not write");
    }
    enum : unsigned { received, told };
    {
      const Child receiver(board, [&] {
        End end = own.receiver();
        require(end.receives_within(patience_ms) && end.received().intact, "the message is not intact");
        board->reached[received] = true;
      });
      const Child sender(board, [&] {
        own.sender().send(0);
        hold_all();
      });
      require_reached(board, received, "the message");
    }

    // A side of this link finds itself at the other one.
    std::optional<Eavesdropper> between;
    std::optional<Child> leads_astray;
    if (over_a_network()) {
      between.emplace(diversion_of_port(only(own_port), only(other_port)));
      leads_astray.emplace(board, [&] { between->listen_in(); });
    } else {
      require(rename(socket_in(folders[1]).c_str(), path.c_str()) == 0, "rename");
    }
    const Child receiver(board, [&] {
      const End end = other.receiver();
      hold_all();
    });
    const Child sender(misled, [&] {
      if (between) between->divert();
      OpenedLink same{transport(), own.shape, misled, std::move(own.link)};
      try {
        same.sender().send(0);
        misled->figure = 1;
      } catch (const std::system_error&) {
      }
      misled->reached[told] = true;
    });
    require_reached(misled, told, "the sender's answer");
    require((misled->figure.load() == 1) != facts().asks_for_credentials,
            "whom it lets in is not as its facts say");
  });
  if (outcome.starts_with("unsupported: ")) GTEST_SKIP() << outcome;
  EXPECT_EQ(outcome, "");
}

// ---- standard ----

unsigned system_v_objects() {
  unsigned rows = 0;
  for (const char* table : {"/proc/sysvipc/msg", "/proc/sysvipc/shm", "/proc/sysvipc/sem"}) {
    std::ifstream lines(table);
    for (std::string line; std::getline(lines, line);) {
      rows += static_cast<std::uint32_t>(std::strtol(line.c_str(), nullptr, 10)) >> 20 == sysv_key_prefix;
    }
  }
  return rows;
}

// What messages go through or lie in, as the kernel shows it of a process, and whose it is by the STANDARDS
// of its man page, up to POSIX.1-2024. This list, not the transport, is asked, and of those that are found
// the last one decides: what is Linux's alone is so with whatever else it goes through. Of what only makes,
// sizes or awaits it (pipe2(2), F_SETPIPE_SZ, pidfd_open(2), epoll(7)) nothing is said.
struct Mechanism {
  std::string_view name;
  Facts::Standard standard;
};
constexpr Mechanism mechanisms[]{
    {"pipe", Facts::Standard::posix},
    {"message queue", Facts::Standard::posix},
    {"socket", Facts::Standard::posix},
    {"shared mapping", Facts::Standard::posix},
    {"regular file", Facts::Standard::posix},
    {"rt_sigqueueinfo", Facts::Standard::posix},
    {"System V segment", Facts::Standard::system_v},
    {"msgsnd", Facts::Standard::system_v},
    {"pipe of packets", Facts::Standard::linux_only},
    {"FIFO opened both ways", Facts::Standard::linux_only},  // undefined in open(3p)
    {"memfd", Facts::Standard::linux_only},
    {"huge pages", Facts::Standard::linux_only},
    {"io_uring", Facts::Standard::linux_only},
    {"process_vm_writev", Facts::Standard::linux_only},
    {"vmsplice", Facts::Standard::linux_only},
};

std::string mechanism_of(int fd, const std::string& object) {
  if (object.starts_with("/memfd:")) return "memfd";
  if (object == "anon_inode:[io_uring]") return "io_uring";
  if (object.starts_with("socket:")) return "socket";
  if (is_message_queue(fd)) return "message queue";
  struct stat status;
  if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) return "regular file";
  if (!is_pipe(fd)) return {};
  const int flags = fcntl(fd, F_GETFL);
  if ((flags & O_DIRECT) != 0) return "pipe of packets";
  return (flags & O_ACCMODE) == O_RDWR ? "FIFO opened both ways" : "pipe";
}

// As /proc/self/maps has them.
std::set<std::string> shared_mappings() {
  std::set<std::string> found;
  std::ifstream lines("/proc/self/maps");
  for (std::string line; std::getline(lines, line);) {
    constexpr std::size_t sharing = 4;  // behind " rwx"
    if (line.at(line.find(' ') + sharing) == 's') found.insert(line);
  }
  return found;
}
std::string mechanism_of(const std::string& mapping) {
  const auto maps = [&](std::string_view object) { return mapping.find(object) != std::string::npos; };
  if (maps(" /memfd:")) return "memfd";
  if (maps(" /SYSV")) return "System V segment";
  if (maps(" /anon_hugepage")) return "huge pages";
  return maps(" anon_inode:[io_uring]") ? "io_uring" : "shared mapping";
}

TEST_P(FactsOf, ItsStandardIsThatOfTheMechanismsThatItsMessagesGoThrough) {
  const std::optional<std::vector<CostExamination::Traced>> traced = traced_roles(traits());
  if (!traced) GTEST_SKIP() << "system calls cannot be traced here";
  const Shape shape = shape_of(traits());
  std::set<std::string> objects_before, mappings_before;
  ManyWork work(
      transport(), shape,
      [&](Role&, Ends& ends) {
        ends[0].send(0);
        std::set<std::string> found;
        for (const auto& [fd, object] : open_objects()) {
          if (!objects_before.contains(object)) found.insert(mechanism_of(fd, object));
        }
        for (const std::string& mapping : shared_mappings()) {
          if (!mappings_before.contains(mapping)) found.insert(mechanism_of(mapping));
        }
        for (const CostExamination::Call& call : traced->front().calls) {
          found.insert(call.name == system_call_name(SYS_memfd_create) ? "memfd" : call.name);
        }
        Facts::Standard standard = Facts::Standard::none;
        std::string by;
        for (const Mechanism& mechanism : mechanisms) {
          if (!found.contains(std::string(mechanism.name))) continue;
          standard = mechanism.standard;
          by += fmt::format(" {}", mechanism.name);
        }
        // What goes through is then another protocol's, which seals it, or no message at all.
        if (facts().sealed || !facts().carries) standard = Facts::Standard::none;
        require(standard == facts().standard, "not its standard:" + by);
        ends[0].finish();
      },
      [&](Role&, Ends& ends) {
        while (ends[0].receive()) {
        }
      });
  work.before_build = [&] {
    objects_before = names_of_open_objects();
    mappings_before = shared_mappings();
  };
  EXPECT_EQ(outcome_of_many(shape, work), "");
}

// Where nothing can be traced too.
TEST_P(FactsOf, ItIsSystemVsIfItSaysSo) {
  in_a_role([&](const std::string& directory) {
    const unsigned before = system_v_objects();
    const std::unique_ptr<AnyLink> link = transport().make_link(in(directory, shape_of(traits())));
    require((system_v_objects() > before) == (facts().standard == Facts::Standard::system_v), "standard");
  });
}

INSTANTIATE_TEST_SUITE_P(All, FactsOf, testing::ValuesIn(OverEveryTransport::names()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace ipcmark

int main(int argc, char** argv) {
  using namespace ipcmark;
  if (argc == 6 && std::string_view(argv[1]) == stranger_flag) {
    const SharedBoard board(std::atoi(argv[2]));
    try {
      be_stranger(board, argv[3], argv[4], argv[5]);
    } catch (const std::exception& error) {
      report(*board, error.what());
    }
    _exit(0);
  }
  testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
