// SPDX-License-Identifier: MIT
#include "isthmus/certify/loss_bound.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "isthmus/core/rng.h"

namespace isthmus {
namespace {

TEST(LossSums, TheLargestOfACubicOfAnyScale) {
  for (const double scale : {1e-280, 1e-200, 1.0, 1e200, 1e300}) {
    LossSums hill;
    hill.bend_left = scale;
    hill.bend_right = scale;
    EXPECT_GE(hill.bound(1), 0.25 * scale) << scale;
    EXPECT_LE(hill.bound(1), 0.2501 * scale) << scale;
    LossSums slope;
    slope.right = scale;
    slope.bend_left = 3.0 * scale;
    slope.bend_right = -scale;
    // s + s (1 - s) (3 - 4 s) is largest at s = 2 / 3 and 1: of 4 s - 7 s^2 + 4 s^3.
    double largest = 0.0;
    for (int k = 0; k <= 1000; ++k) {
      const double s = k / 1000.0;
      largest = std::max(largest, s + s * (1.0 - s) * (3.0 - 4.0 * s));
    }
    EXPECT_GE(slope.bound(1), largest * scale) << scale;
  }
}

}  // namespace
}  // namespace isthmus
