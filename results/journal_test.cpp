#include "results/journal.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <sstream>
#include <system_error>

#include "results/sample_results.h"
#include "results/temporary_directory.h"

namespace ipcmark {
namespace {

using sample::document_of;
using sample::file_error_of;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

class JournalTest : public testing::Test {
 protected:
  void fill(Journal& journal, std::size_t first = 0) const {
    for (const SkipRecord& skip : results_.skips) journal.append(skip);
    for (std::size_t i = first; i < results_.launches.size(); ++i) journal.append(results_.launches[i]);
    for (const FailureRecord& failure : results_.failures) journal.append(failure);
  }

  const TemporaryDirectory directory_;
  const std::string path_ = directory_ / "results.json";
  const std::string journal_path_ = journal_path(path_);
  const ResultFile results_ = sample::results(2);
  const Journal::End end_{results_.finished, true, false, results_.wall_s};
};

TEST_F(JournalTest, IsAssembledToTheResultFileAndIsGone) {
  Journal journal(path_, results_.header, false);
  fill(journal);
  journal.assemble(end_);
  EXPECT_EQ(contents(path_), document_of(results_));
  EXPECT_EQ(directory_.entries(), 1U);
}

TEST_F(JournalTest, IsReadAsAResultFileThatIsNotComplete) {
  Journal journal(path_, results_.header, false);
  fill(journal);
  const ResultFile read = read_results(journal_path_);
  EXPECT_FALSE(read.complete);
  EXPECT_EQ(read.launches.size(), 4U);
  EXPECT_EQ(read.failures.size(), 1U);
  EXPECT_EQ(read.skips.size(), 1U);
  EXPECT_EQ(read.header.machine.pus.size(), 2U);
}

TEST_F(JournalTest, HoldsEveryLineThatAppendReturnedFromWhenItsProcessIsKilled) {
  const pid_t child = ::fork();
  if (child == 0) {
    Journal journal(path_, results_.header, false);
    journal.append(results_.launches[0]);
    ::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(read_results(journal_path_).launches.size(), 1U);
}

TEST_F(JournalTest, LosesOnlyATornLastLine) {
  {
    Journal journal(path_, results_.header, false);
    fill(journal);
  }
  const std::string whole = contents(journal_path_);
  for (const std::size_t torn : {std::size_t{1}, std::size_t{40}}) {
    overwrite(journal_path_, whole.substr(0, whole.size() - torn));
    const ResultFile read = read_results(journal_path_);
    EXPECT_EQ(read.launches.size(), 4U);
    EXPECT_EQ(read.failures.size(), 0U);
  }
}

TEST_F(JournalTest, IsResumedWhereItWasTorn) {
  {
    Journal journal(path_, results_.header, false);
    journal.append(results_.skips[0]);
    journal.append(results_.launches[0]);
    journal.append(results_.launches[1]);
  }
  const std::string whole = contents(journal_path_);
  overwrite(journal_path_, whole.substr(0, whole.size() - 7));

  const auto held = Journal::held(path_);
  ASSERT_TRUE(held);
  EXPECT_EQ(rounds_done(*held),
            (std::map<std::string, std::set<unsigned>>{{case_id(sample::ping_pong_over_pipe()), {1}}}));
  Journal journal(path_, results_.header, true);
  fill(journal, 1);  // skips once more: a run that goes on need not know
  journal.assemble(end_);
  EXPECT_EQ(contents(path_), document_of(results_));
}

TEST_F(JournalTest, IsMadeAnewFromTheResultOfAnInterruptedRun) {
  {
    Journal journal(path_, results_.header, false);
    journal.append(results_.skips[0]);
    journal.append(results_.launches[0]);
    journal.assemble({results_.finished, false, true, 20});
  }
  const auto held = Journal::held(path_);
  ASSERT_TRUE(held);
  EXPECT_TRUE(held->interrupted);
  EXPECT_EQ(held->wall_s, 20);
  RunHeader other = results_.header;
  other.seed = 5;
  EXPECT_THAT(file_error_of([&] { Journal(path_, other, true); }),
              StartsWith(path_ + ": cannot resume: its seed"));
  EXPECT_EQ(directory_.entries(), 1U) << "no journal of a run that cannot be";

  Journal journal(path_, results_.header, true);
  fill(journal, 1);
  journal.assemble(end_);
  EXPECT_EQ(contents(path_), document_of(results_));
}

TEST_F(JournalTest, CountsAFailedRoundAsDone) {
  const auto rounds = rounds_done(results_);
  EXPECT_EQ(rounds.at(case_id(sample::stream_over_ring())), (std::set<unsigned>{1, 2, 3}));
}

TEST_F(JournalTest, IsNeverOverwrittenUnasked) {
  { Journal journal(path_, results_.header, false); }
  const std::string before = contents(journal_path_);
  EXPECT_THAT(file_error_of([&] { Journal(path_, results_.header, false); }),
              AllOf(StartsWith(journal_path_ + ": "), HasSubstr("--resume"), HasSubstr("remove")));
  EXPECT_EQ(contents(journal_path_), before);
}

TEST_F(JournalTest, IsResumedOnlyByTheSameRun) {
  { Journal journal(path_, results_.header, false); }
  const auto error_after = [&](auto change) {
    RunHeader wanted = results_.header;
    change(wanted);
    return file_error_of([&] { Journal(path_, wanted, true); });
  };
  EXPECT_THAT(error_after([](RunHeader& h) { h.seed = 5; }),
              HasSubstr("cannot resume: its seed is 18446744073709551615, this run's is 5"));
  EXPECT_THAT(error_after([](RunHeader& h) { h.suite = "full"; }), HasSubstr("its suite is quick"));
  EXPECT_THAT(error_after([](RunHeader& h) { h.machine.fingerprint = "beef"; }),
              HasSubstr("its machine is f00d"));
  EXPECT_THAT(error_after([](RunHeader& h) { h.min_time_ns = 1; }),
              HasSubstr("its min_time (ns) is 120000000"));
  EXPECT_THAT(error_after([](RunHeader& h) { h.command_line.push_back("x"); }),
              HasSubstr("its command line is"));
  EXPECT_EQ(error_after([](RunHeader& h) {
              h.command_line[0] = "/opt/ipcmark";
              h.command_line.push_back("--resume");
            }),
            "no error");
}

TEST_F(JournalTest, BelongsToOneRunAtATime) {
  Journal journal(path_, results_.header, false);
  EXPECT_THAT(file_error_of([&] { Journal(path_, results_.header, true); }),
              HasSubstr("another run is writing it"));
}

TEST_F(JournalTest, StartsAnewWhenNotEvenItsHeaderIsWhole) {
  overwrite(journal_path_, R"({"type":"header","vers)");
  EXPECT_FALSE(Journal::held(path_));
  Journal journal(path_, results_.header, true);
  EXPECT_EQ(read_results(journal_path_).header.suite, "quick");
}

TEST_F(JournalTest, TellsAtOnceWhatCannotBeWritten) {
  EXPECT_THROW(Journal(directory_ / "missing/results.json", results_.header, false), std::system_error);
  std::filesystem::create_directory(directory_ / "taken");
  EXPECT_THROW(Journal(directory_ / "taken", results_.header, false), std::system_error);
  EXPECT_EQ(directory_.entries(), 1U) << "no journal of a run that cannot be";
}

// A full disk, by way of RLIMIT_FSIZE, in a child because the limit is the process's.
TEST_F(JournalTest, KeepsWholeLinesWhenTheDiskIsFull) {
  const pid_t child = ::fork();
  if (child == 0) {
    Journal journal(path_, results_.header, false);
    journal.append(results_.launches[0]);
    ::signal(SIGXFSZ, SIG_IGN);
    const rlim_t size = std::filesystem::file_size(journal_path_) + 100;
    const rlimit limit{size, size};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    try {
      journal.append(results_.launches[1]);
    } catch (const std::system_error& error) {
      ::_exit(error.code() == std::errc::file_too_large ? 0 : 2);
    }
    ::_exit(1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(contents(journal_path_).back(), '\n');
  EXPECT_EQ(read_results(journal_path_).launches.size(), 1U);
}

TEST_F(JournalTest, NamesTheLineOfWhatIsWrong) {
  { Journal journal(path_, results_.header, false); }
  const std::string header = contents(journal_path_);
  const auto error_with = [&](const std::string& text) {
    overwrite(journal_path_, text);
    return file_error_of([&] { read_results(journal_path_); });
  };
  EXPECT_THAT(error_with(header + "{oops\n"), StartsWith(journal_path_ + ":2:2: not valid JSON"));
  EXPECT_THAT(error_with(header + "{\"type\":\"lunch\"}\n"),
              StartsWith(journal_path_ + ":2: type: must be header, launch, failure or skip"));
  EXPECT_THAT(error_with(header + "{\"type\":\"skip\"}\n"),
              StartsWith(journal_path_ + ":2: has no \"case\""));
  EXPECT_THAT(error_with(header + header), HasSubstr(":2: a journal has one header"));
  EXPECT_THAT(error_with("{\"type\":\"skip\"}\n"), HasSubstr(":1: a journal has one header"));
}

}  // namespace
}  // namespace ipcmark
