#include "workloads/pipeline.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "harness/batches.h"
#include "harness/descriptor.h"
#include "harness/fail.h"
#include "harness/memory_map.h"
#include "harness/text.h"
#include "workloads/affine.h"
#include "workloads/any_messages.h"

namespace ipcmark {
namespace {

// Positions on the source's board.
enum Figure : unsigned { serial_ns, serial_messages };

std::uint64_t filters_of(const Case& c) { return c.stages == 0 ? 1 : c.stages; }

std::vector<std::string> hop_names(const Case& c) {
  if (c.hops == "none") return std::vector(filters_of(c) + 1, c.transport);
  const std::vector<std::string_view> turns = split(c.hops, '+');
  std::vector<std::string> names;
  for (std::uint64_t hop = 0; hop <= filters_of(c); ++hop) names.emplace_back(turns[hop % turns.size()]);
  return names;
}

// A shell's own: a command reads a stream of bytes from one end and writes one to the other.
bool suits_commands(const TransportTraits& traits) {
  return !traits.duplex && traits.facts.unit == Facts::Unit::bytes;
}

// Starts the command between descriptors, of which it has copies. Throws std::system_error.
pid_t start_command(const std::string& command, int input, int output, int complaints = STDERR_FILENO) {
  const std::string replaced_by = "exec " + command;  // so that the process is the command's own
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) fail("fork of the filter " + command);
  if (child > 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(126);
  // What roles ignore, a command does not.
  for (const int signal_number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) signal(signal_number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  // Above the three, so that no copy overwrites another.
  std::array<int, 3> copies{input, output, complaints};
  for (int& copy : copies) copy = fcntl(copy, F_DUPFD_CLOEXEC, 3);
  for (int i = 0; i < 3; ++i) {
    if (copies[static_cast<unsigned>(i)] < 0 || dup2(copies[static_cast<unsigned>(i)], i) < 0) _exit(126);
  }
  execl("/bin/sh", "sh", "-c", replaced_by.c_str(), nullptr);
  _exit(127);
}

// Throws std::runtime_error when it did not end well.
void await_command(pid_t pid, const std::string& command) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) fail("waitpid of the filter " + command);
  }
  if (WIFSIGNALED(status)) {
    throw std::runtime_error(
        fmt::format("the filter '{}' was killed by signal {}", command, WTERMSIG(status)));
  }
  if (WEXITSTATUS(status) != 0) {
    throw std::runtime_error(
        fmt::format("the filter '{}' ended with status {}", command, WEXITSTATUS(status)));
  }
}

std::uint64_t cpu_ns_of(pid_t pid) {
  clockid_t clock;
  timespec time;
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) return 0;
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

// The first line of what a command had to say, after a colon; empty when it was silent.
std::string first_line_in(int complaints) {
  std::array<char, 200> text;
  const ssize_t got = pread(complaints, text.data(), text.size(), 0);
  const std::string_view line =
      split({text.data(), static_cast<std::size_t>(std::max<ssize_t>(0, got))}, '\n')[0];
  return line.empty() ? "" : ": " + std::string(line);
}

// What the command makes of each value of a byte. Throws std::runtime_error when it does not give back as
// many as it got while its input stays open.
std::array<unsigned char, 256> bytes_through(const std::string& command) {
  std::array<int, 2> to, from;
  if (pipe2(to.data(), O_CLOEXEC) != 0) fail("pipe2");
  Descriptor read_to(to[0]), write_to(to[1]);
  if (pipe2(from.data(), O_CLOEXEC) != 0) fail("pipe2");
  Descriptor read_from(from[0]), write_from(from[1]);
  const Descriptor complaints(memfd_create("ipcmark-complaints", MFD_CLOEXEC));
  if (!complaints) fail("memfd_create");
  const pid_t pid = start_command(command, read_to.get(), write_from.get(), complaints.get());
  read_to.reset();
  write_from.reset();

  std::array<unsigned char, 256> bytes{}, answer{};
  std::iota(bytes.begin(), bytes.end(), static_cast<unsigned char>(0));
  // So few fit into a pipe at once; EPIPE: it has ended already.
  const ssize_t written = write(write_to.get(), bytes.data(), bytes.size());
  if (written < 0 && errno != EPIPE) fail("write to the filter " + command);
  const bool taken = written == static_cast<ssize_t>(bytes.size());
  std::size_t answered = 0;
  constexpr int patience_ms = 2'000;
  pollfd ready{read_from.get(), POLLIN, 0};
  while (taken && answered < answer.size() && poll(&ready, 1, patience_ms) > 0) {
    const ssize_t count = ::read(read_from.get(), answer.data() + answered, answer.size() - answered);
    if (count <= 0) break;
    answered += static_cast<std::size_t>(count);
  }
  const bool ended = answered < answer.size() && (!taken || (ready.revents & POLLHUP) != 0);
  write_to.reset();
  if (answered < answer.size()) kill(pid, SIGKILL);
  unsigned char surplus;
  const bool more = answered == answer.size() && ::read(read_from.get(), &surplus, 1) > 0;
  read_from.reset();
  int status = 0;
  waitpid(pid, &status, 0);
  if (answered < answer.size()) {
    // What a shell answers for a command that it cannot find or may not execute (POSIX, 2.8.2).
    if (WIFEXITED(status) && (WEXITSTATUS(status) == 126 || WEXITSTATUS(status) == 127)) {
      throw std::runtime_error(
          fmt::format("the filter '{}' cannot be executed{}", command, first_line_in(complaints.get())));
    }
    throw std::runtime_error(fmt::format(
        "the filter '{}' {} {} of {} bytes while its input was open{}", command,
        ended ? "ended after passing on" : "passed on", answered, bytes.size(),
        ended ? first_line_in(complaints.get())
              : "; a command that collects its output needs `stdbuf -o0` before it, or its own such option"));
  }
  if (more) {
    throw std::runtime_error(fmt::format("the filter '{}' makes more bytes than it gets", command));
  }
  return answer;
}

// A file in memory of so many bytes, which goes with this object.
class MemoryFile {
 public:
  explicit MemoryFile(std::size_t bytes) : file_(memfd_create("ipcmark-serial", MFD_CLOEXEC)) {
    if (!file_ || ftruncate(file_.get(), static_cast<off_t>(bytes)) != 0) fail("memfd_create");
  }

  int fd() const { return file_.get(); }
  // Throws std::runtime_error when the file has another size.
  MemoryMap map(std::size_t bytes) const {
    struct stat status {};
    if (fstat(fd(), &status) != 0) fail("fstat of a file in memory");
    if (static_cast<std::size_t>(status.st_size) != bytes) {
      throw std::runtime_error(
          fmt::format("of {} bytes in a file the filter made {}", bytes, status.st_size));
    }
    if (bytes == 0) return {};
    void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd(), 0);
    if (memory == MAP_FAILED) fail("mmap of a file in memory");
    return {memory, bytes};
  }

 private:
  Descriptor file_;
};

}  // namespace

std::vector<RoleKind> Pipeline::roles(const Case& c) {
  std::vector<RoleKind> roles{{.name = "source 0", .sends = true, .counts = true}};
  for (std::uint64_t filter = 1; filter <= filters_of(c); ++filter) {
    roles.push_back({.name = fmt::format("filter {}", filter), .sends = true, .receives = true});
  }
  roles.push_back({.name = fmt::format("sink {}", roles.size()), .receives = true});
  return roles;
}

std::string Pipeline::unfit(const Case& c, const TransportTraits&) {
  if (c.stages > most_filters) return fmt::format("a pipeline has at most {} filters", most_filters);
  const std::vector<std::string> hops = hop_names(c);
  if (hops.front() != c.transport) {
    return fmt::format(
        "the hops {} begin over {}, and {} was asked for: leave the transport open, or ask for {}", c.hops,
        hops.front(), c.transport, hops.front());
  }
  if (const std::size_t named = split(c.hops, '+').size(); named > hops.size()) {
    return fmt::format("{} names {} hops, and there are {}: one more than filters", c.hops, named,
                       hops.size());
  }
  for (const std::string& hop : hops) {
    const TransportTraits& traits = registered_traits(hop);
    if (std::string reason = needs_bytes(traits.facts, name, hop); !reason.empty()) return reason;
    if (traits.facts.lossy) return fmt::format("a pipeline's hops must lose nothing, and {} may", hop);
    if (c.filter != "none" && !suits_commands(traits)) {
      return fmt::format("a command reads and writes one-way byte streams, which {} is not", hop);
    }
  }
  if (c.filter == "none") return {};
  if (c.send_wait != Wait::block || c.receive_wait != Wait::block) {
    return "a command waits by block; it knows no other way";
  }
  return c.work == 0 ? "" : "a command does its own work";
}

std::vector<Case> Pipeline::links_of(const Case& c) {
  std::vector<Case> links;
  for (const std::string& hop : hop_names(c)) {
    Case& link = links.emplace_back(c);
    link.transport = hop;
    link.stages = link.work = 0;
    link.hops = link.filter = "none";
  }
  return links;
}

void Pipeline::observe(const Case& c, const LaunchBoard& board, std::vector<Observation>& observations) {
  const RoleBoard& source = board.roles[0];
  if (source.figures[serial_messages] == 0) return;
  const RoleBoard& sink = board.roles[filters_of(c) + 1];
  const auto per_message = [](std::uint64_t ns, std::uint64_t messages) {
    return static_cast<double>(ns) / static_cast<double>(messages);
  };
  const double serial = per_message(source.figures[serial_ns], source.figures[serial_messages]);
  const double pipelined = per_message(sink.end_ns - source.begin_ns, source.timed_messages);
  observations.push_back({"serial_ns_per_message", "ns", serial});
  observations.push_back({"speedup", "ratio", serial / pipelined});
}

Pipeline::Pipeline(const Case& benchmark_case, const Shape& shape, const TrialOptions& options)
    : AnyWork(benchmark_case, shape, options), filters_(filters_of(benchmark_case)) {
  for (const std::string& hop : hop_names(case_)) {
    hops_.push_back(Registry::instance().find(hop));
    if (hops_.back() == nullptr) throw std::out_of_range("no transport is named " + hop);
  }
}

void Pipeline::build(const std::string& directory) {
  shape_.directory = directory;
  Shape shape = shape_;
  for (const TransportEntry* hop : hops_) {
    shape.transport = hop->traits.name;
    links_.build(shape, 1);
  }
  if (!has_command()) return;
  const ByteMap once = bytes_through(case_.filter);
  for (unsigned value = 0; value < once.size(); ++value) {
    auto byte = static_cast<unsigned char>(value);
    for (std::uint64_t filter = 0; filter < filters_; ++filter) byte = once[byte];
    command_maps_to_[value] = byte;
    command_maps_ = command_maps_ || byte != value;
  }
}

// Ends are opened in the order of the hops, as FIFOs need it.
void Pipeline::open(Role& role) {
  const unsigned index = role.index();
  if (index > 0) {
    from_ = open_any_receiver(links_[index - 1], hops_[index - 1]->traits.duplex, role.meeting(index - 1));
  }
  if (index <= filters_) to_ = links_[index].open_sender(0, role.meeting(index));
  role.keep_limit((to_ != nullptr ? to_ : from_)->limit());
  if (!has_command() || from_ == nullptr || to_ == nullptr) return;
  // The command has copies; what this process kept would withhold the end of the stream.
  command_ = start_command(case_.filter, from_->fd(), to_->fd());
  from_.reset();
  to_.reset();
}

void Pipeline::run(Role& role) {
  measure_cache_line(role);
  if (role.index() == 0) {
    run_source(role);
  } else if (role.index() > filters_) {
    run_sink(role);
  } else if (has_command()) {
    run_command(role);
  } else {
    run_filter(role);
  }
}

void Pipeline::run_source(Role& role) {
  RoleBoard& board = role.board();
  AnyWriter writer(case_.send_access, case_.message_bytes);
  role.lock_memory();
  CostMeter meter;
  std::uint64_t sequence = 0;
  lead_phases(role, options_, [&](std::uint64_t messages, bool timed) {
    if (timed) {
      meter.start();
      board.begin_ns = now_ns();
    }
    for (std::uint64_t i = 0; i < messages; ++i) {
      writer.write(*to_, [&](std::span<std::byte> message) { fill(message, 0, sequence, case_.touch); });
      role.moved(++sequence);
    }
    if (!timed) return;
    board.end_ns = now_ns();
    board.cost = meter.stop();
    board.timed_messages = messages;
  });
  finish(*to_);
  role.announce({PhaseKind::drain, 0});
  role.conclude();
  if (!has_command()) {
    run_serially(board);
  } else if (options_.fixed_messages == 0) {
    run_commands_serially(board);
  }
}

void Pipeline::run_filter(Role& role) {
  const Affine map = filter_of_stage(role.index() - 1);
  AnyReader reader(case_.receive_access, case_.message_bytes);
  AnyWriter writer(case_.send_access, case_.message_bytes);
  role.lock_memory();
  CostMeter meter;
  std::uint64_t passed = 0;
  const auto pass_on = [&](std::span<const std::byte> in) {
    do_work(case_.work);
    writer.write(*to_, [&](std::span<std::byte> out) { filter_words(in, out, map, case_.touch); });
    role.moved(++passed);
  };
  follow_phases(
      role, meter,
      [&](std::uint64_t messages, bool) {
        for (std::uint64_t i = 0; i < messages; ++i) reader.read(*from_, pass_on);
      },
      [&] {
        while (reader.read_unless_closed(*from_, pass_on)) {
        }
        finish(*to_);
      });
}

// The command moves the messages; this process only looks after it.
void Pipeline::run_command(Role& role) {
  CostMeter meter;
  std::uint64_t before_ns = 0, cpu_ns = 0;
  follow_phases(
      role, meter, [&](std::uint64_t, bool timed) { before_ns = timed ? cpu_ns_of(command_) : 0; },
      [&] {
        cpu_ns = cpu_ns_of(command_) - before_ns;
        await_command(command_, case_.filter);
      });
  role.board().cost = {.cpu_ns = cpu_ns, .run_delay_ns = std::nullopt};
}

void Pipeline::judge_mapped(SequenceChecker& checker, std::span<const std::byte> message,
                            std::span<std::byte> scratch) const {
  if (has_command()) {
    if (!command_maps_) return judge(checker, message, options_.every_byte, case_.touch);
    // No inverse: several bytes may have become the same. So what is expected goes the same way.
    const std::size_t compared =
        case_.touch == Touch::header ? std::min<std::size_t>(8, message.size()) : message.size();
    fill(scratch, 0, checker.next(), case_.touch);
    Reading reading = read(scratch, case_.touch);
    for (std::size_t i = 0; i < compared; ++i) {
      if (command_maps_to_[static_cast<unsigned char>(scratch[i])] != static_cast<unsigned char>(message[i]))
        ++reading.sum;
    }
    return checker.observe(reading);
  }
  const Affine all = filters_of_stages(filters_);
  if (!options_.every_byte) {
    return checker.observe(undone(read(message, case_.touch), message, all, case_.touch));
  }
  filter_words(message, scratch, all.inverse(), case_.touch);
  checker.observe_every_byte(scratch);
}

void Pipeline::run_sink(Role& role) {
  RoleBoard& board = role.board();
  SequenceChecker checker(0, case_.message_bytes, case_.touch);
  AnyReader reader(case_.receive_access, case_.message_bytes);
  MessageBuffer scratch(case_.message_bytes);
  role.lock_memory();
  CostMeter meter;
  std::uint64_t received = 0;
  const auto look = [&](std::span<const std::byte> message) {
    judge_mapped(checker, message, scratch.span());
  };
  const auto receive = [&] {
    reader.read(*from_, look);
    role.moved(++received);
  };
  follow_phases(
      role, meter,
      [&](std::uint64_t messages, bool timed) {
        if (!timed) {
          for (std::uint64_t i = 0; i < messages; ++i) receive();
          return;
        }
        receive();
        board.begin_ns = now_ns();
        board.messages_per_sample = record_windows(messages - 1, board.histogram, receive);
        board.end_ns = now_ns();
      },
      [&] {
        while (reader.read_unless_closed(*from_, look)) {
        }
        checker.finish(received);
      });
  board.integrity = checker.counts();
  board.integrity.every_byte = options_.every_byte;
}

// As many messages as take a while, and long against the commands' own start. That is taken off, as it takes
// over empty files: the commands that were timed had started before.
void Pipeline::run_commands_serially(RoleBoard& board) const {
  constexpr std::uint64_t long_enough_ns = 20'000'000, growth = 4;
  constexpr std::uint64_t fewest = 64 << 10, most = 64 << 20;
  const std::uint64_t start_ns = ns_of_commands_in_turn(0);
  for (std::uint64_t bytes = fewest;; bytes *= growth) {
    const std::uint64_t messages = bytes / case_.message_bytes + 1;
    const std::uint64_t elapsed_ns = ns_of_commands_in_turn(messages);
    if (elapsed_ns < start_ns + std::max(long_enough_ns, start_ns) && bytes < most) continue;
    board.figures[serial_ns] = elapsed_ns - std::min(elapsed_ns, start_ns);
    board.figures[serial_messages] = messages;
    return;
  }
}

// A file of so many messages is written, each filter makes a file of the one before, the last one is read.
std::uint64_t Pipeline::ns_of_commands_in_turn(std::uint64_t messages) const {
  const std::size_t message_bytes = case_.message_bytes, bytes = messages * message_bytes;
  MessageBuffer message(message_bytes);
  const auto place = [&](const MemoryMap& map, std::uint64_t i) {
    return map.bytes().data() + i * message_bytes;
  };
  const std::uint64_t begin_ns = now_ns();
  auto input = std::make_unique<MemoryFile>(bytes);
  {
    const MemoryMap map = input->map(bytes);
    for (std::uint64_t i = 0; i < messages; ++i) {
      fill(message.span(), 0, i, case_.touch);
      std::memcpy(place(map, i), message.span().data(), message_bytes);
    }
  }
  for (std::uint64_t filter = 0; filter < filters_; ++filter) {
    auto output = std::make_unique<MemoryFile>(0);
    await_command(start_command(case_.filter, input->fd(), output->fd()), case_.filter);
    if (lseek(output->fd(), 0, SEEK_SET) != 0) fail("lseek in a file in memory");
    input = std::move(output);
  }
  const MemoryMap map = input->map(bytes);
  for (std::uint64_t i = 0; i < messages; ++i) {
    std::memcpy(message.span().data(), place(map, i), message_bytes);
    keep(read(message.span(), case_.touch).sum);
  }
  return now_ns() - begin_ns;
}

// As many messages as were timed, or as many as take a while.
void Pipeline::run_serially(RoleBoard& board) const {
  constexpr std::uint64_t long_enough_ns = 20'000'000;
  constexpr std::uint64_t looks = 64;
  std::vector<std::byte> message(case_.message_bytes), next(case_.message_bytes);
  const std::uint64_t between_looks = board.timed_messages / looks + 1;
  std::uint64_t messages = 0, elapsed_ns = 0;
  const std::uint64_t begin_ns = now_ns();
  while (messages < board.timed_messages && elapsed_ns < long_enough_ns) {
    for (std::uint64_t i = 0; i < between_looks; ++i) {
      fill(message, 0, messages++, case_.touch);
      for (std::uint64_t filter = 0; filter < filters_; ++filter) {
        do_work(case_.work);
        filter_words(message, next, filter_of_stage(filter), case_.touch);
        std::swap(message, next);
      }
      keep(read(message, case_.touch).sum);
    }
    elapsed_ns = now_ns() - begin_ns;
  }
  board.figures[serial_ns] = elapsed_ns;
  board.figures[serial_messages] = messages;
}

}  // namespace ipcmark
