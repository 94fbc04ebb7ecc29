// SPDX-License-Identifier: MIT
#include "isthmus/strings/length_estimate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "isthmus/objective/surfaces.h"

namespace isthmus {
namespace {

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
  // A third of the circle, outside of it.
  Path path{.dimension = 2, .beads = {1.0F, 0.0F}};
  for (const double angle : {20.0, 40.0, 60.0, 80.0, 100.0}) {
    path.beads.push_back(float(1.02 * std::cos(angle / 180.0 * std::numbers::pi)));
    path.beads.push_back(float(1.02 * std::sin(angle / 180.0 * std::numbers::pi)));
  }
  path.beads.insert(path.beads.end(), {-0.5F, float(0.5 * std::numbers::sqrt3)});
  for (const double level : {0.2, 0.05, 0.01}) {
    const auto found = estimate_length(evaluators, path, below(level));
    ASSERT_TRUE(found);
    const double d = std::numbers::sqrt3;
    const double rho = std::sqrt(1.0 - std::sqrt(level)) - 0.5;
    EXPECT_NEAR(found->t, 0.5, 1e-12);
    EXPECT_NEAR(found->rho, rho, 5e-3) << level;
    EXPECT_NEAR(found->ratio, 2.0 * std::hypot(0.5 * d, rho) / d, 5e-3) << level;
    EXPECT_GT(found->gradient_samples, 0u);
  }
}

TEST(LengthEstimate, ClaimsNothingWhereTheStraightLinePasses) {
  const auto objective = make_surface_objective(double_well(2));
  Workers workers(1);
  Evaluators evaluators(*objective, workers);
  const Path path{.dimension = 2, .beads = {-1.0F, 0.0F, 0.0F, 0.5F, 1.0F, 0.0F}};
  const auto found = estimate_length(evaluators, path, below(1.5));
  ASSERT_TRUE(found);
  EXPECT_NEAR(found->ratio, 1.0, 1e-4);
}

}  // namespace
}  // namespace isthmus
