// SPDX-License-Identifier: MIT
#include "isthmus/strings/shorten.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numbers>

#include "isthmus/core/error.h"
#include "isthmus/objective/surfaces.h"
#include "isthmus/strings/relax.h"
#include "support/temporary_folder.h"

namespace isthmus {
namespace {

using testing::expect_error;

// Level .1 of the ring (r^2 - 1)^2: everything between these radii.
const double outer = std::sqrt(1.0 + std::sqrt(0.1));
const double inner = std::sqrt(1.0 - std::sqrt(0.1));

// From (-1, 0) to (1, 0) over the top, along the outer edge of the level set.
Path detour(std::size_t beads) {
  Path path{.dimension = 2, .beads = {}};
  for (std::size_t i = 0; i < beads; ++i) {
    const bool end = i == 0 || i + 1 == beads;
    const double angle =
        std::numbers::pi * (1.0 - static_cast<double>(i) / static_cast<double>(beads - 1));
    const double radius = end ? 1.0 : 0.99 * outer;
    path.beads.push_back(
        static_cast<float>(end ? (i == 0 ? -1.0 : 1.0) : radius * std::cos(angle)));
    path.beads.push_back(static_cast<float>(end ? 0.0 : radius * std::sin(angle)));
  }
  return path;
}

ShortenOptions options_for(double threshold) {
  ShortenOptions options;
  options.threshold = threshold;
  options.grid.metric = Metric::mean_squared_error;
  options.training.optimizer = Adam{.learning_rate = 0.01};
  options.training.max_steps = 2000;
  return options;
}

struct Ground {
  Surface surface = ring(2);
  std::unique_ptr<Objective> objective = make_surface_objective(surface);
  Workers workers;
  Evaluators evaluators;

  explicit Ground(std::size_t threads = 1) : workers(threads), evaluators(*objective, workers) {}
};

// Straight lines tangent to the inner circle, and the arc between: no path below is shorter.
double shortest() {
  const double tangent = std::sqrt(1.0 - inner * inner);
  const double arc = std::numbers::pi - 2.0 * std::acos(inner);
  return (2.0 * tangent + inner * arc) / 2.0;
}

TEST(Shorten, AWayRoundTheRingComesCloseToTheShortestOne) {
  Ground ground;
  const Path path = detour(20);
  const Shortening result = shorten(ground.evaluators, path, options_for(0.1));
  EXPECT_TRUE(result.shorter);
  EXPECT_EQ(result.string.verdict, Verdict::connected);
  EXPECT_LE(result.string.max_metric, 0.1);
  EXPECT_LT(result.length_after, result.length_before);
  // Its beads aim at .95 of the level; its segments are chords.
  EXPECT_GE(result.length_after, 0.99 * shortest());
  EXPECT_LE(result.length_after, 1.04 * shortest());
  EXPECT_LT(result.beads_after, result.beads_before);
  EXPECT_GT(result.cost.gradient_samples_beads, 0u);
  for (const std::size_t end : {std::size_t{0}, path.size() - 1}) {
    const std::size_t now = end == 0 ? 0 : result.string.path.size() - 1;
    EXPECT_TRUE(std::ranges::equal(result.string.path.bead(now), path.bead(end)));
  }
}

TEST(Shorten, DoesNotDependOnTheNumberOfWorkers) {
  Ground one(1);
  Ground two(2);
  const Path path = detour(15);
  EXPECT_EQ(shorten(one.evaluators, path, options_for(0.1)).string.path.beads,
            shorten(two.evaluators, path, options_for(0.1)).string.path.beads);
}

TEST(Shorten, AStraightLineStaysAsItIs) {
  Ground ground;
  const Path line{.dimension = 2, .beads = {1.0F, 0.0F, 1.0F, 0.05F}};
  const Shortening result = shorten(ground.evaluators, line, options_for(0.1));
  EXPECT_FALSE(result.shorter);
  EXPECT_EQ(result.string.path.beads, line.beads);
  EXPECT_EQ(result.cost.gradient_samples_beads, 0u);
}

TEST(Shorten, RefusesWhatIsNotBelowItsThreshold) {
  Ground ground;
  expect_error<UsageError>([&] { shorten(ground.evaluators, detour(20), options_for(0.01)); },
                           {"path", "at or below 0.01", "mean_squared_error"});
  ShortenOptions options = options_for(0.1);
  options.relax_beads = 2;
  expect_error<UsageError>([&] { shorten(ground.evaluators, detour(20), options); },
                           {"relax-beads", "at least 3", "2"});
  options = options_for(0.1);
  options.relax_iterations = 0;
  expect_error<UsageError>([&] { shorten(ground.evaluators, detour(20), options); },
                           {"relax-iterations", "at least 1"});
}

TEST(Resample, PutsBeadsAtEqualDistances) {
  const Path bent{.dimension = 2, .beads = {0, 0, 3, 0, 3, 1}};
  const Path even = resample(bent, 5);
  EXPECT_EQ(even.beads, (std::vector<float>{0, 0, 1, 0, 2, 0, 3, 0, 3, 1}));
}

TEST(Relax, SaysWhichOptionIsWrong) {
  Ground ground;
  Path path = detour(5);
  expect_error<UsageError>([&] { relax(ground.evaluators, path, {.level = 0.0}); }, {"level"});
  expect_error<UsageError>([&] { relax(ground.evaluators, path, {.level = 1.0, .margin = 2.0}); },
                           {"margin", "(0, 1]"});
}

}  // namespace
}  // namespace isthmus
