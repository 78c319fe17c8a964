#include "harness/shell_command.h"

#include <gtest/gtest.h>

namespace ipcmark {
namespace {

TEST(ShellCommand, OneThatAShellWouldRunHasNoReason) {
  for (const char* const command :
       {"cat", "tr a-z 'A-Z'", "/bin/sh -c 'exit 1'", "sh -c \"true | false\"", "'cat' -u"}) {
    EXPECT_EQ(why_not_executable(command), "") << command;
  }
}

TEST(ShellCommand, SaysWhyAShellWouldRunNothing) {
  EXPECT_EQ(why_not_executable("no-such-program -x"), "PATH has no program no-such-program");
  EXPECT_EQ(why_not_executable("'no such' program"), "PATH has no program no such");
  EXPECT_EQ(why_not_executable("/no/such/program"), "/no/such/program: No such file or directory");
  EXPECT_EQ(why_not_executable("/"), "/: Is a directory");
  EXPECT_EQ(why_not_executable("/dev/null x"), "/dev/null: Permission denied");
  EXPECT_EQ(why_not_executable("tr 'a b"), "a quote or bracket is left open");
}

TEST(ShellCommand, LeavesToTheShellWhatOnlyAShellCanTell) {
  for (const char* const command : {"no-such-program | cat", "$(echo cat)", "no-such-program >/dev/null", ""})
    EXPECT_EQ(why_not_executable(command), "") << command;
}

}  // namespace
}  // namespace ipcmark
