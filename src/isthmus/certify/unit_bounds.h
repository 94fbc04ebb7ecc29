// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

#include "isthmus/certify/functions.h"
#include "isthmus/certify/rounding.h"

namespace isthmus {

/// Bounds on the deviation from the chord, in multiples of q = s (1 - s): with end values z0 and
/// z1, z(s) lies in (1 - s) z0 + s z1 + q [low, high].
struct Bounds {
  double low = 0.0;
  double high = 0.0;
};

// What a nonlinearity makes of such a unit: bounds around the chord of its values at the two ends.
// docs/certificate.md has the proofs; results hold in spite of their own rounding. Written without
// branches, for loops over samples that run in vectors (kernels.cpp).

namespace unit_bounds {

constexpr double widening = 0x1p-48;  // a dozen roundings of numbers that it multiplies

ISTHMUS_BODY double larger(double a, double b) {
  return a > b ? a : b;
}
ISTHMUS_BODY double smaller(double a, double b) {
  return a < b ? a : b;
}
ISTHMUS_BODY double magnitude(double a) {
  return std::abs(a);
}

ISTHMUS_BODY Bounds widened(Bounds bounds, double scale) {
  const double error = widening * scale;
  return {bounds.low - error, bounds.high + error};
}

// A lower bound of (sqrt(x) + sqrt(y))^2 for x, y >= 0: the least of x / s + y / (1 - s).
ISTHMUS_BODY double least_over_s(double x, double y) {
  return (x + y + 2.0 * std::sqrt(x) * std::sqrt(y)) * (1.0 - widening);
}

// A lower bound over s in (0, 1) of max(a - x / s, b - y / (1 - s)) for x, y >= 0: the first
// increases and the second decreases, so that at any place the smaller one is a bound. The place
// where they cross is the best; it need not be exact.
ISTHMUS_BODY double least_of_larger(double a, double x, double b, double y) {
  // (a - b) s (1 - s) - x (1 - s) + y s = 0
  const double d = a - b;
  const double linear = d + x + y;
  const double root = std::sqrt(larger(0.0, linear * linear - 4.0 * d * x));
  const double denominator = linear + root;
  double s = denominator > 0.0 ? 2.0 * x / denominator : 0.5;
  s = larger(1e-12, smaller(1.0 - 1e-12, s));
  return smaller(a - x / s, b - y / (1.0 - s));
}

// The range of f'' where it is a cubic of the value f, smallest at one place and largest at
// another. It takes its largest value +-`extreme` at f_low and the negative of that at f_high.
ISTHMUS_BODY Bounds curvature_range(
    double f0, double f1, double g0, double g1, double f_low, double f_high, double extreme) {
  const double first = smaller(f0, f1);
  const double last = larger(f0, f1);
  const bool over_top = first <= f_low && f_low <= last;
  const bool over_bottom = first <= f_high && f_high <= last;
  return widened({over_bottom ? -extreme : smaller(g0, g1), over_top ? extreme : larger(g0, g1)},
                 1.0);
}

// The range of f' between the ends, which lie on one side of its top at 0 or on both, and beyond
// them by as much as the deviation reaches.
ISTHMUS_BODY Bounds
slope_range(double z0, double z1, double p0, double p1, double top, double reach_of_slope) {
  const bool over_top = smaller(z0, z1) <= 0.0 && larger(z0, z1) >= 0.0;
  const double high = over_top ? top : larger(p0, p1);
  return widened(
      {larger(0.0, smaller(p0, p1) - reach_of_slope), smaller(top, high + reach_of_slope)}, 1.0);
}

// How far a unit moves from its chord: q <= 1/4.
ISTHMUS_BODY double reach(Bounds z, double radius) {
  return 0.25 * larger(larger(-z.low, z.high), 0.0) + radius;
}

// A smooth function f between z0 and z1: f' lies in `slope`, f'' in `curvature`.
ISTHMUS_BODY Bounds bound_smooth(double z0, double z1, Bounds z, Bounds slope, Bounds curvature) {
  const double change = z1 - z0;
  const double half = 0.5 * change * change;
  const Bounds result{-half * curvature.high + z.low * (z.low < 0.0 ? slope.high : slope.low),
                      -half * curvature.low + z.high * (z.high > 0.0 ? slope.high : slope.low)};
  return widened(result, half + magnitude(z.low) + magnitude(z.high));
}

}  // namespace unit_bounds

// NOLINTBEGIN(google-build-using-namespace): inside functions that are formulas of these alone

ISTHMUS_BODY double relu_of(double z) {
  return z < 0.0 ? 0.0 : z;  // NaN stays
}

ISTHMUS_BODY Bounds bound_relu(double z0, double z1, Bounds z) {
  using namespace unit_bounds;
  const bool on = z0 >= 0.0 && z1 >= 0.0;
  const bool off = z0 <= 0.0 && z1 <= 0.0;
  const double least = least_over_s(magnitude(z0), magnitude(z1));
  const double high_on = z.high >= 0.0 ? z.high : larger(z.high, -least);
  const double high_off = larger(0.0, (z.high - least) * (1.0 + widening));
  // One end on: s counted from the end where the unit is off.
  const double below = magnitude(smaller(z0, z1));
  const double above = magnitude(larger(z0, z1));
  const Bounds kinked =
      widened({least_of_larger(z.low, below, 0.0, above), larger(z.high - below, -above)},
              magnitude(z.low) + magnitude(z.high) + below + above);
  return {on ? z.low : off ? 0.0 : kinked.low, on ? high_on : off ? high_off : kinked.high};
}

/// f0, f1: the function at z0, z1. `radius`: a further deviation of z, not in multiples of q (it
/// moves the slopes, no more).
ISTHMUS_BODY Bounds
bound_sigmoid(double z0, double z1, double f0, double f1, Bounds z, double radius) {
  using namespace unit_bounds;
  constexpr double steepest_slope = 0.0962250448649377;  // of the slope: 1 / (6 sqrt 3), rounded up
  const double p0 = f0 * (1.0 - f0);
  const double p1 = f1 * (1.0 - f1);
  const Bounds curvature = curvature_range(f0,
                                           f1,
                                           p0 * (1.0 - 2.0 * f0),
                                           p1 * (1.0 - 2.0 * f1),
                                           0.21132486540518713,  // (3 - sqrt 3) / 6
                                           0.7886751345948129,
                                           steepest_slope);
  const Bounds slope = slope_range(z0, z1, p0, p1, 0.25, up(steepest_slope * reach(z, radius)));
  return bound_smooth(z0, z1, z, slope, curvature);
}

ISTHMUS_BODY Bounds
bound_tanh(double z0, double z1, double f0, double f1, Bounds z, double radius) {
  using namespace unit_bounds;
  constexpr double steepest_slope = 0.7698003589195011;  // 4 / (3 sqrt 3), rounded up
  const double p0 = 1.0 - f0 * f0;
  const double p1 = 1.0 - f1 * f1;
  const Bounds curvature = curvature_range(f0,
                                           f1,
                                           -2.0 * f0 * p0,
                                           -2.0 * f1 * p1,
                                           -0.5773502691896258,
                                           0.5773502691896258,
                                           steepest_slope);
  const Bounds slope = slope_range(z0, z1, p0, p1, 1.0, up(steepest_slope * reach(z, radius)));
  return bound_smooth(z0, z1, z, slope, curvature);
}

/// The largest of several units, for `Count` samples at once: raise() for each unit first, then
/// add() for each of them.
template <std::size_t Count>
class LargestUnit {
 public:
  ISTHMUS_BODY LargestUnit() {
    constexpr double none = -std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < Count; ++i) {
      left_[i] = right_[i] = low_[i] = high_[i] = best_right_[i] = best_left_[i] = none;
      scale_[i] = low_at_left_[i] = low_at_right_[i] = 0.0;
    }
  }

  /// The end values of a unit.
  ISTHMUS_BODY void raise(const double* left, const double* right) {
    for (std::size_t i = 0; i < Count; ++i) {
      left_[i] = unit_bounds::larger(left_[i], left[i]);
      right_[i] = unit_bounds::larger(right_[i], right[i]);
    }
  }

  ISTHMUS_BODY void add(const double* left,
                        const double* right,
                        const double* low,
                        const double* high) {
    using namespace unit_bounds;
    for (std::size_t i = 0; i < Count; ++i) {
      const double gap_left = left_[i] - left[i];
      const double gap_right = right_[i] - right[i];
      high_[i] = larger(high_[i], high[i] - least_over_s(gap_left, gap_right));
      const bool both = gap_left == 0.0 && gap_right == 0.0;
      low_[i] = both ? larger(low_[i], low[i]) : low_[i];
      const bool wins_left = gap_left == 0.0 && right[i] > best_right_[i];
      best_right_[i] = wins_left ? right[i] : best_right_[i];
      low_at_left_[i] = wins_left ? low[i] : low_at_left_[i];
      const bool wins_right = gap_right == 0.0 && left[i] > best_left_[i];
      best_left_[i] = wins_right ? left[i] : best_left_[i];
      low_at_right_[i] = wins_right ? low[i] : low_at_right_[i];
      scale_[i] = larger(scale_[i], larger(magnitude(low[i]), magnitude(high[i])));
    }
  }

  ISTHMUS_BODY void bounds(double* low, double* high) const {
    using namespace unit_bounds;
    for (std::size_t i = 0; i < Count; ++i) {
      // The unit that wins at the right end closes its gap at the left as s goes to 1.
      const double gap_left = left_[i] - best_left_[i];
      const double gap_right = right_[i] - best_right_[i];
      const double kinked = least_of_larger(low_at_right_[i], gap_left, low_at_left_[i], gap_right);
      const Bounds result =
          widened({larger(low_[i], kinked), high_[i]}, scale_[i] + gap_left + gap_right);
      low[i] = result.low;
      high[i] = result.high;
    }
  }

 private:
  using Numbers = std::array<double, Count>;
  Numbers left_, right_;            // the largest end values
  Numbers low_, high_;              // so far
  Numbers best_right_, best_left_;  // at the other end, of the units that win at one
  Numbers low_at_left_, low_at_right_;
  Numbers scale_;
};

// NOLINTEND(google-build-using-namespace)

}  // namespace isthmus
