#include "harness/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "harness/text.h"

namespace ipcmark {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

TransportTraits traits(std::string name, WaitSet waits, bool loan = false) {
  TransportTraits transport;
  transport.name = std::move(name);
  transport.facts.send_waits = transport.facts.receive_waits = waits;
  transport.copy_send = transport.copy_receive = true;
  transport.loan_send = transport.loan_receive = loan;
  transport.workloads = {"ping_pong", "stream"};
  return transport;
}

// A machine of two cores under one L3, and three transports that differ where plans look.
class PlanTest : public testing::Test {
 protected:
  PlanTest()
      : transports_{traits("pipe", {Wait::block, Wait::poll, Wait::spin, Wait::yield}),
                    traits("posix_mq", {Wait::block, Wait::spin}),
                    traits("posix_shm", {Wait::spin, Wait::futex}, true)} {
    inputs_.transports = transports_;
    inputs_.workloads = workloads_;
    inputs_.roles = [](const Case& c) -> std::vector<RoleKind> {
      if (c.workload == "stream")
        return {{.name = "sender 0", .sends = true}, {.name = "receiver 1", .receives = true}};
      std::vector<RoleKind> roles;
      for (unsigned i = 0; i < c.senders + c.receivers; ++i) roles.push_back({"peer", true, true});
      return roles;
    };
    inputs_.unfit = [](const Case& c) { return c.pairs == 0 ? "" : c.workload + " has no pairs"; };
    inputs_.place = [](std::string_view placement, unsigned) -> PlacementAnswer {
      if (placement == "same_pu") return {"same_pu", {{0}, {0}}, ""};
      if (placement == "unpinned") return {"unpinned", {{}, {}}, ""};
      if (placement.find("same_l3") != placement.npos) return {"same_l3", {{0}, {1}}, ""};
      return {"", {}, "no cross_package here"};
    };
    inputs_.admit = [this](const std::vector<Case>& links) {
      ++admit_calls_;
      std::vector<std::string> reasons;
      for (const Case& link : links) {
        asked_.push_back(link);
        const bool too_large = link.transport == "posix_mq" && link.message_bytes > 8192;
        reasons.emplace_back(too_large ? "posix_mq: over msgsize_max" : "");
      }
      return reasons;
    };
    inputs_.processing_units = 2;

    suite_.name = "test";
    suite_.launches = 6;
    suite_.min_time_ns = 50'000'000;
    Grid grid;
    grid.workloads = {"ping_pong"};
    suite_.grids = {grid};
  }

  // Of the plan that is refused.
  std::string complaint() {
    try {
      plan();
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "no error";
  }

  Grid& grid() { return suite_.grids.front(); }
  Plan plan(const Narrowing& narrowing = {}) { return make_plan(suite_, narrowing, inputs_, 1); }

  std::vector<TransportTraits> transports_;
  std::vector<std::string> workloads_{"ping_pong", "stream"};
  PlanInputs inputs_;
  Suite suite_;
  int admit_calls_ = 0;
  std::vector<Case> asked_;
};

template <class F>
auto each(const auto& planned, F field) {
  std::vector<std::decay_t<decltype(field(planned.front().benchmark_case))>> values;
  for (const auto& one : planned) values.push_back(field(one.benchmark_case));
  return values;
}
auto transports_of(const auto& planned) {
  return each(planned, [](const Case& c) { return c.transport; });
}
auto sizes_of(const auto& planned) {
  return each(planned, [](const Case& c) { return c.message_bytes; });
}
auto waits_of(const auto& planned) {
  return each(planned, [](const Case& c) { return to_string(c.send_wait, c.receive_wait); });
}
std::vector<std::string> reasons_of(const Plan& plan) {
  std::vector<std::string> reasons;
  for (const SkippedCase& skipped : plan.skipped) reasons.push_back(skipped.reason);
  return reasons;
}

WaitChoice wait(std::string_view text) { return parse_wait_choice(text).value(); }
AccessChoice access(std::string_view text) { return parse_access_choice(text).value(); }
PlacementChoice placement(std::string_view text) { return parse_placement_choice(text).value(); }

TEST_F(PlanTest, WhatIsHadByNameOnlyIsNotAmongAllOfThem) {
  const std::vector<TransportTraits> others{traits("sealed_tcp", {Wait::block})};
  inputs_.named_only = others;
  EXPECT_THAT(transports_of(plan().cases), ElementsAre("pipe", "posix_mq", "posix_shm"));
  grid().transports = {"sealed_tcp"};
  EXPECT_THAT(transports_of(plan().cases), ElementsAre("sealed_tcp"));
  grid().transports = {"sealed_udp"};
  EXPECT_THAT(complaint(), HasSubstr("unknown transport 'sealed_udp'"));
}

TEST_F(PlanTest, ATransportThatIsAskedForAndNotThereIsRefused) {
  Narrowing narrowing;
  narrowing.transports = {"pipe", "tls_tcp"};
  EXPECT_THROW(plan(narrowing), std::invalid_argument);
}

TEST_F(PlanTest, AStarForThePlacementIsEveryTwoPus) {
  grid().transports = {"pipe"};
  grid().placements = {placement("*"), placement("0+1")};
  inputs_.every_placement = {"0+0", "0+1", "1+1"};
  inputs_.place = [](std::string_view asked, unsigned roles) -> PlacementAnswer {
    return {std::string(asked), std::vector<std::vector<int>>(roles, {0}), ""};
  };
  const auto placements_of = [](const Plan& made) {
    return each(made.cases, [](const Case& c) { return c.placement; });
  };
  EXPECT_THAT(placements_of(plan()), ElementsAre("0+0", "0+1", "1+1"));
  Narrowing narrowing;
  narrowing.placements = {placement("0+1")};
  EXPECT_THAT(placements_of(plan(narrowing)), ElementsAre("0+1"));
}

TEST_F(PlanTest, AMixStandsInThePlaceOfEverySize) {
  grid().transports = {"pipe"};
  grid().message_bytes = {64, 1024};
  grid().further = {{"mix", {"none", "64:9+4Ki:1", "1:1+8Ki:1"}}};
  EXPECT_THAT(sizes_of(plan().cases), ElementsAre(64, 1024, 4096, 8192));
  // What it is narrowed to: sizes, or a mix.
  Narrowing to_sizes;
  to_sizes.message_bytes = {1024, 4096};
  EXPECT_THAT(sizes_of(plan(to_sizes).cases), ElementsAre(1024, 4096));
  EXPECT_THAT(each(plan(to_sizes).cases, is_mix), testing::Each(false));
  for (const char* mix : {"64:9+4Ki:1", "64:1+4Ki:1"}) {
    Narrowing to_a_mix;
    to_a_mix.further = {{"mix", {mix}}};
    EXPECT_THAT(each(plan(to_a_mix).cases, [](const Case& c) { return c.mix; }), ElementsAre(mix));
  }
  // Whether a link can be had is asked for each mix.
  asked_.clear();
  plan();
  EXPECT_EQ(asked_.size(), 4u);
}

TEST_F(PlanTest, FurtherParametersSpanTheGridAndTakePartInThePlacement) {
  grid().transports = {"pipe"};
  grid().further = {{"senders", {"1", "2"}}, {"work", {"0", "100"}}};
  std::vector<unsigned> asked_roles;
  inputs_.place = [&](std::string_view, unsigned roles) -> PlacementAnswer {
    asked_roles.push_back(roles);
    return {"same_l3", std::vector<std::vector<int>>(roles, {0}), ""};
  };
  const Plan made = plan();
  std::set<std::pair<unsigned, std::uint64_t>> seen;
  for (const PlannedCase& planned : made.cases) {
    seen.emplace(planned.benchmark_case.senders, planned.benchmark_case.work);
    EXPECT_EQ(planned.role_pus.size(), planned.benchmark_case.senders + 1);
  }
  EXPECT_EQ(seen, (std::set<std::pair<unsigned, std::uint64_t>>{{1, 0}, {1, 100}, {2, 0}, {2, 100}}));
  EXPECT_EQ(std::set<unsigned>(asked_roles.begin(), asked_roles.end()), (std::set<unsigned>{2, 3}));
}

TEST_F(PlanTest, AFurtherParameterThatTheWorkloadDoesNotHaveIsSkippedWithTheReason) {
  grid().transports = {"pipe"};
  Narrowing narrowing;
  narrowing.further = {{"pairs", {"4"}}};
  const Plan made = plan(narrowing);
  EXPECT_THAT(made.cases, IsEmpty());
  ASSERT_EQ(made.skipped.size(), 1u);
  EXPECT_EQ(made.skipped[0].reason, "ping_pong has no pairs");
}

TEST_F(PlanTest, NarrowingAFurtherParameterLeavesTheGridsThatHaveIt) {
  grid().transports = {"pipe"};
  grid().further = {{"senders", {"1"}}};
  suite_.grids.push_back(grid());
  suite_.grids.back().further = {{"senders", {"2", "4"}}};
  inputs_.place = [&](std::string_view, unsigned roles) -> PlacementAnswer {
    return {"same_l3", std::vector<std::vector<int>>(roles, {0}), ""};
  };
  Narrowing narrowing;
  narrowing.further = {{"senders", {"4"}}};
  const Plan made = plan(narrowing);
  ASSERT_EQ(made.cases.size(), 1u);
  EXPECT_EQ(made.cases[0].benchmark_case.senders, 4u);
}

TEST_F(PlanTest, TheWayOfARendezvousFollowsFromTheTransport) {
  transports_[0].rendezvous = Rendezvous::acknowledged;
  grid().transports = {"pipe"};
  grid().capacities = {Capacity::rendezvous(), Capacity::bounded(4)};
  const Plan made = plan();
  ASSERT_EQ(made.cases.size(), 2u);
  EXPECT_EQ(made.cases[0].benchmark_case.rendezvous, Rendezvous::acknowledged);
  EXPECT_EQ(made.cases[1].benchmark_case.rendezvous, Rendezvous::none);
}

TEST_F(PlanTest, TakesTheFirstAlternativeThatATransportHas) {
  const Plan made = plan();
  EXPECT_THAT(transports_of(made.cases), ElementsAre("pipe", "posix_mq", "posix_shm"));
  EXPECT_THAT(waits_of(made.cases), ElementsAre("block", "block", "futex"));
  EXPECT_THAT(made.skipped, IsEmpty());
}

TEST_F(PlanTest, GivesEachCaseItsIdAndItsProcessingUnits) {
  const Plan made = plan();
  for (const PlannedCase& planned : made.cases) {
    EXPECT_EQ(planned.id, case_id(planned.benchmark_case));
    EXPECT_EQ(planned.benchmark_case.placement, "same_l3");
    EXPECT_THAT(planned.role_pus, ElementsAre(ElementsAre(0), ElementsAre(1)));
  }
}

TEST_F(PlanTest, EveryWaitIsEachOneThatTheTransportHas) {
  grid().waits = {wait("*")};
  const Plan made = plan();
  EXPECT_THAT(waits_of(made.cases),
              ElementsAre("block", "poll", "spin", "yield", "block", "spin", "spin", "futex"));
  EXPECT_THAT(made.skipped, IsEmpty());
}

TEST_F(PlanTest, EveryAccessIsEachOneThatTheTransportHas) {
  grid().accesses = {access("*")};
  const Plan made = plan();
  EXPECT_THAT(transports_of(made.cases), ElementsAre("pipe", "posix_mq", "posix_shm", "posix_shm"));
}

TEST_F(PlanTest, LosesNoCombination) {
  grid().workloads = {"ping_pong", "stream"};
  grid().message_bytes = {64, 16384};
  grid().capacities = {Capacity{}, Capacity::bounded(4), Capacity::rendezvous()};
  grid().waits = {wait("block"), wait("spin+futex")};
  grid().accesses = {access("copy"), access("loan+copy")};
  grid().placements = {placement("same_l3"), placement("same_pu"), placement("cross_package")};
  const Plan made = plan();
  std::set<std::string> ids;
  for (const PlannedCase& planned : made.cases) ids.insert(planned.id);
  for (const SkippedCase& skipped : made.skipped) {
    ids.insert(skipped.id);
    EXPECT_FALSE(skipped.reason.empty());
  }
  EXPECT_EQ(ids.size(), 2u * 3 * 2 * 3 * 2 * 2 * 3);
  EXPECT_EQ(made.cases.size() + made.skipped.size(), ids.size());
}

TEST_F(PlanTest, MergesWhatTwoGridsHaveInCommon) {
  suite_.grids.push_back(grid());
  grid().message_bytes = {64, 128};
  EXPECT_EQ(plan().cases.size(), 6u);
}

TEST_F(PlanTest, MergesPlacementsThatAreOneOnThisMachine) {
  grid().placements = {placement("same_l3|same_package"), placement("same_l3")};
  EXPECT_EQ(plan().cases.size(), 3u);
}

TEST_F(PlanTest, SaysWhichWaitsThereAre) {
  grid().waits = {wait("block")};
  EXPECT_THAT(reasons_of(plan()), ElementsAre("posix_shm does not wait by block; it has spin, futex"));
  grid().waits = {wait("spin+block")};
  EXPECT_THAT(reasons_of(plan()),
              ElementsAre("posix_shm does not wait by block to receive; it has spin, futex"));
  grid().waits = {wait("block+spin")};
  EXPECT_THAT(reasons_of(plan()),
              ElementsAre("posix_shm does not wait by block to send; it has spin, futex"));
}

TEST_F(PlanTest, SaysWhichAccessIsMissing) {
  grid().accesses = {access("loan")};
  EXPECT_THAT(reasons_of(plan()),
              ElementsAre("pipe has no loan access to send", "posix_mq has no loan access to send"));
  grid().accesses = {access("copy+loan")};
  EXPECT_THAT(reasons_of(plan()),
              ElementsAre("pipe has no loan access to receive", "posix_mq has no loan access to receive"));
}

TEST_F(PlanTest, SkipsAWorkloadThatATransportDoesNotRun) {
  transports_[0].workloads = {"stream"};
  EXPECT_THAT(reasons_of(plan()), ElementsAre("pipe does not run ping_pong"));
}

TEST_F(PlanTest, SkipsAPlacementThatTheMachineLacksUnderTheNameItWasAskedBy) {
  grid().placements = {placement("cross_numa|cross_package")};
  const Plan made = plan();
  EXPECT_THAT(made.cases, IsEmpty());
  ASSERT_EQ(made.skipped.size(), 3u);
  EXPECT_EQ(made.skipped[0].reason, "no cross_package here");
  EXPECT_EQ(made.skipped[0].benchmark_case.placement, "cross_numa|cross_package");
}

TEST_F(PlanTest, SkipsWhatTheMachineDoesNotAdmit) {
  grid().message_bytes = {8192, 8193};
  EXPECT_THAT(reasons_of(plan()), ElementsAre("posix_mq: over msgsize_max"));
}

TEST_F(PlanTest, AsksForEachLinkOnce) {
  grid().workloads = {"ping_pong", "stream"};
  grid().placements = {placement("same_l3"), placement("same_pu")};
  plan();
  EXPECT_EQ(admit_calls_, 1);
  EXPECT_EQ(asked_.size(), 3u);
}

TEST_F(PlanTest, AsksForLimitsApart) {
  suite_.grids.push_back(grid());
  grid().limits = Limits::raised;
  const Plan made = plan();
  EXPECT_EQ(made.cases.size(), 6u);
  EXPECT_EQ(admit_calls_, 2);
}

TEST_F(PlanTest, LetsNoTwoRolesSpinOnOneProcessingUnit) {
  grid().transports = {"pipe"};
  grid().placements = {placement("same_pu")};
  grid().waits = {wait("spin")};
  EXPECT_THAT(reasons_of(plan()),
              ElementsAre(HasSubstr("both roles spin on one processing unit; use yield")));
  grid().waits = {wait("yield")};
  EXPECT_EQ(plan().cases.size(), 1u);
}

TEST_F(PlanTest, KnowsThatOneSpinningWaitSpinsBothEndsOfAPingPongAndOneOfAStream) {
  grid().transports = {"pipe"};
  grid().placements = {placement("same_pu")};
  grid().waits = {wait("block+spin"), wait("spin+block")};
  EXPECT_THAT(plan().cases, IsEmpty());
  grid().workloads = {"stream"};
  EXPECT_EQ(plan().cases.size(), 2u);
}

TEST_F(PlanTest, CountsAllProcessingUnitsForUnpinnedRoles) {
  grid().transports = {"pipe"};
  grid().placements = {placement("unpinned")};
  grid().waits = {wait("spin")};
  EXPECT_EQ(plan().cases.size(), 1u);
  inputs_.processing_units = 1;
  EXPECT_THAT(plan().cases, IsEmpty());
}

TEST_F(PlanTest, SkipsWhatASuiteNamesAndWasNotBuilt) {
  constexpr NotBuilt absent[]{{"rpc", "librpc-dev"}, {"bus", "libbus-dev"}};
  inputs_.not_built = absent;
  grid().transports = {"pipe", "rpc"};
  grid().workloads = {"ping_pong", "stream"};
  grid().message_bytes = {64, 4'096};
  EXPECT_THAT(transports_of(plan().cases), testing::Each("pipe"));
  EXPECT_THAT(reasons_of(plan()), testing::ElementsAreArray(std::vector<std::string>(
                                      4, "rpc was not built, for want of librpc-dev")));
  EXPECT_EQ(sizes_of(plan().skipped), (std::vector<std::uint64_t>{64, 4'096, 64, 4'096}));
  // Not in a run that is about another.
  Narrowing narrowing;
  narrowing.transports = {"pipe"};
  EXPECT_THAT(reasons_of(plan(narrowing)), IsEmpty());
}

// As a pipeline's: as many links as hops are named.
std::vector<Case> links_of_hops(const Case& c) {
  std::vector<Case> links;
  for (const std::string_view name : split(c.hops == "none" ? c.transport : c.hops, '+'))
    links.emplace_back(c).transport = name;
  return links;
}

TEST_F(PlanTest, ACaseThatNamesItsHopsIsOneOverTheFirstOfThem) {
  inputs_.links = links_of_hops;
  grid().further = {{"hops", {"none", "pipe+posix_mq", "posix_mq+pipe"}}};
  EXPECT_THAT(transports_of(plan().cases),
              UnorderedElementsAre("pipe", "posix_mq", "posix_shm", "pipe", "posix_mq"));
  EXPECT_THAT(reasons_of(plan()), IsEmpty());
  // Asked for by name, each transport is taken at its word, for the workload to refuse.
  grid().transports = {"posix_mq"};
  grid().further = {{"hops", {"pipe+posix_mq"}}};
  EXPECT_THAT(transports_of(plan().cases), ElementsAre("posix_mq"));
}

TEST_F(PlanTest, ACaseThatNamesItsHopsWaitsAsAllOfThemDo) {
  inputs_.links = links_of_hops;
  grid().further = {{"hops", {"pipe+posix_shm"}}};
  grid().waits = {wait("block|futex|spin")};
  EXPECT_THAT(waits_of(plan().cases), ElementsAre("spin"));
  grid().waits = {wait("*")};
  EXPECT_THAT(waits_of(plan().cases), ElementsAre("spin"));
  grid().waits = {wait("block")};
  EXPECT_THAT(reasons_of(plan()), ElementsAre("pipe+posix_shm does not wait by block; it has spin"));
  grid().waits = {wait("spin")};
  grid().accesses = {access("loan")};
  EXPECT_THAT(reasons_of(plan()), ElementsAre("pipe+posix_shm has no loan access to send"));
}

TEST_F(PlanTest, RefusesHopsThatAreNoTransports) {
  grid().further = {{"hops", {"pipe+posix_mk"}}};
  EXPECT_EQ(complaint(),
            "suite test: hops: unknown transport 'posix_mk' (did you mean posix_mq?); known: pipe, posix_mq, "
            "posix_shm");
}

TEST_F(PlanTest, RefusesASuiteThatNamesWhatIsNotThere) {
  grid().transports = {"pip"};
  EXPECT_EQ(complaint(),
            "suite test: unknown transport 'pip' (did you mean pipe?); known: pipe, posix_mq, posix_shm");
  grid().transports = {"*"};
  grid().workloads = {"bogus"};
  EXPECT_EQ(complaint(), "suite test: unknown workload 'bogus'; known: ping_pong, stream");
}

TEST_F(PlanTest, RefusesASuiteThatSpansTooMuchBeforeItFillsTheMemory) {
  grid().message_bytes.resize(1000);
  for (std::size_t i = 0; i < 1000; ++i) grid().message_bytes[i] = i + 1;
  EXPECT_EQ(complaint(), "no error");
  const std::string refused = "suite test: spans over 1000000 combinations; fewer values are allowed";
  for (std::uint64_t slots = 1; slots <= 1000; ++slots) grid().capacities.push_back(Capacity::bounded(slots));
  EXPECT_EQ(complaint(), refused);
  grid().capacities = {Capacity{}};
  for (const char* key : {"senders", "receivers", "pairs"}) {
    for (int i = 1; i <= 1000; ++i) grid().further[key].push_back(std::to_string(i));
  }
  EXPECT_EQ(complaint(), refused);
}

TEST_F(PlanTest, NarrowsToTheValuesAskedFor) {
  grid().message_bytes = {64, 128, 256};
  Narrowing narrowing;
  narrowing.message_bytes = {128};
  narrowing.transports = {"pipe", "posix_shm"};
  const Plan made = plan(narrowing);
  EXPECT_THAT(transports_of(made.cases), ElementsAre("pipe", "posix_shm"));
  EXPECT_THAT(sizes_of(made.cases), ElementsAre(128, 128));
}

TEST_F(PlanTest, MeasuresASizeThatNoPartOfTheSuiteHas) {
  grid().message_bytes = {64, 128};
  Narrowing narrowing;
  narrowing.message_bytes = {64, 100};
  EXPECT_THAT(sizes_of(plan(narrowing).cases), UnorderedElementsAre(64, 64, 64, 100, 100, 100));
}

TEST_F(PlanTest, DropsThePartsThatLackAValueAnotherPartHas) {
  suite_.grids.push_back(grid());
  suite_.grids[0].message_bytes = {64};
  suite_.grids[0].waits = {wait("*")};
  suite_.grids[1].message_bytes = {1024};
  Narrowing narrowing;
  narrowing.message_bytes = {1024};
  EXPECT_THAT(waits_of(plan(narrowing).cases), ElementsAre("block", "block", "futex"));
  narrowing.waits = {wait("spin")};  // no part that is left has it
  EXPECT_THAT(waits_of(plan(narrowing).cases), ElementsAre("spin", "spin", "spin"));
}

TEST_F(PlanTest, FiltersByTheWaitThatAnAlternativeCameTo) {
  Narrowing narrowing;
  narrowing.waits = {wait("futex")};
  EXPECT_THAT(transports_of(plan(narrowing).cases), ElementsAre("posix_shm"));
}

TEST_F(PlanTest, SaysWhyWhenTheOneTransportAskedForLacksTheWait) {
  Narrowing narrowing;
  narrowing.transports = {"pipe"};
  narrowing.waits = {wait("futex")};
  const Plan made = plan(narrowing);
  EXPECT_THAT(made.cases, IsEmpty());
  EXPECT_THAT(reasons_of(made), ElementsAre(HasSubstr("pipe does not wait by futex")));
}

TEST_F(PlanTest, NarrowsPlacementsByTheClassTheyCameTo) {
  grid().placements = {placement("same_l3|same_package"), placement("same_pu")};
  Narrowing narrowing;
  narrowing.placements = {placement("same_l3")};
  EXPECT_EQ(plan(narrowing).cases.size(), 3u);
  EXPECT_THAT(plan(narrowing).skipped, IsEmpty());
  narrowing.placements = {placement("unpinned")};
  EXPECT_EQ(plan(narrowing).cases.size(), 3u);
}

TEST_F(PlanTest, ReplacesTouchLimitsAndSched) {
  Narrowing narrowing;
  narrowing.touch = Touch::header;
  narrowing.limits = Limits::raised;
  narrowing.sched = "fifo:3";
  for (const PlannedCase& planned : plan(narrowing).cases) {
    EXPECT_EQ(planned.benchmark_case.touch, Touch::header);
    EXPECT_EQ(planned.benchmark_case.limits, Limits::raised);
    EXPECT_EQ(planned.benchmark_case.sched, "fifo:3");
  }
}

TEST_F(PlanTest, SpansAGridOfItsOwnWithoutASuite) {
  Narrowing narrowing;
  narrowing.transports = {"pipe"};
  narrowing.message_bytes = {100};
  suite_ = suite_of(narrowing);
  const Plan made = plan(narrowing);
  EXPECT_EQ(made.suite, "custom");
  EXPECT_EQ(made.launches, 6u);
  EXPECT_EQ(made.cases.size(), 2u);
  EXPECT_THAT(made.cases,
              Contains(Field(&PlannedCase::id,
                             AllOf(HasSubstr("workload:stream/transport:pipe/size:100/capacity:default"),
                                   HasSubstr("wait:block/access:copy/placement:same_l3")))));
}

TEST_F(PlanTest, ANarrowingOfNothingIsEmpty) {
  Narrowing narrowing;
  EXPECT_TRUE(narrowing.empty());
  narrowing.sched = "other";
  EXPECT_FALSE(narrowing.empty());
}

void add_pairs(const Case& c, std::set<std::string>& pairs) {
  const std::vector<std::string> fields{c.workload,
                                        c.transport,
                                        std::to_string(c.message_bytes),
                                        "capacity " + to_string(c.capacity),
                                        "wait " + to_string(c.send_wait, c.receive_wait),
                                        "access " + to_string(c.send_access, c.receive_access),
                                        c.placement};
  for (std::size_t a = 0; a < fields.size(); ++a) {
    for (std::size_t b = a + 1; b < fields.size(); ++b) pairs.insert(fields[a] + " & " + fields[b]);
  }
}

TEST_F(PlanTest, APairwiseSuiteAccountsForEveryCombination) {
  grid().workloads = {"ping_pong", "stream"};
  grid().message_bytes = {1, 64, 4096, 16384};
  grid().capacities = {Capacity{}, Capacity::bounded(4)};
  grid().placements = {placement("same_l3"), placement("same_pu"), placement("cross_package")};
  const Plan full = plan();
  EXPECT_THAT(full.left_out, IsEmpty());
  suite_.cover = Suite::Cover::pairwise;
  EXPECT_THAT(plan().left_out, IsEmpty()) << "not asked for";
  inputs_.account_for_all = true;
  const Plan cover = plan();
  std::set<std::string> all, told;
  for (const PlannedCase& planned : full.cases) all.insert(planned.id);
  for (const SkippedCase& skipped : full.skipped) all.insert(skipped.id);
  for (const PlannedCase& planned : cover.cases) told.insert(planned.id);
  for (const SkippedCase& skipped : cover.skipped) told.insert(skipped.id);
  EXPECT_LT(told.size(), all.size());
  for (const SkippedCase& left_out : cover.left_out) {
    EXPECT_TRUE(told.insert(left_out.id).second) << left_out.id;
    EXPECT_NE(left_out.reason, "");
  }
  EXPECT_EQ(told, all);
}

TEST_F(PlanTest, APairwiseSuiteMeetsEveryPairThatTheFullOneHas) {
  grid().workloads = {"ping_pong", "stream"};
  grid().message_bytes = {1, 64, 4096, 16384};
  grid().capacities = {Capacity{}, Capacity::bounded(4)};
  grid().waits = {wait("*"), wait("block+spin")};
  grid().accesses = {access("*")};
  grid().placements = {placement("same_l3"), placement("same_pu"), placement("cross_package")};
  const Plan full = plan();
  suite_.cover = Suite::Cover::pairwise;
  const Plan cover = plan();
  std::set<std::string> wanted, met;
  for (const PlannedCase& planned : full.cases) add_pairs(planned.benchmark_case, wanted);
  for (const PlannedCase& planned : cover.cases) add_pairs(planned.benchmark_case, met);
  EXPECT_EQ(met, wanted);
  EXPECT_LT(cover.cases.size(), full.cases.size() / 2);
  EXPECT_THAT(reasons_of(cover),
              AllOf(Contains("no cross_package here"), Contains("posix_mq: over msgsize_max"),
                    Contains(HasSubstr("both roles spin"))));
}

TEST(RoundOrder, IsAPermutationThatSeedAndRoundDecide) {
  std::vector<std::size_t> order = round_order(7, 1, 100);
  EXPECT_EQ(order, round_order(7, 1, 100));
  EXPECT_NE(order, round_order(7, 2, 100));
  EXPECT_NE(order, round_order(8, 1, 100));
  std::ranges::sort(order);
  for (std::size_t i = 0; i < order.size(); ++i) EXPECT_EQ(order[i], i);
  EXPECT_THAT(round_order(7, 1, 0), IsEmpty());
}

TEST(EstimatedTime, GrowsWithCasesLaunchesAndTheirLength) {
  Plan plan;
  plan.launches = 6;
  plan.min_time_ns = 100'000'000;
  EXPECT_EQ(estimated_seconds(plan), 0);
  plan.cases.resize(10);
  const double base = estimated_seconds(plan);
  EXPECT_GT(base, 10 * 6 * 0.1);
  plan.launches = 12;
  EXPECT_GT(estimated_seconds(plan), base);
  plan.launches = 6;
  plan.min_time_ns *= 2;
  EXPECT_GT(estimated_seconds(plan), base);
}

}  // namespace
}  // namespace ipcmark
