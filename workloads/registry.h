// The transports that this program has, and what each was instantiated with. Adding a transport is one file
// that ends in IPCMARK_TRANSPORT(Type): it then appears in every list, grid and conformance test.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "harness/traits.h"
#include "workloads/any_link.h"
#include "workloads/capacity_probe.h"
#include "workloads/duplex.h"
#include "workloads/mailbox.h"
#include "workloads/pairs.h"
#include "workloads/ping_pong.h"
#include "workloads/rendezvous.h"
#include "workloads/stream.h"

namespace ipcmark {

// A workload over one transport. What a workload W<T> tells of itself, as static members:
//   name; samples: what its histogram holds ("round_trip_ns"); takes: the keys of further_parameters() that
//   it understands; roles(case); one_clock: its span begins and ends in one role; and where the default does
//   not do: bytes_per_message(case), unfit(case, traits), observe(case, board, observations), remark(case,
//   board), unexpected(case, capacity, observations), links_of(case), every_capacity: it is instantiated with
//   each form of a transport (workloads/rendezvous.h), for capacities 0 and unbounded too; several_ends: with
//   the one for several senders and receivers of a link.
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
  std::unique_ptr<Work> (*make_probe)(const Case&, const Shape&) = nullptr;
  std::unique_ptr<AnyLink> (*make_link)(const Shape&) = nullptr;  // throws Unsupported
  // To a link of that shape and address, made by another process; null where no stranger can.
  std::unique_ptr<AnyLink> (*attach)(const Shape&, const std::string& address) = nullptr;
  // Memory as its links lie in; null where they lie in none.
  std::unique_ptr<AnyRegion> (*make_region)(const Shape&, std::size_t bytes) = nullptr;

  const WorkloadEntry* find_workload(std::string_view name) const;
};

// Filled before main() by the registrations, read-only afterwards.
class Registry {
 public:
  static Registry& instance();

  // With the workloads that every transport has. Throws std::logic_error for a name that is there already.
  void add(TransportEntry entry);
  const std::vector<TransportEntry>& transports() const { return transports_; }  // by name
  const TransportEntry* find(std::string_view name) const;
  std::vector<TransportTraits> traits() const;

 private:
  std::vector<TransportEntry> transports_;
};

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
          return Workload::unfit(benchmark_case, traits);
        }
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

template <template <class> class W, Transport T>
WorkloadEntry workload_entry() {
  WorkloadEntry entry = described_workload<W<T>>();
  entry.make = [](const Case& benchmark_case, const Shape& shape, const TrialOptions& options) {
    const auto make = [&]<class Form>(std::type_identity<Form>) -> std::unique_ptr<Work> {
      return std::make_unique<W<Form>>(benchmark_case, shape, options);
    };
    if constexpr (requires { W<T>::every_capacity; }) {
      return with_form<T>(shape, make);
    } else if constexpr (requires { W<T>::several_ends; }) {
      return with_sharing<T>(shape, make);
    } else {
      return make(std::type_identity<T>{});
    }
  };
  return entry;
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

// With the workloads W, and those that go through workloads/any_link.h. For tests that need no more.
template <Transport T, template <class> class... W>
bool register_transport_with() {
  using S = SenderEnd<T>;
  using R = ReceiverEnd<T>;
  static_assert(CopySender<S> || LoanSender<S>,
                "what a link opens for sending must be a sender (harness/contract.h)");
  static_assert(CopyReceiver<R> || LoanReceiver<R>, "what a link opens for receiving must be a receiver");
  TransportEntry entry;
  entry.traits.name = T::name;
  entry.traits.facts = T::facts;
  entry.traits.duplex = DuplexTransport<T>;
  entry.traits.copy_send = CopySender<S>;
  entry.traits.loan_send = LoanSender<S>;
  entry.traits.copy_receive = CopyReceiver<R>;
  entry.traits.loan_receive = LoanReceiver<R>;
  entry.traits.receivers_are_polled = HasDescriptor<R>;
  entry.traits.rendezvous = rendezvous_of<T>;
  entry.traits.unbounded = HasUnbounded<T>;
  entry.traits.mixes = carries_mixes<T>;
  entry.workloads = {workload_entry<W, T>()...};
  entry.make_probe = [](const Case& benchmark_case, const Shape& shape) {
    return with_form<T>(shape, [&]<class Form>(std::type_identity<Form>) -> std::unique_ptr<Work> {
      return std::make_unique<CapacityProbe<Form>>(benchmark_case, shape);
    });
  };
  entry.make_link = [](const Shape& shape) {
    return with_form<T>(shape, [&]<class Form>(std::type_identity<Form>) -> std::unique_ptr<AnyLink> {
      return std::make_unique<ErasedLink<Form>>(shape);
    });
  };
  if constexpr (Attachable<T>) {
    entry.attach = [](const Shape& shape, const std::string& address) -> std::unique_ptr<AnyLink> {
      return with_form<T>(shape, [&]<class Form>(std::type_identity<Form>) -> std::unique_ptr<AnyLink> {
        if constexpr (Attachable<Form>) return std::make_unique<ErasedLink<Form>>(shape, address);
        throw Unsupported(std::string(T::name) + ": no stranger can attach to a link of this shape");
      });
    };
  }
  if constexpr (requires { typename T::Region; }) {
    entry.make_region = [](const Shape& shape, std::size_t bytes) -> std::unique_ptr<AnyRegion> {
      return std::make_unique<ErasedRegion<typename T::Region>>(shape, bytes);
    };
  }
  Registry::instance().add(std::move(entry));
  return true;
}

template <Transport T>
bool register_transport() {
  return register_transport_with<T, PingPong, Stream, Mailbox, Duplex, Pairs>();
}

}  // namespace ipcmark

#define IPCMARK_TRANSPORT(Type) \
  [[maybe_unused]] static const bool ipcmark_registered_##Type = ::ipcmark::register_transport<Type>()
