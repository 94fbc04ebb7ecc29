// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <limits>

namespace isthmus {

/// Rounding in double, rounding to nearest. Underflow is harmless here: what it loses is below
/// 1e-300 and lies far inside the radii.

inline constexpr double unit_roundoff = 0x1p-53;

/// n u / (1 - n u): the relative error of n roundings.
inline double gamma(std::size_t n) {
  const double error = static_cast<double>(n) * unit_roundoff;
  return error / (1.0 - error) * (1.0 + 8.0 * unit_roundoff);
}

/// The same in float32; infinity where it says nothing.
inline double float_gamma(std::size_t n) {
  const double error = static_cast<double>(n) * 0x1p-24;
  return error < 0.25 ? error / (1.0 - error) * (1.0 + 0x1p-40)
                      : std::numeric_limits<double>::infinity();
}

/// What gradual underflow loses in a sum in float32 lies far below.
inline constexpr double float_underflow = 0x1p-90;

/// A sum or product of a few numbers >= 0, each rounded: not below the exact one.
inline double up(double value) {
  return value * (1.0 + 0x1p-48) + 0x1p-1000;
}

/// A computed sigmoid or tanh (functions.h) is off by at most this.
inline constexpr double function_error = 0x1p-49;

// Of exp, expm1, log and log1p of the C library an error of at most 4 units in the last place is
// assumed (glibc states at most 2; a test checks it).

}  // namespace isthmus
