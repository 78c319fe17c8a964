// How this binary was built. Defined by a file the build generates, so that a new commit recompiles that file
// alone.
#pragma once

#include <span>
#include <string_view>

namespace ipcmark {

struct BuildInfo {
  std::string_view version;  // "0.1.0"
  std::string_view
      commit;  // twelve digits, "-dirty" behind them if files differed; empty outside a git checkout
  std::string_view compiler;    // "GNU 12.2.0"
  std::string_view build_type;  // "Release"
  std::string_view flags;       // those given to the compiler, without include paths and definitions
  std::string_view source_dir;  // the tree it was built from, which may be gone since
  std::string_view python;  // an interpreter that had the modules the figures need; empty if none was found
};

// Valid for the whole life of the process.
const BuildInfo& build_info();

// A transport that was left out because the package it needs was not there.
struct NotBuilt {
  std::string_view transport;
  std::string_view package;  // by its Debian name
};
// Likewise valid for ever.
std::span<const NotBuilt> not_built();

}  // namespace ipcmark
