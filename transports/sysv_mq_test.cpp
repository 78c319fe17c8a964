// What only this transport must take care of.

#include <gtest/gtest.h>

#include <fstream>

#include "harness/test_work.h"
#include "workloads/registry.h"

namespace ipcmark {
namespace {

TEST(SysvMq, AMessageThatNoQueueCouldEverHoldIsRefusedRatherThanWaitedWith) {
  if (!test_isolation(Limits::raised).namespaces) GTEST_SKIP() << test_isolation(Limits::raised).description;
  TestWork work;
  work.on_build = [](const std::string& directory) {
    // A queue of fewer bytes than a message may have: this launch's namespace is its own.
    require((std::ofstream("/proc/sys/kernel/msgmnb") << 4'096 << std::flush).good(), "msgmnb cannot be set");
    Shape shape;
    shape.directory = directory;
    shape.message_bytes = 4'096;
    Registry::instance().find("sysv_mq")->make_link(shape);
    shape.message_bytes = 4'097;
    Registry::instance().find("sysv_mq")->make_link(shape);
  };
  EXPECT_EQ(outcome_of(test_spec(1, Limits::raised), work),
            "unsupported: sysv_mq: 4097 B is over the 4096 B that a queue holds; raise kernel.msgmnb");
}

}  // namespace
}  // namespace ipcmark
