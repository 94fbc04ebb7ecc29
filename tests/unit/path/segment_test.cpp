// SPDX-License-Identifier: MIT
#include "isthmus/path/segment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"
#include "support/fake_objective.h"

namespace isthmus {
namespace {

using fake::FakeObjective;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
const std::array<float, 2> origin{0.0f, 0.0f};
const std::array<float, 2> one{1.0f, 0.0f};

SegmentGrid grid_of(double bound, std::size_t points = 101) {
  return {.points = points, .metric = Metric::mean_squared_error, .bound = bound};
}

// A check of x from 0 to 1, where the surface is f(x).
SegmentCheck check(const FakeObjective& objective,
                   const SegmentGrid& grid,
                   std::optional<double> value_a = {},
                   std::optional<double> value_b = {}) {
  const auto evaluator = objective.evaluator();
  return check_segment(*evaluator, origin, one, grid, value_a, value_b);
}

// The grid indices looked at, in order; x is t.
std::vector<int> looks_of(const FakeObjective& objective, const SegmentGrid& grid) {
  std::vector<int> points;
  const auto scale = static_cast<double>(grid.include_end ? grid.points - 1 : grid.points);
  for (const std::vector<float>& theta : objective.looked_at()) {
    points.push_back(static_cast<int>(std::lround(static_cast<double>(theta[0]) * scale)));
  }
  return points;
}

double value_at(const std::function<double(double)>& f, double t) {
  return f(static_cast<double>(static_cast<float>(t)));
}

TEST(SegmentGrid, HasBothEndsOrLacksTheLast) {
  const SegmentGrid closed{.points = 5};
  EXPECT_EQ(closed.t(0), 0.0);
  EXPECT_EQ(closed.t(1), 0.25);
  EXPECT_EQ(closed.t(4), 1.0);
  const SegmentGrid open{.points = 5, .include_end = false};
  EXPECT_EQ(open.t(0), 0.0);
  EXPECT_EQ(open.t(1), 0.2);
  EXPECT_EQ(open.t(4), 0.8);
}

TEST(SegmentGrid, RefusesWhatIsNotAGrid) {
  EXPECT_THROW(SegmentGrid{.points = 1}.validate(), UsageError);
  EXPECT_THROW(SegmentGrid{.points = 0}.validate(), UsageError);
  EXPECT_THROW(SegmentGrid{.bound = nan}.validate(), UsageError);
  EXPECT_NO_THROW(SegmentGrid{.points = 2}.validate());
}

TEST(Worse, PutsNanBehindEverything) {
  EXPECT_TRUE(worse(2.0, 1.0));
  EXPECT_FALSE(worse(1.0, 1.0));
  EXPECT_TRUE(worse(nan, std::numeric_limits<double>::infinity()));
  EXPECT_FALSE(worse(std::numeric_limits<double>::infinity(), nan));
  EXPECT_FALSE(worse(nan, nan));
}

TEST(CheckSegment, PassesOnlyWithEveryGridPoint) {
  const auto f = [](double x) { return x * (1.0 - x); };
  for (const std::size_t points : {2u, 3u, 5u, 8u, 21u, 100u, 101u, 1001u}) {
    for (const bool include_end : {true, false}) {
      const FakeObjective objective({.surface = fake::profile(f), .samples = 7});
      SegmentGrid grid = grid_of(0.25, points);
      grid.include_end = include_end;
      const SegmentCheck result = check(objective, grid);
      EXPECT_TRUE(result.passed);
      EXPECT_EQ(objective.looks(), points) << "once each";
      EXPECT_EQ(result.samples, 7 * points);
      ASSERT_EQ(result.values.size(), points);
      double largest = -1.0;
      for (std::size_t k = 0; k < points; ++k) {
        EXPECT_EQ(result.values[k], value_at(f, grid.t(k)));
        largest = std::max(largest, result.values[k]);
      }
      EXPECT_EQ(result.worst_value, largest);
      EXPECT_EQ(value_at(f, result.worst_t), largest);
    }
  }
}

TEST(CheckSegment, LooksAtTheMiddleFirst) {
  const FakeObjective objective({.surface = fake::profile([](double x) { return x * (1.0 - x); })});
  const SegmentCheck result = check(objective, grid_of(0.2));
  EXPECT_FALSE(result.passed);
  EXPECT_EQ(objective.looks(), 1u);
  EXPECT_EQ(result.worst_t, 0.5);
  EXPECT_EQ(result.worst_value, 0.25);
  EXPECT_EQ(std::ranges::count_if(result.values, [](double v) { return !std::isnan(v); }), 1);
}

TEST(CheckSegment, LooksAtEighthsAndThenWhereTheyPoint) {
  // 1/4 + 1/8 sin: highest at 1/4, lowest at 3/4.
  const FakeObjective objective({.surface = fake::profile([](double x) {
                                   return 0.25 + 0.125 * std::sin(2.0 * std::numbers::pi * x);
                                 })});
  const SegmentGrid grid = grid_of(1.0, 17);
  EXPECT_TRUE(check(objective, grid).passed);
  const std::vector<int> looks = looks_of(objective, grid);
  ASSERT_EQ(looks.size(), 17u);
  EXPECT_EQ(std::vector<int>(looks.begin(), looks.begin() + 9),
            (std::vector<int>{8, 4, 12, 2, 6, 10, 14, 0, 16}));
  const std::vector<int> highest{looks.begin() + 9, looks.begin() + 11};
  EXPECT_TRUE(std::ranges::is_permutation(highest, std::vector<int>{3, 5}));
  const std::vector<int> lowest{looks.begin() + 15, looks.end()};
  EXPECT_TRUE(std::ranges::is_permutation(lowest, std::vector<int>{11, 13}));
}

TEST(CheckSegment, FindsANarrowPeakWithFewLooks) {
  for (const double place : {0.07, 0.18, 0.3, 0.44, 0.55, 0.68, 0.81, 0.93}) {
    const FakeObjective objective({.surface = fake::profile([place](double x) {
                                     return std::exp(-(x - place) * (x - place) /
                                                     (2 * 0.08 * 0.08));
                                   })});
    const SegmentCheck result = check(objective, grid_of(0.99));
    EXPECT_FALSE(result.passed);
    EXPECT_NEAR(result.worst_t, place, 0.012);
    EXPECT_LE(objective.looks(), 20u) << place;
  }
}

TEST(CheckSegment, KnownEndsCostNothing) {
  const FakeObjective objective({.surface = fake::profile([](double x) { return x; })});
  const SegmentCheck result = check(objective, grid_of(1.0), 0.0, 1.0);
  EXPECT_TRUE(result.passed);
  EXPECT_EQ(objective.looks(), 99u);
  EXPECT_EQ(result.values.front(), 0.0);
  EXPECT_EQ(result.values.back(), 1.0);
  EXPECT_EQ(result.worst_t, 1.0);
  objective.forget();
  EXPECT_FALSE(check(objective, grid_of(0.5), 0.0, 1.0).passed);
  EXPECT_EQ(objective.looks(), 0u) << "the end alone decides";
}

TEST(CheckSegment, AGridWithoutItsEndDoesNotTakeTheValueThere) {
  const FakeObjective objective({.surface = fake::profile([](double x) { return x; })});
  SegmentGrid grid = grid_of(0.995, 100);
  grid.include_end = false;
  const SegmentCheck result = check(objective, grid, 0.0, 1.0);
  EXPECT_TRUE(result.passed) << "the published scripts never look at t = 1";
  EXPECT_EQ(objective.looks(), 99u);
  EXPECT_EQ(result.worst_t, 0.99);
  EXPECT_EQ(result.values.size(), 100u);
}

TEST(CheckSegment, TheBoundItselfPassesAtMostAndFailsBelow) {
  const FakeObjective objective({.surface = fake::profile([](double) { return 0.5; })});
  SegmentGrid grid = grid_of(0.5);
  EXPECT_TRUE(check(objective, grid).passed);
  grid.comparison = Comparison::below;
  objective.forget();
  EXPECT_FALSE(check(objective, grid).passed);
  EXPECT_EQ(objective.looks(), 1u);
}

TEST(CheckSegment, LooksAtEverythingIfAsked) {
  const auto f = [](double x) { return 1.0 - (x - 0.3) * (x - 0.3); };
  const FakeObjective objective({.surface = fake::profile(f)});
  SegmentGrid grid = grid_of(0.1);
  grid.stop_at_failure = false;
  const SegmentCheck result = check(objective, grid);
  EXPECT_FALSE(result.passed);
  EXPECT_EQ(objective.looks(), 101u);
  EXPECT_EQ(result.worst_t, 0.3);
  EXPECT_TRUE(std::ranges::none_of(result.values, [](double v) { return std::isnan(v); }));
}

TEST(CheckSegment, OfEqualValuesTheSmallestTCounts) {
  const FakeObjective objective(
      {.surface = fake::profile([](double x) { return x > 0.205 && x < 0.905 ? 0.5 : 0.25; })});
  SegmentGrid grid = grid_of(1.0);
  EXPECT_EQ(check(objective, grid).worst_t, 0.21);
  EXPECT_EQ(check(objective, grid, 0.5, 0.5).worst_t, 0.0);
  grid.stop_at_failure = false;
  EXPECT_EQ(check(objective, grid).worst_t, 0.21);
}

TEST(CheckSegment, NanFailsAndIsTheWorst) {
  const FakeObjective objective(
      {.surface = fake::profile([](double x) { return x > 0.305 && x < 0.405 ? nan : 10.0 * x; })});
  SegmentGrid grid = grid_of(20.0);
  SegmentCheck result = check(objective, grid);
  EXPECT_FALSE(result.passed);
  EXPECT_TRUE(std::isnan(result.worst_value));
  EXPECT_LT(objective.looks(), 12u) << "one of the eighths is NaN";
  grid.stop_at_failure = false;
  result = check(objective, grid);
  EXPECT_FALSE(result.passed);
  EXPECT_TRUE(std::isnan(result.worst_value));
  EXPECT_EQ(result.worst_t, 0.31);
  EXPECT_EQ(result.values[100], 10.0);
  // NaN fails even a bound that nothing else does.
  grid.bound = std::numeric_limits<double>::infinity();
  EXPECT_FALSE(check(objective, grid).passed);
}

TEST(CheckSegment, NanWeightsFailAtOnce) {
  const FakeObjective objective({.surface = fake::ring()});
  const auto evaluator = objective.evaluator();
  const std::array<float, 2> broken{std::numeric_limits<float>::quiet_NaN(), 0.0f};
  const SegmentCheck result = check_segment(*evaluator, broken, one, grid_of(1.0));
  EXPECT_FALSE(result.passed);
  EXPECT_EQ(objective.looks(), 1u);
}

TEST(CheckSegment, IdenticalEndsAreOnePointManyTimes) {
  const FakeObjective objective({.surface = fake::ring()});
  const auto evaluator = objective.evaluator();
  const SegmentCheck result = check_segment(*evaluator, one, one, grid_of(0.0));
  EXPECT_TRUE(result.passed);
  EXPECT_EQ(result.worst_value, 0.0);
  EXPECT_EQ(result.worst_t, 0.0);
}

TEST(CheckSegment, ErrorRatesStopWithinAPass) {
  const FakeObjective objective({.surface = fake::profile([](double x) { return x * (1.0 - x); }),
                                 .metric = Metric::error_rate,
                                 .samples = 1000,
                                 .block = 10});
  SegmentGrid grid{.points = 21, .metric = Metric::error_rate, .bound = 0.1};
  SegmentCheck result = check(objective, grid);
  EXPECT_FALSE(result.passed);
  EXPECT_EQ(objective.looks(), 1u);
  EXPECT_LT(result.samples, 450u) << "a quarter is wrong: 100 of them are seen early";
  EXPECT_EQ(result.samples, objective.samples_looked_at());
  EXPECT_GT(result.worst_value, 0.1);
  EXPECT_LT(result.worst_value, 0.25) << "a lower bound";
  EXPECT_EQ(result.worst_t, 0.5);
  EXPECT_TRUE(std::ranges::all_of(result.values, [](double v) { return std::isnan(v); }))
      << "none was seen in full";

  grid.stop_at_failure = false;
  result = check(objective, grid);
  EXPECT_EQ(result.samples, 21000u);
  EXPECT_EQ(result.worst_value, 0.25);

  grid.stop_at_failure = true;
  grid.bound = 0.25;
  result = check(objective, grid);
  EXPECT_TRUE(result.passed) << "the bound is met exactly";
  EXPECT_EQ(result.samples, 21000u);
}

TEST(CheckSegment, RefusesEndsOfOtherLengths) {
  const FakeObjective objective({.surface = fake::ring()});
  const auto evaluator = objective.evaluator();
  const std::array<float, 1> shorter{0.0f};
  EXPECT_THROW(check_segment(*evaluator, one, shorter, grid_of(1.0)), InternalError);
}

TEST(CheckSegment, ObeysStopBetweenTwoLooks) {
  Stop stop;
  std::size_t looks = 0;
  const FakeObjective objective({.surface = fake::ring(), .before_look = [&](auto) {
                                   if (++looks == 7) {
                                     stop.request();
                                   }
                                 }});
  const auto evaluator = objective.evaluator();
  EXPECT_THROW(check_segment(*evaluator, origin, one, grid_of(2.0), {}, {}, &stop), Interrupted);
  EXPECT_EQ(objective.looks(), 7u);
}

// Against the obvious reference, on random sums of waves.
class RandomProfiles : public testing::TestWithParam<std::uint64_t> {};

TEST_P(RandomProfiles, AgreeWithALoopOverTheGrid) {
  Rng rng(GetParam());
  std::array<double, 4> height{};
  std::array<double, 4> phase{};
  for (std::size_t i = 0; i < height.size(); ++i) {
    height[i] = rng.normal() / static_cast<double>(i + 1);
    phase[i] = rng.uniform(0.0, 6.3);
  }
  const auto f = [&](double x) {
    double sum = 0.0;
    for (std::size_t i = 0; i < height.size(); ++i) {
      sum += height[i] * std::sin(2.5 * static_cast<double>(i + 1) * x + phase[i]);
    }
    return std::round(8.0 * sum * sum) / 8.0;  // with ties
  };
  SegmentGrid grid = grid_of(rng.uniform(0.0, 3.0), 2 + rng.below(120));
  grid.include_end = rng.below(2) == 0;
  grid.comparison = rng.below(2) == 0 ? Comparison::at_most : Comparison::below;
  grid.stop_at_failure = rng.below(3) != 0;
  bool passes = true;
  double worst_value = -1.0;
  double worst_t = 0.0;
  for (std::size_t k = 0; k < grid.points; ++k) {
    const double value = value_at(f, grid.t(k));
    passes = passes && reaches(value, grid.bound, grid.comparison);
    if (value > worst_value) {
      worst_value = value;
      worst_t = grid.t(k);
    }
  }
  const FakeObjective objective({.surface = fake::profile(f)});
  std::optional<double> value_a;
  std::optional<double> value_b;
  if (rng.below(2) == 0) {
    value_a = f(0.0);
    value_b = f(1.0);
  }
  const SegmentCheck result = check(objective, grid, value_a, value_b);
  EXPECT_EQ(result.passed, passes);
  EXPECT_LE(objective.looks(), grid.points);
  EXPECT_EQ(result.samples, objective.looks());
  if (passes || !grid.stop_at_failure) {
    EXPECT_EQ(result.worst_value, worst_value);
    EXPECT_EQ(result.worst_t, worst_t);
  } else {
    EXPECT_FALSE(reaches(result.worst_value, grid.bound, grid.comparison));
    EXPECT_EQ(value_at(f, result.worst_t), result.worst_value);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomProfiles, testing::Range<std::uint64_t>(1, 201));

}  // namespace
}  // namespace isthmus
