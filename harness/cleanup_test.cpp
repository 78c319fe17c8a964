#include "harness/cleanup.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>

#include "harness/isolation.h"

namespace ipcmark {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

// Runs `deed` in a process that has ended when this returns.
void by_a_process_that_ends(const std::function<void()>& deed) {
  const pid_t pid = fork();
  if (pid == 0) {
    deed();
    _exit(0);
  }
  waitpid(pid, nullptr, 0);
}

void write_to(const fs::path& path) { std::ofstream(path) << "left behind"; }

// unique_name() of a process that has ended.
std::string name_of_the_dead() {
  const pid_t pid = fork();
  if (pid == 0) _exit(0);
  waitpid(pid, nullptr, 0);
  return "ipcmark-" + std::to_string(pid) + "-0123456789abcdef";
}

TEST(Cleanup, RemovesSharedMemoryAndFoldersOfTheDead) {
  const std::string name = name_of_the_dead();
  const fs::path object = fs::path("/dev/shm") / name, folder = fs::path("/tmp") / name;
  write_to(object);
  fs::create_directories(folder / "deeper");
  write_to(folder / "deeper" / "file");
  const std::vector<std::string> removed = remove_leftovers();
  EXPECT_THAT(removed, Contains("shared memory " + object.string()));
  EXPECT_THAT(removed, Contains("folder " + folder.string()));
  EXPECT_FALSE(fs::exists(object));
  EXPECT_FALSE(fs::exists(folder));
  EXPECT_THAT(remove_leftovers(), Not(Contains(HasSubstr(name)))) << "told twice";
}

TEST(Cleanup, LooksIntoTheTemporaryDirectoryThatIsSet) {
  const fs::path chosen = fs::path(testing::TempDir()) / unique_name();
  const fs::path left = chosen / name_of_the_dead();
  fs::create_directories(left);
  const char* set = std::getenv("TMPDIR");
  const std::string before = set == nullptr ? "" : set;
  setenv("TMPDIR", chosen.c_str(), 1);
  const std::vector<std::string> removed = remove_leftovers();
  if (set == nullptr) {
    unsetenv("TMPDIR");
  } else {
    setenv("TMPDIR", before.c_str(), 1);
  }
  EXPECT_THAT(removed, Contains("folder " + left.string()));
  EXPECT_FALSE(fs::exists(left));
  fs::remove_all(chosen);
}

TEST(Cleanup, LeavesWhatBelongsToTheLivingOrToOthers) {
  const std::string dead = name_of_the_dead();
  const std::vector<fs::path> kept{
      fs::path("/dev/shm") / unique_name(),                   // this process lives
      fs::path("/dev/shm") / ("not-" + dead),                 // another's name
      fs::path("/dev/shm") / "ipcmark-notes",                 // no pid in it
      fs::path("/dev/shm") / dead.substr(0, dead.rfind('-'))  // nothing after the pid
  };
  for (const fs::path& path : kept) write_to(path);
  remove_leftovers();
  for (const fs::path& path : kept) {
    EXPECT_TRUE(fs::exists(path)) << path;
    fs::remove(path);
  }
}

TEST(Cleanup, RemovesSystemVSharedMemoryWhoseMakerIsDead) {
  const int key = unique_sysv_key();
  by_a_process_that_ends([&] { shmget(key, 100, IPC_CREAT | IPC_EXCL | 0600); });
  ASSERT_GE(shmget(key, 0, 0), 0);
  EXPECT_THAT(remove_leftovers(), Contains(HasSubstr("System V shared memory")));
  EXPECT_EQ(shmget(key, 0, 0), -1);
}

TEST(Cleanup, RemovesASystemVSemaphoreOnlyWhenWhoTouchedItLastIsDead) {
  const int own = semget(unique_sysv_key(), 1, IPC_CREAT | IPC_EXCL | 0600);
  ASSERT_GE(own, 0);
  ASSERT_EQ(semctl(own, 0, SETVAL, 0), 0);
  const key_t key = unique_sysv_key();
  const pid_t child = fork();
  if (child == 0) {
    const int made = semget(key, 1, IPC_CREAT | IPC_EXCL | 0600);
    _exit(made >= 0 && semctl(made, 0, SETVAL, 0) == 0 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  EXPECT_THAT(remove_leftovers(), Contains(HasSubstr("System V semaphore")));
  EXPECT_EQ(semget(key, 0, 0), -1);
  EXPECT_EQ(semctl(own, 0, GETVAL), 0) << "its maker is alive";
  semctl(own, 0, IPC_RMID);
}

TEST(Cleanup, LeavesSystemVObjectsOfTheLivingAndOfOthers) {
  const int own = shmget(unique_sysv_key(), 100, IPC_CREAT | IPC_EXCL | 0600);
  ASSERT_GE(own, 0);
  int foreign_key = unique_sysv_key() ^ (1 << 30);
  by_a_process_that_ends([&] { shmget(foreign_key, 100, IPC_CREAT | IPC_EXCL | 0600); });
  // A queue does not tell who made it, and this one is young.
  const int queue = msgget(unique_sysv_key(), IPC_CREAT | IPC_EXCL | 0600);
  ASSERT_GE(queue, 0);
  remove_leftovers();
  shmid_ds segment;
  msqid_ds messages;
  EXPECT_EQ(shmctl(own, IPC_STAT, &segment), 0);
  const int foreign = shmget(foreign_key, 0, 0);
  EXPECT_GE(foreign, 0);
  EXPECT_EQ(msgctl(queue, IPC_STAT, &messages), 0);
  shmctl(own, IPC_RMID, nullptr);
  shmctl(foreign, IPC_RMID, nullptr);
  msgctl(queue, IPC_RMID, nullptr);
}

TEST(Cleanup, SaysWhatItCouldNotLookAt) {
  std::ifstream mounts("/proc/self/mounts");
  const std::string all{std::istreambuf_iterator<char>(mounts), {}};
  const bool mounted = all.find(" mqueue ") != std::string::npos;
  const std::vector<std::string> lines = remove_leftovers();
  const bool said = std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
    return line.starts_with("(POSIX message queues");
  });
  EXPECT_NE(mounted, said);
}

}  // namespace
}  // namespace ipcmark
