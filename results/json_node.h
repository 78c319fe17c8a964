// A view of parsed JSON for readers that must say what is wrong: every accessor names the file and the place
// in its error. Keeps nlohmann/json out of the headers.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ipcmark {

// An input file is not what it should be. The text is one line for a person: file, line or place, what is
// allowed.
struct FileError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// One value inside a JsonDocument, valid as long as the document. Accessors throw FileError when the value
// has another type or is out of the type's range.
class JsonNode {
 public:
  bool is_array() const;
  bool is_text() const;
  bool is_whole_number() const;  // and not negative

  std::string text() const;
  std::uint64_t whole_number() const;  // 0 .. 2^64 - 1
  unsigned small_whole_number() const;
  int integer() const;
  double number() const;  // always finite
  bool flag() const;

  JsonNode at(std::string_view key) const;                       // throws when missing
  std::optional<JsonNode> find(std::string_view key) const;      // nullopt when missing
  std::optional<JsonNode> nullable(std::string_view key) const;  // throws when missing, nullopt when null
  std::vector<JsonNode> items() const;                           // of an array
  std::vector<std::string> keys() const;                         // of an object
  void allow_only(std::span<const std::string_view> keys) const;
  void allow_only(std::initializer_list<std::string_view> keys) const;

  std::string describe() const;  // the value as JSON, shortened, for an error
  [[noreturn]] void fail(std::string_view what) const;

 private:
  friend class JsonDocument;
  JsonNode(const void* value, std::string file, std::string place);

  const void* value_;  // nlohmann::json
  std::string file_;
  std::string place_;
};

class JsonDocument {
 public:
  // Throws FileError "FILE:LINE:COLUMN: ..." for what is no JSON, and "FILE: PLACE: ..." for an object with a
  // key twice and for more than 64 levels. `first_line` numbers the first line of `text`; when given, the
  // text is one line of a larger file and later errors say "FILE:LINE".
  static JsonDocument parse(std::string_view text, const std::string& file,
                            std::optional<std::size_t> first_line = {});

  JsonNode root() const { return {value_.get(), place_, ""}; }

 private:
  JsonDocument(std::shared_ptr<const void> value, std::string place)
      : value_(std::move(value)), place_(std::move(place)) {}

  std::shared_ptr<const void> value_;
  std::string place_;  // FILE or FILE:LINE
};

// The whole file. Throws FileError "FILE: reason" when it cannot be read or is larger than `most_bytes`.
std::string read_text_file(const std::string& path, std::size_t most_bytes = std::string::npos);

}  // namespace ipcmark
