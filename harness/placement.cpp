#include "harness/placement.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <hwloc.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <map>
#include <new>
#include <set>
#include <stdexcept>
#include <system_error>
#include <tuple>
#include <utility>

#include "harness/contract.h"
#include "harness/text.h"

namespace ipcmark {
namespace {

struct ClassWords {
  PlacementClass placement_class;
  std::string_view name;
  std::string_view description;
  std::string_view missing;  // why a machine has no such pair
};

constexpr auto kClasses = std::to_array<ClassWords>({
    {PlacementClass::same_pu, "same_pu", "one hardware thread, taking turns", "no processor at all"},
    {PlacementClass::same_core, "same_core", "two hardware threads of one core (SMT)",
     "no core has two hardware threads"},
    {PlacementClass::same_l2, "same_l2", "different cores, one L2 cache", "no two cores share an L2 cache"},
    {PlacementClass::same_l3, "same_l3", "different L2 caches, one L3 cache",
     "no two cores share an L3 cache but no L2 cache"},
    {PlacementClass::same_numa, "same_numa",
     "one NUMA node of a package that has several, no common L2 or L3 cache",
     "no NUMA node inside a package has two cores without a common L2 or L3 cache"},
    {PlacementClass::same_package, "same_package",
     "one package without NUMA nodes inside, no common L2 or L3 cache",
     "no package without NUMA nodes inside has two cores without a common L2 or L3 cache"},
    {PlacementClass::cross_numa, "cross_numa", "one package, different NUMA nodes",
     "no package has two NUMA nodes"},
    {PlacementClass::cross_package, "cross_package", "different packages (sockets)", "there is one package"},
    {PlacementClass::unpinned, "unpinned", "wherever the scheduler puts them", ""},
});

const ClassWords& words(PlacementClass placement_class) {
  return kClasses[static_cast<std::size_t>(placement_class)];
}

struct DestroyTopology {
  void operator()(hwloc_topology_t topology) const { hwloc_topology_destroy(topology); }
};

struct FreeBitmap {
  void operator()(hwloc_bitmap_t bitmap) const { hwloc_bitmap_free(bitmap); }
};
using Bitmap = std::unique_ptr<hwloc_bitmap_s, FreeBitmap>;

using TopologyHandle = std::shared_ptr<hwloc_topology>;

Bitmap make_bitmap() {
  Bitmap bitmap(hwloc_bitmap_alloc());
  if (!bitmap) throw std::bad_alloc();
  return bitmap;
}

std::system_error call_failed(int error, const std::string& what) {
  return {error, std::generic_category(), what};
}

TopologyHandle init_topology() {
  hwloc_topology_t topology = nullptr;
  if (hwloc_topology_init(&topology) != 0) throw call_failed(errno, "hwloc_topology_init");
  TopologyHandle handle(topology, DestroyTopology());
  // Instruction caches are left out by default; CacheInfo lists them.
  hwloc_topology_set_icache_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_ALL);
  return handle;
}

int logical_index_of_ancestor(hwloc_topology_t topology, hwloc_obj_type_t type, hwloc_obj_t object) {
  hwloc_obj_t ancestor = hwloc_get_ancestor_obj_by_type(topology, type, object);
  return ancestor != nullptr ? static_cast<int>(ancestor->logical_index) : -1;
}

// Memory hangs beside the tree of caches in hwloc 2, and a PU may have several local nodes (DRAM and
// high-bandwidth memory); ordinary memory is the one attached closest, and Linux numbers it first.
hwloc_obj_t local_node(hwloc_topology_t topology, hwloc_obj_t pu) {
  hwloc_obj_t best = nullptr;
  const auto rank = [](hwloc_obj_t node) {
    return std::pair(hwloc_bitmap_weight(node->cpuset), node->os_index);
  };
  for (hwloc_obj_t node = nullptr;
       (node = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_NUMANODE, node)) != nullptr;) {
    if (!hwloc_bitmap_isincluded(pu->cpuset, node->cpuset)) continue;
    if (best == nullptr || rank(node) < rank(best)) best = node;
  }
  return best;
}

std::string kind_name(int rank, int kinds) {
  if (rank == kinds - 1) return "P";
  return kinds == 2 ? "E" : fmt::format("E{}", kinds - 1 - rank);
}

}  // namespace

struct Topology::Impl {
  struct Pu {
    PuInfo info;
    int kind_rank = 0;  // greater is more capable
    int node_os_index = -1;
    bool shares_package_with_other_nodes = false;
    bool allowed = true;
  };

  explicit Impl(TopologyHandle loaded) : handle(std::move(loaded)) {
    hwloc_topology_t topology = handle.get();
    const int kinds = hwloc_cpukinds_get_nr(topology, 0);
    for (hwloc_obj_t object = nullptr;
         (object = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_PU, object)) != nullptr;) {
      Pu pu;
      pu.info.logical_index = static_cast<int>(object->logical_index);
      pu.info.os_index = static_cast<int>(object->os_index);
      pu.info.core = logical_index_of_ancestor(topology, HWLOC_OBJ_CORE, object);
      pu.info.l2 = logical_index_of_ancestor(topology, HWLOC_OBJ_L2CACHE, object);
      pu.info.l3 = logical_index_of_ancestor(topology, HWLOC_OBJ_L3CACHE, object);
      pu.info.package = logical_index_of_ancestor(topology, HWLOC_OBJ_PACKAGE, object);
      if (hwloc_obj_t node = local_node(topology, object)) {
        pu.info.numa_node = static_cast<int>(node->logical_index);
        pu.node_os_index = static_cast<int>(node->os_index);
      }
      if (kinds > 1) {
        const int kind = hwloc_cpukinds_get_by_cpuset(topology, object->cpuset, 0);
        int rank = -1;
        if (kind >= 0 &&
            hwloc_cpukinds_get_info(topology, static_cast<unsigned>(kind), nullptr, &rank, nullptr, nullptr,
                                    0) == 0 &&
            rank >= 0) {
          pu.kind_rank = rank;
          pu.info.kind = kind_name(rank, kinds);
        }
      }
      pus.push_back(pu);
    }
    std::map<int, std::set<int>> nodes_of_package;
    for (const Pu& pu : pus) nodes_of_package[pu.info.package].insert(pu.info.numa_node);
    for (Pu& pu : pus) pu.shares_package_with_other_nodes = nodes_of_package[pu.info.package].size() > 1;
    list_allowed();
  }

  void list_allowed() {
    allowed.clear();
    for (const Pu& pu : pus)
      if (pu.allowed) allowed.push_back(pu.info);
  }

  bool visible(int logical_index) const {
    return logical_index >= 0 && static_cast<std::size_t>(logical_index) < pus.size();
  }

  const Pu& at(int logical_index) const {
    if (!visible(logical_index))
      throw std::out_of_range(
          fmt::format("PU {} is not on this machine, which has PUs 0 to {}", logical_index, pus.size() - 1));
    return pus[static_cast<std::size_t>(logical_index)];
  }

  unsigned count(hwloc_obj_type_t type) const {
    return static_cast<unsigned>(std::max(hwloc_get_nbobjs_by_type(handle.get(), type), 1));
  }

  TopologyHandle handle;
  std::vector<Pu> pus;  // by logical index
  std::vector<PuInfo> allowed;
};

namespace {

using Impl = Topology::Impl;

std::shared_ptr<const Impl> load(TopologyHandle handle) {
  if (hwloc_topology_load(handle.get()) != 0) return nullptr;
  return std::make_shared<const Impl>(std::move(handle));
}

std::vector<int> allowed_indexes(const Topology& topology) {
  std::vector<int> indexes;
  for (const PuInfo& pu : topology.pus()) indexes.push_back(pu.logical_index);
  return indexes;
}

// 0,1,2,3,8 -> "0-3, 8"
std::string ranges(std::span<const int> sorted) {
  std::string text;
  for (std::size_t first = 0; first < sorted.size();) {
    std::size_t last = first;
    while (last + 1 < sorted.size() && sorted[last + 1] == sorted[last] + 1) ++last;
    text += fmt::format("{}{}", text.empty() ? "" : ", ", sorted[first]);
    if (last > first) text += fmt::format("-{}", sorted[last]);
    first = last + 1;
  }
  return text;
}

std::vector<int> affinity_mask(const Impl& impl) {
  const Bitmap set = make_bitmap();
  if (hwloc_get_cpubind(impl.handle.get(), set.get(), HWLOC_CPUBIND_THREAD) != 0)
    throw call_failed(errno, "sched_getaffinity");
  std::vector<int> pus;
  for (const Impl::Pu& pu : impl.pus)
    if (hwloc_bitmap_isset(set.get(), static_cast<unsigned>(pu.info.os_index)))
      pus.push_back(pu.info.logical_index);
  return pus;
}

}  // namespace

std::string_view to_string(PlacementClass placement_class) { return words(placement_class).name; }
std::string_view describe(PlacementClass placement_class) { return words(placement_class).description; }

std::span<const PlacementClass> all_placement_classes() {
  static constexpr auto classes = [] {
    std::array<PlacementClass, kClasses.size()> all{};
    std::ranges::transform(kClasses, all.begin(), &ClassWords::placement_class);
    return all;
  }();
  return classes;
}

Topology::Topology(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

Topology Topology::of_this_machine() {
  auto impl = load(init_topology());
  if (!impl) throw call_failed(errno, "hwloc_topology_load");
  const Topology machine(std::move(impl));
  // HWLOC_XMLFILE and its like describe another machine, whose affinity masks mean nothing here.
  return machine.is_this_machine() ? machine.restricted_to(affinity_mask(machine.impl())) : machine;
}

Topology Topology::synthetic(std::string_view description) {
  TopologyHandle handle = init_topology();
  auto impl = hwloc_topology_set_synthetic(handle.get(), std::string(description).c_str()) == 0
                  ? load(std::move(handle))
                  : nullptr;
  if (!impl) throw std::invalid_argument(fmt::format("no synthetic topology: '{}'", description));
  return Topology(std::move(impl));
}

Topology Topology::from_xml(std::string_view xml) {
  TopologyHandle handle = init_topology();
  const std::string terminated(xml);
  auto impl = hwloc_topology_set_xmlbuffer(handle.get(), terminated.c_str(),
                                           static_cast<int>(terminated.size() + 1)) == 0
                  ? load(std::move(handle))
                  : nullptr;
  if (!impl) throw std::invalid_argument("no hwloc topology in this XML");
  return Topology(std::move(impl));
}

Topology Topology::restricted_to(std::span<const int> pus) const {
  if (pus.empty()) throw std::invalid_argument("a process must be allowed one PU at least");
  auto impl = std::make_shared<Impl>(*impl_);
  for (Impl::Pu& pu : impl->pus) pu.allowed = false;
  for (int index : pus) {
    if (!impl_->visible(index) || !impl_->at(index).allowed)
      throw std::invalid_argument(
          fmt::format("PU {} is not among the allowed PUs {}", index, ranges(allowed_indexes(*this))));
    impl->pus[static_cast<std::size_t>(index)].allowed = true;
  }
  impl->list_allowed();
  return Topology(std::move(impl));
}

const std::vector<PuInfo>& Topology::pus() const { return impl_->allowed; }
std::size_t Topology::visible_pus() const { return impl_->pus.size(); }
unsigned Topology::packages() const { return impl_->count(HWLOC_OBJ_PACKAGE); }

unsigned Topology::numa_nodes() const {
  std::set<int> nodes;
  for (const Impl::Pu& pu : impl_->pus) nodes.insert(pu.info.numa_node);
  return static_cast<unsigned>(nodes.size());
}

unsigned Topology::cores() const {
  const int cores = hwloc_get_nbobjs_by_type(impl_->handle.get(), HWLOC_OBJ_CORE);
  return cores > 0 ? static_cast<unsigned>(cores) : static_cast<unsigned>(visible_pus());
}

std::vector<CacheInfo> Topology::caches() const {
  hwloc_topology_t topology = impl_->handle.get();
  std::set<std::tuple<int, std::string, std::uint64_t, int>> kinds;
  for (int depth = 0; depth < hwloc_topology_get_depth(topology); ++depth) {
    if (!hwloc_obj_type_is_cache(hwloc_get_depth_type(topology, depth))) continue;
    for (hwloc_obj_t cache = nullptr;
         (cache = hwloc_get_next_obj_by_depth(topology, depth, cache)) != nullptr;) {
      const auto& attributes = cache->attr->cache;
      const char* type = attributes.type == HWLOC_OBJ_CACHE_DATA          ? "Data"
                         : attributes.type == HWLOC_OBJ_CACHE_INSTRUCTION ? "Instruction"
                                                                          : "Unified";
      kinds.emplace(static_cast<int>(attributes.depth), type, attributes.size,
                    hwloc_bitmap_weight(cache->cpuset));
    }
  }
  std::vector<CacheInfo> caches;
  for (const auto& [level, type, size_bytes, sharing_pus] : kinds)
    caches.push_back({type, level, size_bytes, sharing_pus});
  return caches;
}

PlacementClass Topology::closest_shared(int pu_a, int pu_b) const {
  const Impl::Pu& pu = impl_->at(pu_a);
  const PuInfo& a = pu.info;
  const PuInfo& b = impl_->at(pu_b).info;
  const auto share = [](int level_a, int level_b) { return level_a != -1 && level_a == level_b; };
  if (pu_a == pu_b) return PlacementClass::same_pu;
  if (a.package != b.package) return PlacementClass::cross_package;
  if (a.numa_node != b.numa_node) return PlacementClass::cross_numa;
  if (share(a.core, b.core)) return PlacementClass::same_core;
  if (share(a.l2, b.l2)) return PlacementClass::same_l2;
  if (share(a.l3, b.l3)) return PlacementClass::same_l3;
  return pu.shares_package_with_other_nodes ? PlacementClass::same_numa : PlacementClass::same_package;
}

std::vector<PlacementClass> Topology::classes() const {
  std::set<PlacementClass> found;
  for (const PuInfo& a : pus())
    for (const PuInfo& b : pus()) found.insert(closest_shared(a.logical_index, b.logical_index));
  return {found.begin(), found.end()};
}

bool Topology::is_this_machine() const { return hwloc_topology_is_thissystem(impl_->handle.get()) != 0; }

namespace {

std::string class_names(std::span<const PlacementClass> classes, std::string_view separator) {
  std::vector<std::string_view> names;
  for (PlacementClass placement_class : classes) names.push_back(to_string(placement_class));
  return fmt::format("{}", fmt::join(names, separator));
}

std::optional<PlacementClass> parse_class(std::string_view word) {
  const auto found = std::ranges::find(kClasses, word, &ClassWords::name);
  return found != kClasses.end() ? std::optional(found->placement_class) : std::nullopt;
}

std::optional<int> parse_index(std::string_view word) {
  const std::optional<std::uint64_t> index = parse_number(word);
  return index && std::in_range<int>(*index) ? std::optional(static_cast<int>(*index)) : std::nullopt;
}

// Whole words or nothing: nullopt when one part does not parse.
template <class T>
std::vector<T> parse_all(std::string_view text, char separator, std::optional<T> (*parse)(std::string_view)) {
  std::vector<T> values;
  for (std::string_view part : split(text, separator)) {
    const std::optional<T> value = parse(part);
    if (!value) return {};
    values.push_back(*value);
  }
  return values;
}

// Allowed PUs in order of preference: the most capable kind first, then ascending.
std::vector<int> by_preference(const Topology& topology) {
  std::vector<int> pus = allowed_indexes(topology);
  const Impl& impl = topology.impl();
  std::ranges::stable_sort(pus, std::greater<>(), [&](int pu) { return impl.at(pu).kind_rank; });
  return pus;
}

// Steps 1 and 2 of resolve. Empty when the machine has no pair of the class.
std::vector<int> mutual_pus(const Topology& topology, PlacementClass wanted) {
  const std::vector<int> preferred = by_preference(topology);
  if (wanted == PlacementClass::same_pu) return {preferred.front()};
  const auto in_class = [&](int a, int b) { return topology.closest_shared(a, b) == wanted; };
  // Kinds are let in one after the other, so that the first pair found has the best lesser PU.
  std::optional<std::pair<int, int>> pair;
  const Impl& impl = topology.impl();
  for (std::size_t end = 0; end < preferred.size() && !pair;) {
    const int rank = impl.at(preferred[end]).kind_rank;
    while (end < preferred.size() && impl.at(preferred[end]).kind_rank == rank) ++end;
    for (std::size_t i = 0; i < end && !pair; ++i)
      for (std::size_t j = i + 1; j < end && !pair; ++j)
        if (in_class(preferred[i], preferred[j])) pair = {preferred[i], preferred[j]};
  }
  if (!pair) return {};
  std::vector<int> taken = {pair->first, pair->second};
  for (int pu : preferred)
    if (std::ranges::all_of(taken, [&](int other) { return in_class(pu, other); })) taken.push_back(pu);
  return taken;
}

// The PUs closer to `first` than the class, itself in front; each next one as far from those before it as
// there is.
std::vector<int> neighbourhood(const Topology& topology, int first, PlacementClass wanted) {
  std::vector<int> rest;
  for (int pu : by_preference(topology))
    if (pu != first && topology.closest_shared(first, pu) < wanted) rest.push_back(pu);
  std::vector<int> ordered = {first};
  // Distance to the nearest one taken so far.
  std::vector<PlacementClass> distance(rest.size(), PlacementClass::unpinned);
  while (!rest.empty()) {
    for (std::size_t i = 0; i < rest.size(); ++i)
      distance[i] = std::min(distance[i], topology.closest_shared(ordered.back(), rest[i]));
    const auto farthest = std::ranges::max_element(distance) - distance.begin();
    ordered.push_back(rest[static_cast<std::size_t>(farthest)]);
    rest.erase(rest.begin() + farthest);
    distance.erase(distance.begin() + farthest);
  }
  return ordered;
}

// All PUs of a class, in the order in which roles take them (steps 1 to 3 of resolve).
std::vector<int> pus_in_turn(const Topology& topology, PlacementClass wanted, std::size_t roles) {
  std::vector<int> turn = mutual_pus(topology, wanted);
  if (turn.size() < 2 || turn.size() >= roles) return turn;
  std::vector<std::vector<int>> sides;
  for (int pu : turn) sides.push_back(neighbourhood(topology, pu, wanted));
  for (std::size_t layer = 1; turn.size() < roles; ++layer) {
    std::vector<int> next;
    for (const std::vector<int>& side : sides)
      if (layer < side.size()) next.push_back(side[layer]);
    if (next.size() < 2) break;  // one side alone would put two neighbours in number on it
    turn.insert(turn.end(), next.begin(), next.end());
  }
  return turn;
}

std::string missing(const Topology& topology, std::string_view placement,
                    std::span<const PlacementClass> wanted) {
  std::string reason = fmt::format("placement {}: ", placement);
  if (wanted.size() == 1)
    reason += words(wanted.front()).missing;
  else
    reason += "no pair of processors is any of these";
  if (topology.pus().size() < topology.visible_pus())
    reason += fmt::format(", among the {} of {} this process may use", topology.pus().size(),
                          topology.visible_pus());
  if (topology.pus().size() == 1) return reason + " (one processor makes no pair)";
  std::vector<PlacementClass> have = topology.classes();
  std::erase(have, PlacementClass::same_pu);
  return reason + fmt::format(" (its pairs are {})", class_names(have, ", "));
}

void check_explicit(const Topology& topology, std::string_view placement, std::span<const int> pus) {
  const std::vector<int> allowed = allowed_indexes(topology);
  for (int pu : pus) {
    if (std::ranges::binary_search(allowed, pu)) continue;
    const bool exists = static_cast<std::size_t>(pu) < topology.visible_pus();
    throw std::invalid_argument(fmt::format("placement {}: {} PU {}; allowed: {}", placement,
                                            exists ? "this process may not run on" : "this machine has no",
                                            pu, ranges(allowed)));
  }
}

Placement deal(const Topology& topology, std::string name, std::span<const int> turn, unsigned roles,
               std::optional<PlacementClass> wanted) {
  Placement placement;
  placement.name = std::move(name);
  for (unsigned role = 0; role < roles; ++role) placement.role_pus.push_back({turn[role % turn.size()]});
  std::set<int> distinct;
  for (const std::vector<int>& pus : placement.role_pus) distinct.insert(pus.front());
  placement.oversubscribed = roles > distinct.size();
  if (placement.oversubscribed) {
    placement.note = fmt::format("{} roles take turns on {} PU{}", roles, distinct.size(),
                                 distinct.size() == 1 ? "" : "s");
    return placement;
  }
  if (!wanted) return placement;
  for (unsigned a = 0; a < roles; ++a)
    for (unsigned b = a + 1; b < roles; ++b) {
      const PlacementClass pair = topology.closest_shared(turn[a], turn[b]);
      if (pair == *wanted) continue;
      placement.note = fmt::format("roles {} and {} are {} to each other", a, b, to_string(pair));
      return placement;
    }
  return placement;
}

}  // namespace

PlacementRequest parse_placement(std::string_view placement) {
  PlacementRequest request;
  request.alternatives = parse_all(placement, '|', parse_class);
  if (request.alternatives.empty()) request.explicit_pus = parse_all(placement, '+', parse_index);
  if (request.alternatives.empty() && request.explicit_pus.empty())
    throw std::invalid_argument(
        fmt::format("placement '{}': allowed are {}, several of them joined by '|' (the first that the "
                    "machine has), or hwloc "
                    "logical PU indexes joined by '+' as in 0+1",
                    placement, class_names(all_placement_classes(), ", ")));
  return request;
}

Placement resolve(const Topology& topology, std::string_view placement, unsigned roles) {
  if (roles == 0) throw std::invalid_argument("a placement needs one role at least");
  const PlacementRequest request = parse_placement(placement);
  if (!request.explicit_pus.empty()) {
    check_explicit(topology, placement, request.explicit_pus);
    if (request.explicit_pus.size() > roles) {
      throw Unsupported(fmt::format("placement {}: names {} PUs for {} role{}", placement,
                                    request.explicit_pus.size(), roles, roles == 1 ? "" : "s"));
    }
    return deal(topology, fmt::format("{}", fmt::join(request.explicit_pus, "+")), request.explicit_pus,
                roles, std::nullopt);
  }
  for (PlacementClass wanted : request.alternatives) {
    if (wanted == PlacementClass::unpinned) {
      Placement free;
      free.name = to_string(wanted);
      free.role_pus.resize(roles);
      free.oversubscribed = roles > topology.pus().size();
      if (free.oversubscribed)
        free.note = fmt::format("{} roles take turns on {} PUs", roles, topology.pus().size());
      return free;
    }
    const std::vector<int> turn = pus_in_turn(topology, wanted, roles);
    if (!turn.empty()) return deal(topology, std::string(to_string(wanted)), turn, roles, wanted);
  }
  throw Unsupported(missing(topology, placement, request.alternatives));
}

std::vector<int> representative_pus(const Topology& topology, std::size_t most) {
  std::vector<int> chosen = allowed_indexes(topology);
  if (chosen.size() <= most) return chosen;
  chosen.clear();
  const auto choose = [&](int pu) {
    if (chosen.size() < most && std::ranges::find(chosen, pu) == chosen.end()) chosen.push_back(pu);
  };
  for (const PlacementClass wanted : topology.classes()) {
    const std::vector<int> turn = mutual_pus(topology, wanted);
    for (const int pu : std::span(turn).first(std::min<std::size_t>(2, turn.size()))) choose(pu);
  }
  for (const int pu : neighbourhood(topology, chosen.front(), PlacementClass::unpinned)) choose(pu);
  std::ranges::sort(chosen);
  return chosen;
}

Binding read_binding(const Topology& topology) {
  const Impl& impl = topology.impl();
  Binding binding;
  binding.granted_pus = affinity_mask(impl);
  binding.last_os_processor = sched_getcpu();
  const auto pu = std::ranges::find(impl.pus, binding.last_os_processor,
                                    [](const Impl::Pu& candidate) { return candidate.info.os_index; });
  if (pu != impl.pus.end()) binding.numa_node = pu->node_os_index;
  return binding;
}

Binding bind_this_process(const Topology& topology, std::span<const int> pus) {
  if (!topology.is_this_machine())
    throw std::invalid_argument("a process can be bound on a topology of this machine only");
  if (pus.empty()) return read_binding(topology);
  const Impl& impl = topology.impl();
  const Bitmap cpus = make_bitmap();
  const Bitmap nodes = make_bitmap();
  std::vector<std::string> names;
  for (int index : pus) {
    if (!impl.visible(index)) throw std::invalid_argument(fmt::format("this machine has no PU {}", index));
    const Impl::Pu& pu = impl.at(index);
    hwloc_bitmap_set(cpus.get(), static_cast<unsigned>(pu.info.os_index));
    if (pu.node_os_index >= 0) hwloc_bitmap_set(nodes.get(), static_cast<unsigned>(pu.node_os_index));
    names.push_back(fmt::format("PU {} (OS processor {})", index, pu.info.os_index));
  }
  // HWLOC_CPUBIND_PROCESS would walk /proc/self/task, which names foreign threads inside a fresh PID
  // namespace.
  if (hwloc_set_cpubind(impl.handle.get(), cpus.get(), HWLOC_CPUBIND_THREAD) != 0)
    throw call_failed(errno, fmt::format("sched_setaffinity to {}", fmt::join(names, ", ")));
  // Without STRICT hwloc asks for MPOL_PREFERRED, which falls back to a remote node in silence.
  const bool memory_bound =
      hwloc_set_membind(impl.handle.get(), nodes.get(), HWLOC_MEMBIND_BIND,
                        HWLOC_MEMBIND_THREAD | HWLOC_MEMBIND_STRICT | HWLOC_MEMBIND_BYNODESET) == 0;
  const int error = errno;
  Binding binding = read_binding(topology);
  binding.memory_bound = memory_bound;
  if (!memory_bound) binding.memory_note = call_failed(error, "set_mempolicy").what();
  return binding;
}

}  // namespace ipcmark
