#include "workloads/rings.h"

#include <stdexcept>

#include "workloads/inlined.h"

namespace ipcmark {

TransportEntry ring_entry(std::string_view name, const Facts& facts, const RegionKind& region) {
  TransportEntry entry = entry_of<RingOfSlots>(name, facts, inlined_workloads<RingOfSlots>());
  entry.region = &region;
  if (region.attach == nullptr) entry.attacher = nullptr;
  return entry;
}

const RegionKind& registered_region(std::string_view transport) {
  const TransportEntry* const entry = Registry::instance().find(transport);
  if (entry == nullptr || entry->region == nullptr) {
    throw std::out_of_range("no transport with rings is named " + std::string(transport));
  }
  return *entry->region;
}

}  // namespace ipcmark
