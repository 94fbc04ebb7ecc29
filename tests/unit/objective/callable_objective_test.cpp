// SPDX-License-Identifier: MIT
#include "isthmus/objective/callable_objective.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <string>

#include "isthmus/core/error.h"
#include "isthmus/core/workers.h"
#include "isthmus/objective/surfaces.h"

namespace isthmus {
namespace {

double value_at(const Surface& surface, std::span<const float> theta) {
  return surface.loss(theta, {});
}

double largest_on_line(const Surface& surface) {
  double largest = 0.0;
  std::vector<float> theta(surface.dimension);
  for (int k = 0; k <= 1000; ++k) {
    const float t = static_cast<float>(k) / 1000.0F;
    for (std::size_t i = 0; i < theta.size(); ++i) {
      theta[i] = (1.0F - t) * surface.from.theta[i] + t * surface.to.theta[i];
    }
    largest = std::max(largest, value_at(surface, theta));
  }
  return largest;
}

TEST(Surfaces, KnowTheirAnswers) {
  for (const Surface& surface :
       {double_well(1), double_well(6), mueller_brown(), ring(2), ring(5)}) {
    SCOPED_TRACE(surface.name);
    for (const SurfacePoint& point : {surface.from, surface.to}) {
      std::vector<float> gradient(surface.dimension);
      EXPECT_NEAR(surface.loss(point.theta, gradient), point.value, 1e-9);
      for (const float g : gradient) {
        EXPECT_NEAR(g, 0.0F, 1e-5F);
      }
    }
    EXPECT_NEAR(largest_on_line(surface), surface.straight_barrier, 1e-6);
    EXPECT_GE(surface.straight_barrier, surface.pass_value);
  }
}

TEST(Surfaces, HaveTheGradientsOfTheirValues) {
  for (const Surface& surface : {double_well(3), mueller_brown(), ring(4)}) {
    SCOPED_TRACE(surface.name);
    std::vector<float> theta(surface.dimension, 0.375F);
    std::vector<float> gradient(surface.dimension);
    surface.loss(theta, gradient);
    for (std::size_t i = 0; i < theta.size(); ++i) {
      const float step = 0x1p-10F;  // exact in float: 0.375 +- 2^-10
      theta[i] += step;
      const double above = value_at(surface, theta);
      theta[i] -= 2.0F * step;
      const double below = value_at(surface, theta);
      theta[i] += step;
      EXPECT_NEAR((above - below) / 0x1p-9, static_cast<double>(gradient[i]), 2e-4);
    }
  }
}

// The pass of the Mueller-Brown surface is a saddle of the value that the surface claims.
TEST(Surfaces, MuellerBrownHasItsPass) {
  const Surface surface = mueller_brown();
  const std::vector<float> saddle{-0.82200156F, 0.6243128F};
  std::vector<float> gradient(2);
  EXPECT_NEAR(surface.loss(saddle, gradient), surface.pass_value, 1e-9);
  EXPECT_NEAR(gradient[0], 0.0F, 1e-4F);
  EXPECT_NEAR(gradient[1], 0.0F, 1e-4F);
}

TEST(Surfaces, RefuseTooFewDimensions) {
  EXPECT_THROW(double_well(0), UsageError);
  EXPECT_THROW(ring(1), UsageError);
}

CallableOptions parabola() {
  CallableOptions options;
  options.layout.add("theta", {2}, Role::weight);
  options.loss = [](std::span<const float> theta, std::span<float> gradient) {
    double sum = 0.0;
    for (std::size_t i = 0; i < theta.size(); ++i) {
      sum += static_cast<double>(theta[i]) * static_cast<double>(theta[i]);
      if (!gradient.empty()) {
        gradient[i] = 2.0F * theta[i];
      }
    }
    return sum;
  };
  return options;
}

TEST(CallableObjective, IsTheFunctionItWasGiven) {
  CallableOptions options = parabola();
  options.samples = 30;
  options.metric = Metric::mean_absolute_error;
  const auto objective = make_callable_objective(options);
  EXPECT_EQ(objective->dimension(), 2U);
  EXPECT_EQ(objective->loss(), Loss::absolute);
  EXPECT_TRUE(objective->supports(Metric::mean_absolute_error));
  EXPECT_FALSE(objective->supports(Metric::mean_squared_error));
  EXPECT_TRUE(objective->training_loss_is(Metric::mean_absolute_error, Split::train));
  const auto evaluator = objective->evaluator();
  const std::vector<float> thetas{1.0F, 2.0F, 3.0F, 4.0F};
  std::vector<double> values(2);
  evaluator->metrics(Split::test, Metric::mean_absolute_error, thetas, values);
  EXPECT_EQ(values, (std::vector<double>{5.0, 25.0}));
  const auto source = objective->batches(1, 2, 0);
  EXPECT_TRUE(source->constant());
  EXPECT_EQ(source->next().count, 30U);
  std::vector<float> gradients(4);
  evaluator->losses_and_gradients(thetas, source->next(), nullptr, values, gradients);
  EXPECT_EQ(gradients, (std::vector<float>{2.0F, 4.0F, 6.0F, 8.0F}));
  const Evaluation evaluation = evaluator->metric_unless_above(
      Split::test, Metric::mean_absolute_error, std::span(thetas).first(2), 1.0);
  EXPECT_EQ(evaluation.value, 5.0);
  EXPECT_TRUE(evaluation.complete);
  EXPECT_EQ(evaluation.samples, 30U);
}

TEST(CallableObjective, StartsWhereItIsTold) {
  CallableOptions options = parabola();
  std::vector<float> theta(2);
  make_callable_objective(options)->initialise(3, 4, theta);
  std::vector<float> other(2);
  make_callable_objective(options)->initialise(3, 5, other);
  EXPECT_NE(theta, other);
  options.initialise = [](Rng&, std::span<float> start) { start[1] = 9.0F; };
  make_callable_objective(options)->initialise(3, 4, theta);
  EXPECT_EQ(theta[1], 9.0F);
}

TEST(CallableObjective, CallsASerialFunctionOnceAtATime) {
  CallableOptions options = parabola();
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  options.loss = [&](std::span<const float>, std::span<float>) {
    const int now = ++inside;
    most = std::max(most.load(), now);
    --inside;
    return 0.0;
  };
  const auto objective = make_callable_objective(options);
  Workers workers(4);
  workers.for_each(4, [&](std::size_t, std::size_t) {
    const auto evaluator = objective->evaluator();
    const std::vector<float> theta(2);
    for (int i = 0; i < 2000; ++i) {
      double value = 0.0;
      evaluator->metrics(Split::test, Metric::mean_squared_error, theta, std::span(&value, 1));
    }
  });
  EXPECT_EQ(most.load(), 1);
}

std::string refusal(const CallableOptions& options) {
  try {
    make_callable_objective(options);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(CallableObjective, RefusesOptionsThatDoNotFit) {
  CallableOptions options = parabola();
  options.layout = {};
  EXPECT_EQ(refusal(options), "layout: expected at least one number in theta, got none");
  options = parabola();
  options.loss = nullptr;
  EXPECT_EQ(refusal(options), "loss: expected a function, got an empty one");
  options = parabola();
  options.samples = 0;
  EXPECT_EQ(refusal(options), "samples: expected a value >= 1, got 0");
  options = parabola();
  options.population = 0;
  EXPECT_EQ(refusal(options), "population: expected a value >= 1, got 0");
  options = parabola();
  options.metric = Metric::error_rate;
  EXPECT_EQ(refusal(options),
            "metric: expected mean_absolute_error, mean_squared_error or cross_entropy for a "
            "callable loss, got error_rate");
}

TEST(Metric, HasNamesThatReadBack) {
  for (const Metric metric : {Metric::mean_absolute_error,
                              Metric::mean_squared_error,
                              Metric::cross_entropy,
                              Metric::error_rate,
                              Metric::perplexity}) {
    EXPECT_EQ(named<Metric>(name_of(metric)), metric);
  }
  try {
    named<Metric>("accuracy");
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_STREQ(error.what(),
                 "metric: expected mean_absolute_error, mean_squared_error, cross_entropy, "
                 "error_rate or perplexity, got 'accuracy'");
  }
}

}  // namespace
}  // namespace isthmus
