// What workloads over a lossy link share (Facts::lossy in harness/contract.h): how they tell that what they
// wait for has been lost, and what they say of it. Those that know nothing of this header wait for every
// message, and are not for such links.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <vector>

#include "harness/clock.h"
#include "harness/contract.h"
#include "harness/launch.h"
#include "harness/measurement.h"

namespace ipcmark {

// A round trip that takes longer is given up: ten looks, and far longer than any answer takes that comes.
inline constexpr std::uint64_t answer_patience_ns = 10 * loss_look_ns;
// So that a link by which nothing comes at all ends its case.
inline constexpr unsigned most_lost_in_a_row = 50;

// Asked after each attempt that found nothing: whether no more will come of what has been sent. What has been
// sent is given loss_look_ns to arrive.
class Silence {
 public:
  // `all_sent`: whether the sender has nothing left to send.
  bool means_lost(bool all_sent) {
    if (!all_sent) return false;
    const std::uint64_t at_ns = now_ns();
    if (since_ns_ == 0) since_ns_ = at_ns;
    return at_ns - since_ns_ > loss_look_ns;
  }
  void broken() { since_ns_ = 0; }

 private:
  std::uint64_t since_ns_ = 0;
};

// Of the timed part, on the board of sender 0; it moved timed_messages of those sent.
struct LossFigures {
  static constexpr unsigned sent = 7;  // 0: the link loses nothing
};

inline void keep_losses(RoleBoard& sender, std::uint64_t sent, std::uint64_t arrived) {
  sender.figures[LossFigures::sent] = sent;
  sender.timed_messages = arrived;
}
inline void observe_losses(const RoleBoard& sender, std::vector<Observation>& observations) {
  const std::uint64_t sent = sender.figures[LossFigures::sent];
  if (sent == 0) return;
  const auto lost = static_cast<double>(sent - sender.timed_messages);
  observations.push_back({"lost", "messages", lost});
  observations.push_back({"lost_share", "ratio", lost / static_cast<double>(sent)});
}
// Empty where none was lost.
inline std::string remark_on_losses(const RoleBoard& sender, std::string_view what) {
  const std::uint64_t sent = sender.figures[LossFigures::sent];
  if (sent == 0 || sent == sender.timed_messages) return {};
  const std::uint64_t lost = sent - sender.timed_messages;
  return fmt::format(
      "{} of {} {} were lost ({:.2g} %), which this transport may; the figures are of the others", lost, sent,
      what, 100 * static_cast<double>(lost) / static_cast<double>(sent));
}

}  // namespace ipcmark
