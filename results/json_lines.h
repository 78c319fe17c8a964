// The two texts of a run, for results/*.cpp: the lines of a journal, and the document they are assembled to.
#pragma once

#include <iosfwd>
#include <optional>
#include <ostream>
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

// The header line of a journal. `file` and `line` are for errors (FileError).
RunHeader parse_header_line(std::string_view text, const std::string& file,
                            std::optional<std::size_t> line = {});

// A journal begins as only a journal does.
bool is_journal(std::string_view text);

// `file` is for errors (FileError).
ResultFile parse_results(std::string_view text, const std::string& file);

}  // namespace ipcmark
