#include "harness/mailbox_checker.h"

#include <sys/mman.h>

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string>

#include "harness/fail.h"

namespace ipcmark {

namespace {

constexpr std::size_t separation = 128;  // processors fetch lines in pairs

// How often a stamp holds `number` when numbers 0 .. sent - 1 are sent and repeat after `limit`.
std::uint64_t times_sent(std::uint64_t number, std::uint64_t sent, std::uint64_t limit) {
  return sent / limit + (number < sent % limit);
}

// Modulo 2^64. The products are divided before they are cut: of two neighbours one is even, and of n - 1, n
// and 2n - 1 one is a multiple of 3.
std::uint64_t sum_below(std::uint64_t n) {
  if (n == 0) return 0;
  return n % 2 == 0 ? n / 2 * (n - 1) : (n - 1) / 2 * n;
}
std::uint64_t squares_below(std::uint64_t n) {
  if (n == 0) return 0;
  std::uint64_t factors[] = {n - 1, n, 2 * n - 1};
  factors[n % 2 == 0] /= 2;
  for (std::uint64_t& factor : factors) {
    if (factor % 3 != 0) continue;
    factor /= 3;
    break;
  }
  return factors[0] * factors[1] * factors[2];
}

}  // namespace

MailboxChecker::MailboxChecker(const MailboxShape& shape) : shape_(shape) {
  if (shape.senders == 0 || shape.receivers == 0 || shape.message_bytes == 0) {
    throw std::invalid_argument("a mailbox of nobody, or of nothing");
  }
  const std::size_t tallied = shape.receivers * receiver_bytes();
  std::uint64_t counted = 0;
  if (shape.exact &&
      __builtin_mul_overflow(sources() * sizeof(mailbox_detail::Arrivals), numbers(), &counted)) {
    counted = std::numeric_limits<std::size_t>::max() - tallied;  // mmap refuses it
  }
  const std::size_t bytes = tallied + counted;
  void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail("mmap of " + std::to_string(bytes) + " B to check a mailbox");
  memory_ = {memory, bytes};
}

MailboxReceiverChecker MailboxChecker::receiver(unsigned index) { return {*this, index}; }

bool MailboxChecker::senders_are_told_apart() const {
  return shape_.senders == 1 || shape_.message_bytes >= 8 ||
         (shape_.message_bytes == 7 && shape_.senders <= 256);
}

bool MailboxChecker::order_is_judged() const {
  return senders_are_told_apart() && shape_.most_messages_each <= detection_limit(shape_.message_bytes);
}

std::uint64_t MailboxChecker::numbers() const {
  return std::min(shape_.most_messages_each, detection_limit(shape_.message_bytes));
}

std::size_t MailboxChecker::receiver_bytes() const {
  const std::size_t bytes = sizeof(mailbox_detail::Mishaps) + sources() * sizeof(mailbox_detail::Tally);
  return (bytes + separation - 1) / separation * separation;
}

mailbox_detail::Mishaps& MailboxChecker::mishaps(unsigned receiver) const {
  if (receiver >= shape_.receivers) throw std::out_of_range("no receiver " + std::to_string(receiver));
  return *reinterpret_cast<mailbox_detail::Mishaps*>(memory_.bytes().data() + receiver * receiver_bytes());
}

std::span<mailbox_detail::Tally> MailboxChecker::tallies(unsigned receiver) const {
  return {reinterpret_cast<mailbox_detail::Tally*>(&mishaps(receiver) + 1), sources()};
}

std::span<mailbox_detail::Arrivals> MailboxChecker::arrivals() const {
  const auto table = memory_.bytes().subspan(shape_.receivers * receiver_bytes());
  return {reinterpret_cast<mailbox_detail::Arrivals*>(table.data()),
          table.size() / sizeof(mailbox_detail::Arrivals)};
}

std::uint64_t MailboxChecker::received(unsigned receiver) const {
  std::uint64_t messages = mishaps(receiver).corrupted;
  for (const mailbox_detail::Tally& tally : tallies(receiver)) messages += tally.messages;
  return messages;
}

Integrity MailboxChecker::judge(std::span<const std::uint64_t> sent) const {
  if (sent.size() != shape_.senders) throw std::invalid_argument("not as many counts as senders");
  Integrity integrity;
  integrity.detection_limit = detection_limit(shape_.message_bytes);
  std::uint64_t bytewise = 0;
  for (unsigned receiver = 0; receiver < shape_.receivers; ++receiver) {
    integrity.checked += received(receiver);
    integrity.corrupted += mishaps(receiver).corrupted;
    bytewise += mishaps(receiver).compared_bytewise;
    if (!order_is_judged()) continue;
    for (const mailbox_detail::Tally& tally : tallies(receiver)) integrity.reordered += tally.reordered;
  }
  integrity.every_byte = bytewise != 0 && bytewise == integrity.checked;
  if (shape_.exact) {
    judge_arrivals(sent, integrity);
  } else {
    judge_sums(sent, integrity);
  }
  integrity.lost -= std::min(integrity.lost, integrity.corrupted);
  return integrity;
}

void MailboxChecker::judge_arrivals(std::span<const std::uint64_t> sent, Integrity& integrity) const {
  const std::span<mailbox_detail::Arrivals> table = arrivals();
  for (unsigned source = 0; source < sources(); ++source) {
    const auto of_source = senders_are_told_apart() ? sent.subspan(source, 1) : sent;
    for (std::uint64_t number = 0; number < numbers(); ++number) {
      std::uint64_t due = 0;
      for (std::uint64_t messages : of_source) due += times_sent(number, messages, integrity.detection_limit);
      const std::uint64_t came = table[source * numbers() + number].load(std::memory_order_relaxed);
      if (due == 0) {
        integrity.corrupted += came;  // nobody sent it
      } else if (came < due) {
        integrity.lost += due - came;
      } else {
        integrity.duplicated += came - due;
      }
    }
  }
}

void MailboxChecker::judge_sums(std::span<const std::uint64_t> sent, Integrity& integrity) const {
  const std::uint64_t limit = integrity.detection_limit;
  for (unsigned source = 0; source < sources(); ++source) {
    mailbox_detail::Tally due{}, came{};
    for (std::uint64_t messages : senders_are_told_apart() ? sent.subspan(source, 1) : sent) {
      due.messages += messages;
      due.sum += messages / limit * sum_below(limit) + sum_below(messages % limit);
      due.squares += messages / limit * squares_below(limit) + squares_below(messages % limit);
    }
    for (unsigned receiver = 0; receiver < shape_.receivers; ++receiver) {
      const mailbox_detail::Tally& tally = tallies(receiver)[source];
      came.messages += tally.messages;
      came.sum += tally.sum;
      came.squares += tally.squares;
    }
    if (came.messages < due.messages) {
      integrity.lost += due.messages - came.messages;
    } else if (came.messages > due.messages) {
      integrity.duplicated += came.messages - due.messages;
    } else if (came.sum != due.sum || came.squares != due.squares) {
      ++integrity.lost;
      ++integrity.duplicated;
    }
  }
}

MailboxReceiverChecker::MailboxReceiverChecker(const MailboxChecker& checker, unsigned index)
    : tallies_(checker.tallies(index)),
      mishaps_(&checker.mishaps(index)),
      arrivals_(checker.arrivals()),
      numbers_(checker.numbers()),
      number_mask_(detection_limit(checker.shape_.message_bytes) - 1),
      source_mask_(checker.senders_are_told_apart() ? 0xffff : 0),
      message_bytes_(checker.shape_.message_bytes),
      touch_(checker.shape_.touch),
      expected_(message_bytes_, touch_) {}

void MailboxReceiverChecker::observe_every_byte(std::span<const std::byte> message) {
  ++mishaps_->compared_bytewise;
  const std::uint64_t stamp = read(message, Touch::header).stamp;
  keep(stamp, message.size() == message_bytes_ &&
                  verify(message, static_cast<unsigned>(stamp >> 48), stamp & 0xffff'ffff'ffff, touch_));
}

}  // namespace ipcmark
