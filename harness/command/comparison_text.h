// What a person reads of a comparison.
#pragma once

#include <cstddef>
#include <string>

#include "results/compare.h"

namespace ipcmark {

// For a terminal: for each column against its base a table of one line a case and figures that changed under
// it, then what was found, what was kept apart and what only one side has. What does not fit `columns` is
// cut; 0 = never.
std::string comparison_table(const Comparison& comparison, bool colour, std::size_t columns);

// The same as Markdown for a comment: what changed first, all cases folded away (GitHub Flavored Markdown).
std::string comparison_markdown(const Comparison& comparison);

// One line: how many cases, and how many of each outcome.
std::string comparison_summary(const Comparison& comparison);

}  // namespace ipcmark
