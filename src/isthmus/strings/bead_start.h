// SPDX-License-Identifier: MIT
#pragma once

#include <span>

namespace isthmus {

/// A segment from left to right, and the beads before and behind it; those are empty where there
/// are none. (P) each.
struct SegmentPlace {
  std::span<const float> before;
  std::span<const float> left;
  std::span<const float> right;
  std::span<const float> behind;
};

/// The start theta (P) of a bead at t in (0, 1): chord + bend * (curve - chord). The chord is the
/// point of interpolate(); the curve is the polynomial through the beads at -1, 0, 1 and 2, of
/// degree one less than there are, at t = 1/2 the four-point scheme
/// (9 (left + right) - (before + behind)) / 16. A bend of 0 is the chord's point bit for bit.
void place_start(const SegmentPlace& place, double t, double bend, std::span<float> theta);

}  // namespace isthmus
