#include "harness/case.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "harness/measurement.h"

namespace ipcmark {
namespace {

constexpr std::array all{Wait::block,          Wait::poll,    Wait::epoll,    Wait::spin,
                         Wait::yield,          Wait::futex,   Wait::adaptive, Wait::semaphore,
                         Wait::sysv_semaphore, Wait::condvar, Wait::eventfd};

constexpr std::uint64_t largest_message = std::uint64_t{1} << 40;  // 1 TiB

struct Unit {
  std::string_view suffix;
  unsigned shift;
};
constexpr std::array units{Unit{"Ti", 40}, Unit{"Gi", 30}, Unit{"Mi", 20}, Unit{"Ki", 10}};

std::optional<std::uint64_t> digits(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

template <class T, std::size_t N>
std::optional<T> by_name(std::string_view text, const std::array<T, N>& values) {
  const auto found = std::ranges::find(values, text, [](T value) { return to_string(value); });
  return found == values.end() ? std::nullopt : std::optional(*found);
}

// "block" -> both, "block+spin" -> each; false when either is no word.
template <class T>
bool parse_pair(std::string_view text, std::optional<T> (*parse)(std::string_view), T& send, T& receive) {
  const auto plus = text.find('+');
  const auto first = parse(text.substr(0, plus));
  const auto second = plus == std::string_view::npos ? first : parse(text.substr(plus + 1));
  if (!first || !second) return false;
  send = *first;
  receive = *second;
  return true;
}

bool parse_count(std::string_view text, unsigned& count) {
  const auto value = digits(text);
  if (!value || *value == 0 || *value > std::numeric_limits<unsigned>::max()) return false;
  count = static_cast<unsigned>(*value);
  return true;
}

template <class T>
bool take(std::optional<T> parsed, T& into) {
  if (parsed) into = *parsed;
  return parsed.has_value();
}

}  // namespace

std::string_view to_string(Wait wait) {
  switch (wait) {
    case Wait::block:
      return "block";
    case Wait::poll:
      return "poll";
    case Wait::epoll:
      return "epoll";
    case Wait::spin:
      return "spin";
    case Wait::yield:
      return "yield";
    case Wait::futex:
      return "futex";
    case Wait::adaptive:
      return "adaptive";
    case Wait::semaphore:
      return "semaphore";
    case Wait::sysv_semaphore:
      return "sysv_semaphore";
    case Wait::condvar:
      return "condvar";
    case Wait::eventfd:
      return "eventfd";
  }
  return "?";
}

std::string_view to_string(Access access) { return access == Access::copy ? "copy" : "loan"; }
std::string_view to_string(Touch touch) { return touch == Touch::full ? "full" : "header"; }
std::string_view to_string(Limits limits) { return limits == Limits::host ? "host" : "raised"; }

std::string_view to_string(Grade grade) {
  switch (grade) {
    case Grade::ok:
      return "ok";
    case Grade::noisy:
      return "noisy";
    case Grade::invalid:
      return "invalid";
  }
  return "?";
}

std::string to_string(const Capacity& capacity) {
  switch (capacity.kind) {
    case Capacity::Kind::standard:
      return "default";
    case Capacity::Kind::rendezvous:
      return "0";
    case Capacity::Kind::bounded:
      return std::to_string(capacity.messages);
    case Capacity::Kind::unbounded:
      return "unbounded";
  }
  return "?";
}

std::string to_string(Wait send, Wait receive) {
  return send == receive ? std::string(to_string(send))
                         : fmt::format("{}+{}", to_string(send), to_string(receive));
}

std::string to_string(Access send, Access receive) {
  return send == receive ? std::string(to_string(send))
                         : fmt::format("{}+{}", to_string(send), to_string(receive));
}

std::span<const Wait> all_waits() { return all; }

std::optional<Wait> parse_wait(std::string_view text) { return by_name(text, all); }
std::optional<Access> parse_access(std::string_view text) {
  return by_name(text, std::array{Access::copy, Access::loan});
}
std::optional<Touch> parse_touch(std::string_view text) {
  return by_name(text, std::array{Touch::full, Touch::header});
}
std::optional<Limits> parse_limits(std::string_view text) {
  return by_name(text, std::array{Limits::host, Limits::raised});
}

std::optional<Capacity> parse_capacity(std::string_view text) {
  if (text == "default") return Capacity{};
  if (text == "unbounded") return Capacity::unbounded();
  const auto messages = digits(text);
  if (!messages) return std::nullopt;
  return *messages == 0 ? Capacity::rendezvous() : Capacity::bounded(*messages);
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  unsigned shift = 0;
  for (const Unit& unit : units) {
    if (text.ends_with(unit.suffix)) {
      shift = unit.shift;
      text.remove_suffix(unit.suffix.size());
      break;
    }
  }
  const auto value = digits(text);
  if (!value || *value == 0 || *value > largest_message >> shift) return std::nullopt;
  return *value << shift;
}

std::string format_bytes(std::uint64_t bytes) {
  for (const Unit& unit : units) {
    const std::uint64_t size = std::uint64_t{1} << unit.shift;
    if (bytes != 0 && bytes % size == 0) return fmt::format("{}{}", bytes / size, unit.suffix);
  }
  return std::to_string(bytes);
}

std::string case_id(const Case& c) {
  return fmt::format(
      "workload:{}/transport:{}/size:{}/capacity:{}/wait:{}/access:{}/placement:{}/senders:{}/receivers:{}/"
      "touch:{}/"
      "limits:{}/sched:{}",
      c.workload, c.transport, format_bytes(c.message_bytes), to_string(c.capacity),
      to_string(c.send_wait, c.receive_wait), to_string(c.send_access, c.receive_access), c.placement,
      c.senders, c.receivers, to_string(c.touch), to_string(c.limits), c.sched);
}

std::optional<Case> parse_case_id(std::string_view id) {
  Case c;
  const auto fill = [&c](std::string_view key, std::string_view value) {
    if (value.empty()) return false;
    if (key == "workload") return c.workload = value, true;
    if (key == "transport") return c.transport = value, true;
    if (key == "size") return take(parse_bytes(value), c.message_bytes);
    if (key == "capacity") return take(parse_capacity(value), c.capacity);
    if (key == "wait") return parse_pair(value, parse_wait, c.send_wait, c.receive_wait);
    if (key == "access") return parse_pair(value, parse_access, c.send_access, c.receive_access);
    if (key == "placement") return c.placement = value, true;
    if (key == "senders") return parse_count(value, c.senders);
    if (key == "receivers") return parse_count(value, c.receivers);
    if (key == "touch") return take(parse_touch(value), c.touch);
    if (key == "limits") return take(parse_limits(value), c.limits);
    if (key == "sched") return c.sched = value, true;
    return false;
  };
  for (std::string_view rest = id; !rest.empty();) {
    const std::string_view field = rest.substr(0, rest.find('/'));
    rest.remove_prefix(std::min(field.size() + 1, rest.size()));
    const auto colon = field.find(':');
    if (colon == std::string_view::npos || !fill(field.substr(0, colon), field.substr(colon + 1)))
      return std::nullopt;
  }
  // Missing, repeated or reordered fields, and numbers written otherwise, do not come back as they were.
  return case_id(c) == id ? std::optional(std::move(c)) : std::nullopt;
}

}  // namespace ipcmark
