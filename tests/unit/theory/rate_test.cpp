// SPDX-License-Identifier: MIT
// Merged networks and power laws.
#include "isthmus/theory/rate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "isthmus/core/error.h"

namespace isthmus {
namespace {

TEST(Rate, PowerLawIsFound) {
  const std::vector<double> x{1.0, 2.0, 4.0, 8.0};
  std::vector<double> y;
  for (const double value : x) {
    y.push_back(3.0 * std::pow(value, -0.7));
  }
  EXPECT_NEAR(fit_power_law(x, y).slope, -0.7, 1e-14);
  EXPECT_NEAR(fit_power_law(x, y).error, 0.0, 1e-7);
  // log2 y = 1, 0, 0, 1: no slope; residuals 1/2, standard error sqrt(1 / 2 / 5).
  EXPECT_NEAR(fit_power_law(x, std::vector{2.0, 1.0, 1.0, 2.0}).slope, 0.0, 1e-14);
  EXPECT_NEAR(fit_power_law(x, std::vector{2.0, 1.0, 1.0, 2.0}).error, std::sqrt(0.1), 1e-14);
  EXPECT_THROW(fit_power_law(std::vector{1.0, 1.0}, std::vector{1.0, 2.0}), UsageError);
  EXPECT_THROW(fit_power_law(std::vector{1.0, 2.0}, std::vector{0.0, 2.0}), UsageError);
}

// |f - f merged| <= v in the mean square, and the path's nodes are where the losses are.
TEST(Rate, PerturbationBoundsTheChange) {
  for (const std::size_t n : {1, 2, 3, 5}) {
    for (std::size_t index = 0; index < 3; ++index) {
      const RateCase one = rate_case({.inputs = n, .hidden = 16, .samples = 200}, index);
      EXPECT_LE(std::sqrt(one.change), one.perturbation + 1e-6);
      if (n > 1) {
        EXPECT_GT(one.change, 0.0);
      }
      const std::size_t p = one.problem.network.dimension();
      ASSERT_EQ(one.points.size(), 12 * p);
      double largest = 0.0;
      for (std::size_t k = 0; k < 12; ++k) {
        largest =
            std::max(largest, penalized_loss(one.problem, std::span(one.points).subspan(k * p, p)));
      }
      EXPECT_NEAR(largest, std::max(one.level, one.epsilon), 1e-12);
      std::size_t zeros = 0;  // of the merged network of A
      for (std::size_t i = 0; i < 16; ++i) {
        zeros += one.points[3 * p - 16 + i] == 0.0 ? 1 : 0;
      }
      EXPECT_GE(zeros, 8u);
    }
  }
}

// In one dimension all units of a sign are equal: nothing is lost.
TEST(Rate, OneDimensionLosesNothing) {
  EXPECT_NEAR(rate_case({.inputs = 1, .hidden = 32, .samples = 100}, 0).change, 0.0, 1e-12);
}

TEST(Rate, RefusesWidthsWithoutHalves) {
  EXPECT_THROW(rate_case({.hidden = 7}, 0), UsageError);
  EXPECT_THROW(rate_case({.hidden = 2}, 0), UsageError);
  EXPECT_THROW(rate_case({.hidden = 8, .ridge = 0.0}, 0), UsageError);
  EXPECT_THROW(rate_case({.hidden = 8, .samples = 1'000'000'000'000}, 0), UsageError);
}

}  // namespace
}  // namespace isthmus
