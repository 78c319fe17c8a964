#include "workloads/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "workloads/broadcast.h"
#include "workloads/burst.h"
#include "workloads/client_server.h"
#include "workloads/cross.h"
#include "workloads/idle_gap.h"
#include "workloads/paced.h"
#include "workloads/pipeline.h"
#include "workloads/setup.h"
#include "workloads/state.h"

namespace ipcmark {
namespace {

// A function, because transports register before this file's own objects exist.
std::vector<WorkloadEntry> erased_workloads() {
  return {
      erased_workload_entry<Broadcast>(),    erased_workload_entry<Burst>(),
      erased_workload_entry<ClientServer>(), erased_workload_entry<Cross>(),
      erased_workload_entry<IdleGap>(),      erased_workload_entry<Paced>(),
      erased_workload_entry<Pipeline>(),     erased_workload_entry<Setup>(),
      erased_workload_entry<State>(),
  };
}

std::string_view name_of(const TransportEntry& entry) { return entry.traits.name; }

void insert(std::vector<TransportEntry>& entries, TransportEntry entry) {
  const auto place = std::ranges::lower_bound(entries, name_of(entry), {}, name_of);
  if (place != entries.end() && place->traits.name == entry.traits.name) {
    throw std::logic_error("two transports are named " + entry.traits.name);
  }
  for (const WorkloadEntry& workload : erased_workloads()) entry.workloads.push_back(workload);
  for (const WorkloadEntry& workload : entry.workloads) entry.traits.workloads.emplace_back(workload.name);
  entries.insert(place, std::move(entry));
}

}  // namespace

std::string foreign_parameter(const Case& benchmark_case, std::span<const std::string_view> takes) {
  for (const Parameter& parameter : further_parameters()) {
    // How capacity 0 comes about is the link's affair.
    if (parameter.option.empty() || is_neutral(parameter, benchmark_case) ||
        std::ranges::find(takes, parameter.key) != takes.end()) {
      continue;
    }
    return fmt::format("{} has no {}:{}", benchmark_case.workload, parameter.key,
                       parameter.text(benchmark_case));
  }
  return {};
}

const WorkloadEntry* TransportEntry::find_workload(std::string_view name) const {
  const auto found = std::find_if(workloads.begin(), workloads.end(),
                                  [&](const WorkloadEntry& entry) { return entry.name == name; });
  return found == workloads.end() ? nullptr : &*found;
}

std::unique_ptr<AnyLink> TransportEntry::make_link(Shape shape) const {
  shape.transport = traits.name;
  return maker(shape);
}

std::unique_ptr<AnyLink> TransportEntry::attach(Shape shape, const std::string& address) const {
  if (attacher == nullptr) throw Unsupported(traits.name + ": no stranger can attach to its links");
  shape.transport = traits.name;
  return attacher(shape, address);
}

Registry& Registry::filling() {
  static Registry registry;
  return registry;
}

const Registry& Registry::instance() {
  Registry& registry = filling();
  if (!registry.overlays_laid_) registry.lay_overlays();
  return registry;
}

void Registry::add(TransportEntry entry) { insert(filling().transports_, std::move(entry)); }

void Registry::add_variant(TransportEntry entry) { insert(filling().named_only_, std::move(entry)); }

void Registry::add(const Overlay& overlay) { filling().overlays_.push_back(overlay); }

void Registry::lay_overlays() {
  overlays_laid_ = true;
  const std::vector<TransportEntry> others = transports_;
  for (const Overlay& overlay : overlays_) {
    for (const TransportEntry& other : others) {
      std::optional<TransportEntry> entry = overlay.over(other);
      if (!entry) continue;
      entry->traits.name = std::string(overlay.prefix) + other.traits.name;
      const bool listed = std::ranges::find(overlay.listed, other.traits.name) != overlay.listed.end();
      insert(listed ? transports_ : named_only_, std::move(*entry));
    }
  }
}

const TransportEntry* Registry::find(std::string_view name) const {
  for (const auto* entries : {&transports_, &named_only_}) {
    const auto found = std::ranges::find(*entries, name, name_of);
    if (found != entries->end()) return &*found;
  }
  return nullptr;
}

const TransportEntry& Registry::at(std::string_view name) const {
  const TransportEntry* const entry = find(name);
  if (entry == nullptr) throw std::out_of_range(fmt::format("no transport is named {}", name));
  return *entry;
}

std::vector<TransportTraits> traits_of(std::span<const TransportEntry> transports) {
  std::vector<TransportTraits> all;
  for (const TransportEntry& entry : transports) all.push_back(entry.traits);
  return all;
}

const TransportTraits& registered_traits(std::string_view transport) {
  return Registry::instance().at(transport).traits;
}

std::unique_ptr<AnyLink> make_registered_link(const Shape& shape) {
  return Registry::instance().at(shape.transport).make_link(shape);
}

}  // namespace ipcmark
