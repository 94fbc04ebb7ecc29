// SPDX-License-Identifier: MIT
#include "isthmus/strings/curve.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

#include "isthmus/core/rng.h"
#include "isthmus/net/symmetry/symmetry.h"
#include "isthmus/objective/network_objective.h"
#include "support/fake_objective.h"
#include "support/symmetries.h"

namespace isthmus {
namespace {

using Theta = std::vector<float>;

Theta on_ring(double degrees) {
  const double angle = degrees * std::numbers::pi / 180.0;
  return {static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))};
}

StringOptions options_for(double threshold) {
  StringOptions options;
  options.threshold = threshold;
  options.grid.metric = Metric::mean_squared_error;
  options.training.optimizer = Sgd{.learning_rate = 0.02};
  return options;
}

// A chord of the unit circle over an angle a reaches sin^4(a / 2): 0.005 allows 31 degrees.
TEST(ConnectAlong, PutsInAsManyBeadsAsTheChecksAskFor) {
  const fake::FakeObjective objective{{.surface = fake::ring()}};
  Workers workers{2};
  Evaluators evaluators{objective, workers};
  const Curve arc = [](double t) { return on_ring(180.0 * t); };
  const StringSummary summary =
      connect_along(evaluators, arc(0.0), arc(1.0), arc, options_for(0.005));
  EXPECT_EQ(summary.verdict, Verdict::connected);
  EXPECT_EQ(summary.path.size(), 9U);
  EXPECT_EQ(summary.rounds, 3U);
  EXPECT_EQ(summary.cost.gradient_samples_beads, 0U);
  EXPECT_NEAR(summary.max_metric, std::pow(std::sin(std::numbers::pi / 16.0), 4), 1e-6);
  for (std::size_t i = 0; i < 9; ++i) {
    EXPECT_FLOAT_EQ(summary.path.bead(i)[0], on_ring(22.5 * static_cast<double>(i))[0]);
  }
}

TEST(ConnectAlong, SaysWhyItEndsOtherwise) {
  const fake::FakeObjective objective{{.surface = fake::ring()}};
  Workers workers{1};
  Evaluators evaluators{objective, workers};
  const Curve arc = [](double t) { return on_ring(180.0 * t); };
  StringOptions options = options_for(0.005);
  options.max_rounds = 2;
  const StringSummary few = connect_along(evaluators, arc(0.0), arc(1.0), arc, options);
  EXPECT_EQ(few.verdict, Verdict::not_connected);
  EXPECT_EQ(few.ending.kind, Ending::Kind::rounds);
  EXPECT_EQ(few.path.size(), 5U);
  options = options_for(0.005);
  options.max_beads = 4;
  EXPECT_EQ(connect_along(evaluators, arc(0.0), arc(1.0), arc, options).ending.kind,
            Ending::Kind::beads);
  const StringSummary away =
      connect_along(evaluators, arc(0.0), Theta{3.0F, 0.0F}, arc, options_for(0.005));
  EXPECT_EQ(away.verdict, Verdict::endpoint_not_reached);
}

// Two networks of one function whose straight line is far above both: joined at 1.01 times their
// loss, proven, and by screened error rates.
TEST(ConnectAlong, RescaledTwinsAtTheirOwnLoss) {
  const Network network{{4},
                        {testing::dense(6),
                         testing::activation(testing::relu),
                         testing::dense(5),
                         testing::activation(testing::relu),
                         testing::dense(3)}};
  Rng rng(4);
  const auto data = testing::labelled_noise(4, 3, rng);
  const auto objective =
      make_network_objective({.network = network, .data = data, .loss = Loss::cross_entropy});
  Workers workers{2};
  Evaluators evaluators{*objective, workers};
  const SymmetryGroup group = symmetries_of(network);
  const Theta a = testing::random_theta(network, 5);
  Symmetry symmetry = identity_of(group);
  for (UnitMap& map : symmetry) {
    for (double& factor : map.factor) {
      factor = std::pow(100.0, rng.uniform(-1.0, 1.0));
    }
  }
  const Curve curve = [&](double t) {
    Theta theta = a;
    apply(group, power(symmetry, t), theta);
    return theta;
  };
  for (const CheckKind check : {CheckKind::certified, CheckKind::sampled, CheckKind::screened}) {
    StringOptions options;
    options.check = check;
    options.grid.metric = check == CheckKind::screened ? Metric::error_rate : Metric::cross_entropy;
    double loss = 0.0;
    evaluators.of(0).metrics(Split::test, options.grid.metric, a, {&loss, 1});
    options.threshold = 1.01 * loss;
    const StringSummary summary = connect_along(evaluators, a, curve(1.0), curve, options);
    EXPECT_EQ(summary.verdict, Verdict::connected);
    EXPECT_GE(summary.path.size(), 4U);
    EXPECT_LE(summary.max_metric, options.threshold);
    EXPECT_EQ(std::isfinite(summary.bound), check == CheckKind::certified);
  }
}

}  // namespace
}  // namespace isthmus
