// How a failed system call is told: std::system_error with the call and its object.
#pragma once

#include <cerrno>
#include <string>
#include <system_error>

namespace ipcmark {

// Throws what errno says now.
[[noreturn]] inline void fail(const std::string& call_and_object) {
  throw std::system_error(errno, std::generic_category(), call_and_object);
}

// Throws EPROTO: a message came with another size than the link's.
[[noreturn]] inline void fail_wrong_size(const char* call, std::size_t got, std::size_t expected) {
  throw std::system_error(EPROTO, std::generic_category(),
                          std::string(call) + ": a message of " + std::to_string(got) + " B instead of " +
                              std::to_string(expected) + " B");
}

}  // namespace ipcmark
