#include "harness/text.h"

#include <gtest/gtest.h>

namespace ipcmark {
namespace {

TEST(Number, IsDigitsOnly) {
  EXPECT_EQ(parse_number("0"), 0u);
  EXPECT_EQ(parse_number("18446744073709551615"), ~0ull);
  for (const std::string_view bad : {"", "-1", "+1", " 1", "1 ", "1.0", "0x10", "18446744073709551616"}) {
    EXPECT_EQ(parse_number(bad), std::nullopt) << bad;
  }
}

TEST(Duration, TakesANumberAndAUnit) {
  EXPECT_EQ(parse_duration_ns("1ns"), 1u);
  EXPECT_EQ(parse_duration_ns("50us"), 50'000u);
  EXPECT_EQ(parse_duration_ns("50µs"), 50'000u);
  EXPECT_EQ(parse_duration_ns("120ms"), 120'000'000u);
  EXPECT_EQ(parse_duration_ns("0.5s"), 500'000'000u);
  EXPECT_EQ(parse_duration_ns("2min"), 120'000'000'000u);
  EXPECT_EQ(parse_duration_ns("1h"), 3'600'000'000'000u);
  for (const std::string_view bad : {"", "s", "5", "0s", "0.1ns", "-1s", "+1s", "1e3s", "1 s", "1sec",
                                     "1.2.3s", ".s", "1001h", "infs", "nans"}) {
    EXPECT_EQ(parse_duration_ns(bad), std::nullopt) << bad;
  }
}

TEST(Nanoseconds, HaveThreeDigitsAndAUnit) {
  EXPECT_EQ(format_ns(0.4567), "0.46 ns");
  EXPECT_EQ(format_ns(8.421), "8.42 ns");
  EXPECT_EQ(format_ns(99.94), "99.9 ns");
  EXPECT_EQ(format_ns(99.96), "100 ns");
  EXPECT_EQ(format_ns(842), "842 ns");
  EXPECT_EQ(format_ns(999.4), "999 ns");
  EXPECT_EQ(format_ns(999.6), "1.00 µs");
  EXPECT_EQ(format_ns(9'840), "9.84 µs");
  EXPECT_EQ(format_ns(999'600), "1.00 ms");
  EXPECT_EQ(format_ns(2'050'000'000), "2.05 s");
}

TEST(Duration, ReadsAsPeopleSayIt) {
  EXPECT_EQ(format_duration(-1), "0 s");
  EXPECT_EQ(format_duration(8.4), "8 s");
  EXPECT_EQ(format_duration(59.6), "1 min 00 s");
  EXPECT_EQ(format_duration(125), "2 min 05 s");
  EXPECT_EQ(format_duration(3840), "1 h 04 min");
}

TEST(DecimalPrefix, KeepsThreeDigits) {
  EXPECT_EQ(format_si(842), "842");
  EXPECT_EQ(format_si(9'840), "9.84 k");
  EXPECT_EQ(format_si(999'600), "1.00 M");
  EXPECT_EQ(format_si(1'234'567), "1.23 M");
  EXPECT_EQ(format_si(78.9e9), "78.9 G");
}

TEST(Size, IsLabelledInBinaryUnits) {
  EXPECT_EQ(format_size(64), "64 B");
  EXPECT_EQ(format_size(1500), "1500 B");
  EXPECT_EQ(format_size(4096), "4 KiB");
  EXPECT_EQ(format_size(1 << 20), "1 MiB");
}

TEST(Columns, CountCharactersAndNotBytes) {
  EXPECT_EQ(text_width("9.84 µs ±"), 9u);
  EXPECT_EQ(pad_right("µs", 4), "µs  ");
  EXPECT_EQ(pad_left("µs", 4), "  µs");
  EXPECT_EQ(pad_left("longer", 4), "longer");
  EXPECT_EQ(clip("aµb", 2), "aµ");
  EXPECT_EQ(clip("ab", 5), "ab");
  EXPECT_EQ(clip("ab", 0), "");
}

TEST(Split, KeepsEmptyPieces) {
  EXPECT_EQ(split("a,,b", ','), (std::vector<std::string_view>{"a", "", "b"}));
  EXPECT_EQ(split("", ','), (std::vector<std::string_view>{""}));
  EXPECT_EQ(split("a,", ','), (std::vector<std::string_view>{"a", ""}));
}

TEST(Nearest, FindsASlipOfTheHandAndNothingFarther) {
  const std::vector<std::string> words{"pipe", "fifo", "posix_mq", "unix_stream"};
  EXPECT_EQ(nearest("pip", words), "pipe");
  EXPECT_EQ(nearest("pipes", words), "pipe");
  EXPECT_EQ(nearest("posixmq", words), "posix_mq");
  EXPECT_EQ(nearest("unix_steam", words), "unix_stream");
  EXPECT_EQ(nearest("zmq", words), std::nullopt);
  EXPECT_EQ(nearest("pipe", {}), std::nullopt);
}

TEST(JsonText, EscapesWhatTheGrammarForbids) {
  EXPECT_EQ(json_quote(""), R"("")");
  EXPECT_EQ(json_quote("a\"b\\c/d"), R"("a\"b\\c/d")");
  EXPECT_EQ(json_quote(std::string_view("\0\n\x1f\x7f", 4)), "\"\\u0000\\u000a\\u001f\x7f\"");
  EXPECT_EQ(json_quote("µ €😀"), "\"µ €😀\"");
}

TEST(JsonText, ReplacesWhatIsNoUtf8) {
  EXPECT_EQ(json_quote("a\xFF"
                       "b"),
            "\"a\uFFFDb\"");
  EXPECT_EQ(json_quote("\xC3"), "\"\uFFFD\"");
  EXPECT_EQ(json_quote("\xC0\xAF"), "\"\uFFFD\uFFFD\"");            // overlong
  EXPECT_EQ(json_quote("\xED\xA0\x80"), "\"\uFFFD\uFFFD\uFFFD\"");  // surrogate
}

}  // namespace
}  // namespace ipcmark
