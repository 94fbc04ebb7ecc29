// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstddef>

namespace isthmus {

/// Rounding in double, rounding to nearest. Underflow is harmless here: what it loses is below
/// 1e-300 and lies far inside the radii.

inline constexpr double unit_roundoff = 0x1p-53;

/// n u / (1 - n u): the relative error of n roundings.
inline double gamma(std::size_t n) {
  const double error = static_cast<double>(n) * unit_roundoff;
  return error / (1.0 - error) * (1.0 + 8.0 * unit_roundoff);
}

/// A sum or product of a few numbers >= 0, each rounded: not below the exact one.
inline double up(double value) {
  return value * (1.0 + 0x1p-48) + 0x1p-1000;
}

/// Assumed of exp, expm1, log, log1p and tanh of the C library: an error of at most 4 units in the
/// last place (glibc states at most 2; a test checks it). Then a computed sigmoid or tanh is off by
/// at most this.
inline constexpr double function_error = 0x1p-49;

inline double sigmoid(double z) {
  const double e = std::exp(-std::abs(z));
  return (z >= 0.0 ? 1.0 : e) / (1.0 + e);
}

}  // namespace isthmus
