// Where the roles of a launch meet while they open one link: named blobs, the count of senders still there, a
// deadline.
//
// A Meeting is a view of a table in memory shared by all roles of the launch; it is made before the fork and
// stays valid in every role until the role ends, so endpoints may keep a pointer to it. Process-safe; not
// thread-safe within a process.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace ipcmark {

struct MeetingTable {
  static constexpr std::size_t max_blobs = 64;
  static constexpr std::size_t max_name_bytes = 31;
  static constexpr std::size_t max_blob_bytes = 256;

  struct Entry {
    std::atomic<std::uint32_t> ready;
    std::uint32_t blob_bytes;
    char name[max_name_bytes + 1];
    std::byte blob[max_blob_bytes];
  };

  std::atomic<std::uint32_t> claimed;
  std::atomic<std::uint32_t> version;  // futex: grows with every blob published
  std::atomic<std::uint32_t> senders_left;
  Entry entries[max_blobs];
};

class Meeting {
 public:
  // deadline_ns: on CLOCK_MONOTONIC, absolute.
  Meeting(MeetingTable& table, std::uint64_t deadline_ns) : table_(&table), deadline_ns_(deadline_ns) {}

  // Makes a blob known under a name, once. Throws std::length_error when either is too long or the table is
  // full.
  void publish(std::string_view name, std::span<const std::byte> blob);
  // Sleeps until the blob is there. Throws std::system_error (ETIMEDOUT) naming it when the deadline passes
  // first.
  std::vector<std::byte> await(std::string_view name);

  // Whether it is there by now.
  bool has(std::string_view name) const { return find(in_full(name)) != nullptr; }

  template <class T>
  requires std::is_trivially_copyable_v<T>
  void publish_value(std::string_view name, const T& value) {
    publish(name, std::as_bytes(std::span(&value, 1)));
  }
  template <class T>
  requires std::is_trivially_copyable_v<T> T await_value(std::string_view name) {
    const std::vector<std::byte> blob = await(name);
    T value;
    check_size(name, blob.size(), sizeof value);
    std::memcpy(&value, blob.data(), sizeof value);
    return value;
  }

  // For a second link of the same roles that travels with the first: the same deadline and the same count of
  // senders, and names that do not meet the first one's. Two bytes of a name go to it.
  Meeting beside() const {
    Meeting second = *this;
    second.beside_ = true;
    return second;
  }

  // Called by each sender once as it finishes; true for the last one, which leaves the end marks where the
  // kernel has no end of file.
  bool leave_as_sender();

  std::uint64_t deadline_ns() const { return deadline_ns_; }

 private:
  static void check_size(std::string_view name, std::size_t got, std::size_t expected);
  const MeetingTable::Entry* find(std::string_view name_in_full) const;
  std::string in_full(std::string_view name) const { return (beside_ ? "2 " : "") + std::string(name); }

  MeetingTable* table_;
  std::uint64_t deadline_ns_;
  bool beside_ = false;
};

}  // namespace ipcmark
