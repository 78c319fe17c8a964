#include "harness/case.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <system_error>
#include <utility>

#include "harness/measurement.h"
#include "harness/text.h"

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

// ---- rows of the table of further parameters ----

constexpr std::uint64_t most_at_once = 1'000'000'000;

template <auto member>
std::uint64_t number_of(const Case& c) {
  return c.*member;
}
template <unsigned Case::*member>
bool parse_count_into(std::string_view text, Case& c) {
  return parse_count(text, c.*member);
}

template <auto member>
std::string number_text(const Case& c) {
  return std::to_string(c.*member);
}
template <std::uint64_t Case::*member>
bool parse_number_into(std::string_view text, Case& c) {
  const auto value = digits(text);
  return value && *value <= most_at_once && (c.*member = *value, true);
}

std::string reply_text(const Case& c) { return c.reply_bytes == 0 ? "0" : format_bytes(c.reply_bytes); }
bool parse_reply(std::string_view text, Case& c) {
  return text == "0" ? (c.reply_bytes = 0, true) : take(parse_bytes(text), c.reply_bytes);
}

template <auto member>
std::string word_text(const Case& c) {
  return std::string(to_string(c.*member));
}
bool parse_overflow(std::string_view text, Case& c) {
  return take(
      by_name(text, std::array{Overflow::wait, Overflow::fail, Overflow::drop_new, Overflow::drop_old}),
      c.overflow);
}
bool parse_delivery(std::string_view text, Case& c) {
  return take(by_name(text, std::array{Delivery::first, Delivery::exclusive, Delivery::notify}), c.delivery);
}
bool parse_rendezvous(std::string_view text, Case& c) {
  return take(by_name(text, std::array{Rendezvous::none, Rendezvous::native, Rendezvous::acknowledged}),
              c.rendezvous);
}

bool parse_rate_into(std::string_view text, Case& c) { return take(parse_rate(text), c.rate); }
bool parse_arrivals(std::string_view text, Case& c) {
  return take(by_name(text, std::array{Arrivals::fixed, Arrivals::poisson, Arrivals::burst}), c.arrivals);
}
bool parse_caches(std::string_view text, Case& c) {
  return take(by_name(text, std::array{Caches::warm, Caches::cold}), c.caches);
}

template <std::uint64_t Case::*member>
std::string duration_text(const Case& c) {
  return c.*member == 0 ? "0" : exact_duration(c.*member);
}
template <std::uint64_t Case::*member>
bool parse_duration_into(std::string_view text, Case& c) {
  return text == "0" ? (c.*member = 0, true) : take(parse_duration_ns(text), c.*member);
}

bool parse_hops(std::string_view text, Case& c) {
  const auto is_word = [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '_';
  };
  bool word_begun = false;
  for (const char letter : text) {
    if (!is_word(letter) && !(letter == '+' && word_begun)) return false;
    word_begun = letter != '+';
  }
  return word_begun && (c.hops = text, true);
}

// In one order, so that one mix has one id.
bool parse_mix_into(std::string_view text, Case& c) {
  if (text == "none") return c.mix = text, true;
  const auto shares = parse_mix(text);
  if (!shares) return false;
  c.mix.clear();
  for (const SizeShare& share : *shares) {
    c.mix += fmt::format("{}{}:{}", c.mix.empty() ? "" : "+", format_bytes(share.bytes), share.weight);
  }
  c.message_bytes = shares->back().bytes;
  return true;
}

// A command may hold what ids and lists are made of; then, as everything but plain letters, its bytes stand
// as %XX (RFC 3986, section 2.1).
bool stands_for_itself(char letter) {
  return letter > ' ' && letter <= '~' && letter != '/' && letter != ',' && letter != '%';
}
std::string filter_text(const Case& c) {
  std::string text;
  for (const char letter : c.filter) {
    text += stands_for_itself(letter) ? std::string(1, letter)
                                      : fmt::format("%{:02X}", static_cast<unsigned char>(letter));
  }
  return text;
}
bool parse_filter(std::string_view text, Case& c) {
  std::string command;
  while (!text.empty()) {
    if (text.front() != '%') {
      command += text.front();
      text.remove_prefix(1);
      continue;
    }
    unsigned byte = 0;
    if (text.size() < 3) return false;
    const char* const end = text.data() + 3;
    if (const auto read = std::from_chars(text.data() + 1, end, byte, 16); read.ptr != end || byte == 0) {
      return false;
    }
    command += static_cast<char>(byte);
    text.remove_prefix(3);
  }
  return !command.empty() && (c.filter = std::move(command), true);
}

constexpr std::string_view at_least_one = "a whole number from 1";
constexpr std::string_view up_to_most = "a whole number up to 1000000000";

template <auto member>
constexpr Parameter number_row(std::string_view key, std::string_view option, std::string_view help) {
  return {key, option, help, up_to_most, number_of<member>, number_text<member>, parse_number_into<member>};
}

constexpr std::array parameters{
    Parameter{"senders", "--senders", "senders of a link (1)", at_least_one, number_of<&Case::senders>,
              number_text<&Case::senders>, parse_count_into<&Case::senders>},
    Parameter{"receivers", "--receivers", "receivers of a link (1)", at_least_one,
              number_of<&Case::receivers>, number_text<&Case::receivers>, parse_count_into<&Case::receivers>},
    Parameter{"rendezvous", "", "how capacity 0 comes about", "none, native, acknowledged", nullptr,
              word_text<&Case::rendezvous>, parse_rendezvous},
    Parameter{"overflow", "--overflow", "what a sender does when the link is full (wait)",
              "wait, fail, drop_new, drop_old", nullptr, word_text<&Case::overflow>, parse_overflow},
    Parameter{"delivery", "--delivery", "who gets a mailbox's message (first)", "first, exclusive, notify",
              nullptr, word_text<&Case::delivery>, parse_delivery},
    number_row<&Case::burst>("burst", "--burst", "messages sent at once"),
    Parameter{"reply_bytes", "--reply-size", "size of an answer; 0: as the message", "0, 64, 4Ki, 1Mi",
              number_of<&Case::reply_bytes>, reply_text, parse_reply},
    number_row<&Case::work>("work", "--work", "units of work between two tries, or for each message"),
    number_row<&Case::stages>("stages", "--stages", "filters of a pipeline"),
    number_row<&Case::pairs>("pairs", "--pairs", "independent pairs at once"),
    Parameter{"hops", "--hops", "transports of a pipeline's hops, in turn",
              "names joined by +: pipe+tcp+posix_shm", nullptr, [](const Case& c) { return c.hops; },
              parse_hops},
    Parameter{"filter", "--filter", "command that each filter of a pipeline runs",
              "a command; bytes may stand as %XX, a comma must (%2C)", nullptr, filter_text, parse_filter},
    Parameter{"mix", "--size", "sizes with weights (64:90,4Ki:10) are one mix of messages",
              "sizes with weights joined by +, each weight at least 1 in 65536: 64:90+4Ki:10", nullptr,
              [](const Case& c) { return c.mix; }, parse_mix_into},
    Parameter{"rate", "--rate", "messages a second that are due, or % of what the case can move (50%)",
              "a whole number up to 1000000000, or 1% to 1000%", nullptr,
              [](const Case& c) { return to_string(c.rate); }, parse_rate_into},
    Parameter{"arrivals", "--arrivals", "when they are due (fixed)", "fixed, poisson, burst", nullptr,
              word_text<&Case::arrivals>, parse_arrivals},
    Parameter{"p99_bound", "--p99-bound", "response time that 99 % should stay under, to find the knee",
              durations_allowed, nullptr, duration_text<&Case::p99_bound_ns>,
              parse_duration_into<&Case::p99_bound_ns>},
    Parameter{"gap", "--gap", "how long a receiver waits before the next message is sent", durations_allowed,
              nullptr, duration_text<&Case::gap_ns>, parse_duration_into<&Case::gap_ns>},
    Parameter{"caches", "--caches", "cold: both sides' caches are filled anew before each message (warm)",
              "warm, cold", nullptr, word_text<&Case::caches>, parse_caches}};

}  // namespace

std::span<const Parameter> further_parameters() { return parameters; }

bool is_neutral(const Parameter& parameter, const Case& benchmark_case) {
  return parameter.text(benchmark_case) == parameter.text(Case{});
}

std::string_view to_string(Overflow overflow) {
  switch (overflow) {
    case Overflow::wait:
      return "wait";
    case Overflow::fail:
      return "fail";
    case Overflow::drop_new:
      return "drop_new";
    case Overflow::drop_old:
      return "drop_old";
  }
  return "?";
}

std::string_view to_string(Delivery delivery) {
  switch (delivery) {
    case Delivery::first:
      return "first";
    case Delivery::exclusive:
      return "exclusive";
    case Delivery::notify:
      return "notify";
  }
  return "?";
}

std::string_view to_string(Rendezvous rendezvous) {
  switch (rendezvous) {
    case Rendezvous::none:
      return "none";
    case Rendezvous::native:
      return "native";
    case Rendezvous::acknowledged:
      return "acknowledged";
  }
  return "?";
}

std::string_view to_string(Arrivals arrivals) {
  switch (arrivals) {
    case Arrivals::fixed:
      return "fixed";
    case Arrivals::poisson:
      return "poisson";
    case Arrivals::burst:
      return "burst";
  }
  return "?";
}

std::string_view to_string(Caches caches) { return caches == Caches::warm ? "warm" : "cold"; }

std::string to_string(const Rate& rate) { return fmt::format("{}{}", rate.value, rate.percent ? "%" : ""); }

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

std::optional<Rate> parse_rate(std::string_view text) {
  constexpr std::uint64_t most_percent = 1'000;
  const bool percent = text.ends_with('%');
  const auto value = digits(text.substr(0, text.size() - (percent ? 1 : 0)));
  if (!value || *value > (percent ? most_percent : most_at_once) || (percent && *value == 0)) {
    return std::nullopt;
  }
  return Rate{*value, percent};
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

std::optional<std::vector<SizeShare>> parse_mix(std::string_view text) {
  constexpr std::size_t most_sizes = 256;
  std::vector<SizeShare> shares;
  std::uint64_t total = 0;
  for (bool more = true; more;) {
    const auto plus = text.find('+');
    const std::string_view word = text.substr(0, plus);
    more = plus != std::string_view::npos;
    if (more) text.remove_prefix(plus + 1);
    const auto colon = word.find(':');
    if (colon == std::string_view::npos || shares.size() == most_sizes) return std::nullopt;
    const auto bytes = parse_bytes(word.substr(0, colon));
    const auto weight = digits(word.substr(colon + 1));
    if (!bytes || !weight || *weight == 0 || *weight > most_at_once) return std::nullopt;
    total += *weight;
    shares.push_back({*bytes, *weight});
  }
  std::ranges::sort(shares, {}, &SizeShare::bytes);
  const bool twice = std::ranges::adjacent_find(shares, {}, &SizeShare::bytes) != shares.end();
  const bool too_rare =
      std::ranges::any_of(shares, [&](const SizeShare& share) { return share.weight * rarest_size < total; });
  return twice || too_rare ? std::nullopt : std::optional(std::move(shares));
}

std::uint64_t smallest_message(const Case& c) {
  const auto shares = parse_mix(c.mix);
  return shares ? shares->front().bytes : c.message_bytes;
}

std::string case_id(const Case& c) {
  std::string id = fmt::format(
      "workload:{}/transport:{}/size:{}/capacity:{}/wait:{}/access:{}/placement:{}/senders:{}/receivers:{}/"
      "touch:{}/"
      "limits:{}/sched:{}",
      c.workload, c.transport, format_bytes(c.message_bytes), to_string(c.capacity),
      to_string(c.send_wait, c.receive_wait), to_string(c.send_access, c.receive_access), c.placement,
      c.senders, c.receivers, to_string(c.touch), to_string(c.limits), c.sched);
  for (const Parameter& parameter : parameters) {
    if (parameter.key == "senders" || parameter.key == "receivers" || is_neutral(parameter, c)) continue;
    id += fmt::format("/{}:{}", parameter.key, parameter.text(c));
  }
  return id;
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
    if (key == "touch") return take(parse_touch(value), c.touch);
    if (key == "limits") return take(parse_limits(value), c.limits);
    if (key == "sched") return c.sched = value, true;
    const auto further = std::ranges::find(parameters, key, &Parameter::key);
    return further != parameters.end() && further->parse(value, c);
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
