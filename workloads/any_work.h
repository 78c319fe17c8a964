// The frame of a workload over links behind virtual calls: what is asked of it, and the links of its launch.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "workloads/any_ends.h"
#include "workloads/registry.h"

namespace ipcmark {

class AnyWork : public Work {
 public:
  // As many links as links() says, of the case's own shape.
  void build(const std::string& directory) override {
    shape_.directory = directory;
    links_.build(shape_, links());
  }
  void drop() override { links_.drop(); }
  void end() override { links_.end(); }

 protected:
  AnyWork(const Case& benchmark_case, const Shape& shape, const TrialOptions& options)
      : case_(benchmark_case),
        shape_(shape),
        options_(options),
        transport_(*Registry::instance().find(benchmark_case.transport)) {}

  // For a workload whose phases count something of so many messages.
  void count_by(std::uint64_t messages) {
    if (options_.fixed_messages == 0) return;
    options_.fixed_messages = std::max<std::uint64_t>(1, options_.fixed_messages / messages);
  }

  Case case_;
  Shape shape_;
  TrialOptions options_;
  const TransportEntry& transport_;
  AnyLinks links_;
};

}  // namespace ipcmark
