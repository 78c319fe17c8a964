# Writes OUTPUT, the definition of harness/build_info.h, from SOURCE_DIR, VERSION, COMPILER, BUILD_TYPE, FLAGS, PYTHON.
set(commit "")
execute_process(COMMAND git -C ${SOURCE_DIR} rev-parse --show-toplevel
  OUTPUT_VARIABLE top OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
# An unpacked archive inside someone else's repository has no commit of its own.
file(REAL_PATH "${SOURCE_DIR}" here)
if(top STREQUAL here)
  execute_process(COMMAND git -C ${SOURCE_DIR} describe --always --dirty --abbrev=12 --exclude=*
    OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()

file(CONFIGURE OUTPUT ${OUTPUT} @ONLY CONTENT [[
#include "harness/build_info.h"

namespace ipcmark {

const BuildInfo& build_info() {
  static constexpr BuildInfo info{
      .version = "@VERSION@",
      .commit = "@commit@",
      .compiler = "@COMPILER@",
      .build_type = "@BUILD_TYPE@",
      .flags = "@FLAGS@",
      .source_dir = R"ipcmark(@SOURCE_DIR@)ipcmark",
      .python = R"ipcmark(@PYTHON@)ipcmark",
  };
  return info;
}

}  // namespace ipcmark
]])
