// A transport as the plan sees it: its facts, and the capabilities read from its type when it registered.
#pragma once

#include <string>
#include <vector>

#include "harness/contract.h"

namespace ipcmark {

// A process of a workload, and what it does with its links.
struct RoleKind {
  std::string name;  // "sender 0"
  bool sends = false;
  bool receives = false;
  bool counts = false;  // the messages it moved are those the workload's figure is per
};

struct TransportTraits {
  std::string name;
  Facts facts;
  bool duplex = false;  // one link carries both directions
  bool copy_send = false;
  bool loan_send = false;
  bool copy_receive = false;
  bool loan_receive = false;
  bool receivers_are_polled = false;         // poll(2) and epoll(7) tell which of several has something
  Rendezvous rendezvous = Rendezvous::none;  // how it gives capacity 0; none: it cannot
  bool unbounded = false;                    // has links whose sender never waits
  bool mixes = false;                        // its links carry messages of several sizes
  bool drops_oldest = false;                 // has senders that can drop the oldest message
  std::vector<std::string> workloads{};      // those it was instantiated with
};

}  // namespace ipcmark
