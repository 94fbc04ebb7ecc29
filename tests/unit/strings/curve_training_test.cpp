// SPDX-License-Identifier: MIT
#include "isthmus/strings/curve_training.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <numbers>
#include <numeric>
#include <utility>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"
#include "isthmus/data/dataset.h"
#include "isthmus/objective/network_objective.h"
#include "isthmus/objective/surfaces.h"
#include "support/fake_objective.h"
#include "support/strings.h"
#include "support/symmetries.h"
#include "support/temporary_folder.h"

namespace isthmus {
namespace {

using testing::expect_error;
using testing::expect_same;
using testing::MemoryJournal;
using testing::StateJournal;
using testing::TemporaryFolder;
using Theta = std::vector<float>;

const Theta ring_a{1.0F, 0.0F};
const Theta ring_b{-0.5F, static_cast<float>(0.5 * std::numbers::sqrt3)};

constexpr std::array shapes{CurveShape::polychain, CurveShape::bezier};

StringOptions options_for(double threshold) {
  StringOptions options;
  options.threshold = threshold;
  options.grid.metric = Metric::mean_squared_error;
  options.training.optimizer = Sgd{.learning_rate = 0.1, .momentum = 0.9};
  return options;
}

TEST(CurveWeights, AreThoseOfTheClosedForms) {
  for (const double t : {0.0, 0.125, 0.3, 0.5, 0.9, 1.0}) {
    const double u = 1.0 - t;
    const std::vector<double> quadratic = curve_weights(CurveShape::bezier, 1, t);
    const std::vector<double> cubic = curve_weights(CurveShape::bezier, 2, t);
    const std::array wanted2{u * u, 2.0 * t * u, t * t};
    const std::array wanted3{u * u * u, 3.0 * t * u * u, 3.0 * t * t * u, t * t * t};
    for (std::size_t j = 0; j < 3; ++j) {
      EXPECT_NEAR(quadratic[j], wanted2[j], 1e-15);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      EXPECT_NEAR(cubic[j], wanted3[j], 1e-15);
    }
    const std::vector<double> many = curve_weights(CurveShape::bezier, 30, t);
    EXPECT_NEAR(std::accumulate(many.begin(), many.end(), 0.0), 1.0, 1e-14);
  }
  EXPECT_EQ(curve_weights(CurveShape::polychain, 1, 0.25), (std::vector{0.5, 0.5, 0.0}));
  EXPECT_EQ(curve_weights(CurveShape::polychain, 3, 0.5), (std::vector{0.0, 0.0, 1.0, 0.0, 0.0}));
  EXPECT_EQ(curve_weights(CurveShape::polychain, 3, 0.875), (std::vector{0.0, 0.0, 0.0, 0.5, 0.5}));
}

TEST(CurvePoint, LiesOnTheParabolaAndOnTheChain) {
  // Control points (0, 0), (1, 2), (2, 0): x = 2 t, y = 4 t (1 - t).
  const Path control{.dimension = 2, .beads = {0, 0, 1, 2, 2, 0}};
  Theta point(2);
  for (const double t : {0.0, 0.1, 0.25, 0.5, 0.77, 1.0}) {
    curve_point(CurveShape::bezier, control, t, point);
    EXPECT_FLOAT_EQ(point[0], static_cast<float>(2.0 * t));
    EXPECT_NEAR(point[1], 4.0 * t * (1.0 - t), 1e-7);
    curve_point(CurveShape::polychain, control, t, point);
    EXPECT_FLOAT_EQ(point[0], static_cast<float>(2.0 * t));
    EXPECT_NEAR(point[1], 2.0 - 4.0 * std::abs(t - 0.5), 1e-7);
  }
}

// A surface without symmetry, in double.
double skew(double x, double y) {
  return (x * x - 1.0) * (x * x - 1.0) + 0.5 * (y - 0.3 * x + 0.4) * (y - 0.3 * x + 0.4) +
         0.1 * x * y * y;
}

struct Recorded {
  std::vector<Theta> places;  // whose gradient was asked for
  std::unique_ptr<Objective> objective;

  Recorded() {
    CallableOptions options;
    options.layout.add("theta", {2}, Role::weight);
    options.loss = [this](std::span<const float> theta, std::span<float> gradient) {
      const auto x = static_cast<double>(theta[0]);
      const auto y = static_cast<double>(theta[1]);
      if (!gradient.empty()) {
        places.emplace_back(theta.begin(), theta.end());
        const double lift = y - 0.3 * x + 0.4;
        gradient[0] = static_cast<float>(4.0 * x * (x * x - 1.0) - 0.3 * lift + 0.1 * y * y);
        gradient[1] = static_cast<float>(lift + 0.2 * x * y);
      }
      return skew(x, y);
    };
    objective = make_callable_objective(std::move(options));
  }
};

// One step of plain descent from the straight line moves bend j by rate times the derivative of
// L(phi(t)) by it: central differences of the closed form, in double, with the t that was drawn.
TEST(ConnectCurve, DescendsAlongTheGradientOfTheLossOnTheCurve) {
  for (const CurveShape shape : shapes) {
    Recorded on;
    Workers workers(1);
    Evaluators evaluators(*on.objective, workers);
    StringOptions options = options_for(0.3);
    options.seed = 11;
    options.training.optimizer = Sgd{.learning_rate = 0.25};
    MemoryJournal journal;
    const CurveTerms terms{.bends = 2, .steps = 1, .look_every = 0};
    connect_curve(evaluators,
                  Theta{-1.0F, -0.5F},
                  Theta{1.0F, 0.25F},
                  shape,
                  options,
                  terms,
                  {.journal = &journal});
    ASSERT_EQ(on.places.size(), 1U);
    const double t = (static_cast<double>(on.places[0][0]) + 1.0) / 2.0;  // the line is uniform
    const auto loss = [&](const std::array<double, 8>& w) {
      const std::vector<double> c = curve_weights(shape, 2, t);
      return skew(c[0] * w[0] + c[1] * w[2] + c[2] * w[4] + c[3] * w[6],
                  c[0] * w[1] + c[1] * w[3] + c[2] * w[5] + c[3] * w[7]);
    };
    const std::array<double, 8> start{-1.0, -0.5, -1.0 / 3.0, -0.25, 1.0 / 3.0, 0.0, 1.0, 0.25};
    double largest = 0.0;
    for (std::size_t j = 1; j <= 2; ++j) {
      const BeadRecord& bend = journal.beads.at(j + 1);
      for (std::size_t k = 0; k < 2; ++k) {
        std::array<double, 8> up = start;
        std::array<double, 8> down = start;
        up[2 * j + k] += 1e-5;
        down[2 * j + k] -= 1e-5;
        const double slope = (loss(up) - loss(down)) / 2e-5;
        largest = std::max(largest, std::abs(slope));
        const double moved = static_cast<double>(bend.theta[k]) - start[2 * j + k];
        EXPECT_NEAR(moved, -0.25 * slope, 1e-6) << name_of(shape) << ' ' << j << ' ' << k;
      }
    }
    EXPECT_GT(largest, 0.05);
  }
}

TEST(ConnectCurve, GoesRoundTheRing) {
  for (const CurveShape shape : shapes) {
    const fake::FakeObjective objective{{.surface = fake::ring(), .samples = 3}};
    Workers workers(1);
    Evaluators evaluators(objective, workers);
    StringOptions options = options_for(0.05);
    options.training.optimizer = Sgd{.learning_rate = 0.02, .momentum = 0.9};
    const StringSummary string = connect_curve(evaluators, ring_a, ring_b, shape, options, {});
    EXPECT_EQ(string.verdict, Verdict::connected) << sentence(string.ending);
    EXPECT_LE(string.max_metric, 0.05);
    EXPECT_EQ(string.path.size() == 3, shape == CurveShape::polychain) << string.path.size();
    EXPECT_EQ(string.beads_unreached, 0U);
    EXPECT_TRUE(std::ranges::equal(string.path.bead(0), ring_a));
    EXPECT_TRUE(std::ranges::equal(string.path.bead(string.path.size() - 1), ring_b));
    testing::expect_all_costs_counted(objective, string);
  }
}

// Nothing below the pass is joined, whatever the curve; well above it both are.
TEST(ConnectCurve, FindsAWayOverThePassOfMuellerAndBrownAlone) {
  const Surface surface = mueller_brown();
  const auto objective = make_surface_objective(surface);
  for (const CurveShape shape : shapes) {
    for (const double level : {0.98, 1.25}) {
      Workers workers(1);
      Evaluators evaluators(*objective, workers);
      StringOptions options = options_for(level * surface.pass_value);
      options.training.optimizer = Adam{.learning_rate = 0.01};
      const StringSummary string = connect_curve(evaluators,
                                                 surface.from.theta,
                                                 surface.to.theta,
                                                 shape,
                                                 options,
                                                 {.bends = 3, .steps = 4000});
      EXPECT_EQ(string.verdict == Verdict::connected, level > 1.0)
          << name_of(shape) << ' ' << sentence(string.ending);
      EXPECT_GE(string.max_metric, surface.pass_value - 1e-3);
      EXPECT_EQ(string.ending.kind,
                level > 1.0 ? Ending::Kind::connected : Ending::Kind::stuck_bead);
    }
  }
}

TEST(ConnectCurve, AStraightLineThatPassesIsNotTrained) {
  const fake::FakeObjective objective{{.surface = fake::ring()}};
  Workers workers(1);
  Evaluators evaluators(objective, workers);
  const StringSummary string = connect_curve(
      evaluators, ring_a, Theta{0.98F, 0.2F}, CurveShape::bezier, options_for(0.05), {});
  EXPECT_EQ(string.verdict, Verdict::connected);
  EXPECT_EQ(string.path.size(), 2U);
  EXPECT_EQ(objective.gradients(), 0U);
  const StringSummary away = connect_curve(
      evaluators, ring_a, Theta{3.0F, 0.2F}, CurveShape::bezier, options_for(0.05), {});
  EXPECT_EQ(away.verdict, Verdict::endpoint_not_reached);
}

TEST(ConnectCurve, SaysWhichOptionIsWrong) {
  const fake::FakeObjective objective{{.surface = fake::ring()}};
  Workers workers(1);
  Evaluators evaluators(objective, workers);
  const auto refused = [&](const CurveTerms& terms, std::initializer_list<std::string_view> parts) {
    expect_error<UsageError>(
        [&] {
          connect_curve(
              evaluators, ring_a, ring_b, CurveShape::polychain, options_for(0.05), terms);
        },
        parts);
  };
  refused({.bends = 0}, {"bends", "at least 1 and at most 64", "0"});
  refused({.bends = 65}, {"bends", "at least 1 and at most 64", "65"});
  refused({.steps = 0}, {"curve-steps", "at least 1", "0"});
  StringOptions options = options_for(0.05);
  options.training.weight_decay = {{.tensor = "0.weight", .strength = 0.1}};
  expect_error<UsageError>(
      [&] { connect_curve(evaluators, ring_a, ring_b, CurveShape::polychain, options, {}); },
      {"weight_decay", "expected none"});
}

// Exclusive or of two of four numbers, by a small classifier that drops units and trains on
// batches.
struct Classifier {
  std::unique_ptr<Objective> objective;
  Theta a;
  Theta b;

  Classifier() {
    const Network network{{4},
                          {testing::dense(8),
                           testing::activation(testing::relu),
                           Dropout{.probability = 0.1},
                           testing::dense(3)}};
    Rng rng(4);
    auto data = std::make_shared<Dataset>();
    for (Samples* samples : {&data->train, &data->test}) {
      samples->count = 40;
      samples->input_shape = {4};
      for (std::size_t i = 0; i < 160; ++i) {
        samples->values.push_back(static_cast<float>(rng.normal()));
      }
      for (std::size_t i = 0; i < 40; ++i) {
        samples->labels.push_back(samples->values[4 * i] * samples->values[4 * i + 1] > 0 ? 1 : 0);
      }
    }
    data->classes = 3;
    objective =
        make_network_objective({.network = network, .data = data, .loss = Loss::cross_entropy});
    Workers workers(1);
    Evaluators evaluators(*objective, workers);
    std::vector<TrainJob> jobs(2);
    for (std::size_t i = 0; i < 2; ++i) {
      jobs[i].theta = testing::random_theta(network, 5 + i);
      jobs[i].targets = {0.15};
      jobs[i].stream = i;
    }
    train(evaluators,
          jobs,
          {.optimizer = Adam{.learning_rate = 0.01},
           .metric = Metric::cross_entropy,
           .split = Split::train,
           .max_steps = 3000});
    a = jobs[0].theta;
    b = jobs[1].theta;
  }

  // A threshold that both end points reach and the line between them does not.
  StringOptions options() const {
    Workers workers(1);
    Evaluators evaluators(*objective, workers);
    StringOptions options = options_for(1.0);
    options.grid.metric = Metric::cross_entropy;
    options.grid.split = Split::train;
    options.grid.points = 5;
    options.max_rounds = 3;
    options.training.batch_size = 8;
    double value_a = 0.0;
    double value_b = 0.0;
    evaluators.of(0).metrics(Split::train, Metric::cross_entropy, a, {&value_a, 1});
    evaluators.of(0).metrics(Split::train, Metric::cross_entropy, b, {&value_b, 1});
    options.threshold = std::max(value_a, value_b);
    options.alpha = 0.01;  // looks end nothing
    return options;
  }

  StringSummary connect(CurveShape shape,
                        const StringOptions& options,
                        std::size_t threads = 1,
                        const StringCallbacks& callbacks = {}) const {
    Workers workers(threads);
    Evaluators evaluators(*objective, workers);
    return connect_curve(
        evaluators, a, b, shape, options, {.bends = 2, .steps = 60, .look_every = 10}, callbacks);
  }
};

TEST(ConnectCurve, DoesNotDependOnTheNumberOfWorkers) {
  const Classifier on;
  for (const CurveShape shape : shapes) {
    expect_same(on.connect(shape, on.options(), 1), on.connect(shape, on.options(), 2));
  }
}

TEST(ConnectCurve, GoesOnFromWhatTheJournalHas) {
  const Classifier on;
  for (const CurveShape shape : shapes) {
    const StringSummary whole = on.connect(shape, on.options());
    ASSERT_GT(whole.cost.gradient_samples_beads, 0U);
    // A check of the line, and two bends.
    for (std::size_t dies_at = 0; dies_at < 3; ++dies_at) {
      StateJournal journal(7);
      journal.dies_at = dies_at;
      EXPECT_THROW(on.connect(shape, on.options(), 1, {.journal = &journal}), std::runtime_error);
      expect_same(on.connect(shape, on.options(), 1, {.journal = &journal}), whole);
      EXPECT_EQ(journal.folder.entries(), 0U) << "the state is of no use any more";
    }
  }
}

// Stopped at every look, and so in the midst of an epoch: behind the look of step 10, 20, ...
TEST(ConnectCurve, AStoppedTrainingGoesOnFromItsState) {
  const Classifier on;
  const StringSummary whole = on.connect(CurveShape::bezier, on.options());
  StateJournal journal(7);
  std::size_t stops = 0;
  for (std::size_t last = 0;;) {
    Stop stop;
    const auto progress = [&](const StringProgress& news) {
      if (news.kind == StringProgress::Kind::bead_step && news.training.steps > last) {
        last = news.training.steps;
        stop.request();
      }
    };
    try {
      expect_same(on.connect(CurveShape::bezier,
                             on.options(),
                             1,
                             {.journal = &journal, .stop = &stop, .progress = progress}),
                  whole);
      break;
    } catch (const Interrupted&) {
      ++stops;
    }
    ASSERT_LT(stops, 20U);
  }
  EXPECT_GE(stops, 5U);
}

TEST(ConnectCurve, TheBudgetOfStepsEndsItAndALargerOneGoesOn) {
  const Classifier on;
  const StringSummary whole = on.connect(CurveShape::polychain, on.options());
  MemoryJournal journal;
  StringOptions options = on.options();
  options.max_total_steps = 50;  // 25 for each of two bends
  const StringSummary few = on.connect(CurveShape::polychain, options, 1, {.journal = &journal});
  EXPECT_EQ(few.ending.kind, Ending::Kind::steps) << sentence(few.ending);
  EXPECT_EQ(few.ending.steps, 50U);
  EXPECT_EQ(few.cost.gradient_samples_beads, 25U * 8U);
  EXPECT_TRUE(journal.beads.empty());
  expect_same(on.connect(CurveShape::polychain, on.options(), 1, {.journal = &journal}), whole);
}

}  // namespace
}  // namespace isthmus
