#include <nlohmann/json.hpp>

#include "results/compare.h"

namespace ipcmark {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json or_null(const std::optional<Interval>& interval) {
  return interval ? Json{{"low", interval->low}, {"high", interval->high}} : Json();
}

Json encode(const Verdict& verdict) {
  return {{"grade", to_string(verdict.grade)}, {"reasons", verdict.reasons}};
}

// As in a result file's summary.
Json encode(const Statistic& statistic) {
  const auto& interval = statistic.interval;
  return {{"median", statistic.median},
          {"low", interval ? Json(interval->low) : Json()},
          {"high", interval ? Json(interval->high) : Json()},
          {"min", statistic.min},
          {"max", statistic.max},
          {"launches", statistic.launches}};
}

Json encode(const FigureComparison& figure) {
  return {{"figure", to_string(figure.figure)},
          {"base", encode(figure.base)},
          {"new", encode(figure.now)},
          {"ratio", figure.ratio},
          {"interval", or_null(figure.interval)},
          {"bound", figure.bound},
          {"p", or_null(figure.p)},
          {"p_holm", or_null(figure.p_holm)},
          {"q", or_null(figure.q)},
          {"change", figure.change ? Json(to_string(*figure.change)) : Json()}};
}

Json encode(const CaseComparison& compared) {
  Json figures = Json::array(), floors = Json::array();
  for (const FigureComparison& figure : compared.figures) figures.push_back(encode(figure));
  for (const FloorComparison& floor : compared.floors) {
    floors.push_back({{"name", floor.name}, {"base_ns", floor.base_ns}, {"new_ns", floor.now_ns}});
  }
  return {{"id", compared.id},
          {"base_column", compared.base_column},
          {"column", compared.column},
          {"outcome", to_string(compared.outcome)},
          {"would_be", compared.would_be ? Json(to_string(*compared.would_be)) : Json()},
          {"reasons", compared.reasons},
          {"launches_needed", or_null(compared.launches_needed)},
          {"base_verdict", encode(compared.base_verdict)},
          {"verdict", encode(compared.verdict)},
          {"base_failures", compared.base_failures},
          {"failures", compared.failures},
          {"figures", figures},
          {"floors", floors}};
}

}  // namespace

std::string to_json(const Comparison& comparison) {
  Json columns = Json::array(), cases = Json::array(), lonely = Json::array();
  for (const Column& column : comparison.columns) {
    columns.push_back({{"label", column.label},
                       {"machine", column.machine},
                       {"fingerprint", column.fingerprint},
                       {"base", column.base},
                       {"files", column.files},
                       {"launches", column.launches}});
  }
  for (const CaseComparison& each : comparison.cases) cases.push_back(encode(each));
  for (const LonelyCase& each : comparison.lonely) {
    lonely.push_back({{"id", each.id},
                      {"column", each.column},
                      {"lacking", each.lacking},
                      {"on_both_sides", each.on_both_sides},
                      {"failed", each.failed},
                      {"reason", each.reason}});
  }
  Json noise = Json::object(), outcomes = Json::object();
  for (const Figure figure : all_figures) {
    noise[to_string(figure)] = or_null(comparison.noise[static_cast<std::size_t>(figure)]);
  }
  for (const Outcome outcome : all_outcomes) outcomes[to_string(outcome)] = comparison.count(outcome);
  const Json document{{"by", comparison.by.empty() ? Json() : Json(comparison.by)},
                      {"columns", columns},
                      {"tests", comparison.tests},
                      {"launches_to_judge", comparison.launches_to_judge},
                      {"outcomes", outcomes},
                      {"noise", noise},
                      {"notes", comparison.notes},
                      {"cases", cases},
                      {"lonely", lonely}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace ipcmark
