// SPDX-License-Identifier: MIT
#include "isthmus/objective/gradient_check.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "isthmus/core/error.h"
#include "isthmus/objective/surfaces.h"

namespace isthmus {
namespace {

// F = sum_i a_i sin(x_i) over two tensors, `large` and `small`, of which the second one matters
// little: a check that only compares sizes over the whole vector would not see it.
struct Sines {
  explicit Sines(std::size_t large, std::size_t small) {
    layout.add("large", {large}, Role::weight);
    layout.add("small", {small}, Role::bias);
    Rng rng(5);
    for (std::size_t i = 0; i < layout.dimension(); ++i) {
      weights.push_back((i < large ? 1.0 : 0.01) * rng.uniform(0.5, 1.5));
      theta.push_back(static_cast<float>(rng.normal()));
      gradient.push_back(static_cast<float>(weights[i] * std::cos(static_cast<double>(theta[i]))));
    }
  }

  double loss(std::span<const double> x) const {
    double sum = 0.0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      sum += weights[i] * std::sin(x[i]);
    }
    return sum;
  }

  GradientCheck check(const GradientCheckOptions& options = {}) const {
    return check_gradient(
        layout, theta, gradient, [this](std::span<const double> x) { return loss(x); }, options);
  }

  Layout layout;
  std::vector<double> weights;
  std::vector<float> theta;
  std::vector<float> gradient;
};

TEST(GradientCheck, AcceptsARightGradient) {
  const Sines sines(20, 5);
  const GradientCheck check = sines.check({.tolerance = 1e-5});
  EXPECT_TRUE(check.passed);
  ASSERT_EQ(check.tensors.size(), 3U);
  EXPECT_EQ(check.tensors[0].name, "large");
  EXPECT_EQ(check.tensors[0].checked, 20U);
  EXPECT_EQ(check.tensors[1].name, "small");
  EXPECT_EQ(check.tensors[1].checked, 5U);
  EXPECT_EQ(check.tensors[2].name, "directions");
  EXPECT_EQ(check.tensors[2].checked, 4U);
  for (const TensorCheck& tensor : check.tensors) {
    EXPECT_EQ(tensor.skipped, 0U);
    EXPECT_LE(tensor.worst_error, 1e-5) << tensor.name;
  }
}

TEST(GradientCheck, FindsOneWrongNumberInASmallTensor) {
  Sines sines(20, 5);
  const std::size_t place = 20 + 3;
  sines.gradient[place] *= 1.02F;
  const GradientCheck check = sines.check();
  EXPECT_FALSE(check.passed);
  EXPECT_EQ(check.tensors[0].failed, 0U);
  EXPECT_EQ(check.tensors[1].failed, 1U);
  EXPECT_EQ(check.tensors[1].worst_index, 3U);
  EXPECT_NEAR(check.tensors[1].worst_gradient, static_cast<double>(sines.gradient[place]), 1e-6);
  EXPECT_NEAR(check.tensors[1].worst_difference * 1.02, check.tensors[1].worst_gradient, 1e-6);
}

TEST(GradientCheck, FindsAWrongTensorBySampling) {
  Sines sines(5000, 50);
  for (std::size_t i = 5000; i < 5050; ++i) {
    sines.gradient[i] = -sines.gradient[i];
  }
  const GradientCheck check = sines.check({.coordinates = 64});
  EXPECT_FALSE(check.passed);
  EXPECT_EQ(check.tensors[0].checked, 63U);
  EXPECT_EQ(check.tensors[1].checked, 4U);
  EXPECT_EQ(check.tensors[1].failed, 4U);
}

// The sample misses most numbers; the directions see all of them.
TEST(GradientCheck, FindsAScatteredErrorByDirections) {
  Sines sines(20000, 10);
  for (std::size_t i = 0; i < 20000; ++i) {
    if (std::abs(sines.gradient[i]) < 0.7F) {
      sines.gradient[i] = 0.0F;
    }
  }
  const GradientCheck check = sines.check({.coordinates = 1});
  EXPECT_FALSE(check.passed);
  EXPECT_GT(check.tensors[2].failed, 0U);
}

// F = sum |x_i|: right away from 0, without a derivative at 0.
GradientCheck check_absolute(std::vector<float> theta, std::vector<float> gradient) {
  Layout layout;
  layout.add("x", {theta.size()}, Role::weight);
  const auto reference = [](std::span<const double> x) {
    double sum = 0.0;
    for (const double number : x) {
      sum += std::abs(number);
    }
    return sum;
  };
  return check_gradient(layout, theta, gradient, reference, {.directions = 0});
}

TEST(GradientCheck, CountsKinksThatItSkips) {
  // At a kink, next to one (a smaller step gets past it), and far from one.
  const GradientCheck check = check_absolute({0.0F, 2e-5F, 1.0F}, {1.0F, 1.0F, 1.0F});
  EXPECT_TRUE(check.passed);
  EXPECT_EQ(check.tensors[0].skipped, 1U);
  EXPECT_EQ(check.tensors[0].checked, 2U);
}

TEST(GradientCheck, DoesNotPassATensorOfKinksOnly) {
  const GradientCheck check = check_absolute({0.0F, 0.0F}, {1.0F, -1.0F});
  EXPECT_EQ(check.tensors[0].skipped, 2U);
  EXPECT_FALSE(check.passed);
}

TEST(GradientCheck, DoesNotTakeAWrongGradientForAKink) {
  const GradientCheck check = check_absolute({0.5F, 2e-5F, 1.0F}, {1.0F, -1.0F, 1.0F});
  EXPECT_FALSE(check.passed);
  EXPECT_EQ(check.tensors[0].failed, 1U);
  EXPECT_EQ(check.tensors[0].worst_index, 1U);
}

TEST(GradientCheck, FailsWhatIsNotFinite) {
  Sines sines(3, 2);
  sines.gradient[1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(sines.check().passed);
  Sines infinite(3, 2);
  infinite.theta[0] = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(infinite.check().passed);
}

TEST(GradientCheck, AcceptsAFlatLoss) {
  Sines sines(4, 2);
  std::ranges::fill(sines.weights, 0.0);
  std::ranges::fill(sines.gradient, 0.0F);
  EXPECT_TRUE(sines.check().passed);
}

TEST(GradientCheck, ChecksAnyObjective) {
  const auto objective = make_surface_objective(mueller_brown());
  const std::vector<float> theta{-0.3F, 0.8F};
  EXPECT_TRUE(check_gradient(*objective, theta).passed);
  CallableOptions wrong;
  wrong.layout.add("theta", {2}, Role::weight);
  wrong.loss = [](std::span<const float> x, std::span<float> gradient) {
    const double value = mueller_brown().loss(x, gradient);
    if (!gradient.empty()) {
      std::swap(gradient[0], gradient[1]);
    }
    return value;
  };
  EXPECT_FALSE(check_gradient(*make_callable_objective(wrong), theta).passed);
}

TEST(GradientCheck, RefusesWhatDoesNotFit) {
  Sines sines(3, 2);
  sines.gradient.pop_back();
  EXPECT_THROW(sines.check(), UsageError);
  EXPECT_THROW(Sines(3, 2).check({.tolerance = 0.0}), UsageError);
  EXPECT_THROW(Sines(3, 2).check({.step = -1.0}), UsageError);
}

}  // namespace
}  // namespace isthmus
