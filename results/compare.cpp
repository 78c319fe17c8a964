#include "results/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "harness/judging.h"
#include "harness/text.h"
#include "results/floor.h"
#include "results/launches.h"
#include "results/summary.h"
#include "results/verdict.h"

namespace ipcmark {
namespace {

constexpr std::array<std::string_view, 10> case_keys{"workload", "transport", "size",  "capacity", "wait",
                                                     "access",   "placement", "touch", "limits",   "sched"};

// ---- an id's fields ----

std::optional<std::string_view> field_of(std::string_view id, std::string_view key) {
  for (const std::string_view field : split(id, '/')) {
    if (field.size() > key.size() && field.starts_with(key) && field[key.size()] == ':') {
      return field.substr(key.size() + 1);
    }
  }
  return {};
}

std::string without_field(std::string_view id, std::string_view key) {
  std::string rest;
  for (const std::string_view field : split(id, '/')) {
    if (field.starts_with(key) && field.substr(key.size()).starts_with(':')) continue;
    if (!rest.empty()) rest += '/';
    rest += field;
  }
  return rest;
}

const Parameter* further_parameter(std::string_view key) {
  const auto found = std::ranges::find(further_parameters(), key, &Parameter::key);
  return found == further_parameters().end() ? nullptr : &*found;
}

bool is_case_key(std::string_view key) {
  return std::ranges::find(case_keys, key) != case_keys.end() || further_parameter(key) != nullptr;
}

std::string case_value(std::string_view id, std::string_view key) {
  if (const auto value = field_of(id, key)) return std::string(*value);
  return further_parameter(key)->text(Case{});
}

// Sizes, numbers and durations in their order, then shares, then words in theirs.
bool comes_before(const std::string& a, const std::string& b) {
  const auto place = [](const std::string& text) {
    const auto rate = parse_rate(text);
    const auto whole = parse_bytes(text) ? parse_bytes(text) : parse_number(text);
    const auto number = whole ? whole : parse_duration_ns(text);
    if (number) return std::tuple(0, *number, text);
    return rate ? std::tuple(1, rate->value, text) : std::tuple(2, std::uint64_t{0}, text);
  };
  return place(a) < place(b);
}

// ---- what a file says of itself ----

struct FileKey {
  std::string_view name;
  std::string (*value)(const SourceFile&);
};

constexpr std::array file_keys{
    FileKey{"file", [](const SourceFile& file) { return file.path; }},
    FileKey{"machine", [](const SourceFile& file) { return file.header.machine.fingerprint; }},
    FileKey{"host", [](const SourceFile& file) { return file.header.machine.host_name; }},
    FileKey{"cpu", [](const SourceFile& file) { return file.header.machine.cpu_model; }},
    FileKey{"kernel", [](const SourceFile& file) { return file.header.machine.kernel; }},
    FileKey{"operating_system", [](const SourceFile& file) { return file.header.machine.operating_system; }},
    FileKey{"architecture", [](const SourceFile& file) { return file.header.machine.architecture; }},
    FileKey{"hypervisor", [](const SourceFile& file) { return file.header.machine.hypervisor; }},
    FileKey{"version", [](const SourceFile& file) { return file.header.version; }},
    FileKey{"build", [](const SourceFile& file) { return file.header.library_build_type; }},
    FileKey{"suite", [](const SourceFile& file) { return file.header.suite; }},
};

// Of the keys above, or the name of a setting, a limit, a mitigation, or of --benchmark_context (ours there
// are `commit`, `compiler` and `flags`).
std::optional<std::string> file_value(const SourceFile& file, std::string_view key) {
  if (const auto known = std::ranges::find(file_keys, key, &FileKey::name); known != file_keys.end()) {
    return known->value(file);
  }
  const RunHeader& header = file.header;
  for (const auto* values :
       {&header.context, &header.machine.settings, &header.machine.mitigations, &header.machine.limits}) {
    for (const std::string& name : {std::string(key), fmt::format("ipcmark_{}", key)}) {
      if (const auto entry = std::ranges::find(*values, name, &NamedValue::name); entry != values->end())
        return entry->value;
    }
  }
  return {};
}

std::string machine_in_words(const Machine& machine) {
  std::string words;
  for (const std::string& word : {machine.host_name, machine.cpu_model, machine.hypervisor, machine.kernel}) {
    if (!word.empty()) words += (words.empty() ? "" : ", ") + word;
  }
  return words;
}

// Only launches of one setup are ever taken together. A result file of another schema is not read at all.
std::string setup_of(const RunHeader& header) {
  return fmt::format("{}/{}/{}/{}", header.machine.fingerprint, header.library_build_type, header.min_time_ns,
                     header.machine.clock.source);
}

// "kernel 6.1 / 6.12, governor powersave / performance"
std::string differences(const RunHeader& a, const RunHeader& b) {
  std::vector<std::string> words;
  const auto differ = [&words](std::string_view what, const std::string& x, const std::string& y) {
    if (x != y)
      words.push_back(fmt::format("{} {} / {}", what, x.empty() ? "none" : x, y.empty() ? "none" : y));
  };
  const auto all_differ = [&](const std::vector<NamedValue>& x, const std::vector<NamedValue>& y) {
    std::set<std::string> names;
    for (const auto* values : {&x, &y}) {
      for (const NamedValue& each : *values) names.insert(each.name);
    }
    for (const std::string& name : names) {
      differ(name, std::string(find_value(x, name).value_or("")),
             std::string(find_value(y, name).value_or("")));
    }
  };
  const Machine &m = a.machine, &n = b.machine;
  differ("build", a.library_build_type, b.library_build_type);
  differ("time of a launch", format_ns(static_cast<double>(a.min_time_ns)),
         format_ns(static_cast<double>(b.min_time_ns)));
  differ("clock", m.clock.source, n.clock.source);
  if (m.fingerprint == n.fingerprint) return join(words, ", ");
  differ("architecture", m.architecture, n.architecture);
  differ("processor", m.cpu_model, n.cpu_model);
  differ("processing units", std::to_string(m.pus.size()), std::to_string(n.pus.size()));
  differ("kernel", m.kernel, n.kernel);
  differ("hypervisor", m.hypervisor, n.hypervisor);
  all_differ(m.settings, n.settings);
  all_differ(m.mitigations, n.mitigations);
  if (words.empty()) words.push_back(fmt::format("fingerprint {} / {}", m.fingerprint, n.fingerprint));
  return join(words, ", ");
}

// ---- figures ----

double figure_of(const LaunchFigures& launch, Figure figure) {
  switch (figure) {
    case Figure::p50:
      return launch.p50_ns;
    case Figure::p99:
      return launch.p99_ns;
    case Figure::p999:
      return launch.p999_ns;
    case Figure::messages_per_second:
      return 1e9 * static_cast<double>(launch.messages) / static_cast<double>(launch.span_ns);
    case Figure::cpu_per_message:
      return launch.cpu_ns_per_message;
  }
  return not_measured;
}

struct Cell {
  std::vector<const LaunchFigures*> launches;
  std::vector<const MissingFigures*> failures;
};

// Only if every launch has it, else the sample is biased; and over 0, for there to be a ratio.
std::optional<std::vector<double>> values_of(const Cell& cell, Figure figure) {
  std::vector<double> values;
  for (const LaunchFigures* launch : cell.launches) {
    values.push_back(figure_of(*launch, figure));
    if (!(values.back() > 0)) return {};
  }
  return values;
}

std::vector<double> logarithms(const std::vector<double>& values) {
  std::vector<double> logs;
  for (const double value : values) logs.push_back(std::log(value));
  return logs;
}

std::optional<std::uint64_t> whole(double value) {
  return value >= 0 ? std::optional(static_cast<std::uint64_t>(value)) : std::nullopt;
}

// The longest that one of them waited, to one of those that it can be of: a launch is judged by the longest.
void give_run_delay(std::vector<RoleReport>& roles, std::optional<std::uint64_t> longest_ns) {
  const auto alone = std::ranges::find_if(roles, [&](const RoleReport& role) {
    return !role.asked_pus.empty() && has_its_processor_alone(role, roles);
  });
  if (alone != roles.end()) alone->cost.run_delay_ns = longest_ns;
}

// What is known of a cell's launches, for those who look at whole records.
struct Records {
  Records(const LaunchTable& table, const Cell& cell)
      : launches(cell.launches.size()), failures(cell.failures.size()) {
    for (std::size_t i = 0; i < launches.size(); ++i) {
      const LaunchFigures& figures = *cell.launches[i];
      launches[i].benchmark_case = table.cases[figures.case_index];
      launches[i].round = figures.round;
      Measurement& measurement = launches[i].measurement;
      measurement.messages = figures.messages;
      measurement.span_ns = figures.span_ns;
      if (figures.cache_line_round_trip_ns > 0) {
        measurement.cache_line_round_trip_ns = figures.cache_line_round_trip_ns;
      }
      measurement.verdict.grade = figures.grade;
      if (const std::string& reason = table.texts[figures.reason]; !reason.empty())
        measurement.verdict.reasons = {reason};
      if (const std::string& of = table.texts[figures.timed]; !of.empty()) {
        Distribution& distribution = measurement.distribution.emplace();
        distribution.of = of;
        if (figures.p50_ns > 0) distribution.p50_ns = figures.p50_ns;
      }
      if (const auto roles = table.roles.find(figures.settings); roles != table.roles.end()) {
        measurement.roles = roles->second;
      }
      give_run_delay(measurement.roles, whole(figures.run_delay_ns));
      if (figures.observed_ns > 0) {
        Disturbance& found = measurement.disturbance.emplace();
        found.os_processors.resize(figures.processors);
        found.observed_ns = static_cast<std::uint64_t>(figures.observed_ns);
        found.steal_ns = whole(figures.steal_ns);
        found.quota_throttled_ns = whole(figures.quota_throttled_ns);
        if (figures.mhz > 0) found.mhz = figures.mhz;
      }
      launch_pointers.push_back(&launches[i]);
    }
    for (std::size_t i = 0; i < failures.size(); ++i) {
      failures[i] = {table.cases[cell.failures[i]->case_index], 1, table.texts[cell.failures[i]->reason]};
      failure_pointers.push_back(&failures[i]);
    }
  }

  Verdict verdict() const { return judge_case(launch_pointers, failure_pointers); }

  std::vector<LaunchRecord> launches;
  std::vector<FailureRecord> failures;
  std::vector<const LaunchRecord*> launch_pointers;
  std::vector<const FailureRecord*> failure_pointers;
};

Change change_of(const FigureComparison& figure, double corrected_p) {
  const double harm = more_is_better(figure.figure) ? 1 / figure.ratio : figure.ratio;
  const double bound = 1 + figure.bound;
  if (corrected_p < change_level && harm > bound) return Change::worse;
  if (corrected_p < change_level && harm < 1 / bound) return Change::better;
  if (figure.interval && figure.interval->low >= 1 / bound && figure.interval->high <= bound)
    return Change::same;
  return Change::inconclusive;
}

Outcome outcome_of(Change change) {
  switch (change) {
    case Change::worse:
      return Outcome::regression;
    case Change::better:
      return Outcome::improvement;
    case Change::same:
      return Outcome::same;
    case Change::inconclusive:
      break;
  }
  return Outcome::inconclusive;
}

// ---- the comparison ----

class Comparer {
 public:
  Comparer(const LaunchTable& table, const ComparisonRules& rules) : table_(table), rules_(rules) {
    const std::size_t equals = rules.by.find('=');
    result_.by = rules.by.substr(0, equals);
    if (equals != std::string::npos) base_value_ = rules.by.substr(equals + 1);
    by_case_ = !result_.by.empty() && is_case_key(result_.by);
    result_.same_case = !by_case_;
  }

  Comparison run() {
    find_setups();
    deal_out();
    find_noise();
    for (const auto& [base, now] : pairs_) compare_columns(base, now);
    correct_and_judge();
    return std::move(result_);
  }

 private:
  struct ColumnKey {
    std::uint32_t group, setup;
    friend auto operator<=>(const ColumnKey&, const ColumnKey&) = default;
  };
  using Row = std::uint32_t;
  using Place = std::pair<std::size_t, Row>;  // column and row
  static constexpr std::uint32_t base_group = 0;

  void find_setups() {
    for (const SourceFile& file : table_.files) {
      setups_.push_back(setup_names_.index_of(setup_of(file.header)));
      if (setups_.back() == examples_.size()) examples_.push_back(&file);
    }
  }

  // What each launch of the file (or, by a key of the case, of the case) belongs to.
  void find_groups() {
    const std::string& key = result_.by;
    if (by_case_) {
      std::set<std::string, decltype(&comes_before)> values(&comes_before);
      for (std::uint32_t i = 0; i < table_.cases.size(); ++i) values.insert(case_value(table_.ids[i], key));
      if (base_value_ && values.contains(*base_value_)) groups_.index_of(*base_value_);
      for (const std::string& value : values) groups_.index_of(value);
      for (std::uint32_t i = 0; i < table_.cases.size(); ++i) {
        group_of_case_.push_back(groups_.index_of(case_value(table_.ids[i], key)));
      }
    } else {
      std::vector<std::string> values;
      bool known = key.empty();
      for (const SourceFile& file : table_.files) {
        const auto value = key.empty() ? std::to_string(file.side) : file_value(file, key);
        known = known || value.has_value();
        values.push_back(value.value_or("none"));
      }
      if (!known) refuse_key();
      if (base_value_ && std::ranges::find(values, *base_value_) != values.end())
        groups_.index_of(*base_value_);
      for (const std::string& value : values) group_of_file_.push_back(groups_.index_of(value));
    }
    if (base_value_ && (groups_.size() == 0 || groups_[0] != *base_value_)) {
      std::vector<std::string> there;
      for (std::uint32_t i = 0; i < groups_.size(); ++i) there.push_back(groups_[i]);
      throw std::invalid_argument(
          fmt::format("--by: no result has {} {}; there are {}", key, *base_value_, join(there, ", ")));
    }
  }

  [[noreturn]] void refuse_key() const {
    std::vector<std::string> known(case_keys.begin(), case_keys.end());
    for (const Parameter& parameter : further_parameters()) known.emplace_back(parameter.key);
    for (const FileKey& key : file_keys) known.emplace_back(key.name);
    const RunHeader& header = table_.files.front().header;
    for (const auto* values : {&header.context, &header.machine.settings}) {
      for (const NamedValue& value : *values) known.push_back(value.name);
    }
    throw std::invalid_argument(
        fmt::format("--by: '{}' is no key of these files; allowed: {}", result_.by, join(known, ", ")));
  }

  template <class Record>
  Place place_of(const Record& record) {
    const auto [index, file] = std::pair(record.case_index, record.file_index);
    if (!by_case_) return {columns_.at({group_of_file_[file], setups_[file]}), index};
    const std::string row =
        fmt::format("{}\n{}", without_field(table_.ids[index], result_.by), setups_[file]);
    return {columns_.at({group_of_case_[index], 0}), rows_.index_of(row)};
  }

  bool holds(std::size_t column, std::size_t file) const {
    const ColumnKey key = column_keys_[column];
    return by_case_ || (group_of_file_[file] == key.group && setups_[file] == key.setup);
  }

  void make_columns() {
    const auto make = [this](ColumnKey key) {
      if (columns_.try_emplace(key, column_keys_.size()).second) column_keys_.push_back(key);
    };
    for (std::uint32_t group = 0; group < groups_.size(); ++group) {
      if (by_case_) make({group, 0});
      for (std::size_t file = 0; !by_case_ && file < table_.files.size(); ++file) {
        if (group_of_file_[file] == group) make({group, setups_[file]});
      }
    }
  }

  void deal_out() {
    find_groups();
    make_columns();
    cells_.resize(column_keys_.size());
    for (const LaunchFigures& launch : table_.launches) {
      const auto [column, row] = place_of(launch);
      cells_[column][row].launches.push_back(&launch);
    }
    for (const MissingFigures& failure : table_.failures) {
      const auto [column, row] = place_of(failure);
      cells_[column][row].failures.push_back(&failure);
    }
    for (const MissingFigures& skip : table_.skips) skips_.try_emplace(place_of(skip), &skip);
    for (std::size_t i = 0; i < column_keys_.size(); ++i) describe_column(i);
    for (std::size_t i = 0; i < column_keys_.size(); ++i) {
      if (column_keys_[i].group != base_group) pairs_.emplace_back(base_for(i), i);
    }
    note_setups();
    for (std::size_t i = 0; i < (by_case_ ? 1 : column_keys_.size()); ++i) note_mixture(i);
  }

  // The base's column of the same setup, else of the same machine, else its first.
  std::size_t base_for(std::size_t column) const {
    const auto closeness = [&](std::size_t i) {
      return column_keys_[i].setup == column_keys_[column].setup                     ? 2
             : result_.columns[i].fingerprint == result_.columns[column].fingerprint ? 1
                                                                                     : 0;
    };
    std::size_t closest = 0;  // the base's columns come first
    for (std::size_t i = 1; column_keys_[i].group == base_group; ++i) {
      if (closeness(i) > closeness(closest)) closest = i;
    }
    return closest;
  }

  void describe_column(std::size_t i) {
    const ColumnKey key = column_keys_[i];
    Column column;
    std::vector<const SourceFile*> files;
    for (std::size_t file = 0; file < table_.files.size(); ++file) {
      if (holds(i, file)) files.push_back(&table_.files[file]);
    }
    column.files = files.size();
    column.base = key.group == base_group;
    for (const auto& [row, cell] : cells_[i]) column.launches += cell.launches.size();
    const Machine& machine = files.front()->header.machine;
    if (result_.by.empty()) {
      column.label = files.size() == 1 ? files.front()->path
                                       : fmt::format("{} and {} more", files.front()->path, files.size() - 1);
    } else {
      column.label = result_.by == "machine" ? machine.host_name : groups_[key.group];
    }
    if (!by_case_ || examples_.size() == 1) {
      column.machine = machine_in_words(machine);
      column.fingerprint = machine.fingerprint;
    }
    result_.columns.push_back(std::move(column));
  }

  void note_apart(const SourceFile& one, const SourceFile& other) {
    result_.notes.push_back(fmt::format("{} and {} are kept apart: {}", one.path, other.path,
                                        differences(one.header, other.header)));
  }

  void note_setups() {
    for (std::size_t i = 1; by_case_ && i < examples_.size(); ++i) note_apart(*examples_[0], *examples_[i]);
    std::map<std::uint32_t, const SourceFile*> first_of_group;
    for (const ColumnKey key : column_keys_) {
      if (by_case_) break;
      const auto [first, is_first] = first_of_group.try_emplace(key.group, examples_[key.setup]);
      if (!is_first) note_apart(*first->second, *examples_[key.setup]);
    }
  }

  // One column, but not of one program.
  void note_mixture(std::size_t column) {
    for (const std::string_view key : {"version", "commit", "flags"}) {
      std::set<std::string> values;
      for (std::size_t file = 0; file < table_.files.size(); ++file) {
        if (holds(column, file)) values.insert(file_value(table_.files[file], key).value_or("none"));
      }
      if (values.size() <= 1) continue;
      result_.notes.push_back(
          fmt::format("{}: files of more than one {} are taken together: {}",
                      by_case_ ? "all files" : result_.columns[column].label, key,
                      join(std::vector<std::string>(values.begin(), values.end()), ", ")));
    }
  }

  // What is judged noisy or invalid is no evidence of how far runs that decide lie apart.
  void add_distances(const Cell& cell, std::array<std::vector<double>, all_figures.size()>& distances) const {
    std::map<std::uint32_t, Cell> runs;
    for (const LaunchFigures* launch : cell.launches) runs[launch->file_index].launches.push_back(launch);
    if (runs.size() < 2) return;
    for (const MissingFigures* failure : cell.failures) runs[failure->file_index].failures.push_back(failure);
    std::erase_if(runs, [this](const auto& of_file) {
      return of_file.second.launches.empty() || Records(table_, of_file.second).verdict().grade != Grade::ok;
    });
    for (const Figure figure : all_figures) {
      std::optional<double> before;
      for (const auto& [file, run] : runs) {
        const auto values = values_of(run, figure);
        if (!values) continue;
        const double middle = std::log(median(*values));
        if (before) distances[static_cast<std::size_t>(figure)].push_back(std::abs(middle - *before));
        before = middle;
      }
    }
  }

  // Runs of one setup and case against the next such run: what there is of an A/A in the base.
  void find_noise() {
    if (by_case_) return;
    std::array<std::vector<double>, all_figures.size()> distances;
    for (std::size_t column = 0; column < column_keys_.size(); ++column) {
      if (column_keys_[column].group != base_group) continue;
      for (const auto& [row, cell] : cells_[column]) add_distances(cell, distances);
    }
    for (std::size_t i = 0; i < distances.size(); ++i) {
      const std::size_t count = distances[i].size();
      if (count < ratios_for_noise) continue;
      const std::size_t rank = (95 * count + 99) / 100;  // the nearest to 95 %, rounded up, from 1
      const auto at = distances[i].begin() + static_cast<std::ptrdiff_t>(rank - 1);
      std::nth_element(distances[i].begin(), at, distances[i].end());
      result_.noise[i] = std::expm1(*at);
    }
  }

  double bound_of(Figure figure) const {
    return std::max(rules_.threshold, result_.noise[static_cast<std::size_t>(figure)].value_or(0));
  }

  // The rows of both columns, in the order of their cases.
  std::vector<Row> rows_of(std::size_t base, std::size_t now) const {
    std::map<Row, const Case*> found;
    for (const std::size_t column : {base, now}) {
      for (const auto& [row, cell] : cells_[column]) {
        found.try_emplace(row, &table_.cases[cell.launches.empty() ? cell.failures.front()->case_index
                                                                   : cell.launches.front()->case_index]);
      }
    }
    std::vector<Row> rows;
    for (const auto& [row, benchmark_case] : found) rows.push_back(row);
    std::ranges::stable_sort(rows, [&](Row a, Row b) { return *found[a] < *found[b]; });
    return rows;
  }

  const Cell* find_cell(std::size_t column, Row row) const {
    const auto found = cells_[column].find(row);
    return found == cells_[column].end() ? nullptr : &found->second;
  }

  std::string id_of(Row row) const {
    return by_case_ ? std::string(rows_[row].substr(0, rows_[row].find('\n'))) : table_.ids[row];
  }

  void compare_columns(std::size_t base, std::size_t now) {
    std::vector<Row> only_base, only_now;
    for (const Row row : rows_of(base, now)) {
      const Cell *before = find_cell(base, row), *after = find_cell(now, row);
      const bool measured_before = before != nullptr && !before->launches.empty();
      const bool measured_after = after != nullptr && !after->launches.empty();
      if (measured_before && measured_after) {
        compare_cells(row, base, now, *before, *after);
      } else if (measured_before) {
        only_base.push_back(row);
      } else if (measured_after) {
        only_now.push_back(row);
      }
    }
    for (const Row row : only_base) lonely(row, base, now, only_now);
    for (const Row row : only_now) lonely(row, now, base, only_base);
  }

  void lonely(Row row, std::size_t column, std::size_t lacking, const std::vector<Row>& of_the_other) {
    LonelyCase alone{
        .id = id_of(row), .column = column, .lacking = lacking, .failed = false, .reason = "not in it"};
    const Cell* cell = find_cell(lacking, row);
    if (cell != nullptr && !cell->failures.empty()) {
      alone.failed = true;
      alone.reason = "failed: " + table_.texts[cell->failures.front()->reason];
    } else if (const auto skip = skips_.find({lacking, row}); skip != skips_.end()) {
      alone.reason = "skipped: " + table_.texts[skip->second->reason];
    } else {
      for (const std::string_view key : {"touch", "limits"}) {
        const auto twin = std::ranges::find_if(of_the_other, [&](Row other) {
          return without_field(id_of(other), key) == without_field(alone.id, key);
        });
        if (twin == of_the_other.end()) continue;
        alone.reason = fmt::format("there it has {} {}, not {}", key, case_value(id_of(*twin), key),
                                   case_value(alone.id, key));
      }
    }
    result_.lonely.push_back(std::move(alone));
  }

  bool is_any_scheduled(const Cell& cell) const {
    return std::ranges::any_of(cell.launches, [this](const LaunchFigures* launch) {
      return is_scheduled(table_.texts[launch->timed]);
    });
  }

  // What both sides of a case were granted, where it is not one and the same.
  std::optional<std::string> settings_differ(const Cell& base, const Cell& now) const {
    std::set<std::uint32_t> settings;
    for (const Cell* cell : {&base, &now}) {
      for (const LaunchFigures* launch : cell->launches) settings.insert(launch->settings);
    }
    if (settings.size() <= 1) return {};
    const std::string &first = table_.texts[*settings.begin()], &second = table_.texts[*settings.rbegin()];
    const auto lines = split(first, '\n'), other_lines = split(second, '\n');
    for (std::size_t i = 0; i < std::max(lines.size(), other_lines.size()); ++i) {
      const std::string_view line = i < lines.size() ? lines[i] : "",
                             other = i < other_lines.size() ? other_lines[i] : "";
      if (line != other)
        return fmt::format("launches were granted different things: {} / {}", line.empty() ? "nothing" : line,
                           other.empty() ? "nothing" : other);
    }
    return "launches were granted different things";
  }

  void compare_cells(Row row, std::size_t base, std::size_t now, const Cell& before, const Cell& after) {
    CaseComparison compared;
    compared.id = id_of(row);
    compared.benchmark_case = table_.cases[before.launches.front()->case_index];
    compared.base_column = base;
    compared.column = now;
    const Records base_records(table_, before), now_records(table_, after);
    compared.base_verdict = base_records.verdict();
    compared.verdict = now_records.verdict();
    compared.base_failures = before.failures.size();
    compared.failures = after.failures.size();

    const SourceFile& base_file = table_.files[before.launches.front()->file_index];
    const SourceFile& now_file = table_.files[after.launches.front()->file_index];
    const bool same_machine = base_file.header.machine.fingerprint == now_file.header.machine.fingerprint;
    bool comparable = true;
    const auto refuse = [&](std::string reason) {
      comparable = false;
      compared.reasons.push_back(std::move(reason));
    };
    if (!same_machine) {
      refuse("not one machine in one state: " + differences(base_file.header, now_file.header));
      compared.floors = floors_of(base_records, now_records, base_file.header.machine.floors,
                                  now_file.header.machine.floors);
    } else if (const std::string differ = differences(base_file.header, now_file.header); !differ.empty()) {
      refuse("not measured alike: " + differ);
    } else if (const auto granted = by_case_ ? std::nullopt : settings_differ(before, after)) {
      refuse(*granted);
    }

    const bool scheduled = is_any_scheduled(before) || is_any_scheduled(after);
    for (const Figure figure : all_figures) {
      if (scheduled && figure == Figure::messages_per_second) continue;
      const auto x = values_of(before, figure), y = values_of(after, figure);
      if (!x || !y) continue;
      FigureComparison each;
      each.figure = figure;
      each.base = summarize(*x);
      each.now = summarize(*y);
      each.bound = bound_of(figure);
      if (same_machine) {
        const std::vector<double> log_x = logarithms(*x), log_y = logarithms(*y);
        const Estimate shift = hodges_lehmann(log_x, log_y);
        each.ratio = std::exp(shift.value);
        if (shift.interval) each.interval = {std::exp(shift.interval->low), std::exp(shift.interval->high)};
        if (comparable) each.p = mann_whitney_p(*x, *y);
      } else {
        const Estimate estimate = ratio_of_medians(*x, *y, row);
        each.ratio = estimate.value;
        each.interval = estimate.interval;
      }
      compared.figures.push_back(std::move(each));
    }
    const auto primary = std::ranges::find_if(compared.figures, [](const FigureComparison& each) {
      return each.figure == Figure::p50 || each.figure == Figure::messages_per_second;
    });
    if (primary == compared.figures.end()) {
      result_.lonely.push_back({.id = compared.id,
                                .column = base,
                                .lacking = now,
                                .on_both_sides = true,
                                .failed = false,
                                .reason = "a launch has too few samples for a p50, and the rate is that of a "
                                          "schedule"});
      return;
    }
    std::rotate(compared.figures.begin(), primary, primary + 1);
    result_.cases.push_back(std::move(compared));
  }

  static std::optional<Floor> own_floor(const Records& records, const Floors& floors) {
    const auto of_latency = latency_floor(floors, records.launch_pointers);
    return of_latency ? of_latency : throughput_floor(floors, records.launch_pointers);
  }

  static double cache_line_of(const Records& records) {
    const std::vector<double> values = cache_line_round_trips(records.launch_pointers);
    return values.empty() ? 0 : median(values);
  }

  static std::vector<FloorComparison> floors_of(const Records& before, const Records& after,
                                                const Floors& base, const Floors& now) {
    const auto own_before = own_floor(before, base), own_after = own_floor(after, now);
    std::vector<FloorComparison> floors;
    if (own_before && own_after && own_before->what == own_after->what) {
      floors.push_back({own_before->what, own_before->ns, own_after->ns});
    }
    for (const FloorComparison& floor :
         {FloorComparison{"cache-line round trip", cache_line_of(before), cache_line_of(after)},
          FloorComparison{"system call", base.system_call_ns, now.system_call_ns}}) {
      const bool told = !floors.empty() && floors.front().name == floor.name;
      if (floor.base_ns > 0 && floor.now_ns > 0 && !told) floors.push_back(floor);
    }
    return floors;
  }

  void correct_and_judge() {
    std::vector<double> primary_p, all_p;
    for (const CaseComparison& each : result_.cases) {
      for (const FigureComparison& figure : each.figures) {
        if (!figure.p) continue;
        all_p.push_back(*figure.p);
        if (&figure == &each.figures.front()) primary_p.push_back(*figure.p);
      }
    }
    const std::vector<double> corrected = holm(primary_p), shares = benjamini_hochberg(all_p);
    result_.tests = primary_p.size();
    if (result_.tests > 0)
      result_.launches_to_judge = launches_to_reach(change_level / static_cast<double>(result_.tests));
    auto next = corrected.begin();
    auto next_share = shares.begin();
    for (CaseComparison& each : result_.cases) {
      for (FigureComparison& figure : each.figures) {
        if (!figure.p) continue;
        figure.q = *next_share++;
        if (&figure == &each.figures.front()) figure.p_holm = *next++;
        figure.change = change_of(figure, figure.p_holm.value_or(*figure.q));
      }
      conclude(each);
    }
  }

  void conclude(CaseComparison& each) const {
    const FigureComparison& primary = each.figures.front();
    if (!primary.change) return;
    each.outcome = outcome_of(*primary.change);
    if (*primary.change == Change::inconclusive) need_more_launches(each);
    const std::array<std::pair<std::string_view, const Verdict*>, 2> sides{
        {{"base", &each.base_verdict}, {"new", &each.verdict}}};
    for (const auto& [side, verdict] : sides) {
      if (verdict->grade == Grade::ok) continue;
      if (!each.would_be) each.would_be = each.outcome;
      each.outcome = Outcome::undecided;
      each.reasons.push_back(
          fmt::format("{} is {}: {}", side, to_string(verdict->grade), join(verdict->reasons, ", ")));
    }
  }

  // With as many the test can speak at all; and where the interval reaches into the bound, it would be half
  // as wide as that on each side, since it narrows with the square root.
  void need_more_launches(CaseComparison& each) const {
    const FigureComparison& primary = each.figures.front();
    const std::size_t there = std::min(primary.base.launches, primary.now.launches);
    const double bound = 1 + primary.bound;
    std::size_t needed =
        result_.can_judge(primary.base.launches, primary.now.launches) ? 0 : result_.launches_to_judge;
    if (primary.interval && primary.interval->low < bound && primary.interval->high > 1 / bound) {
      const double half = std::log(primary.interval->high / primary.interval->low) / 2;
      const double wanted = std::log(bound) / 2;
      needed = std::max(needed, static_cast<std::size_t>(std::ceil(static_cast<double>(there) *
                                                                   (half / wanted) * (half / wanted))));
    }
    if (needed > there) each.launches_needed = needed;
  }

  const LaunchTable& table_;
  const ComparisonRules& rules_;
  Comparison result_;
  bool by_case_ = false;
  std::optional<std::string> base_value_;
  TextPool setup_names_, groups_, rows_;
  std::vector<std::uint32_t> setups_;        // by file
  std::vector<const SourceFile*> examples_;  // by setup
  std::vector<std::uint32_t> group_of_file_, group_of_case_;
  std::map<ColumnKey, std::size_t> columns_;
  std::vector<ColumnKey> column_keys_;
  std::vector<std::map<Row, Cell>> cells_;  // by column
  std::map<Place, const MissingFigures*> skips_;
  std::vector<std::pair<std::size_t, std::size_t>> pairs_;
};

}  // namespace

std::string_view to_string(Figure figure) {
  switch (figure) {
    case Figure::p50:
      return "p50_ns";
    case Figure::p99:
      return "p99_ns";
    case Figure::p999:
      return "p999_ns";
    case Figure::messages_per_second:
      return "messages_per_second";
    case Figure::cpu_per_message:
      return "cpu_ns_per_message";
  }
  return "?";
}

std::string_view to_string(Change change) {
  switch (change) {
    case Change::worse:
      return "worse";
    case Change::better:
      return "better";
    case Change::same:
      return "same";
    case Change::inconclusive:
      return "inconclusive";
  }
  return "?";
}

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::regression:
      return "regression";
    case Outcome::improvement:
      return "improvement";
    case Outcome::same:
      return "same";
    case Outcome::inconclusive:
      return "inconclusive";
    case Outcome::undecided:
      return "undecided";
    case Outcome::not_compared:
      return "not_compared";
  }
  return "?";
}

std::size_t Comparison::count(Outcome outcome) const {
  return static_cast<std::size_t>(std::ranges::count(cases, outcome, &CaseComparison::outcome));
}

bool Comparison::can_judge(std::size_t base_launches, std::size_t now_launches) const {
  return least_p(base_launches, now_launches) * static_cast<double>(tests) < change_level;
}

Comparison compare(const LaunchTable& table, const ComparisonRules& rules) {
  return Comparer(table, rules).run();
}

}  // namespace ipcmark
