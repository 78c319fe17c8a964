// A name in the file system, or of a kernel object, that goes when its maker destroys it.
#pragma once

#include <unistd.h>

#include <string>
#include <utility>

namespace ipcmark {

// Every role of a launch inherits its links; only the process that made a name removes it. A name under which
// nothing was made in the end is removed in vain, so it is owned before it is made.
class OwnedName {
 public:
  using Remove = int (*)(const char* name);  // unlink, shm_unlink, mq_unlink

  OwnedName(std::string name, Remove remove) : name_(std::move(name)), remove_(remove), maker_(getpid()) {}
  // A name that a stranger made and removes.
  explicit OwnedName(std::string name) : name_(std::move(name)) {}
  ~OwnedName() {
    if (made_here()) remove_(name_.c_str());
  }
  OwnedName(const OwnedName&) = delete;
  OwnedName& operator=(const OwnedName&) = delete;

  const std::string& text() const { return name_; }
  const char* c_str() const { return name_.c_str(); }
  bool made_here() const { return getpid() == maker_; }

 private:
  std::string name_;
  Remove remove_ = nullptr;
  pid_t maker_ = 0;
};

}  // namespace ipcmark
