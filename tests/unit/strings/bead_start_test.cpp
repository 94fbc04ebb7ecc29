// SPDX-License-Identifier: MIT
#include "isthmus/strings/bead_start.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "isthmus/path/path.h"
#include "isthmus/strings/greedy.h"
#include "support/fake_objective.h"
#include "support/strings.h"

namespace isthmus {
namespace {

using testing::expect_same;
using Theta = std::vector<float>;

// A cubic in three dimensions, another in each; `degree` cuts it short.
Theta curve(double x, int degree) {
  constexpr std::array<std::array<double, 4>, 3> coefficients{
      {{0.5, -1.0, 0.25, 0.75}, {-0.25, 0.5, 1.0, -0.5}, {2.0, 0.0, -0.125, 0.0625}}};
  Theta theta;
  for (const auto& c : coefficients) {
    double value = 0.0;
    for (int k = 0; k <= degree; ++k) {
      value += c[static_cast<std::size_t>(k)] * std::pow(x, k);
    }
    theta.push_back(static_cast<float>(value));
  }
  return theta;
}

void expect_near(const Theta& a, const Theta& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_NEAR(a[i], b[i], 1e-6) << i;
  }
}

TEST(BeadStart, LiesOnTheCurveThroughTheBeadsAround) {
  const Theta none;
  for (const double t : {0.5, 0.25, 0.75, 0.05}) {
    SCOPED_TRACE(t);
    Theta found(3);
    const auto bend = [&](int degree, bool before, bool behind) {
      const Theta left = curve(0.0, degree);
      const Theta right = curve(1.0, degree);
      const Theta first = before ? curve(-1.0, degree) : none;
      const Theta last = behind ? curve(2.0, degree) : none;
      place_start({first, left, right, last}, t, 1.0, found);
      return curve(t, degree);
    };
    expect_near(bend(3, true, true), found);
    expect_near(bend(2, true, false), found);
    expect_near(bend(2, false, true), found);
    expect_near(bend(1, false, false), found);
  }
}

TEST(BeadStart, IsTheFourPointSchemeInTheMiddle) {
  const Theta a{1.0F, -2.0F};
  const Theta b{0.5F, 3.0F};
  const Theta c{4.0F, 0.0F};
  const Theta d{-1.0F, 2.5F};
  Theta found(2);
  place_start({a, b, c, d}, 0.5, 1.0, found);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_FLOAT_EQ(found[i], (9.0F * (b[i] + c[i]) - (a[i] + d[i])) / 16.0F);
  }
  place_start({{}, b, c, d}, 0.5, 1.0, found);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_FLOAT_EQ(found[i], (3.0F * b[i] + 6.0F * c[i] - d[i]) / 8.0F);
  }
  place_start({a, b, c, {}}, 0.5, 1.0, found);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_FLOAT_EQ(found[i], (6.0F * b[i] + 3.0F * c[i] - a[i]) / 8.0F);
  }
}

TEST(BeadStart, GoesAnyPartOfTheWayFromTheChord) {
  const Theta a{1.0F, -2.0F};
  const Theta b{0.5F, 3.0F};
  const Theta c{4.0F, 0.0F};
  Theta chord(2);
  interpolate(b, c, 0.3, chord);
  Theta curve(2);
  place_start({a, b, c, {}}, 0.3, 1.0, curve);
  Theta found(2);
  place_start({a, b, c, {}}, 0.3, 0.0, found);
  EXPECT_EQ(found, chord) << "bit for bit";
  for (const double bend : {0.5, 1.5}) {
    place_start({a, b, c, {}}, 0.3, bend, found);
    for (std::size_t i = 0; i < 2; ++i) {
      EXPECT_NEAR(found[i], chord[i] + bend * (curve[i] - chord[i]), 1e-6);
    }
  }
}

Theta on_ring(double degrees) {
  const double angle = degrees * std::numbers::pi / 180.0;
  return {static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))};
}

GreedyOptions options_for(double bend) {
  GreedyOptions options;
  options.threshold = 1e-6;
  options.alpha = 0.5;
  options.grid.metric = Metric::mean_squared_error;
  options.training.optimizer = Sgd{.learning_rate = 0.02};
  options.training.max_steps = 2000;
  options.bead_bend = bend;
  return options;
}

// Two cuts at once: each looks at the beads that there were, not at the other's.
TEST(BeadStart, OfARoundLooksAtTheStringAsItWas) {
  const fake::FakeObjective objective({.surface = fake::ring()});
  Workers workers(1);
  Evaluators evaluators(objective, workers);
  const std::vector<Theta> beads{on_ring(0), on_ring(20), on_ring(40), on_ring(60)};
  const std::vector<std::span<const float>> views(beads.begin(), beads.end());
  GrowingString string(evaluators, options_for(1.0), {}, views);
  const std::array<Cut, 3> cuts{
      Cut{.segment = 0, .t = 0.5}, Cut{.segment = 1, .t = 0.25}, Cut{.segment = 2, .t = 0.5}};
  ASSERT_EQ(string.insert(cuts, 1.0), (std::vector<std::size_t>{1, 3, 5}));
  std::array<Theta, 3> expected{Theta(2), Theta(2), Theta(2)};
  place_start({{}, beads[0], beads[1], beads[2]}, 0.5, 1.0, expected[0]);
  place_start({beads[0], beads[1], beads[2], beads[3]}, 0.25, 1.0, expected[1]);
  place_start({beads[1], beads[2], beads[3], {}}, 0.5, 1.0, expected[2]);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(string.bead(2 * i + 1).theta, expected[i]);
  }
  EXPECT_EQ(string.bead(2).theta, beads[1]);
  // The arc of 20 degrees leaves its chord by 1 - cos 10; the bend follows it.
  double chord = 0.0;
  double bend = 0.0;
  Theta middle(2);
  interpolate(beads[1], beads[2], 0.5, middle);
  objective.evaluator()->metrics(
      Split::test, Metric::mean_squared_error, middle, std::span(&chord, 1));
  place_start({beads[0], beads[1], beads[2], beads[3]}, 0.5, 1.0, middle);
  objective.evaluator()->metrics(
      Split::test, Metric::mean_squared_error, middle, std::span(&bend, 1));
  EXPECT_LT(100.0 * bend, chord);
}

StringSummary join(double bend, std::size_t threads, StringJournal* journal = nullptr) {
  const fake::FakeObjective objective({.surface = fake::ring()});
  Workers workers(threads);
  Evaluators evaluators(objective, workers);
  return connect_greedy(evaluators,
                        on_ring(0),
                        on_ring(120),
                        options_for(bend),
                        {.journal = journal, .stop = nullptr, .progress = {}});
}

TEST(BeadStart, OnTheBendTakesFewerGradientsAlongARing) {
  const StringSummary chord = join(0.0, 1);
  const StringSummary bend = join(1.0, 1);
  ASSERT_EQ(chord.verdict, Verdict::connected);
  ASSERT_EQ(bend.verdict, Verdict::connected);
  EXPECT_LT(2 * bend.cost.gradient_samples_beads, chord.cost.gradient_samples_beads);
  EXPECT_LE(bend.max_metric, 1e-6);
}

TEST(BeadStart, ResumesAtEveryPointWithTheSameBitsForAnyThreads) {
  testing::MemoryJournal whole;
  const StringSummary expected = join(1.0, 1, &whole);
  for (std::size_t dies_at = 0; dies_at < whole.kept; dies_at += 1 + whole.kept / 25) {
    testing::MemoryJournal journal;
    journal.dies_at = dies_at;
    EXPECT_THROW(join(1.0, 2, &journal), std::runtime_error);
    journal.dies_at = std::numeric_limits<std::size_t>::max();
    expect_same(join(1.0, 3, &journal), expected);
  }
}

}  // namespace
}  // namespace isthmus
