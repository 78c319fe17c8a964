// Adding a transport touches one file. The one below is defined here and nowhere else; README.md shows the
// same lines, and ci/test_readme_example.py compares the two.

#if !__has_include("transports/my_pipe.cpp")  // nobody has pasted the example into the tree
// [example]
// pipe(7) with O_DIRECT: a pipe that keeps messages of up to a page whole.

#include <fcntl.h>
#include <fmt/format.h>

#include <array>
#include <climits>

#include "harness/fail.h"
#include "harness/pipe_ends.h"
#include "workloads/registry.h"

namespace ipcmark {
namespace {

class PacketSender {
 public:
  PacketSender(Descriptor pipe, Wait wait) : pipe_(std::move(pipe)), ready_(wait, POLLOUT) {}

  Io send(std::span<const std::byte> message) {
    while (::write(pipe_.get(), message.data(), message.size()) < 0) {
      if (means_again(errno)) return Io::again;
      if (means_gone(errno)) return Io::closed;
      if (errno != EINTR) fail("write");
    }
    return Io::done;
  }
  Io finish() {
    pipe_.reset();
    return Io::done;
  }
  void wait_to_send() { ready_(pipe_.get()); }

 private:
  Descriptor pipe_;
  ReadyWait ready_;
};

class PacketReceiver {
 public:
  PacketReceiver(Descriptor pipe, Wait wait) : pipe_(std::move(pipe)), ready_(wait, POLLIN) {}

  Io receive(std::span<std::byte> message) {
    ssize_t got;
    while ((got = ::read(pipe_.get(), message.data(), message.size())) < 0) {
      if (means_again(errno)) return Io::again;
      if (errno != EINTR) fail("read");
    }
    return got == 0 ? Io::closed : Io::done;
  }
  void wait_to_receive() { ready_(pipe_.get()); }

 private:
  Descriptor pipe_;
  ReadyWait ready_;
};

class MyPipe {
 public:
  static constexpr std::string_view name = "my_pipe";
  static constexpr Facts facts{.summary = "one-way pipe of whole messages between relatives",
                               .model = Facts::Model::message_passing,
                               .naming = Facts::Naming::none,
                               .unit = Facts::Unit::messages,
                               .largest_message = PIPE_BUF,
                               .scope = Facts::Scope::machine,
                               .standard = Facts::Standard::linux_only,
                               .send_waits = {Wait::block, Wait::poll, Wait::spin, Wait::yield},
                               .receive_waits = {Wait::block, Wait::poll, Wait::spin, Wait::yield},
                               .surplus_writer_withholds_end = true,
                               .sender_sees_death = true,
                               .receiver_sees_death = true,
                               .third_process_can = Facts::Interception::take};

  explicit MyPipe(const Shape& shape) : shape_(shape) {
    if (shape.message_bytes > PIPE_BUF) {
      throw Unsupported(fmt::format("{}: {} B is over a packet's {} B", name, shape.message_bytes, PIPE_BUF));
    }
    std::array<int, 2> ends;
    if (pipe2(ends.data(), O_DIRECT | O_CLOEXEC) != 0) fail("pipe2(O_DIRECT)");
    read_end_.reset(ends[0]);
    write_end_.reset(ends[1]);
    set_pipe_capacity(name, ends[1], shape.capacity, PIPE_BUF);  // each packet has a page of its own
    // O_DIRECT is part of the flags that set_nonblocking keeps.
    if (shape.send_wait != Wait::block) set_nonblocking(ends[1]);
    if (shape.receive_wait != Wait::block) set_nonblocking(ends[0]);
  }

  PacketSender open_sender(unsigned, Meeting&) { return {std::move(write_end_), shape_.send_wait}; }
  PacketReceiver open_receiver(unsigned, Meeting&) { return {std::move(read_end_), shape_.receive_wait}; }

 private:
  Shape shape_;
  Descriptor read_end_, write_end_;
};

IPCMARK_TRANSPORT(MyPipe);

}  // namespace
}  // namespace ipcmark
// [/example]
#endif

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "harness/test_work.h"
#include "workloads/trial.h"

namespace ipcmark {
namespace {

TEST(ATransportInOneFile, IsListedAmongTheOthersByName) {
  std::vector<std::string> names;
  for (const TransportEntry& entry : Registry::instance().transports()) {
    names.push_back(entry.traits.name);
  }
  EXPECT_EQ(std::count(names.begin(), names.end(), "my_pipe"), 1);
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
}

TEST(ATransportInOneFile, HasTheCapabilitiesThatItsTypesShow) {
  const TransportTraits& traits = Registry::instance().find("my_pipe")->traits;
  EXPECT_FALSE(traits.duplex);
  EXPECT_TRUE(traits.copy_send && traits.copy_receive);
  EXPECT_FALSE(traits.loan_send || traits.loan_receive);
  EXPECT_THAT(traits.workloads, testing::IsSupersetOf({"ping_pong", "stream"}));
}

TEST(ATransportInOneFile, IsPutToEveryConformanceTest) {
  const testing::TestSuite* conformance = nullptr;
  for (int i = 0; i < testing::UnitTest::GetInstance()->total_test_suite_count(); ++i) {
    const testing::TestSuite* suite = testing::UnitTest::GetInstance()->GetTestSuite(i);
    if (std::string(suite->name()) == "All/TransportConformance") conformance = suite;
  }
  ASSERT_NE(conformance, nullptr);
  std::map<std::string, int> tests;
  for (int i = 0; i < conformance->total_test_count(); ++i) {
    const std::string test = conformance->GetTestInfo(i)->name();
    ++tests[test.substr(test.find('/') + 1)];
  }
  EXPECT_EQ(tests.size(), Registry::instance().transports().size());
  EXPECT_GE(tests["my_pipe"], 20);
  for (const auto& [transport, count] : tests) EXPECT_EQ(count, tests["my_pipe"]) << transport;
}

TEST(ATransportInOneFile, RunsEveryWorkload) {
  const Topology topology = Topology::of_this_machine();
  for (const WorkloadEntry& workload : Registry::instance().find("my_pipe")->workloads) {
    Case measured;
    measured.workload = workload.name;
    measured.transport = "my_pipe";
    TrialOptions options;
    options.fixed_messages = 100;
    options.every_byte = true;
    const std::vector<std::vector<int>> unpinned(workload.roles(measured).size());
    const TrialOutcome outcome = run_trial(measured, unpinned, options, {topology, test_isolation()});
    const auto* failure = std::get_if<LaunchFailure>(&outcome);
    ASSERT_EQ(failure, nullptr) << workload.name << ": " << failure->reason;
    EXPECT_EQ(std::get<Measurement>(outcome).messages % 100, 0u) << "of each role that counts";
  }
}

TEST(TheRegistry, RefusesASecondTransportOfTheSameName) {
  TransportEntry again;
  again.traits.name = "my_pipe";
  EXPECT_THROW(Registry::add(std::move(again)), std::logic_error);
  EXPECT_EQ(Registry::instance().find("no_such_transport"), nullptr);
}

}  // namespace
}  // namespace ipcmark
