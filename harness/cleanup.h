// Removes what a killed run left behind: objects under ipcmark's own names whose makers are no longer alive.
#pragma once

#include <string>
#include <vector>

namespace ipcmark {

// Looks through /dev/shm, the temporary directory, the mqueue file system and the System V tables for names
// of unique_name() and keys of unique_sysv_key() that belong to this user and to no living process, and
// removes them. Returns a line for each thing removed ("shared memory /dev/shm/ipcmark-12-…"). What cannot be
// looked at is passed over: a line "(…)" in parentheses says so. Safe beside running launches. Throws
// nothing.
std::vector<std::string> remove_leftovers();

}  // namespace ipcmark
