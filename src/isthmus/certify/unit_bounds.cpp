// SPDX-License-Identifier: MIT
#include "isthmus/certify/unit_bounds.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "isthmus/certify/rounding.h"

namespace isthmus {
namespace {

constexpr double widening = 0x1p-48;  // a dozen roundings of numbers that it multiplies

Bounds widened(Bounds bounds, double scale) {
  const double error = widening * scale;
  return {bounds.low - error, bounds.high + error};
}

// A lower bound of (sqrt(x) + sqrt(y))^2 for x, y >= 0: the least of x / s + y / (1 - s).
double least_over_s(double x, double y) {
  return (x + y + 2.0 * std::sqrt(x) * std::sqrt(y)) * (1.0 - widening);
}

// A lower bound over s in (0, 1) of max(a - x / s, b - y / (1 - s)) for x, y >= 0: the first
// increases and the second decreases, so that at any place the smaller one is a bound. The place
// where they cross is the best; it need not be exact.
double least_of_larger(double a, double x, double b, double y) {
  // (a - b) s (1 - s) - x (1 - s) + y s = 0
  const double d = a - b;
  const double linear = d + x + y;
  const double root = std::sqrt(std::max(0.0, linear * linear - 4.0 * d * x));
  const double denominator = linear + root;
  double s = denominator > 0.0 ? 2.0 * x / denominator : 0.5;
  s = std::clamp(s, 1e-12, 1.0 - 1e-12);
  return std::min(a - x / s, b - y / (1.0 - s));
}

// A smooth function f between z0 and z1: f' lies in `slope`, f'' in `curvature`.
Bounds bound_smooth(double z0, double z1, Bounds z, Bounds slope, Bounds curvature) {
  const double change = z1 - z0;
  const double half = 0.5 * change * change;
  const Bounds result{
      -half * curvature.high + (z.low < 0.0 ? z.low * slope.high : z.low * slope.low),
      -half * curvature.low + (z.high > 0.0 ? z.high * slope.high : z.high * slope.low)};
  return widened(result, half + std::abs(z.low) + std::abs(z.high));
}

// The range of f'' where it is a cubic of the value f with one smallest and one largest place.
Bounds curvature_range(
    double f0, double f1, double g0, double g1, double f_low, double f_high, double extreme) {
  Bounds range{std::min(g0, g1), std::max(g0, g1)};
  const auto inside = [&](double f) { return std::min(f0, f1) <= f && f <= std::max(f0, f1); };
  // f'' is largest at the smaller and smallest at the larger of the two places.
  if (inside(f_low)) {
    range.high = extreme;
  }
  if (inside(f_high)) {
    range.low = -extreme;
  }
  return widened(range, 1.0);
}

// The range of f' between the ends, which lie on one side of its top at 0 or on both, and beyond
// them by as much as the deviation reaches.
Bounds slope_range(double z0, double z1, double p0, double p1, double top, double reach_of_slope) {
  const bool over_top = (z0 <= 0.0) != (z1 <= 0.0) || z0 == 0.0 || z1 == 0.0;
  const double high = over_top ? top : std::max(p0, p1);
  return widened(
      {std::max(0.0, std::min(p0, p1) - reach_of_slope), std::min(top, high + reach_of_slope)},
      1.0);
}

double reach(Bounds z, double radius) {
  return 0.25 * std::max({-z.low, z.high, 0.0}) + radius;  // q <= 1/4
}

}  // namespace

Bounds bound_relu(double z0, double z1, Bounds z) {
  if (z0 >= 0.0 && z1 >= 0.0) {
    return {z.low, z.high >= 0.0 ? z.high : std::max(z.high, -least_over_s(z0, z1))};
  }
  if (z0 <= 0.0 && z1 <= 0.0) {
    const double above = z.high - least_over_s(-z0, -z1);
    return {0.0, above > 0.0 ? above * (1.0 + widening) : 0.0};
  }
  const double below = -std::min(z0, z1);
  const double above = std::max(z0, z1);
  // s counted from the end where the unit is off.
  const Bounds result{least_of_larger(z.low, below, 0.0, above), std::max(z.high - below, -above)};
  return widened(result, std::abs(z.low) + std::abs(z.high) + below + above);
}

Bounds bound_sigmoid(double z0, double z1, Bounds z, double radius) {
  constexpr double steepest_slope = 0.0962250448649377;  // of the slope: 1 / (6 sqrt 3), rounded up
  const double f0 = sigmoid(z0);
  const double f1 = sigmoid(z1);
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

Bounds bound_tanh(double z0, double z1, Bounds z, double radius) {
  constexpr double steepest_slope = 0.7698003589195011;  // 4 / (3 sqrt 3), rounded up
  const double f0 = std::tanh(z0);
  const double f1 = std::tanh(z1);
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

Bounds bound_maximum(std::span<const Candidate> candidates) {
  double left = candidates[0].left;
  double right = candidates[0].right;
  double scale = 0.0;
  for (const Candidate& one : candidates) {
    left = std::max(left, one.left);
    right = std::max(right, one.right);
    scale = std::max({scale, std::abs(one.bounds.low), std::abs(one.bounds.high)});
  }
  double high = -std::numeric_limits<double>::infinity();
  double low = -std::numeric_limits<double>::infinity();
  const Candidate* wins_left = nullptr;
  const Candidate* wins_right = nullptr;
  for (const Candidate& one : candidates) {
    const double gap_left = left - one.left;
    const double gap_right = right - one.right;
    high = std::max(high, one.bounds.high - least_over_s(gap_left, gap_right));
    if (gap_left == 0.0 && gap_right == 0.0) {
      low = std::max(low, one.bounds.low);
    }
    if (gap_left == 0.0 && (!wins_left || one.right > wins_left->right)) {
      wins_left = &one;
    }
    if (gap_right == 0.0 && (!wins_right || one.left > wins_right->left)) {
      wins_right = &one;
    }
  }
  if (wins_left != wins_right) {
    const double gap_left = left - wins_right->left;  // closes as s goes to 1
    const double gap_right = right - wins_left->right;
    low = std::max(
        low, least_of_larger(wins_right->bounds.low, gap_left, wins_left->bounds.low, gap_right));
    scale += gap_left + gap_right;
  }
  return widened({low, high}, scale);
}

}  // namespace isthmus
