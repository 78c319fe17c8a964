#include "results/suite_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "harness/text.h"

namespace ipcmark {
namespace {

constexpr unsigned most_launches = 1000;
constexpr std::size_t most_entries = 1000;  // of one list
constexpr std::size_t largest_file = std::size_t{1} << 20;

[[noreturn]] void refuse(const JsonNode& node, std::string_view allowed) {
  node.fail(fmt::format("must be {}, not {}", allowed, node.describe()));
}

// Sizes and capacities may be written as numbers.
std::string word(const JsonNode& node, std::string_view allowed) {
  if (node.is_whole_number()) return std::to_string(node.whole_number());
  if (!node.is_text()) refuse(node, allowed);
  return node.text();
}

template <class T>
T parsed_word(const JsonNode& node, std::optional<T> (*parse)(std::string_view), std::string_view allowed) {
  if (auto value = parse(word(node, allowed))) return *std::move(value);
  refuse(node, allowed);
}

// A list, or one entry alone.
std::vector<JsonNode> entries(const JsonNode& node) {
  if (!node.is_array()) return {node};
  std::vector<JsonNode> items = node.items();
  if (items.empty()) node.fail("must have at least one entry");
  if (items.size() > most_entries) {
    node.fail(fmt::format("must have at most {} entries, not {}", most_entries, items.size()));
  }
  return items;
}

template <class T>
std::vector<T> parsed_entries(const JsonNode& node, std::optional<T> (*parse)(std::string_view),
                              std::string_view allowed) {
  std::vector<T> values;
  for (const JsonNode& entry : entries(node)) values.push_back(parsed_word(entry, parse, allowed));
  return values;
}

std::optional<std::string> parse_name(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  if (text.empty() || !std::ranges::all_of(text, fits)) return {};
  return std::string(text);
}
constexpr std::string_view names_allowed = "a name of a-z, 0-9, _ and -";

std::optional<std::string> parse_transport(std::string_view text) {
  return text == "*" ? std::optional<std::string>("*") : parse_name(text);
}

std::optional<std::string> parse_sched(std::string_view text) {
  return valid_sched(text) ? std::optional<std::string>(text) : std::nullopt;
}

unsigned count_from_one(const JsonNode& node, unsigned most) {
  const std::string allowed = fmt::format("a whole number from 1 to {}", most);
  if (!node.is_whole_number() || node.whole_number() < 1 || node.whole_number() > most) refuse(node, allowed);
  return node.small_whole_number();
}

std::vector<std::uint64_t> decode_sizes(const JsonNode& node) {
  std::vector<std::uint64_t> sizes;
  for (const auto& range : parsed_entries(node, parse_sizes, sizes_allowed)) {
    sizes.insert(sizes.end(), range.begin(), range.end());
  }
  std::ranges::sort(sizes);
  sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  return sizes;
}

Grid decode_grid(const JsonNode& node) {
  std::vector<std::string_view> keys{"workload", "transport", "size",  "capacity", "wait",
                                     "access",   "placement", "touch", "limits",   "sched"};
  for (const Parameter& parameter : further_parameters()) {
    if (!parameter.option.empty()) keys.push_back(parameter.key);
  }
  node.allow_only(keys);
  Grid grid;
  grid.workloads = parsed_entries(node.at("workload"), parse_name, names_allowed);
  if (const auto key = node.find("transport")) {
    grid.transports =
        parsed_entries(*key, parse_transport, "a name of a-z, 0-9, _ and -, or * for every one");
  }
  if (const auto key = node.find("size")) grid.message_bytes = decode_sizes(*key);
  if (const auto key = node.find("capacity")) {
    grid.capacities = parsed_entries(*key, parse_capacity, capacities_allowed);
  }
  if (const auto key = node.find("wait"))
    grid.waits = parsed_entries(*key, parse_wait_choice, waits_allowed());
  if (const auto key = node.find("access")) {
    grid.accesses = parsed_entries(*key, parse_access_choice, accesses_allowed);
  }
  if (const auto key = node.find("placement")) {
    grid.placements = parsed_entries(*key, parse_placement_choice, placements_allowed);
  }
  if (const auto key = node.find("touch")) grid.touch = parsed_word(*key, parse_touch, "full or header");
  if (const auto key = node.find("limits")) grid.limits = parsed_word(*key, parse_limits, "host or raised");
  if (const auto key = node.find("sched")) grid.sched = parsed_word(*key, parse_sched, scheds_allowed);
  for (const Parameter& parameter : further_parameters()) {
    const auto key = node.find(parameter.key);
    if (!key) continue;
    for (const JsonNode& entry : entries(*key)) {
      Case parsed_into;
      const std::string text = word(entry, parameter.allowed);
      if (!parameter.parse(text, parsed_into)) refuse(entry, parameter.allowed);
      grid.further[std::string(parameter.key)].push_back(parameter.text(parsed_into));
    }
  }
  return grid;
}

std::optional<Suite::Cover> parse_cover(std::string_view text) {
  if (text == "full") return Suite::Cover::full;
  if (text == "pairwise") return Suite::Cover::pairwise;
  return {};
}

}  // namespace

Suite parse_suite(std::string_view text, const std::string& file) {
  const auto document = JsonDocument::parse(text, file);
  const JsonNode node = document.root();
  node.allow_only({"name", "description", "launches", "min_time", "seed", "cover", "grids"});
  Suite suite;
  suite.name = parsed_word(node.at("name"), parse_name, names_allowed);
  if (const auto key = node.find("description")) suite.description = key->text();
  if (const auto key = node.find("launches")) suite.launches = count_from_one(*key, most_launches);
  if (const auto key = node.find("min_time")) {
    suite.min_time_ns = parsed_word(*key, parse_duration_ns, durations_allowed);
  }
  if (const auto key = node.find("seed")) suite.seed = key->whole_number();
  if (const auto key = node.find("cover")) {
    suite.cover =
        parsed_word(*key, parse_cover, "full (every combination) or pairwise (every pair of values)");
  }
  for (const JsonNode& grid : entries(node.at("grids"))) suite.grids.push_back(decode_grid(grid));
  return suite;
}

Suite read_suite(const std::string& path) { return parse_suite(read_text_file(path, largest_file), path); }

}  // namespace ipcmark
