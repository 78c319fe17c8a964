// Memory that processes share, in which a link or a record lies: made by the launch's parent, all zero bytes,
// and mapped by each process that takes part. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

#include "harness/contract.h"

namespace ipcmark {

class AnyMapping {
 public:
  virtual ~AnyMapping() = default;
  virtual std::span<std::byte> bytes() const = 0;  // page-aligned, this process's until the object goes
};

// Its name goes with the object that its maker holds.
class AnyRegion {
 public:
  virtual ~AnyRegion() = default;
  virtual std::unique_ptr<AnyMapping> map() const = 0;  // throws std::system_error
  // By which a stranger finds it. Throws std::logic_error where none can.
  virtual std::string address() const = 0;
};

// How a transport makes them. All throw Unsupported or std::system_error.
struct RegionKind {
  // Of `bytes`, of which a role that maps it touches only the first `prefaulted_bytes`.
  std::unique_ptr<AnyRegion> (*make)(const Shape&, std::size_t bytes, std::size_t prefaulted_bytes);
  // One that a stranger made; null where none can be found.
  std::unique_ptr<AnyRegion> (*attach)(const Shape&, std::size_t bytes, const std::string& address);
  std::uint64_t (*most_bytes)();  // that one may take here
};

// A Region as a transport writes it:
//   Region(const Shape&, std::size_t bytes, std::size_t prefaulted_bytes)
//   Mapping map() const                       Mapping owns it, and has bytes()
//   static std::uint64_t most_bytes()
// and, only where a stranger can find it,
//   Region(const Shape&, std::size_t bytes, const std::string& address)
//   std::string address() const
template <class Region>
class ErasedRegion final : public AnyRegion {
 public:
  template <class... Arguments>
  explicit ErasedRegion(Arguments&&... arguments) : region_(std::forward<Arguments>(arguments)...) {}

  std::unique_ptr<AnyMapping> map() const override { return std::make_unique<Mapping>(region_.map()); }
  std::string address() const override {
    if constexpr (requires { region_.address(); }) return region_.address();
    throw std::logic_error("no stranger can find this region");
  }

 private:
  class Mapping final : public AnyMapping {
   public:
    explicit Mapping(decltype(std::declval<const Region&>().map()) mapping) : mapping_(std::move(mapping)) {}
    std::span<std::byte> bytes() const override { return mapping_.bytes(); }

   private:
    decltype(std::declval<const Region&>().map()) mapping_;
  };

  Region region_;
};

template <class Region>
constexpr RegionKind region_kind() {
  RegionKind kind{.make = [](const Shape& shape, std::size_t bytes,
                             std::size_t prefaulted_bytes) -> std::unique_ptr<AnyRegion> {
                    return std::make_unique<ErasedRegion<Region>>(shape, bytes, prefaulted_bytes);
                  },
                  .attach = nullptr,
                  .most_bytes = Region::most_bytes};
  if constexpr (requires(const Region region) { region.address(); }) {
    kind.attach = [](const Shape& shape, std::size_t bytes,
                     const std::string& address) -> std::unique_ptr<AnyRegion> {
      return std::make_unique<ErasedRegion<Region>>(shape, bytes, address);
    };
  }
  return kind;
}

}  // namespace ipcmark
