// The engine of a launch: forks a group of role processes around one piece of work, watches over them, and
// tells how it ended. It knows nothing of transports or of what is measured.
//
// Processes: the runner -> the keeper (enters new namespaces) -> the parent (process 1 of them: builds the
// links, forks and watches the roles) -> the roles. Without namespaces there is no keeper. Order: every role
// binds itself, opens its links in index order and arrives; the parent drops the links; the parent says
// start; every role runs to its end. A role that throws, dies or stops, and a group in which no message moves
// for `stall_s`, ends the launch: it is killed, reaped and named. When the runner dies the launch ends with
// it: the kernel closes its end of a pipe that the parent watches, and each child has asked for a signal at
// its parent's death (PR_SET_PDEATHSIG).
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/cache_line.h"
#include "harness/contract.h"
#include "harness/disturbance.h"
#include "harness/examination.h"
#include "harness/histogram.h"
#include "harness/isolation.h"
#include "harness/measurement.h"
#include "harness/meeting.h"

namespace ipcmark {

inline constexpr unsigned max_roles = 24;
inline constexpr unsigned max_links = 24;

// What binding a process gave; filled by the caller's `bind`.
struct Granted {
  std::vector<int> pus;  // hwloc logical indexes, read back
  int numa_node = -1;
  bool memory_bound = false;
};

struct RolePlan {
  std::string name;            // "sender 0"
  std::vector<int> asked_pus;  // empty: unpinned
};

// One phase of the work: the lead, role 0, names the number of messages; every role moves them; all meet
// again.
enum class PhaseKind : std::uint32_t { warm_up, timed, drain };
struct Phase {
  PhaseKind kind;
  std::uint64_t messages;
};

// Just before the timed part, and just after all have left it.
enum class TimedEdge : std::uint8_t { begin, end };

// ---- Memory shared by the processes of a launch. Plain data and lock-free atomics only. ----

enum class RoleState : std::uint32_t { forked, opened, finished, unsupported, failed };

// Of something else than what the workload mainly times.
struct FurtherSamples {
  char of[24];  // Distribution::of; empty: not used
  Histogram histogram;
};

struct MechanismFigureRecord {
  char name[40];  // empty: there is none here, nor after it
  char unit[24];
  double value;
};

struct RoleBoard {
  alignas(128) std::atomic<std::uint64_t> progress;  // messages moved so far; written by this role alone
  alignas(128) std::atomic<RoleState> state;
  char failure[512];
  int granted_pus[1024];
  std::uint32_t granted_pu_count;
  int last_os_processor;
  int numa_node;
  char scheduler[16];
  bool memory_bound;
  bool memory_locked;
  bool has_limit;
  std::uint64_t limit_value;
  char limit_unit[16];
  char limit_source[64];
  std::uint64_t begin_ns;  // of the timed part, as this role saw it
  std::uint64_t end_ns;
  std::uint64_t timed_messages;
  std::uint64_t timed_bytes;  // sent, of a mix of sizes
  std::uint64_t warm_up_messages;
  WarmUpReport warm_up;
  std::uint64_t messages_per_sample;  // of the histogram; 0 when this role keeps none
  bool tries_counted;                 // whether empty_tries and work_done are told
  std::uint64_t dropped;              // messages given up by this sender, over the whole launch
  std::uint64_t timed_dropped;        // of these, in the timed part
  std::uint64_t empty_tries;
  std::uint64_t work_done;
  std::uint64_t figures[8];  // for whatever else a piece of work tells its caller
  MechanismFigureRecord mechanism_figures[6];
  std::uint64_t stops;  // by signals; written by the launch's parent
  std::uint64_t stopped_ns;
  RoleCost cost;
  ExaminationBoard examination;
  Integrity integrity;
  char invalid[256];    // why the launch's figures are not to be used; empty: for no reason of this role
  Histogram histogram;  // zero pages until used, as the next ones
  FurtherSamples further[2];
};

struct LaunchBoard {
  std::atomic<std::uint32_t> start;               // futex: 1 = all links are open and dropped
  alignas(128) std::atomic<std::uint32_t> phase;  // futex: number of the phase announced last
  std::atomic<std::uint32_t> entered;             // futex: followers that entered it
  std::atomic<std::uint32_t> left;                // futex: followers that finished it
  PhaseKind phase_kind;
  std::uint64_t phase_messages;
  alignas(128) std::atomic<std::uint64_t> tickets[4];  // for handshakes of a piece of work's own
  std::uint32_t outcome_written;
  LaunchFailure::Kind outcome_kind;
  char outcome[768];  // the reason of a failure; empty when all went well
  CacheLinePair cache_line;
  double cache_line_round_trip_ns;  // 0 = not measured
  SystemCounters before_timed, after_timed;
  std::atomic<std::uint32_t> at_edge;       // 1 while the lead waits for LaunchSpec::at_edge to return
  std::atomic<std::uint32_t> edges_passed;  // futex: how often it has returned
  MeetingTable meetings[max_links];
  RoleBoard roles[max_roles];
};

// ---- What runs inside ----

// The role's own view, in its own process.
class Role {
 public:
  Role(unsigned index, unsigned roles, LaunchBoard& board, std::vector<Meeting>& meetings)
      : index_(index), roles_(roles), launch_(&board), meetings_(&meetings) {}

  unsigned index() const { return index_; }
  RoleBoard& board() { return launch_->roles[index_]; }
  LaunchBoard& launch() { return *launch_; }
  Meeting& meeting(unsigned link) const { return meetings_->at(link); }

  // Counted after each message; a plain store to a line of its own.
  void moved(std::uint64_t messages_so_far) {
    launch_->roles[index_].progress.store(messages_so_far, std::memory_order_relaxed);
  }
  // Locks what this role has touched and will touch of what is mapped by now, as far as the kernel allows it.
  void lock_memory();
  void keep_limit(const std::optional<CapacityFacts::Limit>& limit);
  // In the place of those kept before. Throws std::length_error when they are more than a board holds.
  void keep_figures(std::span<const MechanismFigure> figures);

  // Lead (role 0): announces a phase and returns once all other roles are in it.
  void announce(Phase phase);
  // Lead: returns once all other roles have left the phase.
  void conclude();
  // Others: the next phase, once announced. The lead goes on only after enter().
  Phase next_phase();
  void enter();
  // Others: this role has done its part of the phase.
  void leave();

 private:
  void pass(TimedEdge edge);

  unsigned index_;
  unsigned roles_;
  std::uint32_t phase_ = 0;
  LaunchBoard* launch_;
  std::vector<Meeting>* meetings_;
};

// One launch's work over some transport, chosen once per launch; per message nothing here is called.
class Work {
 public:
  virtual ~Work() = default;
  virtual unsigned links() const = 0;
  virtual unsigned senders_of(unsigned link) const = 0;
  // In the launch's parent, before the roles exist. Throws Unsupported.
  virtual void build(const std::string& directory) = 0;
  // In the role's own process, after binding. Takes the endpoints it needs; what is left of the links is
  // dropped by the engine through drop().
  virtual void open(Role& role) = 0;
  // In the parent once all roles have opened, and in each role after open().
  virtual void drop() = 0;
  virtual void run(Role& role) = 0;
  // In the parent after the last role has ended: removes what could not be removed while in use.
  virtual void end() = 0;
};

struct LaunchSpec {
  std::vector<RolePlan> roles;
  Isolation isolation;
  Limits limits = Limits::host;
  std::string sched = "other";
  double open_s = 20;   // from the fork until every role has opened its links
  double stall_s = 10;  // without any message moving
  // In the role's process, before it touches memory; may throw. Default: binds nothing.
  std::function<Granted(const std::vector<int>& asked_pus)> bind = {};
  // Decides where the launch's mappings lie and how deep its roles' stacks begin, which processes that are
  // forked inherit, and which a new program would draw anew. nullopt: as inherited.
  std::optional<std::uint64_t> layout_seed = {};
  // What to look at around the timed part; not owned. nullptr: nothing.
  const SystemWatch* watch = nullptr;
  // Called in the process that called launch(), outside all namespaces, while the lead waits for it at either
  // edge; it gets the roles' process numbers as they are there. May take its time, must not throw. Not called
  // once the launch was interrupted.
  std::function<void(TimedEdge edge, const std::vector<pid_t>& roles)> at_edge = {};
  // For a launch that is not timed: what to look at in the roles during their timed part.
  Examine examine = Examine::nothing;
  int interrupt_fd = -1;  // readable = give up: the launch ends as failed with "interrupted"
};

// An owner of the shared mapping; unmapped with the object.
class SharedLaunchBoard {
 public:
  SharedLaunchBoard();
  ~SharedLaunchBoard();
  SharedLaunchBoard(const SharedLaunchBoard&) = delete;
  SharedLaunchBoard& operator=(const SharedLaunchBoard&) = delete;
  LaunchBoard& operator*() const { return *board_; }
  LaunchBoard* operator->() const { return board_; }

 private:
  LaunchBoard* board_;
};

// Runs the work to its end in processes of its own; nothing of them is left when it returns, and the board
// then holds what the roles wrote. nullopt = every role finished. Throws std::system_error only for what
// befalls the caller itself (fork, mmap). Not thread-safe: one launch at a time in a process.
std::optional<LaunchFailure> launch(const LaunchSpec& spec, Work& work, LaunchBoard& board);

// The roles as the result file tells them.
std::vector<RoleReport> role_reports(const LaunchSpec& spec, const LaunchBoard& board);

}  // namespace ipcmark
