// The frame of a workload in which one role sends to another over one link behind virtual calls.
#pragma once

#include <optional>
#include <vector>

#include "workloads/any_messages.h"
#include "workloads/any_work.h"
#include "workloads/timed_work.h"

namespace ipcmark {

class OneWayWork : public AnyWork {
 public:
  static std::vector<RoleKind> roles(const Case&) {
    return {{.name = "sender 0", .sends = true, .counts = true}, {.name = "receiver 1", .receives = true}};
  }

  unsigned links() const final { return 1; }
  unsigned senders_of(unsigned) const final { return 1; }

  void open(Role& role) override {
    if (role.index() == 0) {
      end_.emplace(links_[0].open_sender(0, role.meeting(0)));
    } else {
      end_.emplace(open_any_receiver(links_[0], transport_.traits.duplex, role.meeting(0)));
    }
    role.keep_limit(end_->limit());
  }

  void run(Role& role) final {
    measure_cache_line(role);
    if (role.index() == 0) {
      send(role);
    } else {
      receive(role);
    }
  }

 protected:
  using AnyWork::AnyWork;

  // The lead's part, and the follower's, from the first phase on.
  virtual void send(Role& role) = 0;
  virtual void receive(Role& role) = 0;

  AnyEnd& end_of_link() { return *end_; }

 private:
  std::optional<AnyEnd> end_;
};

}  // namespace ipcmark
