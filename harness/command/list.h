// `ipcmark list`.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "harness/build_info.h"
#include "harness/command/options.h"
#include "harness/command/workbench.h"
#include "results/result_file.h"

namespace ipcmark {

// The suite that the options name or span, with what they say of launches and times.
Suite chosen_suite(const CaseOptions& options);

// Its plan on this machine; the filter is applied. Throws UsageError, FileError, std::invalid_argument.
Plan chosen_plan(const CaseOptions& options, Workbench& workbench, bool account_for_all = false);

// For a person at a terminal: the cases as a table, and what is skipped by reason, with a few examples of
// each. Ends with what a pairwise suite leaves out, as far as the plan has it.
std::string plan_text(const Plan& plan, std::size_t columns);

// The text for standard output. What has many columns, the transports, is broken to be read in so many
// columns of a terminal.
std::string list(const ListOptions& options, Workbench& workbench, std::size_t columns);

// What stands below the table of the transports, in lines of at most so many columns if words allow: what
// gets past its facts, what is had by name besides, and which were not built; and the objects of these behind
// the others' in JSON.
std::string exceptions_text(std::size_t columns);
std::string overlays_text(std::span<const Overlay> overlays, std::size_t columns);
// Of those that are no overlay's; empty when there are none.
std::string named_only_text(std::span<const TransportEntry> transports, std::size_t columns);
std::string not_built_text(std::span<const NotBuilt> left_out, std::size_t columns);
std::vector<std::string> not_built_json(std::span<const NotBuilt> left_out);

// What `list transports` says of those that the plan's cases use, for the result file.
std::vector<TransportFacts> facts_of(const Plan& plan, const Workbench& workbench);

}  // namespace ipcmark
