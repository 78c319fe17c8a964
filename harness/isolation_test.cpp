#include "harness/isolation.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>

#include "harness/descriptor.h"
#include "harness/owned_name.h"
#include "harness/refusals.h"
#include "harness/test_work.h"

namespace ipcmark {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::StartsWith;
namespace fs = std::filesystem;

#define SKIP_WITHOUT_NAMESPACES(limits) \
  if (!test_isolation(limits).namespaces) GTEST_SKIP() << test_isolation(limits).description

constexpr const char* ipc_limits[] = {
    "fs.mqueue.msg_max", "fs.mqueue.msgsize_max", "fs.mqueue.msg_default", "fs.mqueue.queues_max",
    "kernel.msgmax",     "kernel.msgmnb",         "kernel.msgmni",         "kernel.shmmni"};

std::map<std::string, std::optional<std::uint64_t>> limits_here() {
  std::map<std::string, std::optional<std::uint64_t>> values;
  for (const char* name : ipc_limits) values[name] = read_sysctl(name);
  return values;
}

// What `look` says inside a launch under these limits; empty when nothing is wrong.
std::string inside(Limits limits, std::function<void(const std::string& directory)> look) {
  TestWork work;
  work.on_build = std::move(look);
  return outcome_of(test_spec(1, limits), work);
}

TEST(Isolation, SaysWhatIsToBeHadAndWhere) {
  const Isolation& isolation = test_isolation();
  EXPECT_FALSE(isolation.description.empty());
  EXPECT_TRUE(fs::is_directory(isolation.directory));
  if (isolation.namespaces) {
    EXPECT_EQ(isolation.description.find("user+") != std::string::npos, isolation.user_namespace);
  } else {
    EXPECT_THAT(isolation.description, StartsWith("no namespaces ("));
  }
}

TEST(Isolation, CanBeTurnedOffFromOutside) {
  const char* set = std::getenv("IPCMARK_NO_NAMESPACES");
  const std::string before = set == nullptr ? "" : set;
  setenv("IPCMARK_NO_NAMESPACES", "1", 1);
  const Isolation isolation = probe_isolation(Limits::host);
  if (set == nullptr) {
    unsetenv("IPCMARK_NO_NAMESPACES");
  } else {
    setenv("IPCMARK_NO_NAMESPACES", before.c_str(), 1);
  }
  EXPECT_FALSE(isolation.namespaces);
  EXPECT_THAT(isolation.description, HasSubstr("IPCMARK_NO_NAMESPACES"));
}

TEST(Isolation, ALaunchIsTheFirstProcessOfItsOwnNamespace) {
  SKIP_WITHOUT_NAMESPACES(Limits::host);
  EXPECT_EQ(inside(Limits::host, [](const std::string&) { require(getpid() == 1, "not process 1"); }), "");
}

TEST(Isolation, TheLaunchsFilesAreSeenByNobodyElse) {
  SKIP_WITHOUT_NAMESPACES(Limits::host);
  EXPECT_EQ(inside(Limits::host,
                   [](const std::string& directory) {
                     require(fs::is_empty(directory), "the directory is not fresh");
                     std::ofstream(directory + "/ipcmark-secret") << "seen";
                     require(fs::exists(directory + "/ipcmark-secret"), "not written");
                   }),
            "");
  EXPECT_FALSE(fs::exists(test_isolation().directory + "/ipcmark-secret"));
}

TEST(Isolation, SystemVObjectsAreSeenByNobodyElse) {
  SKIP_WITHOUT_NAMESPACES(Limits::host);
  const int key = unique_sysv_key();
  EXPECT_EQ(inside(Limits::host,
                   [&](const std::string&) {
                     require(shmget(key, 1, IPC_CREAT | IPC_EXCL | 0600) >= 0, "shmget");
                   }),
            "");
  EXPECT_EQ(shmget(key, 0, 0), -1) << "it outlived its namespace, or was never inside";
}

TEST(Isolation, TheHostsLimitsHoldInside) {
  SKIP_WITHOUT_NAMESPACES(Limits::host);
  const auto host = limits_here();
  EXPECT_EQ(
      inside(Limits::host,
             [&](const std::string&) { require(limits_here() == host, "the limits inside are others"); }),
      "");
}

TEST(Isolation, RaisedLimitsHoldInsideOnly) {
  SKIP_WITHOUT_NAMESPACES(Limits::raised);
  const auto host = limits_here();
  EXPECT_EQ(inside(Limits::raised,
                   [&](const std::string&) {
                     bool one_is_higher = false;
                     for (const auto& [name, value] : limits_here()) {
                       require(value.value_or(0) >= host.at(name).value_or(0), name + " was lowered");
                       one_is_higher = one_is_higher || value.value_or(0) > host.at(name).value_or(0);
                     }
                     require(one_is_higher, "no limit was raised");
                     require(read_sysctl("fs.mqueue.msg_default") == host.at("fs.mqueue.msg_default"),
                             "a default was changed");
                   }),
            "");
  EXPECT_EQ(limits_here(), host);
}

TEST(Isolation, WithoutANamespaceRaisedLimitsAreAnErrorThatSaysWhy) {
  LaunchSpec spec = test_spec(1);
  spec.isolation = {
      .namespaces = false, .user_namespace = false, .directory = "/tmp", .description = "none, for a test"};
  spec.limits = Limits::raised;
  TestWork work;
  EXPECT_EQ(outcome_of(spec, work),
            "failed: limits can be raised only inside an IPC namespace: none, for a test");
}

TEST(UniqueNames, SayWhoMadeThemAndDiffer) {
  std::set<std::string> names;
  for (int i = 0; i < 100; ++i) names.insert(unique_name());
  EXPECT_EQ(names.size(), 100u);
  EXPECT_THAT(*names.begin(), MatchesRegex("ipcmark-" + std::to_string(getpid()) + "-[0-9a-f]{16}"));
}

TEST(UniqueNames, ForAllSayWhoMadeThemToThoseOutside) {
  EXPECT_THAT(unique_name_for_all(), MatchesRegex("ipcmark-" + std::to_string(getpid()) + "-[0-9a-f]{16}"));
  if (!test_isolation().namespaces) GTEST_SKIP() << "no namespaces";
  TestWork work;
  work.on_build = [](const std::string&) {
    require(getpid() == 1, "not the first process of its namespace");
    require(number_in_proc() != "1", "it does not know its number outside");
    require(unique_name_for_all().starts_with("ipcmark-" + number_in_proc() + "-"), "another's name");
  };
  EXPECT_EQ(outcome_of(test_spec(1), work), "");
}

TEST(UniqueNames, KeysShareTheirUpperTwelveBitsOnly) {
  std::set<int> keys;
  for (int i = 0; i < 100; ++i) {
    keys.insert(unique_sysv_key());
    EXPECT_EQ(static_cast<unsigned>(*keys.rbegin()) >> 20, sysv_key_prefix);
  }
  EXPECT_GT(keys.size(), 90u);
}

TEST(OwnedNames, GoWithTheirMakerAndWithNobodyElse) {
  const std::string name = "/" + unique_name();
  const auto is_there = [&] { return Descriptor(shm_open(name.c_str(), O_RDONLY, 0)).operator bool(); };
  {
    const OwnedName owned(name, shm_unlink);
    const Descriptor made(shm_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600));
    TestWork work;
    work.on_run = [&](Role&) {
      // A role's copy of the link is destroyed in the role.
      require(!owned.made_here(), "made by another process");
      owned.~OwnedName();
    };
    LaunchSpec spec = test_spec(1);
    spec.isolation = {
        .namespaces = false, .user_namespace = false, .directory = "/tmp", .description = "none, for a test"};
    EXPECT_EQ(outcome_of(spec, work), "");
    EXPECT_TRUE(is_there());
  }
  EXPECT_FALSE(is_there());
}

}  // namespace
}  // namespace ipcmark
