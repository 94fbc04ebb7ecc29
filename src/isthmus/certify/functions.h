// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstdint>

#include "isthmus/certify/rounding.h"
#include "isthmus/core/target.h"

namespace isthmus {

// These become part of loops that are compiled for several instruction sets: no branches, no calls.

/// exp(x) for x <= 0, off by less than 4 units in the last place; exp(-700) below that. NaN stays.
/// x = k log 2 + r with |r| <= 0.35: r is off by 2^-55, the Taylor polynomial of degree 13 by
/// 2^-57, its sum by less than 2 units (docs/certificate.md).
ISTHMUS_BODY double exp_of_negative(double x) {
  constexpr double log2_e = 0x1.71547652b82fep+0;
  constexpr double ln2_high = 0x1.62e42feep-1;  // 32 digits: times k without rounding
  constexpr double ln2_low = 0x1.a39ef35793c76p-33;
  constexpr double to_integer = 0x1.8p52;  // added: the last digits are those of the integer
  x = x < -700.0 ? -700.0 : x;
  const double shifted = x * log2_e + to_integer;
  const double k = shifted - to_integer;
  const double r = (x - k * ln2_high) - k * ln2_low;
  double sum = 1.0 / 6227020800.0;
  sum = sum * r + 1.0 / 479001600.0;
  sum = sum * r + 1.0 / 39916800.0;
  sum = sum * r + 1.0 / 3628800.0;
  sum = sum * r + 1.0 / 362880.0;
  sum = sum * r + 1.0 / 40320.0;
  sum = sum * r + 1.0 / 5040.0;
  sum = sum * r + 1.0 / 720.0;
  sum = sum * r + 1.0 / 120.0;
  sum = sum * r + 1.0 / 24.0;
  sum = sum * r + 1.0 / 6.0;
  sum = sum * r + 0.5;
  sum = sum * r + 1.0;
  sum = sum * r + 1.0;
  return std::bit_cast<double>(std::bit_cast<std::uint64_t>(sum) +
                               (std::bit_cast<std::uint64_t>(shifted) << 52));
}

/// Off by less than function_error.
ISTHMUS_BODY double sigmoid_of(double z) {
  const double e = exp_of_negative(z < 0.0 ? z : -z);
  return (z < 0.0 ? e : 1.0) / (1.0 + e);
}

/// Off by less than function_error.
ISTHMUS_BODY double tanh_of(double z) {
  const double e = exp_of_negative(2.0 * (z < 0.0 ? z : -z));
  const double size = (1.0 - e) / (1.0 + e);
  return z < 0.0 ? -size : size;
}

}  // namespace isthmus
