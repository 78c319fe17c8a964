#include "harness/meeting.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <stdexcept>
#include <string>
#include <system_error>

#include "harness/futex.h"

namespace ipcmark {

void Meeting::publish(std::string_view short_name, std::span<const std::byte> blob) {
  const std::string name = in_full(short_name);
  if (name.size() > MeetingTable::max_name_bytes || blob.size() > MeetingTable::max_blob_bytes) {
    throw std::length_error("meeting: '" + name + "' is too long to publish");
  }
  const std::uint32_t index = table_->claimed.fetch_add(1, std::memory_order_relaxed);
  if (index >= MeetingTable::max_blobs) {
    throw std::length_error("meeting: no place left for '" + name + "'");
  }
  MeetingTable::Entry& entry = table_->entries[index];
  std::memcpy(entry.name, name.data(), name.size());
  entry.name[name.size()] = '\0';
  entry.blob_bytes = static_cast<std::uint32_t>(blob.size());
  if (!blob.empty()) std::memcpy(entry.blob, blob.data(), blob.size());
  entry.ready.store(1, std::memory_order_release);  // whoever sees it ready sees name and blob
  // After `ready`, so that a reader who sees the new version finds the entry, and one who read the old
  // version before looking does not sleep.
  table_->version.fetch_add(1, std::memory_order_release);
  futex_wake(table_->version, INT_MAX);
}

const MeetingTable::Entry* Meeting::find(std::string_view name_in_full) const {
  const std::size_t claimed =
      std::min<std::size_t>(table_->claimed.load(std::memory_order_acquire), MeetingTable::max_blobs);
  for (const MeetingTable::Entry& entry : std::span(table_->entries).first(claimed)) {
    if (entry.ready.load(std::memory_order_acquire) == 1 && name_in_full == entry.name) return &entry;
  }
  return nullptr;
}

std::vector<std::byte> Meeting::await(std::string_view short_name) {
  const std::string name = in_full(short_name);
  for (;;) {
    // It grows after the entry has been claimed and is ready.
    const std::uint32_t version = table_->version.load(std::memory_order_acquire);
    if (const MeetingTable::Entry* entry = find(name)) return {entry->blob, entry->blob + entry->blob_bytes};
    if (futex_wait(table_->version, version, deadline_ns_) == FutexWait::timed_out) {
      throw std::system_error(ETIMEDOUT, std::generic_category(),
                              "waiting for '" + name + "' from another role");
    }
  }
}

bool Meeting::leave_as_sender() {
  // acq_rel: the last to leave has seen everything the others sent before they left.
  return table_->senders_left.fetch_sub(1, std::memory_order_acq_rel) == 1;
}

void Meeting::check_size(std::string_view name, std::size_t got, std::size_t expected) {
  if (got == expected) return;
  throw std::length_error("meeting: '" + std::string(name) + "' has " + std::to_string(got) + " bytes, not " +
                          std::to_string(expected));
}

}  // namespace ipcmark
