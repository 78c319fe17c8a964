// System calls on files, with errors that name the call and the file.
#pragma once

#include <string>
#include <string_view>

namespace ipcmark {

// Owns a file descriptor.
class File {
 public:
  // open(2) with O_CLOEXEC and mode 0644 less the umask. Throws std::system_error.
  File(const std::string& path, int flags);
  File(File&& other) noexcept;
  File& operator=(File&&) = delete;
  ~File();

  int descriptor() const { return descriptor_; }
  // All of it, whatever the kernel splits. Throws std::system_error.
  void write(std::string_view text);
  // From here to the end, or to where more than `enough` bytes are read. Throws std::system_error.
  std::string read(std::size_t enough = std::string::npos);

 private:
  std::string path_;
  int descriptor_;
};

// Writes a temporary file beside `path`, syncs it, renames it over `path` and syncs the directory: afterwards
// `path` holds all of `text`, and at no time a part of it. Throws std::system_error; then no temporary file
// is left.
void replace_file(const std::string& path, std::string_view text);

// Throws std::system_error when `path` is a directory, a device or anything else a result must not replace.
void require_replaceable(const std::string& path);

[[noreturn]] void throw_errno(std::string_view call, const std::string& object);

}  // namespace ipcmark
