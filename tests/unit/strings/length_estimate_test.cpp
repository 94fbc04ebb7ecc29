// SPDX-License-Identifier: MIT
#include "isthmus/strings/length_estimate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <vector>

#include "isthmus/objective/surfaces.h"

namespace isthmus {
namespace {

using Theta = std::vector<float>;

StringOptions below(double threshold) {
  StringOptions options;
  options.threshold = threshold;
  options.grid.metric = Metric::mean_squared_error;
  return options;
}

// Around the ring (r^2 - 1)^2 <= L the nearest point beside the middle of a chord lies at
// r = sqrt(1 - sqrt(L)), straight outwards.
TEST(LengthEstimate, IsTheClosedFormOnTheRing) {
  const auto objective = make_surface_objective(ring(2));
  Workers workers(1);
  Evaluators evaluators(*objective, workers);
  const Theta a{1.0F, 0.0F};
  const Theta b{-0.5F, float(0.5 * std::numbers::sqrt3)};
  for (const double level : {0.2, 0.05, 0.01}) {
    const auto found = estimate_length(evaluators, a, b, below(level));
    ASSERT_TRUE(found);
    const double d = std::numbers::sqrt3;
    const double rho = std::sqrt(1.0 - std::sqrt(level)) - 0.5;
    EXPECT_NEAR(found->t, 0.5, 1e-12);
    EXPECT_NEAR(found->rho, rho, 2e-3) << level;
    EXPECT_NEAR(found->ratio, 2.0 * std::hypot(0.5 * d, rho) / d, 2e-3) << level;
    EXPECT_GT(found->gradient_samples, 0u);
  }
}

TEST(LengthEstimate, ClaimsNothingWhereTheStraightLinePasses) {
  const auto objective = make_surface_objective(double_well(2));
  Workers workers(1);
  Evaluators evaluators(*objective, workers);
  const auto found = estimate_length(evaluators, Theta{-1.0F, 0.0F}, Theta{1.0F, 0.0F}, below(1.5));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->ratio, 1.0);
}

}  // namespace
}  // namespace isthmus
