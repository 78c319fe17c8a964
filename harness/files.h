// Small text files of the kernel's, or of a tree that stands in for them in a test.
#pragma once

#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace ipcmark {

// Without blanks at the ends.
inline std::string_view trim(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

// The files of one (real or made-up) root, each read whole; paths begin with a slash.
class Files {
 public:
  explicit Files(std::filesystem::path root) : root_(std::move(root)) {}

  // Without blanks at the ends; nullopt when it cannot be read.
  std::optional<std::string> read(std::string_view path) const {
    std::ifstream file(at(path));
    std::ostringstream text;
    if (!file || !(file.peek() == std::ifstream::traits_type::eof() || text << file.rdbuf()))
      return std::nullopt;
    if (file.bad()) return std::nullopt;
    return std::string(trim(text.str()));
  }

  std::vector<std::string> lines(std::string_view path) const {
    std::istringstream text(read(path).value_or(""));
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
  }

  // File names, sorted; none when the folder cannot be read.
  std::vector<std::string> names_in(std::string_view folder) const {
    std::set<std::string> names;
    std::error_code ignored;
    for (std::filesystem::directory_iterator entry(at(folder), ignored), end; !ignored && entry != end;
         entry.increment(ignored))
      names.insert(entry->path().filename());
    return {names.begin(), names.end()};
  }

 private:
  std::filesystem::path at(std::string_view path) const { return root_ / path.substr(1); }

  std::filesystem::path root_;
};

}  // namespace ipcmark
