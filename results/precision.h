// When a case has been launched often enough: --precision.
//
// Looking at an interval again and again until it is narrow finds one that is narrow by chance. So it is
// looked at after rounds 6, 12, 24 ... only, and the 5 % by which a 95 % interval may miss are spent over the
// looks: what six launches take, then half of what is left each time. Every interval looked at then covers
// its median with 95 %, all of them together (Bonferroni's inequality; the spending is Lan & DeMets',
// Biometrika 70, 1983).
#pragma once

#include <optional>
#include <span>
#include <string>

#include "results/result_file.h"
#include "results/statistics.h"

namespace ipcmark {

inline constexpr unsigned first_look = 6;    // after so many rounds; the next after twice as many, and so on
inline constexpr unsigned most_rounds = 96;  // unless --launches says otherwise

constexpr bool is_look(unsigned round) {
  unsigned look = first_look;
  while (look < round) look *= 2;
  return look == round;
}

struct PrecisionReached {
  unsigned rounds = 0;  // after which it was looked at last
  double median = 0;
  std::optional<Interval> interval;  // of the median, at that look's level; nullopt: too few launches for it
  bool attained = false;

  // As a share of the median.
  std::optional<double> half_width() const {
    return interval ? std::optional((interval->high - interval->low) / 2 / median) : std::nullopt;
  }
};

// Of the figure that a case is about: the median of single events where every launch has it, else the time of
// a message. `launches` are of one case, in any order; looks after the last round that any of them is of have
// not happened. nullopt before the first look.
std::optional<PrecisionReached> precision_of(std::span<const LaunchRecord* const> launches, double asked);

// "precision of 5 % not attained after 96 rounds: half the interval is 7.1 % of the median"
std::string precision_reason(const std::optional<PrecisionReached>& reached, double asked);

}  // namespace ipcmark
