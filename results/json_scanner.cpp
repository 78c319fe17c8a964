#include "results/json_scanner.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <system_error>

namespace ipcmark {

char JsonScanner::next() {
  while (at_ < text_.size() &&
         (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) {
    ++at_;
  }
  if (at_ == text_.size()) fail("not valid JSON: it ends too early");
  return text_[at_];
}

void JsonScanner::fail(std::string_view what) const {
  const auto line = std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at_), '\n');
  throw FileError(fmt::format("{}:{}: {}", file_, first_line_ + static_cast<std::size_t>(line), what));
}

void JsonScanner::expect(char mark) {
  if (next() != mark) fail(fmt::format("not valid JSON: '{}' is missing", mark));
  ++at_;
}

std::size_t JsonScanner::open(char bracket, std::string_view what) {
  if (next() != bracket) fail(fmt::format("must be {}", what));
  if (depth_ == deepest) fail(fmt::format("nested over {} levels", deepest));
  ++depth_;
  ++at_;
  return keys_.size();
}

bool JsonScanner::close(char bracket) {
  if (next() != bracket) return false;
  ++at_;
  return true;
}

bool JsonScanner::last(char bracket) {
  if (close(bracket)) return true;
  expect(',');
  return false;
}

void JsonScanner::check_keys(std::size_t first_key) {
  const auto first = keys_.begin() + static_cast<std::ptrdiff_t>(first_key);
  std::sort(first, keys_.end());
  if (const auto twice = std::adjacent_find(first, keys_.end()); twice != keys_.end()) {
    fail(fmt::format("has \"{}\" twice", *twice));
  }
  keys_.erase(first, keys_.end());
  --depth_;
}

// What stands between the quotation marks.
std::string_view JsonScanner::quoted() {
  if (next() != '"') fail("not valid JSON: a string is missing");
  const std::size_t begin = ++at_;
  for (; at_ < text_.size(); ++at_) {
    const char letter = text_[at_];
    if (letter == '"') return text_.substr(begin, at_++ - begin);
    if (static_cast<unsigned char>(letter) < ' ') fail("not valid JSON: a string holds a control character");
    if (letter == '\\' && ++at_ == text_.size()) break;
  }
  fail("not valid JSON: a string does not end");
}

std::string_view JsonScanner::number_text() {
  const auto is_digit = [this] { return at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; };
  const auto digits = [&] {
    if (!is_digit()) fail("not valid JSON: a digit is missing");
    while (is_digit()) ++at_;
  };
  const auto take = [this](std::string_view any) {
    return at_ < text_.size() && any.find(text_[at_]) != any.npos && ++at_ > 0;
  };
  const std::size_t begin = at_;
  take("-");
  if (!take("0")) digits();
  if (take(".")) digits();
  if (take("eE")) {
    take("+-");
    digits();
  }
  return text_.substr(begin, at_ - begin);
}

void JsonScanner::word(std::string_view expected) {
  if (text_.substr(at_, expected.size()) != expected) fail("not valid JSON: a value is missing");
  at_ += expected.size();
}

std::string_view JsonScanner::raw() {
  const char first = next();
  const std::size_t begin = at_;
  switch (first) {
    case '{':
      object([this](std::string_view) { raw(); });
      break;
    case '[':
      array([this] { raw(); });
      break;
    case '"':
      quoted();
      break;
    case 't':
      word("true");
      break;
    case 'f':
      word("false");
      break;
    case 'n':
      word("null");
      break;
    default:
      number_text();
  }
  return text_.substr(begin, at_ - begin);
}

std::string JsonScanner::text() {
  if (next() != '"') fail("must be a string");
  const std::string_view inside = quoted();
  if (inside.find('\\') == inside.npos) return std::string(inside);
  return JsonDocument::parse(fmt::format("\"{}\"", inside), file_).root().text();
}

double JsonScanner::number() {
  const char first = next();
  if (first != '-' && (first < '0' || first > '9')) fail("must be a number");
  const std::string_view digits = number_text();
  double value = 0;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ec != std::errc()) {
    fail(fmt::format("{} is out of a number's range", digits));
  }
  return value;
}

std::uint64_t JsonScanner::whole_number() {
  const char first = next();
  const std::string_view digits = first >= '0' && first <= '9' ? number_text() : "";
  std::uint64_t value = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || read.ec != std::errc() || read.ptr != digits.data() + digits.size()) {
    fail("must be a whole number from 0");
  }
  return value;
}

bool JsonScanner::take_null() {
  if (next() != 'n') return false;
  word("null");
  return true;
}

void JsonScanner::end() {
  const auto rest = text_.substr(std::min(at_, text_.size()));
  const auto more = rest.find_first_not_of(" \n\r\t");
  if (more == rest.npos) return;
  at_ += more;
  fail("not valid JSON: something follows its end");
}

}  // namespace ipcmark
