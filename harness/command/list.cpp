#include "harness/command/list.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "harness/text.h"
#include "results/json_node.h"

namespace ipcmark {
namespace {

// One thing to say, for people and for programs.
struct Cell {
  std::string text;
  std::string json;

  Cell(std::string_view words) : text(words), json(json_quote(words)) {}
  Cell(const std::string& words) : Cell(std::string_view(words)) {}
  Cell(const char* words) : Cell(std::string_view(words)) {}
  Cell(std::size_t number) : text(std::to_string(number)), json(text) {}
  Cell(const std::vector<std::string>& words) : text(join(words, " ")), json("[") {
    for (const std::string& word : words) json += (json.size() == 1 ? "" : ", ") + json_quote(word);
    json += "]";
  }
  Cell(const std::vector<int>& numbers)
      : text(fmt::format("{}", fmt::join(numbers, "+"))),
        json(fmt::format("[{}]", fmt::join(numbers, ", "))) {}
  Cell(std::string people, std::string programs) : text(std::move(people)), json(std::move(programs)) {}

  static Cell none() { return {"", "null"}; }
  static Cell yes_no(bool value) { return {value ? "yes" : "no", value ? "true" : "false"}; }
  static Cell seconds(double value) { return {format_duration(value), fmt::format("{:.1f}", value)}; }
};

struct Table {
  std::vector<std::string> head;  // in JSON with '_' for blanks
  std::vector<std::vector<Cell>> rows;
};

std::string as_text(const Table& table) {
  std::vector<std::size_t> widths;
  for (const std::string& name : table.head) widths.push_back(text_width(name));
  for (const auto& row : table.rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], text_width(row[i].text));
  }
  std::string text;
  const auto add_line = [&](const auto& row, auto text_of) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += pad_right(text_of(row[i]), widths[i]) + "  ";
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  };
  add_line(table.head, [](const std::string& name) { return name; });
  for (const auto& row : table.rows) add_line(row, [](const Cell& cell) { return cell.text; });
  return text;
}

std::string as_json(const Table& table) {
  std::string text = "[";
  for (const auto& row : table.rows) {
    text += text.size() == 1 ? "\n  {" : ",\n  {";
    for (std::size_t i = 0; i < row.size(); ++i) {
      std::string key = table.head[i];
      std::replace(key.begin(), key.end(), ' ', '_');
      text += fmt::format("{}{}: {}", i == 0 ? "" : ", ", json_quote(key), row[i].json);
    }
    text += "}";
  }
  return text + "\n]\n";
}

std::vector<std::string> words_of(const WaitSet& waits) {
  std::vector<std::string> words;
  for (const Wait wait : all_waits()) {
    if (waits.contains(wait)) words.emplace_back(to_string(wait));
  }
  return words;
}

std::vector<std::string> access_of(bool copy, bool loan) {
  std::vector<std::string> words;
  for (const auto& [has, access] : {std::pair(copy, Access::copy), {loan, Access::loan}}) {
    if (has) words.emplace_back(to_string(access));
  }
  return words;
}

std::string_view word(Facts::Model model) {
  return model == Facts::Model::shared_memory ? "shared memory" : "message passing";
}
std::string_view word(Facts::Naming naming) {
  switch (naming) {
    case Facts::Naming::none:
      return "none";
    case Facts::Naming::path:
      return "path";
    case Facts::Naming::key:
      return "key";
    case Facts::Naming::address:
      break;
  }
  return "address";
}
std::string_view word(Facts::Standard standard) {
  switch (standard) {
    case Facts::Standard::posix:
      return "POSIX";
    case Facts::Standard::system_v:
      return "System V";
    case Facts::Standard::linux_only:
      return "Linux";
    case Facts::Standard::none:
      break;
  }
  return "-";
}

Table transports_table(const Workbench& workbench) {
  Table table{{"transport", "model", "naming", "keeps", "direction", "scope", "standard", "lossy",
               "send waits", "receive waits", "send access", "receive access", "summary"},
              {}};
  for (const TransportTraits& transport : workbench.transports()) {
    const Facts& facts = transport.facts;
    table.rows.push_back({transport.name, word(facts.model), word(facts.naming),
                          facts.unit == Facts::Unit::bytes ? "bytes" : "messages",
                          transport.duplex ? "duplex" : "one-way",
                          facts.scope == Facts::Scope::network ? "network" : "machine", word(facts.standard),
                          Cell::yes_no(facts.lossy), words_of(facts.send_waits),
                          words_of(facts.receive_waits), access_of(transport.copy_send, transport.loan_send),
                          access_of(transport.copy_receive, transport.loan_receive), facts.summary});
  }
  return table;
}

Table workloads_table(const Workbench& workbench) {
  Table table{{"workload", "roles", "transports"}, {}};
  for (const std::string& workload : workbench.workload_names()) {
    std::vector<std::string> transports, roles;
    for (const TransportEntry& entry : Registry::instance().transports()) {
      const WorkloadEntry* found = entry.find_workload(workload);
      if (found == nullptr) continue;
      transports.push_back(entry.traits.name);
      roles.clear();
      for (const RoleKind& role : found->roles(Case{})) roles.push_back(role.name);
    }
    table.rows.push_back({workload, Cell{join(roles, ", "), Cell(roles).json}, transports});
  }
  return table;
}

Table placements_table(const Workbench& workbench) {
  Table table{{"placement", "here", "pus", "meaning", "why not"}, {}};
  for (const PlacementClass placement_class : all_placement_classes()) {
    const std::string_view name = to_string(placement_class);
    const std::string_view meaning = describe(placement_class);
    try {
      std::vector<int> pus;
      for (const std::vector<int>& one : resolve(workbench.topology(), name, 2).role_pus) {
        pus.insert(pus.end(), one.begin(), one.end());
      }
      table.rows.push_back({name, Cell::yes_no(true), pus, meaning, Cell::none()});
    } catch (const Unsupported& reason) {
      table.rows.push_back({name, Cell::yes_no(false), std::vector<int>{}, meaning, reason.what()});
    }
  }
  return table;
}

Table suites_table(Workbench& workbench) {
  Table table{{"suite", "cases", "skipped", "launches", "estimated seconds", "description"}, {}};
  for (const Suite& suite : built_in_suites()) {
    const Plan plan = workbench.plan(suite, {}, suite.seed.value_or(1));
    table.rows.push_back({suite.name, plan.cases.size(), plan.skipped.size(), std::size_t{plan.launches},
                          Cell::seconds(estimated_seconds(plan)), suite.description});
  }
  return table;
}

Table cases_table(const Plan& plan) {
  Table table{{"case", "skipped because"}, {}};
  for (const PlannedCase& planned : plan.cases) table.rows.push_back({planned.id, Cell::none()});
  for (const SkippedCase& skipped : plan.skipped) table.rows.push_back({skipped.id, skipped.reason});
  return table;
}

// A class that this machine lacks is a skipped case in a suite, but a mistake when a person asks for it by
// name.
void check_placements(const Narrowing& narrowing, const Topology& topology) {
  constexpr unsigned roles = 2;
  for (const PlacementChoice& choice : narrowing.placements) {
    try {
      resolve(topology, to_string(choice), roles);
    } catch (const Unsupported& reason) {
      std::vector<std::string> here;
      for (const PlacementClass one : topology.classes()) here.emplace_back(to_string(one));
      throw UsageError(
          fmt::format("--{}; allowed here: {}, unpinned, or PU indexes", reason.what(), join(here, ", ")));
    } catch (const std::invalid_argument& reason) {
      throw UsageError(fmt::format("--{}", reason.what()));
    }
  }
}

Suite loaded(const std::string& name_or_file) {
  try {
    return load_suite(name_or_file);
  } catch (const FileError& error) {
    throw UsageError(fmt::format("--suite: {}", error.what()));
  }
}

}  // namespace

Suite chosen_suite(const CaseOptions& options) {
  const bool own_grid = !options.suite && !options.narrowing.empty();
  Suite suite = own_grid ? suite_of(options.narrowing) : loaded(options.suite.value_or("quick"));
  if (options.launches) suite.launches = *options.launches;
  if (options.min_time_ns) suite.min_time_ns = *options.min_time_ns;
  return suite;
}

Plan chosen_plan(const CaseOptions& options, Workbench& workbench) {
  check_placements(options.narrowing, workbench.topology());
  const Suite suite = chosen_suite(options);
  const std::uint64_t seed = options.seed ? *options.seed : suite.seed.value_or(draw_seed());
  Plan plan;
  try {
    plan = workbench.plan(suite, options.narrowing, seed);
  } catch (const std::invalid_argument& error) {
    throw UsageError(fmt::format("--placement, --transport or --suite: {}", error.what()));
  }
  if (options.filter) {
    const auto left_out = [&](const auto& one) { return !matches_filter(one.id, *options.filter); };
    std::erase_if(plan.cases, left_out);
    std::erase_if(plan.skipped, left_out);
  }
  return plan;
}

std::string list(const ListOptions& options, Workbench& workbench) {
  const auto table = [&]() -> Table {
    switch (options.what) {
      case ListOptions::What::transports:
        return transports_table(workbench);
      case ListOptions::What::workloads:
        return workloads_table(workbench);
      case ListOptions::What::placements:
        return placements_table(workbench);
      case ListOptions::What::suites:
        return suites_table(workbench);
      case ListOptions::What::cases:
        break;
    }
    return cases_table(chosen_plan(options.cases, workbench));
  }();
  return options.json ? as_json(table) : as_text(table);
}

}  // namespace ipcmark
