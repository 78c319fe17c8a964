// The transports that this program has. Adding one is one file that ends in IPCMARK_TRANSPORT(Type): it then
// appears in every list, grid and conformance test. What lies over the others' links ends in
// IPCMARK_OVERLAY(Type); what is another transport in a further manner, too slow for every grid, in
// IPCMARK_VARIANT(Type).
//
// A workload reaches what enters the kernel for each message by a virtual call, which costs such a transport
// no more than about a hundredth, and so it is compiled once for all of them; likewise for all rings in
// shared memory, which are the same ring in different regions. What does neither, and counts in nanoseconds,
// is compiled into every workload on its own: IPCMARK_INLINED_TRANSPORT(Type) in workloads/inlined.h.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "harness/region.h"
#include "harness/traits.h"
#include "workloads/any_link.h"
#include "workloads/rendezvous.h"
#include "workloads/timed_work.h"

namespace ipcmark {

// A workload over one transport. What a workload W<T> tells of itself, as static members:
//   name; samples: what its histogram holds ("round_trip_ns"); takes: the keys of further_parameters() that
//   it understands; roles(case); one_clock: its span begins and ends in one role; and where the default does
//   not do: bytes_per_message(case), unfit(case, traits), observe(case, board, observations), remark(case,
//   board), unexpected(case, capacity, observations), links_of(case), every_capacity: it is instantiated with
//   each form of a transport (workloads/rendezvous.h), for capacities 0 and unbounded too; several_ends: with
//   the one for several senders and receivers of a link; bears_losses: it does not wait for ever for what a
//   lossy link has lost.
// A workload that goes through workloads/any_link.h is no template, and tells the same of itself; also
// links_of(case), where those it makes are not one as the case describes it. Its entry for every transport is
// erased_workload_entry<W>(), and stands in the list in registry.cpp.
struct WorkloadEntry {
  std::string_view name;
  std::string_view samples;
  bool one_clock;
  std::vector<RoleKind> (*roles)(const Case&);
  // Why it cannot have these parameters over this transport; empty when it can.
  std::string (*unfit)(const Case&, const TransportTraits&);
  std::uint64_t (*bytes_per_message)(const Case&);  // payload, all directions added
  void (*observe)(const Case&, const LaunchBoard&, std::vector<Observation>&);
  // What became of the launch that a reader of its figures must know; empty when there is nothing.
  std::string (*remark)(const Case&, const LaunchBoard&);
  // Why what it observed is not what a link that holds so much leads one to expect; empty when it is.
  std::string (*unexpected)(const Case&, const CapacityFacts&, const std::vector<Observation>&);
  // The links that a launch of the case makes, each as a case that has such a one.
  std::vector<Case> (*links_of)(const Case&);
  std::unique_ptr<Work> (*make)(const Case&, const Shape&, const TrialOptions&);
};

// "stream has no senders:4"; empty when every further parameter that is not neutral is among `takes`.
std::string foreign_parameter(const Case& benchmark_case, std::span<const std::string_view> takes);

struct TransportEntry {
  TransportTraits traits;
  std::vector<WorkloadEntry> workloads;
  std::unique_ptr<AnyLink> (*maker)(const Shape&) = nullptr;
  std::unique_ptr<AnyLink> (*attacher)(const Shape&, const std::string& address) = nullptr;
  // Memory as its rings lie in, for workloads that lay something else in it; null where there is none.
  const RegionKind* region = nullptr;
  // Whose links its messages go through (AnyLink::beneath), each longer by so much; empty where they are its
  // own.
  std::string beneath{};
  std::size_t added_bytes = 0;

  const WorkloadEntry* find_workload(std::string_view name) const;
  std::unique_ptr<AnyLink> make_link(Shape shape) const;  // throws Unsupported
  // To a link of that shape and address, made by another process, where a stranger can.
  std::unique_ptr<AnyLink> attach(Shape shape, const std::string& address) const;
  bool is_attachable() const { return attacher != nullptr; }
};

// A transport over another one's links, called as that one after a prefix. Over those that it lists it is a
// transport as any other; over the rest it stands in no list and no grid, and is had where it is named.
struct Overlay {
  std::string_view prefix;   // "sealed_"
  std::string_view summary;  // of what is had by name, one line
  std::span<const std::string_view> listed;
  // All but the name and the workloads that every transport has; nullopt where it cannot be.
  std::optional<TransportEntry> (*over)(const TransportEntry& other);
};

// Filled before main() by the registrations, read-only afterwards. The overlays are laid when it is first
// read, which is not thread-safe.
class Registry {
 public:
  static const Registry& instance();

  // Before main(). With the workloads that every transport has. Throws std::logic_error for a name that is
  // there already.
  static void add(TransportEntry entry);
  static void add(const Overlay& overlay);
  // In no list and no grid, and had where it is named.
  static void add_variant(TransportEntry entry);

  const std::vector<TransportEntry>& transports() const { return transports_; }  // by name
  const std::vector<TransportEntry>& named_only() const { return named_only_; }  // by name
  const std::vector<Overlay>& overlays() const { return overlays_; }
  const TransportEntry* find(std::string_view name) const;  // among both
  const TransportEntry& at(std::string_view name) const;    // throws std::out_of_range

 private:
  static Registry& filling();
  void lay_overlays();

  std::vector<TransportEntry> transports_, named_only_;
  std::vector<Overlay> overlays_;
  bool overlays_laid_ = false;
};
std::vector<TransportTraits> traits_of(std::span<const TransportEntry> transports);

// All but how it is made.
template <class Workload>
WorkloadEntry described_workload() {
  return {
      .name = Workload::name,
      .samples = Workload::samples,
      .one_clock = Workload::one_clock,
      .roles = Workload::roles,
      .unfit = [](const Case& benchmark_case, const TransportTraits& traits) -> std::string {
        if (std::string reason = foreign_parameter(benchmark_case, Workload::takes); !reason.empty()) {
          return reason;
        }
        if (is_mix(benchmark_case) && !traits.mixes) {
          return traits.name + ": a link's messages are of one size";
        }
        if constexpr (!requires { Workload::every_capacity; }) {
          const Capacity& capacity = benchmark_case.capacity;
          if (capacity == Capacity::rendezvous() || capacity == Capacity::unbounded()) {
            return std::string(Workload::name) + " has no capacity:" + to_string(capacity);
          }
        }
        if constexpr (requires { Workload::unfit(benchmark_case, traits); }) {
          if (std::string reason = Workload::unfit(benchmark_case, traits); !reason.empty()) return reason;
        }
        if (!traits.facts.lossy) return {};
        if constexpr (!requires { Workload::bears_losses; }) {
          return traits.name + ": " + std::string(Workload::name) +
                 " waits for every message, and one may be lost";
        }
        if (is_mix(benchmark_case)) return traits.name + ": of a lost message's size nobody knows in a mix";
        return {};
      },
      .bytes_per_message = [](const Case& benchmark_case) -> std::uint64_t {
        if constexpr (requires { Workload::bytes_per_message(benchmark_case); }) {
          return Workload::bytes_per_message(benchmark_case);
        }
        return benchmark_case.message_bytes;
      },
      .observe =
          [](const Case& benchmark_case, const LaunchBoard& board, std::vector<Observation>& observations) {
            if constexpr (requires { Workload::observe(benchmark_case, board, observations); }) {
              Workload::observe(benchmark_case, board, observations);
            }
          },
      .remark = [](const Case& benchmark_case, const LaunchBoard& board) -> std::string {
        if constexpr (requires { Workload::remark(benchmark_case, board); }) {
          return Workload::remark(benchmark_case, board);
        }
        return {};
      },
      .unexpected = [](const Case& benchmark_case, const CapacityFacts& capacity,
                       const std::vector<Observation>& observations) -> std::string {
        if constexpr (requires { Workload::unexpected(benchmark_case, capacity, observations); }) {
          return Workload::unexpected(benchmark_case, capacity, observations);
        }
        return {};
      },
      .links_of =
          [](const Case& benchmark_case) {
            if constexpr (requires { Workload::links_of(benchmark_case); }) {
              return Workload::links_of(benchmark_case);
            }
            return std::vector{benchmark_case};
          },
      .make = nullptr};
}

template <class W>
WorkloadEntry erased_workload_entry() {
  WorkloadEntry entry = described_workload<W>();
  entry.make = [](const Case& benchmark_case, const Shape& shape,
                  const TrialOptions& options) -> std::unique_ptr<Work> {
    return std::make_unique<W>(benchmark_case, shape, options);
  };
  return entry;
}

// Those that are templates over a type of links, compiled once over links behind virtual calls.
std::vector<WorkloadEntry> workloads_over_any_one_way();
std::vector<WorkloadEntry> workloads_over_any_duplex();

// What every transport tells of itself, whatever its workloads.
template <LinkType T>
TransportEntry entry_of(std::string_view name, const Facts& facts, std::vector<WorkloadEntry> workloads) {
  TransportEntry entry{.traits = traits_of_ends<T>(name, facts), .workloads = std::move(workloads)};
  entry.traits.receivers_are_polled = HasDescriptor<ReceiverEnd<T>>;
  entry.traits.rendezvous = rendezvous_of<T>;
  entry.traits.unbounded = HasUnbounded<T>;
  entry.maker = [](const Shape& shape) {
    return with_form<T>(shape, [&]<class Form>(std::type_identity<Form>) -> std::unique_ptr<AnyLink> {
      return std::make_unique<ErasedLink<Form>>(shape);
    });
  };
  if constexpr (Attachable<T>) {
    entry.attacher = [](const Shape& shape, const std::string& address) -> std::unique_ptr<AnyLink> {
      return with_form<T>(shape, [&]<class Form>(std::type_identity<Form>) -> std::unique_ptr<AnyLink> {
        if constexpr (Attachable<Form>) return std::make_unique<ErasedLink<Form>>(shape, address);
        throw Unsupported(shape.transport + ": no stranger can attach to a link of this shape");
      });
    };
  }
  return entry;
}

// All of a ring's over such a region (workloads/rings.cpp).
TransportEntry ring_entry(std::string_view name, const Facts& facts, const RegionKind& region);

// A transport is either a type of links, behind virtual calls in every workload, or names the memory in which
// the rings are to lie: T::Region (harness/region.h).
template <Named T>
bool register_transport() {
  if constexpr (requires { typename T::Region; }) {
    static constexpr RegionKind region = region_kind<typename T::Region>();
    Registry::add(ring_entry(T::name, T::facts, region));
  } else {
    Registry::add(entry_of<T>(
        T::name, T::facts, DuplexTransport<T> ? workloads_over_any_duplex() : workloads_over_any_one_way()));
  }
  return true;
}

template <Transport T>
bool register_variant() {
  Registry::add_variant(entry_of<T>(
      T::name, T::facts, DuplexTransport<T> ? workloads_over_any_duplex() : workloads_over_any_one_way()));
  return true;
}

// As Overlay, its members static ones.
template <class T>
bool register_overlay() {
  Registry::add({.prefix = T::prefix, .summary = T::summary, .listed = T::listed, .over = T::over});
  return true;
}

}  // namespace ipcmark

#define IPCMARK_TRANSPORT(Type) \
  [[maybe_unused]] static const bool ipcmark_registered_##Type = ::ipcmark::register_transport<Type>()
#define IPCMARK_VARIANT(Type) \
  [[maybe_unused]] static const bool ipcmark_registered_##Type = ::ipcmark::register_variant<Type>()
#define IPCMARK_OVERLAY(Type) \
  [[maybe_unused]] static const bool ipcmark_registered_##Type = ::ipcmark::register_overlay<Type>()
