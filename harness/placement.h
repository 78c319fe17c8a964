// Which processing unit (PU: one hardware thread) each role of a launch runs on, named by what the PUs
// share; and the binding itself. The only part of ipcmark that knows hwloc; nothing of hwloc shows here.
//
// A PU is named by its hwloc logical index, as `lstopo` prints it ("PU L#3"); an OS index, where one
// appears, says so.
//
// ## The classes
// Every pair of PUs belongs to exactly one class: the first line that holds, read from the top.
//
//   same_pu        it is one PU
//   cross_package  they lie in different packages (sockets), whatever the NUMA nodes are
//   cross_numa     one package, different NUMA nodes: sub-NUMA clustering, NPS2 and NPS4
//   same_core      two hardware threads of one core
//   same_l2        different cores, one L2 cache
//   same_l3        different L2 caches, one L3 cache
//   same_numa      one NUMA node of a package that has several, no common L2 or L3
//   same_package   one package that has no NUMA nodes inside it to tell apart, no common L2 or L3
//
// From closest to farthest: same_pu < same_core < same_l2 < same_l3 < same_numa < same_package <
// cross_numa < cross_package, which is the order of PlacementClass. Why so:
// - Two sockets of one node each, the common server, differ in package and node; the name is
//   cross_package, so that cross_numa always means the shorter of the two ways. Where firmware reports
//   one node over several packages (interleaved memory, many virtual machines) the pair is cross_package
//   as well.
// - Two NUMA nodes under one reported L3 (Intel sub-NUMA clustering, numa=fake) are cross_numa: their
//   slices and their memory are apart, whatever CPUID says about the cache.
// - Where package and NUMA node are the same set of PUs the package gives the name, so same_package is
//   what an EPYC shows between two CCXs at NPS1, and same_numa the same pair at NPS4.
// - A machine with no L3, or none that hwloc is told of (many ARM and virtual machines), has same_package
//   where others have same_l3. A level that is not reported is never shared. No core reported: each PU is
//   a core of its own. No package reported: the machine is one package.
// - L1, and an L4 or other cache beyond L3, make no class.
//
// Thread-safety: a Topology never changes once made; copies share it, and any thread or forked child may
// read it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "harness/machine.h"

namespace ipcmark {

enum class PlacementClass : std::uint8_t {
  same_pu,
  same_core,
  same_l2,
  same_l3,
  same_numa,
  same_package,
  cross_numa,
  cross_package,
  unpinned,  // no binding at all; never what two PUs share
};

std::string_view to_string(PlacementClass placement_class);
std::string_view describe(PlacementClass placement_class);  // one line for a person
std::span<const PlacementClass> all_placement_classes();

class Topology {
 public:
  // The machine as this process sees it: PUs that its cgroup forbids are not there at all (as in `lstopo`),
  // those that its affinity mask (taskset, isolcpus) leaves out are there but not allowed. Takes
  // milliseconds: make one, share it. Throws std::system_error when hwloc cannot read the machine.
  static Topology of_this_machine();

  // hwloc's synthetic description ("pack:2 numa:2 l3:1 core:4 pu:2") or XML (`lstopo --of xml`), for machines
  // that are not here. Throws std::invalid_argument when hwloc refuses it.
  static Topology synthetic(std::string_view description);
  static Topology from_xml(std::string_view xml);

  // The same machine for a process that may run on these PUs only. Throws std::invalid_argument when one is
  // not allowed here, or when there are none.
  Topology restricted_to(std::span<const int> pus) const;

  // PUs that this process may run on, by ascending logical index. PuInfo::kind ranks hybrid processors: "P"
  // for the most capable, "E" for the other of two kinds, "E1", "E2" ... in falling order for more; empty
  // where all are alike.
  const std::vector<PuInfo>& pus() const;
  std::size_t visible_pus() const;  // allowed or not
  // Counts of what is visible, at least 1 each; NUMA nodes without a PU (CXL, high-bandwidth memory) are not
  // counted.
  unsigned packages() const;
  unsigned numa_nodes() const;
  unsigned cores() const;
  // One entry for each combination of type, level, size and sharing that is there, by level.
  std::vector<CacheInfo> caches() const;

  // The class of a pair. Throws std::out_of_range when a PU is not visible.
  PlacementClass closest_shared(int pu_a, int pu_b) const;
  // The classes that pairs of allowed PUs belong to, closest first; same_pu is always one.
  std::vector<PlacementClass> classes() const;

  bool is_this_machine() const;

  struct Impl;
  explicit Topology(std::shared_ptr<const Impl> impl);
  const Impl& impl() const { return *impl_; }

 private:
  std::shared_ptr<const Impl> impl_;
};

// What --placement was given. Exactly one of the two is non-empty.
struct PlacementRequest {
  std::vector<PlacementClass> alternatives;  // the first that the machine has
  std::vector<int> explicit_pus;             // as written, repetitions included
};

// CLASS, CLASS|CLASS|... or PU+PU+... Throws std::invalid_argument with one line that says what is allowed.
// Syntax only: whether the machine has it is resolve's to say.
PlacementRequest parse_placement(std::string_view placement);

struct Placement {
  std::string name;  // what to record: the one class taken, the indexes as asked, or "unpinned"
  std::vector<std::vector<int>> role_pus;  // one per role: empty when unpinned, else one PU
  // Roles outnumber PUs, so that some take turns on one: true of same_pu with two roles or more.
  bool oversubscribed = false;
  // One line for a person when roles take turns, or when two roles stand closer than the class; else empty.
  std::string note;
};

// PUs for `roles` roles. A class takes its PUs from the allowed ones so, and always the same on one machine:
// 1. The first pair of the class: on a hybrid machine the pair whose lesser PU is of the most capable kind,
//    then the one with the lowest logical indexes.
// 2. Every further PU, in the same order, that stands in this class to each one already taken (one PU per
//    L2 for same_l3, one per package for cross_package). Up to here any two roles are a pair of the class.
// 3. When roles remain, second, third ... PUs from the neighbourhood of each one of those in turn (PUs
//    closer to it than the class), fresh cores before second hardware threads. Roles next to each other in
//    number, so also sender 0 and receiver 1, still stand in the class; `note` says that others are closer.
// 4. When roles remain, the same PUs again, round-robin: oversubscribed.
// Explicit PUs go to the roles in their order, round-robin when there are fewer than roles.
//
// Throws Unsupported (harness/contract.h) when the machine has no pair of the class or of any alternative;
// the text says what this machine's pairs are instead. Also when explicit PUs outnumber the roles: one of
// them would say nothing. Throws std::invalid_argument for bad syntax, for an explicit PU that the machine
// lacks or this process may not use, and for zero roles.
Placement resolve(const Topology& topology, std::string_view placement, unsigned roles);

// The PUs between any two of which a map of the machine is drawn, ascending: all that are allowed, or `most`
// of them that show every class: the first pair of each, then PUs as far from those before as there are.
std::vector<int> representative_pus(const Topology& topology, std::size_t most = 16);

// What the kernel granted, read back from it.
struct Binding {
  std::vector<int> granted_pus;  // the affinity mask
  int last_os_processor = -1;    // where this thread last ran (OS index), by getcpu(2)
  int numa_node = -1;            // of that processor (OS index); -1 when it lies outside the topology
  bool memory_bound = false;
  std::string memory_note;  // why not, when binding it was tried and refused
};

// Binds the calling thread, and so every thread it starts later, to `pus`, and its memory to their NUMA nodes
// (MPOL_BIND: no falling back to a remote node; set_mempolicy(2)). Call it in the role's own process, while
// that has one thread and before it touches the memory it will use: a page stays on the node where it was
// first touched, a page of the parent's stays where it was. Empty `pus` binds nothing and reads back.
//
// A refused memory binding (no CONFIG_NUMA, a container's seccomp filter) is noted in the result. A refused
// CPU binding throws std::system_error naming the call and the PUs. std::invalid_argument: a PU is not
// visible, or the topology is not this machine's.
//
// The calls are those of a thread on itself and read nothing under /proc, so they work inside a fresh PID
// namespace.
Binding bind_this_process(const Topology& topology, std::span<const int> pus);

// The same reading back, without binding; memory_bound and memory_note stay empty. For the end of the timed
// part.
Binding read_binding(const Topology& topology);

}  // namespace ipcmark
