// The suites of workloads/suites/, built into the binary so that it runs from anywhere. Defined by a file the
// build generates.
#pragma once

#include <span>
#include <string_view>

namespace ipcmark {

struct EmbeddedSuite {
  std::string_view name;  // the file's name without ".json"
  std::string_view text;  // the file as it is
};

// In the order of their names; valid for the whole life of the process.
std::span<const EmbeddedSuite> embedded_suites();

}  // namespace ipcmark
