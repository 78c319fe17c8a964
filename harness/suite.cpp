#include "harness/suite.h"

#include <algorithm>
#include <stdexcept>

#include "harness/placement.h"
#include "harness/text.h"

namespace ipcmark {
namespace {

// "a" or "a+b", each a word of `parse`.
template <class Pair, class T>
std::optional<Pair> parse_pair(std::string_view text, std::optional<T> (*parse)(std::string_view)) {
  const auto plus = text.find('+');
  const auto send = parse(text.substr(0, plus));
  const auto receive = plus == std::string_view::npos ? send : parse(text.substr(plus + 1));
  if (!send || !receive) return std::nullopt;
  return Pair{*send, *receive};
}

template <class Pair, class T>
std::optional<Choice<Pair>> parse_choice(std::string_view text, std::optional<T> (*parse)(std::string_view)) {
  Choice<Pair> choice;
  if (text == "*") {
    choice.every = true;
    return choice;
  }
  for (const std::string_view alternative : split(text, '|')) {
    const auto pair = parse_pair<Pair>(alternative, parse);
    if (!pair) return std::nullopt;
    choice.first_of.push_back(*pair);
  }
  return choice;
}

template <class Pair>
std::string choice_text(const Choice<Pair>& choice) {
  if (choice.every) return "*";
  std::vector<std::string> words;
  for (const Pair& pair : choice.first_of) words.push_back(to_string(pair.send, pair.receive));
  return join(words, "|");
}

}  // namespace

PlacementChoice default_placement() {
  return {{"same_l3", "same_l2", "same_numa", "same_package", "cross_numa", "cross_package", "same_core",
           "same_pu"},
          false};
}

WaitChoice default_wait() {
  return {{WaitPair{Wait::block, Wait::block}, WaitPair{Wait::futex, Wait::futex},
           WaitPair{Wait::spin, Wait::spin}},
          false};
}

std::optional<std::vector<std::uint64_t>> parse_sizes(std::string_view text) {
  const auto dots = text.find("..");
  if (dots == std::string_view::npos) {
    const auto size = parse_bytes(text);
    return size ? std::optional(std::vector{*size}) : std::nullopt;
  }
  std::uint64_t factor = 2;
  std::string_view end = text.substr(dots + 2);
  if (const auto star = end.find('*'); star != std::string_view::npos) {
    const auto given = parse_number(end.substr(star + 1));
    if (!given || *given < 2) return std::nullopt;
    factor = *given;
    end = end.substr(0, star);
  }
  const auto first = parse_bytes(text.substr(0, dots));
  const auto last = parse_bytes(end);
  if (!first || !last || *first > *last) return std::nullopt;
  std::vector<std::uint64_t> sizes{*first};
  while (sizes.back() <= *last / factor) sizes.push_back(sizes.back() * factor);
  return sizes;
}

std::optional<WaitChoice> parse_wait_choice(std::string_view text) {
  return parse_choice<WaitPair>(text, parse_wait);
}

std::string waits_allowed() {
  std::vector<std::string> words;
  for (const Wait wait : all_waits()) words.emplace_back(to_string(wait));
  return join(words, ", ") + "; send+receive (block+spin), alternatives a|b, or *";
}

std::optional<AccessChoice> parse_access_choice(std::string_view text) {
  return parse_choice<AccessPair>(text, parse_access);
}

std::optional<PlacementChoice> parse_placement_choice(std::string_view text) {
  if (text == "*") return PlacementChoice{{}, true};
  try {
    parse_placement(text);
  } catch (const std::invalid_argument&) {
    return std::nullopt;
  }
  PlacementChoice choice;
  for (const std::string_view alternative : split(text, '|')) choice.first_of.emplace_back(alternative);
  return choice;
}

bool valid_sched(std::string_view text) {
  constexpr std::string_view fifo = "fifo:";
  if (text == "other") return true;
  if (!text.starts_with(fifo)) return false;
  const auto priority = parse_number(text.substr(fifo.size()));
  return priority && *priority >= 1 && *priority <= 99 && text == "fifo:" + std::to_string(*priority);
}

std::string to_string(const WaitChoice& choice) { return choice_text(choice); }
std::string to_string(const AccessChoice& choice) { return choice_text(choice); }
std::string to_string(const PlacementChoice& choice) {
  return choice.every ? "*" : join(choice.first_of, "|");
}

}  // namespace ipcmark
