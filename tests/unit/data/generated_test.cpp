// SPDX-License-Identifier: MIT
#include "isthmus/data/generated.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "isthmus/core/error.h"
#include "support/temporary_folder.h"

namespace isthmus {
namespace {

double mean_target(const Samples& samples) {
  double sum = 0.0;
  for (const float target : samples.targets) {
    sum += target;
  }
  return sum / static_cast<double>(samples.count);
}

TEST(Generated, polynomials_of_the_paper) {
  for (const double x : {0.0, 0.25, 0.6, 1.0}) {
    EXPECT_NEAR(value_at(Polynomial::quadratic, x), 0.5 * x * x + 0.25 * x + 0.1, 1e-15);
    EXPECT_NEAR(value_at(Polynomial::cubic, x), 8 * x * x * x - 10 * x * x + 3 * x, 1e-14);
  }
}

TEST(Generated, midpoint_rule_integrates_the_task) {
  const Samples quadratic = midpoint_samples(Polynomial::quadratic);
  ASSERT_EQ(quadratic.count, 256U);
  EXPECT_EQ(quadratic.values.size(), 256U);
  EXPECT_EQ(quadratic.input_shape, std::vector<std::size_t>{1});
  EXPECT_EQ(quadratic.outputs(), 1U);
  EXPECT_FLOAT_EQ(quadratic.values.front(), 0.5F / 256.0F);
  EXPECT_FLOAT_EQ(quadratic.values.back(), 255.5F / 256.0F);
  // The integrals are 1/6 + 1/8 + 1/10 and 2 - 10/3 + 3/2; the rule's error is at most
  // max |y''| / (24 * 256^2).
  EXPECT_NEAR(mean_target(quadratic), 47.0 / 120.0, 1e-6);
  EXPECT_NEAR(mean_target(midpoint_samples(Polynomial::cubic)), 1.0 / 6.0, 2e-5);
}

TEST(Generated, random_samples_depend_on_seed_and_stream_alone) {
  const Samples first = random_samples(Polynomial::cubic, 1000, 7, 3);
  EXPECT_EQ(first.values, random_samples(Polynomial::cubic, 1000, 7, 3).values);
  EXPECT_NE(first.values, random_samples(Polynomial::cubic, 1000, 8, 3).values);
  EXPECT_NE(first.values, random_samples(Polynomial::cubic, 1000, 7, 4).values);
  const Samples shorter = random_samples(Polynomial::cubic, 10, 7, 3);
  EXPECT_TRUE(std::equal(shorter.values.begin(), shorter.values.end(), first.values.begin()));
}

TEST(Generated, random_samples_are_uniform_and_on_the_curve) {
  const Samples samples = random_samples(Polynomial::quadratic, 10000, 1, 2);
  ASSERT_EQ(samples.values.size(), 10000U);
  ASSERT_EQ(samples.targets.size(), 10000U);
  double mean = 0.0;
  for (std::size_t i = 0; i < samples.count; ++i) {
    const double x = samples.values[i];
    EXPECT_GE(x, 0.0);
    EXPECT_LE(x, 1.0);
    EXPECT_NEAR(samples.targets[i], value_at(Polynomial::quadratic, x), 1e-7);
    mean += x / 10000.0;
  }
  EXPECT_NEAR(mean, 0.5, 5.0 / std::sqrt(12.0 * 10000.0));  // five standard errors
}

TEST(Generated, no_points_is_a_usage_error) {
  EXPECT_THROW(midpoint_samples(Polynomial::quadratic, 0), UsageError);
  EXPECT_THROW(random_samples(Polynomial::cubic, 0, 1, 1), UsageError);
}

TEST(PoorMinimum, MixesTheTargetsOfTwoNetworks) {
  const Samples points = two_gaussians_samples(0.05, 16, 3);
  const Samples samples = poor_minimum_samples(0.05, 16, 3);
  ASSERT_EQ(samples.count, 48u);
  const double turn = std::acos(-1.0) / 6.0;
  for (std::size_t i = 0; i < 48; ++i) {
    const double x = samples.values[2 * i];
    const double y = samples.values[2 * i + 1];
    EXPECT_EQ(samples.values[2 * i], points.values[2 * (i / 3)]);
    EXPECT_EQ(samples.values[2 * i + 1], points.values[2 * (i / 3) + 1]);
    const double angle = std::atan2(y, x) - (i % 3 == 2 ? turn : 0.0);
    const double length = std::hypot(x, y);
    EXPECT_NEAR(samples.targets[2 * i], std::max(0.0, length * std::cos(angle)), 1e-6);
    EXPECT_NEAR(samples.targets[2 * i + 1], std::max(0.0, length * std::sin(angle)), 1e-6);
  }
}

}  // namespace
}  // namespace isthmus
