// Result files against each other: which cases became slower, by how much, and how sure that is.
//
// Launches are compared, never files: of one case, those of a base against those of something newer, or with
// a key (`by`) those of one of its values against another's. Between two states of one machine (equal
// fingerprints) the ratio is Hodges and Lehmann's, on logarithms; between machines it is that of the medians,
// no test can tell a machine from a commit, and nothing is judged.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "results/launch_table.h"
#include "results/two_samples.h"

namespace ipcmark {

enum class Figure : std::uint8_t { p50, p99, p999, messages_per_second, cpu_per_message };
inline constexpr std::array all_figures{Figure::p50, Figure::p99, Figure::p999, Figure::messages_per_second,
                                        Figure::cpu_per_message};
std::string_view to_string(Figure figure);  // p50_ns, ... as in a result file's summary
inline bool more_is_better(Figure figure) { return figure == Figure::messages_per_second; }

// What a figure did. `same`: all of its interval lies within the bound. `inconclusive`: none of the others,
// and so not a pass.
enum class Change : std::uint8_t { worse, better, same, inconclusive };
std::string_view to_string(Change change);

// What is said of a case: its primary figure's change, but nothing where a result is noisy or invalid
// (undecided), or where two different things were measured (not_compared).
enum class Outcome : std::uint8_t { regression, improvement, same, inconclusive, undecided, not_compared };
inline constexpr std::array all_outcomes{Outcome::regression,   Outcome::improvement, Outcome::same,
                                         Outcome::inconclusive, Outcome::undecided,   Outcome::not_compared};
std::string_view to_string(Outcome outcome);

// A change is one only with a corrected p-value under this (Firecracker's A/B tests ask for as much) ...
inline constexpr double change_level = 0.01;
// ... and an estimate beyond this or --threshold, in either direction as a factor: 5 % is 1.05 or 1 / 1.05.
inline constexpr double least_threshold = 0.05;
// How far two runs of the same thing lie apart is known from this many ratios of such runs that are ok, and
// is their 95th percentile, by nearest rank.
inline constexpr std::size_t ratios_for_noise = 20;

struct ComparisonRules {
  double threshold = least_threshold;
  std::string by{};  // KEY or KEY=BASE; empty: the first side against each other one
};

struct FigureComparison {
  Figure figure = Figure::p50;
  Statistic base, now;
  double ratio = 1;                  // now / base
  std::optional<Interval> interval;  // 95 %
  double bound = 0;                  // what its change is held against, as a share
  // Of one machine only: p, corrected over all cases' primary figures (Holm; the primary figure's alone) and
  // over all figures of all cases (Benjamini-Hochberg).
  std::optional<double> p, p_holm, q;
  std::optional<Change> change;  // by p_holm for the primary figure, by q for others
};

// A cost that a machine's times are made of: what the case stands on (results/floor.h), or else the launches'
// own cache-line round trip and the machine's system call.
struct FloorComparison {
  std::string name;  // as "two wake-ups"
  double base_ns = 0, now_ns = 0;
};

struct CaseComparison {
  std::string id;       // without the key compared by
  Case benchmark_case;  // the base's
  std::size_t base_column = 0, column = 0;
  Verdict base_verdict, verdict;
  std::size_t base_failures = 0, failures = 0;  // launches that gave no figure
  // The primary one first: p50 of single events, else the rate. Where messages come by a schedule the rate is
  // none.
  std::vector<FigureComparison> figures;
  std::vector<FloorComparison> floors;  // between machines: those that both have, the closest first
  Outcome outcome = Outcome::not_compared;
  std::optional<Outcome> would_be;             // of an undecided one
  std::vector<std::string> reasons;            // why undecided or not compared
  std::optional<std::size_t> launches_needed;  // on each side, for a verdict; of an inconclusive one
};

// A case that only one side has figures of, or both but none that says anything.
struct LonelyCase {
  std::string id;
  std::size_t column = 0;  // that has them
  std::size_t lacking = 0;
  bool on_both_sides = false;
  bool failed = false;  // there it was launched, and failed
  std::string reason;
};

struct Column {
  std::string label;
  std::string machine;      // in words
  std::string fingerprint;  // empty where a column holds several machines, each case one
  bool base = false;        // there are several of them where the base is of several machines
  std::size_t files = 0;
  std::size_t launches = 0;
};

struct Comparison {
  std::string by;                     // the key; empty: files
  bool same_case = true;              // columns hold the same cases; false when compared by a key of the case
  std::vector<Column> columns;        // the base first
  std::vector<CaseComparison> cases;  // by column, then in the order of cases
  std::vector<LonelyCase> lonely;
  std::vector<std::string> notes;  // what differs, and what was therefore kept apart
  // How far two runs of one thing lie apart on the base's machine, as a share; nullopt: not known, because
  // the base is too few files. By figure.
  std::array<std::optional<double>, all_figures.size()> noise;
  std::size_t tests = 0;              // primary figures tested, which Holm's correction goes over
  std::size_t launches_to_judge = 0;  // on each side; with fewer no p-value is small enough among so many

  std::size_t count(Outcome outcome) const;
  // Whether a case with so many launches can be found changed among so many cases at all.
  bool can_judge(std::size_t base_launches, std::size_t now_launches) const;
};

// Throws std::invalid_argument for a key that is none, or a base that the key never has.
Comparison compare(const LaunchTable& table, const ComparisonRules& rules);

// One JSON document; the fields above by their names.
std::string to_json(const Comparison& comparison);

}  // namespace ipcmark
