#include "results/result_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <system_error>

#include "results/journal.h"
#include "results/sample_results.h"
#include "results/statistics.h"
#include "results/temporary_directory.h"

namespace ipcmark {
namespace {

using sample::document_of;
using testing::HasSubstr;
using testing::StartsWith;
using Json = nlohmann::ordered_json;

std::string error_of_reading(const std::string& path) {
  try {
    read_results(path);
  } catch (const FileError& error) {
    return error.what();
  }
  return "no error";
}

TEST(ResultFile, ReadsBackAllItWrote) {
  const TemporaryDirectory directory;
  const std::string path = directory / "results.json";
  const ResultFile written = sample::results(7);
  write_results(path, written);
  const ResultFile read = read_results(path);
  EXPECT_EQ(document_of(read), document_of(written));
  EXPECT_EQ(read.header.seed, written.header.seed);
  EXPECT_EQ(read.launches.size(), 14U);
  EXPECT_EQ(read.launches[1].capacity.limit->source, "ring slots") << "the limit that the roles read back";
  EXPECT_EQ(read.header.context.size(), 1U);
  ASSERT_EQ(read.header.transports.size(), 2U);
  EXPECT_EQ(read.header.transports[0].transport, "pipe");
  EXPECT_EQ(read.header.transports[0].facts.size(), 2U);
}

TEST(ResultFile, KeepsOneLaunchALineWithItsHistogramLast) {
  std::istringstream lines(document_of(sample::results(7)));
  unsigned launches = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.find("\"run_type\"") == line.npos) continue;
    ++launches;
    const auto record = Json::parse(line.back() == ',' ? line.substr(0, line.size() - 1) : line);
    const Json& own = record.at("ipcmark");
    EXPECT_EQ(std::prev(own.end()).key(), "distribution");
    if (!own.at("distribution").is_null()) {
      EXPECT_EQ(std::prev(own.at("distribution").end()).key(), "histogram");
    }
  }
  EXPECT_EQ(launches, 14U);
}

TEST(ResultFile, CountsRepetitionsPerCaseForGoogleBenchmark) {
  const auto records = Json::parse(document_of(sample::results(3))).at("benchmarks");
  ASSERT_EQ(records.size(), 6U);
  EXPECT_EQ(records[5]["family_index"], 1);
  EXPECT_EQ(records[5]["repetition_index"], 2);
  EXPECT_EQ(records[5]["repetitions"], 3);
  EXPECT_EQ(records[4]["family_index"], 0);
  EXPECT_EQ(records[4]["name"], case_id(sample::ping_pong_over_pipe()));
}

TEST(ResultFile, SaysThatAnInterruptedRunIsIncomplete) {
  ResultFile results = sample::results(1);
  results.launches.clear();
  results.complete = false;
  results.interrupted = true;
  const auto run = Json::parse(document_of(results)).at("ipcmark").at("run");
  EXPECT_EQ(run.at("complete"), false);
  EXPECT_EQ(run.at("interrupted"), true);
  EXPECT_EQ(run.at("timed_s"), 0);
}

TEST(ResultFile, NeverHoldsAFigureThatIsNotFinite) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  constexpr double infinity = std::numeric_limits<double>::infinity();
  ResultFile results = sample::results(1);
  results.launches[0].measurement.distribution->mean_ns = nan;
  EXPECT_THROW(document_of(results), std::domain_error);
  results = sample::results(1);
  results.header.load_avg[0] = infinity;
  EXPECT_THROW(document_of(results), std::domain_error);
  results = sample::results(1);
  results.launches[0].measurement.span_ns = 0;
  EXPECT_THROW(document_of(results), std::domain_error);
  results = sample::results(1);
  results.launches[0].measurement.messages = 0;
  EXPECT_THROW(document_of(results), std::domain_error);
}

TEST(ResultFile, RefusesAContextKeyThatGoogleBenchmarkOwns) {
  ResultFile results = sample::results(1);
  results.header.context = {{"date", "yesterday"}};
  EXPECT_THROW(document_of(results), std::domain_error);
}

TEST(ResultFile, SurvivesTextThatIsNotUtf8) {
  ResultFile results = sample::results(1);
  results.header.command_line.push_back("\xff.json");
  EXPECT_EQ(Json::parse(document_of(results))["ipcmark"]["run"]["command_line"].back(), "\xef\xbf\xbd.json");
}

TEST(ResultFile, LeavesTheOldFileAndNothingElseWhenItCannotBeWritten) {
  const TemporaryDirectory directory;
  const std::string path = directory / "results.json";
  overwrite(path, "old");
  ResultFile results = sample::results(1);
  results.wall_s = std::numeric_limits<double>::infinity();
  EXPECT_THROW(write_results(path, results), std::domain_error);
  EXPECT_EQ(contents(path), "old");
  EXPECT_EQ(directory.entries(), 1U);
  EXPECT_THROW(write_results(directory / "missing/results.json", sample::results(1)), std::system_error);
}

TEST(ResultFile, ReplacesOnlyRegularFiles) {
  const TemporaryDirectory directory;
  const std::string path = directory / "taken";  // as /dev/null would be
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_THROW(write_results(path, sample::results(1)), std::system_error);
  EXPECT_TRUE(std::filesystem::is_fifo(path));
  EXPECT_EQ(directory.entries(), 1U);
}

TEST(ReadingResults, NamesFileLineAndColumnOfBrokenJson) {
  const TemporaryDirectory directory;
  const std::string path = directory / "broken.json";
  overwrite(path, "{\n  \"context\": {,}\n}\n");
  EXPECT_THAT(error_of_reading(path), StartsWith(path + ":2:15: not valid JSON: "));
  overwrite(path, "");
  EXPECT_THAT(error_of_reading(path), StartsWith(path + ":1:1: not valid JSON: "));
  EXPECT_THAT(error_of_reading(directory / "none"), HasSubstr("cannot be read: No such file"));
  EXPECT_THAT(error_of_reading(directory / ""), HasSubstr("cannot be read: Is a directory"));
}

TEST(ReadingResults, NamesThePlaceOfAWrongValue) {
  const TemporaryDirectory directory;
  const std::string path = directory / "wrong.json";
  const auto error_after = [&](auto change) {
    Json json = Json::parse(document_of(sample::results(1)));
    change(json);
    overwrite(path, json.dump());
    return error_of_reading(path);
  };
  EXPECT_EQ(error_after([](Json& j) { j["benchmarks"][1]["ipcmark"].erase("span_ns"); }),
            path + ": benchmarks[1].ipcmark: has no \"span_ns\"");
  EXPECT_EQ(error_after([](Json& j) { j["benchmarks"][0]["ipcmark"]["span_ns"] = -5; }),
            path + ": benchmarks[0].ipcmark.span_ns: must be a whole number from 0, not -5");
  EXPECT_EQ(error_after([](Json& j) { j["benchmarks"][0]["ipcmark"]["messages"] = 0; }),
            path + ": benchmarks[0].ipcmark.messages: must be over 0");
  EXPECT_EQ(error_after([](Json& j) { j["benchmarks"][0]["ipcmark"]["case"]["touch"] = "some"; }),
            path + ": benchmarks[0].ipcmark.case.touch: must be full or header, not \"some\"");
  EXPECT_THAT(
      error_after([](Json& j) { j["benchmarks"][0]["ipcmark"]["distribution"]["histogram"] = "h1;9"; }),
      HasSubstr("distribution.histogram: is no histogram"));
  EXPECT_THAT(error_after([](Json& j) { j["benchmarks"][0]["ipcmark"]["distribution"]["count"] = 3; }),
              HasSubstr("holds 20000 samples, count says 3"));
  EXPECT_EQ(error_after([](Json& j) { j["ipcmark"]["schema_version"] = 2; }),
            path + ": ipcmark.schema_version: is 2; this ipcmark reads 1");
  EXPECT_THAT(error_after([](Json& j) { j.erase("ipcmark"); }), HasSubstr("is no result file of ipcmark"));
  EXPECT_THAT(error_after([](Json& j) { j = Json::array(); }), HasSubstr("must be an object, not []"));
}

// For the readers in other languages: with IPCMARK_SAMPLE_DIRECTORY set, the files stay there.
TEST(ResultFile, GivesOtherReadersSamples) {
  const TemporaryDirectory temporary;
  const char* wanted = std::getenv("IPCMARK_SAMPLE_DIRECTORY");
  const std::filesystem::path directory = wanted ? wanted : temporary / "";
  write_results(directory / "base.json", sample::results(10, 1.0, 1));
  write_results(directory / "slower.json", sample::results(10, 1.5, 2));
  ResultFile interrupted = sample::results(2);
  interrupted.complete = false;
  interrupted.interrupted = true;
  write_results(directory / "interrupted.json", interrupted);

  const ResultFile held = sample::results(2);
  Journal journal(directory / "unfinished.json", held.header, false);
  for (const auto& skip : held.skips) journal.append(skip);
  for (const auto& launch : held.launches) journal.append(launch);
  for (const auto& failure : held.failures) journal.append(failure);

  Json statistics = Json::array();
  std::mt19937_64 random(3);
  std::lognormal_distribution<double> figure(5, 1);
  for (const std::size_t n : {1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 20, 31, 60, 101, 500}) {
    std::vector<double> values(n);
    for (double& value : values) value = figure(random);
    const Statistic statistic = summarize(values);
    statistics.push_back({{"values", values},
                          {"median", statistic.median},
                          {"low", statistic.interval ? Json(statistic.interval->low) : Json()},
                          {"high", statistic.interval ? Json(statistic.interval->high) : Json()},
                          {"quartile_spread", quartile_spread(values)}});
  }
  overwrite(directory / "statistics.json", statistics.dump());
  for (const char* name : {"base.json", "slower.json", "interrupted.json", "unfinished.json.journal"}) {
    EXPECT_FALSE(read_results(directory / name).launches.empty()) << name;
  }
}

}  // namespace
}  // namespace ipcmark
