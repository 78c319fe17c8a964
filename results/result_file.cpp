#include "results/result_file.h"

#include <sstream>

#include "results/file_io.h"
#include "results/json_lines.h"

namespace ipcmark {

std::optional<Grade> parse_grade(std::string_view text) {
  for (const Grade grade : {Grade::ok, Grade::noisy, Grade::invalid}) {
    if (text == to_string(grade)) return grade;
  }
  return {};
}

ResultFile read_results(const std::string& path) { return parse_results(read_text_file(path), path); }

void write_results(std::ostream& out, const ResultFile& results) { write_document(out, results); }

void write_results(const std::string& path, const ResultFile& results) {
  std::ostringstream document;
  write_document(document, results);
  replace_file(path, document.str());
}

}  // namespace ipcmark
