#include "harness/command/comparison_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <span>

#include "harness/command/console.h"
#include "harness/text.h"

namespace ipcmark {
namespace {

constexpr std::size_t most_listed = 10;  // of what is only told apart; --json has all

// ---- words ----

std::string short_name(Figure figure) {
  switch (figure) {
    case Figure::p50:
      return "p50";
    case Figure::p99:
      return "p99";
    case Figure::p999:
      return "p99.9";
    case Figure::messages_per_second:
      return "messages";
    case Figure::cpu_per_message:
      return "CPU";
  }
  return "?";
}

std::string value_of(Figure figure, double value) {
  return figure == Figure::messages_per_second ? format_si(value) + "/s" : format_ns(value);
}

// +12.3 %, and beyond a factor of two the factor.
std::string change_of(double ratio) {
  return ratio > 0.5 && ratio < 2 ? fmt::format("{:+.1f} %", 100 * (ratio - 1))
                                  : fmt::format("×{:.3g}", ratio);
}

std::string interval_of(const std::optional<Interval>& interval) {
  if (!interval) return "–";
  return fmt::format("{} … {}", change_of(interval->low), change_of(interval->high));
}

std::string p_of(const std::optional<double>& p) {
  if (!p) return "–";
  constexpr double least_shown = 0.0001;
  return *p < least_shown ? fmt::format("<{}", least_shown) : fmt::format("{:.2g}", *p);
}

// Compared by a key of the case, two cases differ: neither is a step back.
std::string_view word_of(Outcome outcome, bool same_case) {
  if (!same_case && outcome == Outcome::regression) return "worse";
  if (!same_case && outcome == Outcome::improvement) return "better";
  return outcome == Outcome::not_compared ? "not compared" : to_string(outcome);
}

std::string verdict_of(const CaseComparison& each, bool same_case) {
  std::string text(word_of(each.outcome, same_case));
  if (each.would_be) text += fmt::format(" ({})", word_of(*each.would_be, same_case));
  return text;
}

std::string_view colour_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::regression:
      return "\x1b[31m";
    case Outcome::improvement:
      return "\x1b[32m";
    case Outcome::inconclusive:
    case Outcome::undecided:
      return "\x1b[33m";
    case Outcome::same:
    case Outcome::not_compared:
      break;
  }
  return "";
}

// What else moved: "p99 +10.2 % (+7.0 % … +13.1 %)". Not the rate where it moved as its round trips did.
std::string further_changes(const CaseComparison& each) {
  std::vector<std::string> words;
  for (const FigureComparison& figure : std::span(each.figures).subspan(1)) {
    const bool moved = figure.change == Change::worse || figure.change == Change::better;
    const bool said =
        figure.figure == Figure::messages_per_second && figure.change == each.figures.front().change;
    if (!moved || said) continue;
    words.push_back(fmt::format("{} {} ({})", short_name(figure.figure), change_of(figure.ratio),
                                interval_of(figure.interval)));
  }
  return join(words, ", ");
}

// In the table after the verdict.
std::string explanation_of(const CaseComparison& each) {
  std::vector<std::string> words = each.reasons;
  if (each.launches_needed && words.empty())
    words.push_back(fmt::format("about {} launches would tell", *each.launches_needed));
  return join(words, "; ");
}

// "29.3 / 21 cache-line round trips": how often the floor that the case stands on goes into its primary
// figure, on the base's machine and on the other.
std::string in_floors(const CaseComparison& each) {
  if (each.floors.empty()) return "–";
  const FloorComparison& floor = each.floors.front();
  const FigureComparison& primary = each.figures.front();
  const auto multiple = [&](double value, double floor_ns) {
    return format_si((more_is_better(primary.figure) ? 1e9 / value : value) / floor_ns);
  };
  return fmt::format("{} / {} × {}", multiple(primary.base.median, floor.base_ns),
                     multiple(primary.now.median, floor.now_ns), floor.name);
}

// The case without what the columns differ in.
Case shown_case(const Comparison& comparison, const CaseComparison& each) {
  Case shown = each.benchmark_case;
  const Case usual;
  if (comparison.by == "touch") shown.touch = usual.touch;
  if (comparison.by == "limits") shown.limits = usual.limits;
  if (comparison.by == "sched") shown.sched = usual.sched;
  for (const Parameter& parameter : further_parameters()) {
    if (parameter.key == comparison.by) parameter.parse(parameter.text(usual), shown);
  }
  return shown;
}

std::vector<std::string> shown_parameters(const Comparison& comparison, const CaseComparison& each) {
  std::vector<std::string> words = parameters_of(shown_case(comparison, each));
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (parameter_heads[i] == comparison.by) words[i].clear();
  }
  return words;
}

// ---- the table ----

std::vector<std::string> figure_cells(const CaseComparison& each, bool judged) {
  const FigureComparison& primary = each.figures.front();
  return {value_of(primary.figure, primary.base.median), value_of(primary.figure, primary.now.median),
          change_of(primary.ratio), interval_of(primary.interval),
          judged ? p_of(primary.p_holm) : in_floors(each)};
}

std::string cut(const std::string& text, std::size_t columns) {
  return columns == 0 ? text : std::string(clip(text, columns));
}

// Cases of one workload and one primary figure. Parameters that all of them share stand in the title.
class Group {
 public:
  Group(const Comparison& comparison, std::vector<const CaseComparison*> cases, bool judged)
      : comparison_(comparison), cases_(std::move(cases)), judged_(judged) {}

  std::string text(bool colour, std::size_t columns) const {
    std::vector<std::vector<std::string>> rows{heads()};
    for (const CaseComparison* each : cases_) {
      std::vector<std::string> row = shown_parameters(comparison_, *each);
      const auto cells = figure_cells(*each, judged_);
      row.insert(row.end(), cells.begin(), cells.end());
      rows.push_back(std::move(row));
    }
    std::vector<bool> shared;
    for (std::size_t i = 0; i < rows.front().size(); ++i) shared.push_back(is_shared(rows, i));
    std::string text = cut(title(rows[1], shared), columns) + '\n';
    std::vector<std::size_t> widths(rows.front().size());
    for (const auto& row : rows) {
      for (std::size_t i = 0; i < row.size(); ++i) {
        if (!shared[i]) widths[i] = std::max(widths[i], text_width(row[i]));
      }
    }
    std::size_t verdict_width = judged_ ? text_width("verdict") : 0;
    for (const CaseComparison* each : cases_) {
      if (judged_)
        verdict_width = std::max(verdict_width, text_width(verdict_of(*each, comparison_.same_case)));
    }
    for (std::size_t r = 0; r < rows.size(); ++r) {
      std::string line;
      for (std::size_t i = 0; i < widths.size(); ++i) {
        if (widths[i] == 0) continue;
        line += "  ";
        line +=
            i < parameter_heads.size() ? pad_right(rows[r][i], widths[i]) : pad_left(rows[r][i], widths[i]);
      }
      const CaseComparison* each = r == 0 ? nullptr : cases_[r - 1];
      if (judged_) text += "  " + verdict_cell(each, verdict_width, colour);
      if (const std::string why = each != nullptr && judged_ ? explanation_of(*each) : ""; !why.empty()) {
        line += "  " + why;
      }
      const std::size_t used = judged_ ? 2 + verdict_width : 0;
      text += columns == 0 ? line : std::string(clip(line, columns - std::min(columns, used)));
      text.erase(text.find_last_not_of(' ') + 1);
      text += '\n';
      if (const std::string further = each == nullptr ? "" : further_changes(*each); !further.empty())
        text += cut("      " + further, columns) + '\n';
    }
    return text;
  }

 private:
  std::vector<std::string> heads() const {
    std::vector<std::string> heads(parameter_heads.begin(), parameter_heads.end());
    heads.insert(heads.end(), {"base", "new", "change", "95 %", judged_ ? "p (Holm)" : "in floors"});
    return heads;
  }

  bool is_shared(const std::vector<std::vector<std::string>>& rows, std::size_t i) const {
    return i < parameter_heads.size() &&
           std::ranges::all_of(rows.begin() + 1, rows.end(),
                               [&](const auto& row) { return row[i] == rows[1][i]; });
  }

  std::string title(const std::vector<std::string>& row, const std::vector<bool>& shared) const {
    const CaseComparison& first = *cases_.front();
    std::string title = first.benchmark_case.workload + ", ";
    if (first.figures.front().figure == Figure::p50)
      title += first.benchmark_case.workload == "ping_pong" ? "RTT p50" : "p50";
    else
      title += "messages per second";
    for (std::size_t i = 0; i < parameter_heads.size(); ++i) {
      if (!shared[i] || row[i].empty()) continue;
      title += fmt::format(", {}{}{}", parameter_heads[i], parameter_heads[i].empty() ? "" : " ", row[i]);
    }
    return title;
  }

  // First in its line, so that no terminal is too narrow for it.
  std::string verdict_cell(const CaseComparison* each, std::size_t width, bool colour) const {
    if (each == nullptr) return pad_right("verdict", width);
    const std::string_view begin = colour ? colour_of(each->outcome) : "";
    const std::string cell = pad_right(verdict_of(*each, comparison_.same_case), width);
    return begin.empty() ? cell : fmt::format("{}{}\x1b[0m", begin, cell);
  }

  const Comparison& comparison_;
  std::vector<const CaseComparison*> cases_;
  bool judged_;
};

// Why none of them is judged, if that is one reason for all.
std::string common_refusal(const std::vector<const CaseComparison*>& cases) {
  const auto& first = cases.front()->reasons;
  const bool common = std::ranges::all_of(cases, [&](const CaseComparison* each) {
    return each->outcome == Outcome::not_compared && each->reasons == first;
  });
  return common ? join(first, "; ") : "";
}

// Cases of one pair of columns.
std::vector<std::vector<const CaseComparison*>> by_pair(const Comparison& comparison) {
  std::map<std::pair<std::size_t, std::size_t>, std::vector<const CaseComparison*>> pairs;
  for (const CaseComparison& each : comparison.cases) pairs[{each.column, each.base_column}].push_back(&each);
  std::vector<std::vector<const CaseComparison*>> lists;
  for (auto& [columns, cases] : pairs) lists.push_back(std::move(cases));
  return lists;
}

std::vector<std::vector<const CaseComparison*>> by_workload(const std::vector<const CaseComparison*>& cases) {
  std::map<std::pair<std::string, Figure>, std::vector<const CaseComparison*>> groups;
  for (const CaseComparison* each : cases) {
    groups[{each->benchmark_case.workload, each->figures.front().figure}].push_back(each);
  }
  std::vector<std::vector<const CaseComparison*>> lists;
  for (auto& [group, members] : groups) lists.push_back(std::move(members));
  return lists;
}

std::string column_text(const Comparison& comparison, std::size_t index) {
  const Column& column = comparison.columns[index];
  std::string text = column.label;
  if (!comparison.by.empty()) text = fmt::format("{} {}", comparison.by, text);
  if (comparison.same_case)
    text += fmt::format(" ({}; {} file{}, {} launches)", column.machine, column.files,
                        column.files == 1 ? "" : "s", column.launches);
  return text;
}

// "5 %", or of each figure that decides its own: "5 % (p50), 8.2 % (messages)".
std::string bounds_of(const Comparison& comparison) {
  std::map<Figure, double> bounds;
  for (const CaseComparison& each : comparison.cases) {
    const FigureComparison& primary = each.figures.front();
    if (primary.p) bounds[primary.figure] = primary.bound;
  }
  std::set<std::string> plain;
  std::vector<std::string> words;
  for (const auto& [figure, bound] : bounds) {
    plain.insert(fmt::format("{:.3g} %", 100 * bound));
    words.push_back(fmt::format("{:.3g} % ({})", 100 * bound, short_name(figure)));
  }
  return plain.size() == 1 ? *plain.begin() : join(words, ", ");
}

// What was held against what, and what stands apart from the tables.
std::vector<std::string> remarks(const Comparison& comparison) {
  std::vector<std::string> lines;
  if (comparison.tests > 0) {
    std::vector<std::string> noise;
    for (const Figure figure : all_figures) {
      if (const auto& share = comparison.noise[static_cast<std::size_t>(figure)]) {
        noise.push_back(fmt::format("{} {:.1f} %", short_name(figure), 100 * *share));
      }
    }
    lines.push_back(
        fmt::format("a change: p < {} after Holm over {} case{}, and beyond {}; A/A noise of the base: {}",
                    change_level, comparison.tests, comparison.tests == 1 ? "" : "s", bounds_of(comparison),
                    noise.empty() ? "not known, it takes several files of the base" : join(noise, ", ")));
  }
  if (std::ranges::any_of(comparison.cases, [&](const CaseComparison& each) {
        const FigureComparison& primary = each.figures.front();
        return primary.p && !comparison.can_judge(primary.base.launches, primary.now.launches);
      })) {
    lines.push_back(fmt::format("too few launches for a change: among {} case{} it takes {} on each side",
                                comparison.tests, comparison.tests == 1 ? "" : "s",
                                comparison.launches_to_judge));
  }
  if (comparison.count(Outcome::inconclusive) > 0) lines.push_back("inconclusive is not a pass");
  lines.insert(lines.end(), comparison.notes.begin(), comparison.notes.end());
  const std::size_t listed = comparison.same_case ? std::min(most_listed, comparison.lonely.size()) : 0;
  for (const LonelyCase& each : std::span(comparison.lonely).first(listed)) {
    lines.push_back(
        each.on_both_sides
            ? fmt::format("not compared: {}: {}", each.id, each.reason)
            : fmt::format("only in {}: {}: {}", comparison.columns[each.column].label, each.id, each.reason));
  }
  if (const std::size_t more = comparison.lonely.size() - listed; more > 0) {
    lines.push_back(fmt::format("{}{} case{} that only one side has figures of", listed > 0 ? "and " : "",
                                more, more == 1 ? "" : "s"));
  }
  return lines;
}

// ---- Markdown ----

std::string escaped(std::string_view text) {
  std::string safe;
  for (const char letter : text) {
    if (letter == '|' || letter == '\\' || letter == '*' || letter == '_' || letter == '`' || letter == '[')
      safe += '\\';
    if (letter == '<') {
      safe += "&lt;";
    } else {
      safe += letter == '\n' ? ' ' : letter;
    }
  }
  return safe;
}

std::string markdown_table(const Comparison& comparison, const std::vector<const CaseComparison*>& cases) {
  std::string text =
      "| case | figure | base | new | change | 95 % | p (Holm) | verdict "
      "|\n|---|---|--:|--:|--:|--:|--:|---|\n";
  for (const CaseComparison* each : cases) {
    std::vector<std::string> words{each->benchmark_case.workload};
    for (const std::string& word : shown_parameters(comparison, *each)) {
      if (!word.empty()) words.push_back(word);
    }
    const FigureComparison& primary = each->figures.front();
    std::string verdict = escaped(verdict_of(*each, comparison.same_case));
    if (each->outcome == Outcome::regression) verdict = "**" + verdict + "**";
    if (const std::string why = explanation_of(*each); !why.empty()) verdict += ": " + escaped(why);
    if (const std::string further = further_changes(*each); !further.empty())
      verdict += "; " + escaped(further);
    text += fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} |\n", escaped(join(words, " ")),
                        short_name(primary.figure), value_of(primary.figure, primary.base.median),
                        value_of(primary.figure, primary.now.median), change_of(primary.ratio),
                        interval_of(primary.interval), p_of(primary.p_holm), verdict);
  }
  return text;
}

}  // namespace

std::string comparison_summary(const Comparison& comparison) {
  std::vector<std::string> words;
  for (const Outcome outcome : all_outcomes) {
    const std::size_t count = comparison.count(outcome);
    if (count == 0) continue;
    const bool plural = count > 1 && comparison.same_case &&
                        (outcome == Outcome::regression || outcome == Outcome::improvement);
    words.push_back(fmt::format("{} {}{}", count, word_of(outcome, comparison.same_case), plural ? "s" : ""));
  }
  return fmt::format("{} case{}: {}", comparison.cases.size(), comparison.cases.size() == 1 ? "" : "s",
                     join(words, ", "));
}

std::string comparison_table(const Comparison& comparison, bool colour, std::size_t columns) {
  std::string text;
  for (const auto& cases : by_pair(comparison)) {
    text += cut("base  " + column_text(comparison, cases.front()->base_column), columns) + '\n';
    text += cut("new   " + column_text(comparison, cases.front()->column), columns) + '\n';
    const std::string refusal = common_refusal(cases);
    if (!refusal.empty()) text += cut("no verdict: " + refusal, columns) + '\n';
    for (const auto& group : by_workload(cases))
      text += '\n' + Group(comparison, group, refusal.empty()).text(colour, columns);
    text += '\n';
  }
  text += comparison_summary(comparison) + '\n';
  for (const std::string& line : remarks(comparison)) text += line + '\n';
  return text;
}

std::string comparison_markdown(const Comparison& comparison) {
  std::string text = fmt::format("**{}**\n", escaped(comparison_summary(comparison)));
  for (const auto& cases : by_pair(comparison)) {
    text += fmt::format("\nbase: {}\nnew: {}\n",
                        escaped(column_text(comparison, cases.front()->base_column)) + "<br>",
                        escaped(column_text(comparison, cases.front()->column)));
    if (const std::string refusal = common_refusal(cases); !refusal.empty())
      text += fmt::format("<br>no verdict: {}\n", escaped(refusal));
    std::vector<const CaseComparison*> changed;
    for (const CaseComparison* each : cases) {
      const Outcome outcome = each->would_be.value_or(each->outcome);
      if (outcome == Outcome::regression || outcome == Outcome::improvement) changed.push_back(each);
    }
    if (!changed.empty()) text += '\n' + markdown_table(comparison, changed);
    text += fmt::format("\n<details><summary>all {} cases</summary>\n\n{}\n</details>\n", cases.size(),
                        markdown_table(comparison, cases));
  }
  text += '\n';
  for (const std::string& line : remarks(comparison)) text += fmt::format("- {}\n", escaped(line));
  return text;
}

}  // namespace ipcmark
