#include "harness/command/list.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "harness/command/console.h"
#include "harness/shell_command.h"
#include "harness/text.h"
#include "results/json_node.h"
#include "results/precision.h"

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

// Broken at blanks to lines of at most `width` columns; a longer word has a line of its own.
std::vector<std::string> wrapped(std::string_view text, std::size_t width) {
  std::vector<std::string> lines{""};
  for (const std::string_view word : split(text, ' ')) {
    std::string& line = lines.back();
    if (!line.empty() && text_width(line) + 1 + text_width(word) > width) {
      lines.emplace_back(word);
    } else {
      line += (line.empty() ? "" : " ") + std::string(word);
    }
  }
  return lines;
}

// A wide table as several, one below the other, each of at most `columns` columns and led by the first
// column. Heads are as wide as what stands below them, and wrapped.
std::string as_blocks(const Table& table, std::size_t columns) {
  std::vector<std::size_t> widths;
  for (const std::string& name : table.head) {
    widths.push_back(0);
    for (const std::string_view word : split(name, ' ')) {
      widths.back() = std::max(widths.back(), text_width(word));
    }
  }
  for (const auto& row : table.rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], text_width(row[i].text));
  }
  // So that in 80 columns something fits beside a long cell.
  constexpr std::size_t gap = 2, widest = 54;
  for (std::size_t& width : widths) width = std::min(width, widest);
  std::string text;
  for (std::size_t first = 1, end; first < widths.size(); first = end) {
    std::size_t used = widths[0] + gap + widths[first];
    for (end = first + 1; end < widths.size() && used + gap + widths[end] <= columns; ++end) {
      used += gap + widths[end];
    }
    if (used > columns) widths[first] -= std::min(widths[first] - 1, used - columns);  // one column, too wide
    const auto add = [&](auto text_of, bool at_the_bottom) {
      std::vector<std::vector<std::string>> cells;
      std::size_t height = 0;
      for (std::size_t i = 0; i < end; i = i == 0 ? first : i + 1) {
        cells.push_back(wrapped(text_of(i), widths[i]));
        height = std::max(height, cells.back().size());
      }
      for (std::size_t line = 0; line < height; ++line) {
        std::string joined;
        for (std::size_t cell = 0; cell < cells.size(); ++cell) {
          const std::size_t above = at_the_bottom ? height - cells[cell].size() : 0;
          const bool there = line >= above && line - above < cells[cell].size();
          joined +=
              pad_right(there ? cells[cell][line - above] : "", widths[cell == 0 ? 0 : first + cell - 1]);
          joined.append(gap, ' ');
        }
        text += joined.substr(0, joined.find_last_not_of(' ') + 1) + "\n";
      }
    };
    if (first > 1) text += "\n";
    add([&](std::size_t i) { return table.head[i]; }, true);
    for (const auto& row : table.rows) add([&](std::size_t i) { return row[i].text; }, false);
  }
  return text;
}

// `further`: objects of other keys.
std::string as_json(const Table& table, const std::vector<std::string>& further = {}) {
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
  for (const std::string& row : further) text += (text.size() == 1 ? "\n  " : ",\n  ") + row;
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

std::string_view word(Facts::Addressing addressing) {
  switch (addressing) {
    case Facts::Addressing::symmetric:
      return "symmetric";
    case Facts::Addressing::asymmetric:
      return "asymmetric";
    case Facts::Addressing::mailbox:
      break;
  }
  return "mailbox";
}
std::string_view word(Facts::Outlives outlives) {
  switch (outlives) {
    case Facts::Outlives::nothing:
      return "nothing";
    case Facts::Outlives::object:
      return "object";
    case Facts::Outlives::messages:
      break;
  }
  return "messages";
}
std::string_view word(Facts::Rights rights) {
  switch (rights) {
    case Facts::Rights::none:
      return "none";
    case Facts::Rights::together:
      return "together";
    case Facts::Rights::apart:
      return "apart";
    case Facts::Rights::sending:
      break;
  }
  return "sending";
}
std::string_view word(Facts::Interception interception) {
  switch (interception) {
    case Facts::Interception::none:
      return "nothing";
    case Facts::Interception::copy:
      return "copy";
    case Facts::Interception::take:
      break;
  }
  return "take";
}

Cell how_many(unsigned most) {
  return most == Facts::any_number ? Cell{"any", "null"} : Cell(std::size_t{most});
}
Cell size_or(std::string_view without, const std::optional<std::uint64_t>& bytes) {
  return bytes ? Cell{format_bytes(*bytes), std::to_string(*bytes)} : Cell{std::string(without), "null"};
}

Table transports_table(std::span<const TransportTraits> transports) {
  Table table{{"transport",
               "summary",
               "model",
               "naming",
               "opened by",
               "addressing",
               "establishment",
               "open is rendezvous",
               "direction",
               "one buffer both ways",
               "most senders",
               "most receivers",
               "links per pair",
               "keeps",
               "largest message",
               "bounded by",
               "largest shared message",
               "never full",
               "lossy",
               "sender sees death",
               "receiver sees death",
               "surplus writer withholds end",
               "outlives its makers",
               "rights",
               "third process can",
               "sealed",
               "scope",
               "standard",
               "send access",
               "receive access",
               "send waits",
               "receive waits"},
              {}};
  for (const TransportTraits& transport : transports) {
    const Facts& facts = transport.facts;
    const bool shared = facts.most_senders > 1 || facts.most_receivers > 1;
    const bool handshake = facts.establishment == Facts::Establishment::explicit_link;
    table.rows.push_back({transport.name,
                          facts.summary,
                          word(facts.model),
                          word(facts.naming),
                          facts.opened_by_strangers() ? "strangers" : "relatives",
                          word(facts.addressing),
                          handshake ? "explicit" : "implicit",
                          Cell::yes_no(facts.open_is_rendezvous),
                          transport.duplex ? "duplex" : "one-way",
                          Cell::yes_no(facts.one_buffer_both_ways),
                          how_many(facts.most_senders),
                          how_many(facts.most_receivers),
                          how_many(facts.most_links_per_pair),
                          facts.unit == Facts::Unit::bytes ? "bytes" : "messages",
                          size_or("any", facts.largest_message),
                          facts.message_setting.empty() ? Cell{"-", "null"} : Cell(facts.message_setting),
                          size_or(shared ? "any" : "-", facts.largest_shared_message),
                          Cell::yes_no(facts.never_full),
                          Cell::yes_no(facts.lossy),
                          Cell::yes_no(facts.sender_sees_death),
                          Cell::yes_no(facts.receiver_sees_death),
                          Cell::yes_no(facts.surplus_writer_withholds_end),
                          word(facts.outlives_its_makers),
                          word(facts.rights),
                          word(facts.third_process_can),
                          Cell::yes_no(facts.sealed),
                          facts.scope == Facts::Scope::network ? "network" : "machine",
                          word(facts.standard),
                          access_of(transport.copy_send, transport.loan_send),
                          access_of(transport.copy_receive, transport.loan_receive),
                          words_of(facts.send_waits),
                          words_of(facts.receive_waits)});
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
  for (const SkippedCase& left_out : plan.left_out) table.rows.push_back({left_out.id, left_out.reason});
  return table;
}

// 94231 -> 94,231
std::string grouped(std::size_t number) {
  std::string text = std::to_string(number);
  for (std::size_t end = text.size(); end > 3; end -= 3) text.insert(end - 3, ",");
  return text;
}

std::string totals(const Plan& plan, std::size_t columns) {
  std::string words =
      fmt::format("{} cases, {} skipped", grouped(plan.cases.size()), grouped(plan.skipped.size()));
  if (!plan.left_out.empty()) {
    const auto met =
        static_cast<std::size_t>(std::ranges::count(plan.left_out, covered, &SkippedCase::reason));
    words += fmt::format(
        "; {} further combinations are left out: {} whose every pair of values is in a case above, {} that "
        "cannot "
        "be had",
        grouped(plan.left_out.size()), grouped(met), grouped(plan.left_out.size() - met));
  }
  words += "; --json has each with its id and reason";
  std::string text;
  for (const std::string& line : wrapped(words, columns)) text += line + "\n";
  return text;
}

}  // namespace

std::string exceptions_text(std::size_t columns) {
  std::string text = "\n";
  for (const std::string& line :
       wrapped("This holds among processes that keep to the mechanism. Past it get: whoever is passed a "
               "descriptor "
               "(SCM_RIGHTS, pidfd_getfd) or opens one anew through /proc/PID/fd, a tracer (ptrace, "
               "process_vm_readv), and over a network whoever may capture packets, unless they are sealed.",
               columns)) {
    text += line + "\n";
  }
  return text;
}

std::string overlays_text(std::span<const Overlay> overlays, std::size_t columns) {
  std::string text;
  for (const Overlay& overlay : overlays) {
    text += "\n";
    for (const std::string& line : wrapped(overlay.summary, columns)) text += line + "\n";
  }
  return text;
}

std::string named_only_text(std::span<const TransportEntry> transports, std::size_t columns) {
  std::vector<std::string> variants;
  for (const TransportEntry& entry : transports) {
    if (entry.beneath.empty())
      variants.push_back(fmt::format("{} ({})", entry.traits.name, entry.traits.facts.summary));
  }
  if (variants.empty()) return {};
  std::string text = "\n";
  for (const std::string& line : wrapped("Had where they are named: " + join(variants, "; ") + ".", columns))
    text += line + "\n";
  return text;
}

std::string not_built_text(std::span<const NotBuilt> left_out, std::size_t columns) {
  std::vector<std::string> reasons;
  for (const NotBuilt& one : left_out)
    reasons.push_back(fmt::format("{} (needs {})", one.transport, one.package));
  if (reasons.empty()) return {};
  std::string text = "\n";
  for (const std::string& line : wrapped("not built: " + join(reasons, ", "), columns)) text += line + "\n";
  return text;
}

std::vector<std::string> not_built_json(std::span<const NotBuilt> left_out) {
  std::vector<std::string> rows;
  for (const NotBuilt& one : left_out) {
    rows.push_back(fmt::format(R"({{"transport": {}, "not_built_without": {}}})", json_quote(one.transport),
                               json_quote(one.package)));
  }
  return rows;
}

namespace {

// A class that this machine lacks is a skipped case in a suite, but a mistake when a person asks for it by
// name.
void check_placements(const Narrowing& narrowing, const Topology& topology) {
  for (const PlacementChoice& choice : narrowing.placements) {
    if (choice.every) continue;
    const std::string text = to_string(choice);
    try {
      const std::size_t named = parse_placement(text).explicit_pus.size();
      resolve(topology, text, static_cast<unsigned>(std::max<std::size_t>(2, named)));
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

// Likewise a list of PUs that is longer than any case has roles.
void check_explicit_pus(const Narrowing& narrowing, const Plan& plan, const Workbench& workbench) {
  for (const PlacementChoice& choice : narrowing.placements) {
    if (choice.every) continue;
    const std::string text = to_string(choice);
    const std::size_t named = parse_placement(text).explicit_pus.size();
    const Case* most = nullptr;
    std::size_t most_roles = 0;
    const auto look_at = [&](const auto& cases) {
      for (const auto& one : cases) {
        if (one.benchmark_case.placement != text) continue;
        const std::size_t roles = workbench.roles(one.benchmark_case).size();
        if (most != nullptr && roles <= most_roles) continue;
        most = &one.benchmark_case;
        most_roles = roles;
      }
    };
    look_at(plan.cases);
    look_at(plan.skipped);
    if (most == nullptr || named <= most_roles) continue;
    throw UsageError(
        fmt::format("--placement {}: names {} PUs, but {} has {} role{}; allowed: at most one a role", text,
                    named, most->workload, most_roles, most_roles == 1 ? "" : "s"));
  }
}

// Throws UsageError for a pipeline's filter that no shell could run.
void check_filters(const Plan& plan, const Narrowing& narrowing) {
  std::set<std::string> filters;
  for (const PlannedCase& planned : plan.cases) filters.insert(planned.benchmark_case.filter);
  filters.erase("none");
  for (const std::string& filter : filters) {
    const std::string reason = why_not_executable(filter);
    if (reason.empty()) continue;
    throw UsageError(
        fmt::format("{}: '{}' cannot be executed: {}",
                    narrowing.further.contains("filter") ? "--filter" : "suite " + plan.suite + ": filter",
                    filter, reason));
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
  if (options.precision) suite.launches = most_rounds;
  if (options.launches) suite.launches = *options.launches;
  if (options.min_time_ns) suite.min_time_ns = *options.min_time_ns;
  return suite;
}

Plan chosen_plan(const CaseOptions& options, Workbench& workbench, bool account_for_all) {
  check_placements(options.narrowing, workbench.topology());
  const Suite suite = chosen_suite(options);
  const std::uint64_t seed = options.seed ? *options.seed : suite.seed.value_or(draw_seed());
  Plan plan;
  try {
    plan = workbench.plan(suite, options.narrowing, seed, account_for_all);
    plan.precision = options.precision;
  } catch (const std::invalid_argument& error) {
    throw UsageError(fmt::format("--placement, --transport, --hops or --suite: {}", error.what()));
  }
  check_explicit_pus(options.narrowing, plan, workbench);
  check_filters(plan, options.narrowing);
  if (options.filter) {
    const Filter filter(*options.filter);
    const auto left_out = [&](const auto& one) { return !filter.matches(one.id); };
    std::erase_if(plan.cases, left_out);
    std::erase_if(plan.skipped, left_out);
    std::erase_if(plan.left_out, left_out);
  }
  return plan;
}

std::string plan_text(const Plan& plan, std::size_t columns) {
  constexpr std::size_t indent = 2, gap = 2, below = 6;
  std::vector<std::string> workloads;
  std::map<std::string_view, std::vector<std::vector<std::string>>> rows;
  const std::vector<std::string> head(parameter_heads.begin(), parameter_heads.end());
  std::vector<std::size_t> widths;
  for (const std::string& word : head) widths.push_back(text_width(word));
  for (const auto& [id, benchmark_case, role_pus] : plan.cases) {
    if (!rows.contains(benchmark_case.workload)) workloads.push_back(benchmark_case.workload);
    const auto& row = rows[benchmark_case.workload].emplace_back(parameters_of(benchmark_case));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], text_width(row[i]));
  }

  std::string text;
  const auto add_line = [&text](const std::string& line) {
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  };
  const auto add_wrapped = [&](const std::string& words, std::size_t from) {
    for (const std::string& line : wrapped(words, columns - std::min(columns, from))) {
      add_line(std::string(from, ' ') + line);
    }
  };
  const auto add_row = [&](const std::vector<std::string>& row) {
    std::string line(indent, ' ');
    for (std::size_t i = 0; i + 1 < row.size(); ++i) line += pad_right(row[i], widths[i] + gap);
    const bool fits = text_width(line) + text_width(row.back()) <= columns;
    add_line(fits ? line + row.back() : line);
    if (!fits) add_wrapped(row.back(), below);
  };
  for (const std::string& workload : workloads) {
    add_line(workload);
    add_row(head);
    for (const auto& row : rows[workload]) add_row(row);
    text += "\n";
  }

  std::vector<std::string_view> reasons;
  std::map<std::string_view, std::vector<const Case*>> skipped_for;
  for (const SkippedCase& skipped : plan.skipped) {
    std::vector<const Case*>& cases = skipped_for[skipped.reason];
    if (cases.empty()) reasons.push_back(skipped.reason);
    cases.push_back(&skipped.benchmark_case);
  }
  constexpr std::size_t most_examples = 3;
  for (const std::string_view reason : reasons) {
    const std::vector<const Case*>& cases = skipped_for[reason];
    add_wrapped(fmt::format("skipped: {}", reason), 0);
    for (const Case* one : std::span(cases).first(std::min(cases.size(), most_examples))) {
      std::vector<std::string> words = parameters_of(*one);
      if (words.back().empty()) words.pop_back();
      add_wrapped(fmt::format("{}: {}", one->workload, join(words, ", ")), indent);
    }
    if (cases.size() > most_examples) {
      add_wrapped(
          fmt::format("and {} more; list cases --json has each", grouped(cases.size() - most_examples)),
          indent);
    }
  }
  return reasons.empty() ? text : text + "\n";
}

std::string list(const ListOptions& options, Workbench& workbench, std::size_t columns) {
  if (options.what == ListOptions::What::cases) {
    const Plan plan = chosen_plan(options.cases, workbench, true);
    return options.json ? as_json(cases_table(plan)) : plan_text(plan, columns) + totals(plan, columns);
  }
  Table table = [&]() -> Table {
    switch (options.what) {
      case ListOptions::What::transports:
        return transports_table(workbench.transports());
      case ListOptions::What::workloads:
        return workloads_table(workbench);
      case ListOptions::What::placements:
        return placements_table(workbench);
      default:
        return suites_table(workbench);
    }
  }();
  const bool transports = options.what == ListOptions::What::transports;
  if (options.json)
    return as_json(table, transports ? not_built_json(not_built()) : std::vector<std::string>{});
  if (!transports) return as_text(table);
  for (auto& row : table.rows) {
    std::string &send_waits = row.end()[-2].text, &receive_waits = row.back().text;
    if (send_waits == receive_waits) receive_waits = "the same";
  }
  return as_blocks(table, columns) + exceptions_text(columns) +
         overlays_text(Registry::instance().overlays(), columns) +
         named_only_text(Registry::instance().named_only(), columns) + not_built_text(not_built(), columns);
}

std::vector<TransportFacts> facts_of(const Plan& plan, const Workbench& workbench) {
  std::set<std::string> used;
  for (const PlannedCase& planned : plan.cases) {
    used.insert(planned.benchmark_case.transport);
    for (const Case& link : workload_of(planned.benchmark_case).links_of(planned.benchmark_case))
      used.insert(link.transport);
  }
  std::vector<TransportTraits> transports;
  for (const auto* const all : {&workbench.transports(), &workbench.named_only()}) {
    std::ranges::copy_if(*all, std::back_inserter(transports),
                         [&](const TransportTraits& transport) { return used.contains(transport.name); });
  }
  const Table table = transports_table(transports);
  std::vector<TransportFacts> all;
  for (const auto& row : table.rows) {
    TransportFacts& one = all.emplace_back(TransportFacts{row.front().text, {}});
    for (std::size_t i = 1; i < row.size(); ++i) one.facts.push_back({table.head[i], row[i].text});
  }
  return all;
}

}  // namespace ipcmark
