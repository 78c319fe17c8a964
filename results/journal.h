// What a run has found so far, kept so that a crash, a kill or a full disk loses one launch at most.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "results/file_io.h"
#include "results/result_file.h"

namespace ipcmark {

// RESULT.journal
std::string journal_path(const std::string& result_path);

// Per case id, the rounds that need no launch any more: measured or failed.
std::map<std::string, std::set<unsigned>> rounds_done(const ResultFile& held);

// Whether a run can go on where `held` stopped: same suite, seed, launches, min_time, command line and
// machine. Of the command line, the program's path, --resume, --quiet, --output and --time-limit do not
// count. Throws FileError "FILE: ..." that names what differs.
void require_same_run(const RunHeader& held, const RunHeader& wanted, const std::string& file);

// JSON Lines beside the result file. Each append is one whole line, handed to the kernel before it returns,
// so it outlives this process. One process may hold a journal at a time. Not thread-safe. A child must not
// use its copy.
class Journal {
 public:
  // What there is to resume: the journal, else the result file (of a run that was interrupted, or that is
  // complete and has nothing left to do); nullopt when there is neither. Throws FileError.
  static std::optional<ResultFile> held(const std::string& result_path);

  // Starts a journal. With `resume` goes on with what held() says, after dropping a journal's torn last line.
  // Throws FileError when a journal exists and is not to be resumed, what is held does not fit `header`
  // (require_same_run), or another run writes it; std::system_error when it, or later the result file, cannot
  // be written.
  Journal(const std::string& result_path, const RunHeader& header, bool resume);

  // Throws std::system_error; then the journal holds what it held before.
  void append(const LaunchRecord& launch);
  void append(const FailureRecord& failure);
  void append(const SkipRecord& skip);  // a case already skipped is not written again

  // How the run ended.
  struct End {
    std::string finished;
    bool complete = false;
    bool interrupted = false;
    double wall_s = 0;
  };
  // Writes the result file from the journal and removes the journal. Returns what was written. Throws as
  // write_results does; then the journal stays.
  ResultFile assemble(const End& end);

 private:
  void append_line(std::string line);

  std::string result_path_;
  std::string path_;
  File file_;
  std::set<std::string> skipped_;
};

}  // namespace ipcmark
