// SPDX-License-Identifier: MIT
// The kernel of two ReLU units and its bounds.
#include "isthmus/theory/kernel.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "isthmus/core/error.h"

namespace isthmus {
namespace {

constexpr InputLaw laws[] = {InputLaw::gaussian, InputLaw::mixture, InputLaw::heavy_tailed};

TEST(Kernel, BoundsHoldForTheLawAndForItsSamples) {
  for (const InputLaw law : laws) {
    for (std::size_t i = 0; i < 300; ++i) {
      const KernelCase drawn = random_kernel_case(law, 2 + i % 9, 50, 3, i);
      EXPECT_TRUE(drawn.exact.hold()) << name_of(law) << i;
      const KernelBounds sampled = kernel_of_samples(drawn.inputs, drawn.w1, drawn.w2);
      EXPECT_TRUE(sampled.hold()) << name_of(law) << i;
      EXPECT_NEAR(sampled.angle, drawn.exact.angle, 1e-7);
    }
  }
}

TEST(Kernel, ClosedFormAgreesWithSamples) {
  for (const InputLaw law : laws) {
    const KernelCase drawn = random_kernel_case(law, 3, 200000, 5, 1);
    const KernelBounds sampled = kernel_of_samples(drawn.inputs, drawn.w1, drawn.w2);
    EXPECT_GT(sampled.error, 0.0);
    EXPECT_NEAR(sampled.value, drawn.exact.value, 4.0 * sampled.error) << name_of(law);
    std::size_t active = 0;
    for (std::size_t i = 0; i < 200000; ++i) {
      const double* x = &drawn.inputs[3 * i];
      const auto on = [&](const std::vector<double>& w) {
        return w[0] * x[0] + w[1] * x[1] + w[2] * x[2] > 0.0;
      };
      active += on(drawn.w1) && on(drawn.w2) ? 1 : 0;
    }
    EXPECT_NEAR(double(active) / 200000.0, drawn.active, 0.005) << name_of(law);
    // An eighth moment says how exact an estimated deviation is; Student's t has none here.
    const double deviation = sampled.error * std::sqrt(200000.0);
    const double part = law == InputLaw::heavy_tailed ? 0.3 : 0.03;
    EXPECT_NEAR(deviation, drawn.deviation, part * drawn.deviation) << name_of(law);
  }
}

// By hand: samples e_1, e_2, weights e_1 and (e_1 + e_2) / sqrt 2.
TEST(Kernel, IsTheFormula) {
  const std::vector<double> inputs{1, 0, 0, 1};
  const KernelBounds found =
      kernel_of_samples(inputs, std::vector<double>{2, 0}, std::vector<double>{3, 3});
  const double root = std::sqrt(0.5);
  EXPECT_NEAR(found.angle, std::numbers::pi / 4.0, 1e-15);
  EXPECT_NEAR(found.value, 0.5 * root, 1e-15);
  // E z(w_m)^2 = |w_m|^2 / 2, E X X^T = I / 2.
  EXPECT_NEAR(found.upper, 0.25 * (1.0 + root), 1e-15);
  EXPECT_NEAR(found.lower, found.upper - 0.25 * (1.0 - root), 1e-15);
  EXPECT_NEAR(found.uniform, found.lower, 1e-15);
  EXPECT_NEAR(found.printed, found.upper - (0.5 * (1.0 - root) + 0.5), 1e-15);
}

// Attained: on a line through w_m the upper bound, on one through d the lower one.
TEST(Kernel, BoundsAreAttained) {
  const std::vector<double> w1{1, 1};
  const std::vector<double> w2{1, -1};
  const KernelBounds along = kernel_of_samples(std::vector<double>{5, 0}, w1, w2);
  EXPECT_NEAR(along.value, along.upper, 1e-13);
  const KernelBounds across = kernel_of_samples(std::vector<double>{1, 1}, w1, w2);
  EXPECT_NEAR(across.value, across.lower, 1e-15);
}

TEST(Kernel, SecondPrintedInequalityIsFalse) {
  // Orthogonal weights: <w1, w2> = 0 is no upper bound of a positive kernel.
  const KernelBounds found = kernel_of_samples(
      std::vector<double>{1, 1}, std::vector<double>{1, 0}, std::vector<double>{0, 1});
  EXPECT_NEAR(found.false_upper, 0.0, 1e-15);
  EXPECT_NEAR(found.value, 1.0, 1e-15);
}

TEST(Kernel, OfOppositeWeights) {
  const KernelBounds found = kernel_of_samples(
      std::vector<double>{1, 2, -3, 1}, std::vector<double>{1, 1}, std::vector<double>{-1, -1});
  EXPECT_EQ(found.value, 0.0);
  EXPECT_EQ(found.upper, 0.0);
  EXPECT_TRUE(found.hold());
  EXPECT_DOUBLE_EQ(found.angle, std::numbers::pi);
}

TEST(Kernel, RefusesWrongInput) {
  const std::vector<double> inputs{1, 0, 0, 1};
  const std::vector<double> w{1, 0};
  EXPECT_THROW(kernel_of_samples(inputs, w, std::vector<double>{1, 0, 0}), UsageError);
  EXPECT_THROW(kernel_of_samples(inputs, w, std::vector<double>{0, 0}), UsageError);
  EXPECT_THROW(kernel_of_samples(std::vector<double>{1, 0, 0}, w, w), UsageError);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(kernel_of_samples(std::vector<double>{1, nan}, w, w), UsageError);
  EXPECT_THROW(kernel_of_samples(inputs, w, std::vector<double>{1, nan}), UsageError);
  EXPECT_THROW(random_kernel_case(InputLaw::gaussian, 1, 10, 1, 0), UsageError);
  EXPECT_THROW(random_kernel_case(InputLaw::gaussian, 2, 0, 1, 0), UsageError);
}

}  // namespace
}  // namespace isthmus
