// SPDX-License-Identifier: MIT
#include "isthmus/data/half.h"

#include <bit>

namespace isthmus {

float float_from_half(std::uint16_t bits) {
  constexpr std::uint32_t bias = 127 - 15;
  const std::uint32_t sign = (bits & 0x8000U) << 16U;
  const std::uint32_t exponent = bits >> 10U & 0x1fU;
  const std::uint32_t mantissa = bits & 0x3ffU;
  if (exponent == 0x1fU) {  // infinity or NaN
    return std::bit_cast<float>(sign | 0x7f800000U | mantissa << 13U);
  }
  if (exponent == 0) {  // zero or subnormal: mantissa * 2^-24, exact in float
    const float magnitude = static_cast<float>(mantissa) * 0x1.0p-24F;
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
  }
  return std::bit_cast<float>(sign | (exponent + bias) << 23U | mantissa << 13U);
}

float float_from_bfloat16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
}

}  // namespace isthmus
