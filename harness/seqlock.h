// One record in shared memory that a single writer updates in place and any number of readers read whole: a
// seqlock. A reader copies the record and looks whether a writer was there meanwhile; if so, what it has is
// worth nothing and it tries again. The writer waits for nobody, and readers do not write, so they do not
// disturb each other; a reader may try for as long as the writer does not pause.
//
//   sequence   even: 2 * (updates made); odd: an update is under way
//   words      the record, 8 bytes each, the last one perhaps in part
//
// Torn copies are read and thrown away, so every word must be atomic, or that is a data race (H.-J. Boehm,
// "Can seqlocks get along with programming language memory models?", MSPC 2012). Of the orders that the paper
// gives this is the one without fences, which ThreadSanitizer does not understand: a word is stored with
// release, so that whoever sees it sees that the sequence had become odd, and loaded with acquire, so that
// the second look at the sequence comes after it. On x86 both are plain moves.
//
// The region holds no pointers; each process attaches where it has mapped it, and the region must outlive
// what attaches. One writer at a time; each object belongs to one thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>

namespace ipcmark {

class Seqlock {
 public:
  // The region must be aligned to this; a mapping is.
  static constexpr std::size_t alignment = 128;

  // Throws std::length_error when the size does not fit an address.
  static std::size_t bytes_needed(std::size_t record_bytes) {
    if (record_bytes > std::numeric_limits<std::ptrdiff_t>::max() - 2 * alignment) {
      throw std::length_error("a record of " + std::to_string(record_bytes) +
                              " B does not fit an address space");
    }
    return sizeof(Header) + words_in(record_bytes) * sizeof(Word);
  }

  // Makes a record of zero bytes and no updates, once, before anybody attaches. Throws std::invalid_argument.
  static void initialise(std::span<std::byte> region, std::size_t record_bytes) {
    if (record_bytes == 0 || region.size() < bytes_needed(record_bytes) ||
        reinterpret_cast<std::uintptr_t>(region.data()) % alignment != 0) {
      throw std::invalid_argument("the region is too small for this record, or not aligned");
    }
    new (region.data() + sizeof(Header)) Word[words_in(record_bytes)]{};
    new (region.data()) Header{.record_bytes = record_bytes};
  }

  // Throws std::invalid_argument when the region holds none.
  explicit Seqlock(std::span<std::byte> region)
      : header_(std::launder(reinterpret_cast<Header*>(region.data()))),
        words_(std::launder(reinterpret_cast<Word*>(region.data() + sizeof(Header)))) {
    if (region.size() < sizeof(Header) || header_->record_bytes == 0 ||
        region.size() < bytes_needed(header_->record_bytes)) {
      throw std::invalid_argument("the region holds no seqlock");
    }
  }

  std::size_t record_bytes() const { return header_->record_bytes; }

  // The writer's. The record must have exactly its size.
  void store(std::span<const std::byte> record) {
    // relaxed: nobody else writes it. The words are released, so it is odd before any of them changes.
    const std::uint64_t sequence = header_->sequence.load(std::memory_order_relaxed);
    header_->sequence.store(sequence + 1, std::memory_order_relaxed);
    for (std::size_t word = 0, at = 0; at < record.size(); ++word, at += sizeof(std::uint64_t)) {
      std::uint64_t value = 0;
      std::memcpy(&value, record.data() + at, bytes_at(at));
      words_[word].store(value, std::memory_order_release);
    }
    header_->sequence.store(sequence + 2, std::memory_order_release);
  }

  // A reader's, one attempt: how many updates the copy is the result of; nullopt when the writer was there
  // meanwhile, and the copy is worth nothing.
  std::optional<std::uint64_t> try_load(std::span<std::byte> copy) const {
    const std::uint64_t before = header_->sequence.load(std::memory_order_acquire);
    if (before % 2 != 0) return std::nullopt;
    for (std::size_t word = 0, at = 0; at < copy.size(); ++word, at += sizeof(std::uint64_t)) {
      const std::uint64_t value = words_[word].load(std::memory_order_acquire);
      std::memcpy(copy.data() + at, &value, bytes_at(at));
    }
    // relaxed: the words were acquired.
    if (header_->sequence.load(std::memory_order_relaxed) != before) return std::nullopt;
    return before / 2;
  }

 private:
  using Word = std::atomic<std::uint64_t>;
  static_assert(Word::is_always_lock_free && sizeof(Word) == 8);

  // Processors fetch lines in pairs, and everybody watches the sequence.
  struct Header {
    alignas(alignment) std::atomic<std::uint64_t> sequence{0};
    std::size_t record_bytes;
  };

  static std::size_t words_in(std::size_t record_bytes) { return (record_bytes + 7) / 8; }
  std::size_t bytes_at(std::size_t at) const {
    const std::size_t left = header_->record_bytes - at;
    return left < 8 ? left : 8;
  }

  Header* header_;
  Word* words_;
};

}  // namespace ipcmark
