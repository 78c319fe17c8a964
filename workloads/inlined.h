// The workloads that are templates over a type of links, compiled into it.
#pragma once

#include <memory>
#include <vector>

#include "workloads/duplex.h"
#include "workloads/mailbox.h"
#include "workloads/pairs.h"
#include "workloads/ping_pong.h"
#include "workloads/registry.h"
#include "workloads/rendezvous.h"
#include "workloads/stream.h"

namespace ipcmark {

template <template <class> class W, LinkType T>
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

template <LinkType T>
std::vector<WorkloadEntry> inlined_workloads() {
  return {workload_entry<PingPong, T>(), workload_entry<Stream, T>(), workload_entry<Mailbox, T>(),
          workload_entry<Duplex, T>(), workload_entry<Pairs, T>()};
}

template <Transport T>
bool register_inlined_transport() {
  Registry::add(entry_of<T>(T::name, T::facts, inlined_workloads<T>()));
  return true;
}

}  // namespace ipcmark

#define IPCMARK_INLINED_TRANSPORT(Type) \
  [[maybe_unused]] static const bool ipcmark_registered_##Type = ::ipcmark::register_inlined_transport<Type>()
