// Reads a suite file into the plain struct; harness/suite.h documents the keys, their defaults and their
// words.
#pragma once

#include <string>
#include <string_view>

#include "harness/suite.h"
#include "results/json_node.h"

namespace ipcmark {

// Throws FileError: one line that names the file, the key and what is allowed; line and column when it is no
// JSON. A file over 1 MiB is none that a person wrote, and refused before it is read to its end.
Suite read_suite(const std::string& path);

// The same for a text already read; `file` is what errors call it.
Suite parse_suite(std::string_view text, const std::string& file);

}  // namespace ipcmark
