// Whose turn it is.
#pragma once

namespace ipcmark::accuracy {

// A round is so many passes, in each of which every contestant has one turn: what the machine does to one
// turn, its neighbours share. Three contestants or four have every place of a pass equally often.
inline constexpr unsigned passes_per_round = 12;

// The next pass begins one further on, and so does the next launch.
constexpr unsigned contestant_at(unsigned launch, unsigned pass, unsigned place, unsigned contestants) {
  return (launch + pass + place) % contestants;
}

}  // namespace ipcmark::accuracy
