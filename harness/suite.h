// A named grid of cases, as a suite file or the command line asks for it: plain data, not yet matched to a
// machine.
//
// A suite file is one JSON object. Unknown keys are an error, and so is a key that stands twice. Keys and
// what they fill:
//
//   {
//     "name": "quick",                  Suite::name; [a-z0-9_-]+
//     "description": "one line",        Suite::description
//     "launches": 6,                    Suite::launches, 1 .. 1000; 1 when absent
//     "min_time": "120ms",              Suite::min_time_ns, a duration (harness/text.h); 100ms when absent
//     "seed": 42,                       Suite::seed; drawn per run when absent
//     "cover": "full",                  full (every combination) | pairwise (every pair of values); full when
//     absent "grids": [                        at least one
//       {
//         "workload":  ["ping_pong"],               names; required
//         "transport": ["*"],                       names, or "*" = every one; "*" when absent
//         "size":      ["64", "64..1Mi*4"],         parse_sizes; ["64"] when absent
//         "capacity":  ["default", "16", "0"],      parse_capacity; ["default"] when absent
//         "wait":      ["*", "spin+block"],         parse_wait_choice; ["block|futex|spin"] when absent
//         "access":    ["copy", "loan+copy"],       parse_access_choice; ["copy"] when absent
//         "placement": ["same_l3|same_package"],    parse_placement_choice; default_placement() when absent
//                                                   ("*" = every two of representative_pus(), see
//                                                   placement.h)
//         "touch": "full",                          full | header; full when absent
//         "limits": "host",                         host | raised; host when absent
//         "sched": "other",                         other | fifo:N; other when absent
//         "senders": [1, 4], ...                    any of further_parameters() (harness/case.h); a "mix"
//         other
//                                                   than none stands in the place of every size
//       }
//     ]
//   }
//
// Every array of one entry may be written as that entry alone. An entry of wait, access or placement may name
// alternatives, `a|b|c`: the first that the transport (the machine, for a placement) has. For wait and
// access, `*` stands for every one the transport has on both sides at once.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/case.h"

namespace ipcmark {

struct WaitPair {
  Wait send = Wait::block;
  Wait receive = Wait::block;
  friend auto operator<=>(const WaitPair&, const WaitPair&) = default;
};

struct AccessPair {
  Access send = Access::copy;
  Access receive = Access::copy;
  friend auto operator<=>(const AccessPair&, const AccessPair&) = default;
};

// One entry of a dimension: the first alternative that is there, or every one.
template <class T>
struct Choice {
  std::vector<T> first_of;  // not empty, unless `every`
  bool every = false;
  friend bool operator==(const Choice&, const Choice&) = default;
};

using WaitChoice = Choice<WaitPair>;
using AccessChoice = Choice<AccessPair>;
using PlacementChoice = Choice<std::string>;

// Two cores that share an L3, else the nearest thing this machine has: what a reader means by "two processes"
// when he says nothing else.
PlacementChoice default_placement();
// block where the transport can sleep in its own call, else futex, else spin.
WaitChoice default_wait();

struct Grid {
  std::vector<std::string> workloads;
  std::vector<std::string> transports = {"*"};
  std::vector<std::uint64_t> message_bytes = {64};
  std::vector<Capacity> capacities = {Capacity{}};
  std::vector<WaitChoice> waits = {default_wait()};
  std::vector<AccessChoice> accesses = {AccessChoice{{AccessPair{}}, false}};
  std::vector<PlacementChoice> placements = {default_placement()};
  Touch touch = Touch::full;
  Limits limits = Limits::host;
  std::string sched = "other";
  // Values of further_parameters(), by key, as words that parse; a key that is not there stays neutral.
  std::map<std::string, std::vector<std::string>, std::less<>> further;
};

struct Suite {
  enum class Cover : std::uint8_t { full, pairwise };

  std::string name;
  std::string description;
  unsigned launches = 1;
  std::uint64_t min_time_ns = 100'000'000;
  std::optional<std::uint64_t> seed;
  Cover cover = Cover::full;
  std::vector<Grid> grids;
};

// The words of one entry; nullopt when malformed. What is allowed, for a message, stands in the constant
// beside each. Sizes are ascending and without repeats; a range ends with the last step that does not pass
// its end.
std::optional<std::vector<std::uint64_t>> parse_sizes(std::string_view text);
inline constexpr std::string_view sizes_allowed =
    "1 to 1Ti bytes: 64, 4Ki, 1Mi, a range 64..1Mi (powers of two) or 64..1Mi*4";

inline constexpr std::string_view mixes_allowed =
    "a weight with every size, and no size twice (64:90,4Ki:10); a weight is a whole number, at least 1 in "
    "65536 of all";

std::optional<WaitChoice> parse_wait_choice(std::string_view text);
std::string waits_allowed();  // lists the words

std::optional<AccessChoice> parse_access_choice(std::string_view text);
inline constexpr std::string_view accesses_allowed =
    "copy, loan, send+receive (loan+copy), alternatives a|b, or *";

std::optional<PlacementChoice> parse_placement_choice(std::string_view text);
inline constexpr std::string_view placements_allowed =
    "same_pu, same_core, same_l2, same_l3, same_package, same_numa, cross_numa, cross_package, unpinned, "
    "hwloc logical PU indexes (0+1), alternatives a|b, or * for every two PUs";

inline constexpr std::string_view capacities_allowed =
    "default, 0 (rendezvous), a number of messages, unbounded";

bool valid_sched(std::string_view text);
inline constexpr std::string_view scheds_allowed = "other, fifo:N with N from 1 to 99";

std::string to_string(const WaitChoice& choice);
std::string to_string(const AccessChoice& choice);
std::string to_string(const PlacementChoice& choice);

}  // namespace ipcmark
