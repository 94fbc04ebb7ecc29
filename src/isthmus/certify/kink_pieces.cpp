// SPDX-License-Identifier: MIT
#include "isthmus/certify/kink_pieces.h"

#include <algorithm>
#include <cmath>

#include "isthmus/certify/rounding.h"

namespace isthmus {
namespace {

// The chord at the two ends of a part: with end values of three roundings each.
struct Chord {
  double first;
  double last;
};

Chord chord_on(double at_0, double at_1, std::size_t part) {
  const auto at = [&](std::size_t place) {
    const double s = static_cast<double>(place) / static_cast<double>(kink_parts);
    return (1.0 - s) * at_0 + s * at_1;
  };
  return {at(part), at(part + 1)};
}

// Of the chord and the sum with a bound.
double rounding_of(double at_0, double at_1, double low, double high) {
  return 0x1p-50 * (std::abs(at_0) + std::abs(at_1) + std::abs(low) + std::abs(high));
}

}  // namespace

WrongTimes wrong_times(const Rows& left,
                       const Rows& right,
                       const KinkBounds& bounds,
                       double radius,
                       std::int32_t label,
                       std::size_t lane,
                       double t0,
                       double t1) {
  WrongTimes all;
  const double width = (t1 - t0) / static_cast<double>(kink_parts);
  for (std::size_t part = 0; part < kink_parts; ++part) {
    WrongTimes times;
    for (std::size_t j = 0; j < left.size(); ++j) {
      if (j == static_cast<std::size_t>(label)) {
        continue;
      }
      const Chord chord = chord_on(left[j][lane], right[j][lane], part);
      const double low = bounds.low[j][part];
      const double high = bounds.high[j][part];
      const double around = up(radius + rounding_of(left[j][lane], right[j][lane], low, high));
      const double most = high + around;
      const std::vector<Range> possible =
          cover_of_nonnegative(chord.first + most, chord.last + most, 0.0);
      if (possible.empty()) {
        continue;
      }
      times.possible.insert(times.possible.end(), possible.begin(), possible.end());
      const double least = low - around;
      const std::vector<Range> right_times =
          cover_of_nonnegative(-chord.first - least, -chord.last - least, 0.0);
      const std::vector<Range> certain = complement(right_times, 0.0, 1.0);
      times.certain.insert(times.certain.end(), certain.begin(), certain.end());
    }
    const double from = t0 + width * static_cast<double>(part);
    times = in_time(std::move(times), from, part + 1 == kink_parts ? t1 : from + width);
    all.possible.insert(all.possible.end(), times.possible.begin(), times.possible.end());
    all.certain.insert(all.certain.end(), times.certain.begin(), times.certain.end());
  }
  join(all.possible);
  join(all.certain);
  return all;
}

// The loss grows with each margin and is convex along a line of them: on the part it is at most the
// chord of its values for the line of upper bounds, less its sag.
LossSums part_sums(const Rows& left,
                   const Rows& right,
                   std::span<const KinkBounds> bounds,
                   double radius,
                   std::int32_t label,
                   std::size_t part) {
  Rows first(left.size());
  Rows last(left.size());
  Deviation none{.low = Rows(left.size()), .high = Rows(left.size()), .radius = radius};
  double rounding = 0.0;
  for (std::size_t j = 0; j < left.size(); ++j) {
    for (std::size_t lane = 0; lane < bounds.size(); ++lane) {
      const Chord chord = chord_on(left[j][lane], right[j][lane], part);
      const double high = bounds[lane].high[j][part];
      first[j][lane] = chord.first + high;
      last[j][lane] = chord.last + high;
      rounding = std::max(rounding, rounding_of(left[j][lane], right[j][lane], 0.0, high));
    }
  }
  none.radius = up(radius + rounding);
  return loss_sums(Loss::cross_entropy,
                   first,
                   last,
                   none,
                   {.count = bounds.size(), .label = label, .targets = {}});
}

}  // namespace isthmus
