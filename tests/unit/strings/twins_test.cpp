// SPDX-License-Identifier: MIT
#include "isthmus/strings/twins.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "isthmus/core/rng.h"
#include "isthmus/objective/network_objective.h"
#include "support/fake_objective.h"
#include "support/symmetries.h"

namespace isthmus {
namespace {

using Theta = std::vector<float>;

Network perceptron() {
  return {{4},
          {testing::dense(6),
           testing::activation(testing::relu),
           testing::dense(5),
           testing::activation(testing::relu),
           testing::dense(3)}};
}

std::unique_ptr<Objective> objective_of(const Network& network) {
  Rng rng(4);
  return make_network_objective({.network = network,
                                 .data = testing::labelled_noise(4, 3, rng),
                                 .loss = Loss::cross_entropy});
}

Theta moved(const Network& network, const Theta& theta, const Symmetry& symmetry) {
  Theta result = theta;
  apply(symmetries_of(network), symmetry, result);
  return result;
}

// Every unit's factor is drawn from [1 / range, range].
Symmetry factors(const Network& network, double range, std::uint64_t seed) {
  Symmetry symmetry = identity_of(symmetries_of(network));
  Rng rng(seed);
  for (UnitMap& map : symmetry) {
    for (double& factor : map.factor) {
      factor = std::pow(range, rng.uniform(-1.0, 1.0));
    }
  }
  return symmetry;
}

Theta with_noise(Theta theta, double relative, std::uint64_t seed) {
  Rng rng(seed);
  for (float& x : theta) {
    x *= static_cast<float>(1.0 + relative * rng.normal());
  }
  return theta;
}

TEST(Twins, AreToldFromNeighboursAndFromThemselves) {
  const Network network = perceptron();
  const auto objective = objective_of(network);
  const Theta a = testing::random_theta(network, 5);
  const Symmetry scaled = factors(network, 100.0, 6);
  const auto twins = twins_among(*objective, a, moved(network, a, scaled));
  ASSERT_TRUE(twins.has_value());
  EXPECT_FALSE(twins->moved());
  EXPECT_EQ(unscaled_twin(*objective, a, *twins), a);
  EXPECT_LT(twins->difference, 1e-6);
  EXPECT_NEAR(twins->extent.largest_factor, extent_of(scaled).largest_factor, 1e-4);
  EXPECT_NEAR(twins->extent.least_factor, extent_of(scaled).least_factor, 1e-6);

  const Symmetry any = testing::random_symmetry(symmetries_of(network), 7, 10.0);
  const auto permuted = twins_among(*objective, a, moved(network, a, any));
  ASSERT_TRUE(permuted.has_value());
  EXPECT_TRUE(permuted->moved() && permuted->scaled());
  EXPECT_EQ(permuted->extent.moved, extent_of(any).moved);

  EXPECT_FALSE(twins_among(*objective, a, a).has_value());
  EXPECT_FALSE(twins_among(*objective, a, with_noise(a, 1e-7, 8)).has_value());
  EXPECT_FALSE(twins_among(*objective, a, testing::random_theta(network, 9)).has_value());
  for (const double noise : {1e-4, 1e-3, 1e-2}) {
    EXPECT_FALSE(
        twins_among(*objective, a, with_noise(moved(network, a, scaled), noise, 8)).has_value());
    EXPECT_FALSE(
        twins_among(*objective, a, with_noise(moved(network, a, any), noise, 8)).has_value());
  }
  const fake::FakeObjective surface{{.surface = fake::ring()}};
  EXPECT_FALSE(twins_among(surface, Theta{1.0F, 0.0F}, Theta{-1.0F, 0.0F}).has_value());
}

// The network is one and the same all along the curve: joined at 1.01 times its own loss, while the
// straight line is at many times that, without a gradient, and the same bits for any number of
// threads.
TEST(Twins, AreJoinedAtTheirOwnLoss) {
  const Network network = perceptron();
  const auto objective = objective_of(network);
  const Theta a = testing::random_theta(network, 5);
  const Theta b = moved(network, a, factors(network, 100.0, 6));
  StringOptions options;
  options.check = CheckKind::certified;
  options.grid.metric = Metric::cross_entropy;
  std::vector<float> beads;
  for (const std::size_t threads : {1U, 2U}) {
    Workers workers{threads};
    Evaluators evaluators{*objective, workers};
    double loss = 0.0;
    evaluators.of(0).metrics(Split::test, Metric::cross_entropy, a, {&loss, 1});
    options.threshold = 1.01 * loss;
    const auto twins = twins_among(*objective, a, b);
    ASSERT_TRUE(twins.has_value());
    const StringSummary summary = connect_twins(evaluators, a, b, *twins, options);
    EXPECT_EQ(summary.verdict, Verdict::connected);
    EXPECT_EQ(summary.ending.kind, Ending::Kind::symmetry);
    EXPECT_LE(summary.bound, options.threshold);
    EXPECT_EQ(summary.cost.gradient_samples_beads, 0U);
    EXPECT_NE(sentence(summary.ending).find("scaled by up to"), std::string::npos);
    EXPECT_TRUE(beads.empty() || beads == summary.path.beads);
    beads = summary.path.beads;
    EXPECT_GE(summary.path.size(), 3U);
    double chord = 0.0;  // half-way on the straight line
    Theta middle(a.size());
    interpolate(a, b, 0.5, middle);
    evaluators.of(0).metrics(Split::test, Metric::cross_entropy, middle, {&chord, 1});
    EXPECT_GT(chord, options.threshold);
  }
}

TEST(Twins, TheCurveKeepsToItsLimits) {
  const Network network = perceptron();
  const auto objective = objective_of(network);
  Workers workers{1};
  Evaluators evaluators{*objective, workers};
  const auto loss_of = [&](const Theta& theta) {
    double loss = 0.0;
    evaluators.of(0).metrics(Split::test, Metric::cross_entropy, theta, {&loss, 1});
    return loss;
  };
  // A network whose loss grows with the outputs of its units, as it does between two beads: at a
  // level that leaves the points of the curve alone, no number of beads is enough.
  const Symmetry symmetry = factors(network, 100.0, 6);
  Theta a;
  Theta middle;
  for (std::uint64_t seed = 5; a.empty() || loss_of(middle) < (1.0 + 1e-6) * loss_of(a); ++seed) {
    ASSERT_LT(seed, 100U);
    a = testing::random_theta(network, seed);
    middle = a;
    interpolate(a, moved(network, a, power(symmetry, 1.0 / 64.0)), 0.5, middle);
  }
  const Theta b = moved(network, a, symmetry);
  StringOptions options;
  options.grid.metric = Metric::cross_entropy;
  options.threshold = std::max(loss_of(a), loss_of(b)) * (1.0 + 5e-7);
  const StringSummary summary =
      connect_twins(evaluators, a, b, *twins_among(*objective, a, b), options);
  EXPECT_EQ(summary.ending.kind, Ending::Kind::rounds);
  EXPECT_EQ(summary.rounds, 6U);
  EXPECT_LE(summary.path.size(), 65U);
  options.max_beads = 4;
  EXPECT_EQ(connect_twins(evaluators, a, b, *twins_among(*objective, a, b), options).ending.kind,
            Ending::Kind::beads);
}

}  // namespace
}  // namespace isthmus
