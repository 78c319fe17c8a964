find_package(GTest REQUIRED)
include(GoogleTest)

# All that the tests need, and no more.
add_custom_target(tests)

# What is tested is optimised; for the tests themselves less will do, and compiles in two thirds of the time.
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  set(options_of_tests -O1)
endif()

# The headers that all of them include, compiled once.
file(GENERATE OUTPUT ${generated}/test_headers.cpp CONTENT "")
add_library(test_headers OBJECT ${generated}/test_headers.cpp)
target_link_libraries(test_headers PRIVATE Threads::Threads GTest::gmock)
target_compile_options(test_headers PRIVATE ${options_of_tests})
target_precompile_headers(test_headers PRIVATE <gmock/gmock.h> <gtest/gtest.h>)

# One executable per directory, one CTest entry per test. Tests that fork processes which wait, spin or hold kernel
# objects take the lock `processors`, so that no two of them share the machine under `ctest -j`.
function(add_gtest name)
  cmake_parse_arguments(arg "SERIAL;ALONE" "" "SOURCES;LINK" ${ARGN})
  if(NOT arg_SOURCES)
    return()
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LINK} GTest::gmock GTest::gtest_main)
  target_precompile_headers(${name} REUSE_FROM test_headers)
  target_compile_options(${name} PRIVATE ${options_of_tests})
  if(NOT arg_ALONE)
    unite(${name})
  endif()
  add_dependencies(tests ${name})
  set(properties TIMEOUT 180 LABELS ${name})
  if(arg_SERIAL)
    list(APPEND properties RESOURCE_LOCK processors)
  endif()
  gtest_discover_tests(${name}
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
    NO_PRETTY_VALUES
    DISCOVERY_MODE PRE_TEST
    DISCOVERY_TIMEOUT 60
    PROPERTIES ${properties})
  if(TARGET ipcmark)
    target_compile_definitions(${name} PRIVATE "IPCMARK_BINARY=\"$<TARGET_FILE:ipcmark>\"")
  endif()
endfunction()

# What two threads or processes do to the same memory without a lock: the part of harness_test that ThreadSanitizer is for.
set(lock_free_tests ${harness_tests})
list(FILTER lock_free_tests INCLUDE REGEX "(baselines|cache_line|doorbell|futex|mailbox_checker|ring|segment_queue|seqlock|slot_rendezvous|wait)_test\\.cpp$")
if(IPCMARK_SANITIZE MATCHES "thread")
  add_gtest(lock_free_test SERIAL SOURCES ${lock_free_tests} LINK ipcmark_harness PkgConfig::hwloc)
endif()
add_gtest(harness_test SERIAL SOURCES ${harness_tests} LINK ipcmark_harness PkgConfig::hwloc)
add_gtest(results_test SOURCES ${results_tests} LINK ipcmark_results nlohmann_json::nlohmann_json)
add_gtest(workloads_test SERIAL SOURCES ${workloads_tests} LINK ipcmark_transports)
add_gtest(transports_test SERIAL ALONE SOURCES ${transports_tests} LINK ipcmark_transports)
add_gtest(command_test SERIAL SOURCES ${command_tests} LINK ipcmark_command ipcmark_transports ipcmark_results)
if(TARGET command_test AND TARGET ipcmark)
  add_dependencies(command_test ipcmark)
endif()

if(IPCMARK_PYTHON)
  foreach(directory harness results workloads transports plots ci)
    file(GLOB suites_of_python CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${directory}/test_*.py)
    if(NOT suites_of_python)
      continue()
    endif()
    add_test(NAME pytest.${directory}
      COMMAND ${IPCMARK_PYTHON} -m pytest -q -p no:cacheprovider ${suites_of_python}
      WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set(environment "PYTHONDONTWRITEBYTECODE=1" "MPLBACKEND=Agg")
    if(TARGET ipcmark)
      list(APPEND environment "IPCMARK_BINARY=$<TARGET_FILE:ipcmark>")
    endif()
    if(TARGET results_test)
      list(APPEND environment "IPCMARK_RESULTS_TEST=$<TARGET_FILE:results_test>")
    endif()
    set_tests_properties(pytest.${directory} PROPERTIES TIMEOUT 600 LABELS pytest ENVIRONMENT "${environment}")
  endforeach()
endif()
