// SPDX-License-Identifier: MIT
#include "isthmus/data/half.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

namespace isthmus {
namespace {

// The value of a binary16 number by its definition, in double.
double half_by_definition(unsigned bits) {
  const double sign = (bits & 0x8000U) != 0 ? -1.0 : 1.0;
  const int exponent = static_cast<int>(bits >> 10U & 0x1fU);
  const double fraction = (bits & 0x3ffU) / 1024.0;
  if (exponent == 31) {
    return fraction == 0.0 ? sign * std::numeric_limits<double>::infinity()
                           : std::numeric_limits<double>::quiet_NaN();
  }
  return exponent == 0 ? sign * std::ldexp(fraction, -14)
                       : sign * std::ldexp(1.0 + fraction, exponent - 15);
}

TEST(Half, all_65536_numbers_convert_exactly) {
  for (unsigned bits = 0; bits <= 0xffffU; ++bits) {
    const float value = float_from_half(static_cast<std::uint16_t>(bits));
    const double expected = half_by_definition(bits);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(value)) << bits;
    } else {
      ASSERT_EQ(static_cast<double>(value), expected) << bits;
      ASSERT_EQ(std::signbit(value), (bits & 0x8000U) != 0) << bits;
    }
  }
}

TEST(Half, bfloat16_is_the_upper_half_of_a_float) {
  EXPECT_EQ(float_from_bfloat16(0x3f80), 1.0F);
  EXPECT_EQ(float_from_bfloat16(0xc000), -2.0F);
  EXPECT_EQ(float_from_bfloat16(0x0080), std::numeric_limits<float>::min());
  EXPECT_TRUE(std::isinf(float_from_bfloat16(0x7f80)));
  EXPECT_TRUE(std::isnan(float_from_bfloat16(0x7fc0)));
}

}  // namespace
}  // namespace isthmus
