// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "isthmus/certify/enclosure.h"
#include "isthmus/certify/loss_bound.h"

namespace isthmus {

/// A closed range of t.
struct Range {
  double from = 0.0;
  double to = 0.0;
};

/// When one sample is misread between two t: outside `possible` it is read right, inside `certain`
/// (taken without its ends) it is read wrong. Both are sorted and disjoint. A tie counts as wrong.
struct WrongTimes {
  std::vector<Range> possible;
  std::vector<Range> certain;
};

/// The same, of one sample of a block whose outputs are margins. `t0`, `t1`: the interval.
WrongTimes wrong_times(const Rows& left,
                       const Rows& right,
                       const Deviation& deviation,
                       std::int32_t label,
                       std::size_t lane,
                       double t0,
                       double t1);

/// Ranges of s in [0, 1] as ones of t in [t0, t1]: possible ones rounded outwards, certain ones
/// inwards, each sorted and joined.
WrongTimes in_time(WrongTimes times, double t0, double t1);

/// Ranges that hold every s in [0, 1] with (1 - s) m0 + s m1 + s (1 - s) c >= 0.
std::vector<Range> cover_of_nonnegative(double m0, double m1, double c);

/// Sorts ranges and joins those that overlap or touch.
void join(std::vector<Range>& ranges);
/// What of [0, 1] (or [from, to]) joined ranges leave.
std::vector<Range> complement(std::span<const Range> ranges, double from, double to);

/// The most ranges that hold one point, and where that is. With `open`, ranges have no ends.
struct Crowd {
  std::size_t count = 0;
  Range at;
};
Crowd largest_crowd(std::span<const Range> ranges, bool open);
/// Where more than `limit` closed ranges meet; disjoint, in order.
std::vector<Range> crowded(std::span<const Range> ranges, double limit);
/// True if one of some disjoint ranges in order shares a point with `range`.
bool overlap(std::span<const Range> ranges, const Range& range);

}  // namespace isthmus
