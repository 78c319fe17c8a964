#include "harness/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numeric>
#include <system_error>

#include "harness/case.h"

namespace ipcmark {
namespace {

constexpr bool continues(char byte) { return (static_cast<unsigned char>(byte) & 0xC0u) == 0x80u; }

// Length of the well-formed UTF-8 sequence at the front; 0 when there is none (RFC 3629: no overlong form, no
// surrogate, nothing above U+10FFFF).
std::size_t utf8_sequence(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xC2 && lead < 0xE0   ? 2
                             : lead >= 0xE0 && lead < 0xF0 ? 3
                             : lead >= 0xF0 && lead < 0xF5 ? 4
                                                           : 0;
  if (length == 0 || text.size() < length) return 0;
  if (!std::ranges::all_of(text.substr(1, length - 1), continues)) return 0;
  const unsigned second = byte(1);
  if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) || (lead == 0xF0 && second < 0x90) ||
      (lead == 0xF4 && second > 0x8F)) {
    return 0;
  }
  return length;
}

std::size_t edits(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < to.size(); ++j) {
      const std::size_t replaced = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

// Three significant digits, never in exponent form below 1000.
std::string three_digits(double value) {
  const double size = std::abs(value);
  return fmt::format("{:.{}f}", value, size < 9.995 ? 2 : size < 99.95 ? 1 : 0);
}

struct Scale {
  double from;  // first value that is written so, after rounding
  double unit;
  std::string_view name;
};

std::string scaled(double value, std::span<const Scale> scales) {
  const auto scale =
      std::ranges::find_if(scales, [value](const Scale& s) { return std::abs(value) >= s.from; });
  return fmt::format("{} {}", three_digits(value / scale->unit), scale->name);
}

}  // namespace

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> parse_duration_ns(std::string_view text) {
  struct Unit {
    std::string_view name;
    double ns;
  };
  constexpr std::array units{Unit{"ns", 1},  Unit{"us", 1e3},   Unit{"µs", 1e3},  Unit{"ms", 1e6},
                             Unit{"s", 1e9}, Unit{"min", 60e9}, Unit{"h", 3600e9}};
  const std::string_view number = text.substr(0, text.find_first_not_of("0123456789."));
  const auto unit = std::ranges::find(units, text.substr(number.size()), &Unit::name);
  double value = 0;
  const auto [end, error] =
      std::from_chars(number.data(), number.data() + number.size(), value, std::chars_format::fixed);
  if (number.empty() || unit == units.end() || error != std::errc{} || end != number.data() + number.size()) {
    return std::nullopt;
  }
  const double ns = std::round(value * unit->ns);
  if (!(ns >= 1 && ns <= 1000 * 3600e9)) return std::nullopt;
  return static_cast<std::uint64_t>(ns);
}

std::string exact_duration(std::uint64_t ns) {
  struct Unit {
    std::string_view name;
    std::uint64_t ns;
  };
  for (const Unit& unit : {Unit{"s", 1'000'000'000}, Unit{"ms", 1'000'000}, Unit{"us", 1'000}}) {
    if (ns % unit.ns == 0) return fmt::format("{}{}", ns / unit.ns, unit.name);
  }
  return fmt::format("{}ns", ns);
}

std::string format_ns(double ns) {
  constexpr std::array scales{Scale{999.5e6, 1e9, "s"}, Scale{999.5e3, 1e6, "ms"}, Scale{999.5, 1e3, "µs"},
                              Scale{0, 1, "ns"}};
  return scaled(ns, scales);
}

std::string format_duration(double seconds) {
  const auto whole = static_cast<std::uint64_t>(std::llround(std::max(seconds, 0.0)));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

std::string format_si(double value) {
  constexpr std::array scales{Scale{999.5e6, 1e9, "G"}, Scale{999.5e3, 1e6, "M"}, Scale{999.5, 1e3, "k"}};
  if (std::abs(value) < 999.5) return three_digits(value);
  return scaled(value, scales);
}

std::string format_size(std::uint64_t bytes) {
  const std::string text = format_bytes(bytes);
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  return fmt::format("{} {}B", text.substr(0, digits), text.substr(digits));
}

std::size_t text_width(std::string_view utf8) {
  return utf8.size() - static_cast<std::size_t>(std::ranges::count_if(utf8, continues));
}

std::string pad_right(std::string_view utf8, std::size_t width) {
  const std::size_t used = text_width(utf8);
  return std::string(utf8).append(used < width ? width - used : 0, ' ');
}

std::string pad_left(std::string_view utf8, std::size_t width) {
  const std::size_t used = text_width(utf8);
  return std::string(used < width ? width - used : 0, ' ').append(utf8);
}

std::string_view clip(std::string_view utf8, std::size_t width) {
  std::size_t end = 0;
  for (std::size_t columns = 0; end < utf8.size(); ++end) {
    if (!continues(utf8[end]) && columns++ == width) break;
  }
  return utf8.substr(0, end);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  for (;;) {
    const auto at = text.find(separator);
    pieces.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return pieces;
    text.remove_prefix(at + 1);
  }
}

std::string join(std::span<const std::string> words, std::string_view separator) {
  return fmt::format("{}", fmt::join(words, separator));
}

std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates) {
  const auto distance = [word](const std::string& candidate) { return edits(word, candidate); };
  const auto best = std::ranges::min_element(candidates, {}, distance);
  if (best == candidates.end() || distance(*best) > std::max<std::size_t>(1, word.size() / 3))
    return std::nullopt;
  return *best;
}

std::string json_quote(std::string_view text) {
  std::string quoted = "\"";
  while (!text.empty()) {
    const std::size_t length = utf8_sequence(text);
    const char first = text.front();
    if (length == 0) {
      quoted += "\uFFFD";
    } else if (first == '"' || first == '\\') {
      quoted += {'\\', first};
    } else if (static_cast<unsigned char>(first) < 0x20) {
      quoted += fmt::format("\\u{:04x}", static_cast<unsigned>(first));
    } else {
      quoted += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return quoted + '"';
}

}  // namespace ipcmark
