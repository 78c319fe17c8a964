// Ends and links behind virtual calls as templates over an endpoint take them (workloads/endpoints.h): for
// workloads that are about waiting, not about nanoseconds, and compiled once for all transports.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "harness/contract.h"
#include "harness/launch.h"
#include "workloads/any_link.h"

namespace ipcmark {

// Any end as a value, with every verb; see AnyEndpoint. Copies are the same end.
class AnyEnd {
 public:
  explicit AnyEnd(std::unique_ptr<AnyEndpoint> end) : end_(std::move(end)) {}

  Io send(std::span<const std::byte> message) { return end_->send(message); }
  Io send_sized(std::span<const std::byte> message) { return end_->send_sized(message); }
  Io loan(std::span<std::byte>& slot) { return end_->loan(slot); }
  Io commit() { return end_->commit(); }
  Io finish() { return end_->finish(); }
  void wait_to_send() { end_->wait_to_send(); }
  Io receive(std::span<std::byte> message) { return end_->receive(message); }
  Io receive_sized(std::span<std::byte> buffer, std::size_t& message_bytes) {
    return end_->receive_sized(buffer, message_bytes);
  }
  Io peek(std::span<const std::byte>& message) { return end_->peek(message); }
  Io release() { return end_->release(); }
  void wait_to_receive() { end_->wait_to_receive(); }
  std::optional<CapacityFacts::Limit> limit() const { return end_->limit(); }
  int fd() const { return end_->fd(); }

 private:
  std::shared_ptr<AnyEndpoint> end_;
};
static_assert(CopySender<AnyEnd> && LoanSender<AnyEnd> && CopyReceiver<AnyEnd> && LoanReceiver<AnyEnd> &&
              ReportsLimit<AnyEnd>);

// Where a loan is there and its commit says `again`, an attempt cannot simply be made anew.
inline bool loans_to_a_rendezvous(const Case& c) {
  return c.capacity == Capacity::rendezvous() && c.send_access == Access::loan;
}

// As Links (workloads/endpoints.h).
class AnyLinks {
 public:
  // By a TransportEntry's make_link. Throws Unsupported.
  void build(std::unique_ptr<AnyLink> (*make_link)(const Shape&), const Shape& shape, unsigned count) {
    for (unsigned i = 0; i < count; ++i) links_.push_back(make_link(shape));
  }
  AnyLink& operator[](unsigned index) { return *links_.at(index); }
  void drop() {
    for (auto& link : links_) link->drop();
  }
  void end() { links_.clear(); }

 private:
  std::vector<std::unique_ptr<AnyLink>> links_;
};

}  // namespace ipcmark
