// SPDX-License-Identifier: MIT
// Greedy strings that go down at both ends first.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numbers>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "isthmus/strings/greedy.h"
#include "support/fake_objective.h"
#include "support/strings.h"

namespace isthmus {
namespace {

using fake::FakeObjective;
using testing::expect_same;
using testing::MemoryJournal;
using Theta = std::vector<float>;

// Beside the circle, where the surface is .0441; the line between them climbs higher.
const Theta a{1.1F, 0.0F};
const Theta b{-0.55F, static_cast<float>(0.55 * std::numbers::sqrt3)};

GreedyOptions options_for(double threshold) {
  GreedyOptions options;
  options.threshold = threshold;
  options.alpha = 0.2;
  options.grid.metric = Metric::mean_squared_error;
  options.training.optimizer = Sgd{.learning_rate = 0.02};
  options.training.max_steps = 2000;
  return options;
}

StringSummary connect(const GreedyOptions& options,
                      StringJournal* journal = nullptr,
                      std::size_t threads = 1) {
  const FakeObjective objective({.surface = fake::ring(), .samples = 3});
  Workers workers(threads);
  Evaluators evaluators(objective, workers);
  return connect_greedy_down(evaluators, a, b, options, {.journal = journal});
}

TEST(GreedyDown, ItsFirstAndLastInnerBeadsLieBelowTheEndPoints) {
  const GreedyOptions options = options_for(0.045);
  const StringSummary summary = connect(options);
  EXPECT_EQ(summary.verdict, Verdict::connected);
  ASSERT_GE(summary.path.size(), 5U);
  EXPECT_LE(summary.max_metric, options.threshold);
  EXPECT_EQ(Theta(summary.path.bead(0).begin(), summary.path.bead(0).end()), a);
  const std::size_t last = summary.path.size() - 1;
  EXPECT_EQ(Theta(summary.path.bead(last).begin(), summary.path.bead(last).end()), b);
  for (const auto& [inner, end] : {std::pair(std::size_t{1}, a), std::pair(last - 1, b)}) {
    const std::span<const float> bead = summary.path.bead(inner);
    const double radius = std::hypot(bead[0], bead[1]);
    EXPECT_LT(std::abs(radius - 1.0), 0.05);
    // Straight down from the end point: along its radius.
    EXPECT_NEAR(bead[0] / radius, end[0] / 1.1, 1e-5);
    EXPECT_NEAR(bead[1] / radius, end[1] / 1.1, 1e-5);
  }
}

TEST(GreedyDown, AStraightLineThatPassesNeedsNoBead) {
  const StringSummary summary = connect(options_for(1.0));
  EXPECT_EQ(summary.verdict, Verdict::connected);
  EXPECT_EQ(summary.path.size(), 2U);
}

TEST(GreedyDown, EndsAsOtherStringsDo) {
  EXPECT_EQ(connect(options_for(0.04)).verdict, Verdict::endpoint_not_reached);
  GreedyOptions options = options_for(0.045);
  options.max_beads = 3;
  const StringSummary beads = connect(options);
  EXPECT_EQ(beads.verdict, Verdict::not_connected);
  EXPECT_EQ(beads.ending.kind, Ending::Kind::beads);
  EXPECT_EQ(beads.cost.gradient_samples_beads, 0U);
}

TEST(GreedyDown, ResumesAtEveryPointWithTheSameBits) {
  const GreedyOptions options = options_for(0.045);
  MemoryJournal whole;
  const StringSummary unbroken = connect(options, &whole);
  ASSERT_GT(whole.kept, 4U);
  for (std::size_t dies_at = 0; dies_at < whole.kept; ++dies_at) {
    SCOPED_TRACE(dies_at);
    MemoryJournal journal;
    journal.dies_at = dies_at;
    EXPECT_THROW(connect(options, &journal, 2), std::runtime_error);
    expect_same(connect(options, &journal, 2), unbroken);
  }
}

}  // namespace
}  // namespace isthmus
