# cmake -DSUITES=a.json;b.json -DOUTPUT=file.cpp -P embed_suites.cmake
set(entries "")
foreach(suite IN LISTS SUITES)
  get_filename_component(name ${suite} NAME_WE)
  file(READ ${suite} text)
  string(APPEND entries "    EmbeddedSuite{\"${name}\", R\"ipcmark(${text})ipcmark\"},\n")
endforeach()
list(LENGTH SUITES count)
file(WRITE ${OUTPUT} "#include \"harness/embedded_suites.h\"

#include <array>

namespace ipcmark {

std::span<const EmbeddedSuite> embedded_suites() {
  static constexpr std::array<EmbeddedSuite, ${count}> suites{
${entries}  };
  return suites;
}

}  // namespace ipcmark
")
