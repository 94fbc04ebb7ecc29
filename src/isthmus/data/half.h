// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace isthmus {

/// The float32 of the same value as the IEEE binary16 number with these bits: exact, subnormal
/// numbers, infinities and NaN (with its payload) included.
float float_from_half(std::uint16_t bits);

/// The float32 of the same value as the bfloat16 number with these bits.
float float_from_bfloat16(std::uint16_t bits);

}  // namespace isthmus
