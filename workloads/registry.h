// The transports that this program has, and what each was instantiated with. Adding a transport is one file
// that ends in IPCMARK_TRANSPORT(Type): it then appears in every list, grid and conformance test.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "harness/traits.h"
#include "workloads/any_link.h"
#include "workloads/capacity_probe.h"
#include "workloads/ping_pong.h"
#include "workloads/stream.h"

namespace ipcmark {

struct WorkloadEntry {
  std::string_view name;
  std::vector<std::string_view> role_names;
  std::unique_ptr<Work> (*make)(const Case&, const Shape&, const TrialOptions&);
};

struct TransportEntry {
  TransportTraits traits;
  std::vector<WorkloadEntry> workloads;
  std::unique_ptr<Work> (*make_probe)(const Case&, const Shape&);
  std::unique_ptr<AnyLink> (*make_link)(const Shape&);  // throws Unsupported
  // To a link of that shape and address, made by another process; null where no stranger can.
  std::unique_ptr<AnyLink> (*attach)(const Shape&, const std::string& address);

  const WorkloadEntry* find_workload(std::string_view name) const;
};

// Filled before main() by the registrations, read-only afterwards.
class Registry {
 public:
  static Registry& instance();

  // Throws std::logic_error for a name that is there already.
  void add(TransportEntry entry);
  const std::vector<TransportEntry>& transports() const { return transports_; }  // by name
  const TransportEntry* find(std::string_view name) const;
  std::vector<TransportTraits> traits() const;

 private:
  std::vector<TransportEntry> transports_;
};

template <template <class> class W, Transport T>
WorkloadEntry workload_entry() {
  return {.name = W<T>::name,
          .role_names = {std::begin(W<T>::role_names), std::end(W<T>::role_names)},
          .make = [](const Case& benchmark_case, const Shape& shape, const TrialOptions& options)
              -> std::unique_ptr<Work> { return std::make_unique<W<T>>(benchmark_case, shape, options); }};
}

template <Transport T>
bool register_transport() {
  using S = SenderEnd<T>;
  using R = ReceiverEnd<T>;
  static_assert(CopySender<S> || LoanSender<S>,
                "what a link opens for sending must be a sender (harness/contract.h)");
  static_assert(CopyReceiver<R> || LoanReceiver<R>, "what a link opens for receiving must be a receiver");
  TransportEntry entry{
      .traits = {.name = std::string(T::name),
                 .facts = T::facts,
                 .duplex = DuplexTransport<T>,
                 .copy_send = CopySender<S>,
                 .loan_send = LoanSender<S>,
                 .copy_receive = CopyReceiver<R>,
                 .loan_receive = LoanReceiver<R>,
                 .workloads = {}},
      .workloads = {workload_entry<PingPong, T>(), workload_entry<Stream, T>()},
      .make_probe = [](const Case& benchmark_case, const Shape& shape) -> std::unique_ptr<Work> {
        return std::make_unique<CapacityProbe<T>>(benchmark_case, shape);
      },
      .make_link = [](const Shape& shape) -> std::unique_ptr<AnyLink> {
        return std::make_unique<ErasedLink<T>>(shape);
      },
      .attach = nullptr};
  if constexpr (Attachable<T>) {
    entry.attach = [](const Shape& shape, const std::string& address) -> std::unique_ptr<AnyLink> {
      return std::make_unique<ErasedLink<T>>(shape, address);
    };
  }
  for (const WorkloadEntry& workload : entry.workloads) entry.traits.workloads.emplace_back(workload.name);
  Registry::instance().add(std::move(entry));
  return true;
}

}  // namespace ipcmark

#define IPCMARK_TRANSPORT(Type) \
  [[maybe_unused]] static const bool ipcmark_registered_##Type = ::ipcmark::register_transport<Type>()
