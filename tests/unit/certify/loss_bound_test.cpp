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

// Two million terms that round the same way.
TEST(LossSums, RoundingCountsEveryAddition) {
  const std::size_t outputs = 65536;
  Rng rng(3, 1);
  for (int k = 0; k < 4; ++k) {
    const double value = 0.5 + 0.5 * rng.uniform();
    Lanes row{};
    row.at.fill(value);
    const Rows rows(outputs, row);
    const Rows zeros(outputs, Lanes{});
    const Deviation none{.low = zeros, .high = zeros, .radius = 0.0};
    const LossSums sums =
        loss_sums(Loss::absolute, rows, rows, none, {.count = 32, .label = -1, .targets = zeros});
    EXPECT_LE(sums.least_left(32), value);
    EXPECT_LE(sums.least_right(32), value);
    EXPECT_GE(sums.bound(32), value);
  }
}

// 3000 equal margins that move together: the log-sum-exp is straight, and no rounding may call it
// sagging.
TEST(LossSums, ManyClassesDoNotSagByRounding) {
  const std::size_t outputs = 3001;
  Rng rng(4, 1);
  for (int k = 0; k < 40; ++k) {
    const double from = 1000.0 + rng.uniform();
    const double change = 1e6 * (1.0 + rng.uniform());
    Rows left(outputs);
    Rows right(outputs);
    for (std::size_t j = 1; j < outputs; ++j) {
      left[j].at.fill(from);
      right[j].at.fill(from + change);
    }
    const Rows zeros(outputs, Lanes{});
    const LossSums sums = loss_sums(Loss::cross_entropy,
                                    left,
                                    right,
                                    {.low = zeros, .high = zeros, .radius = 0.0},
                                    {.count = 1, .label = 0, .targets = {}});
    EXPECT_GE(sums.bend_left + sums.bend_right, -1e-9 * change);
  }
}

}  // namespace
}  // namespace isthmus
