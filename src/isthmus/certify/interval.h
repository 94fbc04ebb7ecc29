// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

namespace isthmus {

/// A closed interval of real numbers, and arithmetic whose result contains every real result of
/// numbers in the operands.
///
/// It rests on IEEE 754 double arithmetic rounded to nearest, correctly rounded `sqrt` included,
/// without contraction or reassociation (the flags of this project; never -ffast-math). Each
/// computed end r then differs from its real value by at most half a unit in its last place, or by
/// 2^-1075 after underflow. Both ends are moved outwards by |r| 2^-52 + 1e-200: at least one unit
/// in the last place of r (the 1e-200 covers underflow, and keeps subnormal numbers, which are
/// slow, out of long sums). Ends that overflow become infinite or NaN: test finite() before a
/// result is used.
struct Interval {
  double low = 0.0;
  double high = 0.0;

  constexpr Interval() = default;
  /// The number itself.
  // NOLINTNEXTLINE(google-explicit-constructor): formulas mix intervals and exact numbers
  constexpr Interval(double value) : low(value), high(value) {}
  constexpr Interval(double from, double to) : low(from), high(to) {}

  bool finite() const { return std::isfinite(low) && std::isfinite(high); }
  bool contains(double value) const { return low <= value && value <= high; }
  double width() const { return high - low; }
  /// The largest absolute value in it.
  double magnitude() const { return std::max(std::abs(low), std::abs(high)); }
  /// The smallest absolute value in it.
  double mignitude() const { return contains(0.0) ? 0.0 : std::min(std::abs(low), std::abs(high)); }
};

/// A lower, or upper, bound of every real number that rounds to `value`.
inline double round_down(double value) {
  return value - (std::abs(value) * 0x1p-52 + 1e-200);
}
inline double round_up(double value) {
  return value + (std::abs(value) * 0x1p-52 + 1e-200);
}

inline Interval outwards(double low, double high) {
  return {round_down(low), round_up(high)};
}

inline Interval operator-(Interval a) {
  return {-a.high, -a.low};
}
inline Interval operator+(Interval a, Interval b) {
  return outwards(a.low + b.low, a.high + b.high);
}
inline Interval operator-(Interval a, Interval b) {
  return outwards(a.low - b.high, a.high - b.low);
}

inline Interval operator*(Interval a, Interval b) {
  const double p = a.low * b.low;
  const double q = a.low * b.high;
  const double r = a.high * b.low;
  const double s = a.high * b.high;
  return outwards(std::min(std::min(p, q), std::min(r, s)),
                  std::max(std::max(p, q), std::max(r, s)));
}

/// a / b; everything if b contains 0.
inline Interval operator/(Interval a, Interval b) {
  if (b.contains(0.0)) {
    return {-std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
  }
  const double p = a.low / b.low;
  const double q = a.low / b.high;
  const double r = a.high / b.low;
  const double s = a.high / b.high;
  return outwards(std::min(std::min(p, q), std::min(r, s)),
                  std::max(std::max(p, q), std::max(r, s)));
}

inline Interval& operator+=(Interval& a, Interval b) {
  return a = a + b;
}
inline Interval& operator-=(Interval& a, Interval b) {
  return a = a - b;
}

/// The smallest interval that contains both.
inline Interval hull(Interval a, Interval b) {
  return {std::min(a.low, b.low), std::max(a.high, b.high)};
}

/// The squares; the lower end is never negative.
inline Interval square(Interval a) {
  const double small = a.mignitude();
  const double large = a.magnitude();
  return {std::max(0.0, round_down(small * small)), round_up(large * large)};
}

/// The positive parts max(0, x).
inline Interval relu(Interval a) {
  return {std::max(0.0, a.low), std::max(0.0, a.high)};
}

/// The roots of what is not negative in it.
inline Interval sqrt(Interval a) {
  return {std::max(0.0, round_down(std::sqrt(std::max(0.0, a.low)))),
          round_up(std::sqrt(std::max(0.0, a.high)))};
}

}  // namespace isthmus
