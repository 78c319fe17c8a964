#include "results/json_node.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>
#include <utility>

#include "results/file_io.h"

namespace ipcmark {
namespace {

using Tree = nlohmann::json;

const Tree& json(const void* value) { return *static_cast<const Tree*>(value); }

// nlohmann's text without its "[json.exception.parse_error.101] parse error at line 1, column 2: ".
std::string_view detail(std::string_view what) {
  if (auto end = what.find("column "); end != what.npos) {
    if (auto colon = what.find(": ", end); colon != what.npos) return what.substr(colon + 2);
  }
  auto end = what.find("] ");
  return end == what.npos ? what : what.substr(end + 2);
}

// On one line, whatever it holds.
std::string shown(const Tree& value) {
  constexpr std::size_t longest = 40;
  std::string text = value.dump(-1, ' ', true, Tree::error_handler_t::replace);
  if (text.size() > longest) text = text.substr(0, longest) + "...";
  return text;
}

std::string place_in(std::string_view place, std::string_view key) {
  return place.empty() ? std::string(key) : fmt::format("{}.{}", place, key);
}

// Looks for what nlohmann lets pass: of a repeated key it keeps the last in silence, and it parses any depth
// but writes by recursion. What is no JSON at all is left to the parse that follows.
class Strictness final : public nlohmann::json_sax<Tree> {
 public:
  explicit Strictness(const std::string& file) : file_(file) {}

  bool null() override { return value(); }
  bool boolean(bool) override { return value(); }
  bool number_integer(number_integer_t) override { return value(); }
  bool number_unsigned(number_unsigned_t) override { return value(); }
  bool number_float(number_float_t, const string_t&) override { return value(); }
  bool string(string_t&) override { return value(); }
  bool binary(binary_t&) override { return value(); }
  bool start_object(std::size_t) override { return open({.is_array = false, .keys = {}, .key = {}}); }
  bool start_array(std::size_t) override { return open({.is_array = true, .keys = {}, .key = {}}); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t, const std::string&, const Tree::exception&) override { return false; }

  bool key(string_t& name) override {
    if (!open_.back().keys.insert(name).second) {
      const std::string place = place_of_innermost();
      throw FileError(
          fmt::format("{}: {}{}has {} twice", file_, place, place.empty() ? "" : ": ", shown(name)));
    }
    open_.back().key = name;
    return true;
  }

 private:
  static constexpr std::size_t deepest = 64;

  struct Level {
    bool is_array;
    std::set<std::string> keys;
    std::string key;
    std::size_t values = 0;
  };

  bool value() {
    if (!open_.empty()) ++open_.back().values;
    return true;
  }
  bool open(Level level) {
    if (open_.size() == deepest) throw FileError(fmt::format("{}: nested over {} levels", file_, deepest));
    open_.push_back(std::move(level));
    return true;
  }
  bool close() {
    open_.pop_back();
    return value();
  }

  std::string place_of_innermost() const {
    std::string place;
    for (std::size_t i = 0; i + 1 < open_.size(); ++i) {
      const Level& level = open_[i];
      place = level.is_array ? fmt::format("{}[{}]", place, level.values) : place_in(place, level.key);
    }
    return place;
  }

  const std::string& file_;
  std::vector<Level> open_;
};

}  // namespace

JsonNode::JsonNode(const void* value, std::string file, std::string place)
    : value_(value), file_(std::move(file)), place_(std::move(place)) {}

bool JsonNode::is_array() const { return json(value_).is_array(); }
bool JsonNode::is_text() const { return json(value_).is_string(); }
bool JsonNode::is_whole_number() const { return json(value_).is_number_unsigned(); }

std::string JsonNode::text() const {
  if (!is_text()) fail(fmt::format("must be a string, not {}", describe()));
  return json(value_).get<std::string>();
}

std::uint64_t JsonNode::whole_number() const {
  if (!is_whole_number()) fail(fmt::format("must be a whole number from 0, not {}", describe()));
  return json(value_).get<std::uint64_t>();
}

unsigned JsonNode::small_whole_number() const {
  constexpr auto largest = std::numeric_limits<unsigned>::max();
  if (!is_whole_number() || whole_number() > largest) {
    fail(fmt::format("must be a whole number from 0 to {}, not {}", largest, describe()));
  }
  return static_cast<unsigned>(whole_number());
}

int JsonNode::integer() const {
  using Limits = std::numeric_limits<int>;
  const bool fits = is_whole_number() ? whole_number() <= static_cast<std::uint64_t>(Limits::max())
                                      : json(value_).is_number_integer() &&
                                            json(value_).get<std::int64_t>() >= Limits::min();
  if (!fits) fail(fmt::format("must be a whole number of 32 bits, not {}", describe()));
  return json(value_).get<int>();
}

double JsonNode::number() const {
  if (!json(value_).is_number()) fail(fmt::format("must be a number, not {}", describe()));
  return json(value_).get<double>();
}

bool JsonNode::flag() const {
  if (!json(value_).is_boolean()) fail(fmt::format("must be true or false, not {}", describe()));
  return json(value_).get<bool>();
}

JsonNode JsonNode::at(std::string_view key) const {
  if (!json(value_).is_object()) fail(fmt::format("must be an object, not {}", describe()));
  const auto found = json(value_).find(key);
  if (found == json(value_).end()) fail(fmt::format("has no \"{}\"", key));
  return {&*found, file_, place_in(place_, key)};
}

std::optional<JsonNode> JsonNode::find(std::string_view key) const {
  if (json(value_).is_object() && !json(value_).contains(key)) return {};
  return at(key);
}

std::optional<JsonNode> JsonNode::nullable(std::string_view key) const {
  JsonNode node = at(key);
  if (json(node.value_).is_null()) return {};
  return node;
}

std::vector<JsonNode> JsonNode::items() const {
  if (!is_array()) fail(fmt::format("must be a list, not {}", describe()));
  std::vector<JsonNode> nodes;
  for (const Tree& item : json(value_)) {
    nodes.push_back(JsonNode(&item, file_, fmt::format("{}[{}]", place_, nodes.size())));
  }
  return nodes;
}

std::vector<std::string> JsonNode::keys() const {
  if (!json(value_).is_object()) fail(fmt::format("must be an object, not {}", describe()));
  std::vector<std::string> names;
  for (const auto& item : json(value_).items()) names.push_back(item.key());
  return names;
}

void JsonNode::allow_only(std::span<const std::string_view> allowed) const {
  for (const std::string& key : keys()) {
    if (std::find(allowed.begin(), allowed.end(), key) == allowed.end()) {
      fail(fmt::format("unknown key {}; allowed: {}", shown(key), fmt::join(allowed, ", ")));
    }
  }
}

void JsonNode::allow_only(std::initializer_list<std::string_view> allowed) const {
  allow_only(std::span(allowed.begin(), allowed.size()));
}

std::string JsonNode::describe() const { return shown(json(value_)); }

void JsonNode::fail(std::string_view what) const {
  throw FileError(place_.empty() ? fmt::format("{}: {}", file_, what)
                                 : fmt::format("{}: {}: {}", file_, place_, what));
}

JsonDocument JsonDocument::parse(std::string_view text, const std::string& file,
                                 std::optional<std::size_t> first_line) {
  std::string place = first_line ? fmt::format("{}:{}", file, *first_line) : file;
  try {
    Strictness strictness(place);
    Tree::sax_parse(text, &strictness);
    return {std::make_shared<const Tree>(Tree::parse(text)), std::move(place)};
  } catch (const Tree::parse_error& error) {
    const auto before = text.substr(0, std::min(text.size(), error.byte ? error.byte - 1 : 0));
    const auto lines = static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
    const auto last_newline = before.rfind('\n');
    const auto column = before.size() - (last_newline == before.npos ? 0 : last_newline + 1) + 1;
    throw FileError(fmt::format("{}:{}:{}: not valid JSON: {}", file, first_line.value_or(1) + lines, column,
                                detail(error.what())));
  } catch (const Tree::exception& error) {
    throw FileError(fmt::format("{}: not valid JSON: {}", file, detail(error.what())));
  }
}

std::string read_text_file(const std::string& path, std::size_t most_bytes) {
  try {
    std::string text = File(path, O_RDONLY).read(most_bytes);
    if (text.size() > most_bytes) throw FileError(fmt::format("{}: larger than {} B", path, most_bytes));
    return text;
  } catch (const std::system_error& error) {
    throw FileError(fmt::format("{}: cannot be read: {}", path, error.code().message()));
  }
}

}  // namespace ipcmark
