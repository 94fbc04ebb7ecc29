// SPDX-License-Identifier: MIT
// Strings that greedy sampling gives up, and beads that it takes out.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>
#include <vector>

#include "isthmus/path/measures.h"
#include "isthmus/strings/greedy.h"
#include "support/fake_objective.h"

namespace isthmus {
namespace {

using Theta = std::vector<float>;

GreedyOptions options_for(double threshold) {
  GreedyOptions options;
  options.threshold = threshold;
  options.alpha = 0.5;
  options.grid.metric = Metric::mean_squared_error;
  options.training.optimizer = Sgd{.learning_rate = 0.02};
  options.training.max_steps = 500;
  return options;
}

// A surface that is 0 at the beads and 1 everywhere else, so that every segment fails, and beads
// that are put where the test wants them: at `along` of their segment, and `beside` of its length
// to its left.
StringSummary grow_with_beads_at(double along, double beside, std::size_t stagnation) {
  std::vector<Theta> beads{{0.0f, 0.0f}, {1.0f, 0.0f}};
  fake::FakeObjective objective{{.surface = [&](auto theta, auto) {
    return std::ranges::any_of(beads,
                               [&](const Theta& bead) { return std::ranges::equal(bead, theta); })
               ? 0.0
               : 1.0;
  }}};
  Workers workers(1);
  Evaluators evaluators(objective, workers);
  GreedyOptions options = options_for(0.5);
  options.stagnation = stagnation;
  options.max_rounds = 5;
  const std::vector<Theta> ends = beads;
  GrowingString string(
      evaluators,
      options,
      {},
      std::array{std::span<const float>(ends[0]), std::span<const float>(ends[1])});
  string.evaluate_end_points();
  string.check_segments();
  return grow_greedily(string, options, [&](GrowingString&, std::span<const std::size_t> fresh) {
    for (const std::size_t place : fresh) {
      const Theta a = string.bead(place - 1).theta;
      const Theta b = string.bead(place + 1).theta;
      const double dx = b[0] - a[0];
      const double dy = b[1] - a[1];
      beads.push_back({static_cast<float>(a[0] + along * dx - beside * dy),
                       static_cast<float>(a[1] + along * dy + beside * dx)});
      string.replace(place, beads.back());
    }
    string.evaluate_beads(fresh);
  });
}

TEST(Stagnation, EndsAStringWhoseBeadsDoNotCutASegment) {
  // A triangle: the left child is .95 as long as its parent, the right one .5.
  const double along = (0.95 * 0.95 - 0.5 * 0.5 + 1.0) / 2.0;
  const double beside = std::sqrt(0.95 * 0.95 - along * along);
  const StringSummary string = grow_with_beads_at(along, beside, 3);
  EXPECT_EQ(string.verdict, Verdict::not_connected);
  EXPECT_EQ(string.ending.kind, Ending::Kind::stagnation);
  EXPECT_EQ(string.ending.limit, 3u);
  EXPECT_EQ(string.ending.segment, 0u);
  EXPECT_NEAR(string.ending.length, std::pow(0.95, 3), 1e-6);
  EXPECT_NEAR(string.ending.length_before, 1.0, 1e-6);
  EXPECT_EQ(sentence(string.ending),
            "segment 0 stagnates: it was 1 long, and after 3 beads it is 0.857375");
  EXPECT_EQ(string.rounds, 1u);
  EXPECT_EQ(string.beads_inserted, 3u) << "a segment that may stagnate comes first, others wait";
  EXPECT_EQ(grow_with_beads_at(along, beside, 2).beads_inserted, 2u);
}

TEST(Stagnation, BeadsThatLieAtAnEndCrowd) {
  const StringSummary string = grow_with_beads_at(0.95, 0.0, 3);
  EXPECT_EQ(string.ending.kind, Ending::Kind::crowding);
  EXPECT_NEAR(string.ending.length, std::pow(0.95, 3), 1e-6);
  EXPECT_EQ(sentence(string.ending),
            "segment 0 stagnates: it was 1 long, and after 3 beads it is 0.857375 (each came to "
            "lie at one of its ends)");
}

TEST(Stagnation, IsNotWhereSegmentsGetShorterOrNobodyAsks) {
  EXPECT_EQ(grow_with_beads_at(0.89, 0.0, 1).ending.kind, Ending::Kind::rounds);
  EXPECT_EQ(grow_with_beads_at(0.95, 0.0, 0).ending.kind, Ending::Kind::rounds);
}

// The ring with a flat plate around the middle of the chord of 120 degrees, from which no bead
// comes away.
StringSummary across_a_plate(std::size_t stuck_tries, std::size_t max_total_steps) {
  const auto ring = fake::ring();
  const double half = 0.25 * std::numbers::sqrt3;
  fake::FakeObjective objective{{.surface = [=](auto theta, auto gradient) {
    if (std::hypot(theta[0] - 0.25, theta[1] - half) < 0.05) {
      std::ranges::fill(gradient, 0.0f);
      return 1.0;
    }
    return ring(theta, gradient);
  }}};
  Workers workers(1);
  Evaluators evaluators(objective, workers);
  GreedyOptions options = options_for(0.05);
  options.stuck_tries = stuck_tries;
  options.max_total_steps = max_total_steps;
  const Theta a{1.0f, 0.0f};
  const Theta b{-0.5f, static_cast<float>(2.0 * half)};
  StringSummary string = connect_greedy(evaluators, a, b, options);
  EXPECT_EQ(string.cost.gradient_samples_beads, objective.gradients());
  EXPECT_EQ(string.cost.forward_samples_beads + string.cost.forward_samples_checks,
            objective.samples_looked_at());
  return string;
}

TEST(StuckBead, EndsAStringUnlessItMayBeTakenOut) {
  constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();
  const StringSummary before = across_a_plate(0, no_limit);
  EXPECT_EQ(before.ending.kind, Ending::Kind::stuck_bead);
  EXPECT_EQ(before.ending.bead, 2u);
  const StringSummary now = across_a_plate(1, no_limit);
  EXPECT_EQ(now.verdict, Verdict::connected) << sentence(now.ending);
  EXPECT_EQ(now.beads_unreached, 1u);
  EXPECT_EQ(now.path.size(), 2 + now.beads_inserted - 1);
  EXPECT_EQ(std::ranges::count(now.bead_numbers, 2u), 0) << "the stuck one is not on the path";
}

TEST(StuckBead, OneThatWasCutShortIsNotStuck) {
  EXPECT_EQ(across_a_plate(1, 100).ending.kind, Ending::Kind::steps);
}

TEST(StuckBead, EndsAStringWhenTheTriesAreOver) {
  // A wall of 1 that is flat: no bead comes away wherever it is put.
  fake::FakeObjective objective{
      {.surface = fake::profile([](double x) { return std::abs(x) < 0.9 ? 1.0 : 0.0; })}};
  Workers workers(1);
  Evaluators evaluators(objective, workers);
  GreedyOptions options = options_for(0.5);
  options.stuck_tries = 2;
  options.stagnation = 3;
  const StringSummary string =
      connect_greedy(evaluators, Theta{-1.0f, 0.0f}, Theta{1.0f, 0.0f}, options);
  EXPECT_EQ(string.ending.kind, Ending::Kind::stuck_bead);
  EXPECT_EQ(string.rounds, 3u);
  EXPECT_EQ(string.ending.bead, 4u);
  ASSERT_EQ(string.path.size(), 3u);
  EXPECT_NEAR(string.path.bead(1)[0], 0.5f, 1e-6) << "at a half, a quarter, three quarters";
}

}  // namespace
}  // namespace isthmus
