// Reasons for not giving what was asked that several transports share, so that they are worded alike.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "harness/case.h"

namespace ipcmark {

// Throws Unsupported, beginning with the transport's name, unless the capacity is the default or a number of
// messages. `bound` says what bounds the link, and ends the sentence for an unbounded one.
void require_buffered(std::string_view transport, const Capacity& capacity,
                      std::string_view bound = "what it holds has a limit");

// The number behind a sysctl(8) name ("fs.mqueue.msg_max") in the caller's namespaces; nullopt when this
// kernel has none of that name, or none that can be read.
std::optional<std::uint64_t> read_sysctl(std::string_view name);

// For a limit that belongs to the IPC namespace: throws Unsupported when `value` is over it, even when a
// privileged process could exceed it, so that a case means the same for every user. `what` is in words:
// "16384 B".
void require_within(std::string_view transport, std::string_view what, std::uint64_t value,
                    std::string_view sysctl);

}  // namespace ipcmark
