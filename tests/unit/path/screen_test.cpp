// SPDX-License-Identifier: MIT
#include "isthmus/path/screen.h"

#include <gtest/gtest.h>

#include <algorithm>
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

constexpr float nan = std::numeric_limits<float>::quiet_NaN();
const std::array<float, 2> origin{0.0f, 0.0f};
const std::array<float, 2> one{1.0f, 0.0f};

// The margin of every sample on the segment from x = 0 to 1, where x is t.
using Margin = std::function<float(double t, std::size_t sample)>;

FakeObjective objective_of(Margin margin, std::size_t samples) {
  fake::FakeOptions options{.surface = {}, .metric = Metric::error_rate, .samples = samples};
  options.margin = [margin = std::move(margin)](std::span<const float> theta, std::size_t i) {
    return margin(static_cast<double>(theta[0]), i);
  };
  return FakeObjective(std::move(options));
}

SegmentGrid grid_of(double bound, std::size_t points = 21) {
  return {.points = points, .metric = Metric::error_rate, .bound = bound};
}

SegmentCheck screen(const FakeObjective& objective,
                    const SegmentGrid& grid,
                    const Stop* stop = nullptr) {
  const auto evaluator = objective.evaluator();
  const std::size_t samples = objective.samples(Split::test);
  std::vector<float> left(samples);
  std::vector<float> right(samples);
  evaluator->margins(Split::test, origin, {}, 1.0, left);
  evaluator->margins(Split::test, one, {}, 1.0, right);
  objective.forget();
  return screen_segment(*evaluator, origin, one, grid, left, right, stop);
}

// What a look at all samples at every point tells.
SegmentCheck sampled(const FakeObjective& objective, SegmentGrid grid) {
  grid.stop_at_failure = false;
  const auto evaluator = objective.evaluator();
  return check_segment(*evaluator, origin, one, grid);
}

void expect_the_whole_grid(const FakeObjective& objective, SegmentGrid grid) {
  grid.stop_at_failure = false;
  const SegmentCheck found = screen(objective, grid);
  EXPECT_EQ(found.samples, objective.samples_looked_at());
  const SegmentCheck expected = sampled(objective, grid);
  EXPECT_EQ(found.values, expected.values);
  EXPECT_EQ(found.worst_value, expected.worst_value);
  EXPECT_EQ(found.worst_t, expected.worst_t);
  EXPECT_EQ(found.passed, expected.passed);
  EXPECT_FALSE(found.proven());
}

// Margins as those of networks are: a line of its own for every sample, with a wave of its own on
// it.
Margin waves(std::size_t samples, double height) {
  std::vector<std::array<double, 5>> numbers(samples);
  Rng rng(3, 4);
  for (auto& own : numbers) {
    own = {rng.uniform(-1.0, 9.0),
           rng.uniform(-1.0, 1.0),
           rng.uniform(-height, height),
           rng.uniform(1.0, 4.0),
           rng.uniform(0.0, 2.0 * std::numbers::pi)};
  }
  return [numbers](double t, std::size_t i) {
    const auto& [start, slope, amplitude, frequency, phase] = numbers[i];
    return static_cast<float>(start + slope * t + amplitude * std::sin(frequency * t + phase));
  };
}

TEST(Screen, TellsTheValuesOfTheWholeGrid) {
  for (const double height : {0.0, 0.1, 1.0, 3.0}) {
    for (const std::size_t points : {2u, 3u, 4u, 21u, 101u}) {
      for (const bool include_end : {true, false}) {
        SCOPED_TRACE(testing::Message() << height << ", " << points << ", " << include_end);
        const FakeObjective objective = objective_of(waves(2000, height), 2000);
        SegmentGrid grid = grid_of(0.2, points);
        grid.include_end = include_end;
        expect_the_whole_grid(objective, grid);
      }
    }
  }
}

TEST(Screen, CostsLittleOnAPassingSegment) {
  const FakeObjective objective = objective_of(waves(5000, 0.3), 5000);
  const SegmentCheck check = screen(objective, grid_of(0.5));
  EXPECT_TRUE(check.passed);
  // The grid has 19 inner points.
  EXPECT_LT(check.samples, 2u * 5000u);
  // Four times as many points cost little more.
  EXPECT_LT(screen(objective, grid_of(0.5, 81)).samples, 2 * check.samples);
}

TEST(Screen, FewSamplesAreAllLookedAt) {
  for (const std::size_t samples : {1u, 5u, 130u, 200u}) {
    SCOPED_TRACE(samples);
    expect_the_whole_grid(objective_of(waves(samples, 1.0), samples), grid_of(0.5));
  }
}

TEST(Screen, FailsWhereTheGridDoes) {
  // Every tenth sample is misread between .3 and .7 only.
  const auto bump = [](double t, std::size_t i) {
    const double height = i % 10 == 0 ? 2.0 : 0.5;
    return static_cast<float>(1.0 - height * std::sin(std::numbers::pi * t));
  };
  const FakeObjective objective = objective_of(bump, 3000);
  const SegmentCheck check = screen(objective, grid_of(0.05));
  EXPECT_FALSE(check.passed);
  EXPECT_EQ(check.worst_t, 0.5);
  EXPECT_GT(check.worst_value, 0.05);
  EXPECT_LE(check.worst_value, 0.1);
  EXPECT_LT(check.samples, 3000u) << "the likeliest are looked at first";
  EXPECT_TRUE(screen(objective, grid_of(0.1)).passed);
  SegmentGrid strictly = grid_of(0.1);
  strictly.comparison = Comparison::below;
  EXPECT_FALSE(screen(objective, strictly).passed);
}

TEST(Screen, AnEndThatFailsCostsNothing) {
  const FakeObjective objective =
      objective_of([](double t, std::size_t) { return static_cast<float>(t - 0.5); }, 100);
  const SegmentCheck check = screen(objective, grid_of(0.5));
  EXPECT_FALSE(check.passed);
  EXPECT_EQ(check.worst_t, 0.0);
  EXPECT_EQ(check.worst_value, 1.0);
  EXPECT_EQ(check.samples, 0u);
}

TEST(Screen, NanIsMisreadAndHidesNothing) {
  // NaN at the ends, at inner points, or as infinite margins.
  for (const float odd : {nan, std::numeric_limits<float>::infinity()}) {
    for (const double from : {0.0, 0.2, 0.5}) {
      const auto margin = [&](double t, std::size_t i) {
        return i % 7 == 0 && t >= from && t <= 0.6 ? odd : waves(1, 0.5)(t, 0) + 2.0f;
      };
      expect_the_whole_grid(objective_of(margin, 1000), grid_of(0.5));
    }
  }
}

TEST(Screen, ObeysAStop) {
  const FakeObjective objective = objective_of(waves(1000, 1.0), 1000);
  Stop stop;
  stop.request();
  EXPECT_THROW(screen(objective, grid_of(0.9), &stop), Interrupted);
}

TEST(Screen, SaysWhatItCannotLookAt) {
  const FakeObjective with = objective_of(waves(10, 1.0), 10);
  EXPECT_FALSE(reason_not_screened(with, Metric::error_rate));
  EXPECT_TRUE(reason_not_screened(with, Metric::cross_entropy));
  const FakeObjective without({.surface = {}, .metric = Metric::error_rate});
  EXPECT_TRUE(reason_not_screened(without, Metric::error_rate));
}

}  // namespace
}  // namespace isthmus
