// What a file is beside what every transport is, and the manners of it that stand in no list.

#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "harness/clock.h"
#include "harness/isolation.h"
#include "harness/meeting.h"
#include "workloads/test_trial.h"

namespace ipcmark {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> manners{"file_sync", "file_sync_100", "file_cold", "file_cold_random"};

bool lies_on_a_disk(const std::string& path) {
  struct statfs system;
  return statfs(path.c_str(), &system) == 0 && system.f_type != TMPFS_MAGIC;
}

class FileInAFolder : public testing::Test {
 protected:
  // `use` gets the link in the parent of a launch, where links are made.
  template <class Use>
  std::string in_a_launch(const std::string& manner, Use use) {
    TestWork work;
    work.on_build = [&](const std::string& directory) {
      Shape shape;
      shape.message_bytes = message_bytes;
      shape.directory = directory;
      shape.send_wait = shape.receive_wait = Wait::spin;
      const std::unique_ptr<AnyLink> link = Registry::instance().at(manner).make_link(shape);
      use(*link);
    };
    return outcome_of(test_spec(1), work);
  }

  static constexpr std::size_t message_bytes = 1 << 20;
  MeetingTable table_{};
  Meeting meeting_{table_, now_ns() + 60'000'000'000};
};

TEST(FileManners, MoveEveryMessageOfEveryWorkload) {
  for (const std::string& manner : manners) {
    const TransportEntry& entry = Registry::instance().at(manner);
    for (const WorkloadEntry& workload : entry.workloads) {
      for (const Case& c : with_every_wait({.workload = std::string(workload.name), .transport = manner})) {
        if (!why_not(c).empty()) continue;
        measure_case(c, 20);
        break;
      }
    }
  }
}

TEST(FileManners, StandInNoListButTheirOwn) {
  for (const TransportEntry& entry : Registry::instance().transports()) {
    EXPECT_EQ(entry.traits.name.starts_with("file_"), false) << entry.traits.name;
  }
}

TEST(FileManners, LeaveNothingDirtyWhereEveryMessageIsWrittenToTheDevice) {
  if (!lies_on_a_disk(disk_directory())) GTEST_SKIP() << disk_directory() << " is a tmpfs";
  if (!test_isolation().namespaces) GTEST_SKIP() << "the launch's own directory may be anywhere";
  for (const char* manner : {"file_sync", "file_cold"}) {
    const Measurement measurement =
        measure_case(with_a_wait({.workload = "ping_pong", .transport = manner}), 20);
    if (observed(measurement, "dirty_at_last_send") < 0) GTEST_SKIP() << "this kernel has no cachestat";
    EXPECT_EQ(observed(measurement, "dirty_at_last_send"), 0);
    if (observed(measurement, "device_writes_per_send") < 0) continue;  // of no one device
    EXPECT_GE(observed(measurement, "device_writes_per_send"), 1);
  }
}

TEST(FileManners, HaveNoSizeAndNoBlocksBeforeTheFirstWrite) {
  const Measurement measurement = measure_case(with_a_wait({.workload = "setup", .transport = "file"}), 3);
  EXPECT_EQ(observed(measurement, "size_before_first_write"), 0);
  EXPECT_EQ(observed(measurement, "blocks_before_first_write"), 0);
  EXPECT_GT(observed(measurement, "file_creation"), 0);
}

TEST_F(FileInAFolder, LiesOnTheDiskWithoutANameThere) {
  if (!test_isolation().namespaces) GTEST_SKIP() << "no namespaces";
  const std::string here = disk_directory() + "/" + unique_name();
  ASSERT_TRUE(fs::create_directory(here));
  if (!lies_on_a_disk(here)) {
    fs::remove(here);
    GTEST_SKIP() << here << " is on a tmpfs";
  }
  const char* const before = std::getenv("TMPDIR");
  const std::string kept = before != nullptr ? before : "";
  setenv("TMPDIR", here.c_str(), 1);
  EXPECT_EQ(in_a_launch("file",
                        [&](AnyLink& link) {
                          require(lies_on_a_disk(link.address()), "it is in memory only");
                          require(fs::is_empty(here), "it has a name on the disk");
                        }),
            "");
  before != nullptr ? setenv("TMPDIR", kept.c_str(), 1) : unsetenv("TMPDIR");
  EXPECT_TRUE(fs::is_empty(here));
  fs::remove_all(here);
}

TEST_F(FileInAFolder, IsHadWhereNothingCanBeMountedToo) {
  const fs::path here = fs::temp_directory_path() / unique_name();
  ASSERT_TRUE(fs::create_directory(here));
  Shape shape;
  shape.directory = here;
  {
    const std::unique_ptr<AnyLink> link = Registry::instance().at("file").make_link(shape);
    EXPECT_EQ(fs::path(link->address()).parent_path(), here);
    EXPECT_TRUE(fs::exists(link->address()));
  }
  EXPECT_TRUE(fs::is_empty(here));
  fs::remove_all(here);
}

TEST_F(FileInAFolder, FreesWhatHasBeenReadAndKeepsItsPlace) {
  EXPECT_EQ(in_a_launch("file",
                        [&](AnyLink& link) {
                          const auto sender = link.open_sender(0, meeting_);
                          const auto receiver = link.open_receiver(0, meeting_);
                          std::vector<std::byte> message(message_bytes), received(message_bytes);
                          const std::uint64_t limit = sender->limit()->value;
                          const std::uint64_t messages = limit / message_bytes + 8;
                          for (std::uint64_t i = 0; i < messages; ++i) {
                            message.front() = message.back() = static_cast<std::byte>(i);
                            require(sender->send(message) == Io::done, "a sender had to wait");
                            require(receiver->receive(received) == Io::done, "it did not come");
                            require(received == message, "another message came");
                          }
                          struct stat status;
                          require(stat(link.address().c_str(), &status) == 0, "no such file");
                          const auto room = static_cast<std::uint64_t>(status.st_blocks) * 512;
                          require(static_cast<std::uint64_t>(status.st_size) == messages * message_bytes,
                                  "the file was cut");
                          require(room < 3 * limit / 4, "what has been read was kept");
                          require(sender->peak_backlog().messages <= 2, "its backlog counts what was read");
                        }),
            "");
}

}  // namespace
}  // namespace ipcmark
