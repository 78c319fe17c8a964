#include "harness/refusals.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "harness/contract.h"

namespace ipcmark {

void require_buffered(std::string_view transport, const Capacity& capacity, std::string_view bound) {
  if (capacity.kind == Capacity::Kind::rendezvous) {
    throw Unsupported(fmt::format("{}: no rendezvous (capacity 0): it keeps what is sent", transport));
  }
  if (capacity.kind == Capacity::Kind::unbounded) {
    throw Unsupported(fmt::format("{}: not unbounded: {}", transport, bound));
  }
}

std::optional<std::uint64_t> read_sysctl(std::string_view name) {
  std::string path = "/proc/sys/" + std::string(name);
  std::replace(path.begin(), path.end(), '.', '/');
  std::uint64_t value = 0;
  if (!(std::ifstream(path) >> value)) return std::nullopt;
  return value;
}

void require_within(std::string_view transport, std::string_view what, std::uint64_t value,
                    std::string_view sysctl) {
  const std::optional<std::uint64_t> limit = read_sysctl(sysctl);
  if (!limit) throw Unsupported(fmt::format("{}: this kernel offers no {}", transport, sysctl));
  if (value <= *limit) return;
  throw Unsupported(fmt::format("{}: {} is over this machine's {} {}; --limits raised, or raise {}",
                                transport, what, sysctl.substr(sysctl.rfind('.') + 1), *limit, sysctl));
}

}  // namespace ipcmark
