// A transport as the plan sees it: its facts, and the capabilities read from its type when it registered.
#pragma once

#include <string>
#include <vector>

#include "harness/contract.h"

namespace ipcmark {

struct TransportTraits {
  std::string name;
  Facts facts;
  bool duplex = false;  // one link carries both directions
  bool copy_send = false;
  bool loan_send = false;
  bool copy_receive = false;
  bool loan_receive = false;
  std::vector<std::string> workloads;  // those it was instantiated with
};

}  // namespace ipcmark
