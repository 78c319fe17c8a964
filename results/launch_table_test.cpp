#include "results/launch_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "results/journal.h"
#include "results/json_lines.h"
#include "results/json_scanner.h"
#include "results/sample_results.h"
#include "results/summary.h"
#include "results/temporary_directory.h"

namespace ipcmark {
namespace {

using sample::document_of;
using sample::file_error_of;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

std::string journal_of(const ResultFile& results) {
  std::string text = journal_line(results.header) + '\n';
  for (const SkipRecord& skip : results.skips) text += journal_line(skip) + '\n';
  for (const LaunchRecord& launch : results.launches) text += journal_line(launch) + '\n';
  for (const FailureRecord& failure : results.failures) text += journal_line(failure) + '\n';
  return text;
}

void expect_equal(double found, const std::optional<double>& wanted) {
  if (wanted) {
    EXPECT_DOUBLE_EQ(found, *wanted);
  } else {
    EXPECT_TRUE(std::isnan(found));
  }
}

TEST(LaunchTable, HoldsWhatTheWholeReaderFinds) {
  const ResultFile results = sample::results(4);
  for (const std::string& text : {document_of(results), journal_of(results)}) {
    const ResultFile read = parse_results(text, "r.json");
    LaunchTable table;
    table.parse(text, "r.json", 3);
    ASSERT_EQ(table.files.size(), 1U);
    EXPECT_EQ(table.files[0].path, "r.json");
    EXPECT_EQ(table.files[0].side, 3U);
    EXPECT_EQ(table.files[0].header.machine.fingerprint, "f00d");
    EXPECT_EQ(table.files[0].header.machine.floors.system_call_ns, 95.5);
    ASSERT_EQ(table.launches.size(), read.launches.size());
    for (std::size_t i = 0; i < read.launches.size(); ++i) {
      const LaunchRecord& launch = read.launches[i];
      const LaunchFigures& figures = table.launches[i];
      EXPECT_EQ(table.cases[figures.case_index], launch.benchmark_case);
      EXPECT_EQ(table.ids[figures.case_index], case_id(launch.benchmark_case));
      EXPECT_EQ(figures.messages, launch.measurement.messages);
      EXPECT_EQ(figures.span_ns, launch.measurement.span_ns);
      EXPECT_EQ(figures.grade, launch.measurement.verdict.grade);
      EXPECT_EQ(table.texts[figures.reason], launch.measurement.verdict.reasons.front());
      EXPECT_DOUBLE_EQ(figures.cpu_ns_per_message, cpu_ns_per_message(launch.measurement));
      const bool round_trips = launch.benchmark_case.workload == "ping_pong";
      const Distribution none, &distribution = round_trips ? *launch.measurement.distribution : none;
      expect_equal(figures.p50_ns, distribution.p50_ns);
      expect_equal(figures.p99_ns, distribution.p99_ns);
      expect_equal(figures.p999_ns, distribution.p999_ns);
      expect_equal(figures.cache_line_round_trip_ns, round_trips ? std::optional(310.5) : std::nullopt);
    }
    ASSERT_EQ(table.failures.size(), 1U);
    EXPECT_THAT(table.texts[table.failures[0].reason], HasSubstr("killed by signal 9"));
    ASSERT_EQ(table.skips.size(), 1U);
    EXPECT_EQ(table.cases[table.skips[0].case_index], sample::skipped_queue());
  }
}

TEST(LaunchTable, SaysWhatALaunchWasGranted) {
  LaunchTable table;
  table.parse(document_of(sample::results(1)), "r.json", 0);
  EXPECT_EQ(table.texts[table.launches[0].settings],
            "capacity limit: 65536 bytes\nisolation: pid+ipc+mount namespaces\n"
            "sender 0: PUs 0, scheduler other, memory bound true, locked true\n"
            "receiver 1: PUs 1, scheduler other, memory bound true, locked true\n");
}

TEST(LaunchTable, DropsAJournalsTornLine) {
  const std::string text = journal_of(sample::results(3));
  LaunchTable table;
  table.parse(std::string_view(text).substr(0, text.rfind("\"type\":\"launch\"") + 200), "r.json.journal", 0);
  EXPECT_EQ(table.launches.size(), 5U);
}

TEST(LaunchTable, RefusesWhatTheWholeReaderRefuses) {
  using Json = nlohmann::json;
  const Json good = Json::parse(document_of(sample::results(1)));
  const auto error_after = [&good](auto change) {
    Json changed = good;
    change(changed);
    return file_error_of([&] { LaunchTable().parse(changed.dump(), "r.json", 0); });
  };
  EXPECT_EQ(error_after([](Json&) {}), "no error");
  EXPECT_THAT(error_after([](Json& j) { j.erase("ipcmark"); }), HasSubstr("is no result file of ipcmark"));
  EXPECT_THAT(error_after([](Json& j) { j["ipcmark"]["schema_version"] = 2; }),
              HasSubstr("is 2; this ipcmark reads 1"));
  EXPECT_THAT(error_after([](Json& j) { j["ipcmark"]["machine"]["floors"].erase("clock_read_ns"); }),
              HasSubstr("r.json: machine.floors: has no \"clock_read_ns\""));
  EXPECT_THAT(error_after([](Json& j) { j["benchmarks"][0]["name"] = "workload:x"; }),
              HasSubstr("r.json:1: \"workload:x\" is the id of no case"));
  EXPECT_THAT(error_after([](Json& j) { j["benchmarks"][0]["ipcmark"]["span_ns"] = 0; }),
              HasSubstr("must be over 0"));
  EXPECT_THAT(error_after([](Json& j) { j["benchmarks"][0]["ipcmark"]["verdict"]["grade"] = "fine"; }),
              HasSubstr("must be ok, noisy or invalid"));
  EXPECT_THAT(error_after([](Json& j) { j["benchmarks"][0].erase("ipcmark"); }), HasSubstr("no \"ipcmark\""));
  for (const char* key : {"round", "messages", "span_ns", "isolation", "capacity", "cache_line_round_trip_ns",
                          "roles", "verdict", "distribution"}) {
    const std::string missing = std::string("has no \"") + key + '"';
    EXPECT_THAT(error_after([&](Json& j) { j["benchmarks"][0]["ipcmark"].erase(key); }), HasSubstr(missing));
    Json changed = good;
    changed["benchmarks"][0]["ipcmark"].erase(key);
    EXPECT_THAT(file_error_of([&] { parse_results(changed.dump(), "r.json"); }), HasSubstr(missing));
  }
  for (const char* key : {"asked_pus", "granted_pus", "cost", "scheduler"}) {
    EXPECT_THAT(error_after([&](Json& j) { j["benchmarks"][0]["ipcmark"]["roles"][1].erase(key); }),
                HasSubstr(std::string("has no \"") + key + '"'));
  }
  EXPECT_THAT(error_after([](Json& j) { j["benchmarks"][0]["ipcmark"]["verdict"].erase("grade"); }),
              HasSubstr("has no \"grade\""));
  EXPECT_THAT(error_after([](Json& j) { j = Json::array(); }), HasSubstr("must be an object"));
}

TEST(LaunchTable, TellsTheLineOfWhatIsWrong) {
  const std::string text = document_of(sample::results(2));
  const std::string torn = text.substr(0, text.find("\"span_ns\""));
  EXPECT_THAT(file_error_of([&] { LaunchTable().parse(torn, "r.json", 0); }),
              HasSubstr(":" + std::to_string(1 + std::ranges::count(torn, '\n')) + ": not valid JSON"));
  EXPECT_THAT(file_error_of([] { LaunchTable().read("/nowhere/r.json", 0); }),
              StartsWith("/nowhere/r.json: cannot be read"));
}

TEST(ResultFilesAt, AreThoseOfAFolderAndAJournalInThePlaceOfItsFile) {
  const TemporaryDirectory folder;
  EXPECT_THAT(file_error_of([&] { result_files_at(folder / ""); }), HasSubstr("has no result file"));
  for (const char* name : {"b.json", "a.json", "a.json.journal", "notes.txt"})
    std::ofstream(folder / name) << "";
  const auto files = result_files_at(folder / "");
  ASSERT_EQ(files.size(), 2U);
  EXPECT_THAT(files[0], EndsWith("/a.json.journal"));
  EXPECT_THAT(files[1], EndsWith("/b.json"));
  EXPECT_EQ(result_files_at("one.json"), std::vector<std::string>{"one.json"});
}

// ---- the scanner ----

bool scanner_takes(const std::string& text) {
  return file_error_of([&] {
           JsonScanner json(text, "f");
           json.skip();
           json.end();
         }) == "no error";
}

// Every text one letter away, or cut off.
std::vector<std::string> texts_beside(const std::string& sample, std::string_view letters) {
  std::vector<std::string> changed;
  for (std::size_t i = 0; i < sample.size(); ++i) {
    changed.push_back(sample.substr(0, i));
    changed.push_back(sample.substr(0, i) + sample.substr(i + 1));
    for (const char letter : letters) {
      changed.push_back(sample);
      changed.back()[i] = letter;
    }
  }
  return changed;
}

TEST(JsonScanner, TakesWhatJsonIsAndNothingElse) {
  const std::string sample =
      R"({"a": [1, -0.5e+3, 1E9, 0, -0], "b": {"c": null, "d": [true, false, {}, []]}, "g": "f"})";
  ASSERT_TRUE(scanner_takes(sample));
  std::size_t refused = 0;
  for (const std::string& text : texts_beside(sample, "{}[],:\"0.-e \n")) {
    EXPECT_EQ(scanner_takes(text), nlohmann::json::accept(text)) << text;
    refused += !scanner_takes(text);
  }
  EXPECT_GT(refused, 500U);
}

// They are looked into only where a text is wanted.
TEST(JsonScanner, PassesOverEscapesWhateverTheyAre) {
  const std::string sample = R"({"e\"": "\u00e9\\", "f": ["\n"]})";
  ASSERT_TRUE(scanner_takes(sample));
  ASSERT_TRUE(scanner_takes(R"("\x")"));
  std::size_t refused = 0;
  for (const std::string& text : texts_beside(sample, "{}[],:\"\\0.-e \n")) {
    EXPECT_TRUE(scanner_takes(text) || !nlohmann::json::accept(text)) << text;
    refused += !scanner_takes(text);
  }
  EXPECT_GT(refused, 100U);
}

TEST(JsonScanner, RefusesAKeyTwiceAndDeepNests) {
  EXPECT_THAT(file_error_of([] { JsonScanner(R"({"a": {"b": 1, "c": 2, "b": 3}})", "f").skip(); }),
              HasSubstr("f:1: has \"b\" twice"));
  EXPECT_FALSE(scanner_takes(std::string(65, '[') + std::string(65, ']')));
  EXPECT_TRUE(scanner_takes(std::string(64, '[') + std::string(64, ']')));
}

TEST(JsonScanner, ReadsNumbersAndTexts) {
  JsonScanner json(R"([18446744073709551615, -2.5e-3, "a\u00e9\n", null, 3])", "f");
  json.array([&, place = 0]() mutable {
    switch (place++) {
      case 0:
        EXPECT_EQ(json.whole_number(), 18446744073709551615U);
        break;
      case 1:
        EXPECT_EQ(json.number(), -2.5e-3);
        break;
      case 2:
        EXPECT_EQ(json.text(), "aé\n");
        break;
      case 3:
        EXPECT_TRUE(json.take_null());
        break;
      default:
        EXPECT_FALSE(json.take_null());
        EXPECT_EQ(json.raw(), "3");
    }
  });
  json.end();
  EXPECT_THAT(file_error_of([] { JsonScanner("1.5", "f").whole_number(); }), HasSubstr("whole number"));
  EXPECT_THAT(file_error_of([] { JsonScanner("18446744073709551616", "f").whole_number(); }),
              HasSubstr("whole number"));
  EXPECT_THAT(file_error_of([] { JsonScanner("1e999", "f").number(); }), HasSubstr("range"));
  EXPECT_THAT(file_error_of([] { JsonScanner("true", "f").text(); }), HasSubstr("must be a string"));
}

}  // namespace
}  // namespace ipcmark
