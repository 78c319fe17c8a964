// Ends and links behind virtual calls as templates over an endpoint or a type of links take them
// (workloads/endpoints.h).
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
  Io drop_oldest() { return end_->drop_oldest(); }
  Io receive(std::span<std::byte> message) { return end_->receive(message); }
  Io receive_sized(std::span<std::byte> buffer, std::size_t& message_bytes) {
    return end_->receive_sized(buffer, message_bytes);
  }
  Io peek(std::span<const std::byte>& message) { return end_->peek(message); }
  Io release() { return end_->release(); }
  void wait_to_receive() { end_->wait_to_receive(); }
  std::optional<CapacityFacts::Limit> limit() const { return end_->limit(); }
  bool within_message() const { return end_->within_message(); }
  Backlog peak_backlog() { return end_->peak_backlog(); }
  std::uint64_t most_messages() const { return end_->most_messages(); }
  std::vector<MechanismFigure> figures() { return end_->figures(); }
  int fd() const { return end_->fd(); }

 private:
  std::shared_ptr<AnyEndpoint> end_;
};
static_assert(CopySender<AnyEnd> && LoanSender<AnyEnd> && CopyReceiver<AnyEnd> && LoanReceiver<AnyEnd> &&
              DropsOldest<AnyEnd> && ReportsLimit<AnyEnd> && SendsInPieces<AnyEnd> &&
              ReportsBacklog<AnyEnd> && ReportsFigures<AnyEnd>);

// By the transport that the shape is of. Throws Unsupported; std::out_of_range for a name that none has.
std::unique_ptr<AnyLink> make_registered_link(const Shape& shape);

// A link of the transport that the shape is of, as templates over a type of links take it.
class AnyOneWay {
 public:
  static constexpr bool makes_room_itself = true;  // workloads/endpoints.h

  explicit AnyOneWay(const Shape& shape) : link_(make_registered_link(shape)) {}
  AnyEnd open_sender(unsigned index, Meeting& meeting) { return AnyEnd(link_->open_sender(index, meeting)); }
  AnyEnd open_receiver(unsigned index, Meeting& meeting) {
    return AnyEnd(link_->open_receiver(index, meeting));
  }
  std::unique_ptr<AnyLink> take_remains() {
    link_->drop();
    return std::move(link_);
  }

 private:
  std::unique_ptr<AnyLink> link_;
};
class AnyDuplex {
 public:
  static constexpr bool makes_room_itself = true;

  explicit AnyDuplex(const Shape& shape) : link_(make_registered_link(shape)) {}
  AnyEnd open_peer(unsigned side, Meeting& meeting) { return AnyEnd(link_->open_sender(side, meeting)); }
  std::unique_ptr<AnyLink> take_remains() {
    link_->drop();
    return std::move(link_);
  }

 private:
  std::unique_ptr<AnyLink> link_;
};

// Where a loan is there and its commit says `again`, an attempt cannot simply be made anew.
inline bool loans_to_a_rendezvous(const Case& c) {
  return c.capacity == Capacity::rendezvous() && c.send_access == Access::loan;
}

// As Links (workloads/endpoints.h).
class AnyLinks {
 public:
  // Of the transport that the shape is of. Throws Unsupported.
  void build(const Shape& shape, unsigned count) {
    for (unsigned i = 0; i < count; ++i) links_.push_back(make_registered_link(shape));
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
