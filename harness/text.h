// Numbers, durations and words as people read and write them. Pure functions; nothing here knows the locale.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ipcmark {

// Digits only, no sign, no overflow.
std::optional<std::uint64_t> parse_number(std::string_view text);

// 0.5s, 120ms, 50us (or µs), 2min, 1h; a number and a unit, nothing between. nullopt when malformed, zero, or
// over 1000 h.
std::optional<std::uint64_t> parse_duration_ns(std::string_view text);
inline constexpr std::string_view durations_allowed =
    "a number with ns, us, ms, s, min or h, as 120ms or 0.5s";

// What parse_duration_ns reads back to the nanosecond, in the largest unit that leaves it whole: 100us, 1ms.
std::string exact_duration(std::uint64_t ns);

// Three significant digits and a unit: 842 ns, 9.84 µs, 1.20 ms, 2.05 s.
std::string format_ns(double ns);
// A length of time for people waiting: 8 s, 2 min 05 s, 1 h 04 min.
std::string format_duration(double seconds);
// Three significant digits with a decimal prefix, no unit: 842, 9.84 k, 1.23 M.
std::string format_si(double value);
// A message size as a label: 64 B, 4 KiB, 1 MiB, 1500 B.
std::string format_size(std::uint64_t bytes);

// Columns a terminal uses for UTF-8 text of single-width characters: its code points.
std::size_t text_width(std::string_view utf8);
// Padded with blanks to `width` columns; longer text stays as it is.
std::string pad_right(std::string_view utf8, std::size_t width);
std::string pad_left(std::string_view utf8, std::size_t width);
// The first `width` columns at most.
std::string_view clip(std::string_view utf8, std::size_t width);

// At every separator; empty pieces are kept, so "a,,b" has three.
std::vector<std::string_view> split(std::string_view text, char separator);
std::string join(std::span<const std::string> words, std::string_view separator);

// The candidate that takes the fewest edits to reach from `word`, if that is few enough to be a slip of the
// hand (at most a third of its length, and one for short words).
std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates);

// As a JSON string, quotes included (RFC 8259, section 7). Invalid UTF-8 becomes U+FFFD.
std::string json_quote(std::string_view text);

}  // namespace ipcmark
