// SPDX-License-Identifier: MIT
#include "isthmus/path/screen_losses.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"
#include "support/fake_objective.h"

namespace isthmus {
namespace {

using fake::FakeObjective;

const std::array<float, 2> origin{0.0F, 0.0F};
const std::array<float, 2> one{1.0F, 0.0F};

// The loss of every sample on the segment from x = 0 to 1, where x is t.
using SampleLoss = std::function<double(double t, std::size_t sample)>;

FakeObjective objective_of(SampleLoss loss,
                           std::size_t samples,
                           Metric metric = Metric::cross_entropy) {
  fake::FakeOptions options{.surface = {}, .metric = metric, .samples = samples};
  options.sample_loss = [loss = std::move(loss)](std::span<const float> theta, std::size_t i) {
    return static_cast<float>(loss(static_cast<double>(theta[0]), i));
  };
  return FakeObjective(std::move(options));
}

// A few samples have most of the loss; each bends on its way, by a share of what it has, and all
// together by `height` of the mean at the middle.
SampleLoss bumps(std::size_t samples, double height) {
  std::vector<std::array<double, 3>> numbers(samples);
  Rng rng(3, 4);
  for (auto& own : numbers) {
    own = {0.03 * std::exp(8.0 * rng.uniform(0.0, 1.0) - 5.5),
           rng.uniform(-0.5, 0.5),
           rng.uniform(height - 0.5, height + 0.5)};
  }
  return [numbers](double t, std::size_t i) {
    const auto& [size, slope, bend] = numbers[i];
    return size * (1.0 + slope * (t - 0.5) + bend * std::sin(std::numbers::pi * t));
  };
}

SegmentGrid grid_of(double bound, Metric metric = Metric::cross_entropy) {
  return {.points = 21, .metric = metric, .bound = bound};
}

SegmentCheck screen(const FakeObjective& objective,
                    const SegmentGrid& grid,
                    const Stop* stop = nullptr) {
  const auto evaluator = objective.evaluator();
  std::array<std::vector<float>, 2> losses;
  std::array<double, 2> values{};
  for (const std::size_t end : {0U, 1U}) {
    losses[end].resize(objective.samples(Split::test));
    values[end] =
        evaluator->sample_losses(Split::test, grid.metric, end == 0 ? origin : one, {}, losses[end])
            .value;
  }
  objective.forget();
  return screen_losses(
      *evaluator, {origin, losses[0], values[0]}, {one, losses[1], values[1]}, grid, stop);
}

// What a look at all samples at every point tells.
SegmentCheck sampled(const FakeObjective& objective, SegmentGrid grid) {
  grid.stop_at_failure = false;
  const auto evaluator = objective.evaluator();
  return check_segment(*evaluator, origin, one, grid);
}

TEST(ScreenLosses, TellWhatTheWholeGridDoes) {
  for (const double height : {-0.3, 0.0, 0.1, 0.5, 2.0}) {
    for (const Metric metric : {Metric::cross_entropy, Metric::perplexity}) {
      SCOPED_TRACE(testing::Message() << height << ", " << name_of(metric));
      const FakeObjective objective = objective_of(bumps(20000, height), 20000, metric);
      const double largest = sampled(objective, grid_of(1.0, metric)).worst_value;
      // From far below the largest value to far above it.
      for (const double level : {0.5, 0.9, 0.98, 0.999, 1.0, 1.001, 1.02, 1.1, 2.0}) {
        SCOPED_TRACE(level);
        const SegmentGrid grid = grid_of(level * largest, metric);
        const SegmentCheck expected = sampled(objective, grid);
        const SegmentCheck found = screen(objective, grid);
        EXPECT_EQ(found.samples, objective.samples_looked_at());
        EXPECT_EQ(found.passed, expected.passed);
        EXPECT_FALSE(found.proven());
        if (found.passed) {
          EXPECT_NEAR(found.worst_value, largest, 3.0 * found.error);
          EXPECT_LT(found.error, 0.05 * largest);
          EXPECT_LT(found.samples, 7U * 20000U) << "the grid has 19 inner points";
        }
      }
    }
  }
}

TEST(ScreenLosses, CostLittleFarFromTheBound) {
  const FakeObjective objective = objective_of(bumps(60000, 0.1), 60000);
  const double largest = sampled(objective, grid_of(1.0)).worst_value;
  EXPECT_LT(screen(objective, grid_of(1.3 * largest)).samples, 30000U);
  EXPECT_LT(screen(objective, grid_of(0.5 * largest)).samples, 3000U);
}

// A split that is smaller than the part is looked at as a grid does, value by value.
TEST(ScreenLosses, LookAtAllOfASmallSplit) {
  for (const std::size_t samples : {1U, 5U, 900U}) {
    const FakeObjective objective = objective_of(bumps(samples, 0.2), samples);
    SegmentGrid grid = grid_of(1.0);
    grid.stop_at_failure = false;
    const SegmentCheck found = screen(objective, grid);
    const SegmentCheck expected = sampled(objective, grid);
    EXPECT_EQ(found.error, 0.0);
    EXPECT_EQ(found.worst_t, expected.worst_t);
    ASSERT_EQ(found.values.size(), expected.values.size());
    for (std::size_t k = 0; k < found.values.size(); ++k) {
      EXPECT_NEAR(found.values[k], expected.values[k], 1e-6 * expected.values[k]);
    }
  }
}

// The values of the ends count as they are given, to the last bit.
TEST(ScreenLosses, TakeTheEndsAsTheyAre) {
  const FakeObjective objective = objective_of(bumps(5000, -0.5), 5000);
  const SegmentCheck whole = sampled(objective, grid_of(1.0));
  ASSERT_TRUE(whole.worst_t == 0.0 || whole.worst_t == 1.0);
  const SegmentCheck found = screen(objective, grid_of(whole.worst_value));
  EXPECT_TRUE(found.passed);
  EXPECT_EQ(found.worst_value, whole.worst_value);
  EXPECT_EQ(found.error, 0.0);
  EXPECT_FALSE(screen(objective, grid_of(std::nextafter(whole.worst_value, 0.0))).passed);
}

TEST(ScreenLosses, FailWhereALossIsNotANumber) {
  const FakeObjective objective = objective_of(
      [](double t, std::size_t i) {
        return t > 0.4 && t < 0.6 && i % 2 == 0 ? std::numeric_limits<double>::quiet_NaN() : 0.01;
      },
      5000);
  const SegmentCheck found = screen(objective, grid_of(0.1));
  EXPECT_FALSE(found.passed);
  EXPECT_TRUE(std::isnan(found.worst_value));
}

// No bound that is below the least loss is passed, and that is known after one part.
TEST(ScreenLosses, FailBelowTheReachOfEverySample) {
  const FakeObjective objective = objective_of(bumps(20000, 0.1), 20000);
  const SegmentCheck found = screen(objective, grid_of(1e-6));
  EXPECT_FALSE(found.passed);
  EXPECT_EQ(found.samples, 0U) << "its ends exceed it";
}

TEST(ScreenLosses, ObeyAStop) {
  const FakeObjective objective = objective_of(bumps(5000, 0.1), 5000);
  Stop stop;
  stop.request();
  EXPECT_THROW(screen(objective, grid_of(1.0), &stop), Interrupted);
}

}  // namespace
}  // namespace isthmus
