#include "harness/command/list.h"

#include <fmt/format.h>

#include <algorithm>
#include <regex>

#include "harness/text.h"

namespace ipcmark {
namespace {

using Table = std::vector<std::vector<std::string>>;  // the first row is the head

std::string as_text(const Table& table) {
  std::vector<std::size_t> widths(table.front().size());
  for (const auto& row : table) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], text_width(row[i]));
  }
  std::string text;
  for (const auto& row : table) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += pad_right(row[i], widths[i]) + "  ";
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

std::string as_json(const Table& table) {
  std::string text = "[";
  for (std::size_t r = 1; r < table.size(); ++r) {
    text += r == 1 ? "\n  {" : ",\n  {";
    for (std::size_t i = 0; i < table[r].size(); ++i) {
      text +=
          fmt::format("{}{}: {}", i == 0 ? "" : ", ", json_quote(table.front()[i]), json_quote(table[r][i]));
    }
    text += "}";
  }
  return text + "\n]\n";
}

std::string words_of(const WaitSet& waits) {
  std::vector<std::string> words;
  for (const Wait wait : all_waits()) {
    if (waits.contains(wait)) words.emplace_back(to_string(wait));
  }
  return join(words, " ");
}

std::string access_of(bool copy, bool loan) { return copy && loan ? "copy loan" : copy ? "copy" : "loan"; }

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
  Table table{{"transport", "model", "naming", "keeps", "direction", "scope", "standard", "send waits",
               "receive waits", "send access", "receive access", "summary"}};
  for (const TransportTraits& transport : workbench.transports()) {
    const Facts& facts = transport.facts;
    table.push_back({transport.name, std::string(word(facts.model)), std::string(word(facts.naming)),
                     facts.unit == Facts::Unit::bytes ? "bytes" : "messages",
                     transport.duplex ? "duplex" : "one-way",
                     facts.scope == Facts::Scope::network ? "network" : "machine",
                     std::string(word(facts.standard)), words_of(facts.send_waits),
                     words_of(facts.receive_waits), access_of(transport.copy_send, transport.loan_send),
                     access_of(transport.copy_receive, transport.loan_receive), std::string(facts.summary)});
  }
  return table;
}

Table workloads_table(const Workbench& workbench) {
  Table table{{"workload", "roles", "transports"}};
  for (const std::string& workload : workbench.workload_names()) {
    std::vector<std::string> transports;
    std::string roles;
    for (const TransportEntry& entry : Registry::instance().transports()) {
      const WorkloadEntry* found = entry.find_workload(workload);
      if (found == nullptr) continue;
      transports.push_back(entry.traits.name);
      roles = join(std::vector<std::string>(found->role_names.begin(), found->role_names.end()), ", ");
    }
    table.push_back({workload, roles, join(transports, " ")});
  }
  return table;
}

Table placements_table(const Workbench& workbench) {
  Table table{{"placement", "here", "meaning"}};
  for (const PlacementClass placement_class : all_placement_classes()) {
    std::string here;
    try {
      const Placement placed = resolve(workbench.topology(), to_string(placement_class), 2);
      for (const std::vector<int>& pus : placed.role_pus) {
        if (!pus.empty()) here += (here.empty() ? "PU " : "+") + std::to_string(pus.front());
      }
      if (here.empty()) here = "yes";
    } catch (const Unsupported& reason) {
      here = fmt::format("no: {}", reason.what());
    }
    table.push_back({std::string(to_string(placement_class)), here, std::string(describe(placement_class))});
  }
  return table;
}

Table suites_table(Workbench& workbench) {
  Table table{{"suite", "cases", "skipped", "launches", "estimated", "description"}};
  for (const Suite& suite : built_in_suites()) {
    const Plan plan = workbench.plan(suite, {}, suite.seed.value_or(1));
    table.push_back({suite.name, std::to_string(plan.cases.size()), std::to_string(plan.skipped.size()),
                     std::to_string(plan.launches), format_duration(estimated_seconds(plan)),
                     suite.description});
  }
  return table;
}

Table cases_table(const Plan& plan) {
  Table table{{"case", "skipped because"}};
  for (const PlannedCase& planned : plan.cases) table.push_back({planned.id, ""});
  for (const SkippedCase& skipped : plan.skipped) table.push_back({skipped.id, skipped.reason});
  return table;
}

}  // namespace

Suite chosen_suite(const CaseOptions& options) {
  const bool own_grid = !options.suite && !options.narrowing.empty();
  Suite suite = own_grid ? suite_of(options.narrowing) : load_suite(options.suite.value_or("quick"));
  if (options.launches) suite.launches = *options.launches;
  if (options.min_time_ns) suite.min_time_ns = *options.min_time_ns;
  return suite;
}

Plan chosen_plan(const CaseOptions& options, Workbench& workbench) {
  const Suite suite = chosen_suite(options);
  const std::uint64_t seed = options.seed ? *options.seed : suite.seed.value_or(draw_seed());
  Plan plan;
  try {
    plan = workbench.plan(suite, options.narrowing, seed);
  } catch (const std::invalid_argument& error) {
    throw UsageError(error.what());
  }
  if (options.filter) {
    const std::regex filter(*options.filter);
    std::erase_if(plan.cases,
                  [&](const PlannedCase& planned) { return !std::regex_search(planned.id, filter); });
    std::erase_if(plan.skipped,
                  [&](const SkippedCase& skipped) { return !std::regex_search(skipped.id, filter); });
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
