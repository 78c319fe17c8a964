#include "results/launch_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "harness/judging.h"
#include "results/journal.h"
#include "results/json_lines.h"
#include "results/json_scanner.h"

namespace ipcmark {
namespace {

// An entry of benchmarks[], failures[] or skipped[], or a line of a journal: what there is of all these.
struct Entry {
  std::string type, name, reason;
  std::string settings, timed;
  std::vector<RoleReport> roles;
  LaunchFigures figures;
  bool has_figures = false;
};

double number_or_missing(JsonScanner& json) { return json.take_null() ? not_measured : json.number(); }

// An object of which these keys must be there, as for who reads all of it.
template <class Member>
void object_with(JsonScanner& json, std::initializer_list<std::string_view> needed, Member member) {
  std::uint32_t found = 0;
  json.object([&](std::string_view key) {
    const auto place = std::ranges::find(needed, key) - needed.begin();
    found |= 1U << place;
    member(key);
  });
  for (std::size_t i = 0; i < needed.size(); ++i) {
    if ((found >> i & 1U) == 0) json.fail(fmt::format("has no \"{}\"", needed.begin()[i]));
  }
}

void scan_verdict(JsonScanner& json, Entry& entry) {
  object_with(json, {"grade", "reasons"}, [&](std::string_view key) {
    if (key == "grade") {
      const std::optional<Grade> grade = parse_grade(json.text());
      if (!grade) json.fail(fmt::format("a grade must be {}", grades_allowed));
      entry.figures.grade = *grade;
    } else if (key == "reasons") {
      json.array([&] {
        std::string reason = json.text();
        if (entry.reason.empty()) entry.reason = std::move(reason);
      });
    } else {
      json.skip();
    }
  });
}

void scan_distribution(JsonScanner& json, Entry& entry) {
  std::uint64_t messages_per_sample = 1;
  double p50_ns = not_measured, p99_ns = not_measured, p999_ns = not_measured;
  object_with(json, {"of", "messages_per_sample", "p50_ns", "p99_ns", "p999_ns"}, [&](std::string_view key) {
    if (key == "of") {
      entry.timed = json.text();
    } else if (key == "messages_per_sample") {
      messages_per_sample = json.whole_number();
    } else if (key == "p50_ns") {
      p50_ns = number_or_missing(json);
    } else if (key == "p99_ns") {
      p99_ns = number_or_missing(json);
    } else if (key == "p999_ns") {
      p999_ns = number_or_missing(json);
    } else {
      json.skip();
    }
  });
  if (!times_single_events(entry.timed, messages_per_sample)) return;
  entry.figures.p50_ns = p50_ns;
  entry.figures.p99_ns = p99_ns;
  entry.figures.p999_ns = p999_ns;
}

std::vector<int> scan_pus(JsonScanner& json) {
  std::vector<int> pus;
  json.array([&] { pus.push_back(static_cast<int>(json.whole_number())); });
  return pus;
}

void scan_cost(JsonScanner& json, RoleCost& cost) {
  object_with(json, {"cpu_ns", "run_delay_ns"}, [&](std::string_view key) {
    if (key == "cpu_ns") {
      cost.cpu_ns = json.whole_number();
    } else if (key == "run_delay_ns") {
      if (!json.take_null()) cost.run_delay_ns = json.whole_number();
    } else {
      json.skip();
    }
  });
}

void scan_roles(JsonScanner& json, Entry& entry) {
  json.array([&] {
    RoleReport& role = entry.roles.emplace_back();
    std::string_view bound, locked;
    object_with(json,
                {"role", "asked_pus", "granted_pus", "scheduler", "memory_bound", "memory_locked", "cost"},
                [&](std::string_view key) {
                  if (key == "role") {
                    role.role = json.text();
                  } else if (key == "asked_pus") {
                    role.asked_pus = scan_pus(json);
                  } else if (key == "granted_pus") {
                    role.granted_pus = scan_pus(json);
                  } else if (key == "scheduler") {
                    role.scheduler = json.text();
                  } else if (key == "memory_bound") {
                    bound = json.raw();
                  } else if (key == "memory_locked") {
                    locked = json.raw();
                  } else if (key == "cost") {
                    scan_cost(json, role.cost);
                  } else {
                    json.skip();
                  }
                });
    // One line a role, for people to read and for finding what differs.
    entry.settings += fmt::format("{}: PUs {}{}, scheduler {}, memory bound {}, locked {}\n", role.role,
                                  fmt::join(role.granted_pus, "+"),
                                  role.asked_pus.empty() ? " (unpinned)" : "", role.scheduler, bound, locked);
  });
}

void scan_disturbance(JsonScanner& json, LaunchFigures& figures) {
  object_with(json, {"os_processors", "observed_ns", "steal_ns", "mhz", "quota_throttled_ns"},
              [&](std::string_view key) {
                if (key == "os_processors") {
                  figures.processors = static_cast<std::uint32_t>(scan_pus(json).size());
                } else if (key == "observed_ns") {
                  figures.observed_ns = static_cast<double>(json.whole_number());
                } else if (key == "steal_ns") {
                  figures.steal_ns = number_or_missing(json);
                } else if (key == "mhz") {
                  figures.mhz = number_or_missing(json);
                } else if (key == "quota_throttled_ns") {
                  figures.quota_throttled_ns = number_or_missing(json);
                } else {
                  json.skip();
                }
              });
}

void scan_capacity(JsonScanner& json, std::string& settings) {
  object_with(json, {"limit"}, [&](std::string_view key) {
    if (key != "limit") return json.skip();
    if (json.take_null()) return;
    std::uint64_t value = 0;
    std::string unit;
    object_with(json, {"value", "unit"}, [&](std::string_view member) {
      if (member == "value") {
        value = json.whole_number();
      } else if (member == "unit") {
        unit = json.text();
      } else {
        json.skip();
      }
    });
    settings += fmt::format("capacity limit: {} {}\n", value, unit);
  });
}

void scan_launch(JsonScanner& json, Entry& entry) {
  entry.has_figures = true;
  LaunchFigures& figures = entry.figures;
  const std::initializer_list<std::string_view> needed{"round",     "messages", "span_ns",
                                                       "isolation", "capacity", "cache_line_round_trip_ns",
                                                       "roles",     "verdict",  "distribution"};
  object_with(json, needed, [&](std::string_view key) {
    if (key == "round") {
      figures.round = static_cast<std::uint32_t>(json.whole_number());
    } else if (key == "messages") {
      figures.messages = json.whole_number();
    } else if (key == "span_ns") {
      figures.span_ns = json.whole_number();
    } else if (key == "cache_line_round_trip_ns") {
      figures.cache_line_round_trip_ns = number_or_missing(json);
    } else if (key == "isolation") {
      entry.settings += fmt::format("isolation: {}\n", json.text());
    } else if (key == "capacity") {
      scan_capacity(json, entry.settings);
    } else if (key == "roles") {
      scan_roles(json, entry);
    } else if (key == "verdict") {
      scan_verdict(json, entry);
    } else if (key == "disturbance") {
      scan_disturbance(json, figures);
    } else if (key == "distribution" && !json.take_null()) {
      scan_distribution(json, entry);
    } else if (key != "distribution") {
      json.skip();
    }
  });
  if (figures.messages == 0 || figures.span_ns == 0) json.fail("messages and span_ns must be over 0");
  double cpu_ns = 0;
  for (RoleReport& role : entry.roles) {
    cpu_ns += static_cast<double>(role.cost.cpu_ns);
    if (role.cost.run_delay_ns && !role.asked_pus.empty() && has_its_processor_alone(role, entry.roles))
      figures.run_delay_ns = std::fmax(figures.run_delay_ns, static_cast<double>(*role.cost.run_delay_ns));
    role.cost = {};  // of this launch alone, unlike the rest
  }
  figures.cpu_ns_per_message = cpu_ns / static_cast<double>(figures.messages);
}

Entry scan_entry(JsonScanner& json) {
  Entry entry;
  json.object([&](std::string_view key) {
    if (key == "type") {
      entry.type = json.text();
    } else if (key == "name" || key == "id") {
      entry.name = json.text();
    } else if (key == "reason") {
      entry.reason = json.text();
    } else if (key == "ipcmark") {
      scan_launch(json, entry);
    } else {
      json.skip();
    }
  });
  return entry;
}

class FileScan {
 public:
  FileScan(LaunchTable& table, std::uint32_t file_index) : table_(table), file_index_(file_index) {}

  void document(JsonScanner& json) {
    bool own = false;
    std::string context = "null";
    std::array<std::string_view, 4> header;
    json.object([&](std::string_view key) {
      if (key == "context") {
        context = json.raw();
      } else if (key == "benchmarks") {
        json.array([&] { launch(json, scan_entry(json)); });
      } else if (key == "ipcmark") {
        own = true;
        header = own_part(json);
      } else {
        json.skip();
      }
    });
    json.end();
    SourceFile& file = table_.files[file_index_];
    if (!own) throw FileError(file.path + ": is no result file of ipcmark (it has no \"ipcmark\")");
    const auto given = [](std::string_view value) { return value.empty() ? "null" : value; };
    file.header = parse_header_line(
        fmt::format(R"({{"schema_version":{},"version":{},"run":{},"machine":{},"context":{}}})",
                    given(header[0]), given(header[1]), given(header[2]), given(header[3]), context),
        file.path);
  }

  void journal(std::string_view text) {
    SourceFile& file = table_.files[file_index_];
    std::size_t line_number = 0;
    for (std::size_t end; (end = text.find('\n')) != text.npos; text.remove_prefix(end + 1)) {
      const std::string_view line = text.substr(0, end);
      if (++line_number == 1) {
        file.header = parse_header_line(line, file.path, line_number);
        continue;
      }
      JsonScanner json(line, file.path, line_number);
      const Entry entry = scan_entry(json);
      json.end();
      if (entry.type == "launch") {
        launch(json, entry);
      } else if (entry.type == "failure") {
        missing(json, entry, table_.failures);
      } else if (entry.type == "skip") {
        missing(json, entry, table_.skips);
      } else {
        json.fail("\"type\" must be launch, failure or skip; a journal has one header, on its first line");
      }
    }
    if (line_number == 0) throw FileError(file.path + ":1: the journal has no whole line");
  }

 private:
  std::array<std::string_view, 4> own_part(JsonScanner& json) {
    constexpr std::array<std::string_view, 4> wanted{"schema_version", "version", "run", "machine"};
    std::array<std::string_view, 4> found;
    json.object([&](std::string_view key) {
      const auto place = static_cast<std::size_t>(std::ranges::find(wanted, key) - wanted.begin());
      if (key == "failures" || key == "skipped") {
        auto& records = key == "failures" ? table_.failures : table_.skips;
        json.array([&] { missing(json, scan_entry(json), records); });
      } else if (place < wanted.size()) {
        found[place] = json.raw();
      } else {
        json.skip();
      }
    });
    return found;
  }

  void launch(const JsonScanner& json, const Entry& entry) {
    if (!entry.has_figures) json.fail("a launch has no \"ipcmark\"");
    LaunchFigures& figures = table_.launches.emplace_back(entry.figures);
    figures.case_index = case_of(json, entry);
    figures.file_index = file_index_;
    figures.settings = table_.texts.index_of(entry.settings);
    figures.timed = table_.texts.index_of(entry.timed);
    table_.roles.try_emplace(figures.settings, entry.roles);
    figures.reason = table_.texts.index_of(entry.reason);
  }

  void missing(const JsonScanner& json, const Entry& entry, std::vector<MissingFigures>& records) {
    records.push_back({case_of(json, entry), file_index_, table_.texts.index_of(entry.reason)});
  }

  std::uint32_t case_of(const JsonScanner& json, const Entry& entry) {
    try {
      return table_.case_index(entry.name);
    } catch (const std::invalid_argument& error) {
      json.fail(error.what());
    }
  }

  LaunchTable& table_;
  std::uint32_t file_index_;
};

}  // namespace

std::uint32_t TextPool::index_of(std::string_view text) {
  if (const auto known = indexes_.find(text); known != indexes_.end()) return known->second;
  const auto index = static_cast<std::uint32_t>(texts_.size());
  indexes_.emplace(texts_.emplace_back(text), index);
  return index;
}

std::uint32_t LaunchTable::case_index(std::string_view id) {
  const std::uint32_t index = ids.index_of(id);
  if (index == cases.size()) {
    const std::optional<Case> parsed = parse_case_id(id);
    if (!parsed) throw std::invalid_argument(fmt::format("\"{}\" is the id of no case known here", id));
    cases.push_back(*parsed);
  }
  return index;
}

void LaunchTable::parse(std::string_view text, const std::string& path, std::size_t side) {
  FileScan scan(*this, static_cast<std::uint32_t>(files.size()));
  files.push_back({path, side, {}});
  if (is_journal(text)) return scan.journal(text);
  JsonScanner json(text, path);
  scan.document(json);
}

void LaunchTable::read(const std::string& path, std::size_t side) { parse(read_text_file(path), path, side); }

std::vector<std::string> result_files_at(const std::string& path) {
  namespace fs = std::filesystem;
  if (!fs::is_directory(path)) return {path};
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator each(path, error), end; !error && each != end; each.increment(error)) {
    const fs::path& file = each->path();
    const bool is_result = file.extension() == ".json" && !fs::exists(journal_path(file));
    if (is_result || file.extension() == ".journal") files.push_back(file);
  }
  if (error) throw FileError(fmt::format("{}: cannot be read: {}", path, error.message()));
  if (files.empty())
    throw FileError(fmt::format("{}: the folder has no result file (*.json, *.journal)", path));
  std::ranges::sort(files);
  return files;
}

}  // namespace ipcmark
