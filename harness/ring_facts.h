// What the ring of slots is in any memory (harness/ring_link.h), for the facts of its transports.
#pragma once

#include "harness/contract.h"
#include "harness/doorbell.h"

namespace ipcmark {

// In memory that only relatives of its maker can reach.
constexpr Facts ring_facts(std::string_view summary, Facts::Standard standard) {
  return {.summary = summary,
          .model = Facts::Model::shared_memory,
          .most_senders = Facts::any_number,
          .most_receivers = Facts::any_number,
          .unit = Facts::Unit::messages,
          .scope = Facts::Scope::machine,
          .standard = standard,
          .send_waits = doorbell_waits,
          .receive_waits = doorbell_waits,
          .third_process_can = Facts::Interception::copy};
}

// In a kernel object that has a name of its own, and permissions.
constexpr Facts named_ring_facts(std::string_view summary, Facts::Standard standard, Facts::Naming naming) {
  Facts facts = ring_facts(summary, standard);
  facts.naming = naming;
  facts.outlives_its_makers = Facts::Outlives::messages;
  facts.rights = Facts::Rights::together;
  return facts;
}

}  // namespace ipcmark
