// The two texts of a run, for results/*.cpp: the lines of a journal, and the document they are assembled to.
#pragma once

#include <iosfwd>
#include <string>
#include <string_view>

#include "results/result_file.h"

namespace ipcmark {

// One compact JSON object, no newline. Throws std::domain_error as write_results does.
std::string journal_line(const RunHeader& header);
std::string journal_line(const LaunchRecord& launch);
std::string journal_line(const FailureRecord& failure);
std::string journal_line(const SkipRecord& skip);

void write_document(std::ostream& out, const ResultFile& results);

// `file` is for errors (FileError).
ResultFile parse_results(std::string_view text, const std::string& file);

}  // namespace ipcmark
