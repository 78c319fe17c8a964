#include "harness/placement.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <functional>
#include <set>
#include <string>
#include <system_error>

#include "harness/contract.h"

namespace ipcmark {
namespace {

using enum PlacementClass;
using testing::AllOf;
using testing::ElementsAre;
using testing::Eq;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

using Pus = std::vector<std::vector<int>>;

// Machines by name. Logical indexes ascend from left to right.
constexpr std::string_view kOnePu = "pack:1 [numa] core:1 pu:1";
constexpr std::string_view kLaptop = "pack:1 [numa] l3:1 l2:4 core:1 pu:2";                   // 8 PUs
constexpr std::string_view kTwoPackages = "pack:2 [numa] l3:1 l2:4 core:1 pu:2";              // 16 PUs
constexpr std::string_view kSubNuma = "pack:2 group:2 [numa] l3:1 l2:2 core:1 pu:1";          // 8 PUs
constexpr std::string_view kCcxPerPackage = "pack:2 [numa] l3:2 l2:4 core:1 pu:2";            // 32 PUs
constexpr std::string_view kCcxPerNode = "pack:1 group:2 [numa] l3:2 l2:2 core:1 pu:1";       // 8 PUs
constexpr std::string_view kNoL3 = "pack:1 [numa] l2:4 core:1 pu:1";                          // 4 PUs
constexpr std::string_view kNoCaches = "[numa] core:4 pu:1";                                  // 4 PUs
constexpr std::string_view kPackagesInOneNode = "[numa] pack:2 l3:1 l2:2 core:1 pu:1";        // 4 PUs
constexpr std::string_view kNodesUnderOneL3 = "pack:1 l3:1 group:2 [numa] l2:2 core:1 pu:1";  // 4 PUs

std::string refusal(const std::function<void()>& action) {
  try {
    action();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "nothing was thrown";
}

std::string xml_object(std::string_view type, unsigned os_index, unsigned cpus, std::string_view inside) {
  static unsigned gp_index = 0;
  const bool cache = type.ends_with("Cache");
  return fmt::format(
      R"(<object type="{0}" os_index="{1}" cpuset="{2:#x}" complete_cpuset="{2:#x}" nodeset="0x1" )"
      R"(complete_nodeset="0x1" gp_index="{3}"{4}>{5}</object>)",
      type, os_index, cpus, ++gp_index,
      cache
          ? fmt::format(
                R"( cache_size="1048576" depth="{}" cache_linesize="64" cache_associativity="8" cache_type="0")",
                type[1])
      : type == "NUMANode" ? R"( local_memory="1073741824")"
                           : "",
      inside);
}

std::string xml_core(unsigned core, std::initializer_list<unsigned> pus) {
  std::string inside;
  unsigned cpus = 0;
  for (unsigned pu : pus) {
    inside += xml_object("PU", pu, 1u << pu, "");
    cpus |= 1u << pu;
  }
  return xml_object("Core", core, cpus, inside);
}

std::string xml_machine(unsigned cpus, std::string_view inside, std::string_view kinds) {
  std::string machine = xml_object("Machine", 0, cpus, inside);
  machine.insert(machine.find(" gp_index"),
                 fmt::format(R"( allowed_cpuset="{:#x}" allowed_nodeset="0x1")", cpus));
  return fmt::format(R"(<?xml version="1.0" encoding="UTF-8"?>)"
                     "\n"
                     R"(<!DOCTYPE topology SYSTEM "hwloc2.dtd">)"
                     "\n"
                     R"(<topology version="2.0">{}{}</topology>)",
                     machine, kinds);
}

std::string xml_kind(unsigned cpus, int efficiency) {
  return fmt::format(R"(<cpukind cpuset="{:#x}" forced_efficiency="{}"></cpukind>)", cpus, efficiency);
}

// Two P cores of two threads (PUs 0-3), a module of four E cores on one L2 (4-7), all under one L3.
std::string hybrid_desktop() {
  const std::string inside =
      xml_object("NUMANode", 0, 0xff, "") +
      xml_object("L3Cache", 0, 0xff,
                 xml_object("L2Cache", 0, 0x03, xml_core(0, {0, 1})) +
                     xml_object("L2Cache", 1, 0x0c, xml_core(1, {2, 3})) +
                     xml_object("L2Cache", 2, 0xf0,
                                xml_core(2, {4}) + xml_core(3, {5}) + xml_core(4, {6}) + xml_core(5, {7})));
  return xml_machine(0xff, xml_object("Package", 0, 0xff, inside), xml_kind(0x0f, 10) + xml_kind(0xf0, 1));
}

// Little cores first, as on ARM: 0-1 little, 2-3 middle, 4-5 big, one L3; and 6-7 lesser still, without it.
std::string little_cores_first() {
  std::string cores, apart;
  for (unsigned pu = 0; pu < 8; ++pu)
    (pu < 6 ? cores : apart) += xml_object("L2Cache", pu, 1u << pu, xml_core(pu, {pu}));
  const std::string inside =
      xml_object("NUMANode", 0, 0xff, "") + xml_object("L3Cache", 0, 0x3f, cores) + apart;
  return xml_machine(0xff, xml_object("Package", 0, 0xff, inside),
                     xml_kind(0x03, 2) + xml_kind(0x0c, 3) + xml_kind(0x30, 4) + xml_kind(0xc0, 1));
}

TEST(Topology, EveryPairOfATwoPackageMachineHasOneClass) {
  const Topology machine = Topology::synthetic(kTwoPackages);
  EXPECT_EQ(machine.closest_shared(0, 0), same_pu);
  EXPECT_EQ(machine.closest_shared(0, 1), same_core);
  EXPECT_EQ(machine.closest_shared(0, 2), same_l3);
  EXPECT_EQ(machine.closest_shared(7, 8), cross_package);
  EXPECT_THAT(machine.classes(), ElementsAre(same_pu, same_core, same_l3, cross_package));
}

TEST(Topology, ClosenessDoesNotDependOnTheOrderOfThePair) {
  for (std::string_view description : {kTwoPackages, kSubNuma, kCcxPerNode, kNodesUnderOneL3}) {
    const Topology machine = Topology::synthetic(description);
    for (const PuInfo& a : machine.pus())
      for (const PuInfo& b : machine.pus())
        EXPECT_EQ(machine.closest_shared(a.logical_index, b.logical_index),
                  machine.closest_shared(b.logical_index, a.logical_index));
  }
}

TEST(Topology, SubNumaClusteringTellsNodesOfOnePackageFromPackages) {
  const Topology machine = Topology::synthetic(kSubNuma);
  EXPECT_EQ(machine.numa_nodes(), 4u);
  EXPECT_EQ(machine.closest_shared(0, 1), same_l3);
  EXPECT_EQ(machine.closest_shared(0, 2), cross_numa);
  EXPECT_EQ(machine.closest_shared(0, 4), cross_package);
  EXPECT_THAT(machine.classes(), ElementsAre(same_pu, same_l3, cross_numa, cross_package));
}

TEST(Topology, SeveralL3InOnePackageAreSamePackage) {
  const Topology machine = Topology::synthetic(kCcxPerPackage);
  EXPECT_THAT(machine.classes(), ElementsAre(same_pu, same_core, same_l3, same_package, cross_package));
  EXPECT_EQ(machine.closest_shared(0, 8), same_package);
}

TEST(Topology, SeveralL3InOneOfTwoNodesAreSameNuma) {
  const Topology machine = Topology::synthetic(kCcxPerNode);
  EXPECT_THAT(machine.classes(), ElementsAre(same_pu, same_l3, same_numa, cross_numa));
  EXPECT_EQ(machine.closest_shared(0, 2), same_numa);
}

TEST(Topology, CoresOnOneL2AreSameL2) {
  const Topology machine = Topology::synthetic("pack:1 [numa] l3:1 l2:2 core:2 pu:2");
  EXPECT_THAT(machine.classes(), ElementsAre(same_pu, same_core, same_l2, same_l3));
}

TEST(Topology, WithoutAnL3CoresOfAPackageAreSamePackage) {
  EXPECT_THAT(Topology::synthetic(kNoL3).classes(), ElementsAre(same_pu, same_package));
  EXPECT_THAT(Topology::synthetic(kNoCaches).classes(), ElementsAre(same_pu, same_package));
}

TEST(Topology, PackagesInOneNodeAreCrossPackage) {
  EXPECT_THAT(Topology::synthetic(kPackagesInOneNode).classes(),
              ElementsAre(same_pu, same_l3, cross_package));
}

TEST(Topology, NodesUnderOneReportedL3AreCrossNuma) {
  const Topology machine = Topology::synthetic(kNodesUnderOneL3);
  EXPECT_EQ(machine.closest_shared(0, 1), same_l3);
  EXPECT_EQ(machine.closest_shared(1, 2), cross_numa);
}

TEST(Topology, OnePuHasNoPairs) { EXPECT_THAT(Topology::synthetic(kOnePu).classes(), ElementsAre(same_pu)); }

TEST(Topology, CountsWhatIsThere) {
  const Topology machine = Topology::synthetic(kCcxPerPackage);
  EXPECT_EQ(machine.packages(), 2u);
  EXPECT_EQ(machine.numa_nodes(), 2u);
  EXPECT_EQ(machine.cores(), 16u);
  EXPECT_EQ(machine.visible_pus(), 32u);
  EXPECT_FALSE(machine.is_this_machine());

  const Topology bare = Topology::synthetic(kNoCaches);
  EXPECT_EQ(bare.packages(), 1u);
  EXPECT_EQ(bare.pus().front().package, -1);
  EXPECT_EQ(bare.pus().front().l3, -1);
  EXPECT_THAT(bare.caches(), IsEmpty());
}

TEST(Topology, CachesSayHowManyPusShareThem) {
  const std::vector<CacheInfo> caches =
      Topology::synthetic("pack:2 l3:1(size=33554432) l2:4(size=1048576) pu:2").caches();
  ASSERT_THAT(caches, SizeIs(2));
  EXPECT_EQ(caches[0].level, 2);
  EXPECT_EQ(caches[0].size_bytes, 1u << 20);
  EXPECT_EQ(caches[0].sharing_pus, 2);
  EXPECT_EQ(caches[1].level, 3);
  EXPECT_EQ(caches[1].size_bytes, 32u << 20);
  EXPECT_EQ(caches[1].sharing_pus, 8);
}

TEST(Topology, HybridKindsAreNamedFromTheMostCapableDown) {
  const Topology desktop = Topology::from_xml(hybrid_desktop());
  EXPECT_EQ(desktop.pus()[3].kind, "P");
  EXPECT_EQ(desktop.pus()[4].kind, "E");

  const Topology phone = Topology::from_xml(little_cores_first());
  EXPECT_EQ(phone.pus()[4].kind, "P");
  EXPECT_EQ(phone.pus()[2].kind, "E1");
  EXPECT_EQ(phone.pus()[0].kind, "E2");
  EXPECT_EQ(phone.pus()[6].kind, "E3");

  EXPECT_EQ(Topology::synthetic(kLaptop).pus()[0].kind, "");
}

TEST(Topology, RefusesWhatHwlocRefuses) {
  EXPECT_THROW(Topology::synthetic("two sockets, please"), std::invalid_argument);
  EXPECT_THROW(Topology::from_xml("<html>"), std::invalid_argument);
  EXPECT_THROW(Topology::synthetic(kOnePu).closest_shared(0, 1), std::out_of_range);
}

TEST(Topology, ARestrictedProcessSeesItsOwnPusUnderTheSameNames) {
  const Topology machine = Topology::synthetic(kTwoPackages).restricted_to(std::vector{9, 4});
  ASSERT_THAT(machine.pus(), SizeIs(2));
  EXPECT_EQ(machine.pus()[0].logical_index, 4);
  EXPECT_EQ(machine.pus()[1].logical_index, 9);
  EXPECT_EQ(machine.visible_pus(), 16u);
  EXPECT_THAT(machine.classes(), ElementsAre(same_pu, cross_package));
  EXPECT_THROW(machine.restricted_to(std::vector{0}), std::invalid_argument);
  EXPECT_THROW(machine.restricted_to(std::vector<int>{}), std::invalid_argument);
}

TEST(ParsePlacement, TakesEveryClassByItsName) {
  for (PlacementClass placement_class : all_placement_classes()) {
    const PlacementRequest request = parse_placement(to_string(placement_class));
    EXPECT_THAT(request.alternatives, ElementsAre(placement_class));
    EXPECT_THAT(request.explicit_pus, IsEmpty());
    EXPECT_THAT(describe(placement_class), testing::Not(IsEmpty()));
  }
}

TEST(ParsePlacement, TakesAlternativesAndIndexes) {
  EXPECT_THAT(parse_placement("same_l3|same_package").alternatives, ElementsAre(same_l3, same_package));
  EXPECT_THAT(parse_placement("3+0+3").explicit_pus, ElementsAre(3, 0, 3));
  EXPECT_THAT(parse_placement("12").explicit_pus, ElementsAre(12));
}

TEST(ParsePlacement, RefusesAnythingElseInOneLineThatSaysWhatIsAllowed) {
  for (std::string_view wrong : {"", "same_socket", "same_l3|", "|", "0+", "+1", "0,1", "-1", "-0",
                                 "0+1|same_l3", "same_l3|0", "99999999999", " 0", "0x1", "SAME_L3"}) {
    const std::string reason = refusal([&] { parse_placement(wrong); });
    EXPECT_THAT(reason,
                AllOf(HasSubstr(fmt::format("'{}'", wrong)), HasSubstr("same_core"), HasSubstr("0+1")));
    EXPECT_THAT(reason, testing::Not(HasSubstr("\n")));
    EXPECT_THROW(parse_placement(wrong), std::invalid_argument);
  }
}

// The classes that hold a pair of roles, whatever machine they were resolved on.
constexpr PlacementClass kPairClasses[] = {same_core,    same_l2,    same_l3,      same_numa,
                                           same_package, cross_numa, cross_package};

TEST(Resolve, GivesAPairOfExactlyTheClassOrTheMachineHasNone) {
  for (std::string_view description : {kOnePu, kLaptop, kTwoPackages, kSubNuma, kCcxPerPackage, kCcxPerNode,
                                       kNoL3, kNoCaches, kPackagesInOneNode, kNodesUnderOneL3}) {
    const Topology machine = Topology::synthetic(description);
    const std::vector<PlacementClass> have = machine.classes();
    for (PlacementClass wanted : kPairClasses) {
      SCOPED_TRACE(fmt::format("{} on {}", to_string(wanted), description));
      if (std::ranges::find(have, wanted) == have.end()) {
        EXPECT_THROW(resolve(machine, to_string(wanted), 2), Unsupported);
        continue;
      }
      const Placement placement = resolve(machine, to_string(wanted), 2);
      ASSERT_THAT(placement.role_pus, ElementsAre(SizeIs(1), SizeIs(1)));
      EXPECT_EQ(machine.closest_shared(placement.role_pus[0][0], placement.role_pus[1][0]), wanted);
      EXPECT_EQ(placement.name, to_string(wanted));
      EXPECT_FALSE(placement.oversubscribed);
      EXPECT_EQ(placement.note, "");
    }
  }
}

TEST(Resolve, NeighboursInNumberStandInTheClassHoweverManyRolesThereAre) {
  std::vector<Topology> machines = {Topology::from_xml(hybrid_desktop()),
                                    Topology::from_xml(little_cores_first())};
  for (std::string_view description : {kLaptop, kTwoPackages, kSubNuma, kCcxPerPackage, kCcxPerNode, kNoL3})
    machines.push_back(Topology::synthetic(description));
  for (const Topology& machine : machines)
    for (PlacementClass wanted : machine.classes()) {
      const Placement placement = resolve(machine, to_string(wanted), 70);
      EXPECT_TRUE(placement.oversubscribed);
      for (std::size_t role = 1; role < placement.role_pus.size(); ++role)
        EXPECT_EQ(machine.closest_shared(placement.role_pus[role - 1][0], placement.role_pus[role][0]),
                  wanted);
    }
}

TEST(Resolve, TheSameQuestionHasTheSameAnswer) {
  const Topology machine = Topology::synthetic(kCcxPerPackage);
  EXPECT_EQ(resolve(machine, "same_package", 6).role_pus, resolve(machine, "same_package", 6).role_pus);
}

TEST(Resolve, TakesOnePuOfEachCoreBeforeSecondThreads) {
  const Topology machine = Topology::synthetic(kLaptop);
  EXPECT_EQ(resolve(machine, "same_l3", 2).role_pus, (Pus{{0}, {2}}));
  const Placement four = resolve(machine, "same_l3", 4);
  EXPECT_EQ(four.role_pus, (Pus{{0}, {2}, {4}, {6}}));
  EXPECT_EQ(four.note, "");
  const Placement six = resolve(machine, "same_l3", 6);
  EXPECT_EQ(six.role_pus, (Pus{{0}, {2}, {4}, {6}, {1}, {3}}));
  EXPECT_FALSE(six.oversubscribed);
  EXPECT_EQ(six.note, "roles 0 and 4 are same_core to each other");
  const Placement nine = resolve(machine, "same_l3", 9);
  EXPECT_TRUE(nine.oversubscribed);
  EXPECT_EQ(nine.role_pus[8], nine.role_pus[0]);
  EXPECT_EQ(nine.note, "9 roles take turns on 8 PUs");
}

TEST(Resolve, AlternatesBetweenPackagesAndTakesFreshCoresFirst) {
  const Topology machine = Topology::synthetic(kTwoPackages);
  EXPECT_EQ(resolve(machine, "cross_package", 6).role_pus, (Pus{{0}, {8}, {2}, {10}, {4}, {12}}));
}

TEST(Resolve, SamePuTakesTurnsAndSaysSo) {
  const Placement placement = resolve(Topology::synthetic(kLaptop), "same_pu", 3);
  EXPECT_EQ(placement.role_pus, (Pus{{0}, {0}, {0}}));
  EXPECT_TRUE(placement.oversubscribed);
  EXPECT_EQ(placement.note, "3 roles take turns on 1 PU");
  EXPECT_FALSE(resolve(Topology::synthetic(kLaptop), "same_pu", 1).oversubscribed);
}

TEST(Resolve, UnpinnedNamesNoPu) {
  const Placement placement = resolve(Topology::synthetic(kNoL3), "unpinned", 2);
  EXPECT_EQ(placement.name, "unpinned");
  EXPECT_THAT(placement.role_pus, ElementsAre(IsEmpty(), IsEmpty()));
  EXPECT_FALSE(placement.oversubscribed);
  EXPECT_TRUE(resolve(Topology::synthetic(kNoL3), "unpinned", 5).oversubscribed);
}

TEST(Resolve, ExplicitPusGoRoundRobinAsWritten) {
  const Topology machine = Topology::synthetic(kLaptop);
  const Placement placement = resolve(machine, "05+3", 3);
  EXPECT_EQ(placement.name, "5+3");
  EXPECT_EQ(placement.role_pus, (Pus{{5}, {3}, {5}}));
  EXPECT_TRUE(placement.oversubscribed);
  EXPECT_TRUE(resolve(machine, "1+1+2", 3).oversubscribed);
  EXPECT_FALSE(resolve(machine, "1+2", 2).oversubscribed);
}

TEST(Resolve, MoreExplicitPusThanRolesAreRefusedWithBothNumbers) {
  const Topology topology = Topology::synthetic(kLaptop);
  EXPECT_EQ(refusal([&] { resolve(topology, "0+0+1", 2); }), "placement 0+0+1: names 3 PUs for 2 roles");
  EXPECT_EQ(resolve(topology, "0+0+1", 3).role_pus.size(), 3u);
}

TEST(Resolve, AnIndexTheMachineLacksIsAUsageError) {
  const Topology machine = Topology::synthetic(kLaptop);
  EXPECT_THROW(resolve(machine, "0+8", 2), std::invalid_argument);
  EXPECT_EQ(refusal([&] { resolve(machine, "0+8", 2); }),
            "placement 0+8: this machine has no PU 8; allowed: 0-7");
  const Topology part = machine.restricted_to(std::vector{0, 1, 5});
  EXPECT_EQ(refusal([&] { resolve(part, "0+2", 2); }),
            "placement 0+2: this process may not run on PU 2; allowed: 0-1, 5");
  EXPECT_THROW(resolve(machine, "same_pu", 0), std::invalid_argument);
}

TEST(Resolve, AMissingClassIsExplained) {
  EXPECT_EQ(refusal([] { resolve(Topology::synthetic(kNoL3), "same_core", 2); }),
            "placement same_core: no core has two hardware threads (its pairs are same_package)");
  EXPECT_EQ(refusal([] { resolve(Topology::synthetic(kTwoPackages), "cross_numa", 2); }),
            "placement cross_numa: no package has two NUMA nodes (its pairs are same_core, same_l3, "
            "cross_package)");
  EXPECT_EQ(
      refusal([] { resolve(Topology::synthetic(kOnePu), "same_l3", 2); }),
      "placement same_l3: no two cores share an L3 cache but no L2 cache (one processor makes no pair)");
  EXPECT_EQ(refusal([] { resolve(Topology::synthetic(kNoL3), "same_l2|same_l3", 2); }),
            "placement same_l2|same_l3: no pair of processors is any of these (its pairs are same_package)");
  EXPECT_THAT(refusal([] {
                resolve(Topology::synthetic(kLaptop).restricted_to(std::vector{0, 2}), "same_core", 2);
              }),
              HasSubstr("among the 2 of 8 this process may use"));
}

TEST(Resolve, TakesTheFirstAlternativeTheMachineHas) {
  constexpr std::string_view kPortable = "same_l3|same_l2|same_package|same_pu";
  EXPECT_EQ(resolve(Topology::synthetic(kLaptop), kPortable, 2).name, "same_l3");
  EXPECT_EQ(resolve(Topology::synthetic(kNoL3), kPortable, 2).name, "same_package");
  EXPECT_EQ(resolve(Topology::synthetic(kOnePu), kPortable, 2).name, "same_pu");
}

TEST(Resolve, UsesAllowedPusOnly) {
  const Topology machine = Topology::synthetic(kTwoPackages).restricted_to(std::vector{3, 7, 8, 9});
  EXPECT_EQ(resolve(machine, "same_l3", 2).role_pus, (Pus{{3}, {7}}));
  EXPECT_EQ(resolve(machine, "same_core", 2).role_pus, (Pus{{8}, {9}}));
  EXPECT_EQ(resolve(machine, "same_pu", 1).role_pus, (Pus{{3}}));
}

TEST(Resolve, PrefersTheMostCapableKindOfCore) {
  const Topology desktop = Topology::from_xml(hybrid_desktop());
  EXPECT_EQ(resolve(desktop, "same_core", 2).role_pus, (Pus{{0}, {1}}));
  EXPECT_EQ(resolve(desktop, "same_l2", 2).role_pus, (Pus{{4}, {5}}));
  EXPECT_EQ(resolve(desktop, "same_l3", 2).role_pus, (Pus{{0}, {2}}));

  const Topology phone = Topology::from_xml(little_cores_first());
  EXPECT_EQ(resolve(phone, "same_pu", 1).role_pus, (Pus{{4}}));
  EXPECT_EQ(resolve(phone, "same_l3", 2).role_pus, (Pus{{4}, {5}}));
  EXPECT_EQ(resolve(phone, "same_l3", 3).role_pus, (Pus{{4}, {5}, {2}}));
}

TEST(RepresentativePus, AreAllWhereTheyAreFew) {
  EXPECT_THAT(representative_pus(Topology::synthetic("pack:2 [numa] core:2 pu:2")),
              ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
}

TEST(RepresentativePus, OfALargeMachineShowEveryClassAndReachEveryPackage) {
  const Topology large = Topology::synthetic("pack:2 group:2 [numa] l3:4 l2:2 core:4 pu:2");
  const std::vector<int> pus = representative_pus(large);
  EXPECT_EQ(pus.size(), 16u);
  EXPECT_TRUE(std::ranges::is_sorted(pus));
  std::set<PlacementClass> classes;
  for (const int a : pus) {
    for (const int b : pus) classes.insert(large.closest_shared(a, b));
  }
  EXPECT_EQ(std::vector(classes.begin(), classes.end()), large.classes());
  std::set<int> nodes;
  for (const int pu : pus) nodes.insert(large.pus()[static_cast<std::size_t>(pu)].numa_node);
  EXPECT_EQ(nodes.size(), 4u);
}

TEST(Binding, RefusesATopologyOfAnotherMachine) {
  EXPECT_THROW(bind_this_process(Topology::synthetic(kLaptop), std::vector{0}), std::invalid_argument);
}

// Runs `check` in a child; true when it returned true there.
bool holds_in_a_child(const std::function<bool()>& check) {
  const pid_t child = fork();
  if (child == 0) {
    bool held = false;
    try {
      held = check();
    } catch (const std::exception& error) {
      fmt::print(stderr, "{}\n", error.what());
    }
    _exit(held ? 0 : 1);
  }
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(Binding, PutsAProcessWhereItWasAskedAndReadsItBack) {
  const Topology machine = Topology::of_this_machine();
  ASSERT_TRUE(machine.is_this_machine());
  for (const PuInfo& pu : machine.pus())
    EXPECT_TRUE(holds_in_a_child([&] {
      const Binding binding = bind_this_process(machine, std::vector{pu.logical_index});
      cpu_set_t mask;
      CPU_ZERO(&mask);
      return sched_getaffinity(0, sizeof mask, &mask) == 0 && CPU_COUNT(&mask) == 1 &&
             CPU_ISSET(pu.os_index, &mask) && binding.granted_pus == std::vector{pu.logical_index} &&
             binding.last_os_processor == pu.os_index && binding.numa_node >= 0 &&
             binding.memory_bound == binding.memory_note.empty();
    }));
}

TEST(Binding, OfNothingLeavesTheProcessAsItWas) {
  const Topology machine = Topology::of_this_machine();
  EXPECT_TRUE(holds_in_a_child([&] {
    const Binding binding = bind_this_process(machine, {});
    std::vector<int> allowed;
    for (const PuInfo& pu : machine.pus()) allowed.push_back(pu.logical_index);
    return binding.granted_pus == allowed && !binding.memory_bound && binding.memory_note.empty();
  }));
}

TEST(Binding, ATopologyMadeUnderARestrictedMaskAllowsNoMore) {
  const Topology machine = Topology::of_this_machine();
  const PuInfo last = machine.pus().back();
  EXPECT_TRUE(holds_in_a_child([&] {
    cpu_set_t mask;
    CPU_ZERO(&mask);
    CPU_SET(last.os_index, &mask);
    if (sched_setaffinity(0, sizeof mask, &mask) != 0) return false;
    const Topology restricted = Topology::of_this_machine();
    return restricted.pus().size() == 1 && restricted.pus().front().os_index == last.os_index &&
           resolve(restricted, "same_pu", 2).role_pus.front().front() == last.logical_index;
  }));
}

TEST(Binding, ARefusedProcessorIsNamed) {
  // A synthetic machine posing as this one has one processor more than the kernel knows.
  const long beyond = sysconf(_SC_NPROCESSORS_CONF);
  ASSERT_EQ(setenv("HWLOC_THISSYSTEM", "1", 1), 0);
  const Topology posing = Topology::synthetic(fmt::format("core:{} pu:1", beyond + 1));
  ASSERT_EQ(unsetenv("HWLOC_THISSYSTEM"), 0);
  ASSERT_TRUE(posing.is_this_machine());
  EXPECT_TRUE(holds_in_a_child([&] {
    try {
      bind_this_process(posing, std::vector{static_cast<int>(beyond)});
    } catch (const std::system_error& error) {
      return std::string_view(error.what())
          .starts_with(fmt::format("sched_setaffinity to PU {0} (OS processor {0})", beyond));
    }
    return false;
  }));
}

}  // namespace
}  // namespace ipcmark
