// What can be told of a shell's command without running it.
#pragma once

#include <string>

namespace ipcmark {

// Why `exec COMMAND` in a shell would run nothing: it finds no program by that name, or does not understand
// the words. Empty when it would run one, and when only a shell could tell: several commands, redirections,
// substitutions.
std::string why_not_executable(const std::string& command);

}  // namespace ipcmark
