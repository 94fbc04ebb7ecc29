// SPDX-License-Identifier: MIT
#include "isthmus/strings/constrained.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/objective/surfaces.h"
#include "isthmus/strings/method.h"
#include "support/temporary_folder.h"

namespace isthmus {
namespace {

using Theta = std::vector<float>;
using testing::expect_error;

// What the terms add to the loss, in double.
double constraint(const Theta& theta, const Theta& a, const Theta& b, const ConstrainedTerms& t) {
  double to_a = 0.0;
  double to_b = 0.0;
  double apart = 0.0;
  double height = 0.0;
  for (std::size_t i = 0; i < theta.size(); ++i) {
    to_a += std::pow(double(theta[i]) - double(a[i]), 2);
    to_b += std::pow(double(theta[i]) - double(b[i]), 2);
    apart += std::pow(double(b[i]) - double(a[i]), 2);
    height +=
        (double(b[i]) - double(a[i])) * (double(theta[i]) - (double(a[i]) + double(b[i])) / 2);
  }
  return t.zeta * (std::sqrt(to_a) + std::sqrt(to_b)) +
         t.kappa * std::abs(height) / std::sqrt(apart);
}

TEST(Constrained, TermsHaveTheGradientOfTheirFormula) {
  const Theta a{0.5F, -1.0F, 2.0F};
  const Theta b{1.5F, 0.25F, -0.5F};
  const Theta theta{1.25F, 0.75F, 0.125F};
  const ConstrainedTerms terms{.zeta = 0.7, .kappa = 0.4};
  Theta gradient{1.0F, 2.0F, 3.0F};
  add_constraints(theta, a, b, terms, 0.25, gradient);
  for (std::size_t i = 0; i < theta.size(); ++i) {
    const float h = 1.0F / 1024;
    Theta up = theta;
    Theta down = theta;
    up[i] += h;
    down[i] -= h;
    const double slope = (constraint(up, a, b, terms) - constraint(down, a, b, terms)) / (2.0 * h);
    EXPECT_NEAR(gradient[i], double(i + 1) + 0.25 * slope, 1e-5) << i;
  }
}

TEST(Constrained, TermsAreFiniteWhereEveryBeadStarts) {
  const Theta a{0.0F, 0.0F};
  const Theta b{2.0F, 0.0F};
  Theta gradient{0.0F, 1.0F};
  add_constraints(Theta{1.0F, 0.0F}, a, b, {.zeta = 1.0, .kappa = 1.0}, 1.0, gradient);
  EXPECT_EQ(gradient, (Theta{0.0F, 1.0F})) << "the springs pull alike, the hyperplane is met";
  add_constraints(a, a, a, {.zeta = 1.0, .kappa = 1.0}, 1.0, gradient);
  EXPECT_EQ(gradient, (Theta{0.0F, 1.0F})) << "no distances, no directions";
}

// The ring: (r^2 - 1)^2, two points of it 120 degrees apart.
struct Ring {
  std::unique_ptr<Objective> objective = make_surface_objective(ring(2));
  Workers workers;
  Evaluators evaluators;
  Theta a{1.0F, 0.0F};
  Theta b{-0.5F, float(0.5 * std::numbers::sqrt3)};

  explicit Ring(std::size_t threads = 1) : workers(threads), evaluators(*objective, workers) {}

  StringSummary connect(const ConstrainedTerms& terms,
                        double threshold = 0.01,
                        double average = 0.0) {
    MethodOptions options;
    options.method = Method::constrained;
    options.constrained = terms;
    options.alpha = 0.5;
    options.threshold = threshold;
    options.grid.metric = Metric::mean_squared_error;
    options.training.optimizer = Sgd{.learning_rate = 0.02};
    options.training.max_steps = 2000;
    options.training.average = average;
    return isthmus::connect(evaluators, a, b, options);
  }
};

TEST(Constrained, ExactBeadsLieHalfwayBetweenTheirNeighbours) {
  Ring ground;
  // Springs that pull aside, and no way out of the plane: the ring is met inside every hyperplane.
  // Averages of what lies in one lie in it.
  for (const double average : {0.0, 0.9}) {
    const StringSummary string =
        ground.connect({.zeta = 0.0, .kappa = 0.0, .hyperplane = Hyperplane::exact}, 0.09, average);
    EXPECT_EQ(string.verdict, Verdict::connected);
    ASSERT_EQ(string.path.size(), 5u) << "one bead, then one on each side";
    const auto distance = [&](std::size_t i, std::size_t j) {
      return std::hypot(string.path.bead(i)[0] - string.path.bead(j)[0],
                        string.path.bead(i)[1] - string.path.bead(j)[1]);
    };
    EXPECT_NEAR(distance(0, 2), distance(2, 4), 1e-5);
    EXPECT_NEAR(distance(0, 1), distance(1, 2), 1e-5);
    EXPECT_NEAR(distance(2, 3), distance(3, 4), 1e-5);
  }
}

TEST(Constrained, ConnectsWithAnyNumberOfThreads) {
  for (const Hyperplane how : {Hyperplane::penalty, Hyperplane::exact}) {
    Ring one(1);
    Ring two(2);
    const StringSummary first = one.connect({.hyperplane = how});
    const StringSummary second = two.connect({.hyperplane = how});
    EXPECT_EQ(first.verdict, Verdict::connected);
    EXPECT_EQ(first.path.beads, second.path.beads);
    EXPECT_EQ(first.cost.gradient_samples_beads, second.cost.gradient_samples_beads);
  }
}

TEST(Constrained, TermsOfNoStrengthAreGreedySampling) {
  Ring ground;
  const StringSummary free = ground.connect({.zeta = 0.0, .kappa = 0.0});
  GreedyOptions options;
  options.alpha = 0.5;
  options.threshold = 0.01;
  options.grid.metric = Metric::mean_squared_error;
  options.training.optimizer = Sgd{.learning_rate = 0.02};
  options.training.max_steps = 2000;
  const StringSummary greedy = connect_greedy(ground.evaluators, ground.a, ground.b, options);
  EXPECT_EQ(free.path.beads, greedy.path.beads);
}

TEST(Constrained, LeavesTheHyperplaneWhereItMust) {
  // The plane between these two meets the wells' level nowhere but at the pass, which is too high.
  const auto objective = make_surface_objective(mueller_brown());
  const Surface surface = mueller_brown();
  Workers workers(1);
  Evaluators evaluators(*objective, workers);
  MethodOptions options;
  options.method = Method::constrained;
  options.constrained = {.zeta = 0.0, .kappa = 0.0, .hyperplane = Hyperplane::exact};
  options.threshold = 1.1 * surface.pass_value;
  options.alpha = 0.5;
  options.max_rounds = 3;
  options.grid.metric = Metric::mean_squared_error;
  options.training.optimizer = Sgd{.learning_rate = 0.001};
  options.training.max_steps = 5000;
  const StringSummary string =
      isthmus::connect(evaluators, surface.from.theta, surface.to.theta, options);
  EXPECT_NE(string.ending.kind, Ending::Kind::stuck_bead);
  EXPECT_GT(string.beads_unreached, 0u) << "the first training, inside the plane";
}

TEST(Constrained, RefusesStrengthsBelowZero) {
  Ring ground;
  expect_error<UsageError>([&] { ground.connect({.zeta = -1.0}); },
                           {"zeta: expected a finite number >= 0, got -1"});
  expect_error<UsageError>([&] { ground.connect({.kappa = -0.5}); },
                           {"kappa: expected a finite number >= 0, got -0.5"});
}

}  // namespace
}  // namespace isthmus
