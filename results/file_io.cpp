#include "results/file_io.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

namespace ipcmark {

void throw_errno(std::string_view call, const std::string& object) {
  throw std::system_error(errno, std::generic_category(), fmt::format("{}: {}", object, call));
}

File::File(const std::string& path, int flags)
    : path_(path), descriptor_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {
  if (descriptor_ < 0) throw_errno("open", path);
}

File::File(File&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void File::write(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor_, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw_errno("write", path_);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::string File::read(std::size_t enough) {
  std::string text;
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t got = ::read(descriptor_, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("read", path_);
    if (got == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > enough) return text;
  }
}

void require_replaceable(const std::string& path) {
  std::error_code ignored;  // what does not exist can be created
  const auto status = std::filesystem::status(path, ignored);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    throw std::system_error(EEXIST, std::generic_category(), fmt::format("{}: not a regular file", path));
  }
}

void replace_file(const std::string& path, std::string_view text) {
  require_replaceable(path);
  const std::string temporary = fmt::format("{}.{}.tmp", path, ::getpid());
  try {
    File file(temporary, O_WRONLY | O_CREAT | O_EXCL);
    file.write(text);
    if (::fsync(file.descriptor()) != 0) throw_errno("fsync", temporary);
    if (std::rename(temporary.c_str(), path.c_str()) != 0) throw_errno("rename", path);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  const std::string parent = (std::filesystem::path(path).parent_path() / ".").string();
  const File directory(parent, O_RDONLY | O_DIRECTORY);
  if (::fsync(directory.descriptor()) != 0 && errno != EINVAL) throw_errno("fsync", parent);
}

}  // namespace ipcmark
