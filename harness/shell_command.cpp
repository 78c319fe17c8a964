#include "harness/shell_command.h"

#include <unistd.h>
#include <wordexp.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "harness/text.h"

namespace ipcmark {
namespace {

namespace fs = std::filesystem;

// 0 or the error.
int error_of_executing(const fs::path& program) {
  if (access(program.c_str(), X_OK) != 0) return errno;
  std::error_code ignored;
  return fs::is_directory(program, ignored) ? EISDIR : 0;
}

}  // namespace

std::string why_not_executable(const std::string& command) {
  wordexp_t words;
  switch (wordexp(command.c_str(), &words, WRDE_NOCMD)) {
    case 0:
      break;
    case WRDE_SYNTAX:
      return "a quote or bracket is left open";
    default:
      return {};
  }
  const std::string program = words.we_wordc == 0 ? "" : words.we_wordv[0];
  wordfree(&words);
  if (program.empty()) return {};
  if (program.find('/') != std::string::npos) {
    const int error = error_of_executing(program);
    return error == 0 ? "" : program + ": " + std::strerror(error);
  }
  const char* const path = std::getenv("PATH");
  if (path == nullptr) return {};
  for (const std::string_view folder : split(path, ':')) {
    if (error_of_executing(fs::path(folder.empty() ? "." : folder) / program) == 0) return {};
  }
  return "PATH has no program " + program;
}

}  // namespace ipcmark
