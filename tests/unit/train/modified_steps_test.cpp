// SPDX-License-Identifier: MIT
// Jobs that train on more than the loss, and Polyak's steps: in populations and alone.
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/objective/surfaces.h"
#include "isthmus/train/train.h"
#include "support/training.h"

namespace isthmus {
namespace {

using testing::train_on;

constexpr std::size_t dimension = 5;

std::vector<TrainJob> jobs_of(const Objective& objective, std::size_t count, double target) {
  std::vector<TrainJob> jobs(count);
  for (std::size_t i = 0; i < count; ++i) {
    jobs[i].theta.resize(objective.dimension());
    jobs[i].stream = i;
    jobs[i].targets = {target};
    objective.initialise(3, i, jobs[i].theta);
  }
  return jobs;
}

// A spring to a place of each job's own that weakens, and a coordinate that stays.
void modify(TrainJob& job) {
  const float place = 0.1F * static_cast<float>(job.stream);
  job.modify_gradient = [place](
                            std::size_t step, std::span<const float> theta, std::span<float> g) {
    const float stiffness = std::ldexp(0.1F, -static_cast<int>(step / 20));
    for (std::size_t i = 0; i < g.size(); ++i) {
      g[i] += stiffness * (theta[i] - place);
    }
  };
  job.modify_theta = [held = job.theta[2]](std::size_t, std::span<float> theta) {
    theta[2] = held;
  };
}

TrainOptions options_with(const OptimizerOptions& optimizer) {
  return {.optimizer = optimizer, .metric = Metric::mean_squared_error, .max_steps = 500};
}

// The same by hand: evaluator, changes, optimizer, one after the other.
TEST(ModifiedSteps, AreTheLoopAsWritten) {
  const auto objective = make_surface_objective(ring(dimension));
  for (const OptimizerOptions& optimizer :
       {OptimizerOptions(Adam{.learning_rate = 0.01}), OptimizerOptions(Polyak{.steps = 7})}) {
    TrainOptions options = options_with(optimizer);
    options.clip_norm = 0.5;
    options.max_steps = 40;
    const double never = -1.0;
    std::vector<TrainJob> jobs = jobs_of(*objective, 1, never);
    modify(jobs[0]);
    TrainJob job = jobs[0];
    train_on(*objective, jobs, options);
    EXPECT_EQ(jobs[0].theta[2], job.theta[2]);

    const auto evaluator = objective->evaluator();
    const auto batches = objective->batches(0, 0, 0);
    Optimizer slow(optimizer, dimension);
    std::vector<float> gradient(dimension);
    for (std::size_t step = 0; step < options.max_steps; ++step) {
      double loss = 0.0;
      evaluator->losses_and_gradients(
          job.theta, batches->next(), nullptr, std::span(&loss, 1), gradient);
      job.modify_gradient(step, job.theta, gradient);
      slow.step(job.theta,
                gradient,
                {.gradient_scale = clip_factor(gradient, 0.5), .loss = loss, .target = never});
      job.modify_theta(step, job.theta);
    }
    EXPECT_EQ(jobs[0].theta, job.theta);
  }
}

TEST(ModifiedSteps, AreWatchedByThePlainLoss) {
  const auto objective = make_surface_objective(double_well(dimension));
  std::vector<TrainJob> jobs = jobs_of(*objective, 1, 1e-3);
  modify(jobs[0]);
  jobs[0].modify_theta = nullptr;
  train_on(*objective, jobs, options_with(Adam{.learning_rate = 0.01}));
  ASSERT_EQ(jobs[0].summary.termination, Termination::reached);
  double value = 0.0;
  objective->evaluator()->metrics(
      Split::test, Metric::mean_squared_error, jobs[0].theta, std::span(&value, 1));
  EXPECT_EQ(jobs[0].summary.last_metric, value);
  EXPECT_LE(value, 1e-3);
}

TEST(ModifiedSteps, GiveAPopulationTheBitsOfSingles) {
  for (const OptimizerOptions& optimizer :
       {OptimizerOptions(Adam{.learning_rate = 0.01}), OptimizerOptions(Polyak{.steps = 20})}) {
    const auto single = make_surface_objective(ring(dimension));
    const TrainOptions options = options_with(optimizer);
    std::vector<TrainJob> expected = jobs_of(*single, 23, 1e-3);
    // Every other one, so that a population has both kinds.
    const auto modify_some = [](std::vector<TrainJob>& jobs) {
      for (std::size_t i = 0; i < jobs.size(); i += 2) {
        modify(jobs[i]);
      }
    };
    modify_some(expected);
    train_on(*single, expected, options);
    for (const std::size_t threads : {1U, 2U}) {
      const auto objective = make_surface_objective(ring(dimension), 8);
      std::vector<TrainJob> jobs = jobs_of(*objective, 23, 1e-3);
      modify_some(jobs);
      train_on(*objective, jobs, options, threads);
      for (std::size_t i = 0; i < jobs.size(); ++i) {
        EXPECT_EQ(jobs[i].theta, expected[i].theta);
        EXPECT_EQ(jobs[i].summary.steps, expected[i].summary.steps);
        EXPECT_EQ(jobs[i].summary.termination, expected[i].summary.termination);
      }
    }
  }
}

TEST(ModifiedSteps, PassOnWhatTheyThrow) {
  for (const std::size_t population : {1U, 4U}) {
    const auto objective = make_surface_objective(ring(dimension), population);
    std::vector<TrainJob> jobs = jobs_of(*objective, 6, -1.0);
    jobs[1].modify_gradient = [](std::size_t step, std::span<const float>, std::span<float>) {
      if (step == 5) {
        throw std::runtime_error("a spring broke");
      }
    };
    TrainOptions options = options_with(Adam{});
    options.max_steps = 1000000000;
    EXPECT_THROW(train_on(*objective, jobs, options, 2), std::runtime_error);
  }
}

TEST(PolyakSteps, ReachTheirTargetInFewSteps) {
  for (const Surface& surface : {double_well(dimension), ring(dimension)}) {
    SCOPED_TRACE(surface.name);
    const auto objective = make_surface_objective(surface);
    std::vector<TrainJob> polyak = jobs_of(*objective, 9, 1e-2);
    std::vector<TrainJob> adam = polyak;
    train_on(*objective, polyak, options_with(Polyak{}));
    train_on(*objective, adam, options_with(Adam{.learning_rate = 0.01}));
    for (std::size_t i = 0; i < polyak.size(); ++i) {
      EXPECT_EQ(polyak[i].summary.termination, Termination::reached);
      EXPECT_LT(2 * polyak[i].summary.steps, adam[i].summary.steps);
    }
  }
}

// Through several targets every step aims at the one being trained for.
TEST(PolyakSteps, AimAtTheCurrentTarget) {
  const auto objective = make_surface_objective(double_well(dimension));
  std::vector<TrainJob> jobs = jobs_of(*objective, 1, 0.5);
  jobs[0].targets = {0.5, 0.1, 0.01};
  std::vector<double> values;
  jobs[0].on_target = [&](std::size_t, const Snapshot& snapshot) {
    values.push_back(snapshot.summary.last_metric);
  };
  train_on(*objective, jobs, options_with(Polyak{}));
  ASSERT_EQ(values.size(), 3U);
  EXPECT_LE(values[0], 0.5);
  EXPECT_GT(values[0], 0.1) << "a step towards the last target would have gone on";
  EXPECT_LE(values[2], 0.01);
}

TEST(PolyakSteps, AreRefusedWhereTheTargetIsNotALoss) {
  const auto objective = make_surface_objective(double_well(dimension));
  std::vector<TrainJob> jobs = jobs_of(*objective, 1, 0.5);
  TrainOptions options = options_with(Polyak{});
  options.batch_size = 1;
  try {
    train_on(*objective, jobs, options);
    FAIL() << "accepted";
  } catch (const UsageError& error) {
    EXPECT_EQ(std::string(error.what()),
              "polyak: expected a metric that is the training loss of full batches (its steps aim "
              "at the target), got mean_squared_error on the test split with batches of 1 samples "
              "(0: all)");
  }
}

}  // namespace
}  // namespace isthmus
