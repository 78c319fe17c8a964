#include "results/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "results/json_lines.h"

namespace ipcmark {
namespace {

std::string whole_lines(const std::string& path) {
  std::string text = read_text_file(path);
  const auto last_newline = text.rfind('\n');
  text.resize(last_newline == text.npos ? 0 : last_newline + 1);
  return text;
}

// What decides the cases: neither where the result goes nor how long and how loudly this part of the run may
// go on.
std::vector<std::string> what_counts(const std::vector<std::string>& command_line) {
  std::vector<std::string> words;
  for (std::size_t i = 1; i < command_line.size(); ++i) {
    const std::string& word = command_line[i];
    if (word == "--resume" || word == "--quiet" || word.starts_with("--output=") ||
        word.starts_with("--time-limit=")) {
      continue;
    }
    if (word == "-o" || word == "--output" || word == "--time-limit") {
      ++i;
    } else {
      words.push_back(word);
    }
  }
  return words;
}

// All of a result in one piece, so that no kill leaves a journal that holds less than the result file beside
// it.
std::string journal_lines(const ResultFile& results) {
  std::string lines = journal_line(results.header);
  for (const SkipRecord& skip : results.skips) lines += '\n' + journal_line(skip);
  for (const LaunchRecord& launch : results.launches) lines += '\n' + journal_line(launch);
  for (const FailureRecord& failure : results.failures) lines += '\n' + journal_line(failure);
  return lines;
}

File open_journal(const std::string& result_path, const std::string& path, const RunHeader& header,
                  bool resume) {
  require_replaceable(result_path);
  if (resume) {
    if (const auto held = Journal::held(result_path)) require_same_run(held->header, header, result_path);
  }
  if (!resume && std::filesystem::exists(path)) {
    throw FileError(fmt::format(
        "{}: an unfinished run is kept here; go on with it by --resume, or remove the file to start anew",
        path));
  }
  File file(path, O_RDWR | O_CREAT | O_APPEND | (resume ? 0 : O_EXCL));
  if (::flock(file.descriptor(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) throw_errno("flock", path);
    throw FileError(fmt::format("{}: another run is writing it", path));
  }
  return file;
}

}  // namespace

std::string journal_path(const std::string& result_path) { return result_path + ".journal"; }

std::map<std::string, std::set<unsigned>> rounds_done(const ResultFile& held) {
  std::map<std::string, std::set<unsigned>> rounds;
  for (const LaunchRecord& launch : held.launches)
    rounds[case_id(launch.benchmark_case)].insert(launch.round);
  for (const FailureRecord& failure : held.failures) {
    rounds[case_id(failure.benchmark_case)].insert(failure.round);
  }
  return rounds;
}

void require_same_run(const RunHeader& held, const RunHeader& wanted, const std::string& file) {
  const auto require = [&file](bool same, std::string_view what, const auto& its, const auto& ours) {
    if (same) return;
    throw FileError(fmt::format("{}: cannot resume: its {} is {}, this run's is {}", file, what, its, ours));
  };
  const auto line = [](const RunHeader& header) {
    return fmt::format("\"{}\"", fmt::join(what_counts(header.command_line), " "));
  };
  require(held.machine.fingerprint == wanted.machine.fingerprint, "machine", held.machine.fingerprint,
          wanted.machine.fingerprint);
  require(held.version == wanted.version, "version of ipcmark", held.version, wanted.version);
  require(held.suite == wanted.suite, "suite", held.suite, wanted.suite);
  require(held.seed == wanted.seed, "seed", held.seed, wanted.seed);
  require(held.launches == wanted.launches, "number of launches", held.launches, wanted.launches);
  require(held.min_time_ns == wanted.min_time_ns, "min_time (ns)", held.min_time_ns, wanted.min_time_ns);
  require(what_counts(held.command_line) == what_counts(wanted.command_line), "command line", line(held),
          line(wanted));
}

std::optional<ResultFile> Journal::held(const std::string& result_path) {
  const std::string path = journal_path(result_path);
  if (std::filesystem::exists(path)) {
    if (const std::string text = whole_lines(path); !text.empty()) return parse_results(text, path);
  }
  if (std::filesystem::exists(result_path)) return read_results(result_path);
  return {};
}

Journal::Journal(const std::string& result_path, const RunHeader& header, bool resume)
    : result_path_(result_path),
      path_(journal_path(result_path)),
      file_(open_journal(result_path_, path_, header, resume)) {
  const std::string text = whole_lines(path_);
  if (::ftruncate(file_.descriptor(), static_cast<off_t>(text.size())) != 0) throw_errno("ftruncate", path_);
  const std::optional<ResultFile> held = resume ? Journal::held(result_path_) : std::nullopt;
  if (held) {
    for (const SkipRecord& skip : held->skips) skipped_.insert(case_id(skip.benchmark_case));
  }
  if (text.empty()) append_line(held ? journal_lines(*held) : journal_line(header));
}

void Journal::append(const LaunchRecord& launch) { append_line(journal_line(launch)); }

void Journal::append(const FailureRecord& failure) { append_line(journal_line(failure)); }

void Journal::append(const SkipRecord& skip) {
  if (skipped_.insert(case_id(skip.benchmark_case)).second) append_line(journal_line(skip));
}

ResultFile Journal::assemble(const End& end) {
  ResultFile results = read_results(path_);
  results.finished = end.finished;
  results.complete = end.complete;
  results.interrupted = end.interrupted;
  results.wall_s = end.wall_s;
  write_results(result_path_, results);
  if (::unlink(path_.c_str()) != 0) throw_errno("unlink", path_);
  return results;
}

void Journal::append_line(std::string line) {
  line += '\n';
  const off_t size = ::lseek(file_.descriptor(), 0, SEEK_END);
  if (size < 0) throw_errno("lseek", path_);
  try {
    file_.write(line);
  } catch (const std::system_error&) {
    // A part of a line in the middle would spoil all that follows; if this fails too, the last line is torn,
    // which every reader knows.
    [[maybe_unused]] const int result = ::ftruncate(file_.descriptor(), size);
    throw;
  }
}

}  // namespace ipcmark
