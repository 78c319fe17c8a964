#include "harness/launch.h"

#include <alloca.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "harness/cleanup.h"
#include "harness/clock.h"
#include "harness/descriptor.h"
#include "harness/fail.h"
#include "harness/futex.h"
#include "harness/role_cost.h"
#include "harness/shuffle.h"

namespace ipcmark {
namespace {

template <std::size_t size>
void copy_text(char (&to)[size], std::string_view text) {
  const std::size_t length = std::min(text.size(), size - 1);
  std::copy_n(text.begin(), length, to);
  to[length] = '\0';
}

void write_outcome(LaunchBoard& board, LaunchFailure::Kind kind, std::string_view reason) {
  board.outcome_kind = kind;
  copy_text(board.outcome, reason);
}

// A signal at the parent's death is not enough: the parent may have died before it was asked for (prctl(2)).
void die_with_parent(pid_t parent_as_seen_here) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent_as_seen_here) _exit(3);
}

// Ctrl-C reaches the whole foreground group; only the runner answers it, and ends the launch. A link whose
// other side has gone says so by EPIPE.
void ignore_signals() {
  for (const int signal_number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) signal(signal_number, SIG_IGN);
}

std::pair<Descriptor, Descriptor> make_pipe(const char* purpose) {
  std::array<int, 2> ends;
  if (pipe2(ends.data(), O_CLOEXEC) != 0) fail(std::string("pipe2 for ") + purpose);
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

std::string read_scheduler() {
  const int policy = sched_getscheduler(0);
  sched_param parameters{};
  sched_getparam(0, &parameters);
  switch (policy & ~SCHED_RESET_ON_FORK) {
    case SCHED_OTHER:
      return "other";
    case SCHED_FIFO:
      return fmt::format("fifo:{}", parameters.sched_priority);
    default:
      return fmt::format("policy:{}", policy);
  }
}

void set_scheduler(const std::string& sched) {
  if (sched == "other") return;
  const int priority = std::atoi(sched.c_str() + sched.find(':') + 1);
  const sched_param parameters{.sched_priority = priority};
  if (sched_setscheduler(0, SCHED_FIFO, &parameters) != 0) {
    throw Unsupported(
        fmt::format("sched {}: {} (needs CAP_SYS_NICE or RLIMIT_RTPRIO)", sched, strerror(errno)));
  }
}

void wake_all(std::atomic<std::uint32_t>& word) { futex_wake(word, INT_MAX); }

// ---- the edges of the timed part ----

// From the roles to the caller of launch(). The kernel puts the sender's process number into each message, as
// the receiver's namespace has it (unix(7), SCM_CREDENTIALS).
class EdgeChannel {
 public:
  explicit EdgeChannel(std::size_t roles) : role_pids_(roles, -1) {
    std::array<int, 2> ends;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
      fail("socketpair for the edges of the timed part");
    }
    callers_.reset(ends[0]);
    roles_.reset(ends[1]);
    const int on = 1;
    if (setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) fail("setsockopt(SO_PASSCRED)");
  }

  struct Note {
    std::uint32_t role;
    enum class About : std::uint32_t { arrival, begin, end } about;
  };
  void send(Note note) const {
    if (::send(roles_.get(), &note, sizeof note, MSG_NOSIGNAL) != sizeof note) {
      fail("send of an edge of the timed part");
    }
  }

  int callers_end() const { return callers_.get(); }
  void keep_callers_end() { roles_.reset(); }
  // By the caller, when its end is readable: the edge that the lead is at; nullopt for anything else.
  std::optional<TimedEdge> receive() {
    Note note;
    iovec data{&note, sizeof note};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred))> control;
    msghdr message{.msg_name = nullptr,
                   .msg_namelen = 0,
                   .msg_iov = &data,
                   .msg_iovlen = 1,
                   .msg_control = control.data(),
                   .msg_controllen = control.size(),
                   .msg_flags = 0};
    const ssize_t got = recvmsg(callers_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0) return std::nullopt;
    if (got != sizeof note) {
      callers_.reset();  // every role has ended
      return std::nullopt;
    }
    const cmsghdr* const credentials = CMSG_FIRSTHDR(&message);
    if (note.about == Note::About::arrival && credentials != nullptr &&
        credentials->cmsg_type == SCM_CREDENTIALS) {
      ucred sender;
      std::memcpy(&sender, CMSG_DATA(credentials), sizeof sender);
      role_pids_.at(note.role) = sender.pid;
    }
    if (note.about == Note::About::arrival) return std::nullopt;
    return note.about == Note::About::begin ? TimedEdge::begin : TimedEdge::end;
  }
  const std::vector<pid_t>& role_pids() const { return role_pids_; }

 private:
  std::vector<pid_t> role_pids_;
  Descriptor callers_, roles_;
};

// ---- the layout ----

// Where things happen to lie moves a figure by percents, and the median of launches that all have one layout
// is that layout's (Mytkowicz et al., "Producing wrong data without doing anything obviously wrong!", ASPLOS
// 2009). The steps are those of the kernel's own randomization on x86-64: pages for mappings, 16 bytes for
// stacks.
class Layout {
 public:
  // Each process of a launch draws for itself; the roles inherit what their parent has done.
  Layout(const std::optional<std::uint64_t>& seed, std::uint64_t process)
      : varied_(seed.has_value()), random_(seed.value_or(0) ^ (process << 48)) {}

  // What is mapped from now on lies that much lower; a refusal leaves it where it was. The kernel takes the
  // highest hole that is large enough, so small mappings are moved only by pages that fill the holes between
  // the libraries one by one.
  void shift_mappings() {
    constexpr std::uint64_t most_single_pages = 64, most_pages = 4'096;
    if (!varied_) return;
    const auto page_bytes = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    for (std::uint64_t pages = 1 + random_.below(most_single_pages); pages > 0; --pages) take(page_bytes);
    take((1 + random_.below(most_pages)) * page_bytes);
  }
  // By how much a stack is to begin lower.
  std::size_t stack_bytes() {
    constexpr std::uint64_t most_steps = 512;
    return varied_ ? 16 * (1 + random_.below(most_steps)) : 0;
  }

 private:
  static void take(std::uint64_t bytes) {
    mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  }

  bool varied_;
  SplitMix64 random_;
};

// ---- the role ----

// Of the role that this process is; nullptr in all others.
const LaunchSpec* own_spec = nullptr;
const EdgeChannel* own_edges = nullptr;

[[noreturn]] void role_main(const LaunchSpec& spec, Work& work, LaunchBoard& launch_board, unsigned index,
                            std::vector<Meeting>& meetings, int arrivals_fd, const EdgeChannel* edges) {
  RoleBoard& board = launch_board.roles[index];
  Layout layout(spec.layout_seed, 1 + index);
  layout.shift_mappings();
  void* const deeper = alloca(layout.stack_bytes());
  asm volatile("" : : "r"(deeper) : "memory");
  const auto end_as = [&](RoleState state, const char* reason) {
    copy_text(board.failure, reason);
    board.state.store(state, std::memory_order_release);
    _exit(1);
  };
  try {
    own_spec = &spec;
    own_edges = edges;
    if (edges != nullptr) edges->send({index, EdgeChannel::Note::About::arrival});
    const std::unique_ptr<TimedPartObserver> examination = begin_examination(spec.examine, board.examination);
    timed_part_observer = examination.get();
    set_scheduler(spec.sched);
    copy_text(board.scheduler, read_scheduler());
    if (spec.bind) {
      const Granted granted = spec.bind(spec.roles[index].asked_pus);
      board.numa_node = granted.numa_node;
      board.memory_bound = granted.memory_bound;
      board.granted_pu_count =
          static_cast<std::uint32_t>(std::min(granted.pus.size(), std::size(board.granted_pus)));
      std::copy_n(granted.pus.begin(), board.granted_pu_count, board.granted_pus);
    } else {
      board.numa_node = -1;
    }
    Role role(index, static_cast<unsigned>(spec.roles.size()), launch_board, meetings);
    work.open(role);
    work.drop();
    board.state.store(RoleState::opened, std::memory_order_release);
    const std::uint64_t one = 1;
    if (write(arrivals_fd, &one, sizeof one) != sizeof one) fail("write to the launch's eventfd");
    while (launch_board.start.load(std::memory_order_acquire) == 0) futex_wait(launch_board.start, 0);
    work.run(role);
    board.last_os_processor = sched_getcpu();
    board.state.store(RoleState::finished, std::memory_order_release);
  } catch (const Unsupported& error) {
    end_as(RoleState::unsupported, error.what());
  } catch (const std::exception& error) {
    end_as(RoleState::failed, error.what());
  }
  _exit(0);
}

// ---- the parent ----

// Kills and reaps whatever this process still has, adopted grandchildren included. Process 1 of a PID
// namespace may kill everyone else in it; /proc shows the outer numbers there.
void end_all_children(const Isolation& isolation) {
  do {
    if (isolation.namespaces) {
      kill(-1, SIGKILL);
    } else {
      std::ifstream children("/proc/thread-self/children");
      for (pid_t pid; children >> pid;) kill(pid, SIGKILL);
    }
  } while (waitpid(-1, nullptr, 0) >= 0 || errno != ECHILD);
}

class Watch {
 public:
  Watch(const LaunchSpec& spec, LaunchBoard& board)
      : spec_(spec), board_(board), pids_(spec.roles.size(), -1), stopped_at_ns_(spec.roles.size(), 0) {
    sigset_t child_signal;
    sigemptyset(&child_signal);
    sigaddset(&child_signal, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child_signal, &old_signals_);
    signals_.reset(signalfd(-1, &child_signal, SFD_CLOEXEC | SFD_NONBLOCK));
    arrivals_.reset(eventfd(0, EFD_CLOEXEC));
    if (!signals_ || !arrivals_) fail("signalfd or eventfd for the launch");
  }

  void fork_roles(Work& work, std::vector<Meeting>& meetings, const EdgeChannel* edges) {
    const pid_t parent = getpid();
    for (unsigned index = 0; index < spec_.roles.size(); ++index) {
      const pid_t pid = fork();
      if (pid < 0) fail("fork of " + spec_.roles[index].name);
      if (pid == 0) {
        die_with_parent(parent);
        sigprocmask(SIG_SETMASK, &old_signals_, nullptr);
        role_main(spec_, work, board_, index, meetings, arrivals_.get(), edges);
      }
      pids_[index] = pid;
    }
  }

  // Both return the reason of a failure, or nothing.
  std::optional<LaunchFailure> until_opened(int lifeline) {
    const std::uint64_t deadline_ns = now_ns() + static_cast<std::uint64_t>(spec_.open_s * 1e9);
    while (!every_role_has_opened()) {
      if (std::optional<LaunchFailure> failure = sleep_and_look(lifeline)) return failure;
      if (now_ns() > deadline_ns) {
        return LaunchFailure{LaunchFailure::Kind::failed,
                             fmt::format("{}: link not open after {:g} s", names_where([&](unsigned role) {
                                           return state_of(role) == RoleState::forked;
                                         }),
                                         spec_.open_s)};
      }
    }
    return std::nullopt;
  }

  std::optional<LaunchFailure> until_finished(int lifeline) {
    std::vector<std::uint64_t> seen(pids_.size(), 0);
    std::uint64_t moved_at_ns = now_ns();
    while (std::any_of(pids_.begin(), pids_.end(), [](pid_t pid) { return pid > 0; })) {
      if (std::optional<LaunchFailure> failure = sleep_and_look(lifeline)) return failure;
      for (unsigned role = 0; role < pids_.size(); ++role) {
        if (seen[role] != progress_of(role)) moved_at_ns = now_ns();
        seen[role] = progress_of(role);
      }
      if (board_.at_edge.load(std::memory_order_relaxed) != 0) moved_at_ns = now_ns();
      if (now_ns() - moved_at_ns > static_cast<std::uint64_t>(spec_.stall_s * 1e9)) return stalled();
    }
    return std::nullopt;
  }

 private:
  RoleState state_of(unsigned role) const { return board_.roles[role].state.load(std::memory_order_acquire); }
  std::uint64_t progress_of(unsigned role) const {
    return board_.roles[role].progress.load(std::memory_order_relaxed);
  }
  bool every_role_has_opened() const {
    for (unsigned role = 0; role < pids_.size(); ++role) {
      if (state_of(role) != RoleState::opened) return false;
    }
    return true;
  }

  template <class Predicate>
  std::string names_where(Predicate predicate) const {
    std::string names;
    for (unsigned role = 0; role < pids_.size(); ++role) {
      if (!predicate(role)) continue;
      if (!names.empty()) names += ", ";
      names += spec_.roles[role].name;
    }
    return names;
  }

  std::optional<LaunchFailure> sleep_and_look(int lifeline) {
    constexpr int look_at_progress_ms = 500;
    std::array<pollfd, 3> events{pollfd{lifeline, POLLIN, 0}, pollfd{signals_.get(), POLLIN, 0},
                                 pollfd{arrivals_.get(), POLLIN, 0}};
    if (poll(events.data(), events.size(), look_at_progress_ms) < 0 && errno != EINTR)
      fail("poll in the launch");
    if (events[0].revents != 0) return LaunchFailure{LaunchFailure::Kind::failed, "interrupted"};
    std::array<char, 1024> discarded;
    if (events[1].revents != 0) {
      while (::read(signals_.get(), discarded.data(), discarded.size()) > 0) {
      }
      reap();
    }
    if (events[2].revents != 0 && ::read(arrivals_.get(), discarded.data(), discarded.size()) < 0) {
      fail("read of the launch's eventfd");
    }
    if (!worst_) return std::nullopt;
    // A peer's death makes others fail in its wake; the cause is more telling than its consequences, and may
    // be reaped a little later.
    const std::uint64_t patience_ns = now_ns() + 30'000'000;
    while (now_ns() < patience_ns && severity_ < Severity::killed) {
      usleep(2'000);
      reap();
    }
    return worst_;
  }

  enum class Severity { none, unsupported, failed, killed };

  void blame(Severity severity, LaunchFailure failure) {
    if (severity <= severity_) return;
    severity_ = severity;
    worst_ = std::move(failure);
  }

  void reap() {
    for (unsigned role = 0; role < pids_.size(); ++role) {
      if (pids_[role] <= 0) continue;
      note_stops(role);
      int status = 0;
      if (waitpid(pids_[role], &status, WNOHANG) != pids_[role]) continue;
      pids_[role] = 0;
      const std::string& name = spec_.roles[role].name;
      const RoleBoard& board = board_.roles[role];
      if (WIFSIGNALED(status)) {
        blame(Severity::killed,
              {LaunchFailure::Kind::failed, fmt::format("{}: killed by signal {} after {} messages", name,
                                                        WTERMSIG(status), progress_of(role))});
      } else if (state_of(role) == RoleState::unsupported) {
        blame(Severity::unsupported, {LaunchFailure::Kind::unsupported, board.failure});
      } else if (state_of(role) == RoleState::failed) {
        blame(Severity::failed, {LaunchFailure::Kind::failed, fmt::format("{}: {} (after {} messages)", name,
                                                                          board.failure, progress_of(role))});
      } else if (WEXITSTATUS(status) != 0 || state_of(role) != RoleState::finished) {
        blame(Severity::failed,
              {LaunchFailure::Kind::failed, fmt::format("{}: ended with status {} after {} messages", name,
                                                        WEXITSTATUS(status), progress_of(role))});
      }
    }
  }

  void note_stops(unsigned role) {
    RoleBoard& board = board_.roles[role];
    siginfo_t info{};
    const auto id = static_cast<id_t>(pids_[role]);
    while (waitid(P_PID, id, &info, WSTOPPED | WCONTINUED | WNOHANG) == 0 && info.si_pid == pids_[role]) {
      if (stopped_at_ns_[role] == 0) ++board.stops;  // a stop that was soon over is only seen by its end
      if (info.si_code == CLD_CONTINUED) {
        if (stopped_at_ns_[role] != 0) board.stopped_ns += now_ns() - stopped_at_ns_[role];
        stopped_at_ns_[role] = 0;
      } else if (stopped_at_ns_[role] == 0) {
        stopped_at_ns_[role] = now_ns();
      }
      info = {};
    }
  }

  LaunchFailure stalled() const {
    std::string stopped, silent;
    for (unsigned role = 0; role < pids_.size(); ++role) {
      if (pids_[role] <= 0) continue;
      std::string& list = stopped_at_ns_[role] != 0 ? stopped : silent;
      if (!list.empty()) list += ", ";
      list += fmt::format("{} (after {} messages)", spec_.roles[role].name, progress_of(role));
    }
    if (!stopped.empty()) {
      return {LaunchFailure::Kind::failed, fmt::format("stopped by a signal: {}", stopped)};
    }
    return {LaunchFailure::Kind::failed,
            fmt::format("no message moved for {:g} s: {}", spec_.stall_s, silent)};
  }

  const LaunchSpec& spec_;
  LaunchBoard& board_;
  std::vector<pid_t> pids_;                   // 0 = reaped
  std::vector<std::uint64_t> stopped_at_ns_;  // 0 = not stopped now
  sigset_t old_signals_{};
  Descriptor signals_;
  Descriptor arrivals_;
  Severity severity_ = Severity::none;
  std::optional<LaunchFailure> worst_;
};

// The folder for names: the private tmpfs, or one of our own that is removed with the object.
class LaunchDirectory {
 public:
  explicit LaunchDirectory(const Isolation& isolation) : path_(isolation.directory) {
    if (isolation.namespaces) return;
    path_ += "/" + unique_name();
    if (mkdir(path_.c_str(), 0700) != 0) fail("mkdir " + path_);
    made_ = true;
  }
  ~LaunchDirectory() {
    if (!made_) return;
    std::error_code ignored;  // a killed role may have left files in it
    std::filesystem::remove_all(path_, ignored);
  }
  LaunchDirectory(const LaunchDirectory&) = delete;
  LaunchDirectory& operator=(const LaunchDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  bool made_ = false;
};

std::vector<Meeting> prepare_meetings(const Work& work, LaunchBoard& board, std::uint64_t deadline_ns) {
  std::vector<Meeting> meetings;
  for (unsigned link = 0; link < work.links(); ++link) {
    MeetingTable& table = board.meetings[link];
    table.senders_left.store(work.senders_of(link), std::memory_order_relaxed);
    meetings.emplace_back(table, deadline_ns);
  }
  return meetings;
}

[[noreturn]] void parent_main(const LaunchSpec& spec, Work& work, LaunchBoard& board, int lifeline,
                              const EdgeChannel* edges) {
  ignore_signals();
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  int status = 0;
  const auto failed = [&](const LaunchFailure& failure) {
    write_outcome(board, failure.kind, failure.reason);
    status = 1;
  };
  try {
    settle_in(spec.isolation, spec.limits);
    Layout(spec.layout_seed, 0).shift_mappings();
    const LaunchDirectory directory(spec.isolation);
    const std::uint64_t open_deadline_ns = now_ns() + static_cast<std::uint64_t>(spec.open_s * 1e9);
    std::vector<Meeting> meetings = prepare_meetings(work, board, open_deadline_ns);
    try {
      work.build(directory.path());
      Watch watch(spec, board);
      watch.fork_roles(work, meetings, edges);
      std::optional<LaunchFailure> failure = watch.until_opened(lifeline);
      work.drop();
      if (!failure) {
        board.start.store(1, std::memory_order_release);
        wake_all(board.start);
        failure = watch.until_finished(lifeline);
      }
      if (failure) failed(*failure);
    } catch (const Unsupported& error) {
      failed({LaunchFailure::Kind::unsupported, error.what()});
    } catch (const std::exception& error) {
      failed({LaunchFailure::Kind::failed, error.what()});
    }
    end_all_children(spec.isolation);
    work.end();
  } catch (const std::exception& error) {
    failed({LaunchFailure::Kind::failed, error.what()});
  }
  board.outcome_written = 1;
  _exit(status);
}

// Process outside the new namespaces that holds their first process. Its end is the end of all of them.
[[noreturn]] void keeper_main(const LaunchSpec& spec, Work& work, LaunchBoard& board, int lifeline,
                              const EdgeChannel* edges) {
  ignore_signals();
  try {
    enter_isolation(spec.isolation);
    const pid_t parent = fork();
    if (parent < 0) fail("fork into the new PID namespace");
    if (parent == 0) {
      die_with_parent(0);  // the keeper has no number in here; the lifeline covers the gap
      parent_main(spec, work, board, lifeline, edges);
    }
    int status = 0;
    while (waitpid(parent, &status, 0) < 0 && errno == EINTR) {
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 2);
  } catch (const std::exception& error) {
    write_outcome(board, LaunchFailure::Kind::failed, error.what());
    board.outcome_written = 1;
    _exit(1);
  }
}

}  // namespace

void Role::lock_memory() { board().memory_locked = mlockall(MCL_CURRENT | MCL_ONFAULT) == 0; }

void Role::keep_limit(const std::optional<CapacityFacts::Limit>& limit) {
  RoleBoard& own = board();
  own.has_limit = limit.has_value();
  if (!limit) return;
  own.limit_value = limit->value;
  copy_text(own.limit_unit, limit->unit);
  copy_text(own.limit_source, limit->source);
}

void Role::keep_figures(std::span<const MechanismFigure> figures) {
  std::span<MechanismFigureRecord> kept(board().mechanism_figures);
  if (figures.size() > kept.size()) throw std::length_error("figures of a mechanism: more than are kept");
  for (std::size_t i = 0; i < kept.size(); ++i) {
    const MechanismFigure figure = i < figures.size() ? figures[i] : MechanismFigure{};
    copy_text(kept[i].name, figure.name);
    copy_text(kept[i].unit, figure.unit);
    kept[i].value = figure.value;
  }
}

void Role::pass(TimedEdge edge) {
  if (own_edges == nullptr) return;
  LaunchBoard& shared = *launch_;
  const std::uint32_t passed = shared.edges_passed.load(std::memory_order_acquire);
  shared.at_edge.store(1, std::memory_order_relaxed);
  using About = EdgeChannel::Note::About;
  own_edges->send({index_, edge == TimedEdge::begin ? About::begin : About::end});
  while (shared.edges_passed.load(std::memory_order_acquire) == passed) {
    futex_wait(shared.edges_passed, passed);
  }
  shared.at_edge.store(0, std::memory_order_relaxed);
}

// The phase fields are plain: they are written before `phase` is released and read after it is acquired, and
// the lead writes the next ones only after every follower has left.
void Role::announce(Phase phase) {
  LaunchBoard& shared = *launch_;
  if (phase.kind == PhaseKind::timed) {
    pass(TimedEdge::begin);
    if (own_spec != nullptr && own_spec->watch != nullptr)
      shared.before_timed = own_spec->watch->read(SystemWatch::Look::before);
  }
  shared.phase_kind = phase.kind;
  shared.phase_messages = phase.messages;
  shared.entered.store(0, std::memory_order_relaxed);
  shared.left.store(0, std::memory_order_relaxed);
  shared.phase.store(++phase_, std::memory_order_release);
  wake_all(shared.phase);
  for (std::uint32_t entered; (entered = shared.entered.load(std::memory_order_acquire)) + 1 < roles_;) {
    futex_wait(shared.entered, entered);
  }
}

void Role::conclude() {
  for (std::uint32_t left; (left = launch_->left.load(std::memory_order_acquire)) + 1 < roles_;) {
    futex_wait(launch_->left, left);
  }
  if (launch_->phase_kind != PhaseKind::timed) return;
  if (own_spec != nullptr && own_spec->watch != nullptr)
    launch_->after_timed = own_spec->watch->read(SystemWatch::Look::after);
  pass(TimedEdge::end);
}

Phase Role::next_phase() {
  LaunchBoard& shared = *launch_;
  while (shared.phase.load(std::memory_order_acquire) == phase_) futex_wait(shared.phase, phase_);
  ++phase_;
  return {shared.phase_kind, shared.phase_messages};
}

void Role::enter() {
  // The meter runs already, so that nothing comes between entering and the first message; this call is none
  // of the mechanism's.
  std::atomic<std::uint32_t>& counting = board().examination.counting;
  const std::uint32_t counted = counting.exchange(0, std::memory_order_relaxed);
  launch_->entered.fetch_add(1, std::memory_order_acq_rel);
  wake_all(launch_->entered);
  counting.store(counted, std::memory_order_relaxed);
}

void Role::leave() {
  launch_->left.fetch_add(1, std::memory_order_acq_rel);
  wake_all(launch_->left);
}

SharedLaunchBoard::SharedLaunchBoard() {
  void* memory = mmap(nullptr, sizeof(LaunchBoard), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) fail("mmap of the launch's shared memory");
  board_ = static_cast<LaunchBoard*>(memory);  // zero pages are a valid, empty board
}

SharedLaunchBoard::~SharedLaunchBoard() { munmap(board_, sizeof(LaunchBoard)); }

std::optional<LaunchFailure> launch(const LaunchSpec& spec, Work& work, LaunchBoard& board) {
  if (spec.roles.empty() || spec.roles.size() > max_roles || work.links() > max_links) {
    throw std::length_error("launch: number of roles or links out of range");
  }
  static_cast<void>(align_clock());  // what it was before this launch is no longer of interest
  auto [lifeline_read, lifeline_write] = make_pipe("the launch's lifeline");
  auto [ended_read, ended_write] = make_pipe("the launch's end");
  std::optional<EdgeChannel> edges;
  if (spec.at_edge) edges.emplace(spec.roles.size());
  const pid_t runner = getpid();
  const pid_t child = fork();
  if (child < 0) fail("fork of the launch");
  if (child == 0) {
    die_with_parent(runner);
    lifeline_write.reset();
    ended_read.reset();
    const EdgeChannel* const roles_edges = edges ? &*edges : nullptr;
    if (spec.isolation.namespaces) keeper_main(spec, work, board, lifeline_read.get(), roles_edges);
    // Without namespaces the parent must outlive a killed runner for as long as it takes to remove what it
    // made.
    prctl(PR_SET_PDEATHSIG, 0);
    parent_main(spec, work, board, lifeline_read.get(), roles_edges);
  }
  lifeline_read.reset();
  ended_write.reset();
  if (edges) edges->keep_callers_end();

  std::array<pollfd, 3> events{pollfd{ended_read.get(), POLLIN, 0}, pollfd{spec.interrupt_fd, POLLIN, 0},
                               pollfd{edges ? edges->callers_end() : -1, POLLIN, 0}};
  while (poll(events.data(), events.size(), -1) < 0 || events[0].revents == 0) {
    if (events[1].revents != 0) {
      lifeline_write.reset();
      events[1].fd = events[2].fd = -1;
    } else if (events[2].revents != 0) {
      if (const std::optional<TimedEdge> edge = edges->receive()) {
        spec.at_edge(*edge, edges->role_pids());
        board.edges_passed.fetch_add(1, std::memory_order_release);
        wake_all(board.edges_passed);
      }
      events[2].fd = edges->callers_end();
    }
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (board.outcome_written == 0) {
    if (!spec.isolation.namespaces) remove_leftovers();
    return LaunchFailure{LaunchFailure::Kind::failed,
                         WIFSIGNALED(status)
                             ? fmt::format("launch parent: killed by signal {}", WTERMSIG(status))
                             : "launch parent: ended without a word"};
  }
  if (status == 0) return std::nullopt;
  return LaunchFailure{board.outcome_kind, board.outcome};
}

std::vector<RoleReport> role_reports(const LaunchSpec& spec, const LaunchBoard& board) {
  std::vector<RoleReport> reports;
  for (std::size_t index = 0; index < spec.roles.size(); ++index) {
    const RoleBoard& from = board.roles[index];
    const auto if_counted = [&from](std::uint64_t count) {
      return from.tries_counted ? std::optional(count) : std::nullopt;
    };
    reports.push_back({.role = spec.roles[index].name,
                       .asked_pus = spec.roles[index].asked_pus,
                       .granted_pus = {from.granted_pus, from.granted_pus + from.granted_pu_count},
                       .last_os_processor = from.last_os_processor,
                       .numa_node = from.numa_node,
                       .memory_bound = from.memory_bound,
                       .scheduler = from.scheduler,
                       .memory_locked = from.memory_locked,
                       .messages = from.timed_messages,
                       .empty_tries = if_counted(from.empty_tries),
                       .work_done = if_counted(from.work_done),
                       .stops = from.stops,
                       .stopped_ns = from.stopped_ns,
                       .cost = from.cost});
  }
  return reports;
}

}  // namespace ipcmark
