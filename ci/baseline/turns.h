// Whose turn it is.
#pragma once

namespace ipcmark::accuracy {

// In each round every contestant once, the next round beginning one further on, and so does the next launch:
// over as many launches as there are contestants each has every place equally often, however many rounds a
// launch has.
constexpr unsigned contestant_at(unsigned launch, unsigned round, unsigned place, unsigned contestants) {
  return (launch + round + place) % contestants;
}

}  // namespace ipcmark::accuracy
