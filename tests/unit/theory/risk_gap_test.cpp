// SPDX-License-Identifier: MIT
// Discrepancy, variation and what they bound.
#include "isthmus/theory/risk_gap.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"

namespace isthmus {
namespace {

// By the definition, at the points themselves, where it is attained from one side or the other.
double slow_discrepancy(const std::vector<double>& points) {
  double largest = 0.0;
  for (const double u : points) {
    double below = 0.0;
    double at_most = 0.0;
    for (const double x : points) {
      below += x < u ? 1.0 : 0.0;
      at_most += x <= u ? 1.0 : 0.0;
    }
    const auto count = double(points.size());
    largest = std::max({largest, u - below / count, at_most / count - u});
  }
  return largest;
}

TEST(RiskGap, DiscrepancyIsThatOfTheDefinition) {
  Rng random(1);
  for (const std::size_t count : {1, 2, 17, 300}) {
    std::vector<double> points(count);
    for (double& point : points) {
      point = random.uniform();
    }
    EXPECT_NEAR(star_discrepancy(points), slow_discrepancy(points), 1e-14);
  }
  EXPECT_NEAR(star_discrepancy({0.75, 0.25}), 0.25, 1e-15);  // midpoints: 1 / (2 N)
  EXPECT_THROW(star_discrepancy({}), UsageError);
  EXPECT_THROW(star_discrepancy({0.5, 1.5}), UsageError);
  EXPECT_THROW(star_discrepancy({std::nan("")}), UsageError);
}

// x^2 on [0, 1]: integral 1/3, variation 1.
TEST(RiskGap, KoksmaBoundsTheDifferenceOfMeans) {
  Rng random(2);
  for (int trial = 0; trial < 100; ++trial) {
    std::vector<double> points(50);
    double mean = 0.0;
    for (double& point : points) {
      point = random.uniform();
      mean += point * point / 50.0;
    }
    EXPECT_LE(std::abs(mean - 1.0 / 3.0), koksma_bound(1.0, star_discrepancy(points), 0.0));
  }
  EXPECT_DOUBLE_EQ(variation(std::vector{1.0, 3.0, 2.5}), 2.5);
}

}  // namespace
}  // namespace isthmus
