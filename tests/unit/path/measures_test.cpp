// SPDX-License-Identifier: MIT
#include "isthmus/path/measures.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "isthmus/core/error.h"
#include "support/fake_objective.h"

namespace isthmus {
namespace {

using fake::FakeObjective;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

SegmentGrid full_grid(std::size_t points) {
  return {.points = points,
          .metric = Metric::mean_squared_error,
          .bound = 1.0,
          .stop_at_failure = false};
}

// From (0, 0) by (3, 0) to (3, 4): x along the first, y along the second segment.
Path corner() {
  return {.dimension = 2, .beads = {0, 0, 3, 0, 3, 4}};
}

struct Measured {
  FakeObjective objective;
  Workers workers;
  Evaluators evaluators;
  explicit Measured(fake::FakeOptions options, std::size_t threads = 2)
      : objective(std::move(options)), workers(threads), evaluators(objective, workers) {}
};

TEST(Profile, FollowsTheArcLength) {
  Measured on({.surface = fake::two_weights(
                   [](double x, double y, double*, double*) { return x + 10.0 * y; })});
  const Path path = corner();
  const SegmentGrid grid = full_grid(3);
  const std::vector<SegmentCheck> checks = check_path(on.evaluators, path, grid);
  const std::vector<ProfilePoint> profile = profile_of(path, on.objective.layout(), checks, grid);
  ASSERT_EQ(profile.size(), 6u);
  const std::array<double, 6> arc{0.0, 1.5, 3.0, 3.0, 5.0, 7.0};
  const std::array<double, 6> value{0.0, 1.5, 3.0, 3.0, 23.0, 43.0};
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(profile[i].segment, i / 3);
    EXPECT_EQ(profile[i].t, 0.5 * static_cast<double>(i % 3));
    EXPECT_DOUBLE_EQ(profile[i].arc_length, arc[i]);
    EXPECT_DOUBLE_EQ(profile[i].value, value[i]);
  }
  const PathLength length = length_of(path, on.objective.layout(), Coordinates::all);
  EXPECT_EQ(profile.back().arc_length, length.length) << "bit for bit";
}

TEST(Barrier, ThreeConventions) {
  // Values along a path of length 4: ends 1 and 3, top 6 at a quarter.
  const std::vector<ProfilePoint> profile{{.arc_length = 0.0, .value = 1.0},
                                          {.arc_length = 1.0, .value = 6.0},
                                          {.arc_length = 3.0, .value = 2.0},
                                          {.arc_length = 4.0, .value = 3.0}};
  const Barrier barrier = barrier_of(profile, 4.0, 1.0, 3.0);
  EXPECT_DOUBLE_EQ(barrier.over_max, 3.0);
  EXPECT_DOUBLE_EQ(barrier.over_mean, 4.0);
  EXPECT_DOUBLE_EQ(barrier.over_linear, 6.0 - 1.5);
}

TEST(Barrier, OfAMonotonePathIsZero) {
  const std::vector<ProfilePoint> profile{{.arc_length = 0.0, .value = 1.0},
                                          {.arc_length = 1.0, .value = 2.0},
                                          {.arc_length = 2.0, .value = 3.0}};
  const Barrier barrier = barrier_of(profile, 2.0, 1.0, 3.0);
  EXPECT_EQ(barrier.over_max, 0.0);
  EXPECT_EQ(barrier.over_mean, 1.0);
  EXPECT_EQ(barrier.over_linear, 0.0);
}

TEST(Barrier, IsNotNegativeWhereTheGridLacksAnEnd) {
  const std::vector<ProfilePoint> profile{{.arc_length = 0.0, .value = 1.0},
                                          {.arc_length = 1.0, .value = 1.0}};
  const Barrier barrier = barrier_of(profile, 2.0, 1.0, 3.0);
  EXPECT_EQ(barrier.over_max, 0.0);
  EXPECT_EQ(barrier.over_mean, 1.0);
  EXPECT_EQ(barrier.over_linear, 0.0);
}

TEST(Barrier, OfAPathWithoutLength) {
  const std::vector<ProfilePoint> profile{{.value = 2.0}, {.value = 2.0}};
  const Barrier barrier = barrier_of(profile, 0.0, 2.0, 2.0);
  EXPECT_EQ(barrier.over_max, 0.0);
  EXPECT_EQ(barrier.over_mean, 0.0);
  EXPECT_EQ(barrier.over_linear, 0.0);
}

TEST(Barrier, CarriesNan) {
  const std::vector<ProfilePoint> profile{{.arc_length = 0.0, .value = 1.0},
                                          {.arc_length = 1.0, .value = nan},
                                          {.arc_length = 2.0, .value = 9.0}};
  const Barrier barrier = barrier_of(profile, 2.0, 1.0, 9.0);
  EXPECT_TRUE(std::isnan(barrier.over_max));
  EXPECT_TRUE(std::isnan(barrier.over_mean));
  EXPECT_TRUE(std::isnan(barrier.over_linear));
  for (const auto& [a, b] : {std::pair(nan, 1.0), std::pair(1.0, nan)}) {
    EXPECT_TRUE(std::isnan(barrier_of({}, 1.0, a, b).over_max));
  }
}

TEST(Barrier, OfTheStraightLineThroughADoubleWell) {
  Measured on({.surface = fake::double_well()});
  const Path path{.dimension = 2, .beads = {-1, 0, 1, 0}};
  const SegmentGrid grid = full_grid(101);
  const auto checks = check_path(on.evaluators, path, grid);
  const auto profile = profile_of(path, on.objective.layout(), checks, grid);
  const Barrier barrier = barrier_of(profile, 2.0, 0.0, 0.0);
  EXPECT_EQ(barrier.over_max, 1.0);
  EXPECT_EQ(barrier.over_mean, 1.0);
  EXPECT_EQ(barrier.over_linear, 1.0);
}

TEST(CheckPath, ChecksEverySegment) {
  for (const std::size_t threads : {1u, 2u, 3u}) {
    Measured on({.surface = fake::two_weights(
                     [](double x, double y, double*, double*) { return x / 4.0 + y; })},
                threads);
    const auto checks = check_path(on.evaluators, corner(), full_grid(11));
    ASSERT_EQ(checks.size(), 2u);
    EXPECT_TRUE(checks[0].passed);
    EXPECT_FALSE(checks[1].passed);
    EXPECT_EQ(checks[1].worst_t, 1.0);
    EXPECT_EQ(checks[1].worst_value, 4.75);
    EXPECT_EQ(on.objective.looks(), 22u);
  }
}

TEST(CheckPath, RefusesABadGridAndObeysStop) {
  Measured on({.surface = fake::ring()});
  EXPECT_THROW(check_path(on.evaluators, corner(), full_grid(1)), UsageError);
  Stop stop;
  stop.request();
  EXPECT_THROW(check_path(on.evaluators, corner(), full_grid(3), &stop), Interrupted);
  EXPECT_EQ(on.objective.looks(), 0u);
}

TEST(CheckPath, OfNoSegments) {
  Measured on({.surface = fake::ring()});
  EXPECT_TRUE(check_path(on.evaluators, {.dimension = 2, .beads = {1, 0}}, full_grid(3)).empty());
}

TEST(LargestOn, TheOtherSplit) {
  // On the training split the surface itself, on the test split half of it.
  for (const std::size_t threads : {1u, 2u}) {
    Measured on({.surface = fake::two_weights([](double x, double y, double*, double*) {
                   return 0.1 * x + (y > 3.0 ? 1.0 : 0.1 * y);
                 }),
                 .on_test = 0.5},
                threads);
    const SegmentGrid grid = full_grid(5);
    const auto checks = check_path(on.evaluators, corner(), grid);
    on.objective.forget();
    const auto largest = [&](OtherSplit which) {
      return largest_on(on.evaluators, corner(), checks, grid, Split::train, which);
    };
    EXPECT_TRUE(std::isnan(largest(OtherSplit::none).value));
    EXPECT_EQ(largest(OtherSplit::none).samples, 0u);
    EXPECT_EQ(on.objective.looks(), 0u);
    EXPECT_DOUBLE_EQ(largest(OtherSplit::dangerous).value, 1.3);
    EXPECT_EQ(on.objective.looks(), 2u) << "one a segment";
    on.objective.forget();
    const LargestValue over_grid = largest(OtherSplit::grid);
    EXPECT_DOUBLE_EQ(over_grid.value, 1.3);
    EXPECT_EQ(on.objective.looks(), 9u) << "the bead between two segments once";
    EXPECT_EQ(over_grid.samples, 9 * on.objective.samples(Split::train));
  }
}

TEST(LargestOn, CarriesNanAndObeysStop) {
  Measured on({.surface = fake::two_weights(
                   [](double x, double, double*, double*) { return x == 1.5 ? nan : x; })});
  const SegmentGrid grid = full_grid(3);
  const auto checks = check_path(on.evaluators, corner(), grid);
  EXPECT_TRUE(std::isnan(
      largest_on(on.evaluators, corner(), checks, grid, Split::train, OtherSplit::grid).value));
  Stop stop;
  stop.request();
  EXPECT_THROW(
      largest_on(on.evaluators, corner(), checks, grid, Split::train, OtherSplit::grid, &stop),
      Interrupted);
}

TEST(LargestOn, OfAGridWithoutItsEnd) {
  Measured on(
      {.surface = fake::two_weights([](double x, double y, double*, double*) { return x + y; })});
  SegmentGrid grid = full_grid(4);
  grid.include_end = false;
  const auto checks = check_path(on.evaluators, corner(), grid);
  on.objective.forget();
  EXPECT_EQ(largest_on(on.evaluators, corner(), checks, grid, Split::train, OtherSplit::grid).value,
            6.0);
  EXPECT_EQ(on.objective.looks(), 8u);
}

}  // namespace
}  // namespace isthmus
