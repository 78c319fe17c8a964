#include "workloads/endpoints.h"

namespace ipcmark {

void require_offered(const TransportTraits& traits, const Shape& shape) {
  const Facts& facts = traits.facts;
  const auto refuse = [&](std::string_view what, std::string_view word) {
    throw Unsupported(traits.name + ": " + std::string(what) + " " + std::string(word));
  };
  if (!facts.send_waits.contains(shape.send_wait)) {
    refuse("its sender cannot wait by", to_string(shape.send_wait));
  }
  if (!facts.receive_waits.contains(shape.receive_wait)) {
    refuse("its receiver cannot wait by", to_string(shape.receive_wait));
  }
  if (!(shape.send_access == Access::loan ? traits.loan_send : traits.copy_send)) {
    refuse("its sender has no access by", to_string(shape.send_access));
  }
  if (!(shape.receive_access == Access::loan ? traits.loan_receive : traits.copy_receive)) {
    refuse("its receiver has no access by", to_string(shape.receive_access));
  }
  if (shape.mixed && !traits.mixes) refuse("a link's messages are of", "one size");
  if (shape.mixed && shape.message_bytes > std::numeric_limits<std::uint32_t>::max()) {
    refuse("a message of a mix has less than", "4 GiB");
  }
  if (facts.never_full && shape.capacity.kind == Capacity::Kind::bounded) {
    refuse("it is never full, and has no capacity of", to_string(shape.capacity));
  }
  if (shape.senders > facts.most_senders) {
    refuse("a link's sending processes are at most", std::to_string(facts.most_senders));
  }
  if (shape.receivers > facts.most_receivers) {
    refuse("a link's receiving processes are at most", std::to_string(facts.most_receivers));
  }
  if (shape.senders + shape.receivers > 2 && facts.largest_shared_message &&
      shape.message_bytes > *facts.largest_shared_message) {
    refuse("several senders or receivers would tear messages of more than",
           std::to_string(*facts.largest_shared_message) + " B");
  }
}

}  // namespace ipcmark
