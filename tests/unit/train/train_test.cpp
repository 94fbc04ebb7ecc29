// SPDX-License-Identifier: MIT
#include "isthmus/train/train.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <mutex>
#include <stdexcept>
#include <string>

#include "isthmus/core/error.h"
#include "isthmus/objective/surfaces.h"

namespace isthmus {
namespace {

TrainOptions quick_options() {
  return {.optimizer = Adam{.learning_rate = 0.01}, .metric = Metric::mean_squared_error};
}

std::vector<TrainJob> jobs_of(const Objective& objective, std::size_t count, double target) {
  std::vector<TrainJob> jobs(count);
  for (std::size_t i = 0; i < count; ++i) {
    jobs[i].theta.resize(objective.dimension());
    jobs[i].seed = 11;
    jobs[i].stream = i;
    jobs[i].targets = {target};
    objective.initialise(11, i, jobs[i].theta);
  }
  return jobs;
}

double value_of(const Objective& objective, const std::vector<float>& theta) {
  double value = 0.0;
  objective.evaluator()->metrics(
      Split::test, Metric::mean_squared_error, theta, std::span(&value, 1));
  return value;
}

void train_with(const Objective& objective,
                std::vector<TrainJob>& jobs,
                const TrainOptions& options,
                std::size_t threads = 1) {
  Workers workers(threads);
  Evaluators evaluators(objective, workers);
  train(evaluators, jobs, options);
}

void expect_same(const TrainSummary& a, const TrainSummary& b) {
  EXPECT_EQ(a.termination, b.termination);
  EXPECT_EQ(a.first_metric, b.first_metric);
  EXPECT_EQ(a.last_metric, b.last_metric);
  EXPECT_EQ(a.best_metric, b.best_metric);
  EXPECT_EQ(a.steps, b.steps);
  EXPECT_EQ(a.gradient_samples, b.gradient_samples);
  EXPECT_EQ(a.forward_samples, b.forward_samples);
}

// A one-dimensional loss |theta| with gradient 1: plain SGD walks down by its rate at every step.
CallableOptions slope() {
  CallableOptions options;
  options.layout.add("theta", {1}, Role::weight);
  options.safety = CallSafety::concurrent;
  options.loss = [](std::span<const float> theta, std::span<float> gradient) {
    if (!gradient.empty()) {
      gradient[0] = theta[0] < 0.0F ? -1.0F : 1.0F;
    }
    return std::abs(static_cast<double>(theta[0]));
  };
  return options;
}

// A job on it: from 10 down, 1 a step.
TrainJob walk(std::vector<double> targets) {
  TrainJob job;
  job.theta = {10.0F};
  job.targets = std::move(targets);
  return job;
}

TrainOptions walking() {
  return {.optimizer = Sgd{.learning_rate = 1.0}, .metric = Metric::mean_squared_error};
}

TEST(Train, ReachesItsTargetOnEverySurface) {
  for (const Surface& surface : {double_well(5), ring(4)}) {
    const auto objective = make_surface_objective(surface);
    auto jobs = jobs_of(*objective, 5, 1e-4);
    train_with(*objective, jobs, quick_options());
    for (const TrainJob& job : jobs) {
      EXPECT_EQ(job.summary.termination, Termination::reached) << surface.name;
      EXPECT_LE(value_of(*objective, job.theta), 1e-4);
      EXPECT_EQ(job.summary.last_metric, value_of(*objective, job.theta));
      EXPECT_EQ(job.summary.best_metric, job.summary.last_metric);
      EXPECT_GT(job.summary.first_metric, 1e-4);
    }
  }
}

TEST(Train, CountsStepsAndSamplesExactly) {
  CallableOptions options = slope();
  options.samples = 100;
  const auto objective = make_callable_objective(options);
  std::vector<TrainJob> jobs{walk({3.0})};
  train_with(*objective, jobs, walking());
  EXPECT_EQ(jobs[0].theta[0], 3.0F);
  EXPECT_EQ(jobs[0].summary.steps, 7U);
  // The eighth gradient told that theta has arrived; one evaluation confirmed it.
  EXPECT_EQ(jobs[0].summary.gradient_samples, 800U);
  EXPECT_EQ(jobs[0].summary.forward_samples, 100U);
  EXPECT_EQ(jobs[0].summary.first_metric, 10.0);
}

TEST(Train, LooksOnlyEveryFewSteps) {
  const auto objective = make_callable_objective(slope());
  TrainOptions options = walking();
  options.check_every = 4;
  std::vector<TrainJob> jobs{walk({3.0})};
  train_with(*objective, jobs, options);
  EXPECT_EQ(jobs[0].summary.steps, 8U);
  EXPECT_EQ(jobs[0].summary.last_metric, 2.0);
}

TEST(Train, StartsAtTheTargetOrTrainsFirst) {
  const auto objective = make_callable_objective(slope());
  TrainOptions options = walking();
  std::vector<TrainJob> jobs{walk({10.0})};
  train_with(*objective, jobs, options);
  EXPECT_EQ(jobs[0].summary.steps, 0U);
  EXPECT_EQ(jobs[0].theta[0], 10.0F);
  options.skip_first_check = true;
  options.check_every = 3;
  train_with(*objective, jobs, options);
  EXPECT_EQ(jobs[0].summary.steps, 3U);
  EXPECT_EQ(jobs[0].summary.first_metric, 7.0);
}

TEST(Train, ComparesAsAsked) {
  const auto objective = make_callable_objective(slope());
  TrainOptions options = walking();
  options.comparison = Comparison::below;
  std::vector<TrainJob> jobs{walk({3.0})};
  train_with(*objective, jobs, options);
  EXPECT_EQ(jobs[0].theta[0], 2.0F);
  EXPECT_TRUE(reaches(1.0, 1.0, Comparison::at_most));
  EXPECT_FALSE(reaches(1.0, 1.0, Comparison::below));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(reaches(nan, 1.0, Comparison::at_most));
}

TEST(Train, TakesTheMeanLossOfAWindow) {
  const auto objective = make_callable_objective(slope());
  TrainOptions options = walking();
  options.check_every = 1000;
  options.loss_window = 3;
  // Losses 10 9 8 | 7 6 5 | 4 3 2: the mean of the second window is 6, known after six steps.
  std::vector<TrainJob> jobs{walk({6.0})};
  train_with(*objective, jobs, options);
  EXPECT_EQ(jobs[0].summary.termination, Termination::reached);
  EXPECT_EQ(jobs[0].summary.steps, 6U);
  EXPECT_EQ(jobs[0].summary.forward_samples, 0U);
}

TEST(Train, EndsWithItsBudgetAndALastLook) {
  const auto objective = make_callable_objective(slope());
  TrainOptions options = walking();
  options.max_steps = 5;
  options.check_every = 3;
  std::vector<TrainJob> jobs{walk({1.0})};
  train_with(*objective, jobs, options);
  EXPECT_EQ(jobs[0].summary.termination, Termination::budget);
  EXPECT_EQ(jobs[0].summary.steps, 5U);
  EXPECT_EQ(jobs[0].summary.gradient_samples, 5U);
  EXPECT_EQ(jobs[0].summary.last_metric, 5.0);
  EXPECT_EQ(jobs[0].theta[0], 5.0F);
  // A target that the last step reaches is reached.
  jobs[0] = walk({5.0});
  train_with(*objective, jobs, options);
  EXPECT_EQ(jobs[0].summary.termination, Termination::reached);
}

TEST(Train, CallsDivergenceByItsName) {
  const auto objective = make_surface_objective(double_well(3));
  TrainOptions options = quick_options();
  options.optimizer = Sgd{.learning_rate = 10.0};
  auto jobs = jobs_of(*objective, 1, 1e-6);
  train_with(*objective, jobs, options);
  EXPECT_EQ(jobs[0].summary.termination, Termination::diverged);
  EXPECT_LT(jobs[0].summary.steps, 100U);

  const auto slow = make_callable_objective(slope());
  TrainOptions climbing = walking();
  climbing.optimizer = Sgd{.learning_rate = 100.0};
  climbing.divergence_factor = 3.0;
  std::vector<TrainJob> walks{walk({1.0})};
  train_with(*slow, walks, climbing);
  EXPECT_EQ(walks[0].summary.termination, Termination::diverged);
  EXPECT_EQ(walks[0].summary.steps, 1U);
}

TEST(Train, CallsANanStartDiverged) {
  const auto objective = make_callable_objective(slope());
  std::vector<TrainJob> jobs{walk({1.0})};
  jobs[0].theta[0] = std::numeric_limits<float>::quiet_NaN();
  train_with(*objective, jobs, walking());
  EXPECT_EQ(jobs[0].summary.termination, Termination::diverged);
  EXPECT_EQ(jobs[0].summary.steps, 0U);
  EXPECT_TRUE(std::isnan(jobs[0].summary.last_metric));
}

// Without a gradient for so many steps in a row, and not one step before.
TEST(Train, EndsADeadNetwork) {
  const auto termination = [](std::size_t alive_every, std::size_t dead_after) {
    std::size_t calls = 0;
    CallableOptions options;
    options.layout.add("theta", {1}, Role::weight);
    options.loss = [&](std::span<const float>, std::span<float> gradient) {
      if (!gradient.empty()) {
        gradient[0] = ++calls % alive_every == 0 ? 1.0F : 0.0F;
      }
      return 10.0;
    };
    const auto objective = make_callable_objective(options);
    std::vector<TrainJob> jobs{walk({1.0})};
    jobs[0].dead_after = dead_after;
    TrainOptions training = walking();
    training.max_steps = 200;
    train_with(*objective, jobs, training);
    return std::pair(jobs[0].summary.termination, jobs[0].summary.steps);
  };
  EXPECT_EQ(termination(1000, 50), std::pair(Termination::dead, std::size_t{49}));
  EXPECT_EQ(termination(60, 50), std::pair(Termination::dead, std::size_t{49}));
  EXPECT_EQ(termination(30, 50), std::pair(Termination::budget, std::size_t{200}));
  EXPECT_EQ(termination(50, 50), std::pair(Termination::budget, std::size_t{200}));
  EXPECT_EQ(termination(1000, 0), std::pair(Termination::budget, std::size_t{200}));
}

TEST(Train, SnapshotsEveryTargetInOrder) {
  const auto objective = make_callable_objective(slope());
  std::vector<TrainJob> jobs{walk({9.5, 8.0, 7.5, 2.0})};
  std::vector<Snapshot> snapshots;
  jobs[0].on_target = [&](std::size_t index, const Snapshot& snapshot) {
    EXPECT_EQ(index, snapshots.size());
    snapshots.push_back(snapshot);
  };
  TrainOptions options = walking();
  options.check_every = 3;  // values 10 7 4 1: three targets at once
  train_with(*objective, jobs, options);
  ASSERT_EQ(snapshots.size(), 4U);
  for (const std::size_t i : {0U, 1U, 2U}) {
    EXPECT_EQ(snapshots[i].target, jobs[0].targets[i]);
    EXPECT_EQ(snapshots[i].theta, std::vector<float>{7.0F});
    EXPECT_EQ(snapshots[i].summary.steps, 3U);
    EXPECT_EQ(snapshots[i].summary.last_metric, 7.0);
    EXPECT_EQ(snapshots[i].summary.termination, Termination::reached);
  }
  EXPECT_EQ(snapshots[3].theta, jobs[0].theta);
  EXPECT_EQ(snapshots[3].summary.steps, 9U);
}

TEST(Train, GivesAPopulationTheBitsOfSingles) {
  for (const Surface& surface : {double_well(7), mueller_brown(), ring(3)}) {
    SCOPED_TRACE(surface.name);
    const auto single = make_surface_objective(surface);
    TrainOptions options = quick_options();
    options.max_steps = 400;
    options.check_every = 3;
    options.loss_window = 5;
    options.clip_norm = 2.0;
    options.schedule = {.kind = Schedule::Kind::cosine, .every = 300.0};
    auto expected = jobs_of(*single, 41, 1e-3);
    train_with(*single, expected, options);
    for (const std::size_t population : {2U, 5U, 16U, 64U}) {
      for (const std::size_t threads : {1U, 2U, 3U}) {
        const auto objective = make_surface_objective(surface, population);
        auto jobs = jobs_of(*objective, 41, 1e-3);
        train_with(*objective, jobs, options, threads);
        for (std::size_t i = 0; i < jobs.size(); ++i) {
          EXPECT_EQ(jobs[i].theta, expected[i].theta);
          expect_same(jobs[i].summary, expected[i].summary);
        }
      }
    }
  }
}

TEST(Train, GivesTwoWorkersTheBitsOfOne) {
  const auto objective = make_surface_objective(ring(10));
  auto one = jobs_of(*objective, 9, 1e-5);
  auto two = one;
  train_with(*objective, one, quick_options(), 1);
  train_with(*objective, two, quick_options(), 2);
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].theta, two[i].theta);
    expect_same(one[i].summary, two[i].summary);
  }
}

TEST(Train, DoesNotDependOnTheOtherJobs) {
  const auto objective = make_surface_objective(ring(3), 8);
  auto many = jobs_of(*objective, 20, 1e-4);
  auto alone = std::vector<TrainJob>{many[13]};
  train_with(*objective, many, quick_options());
  train_with(*objective, alone, quick_options());
  EXPECT_EQ(many[13].theta, alone[0].theta);
  expect_same(many[13].summary, alone[0].summary);
}

TEST(Train, StopsOnRequest) {
  for (const std::size_t population : {1U, 4U}) {
    for (const std::size_t threads : {1U, 2U}) {
      CallableOptions options = slope();
      options.population = population;
      const auto objective = make_callable_objective(options);
      Workers workers(threads);
      Evaluators evaluators(*objective, workers);
      std::vector<TrainJob> jobs(9, walk({-1.0}));
      TrainOptions forever = walking();
      forever.max_steps = 1000000000;
      Stop stop;
      train(evaluators, jobs, forever, &stop, [&](const TrainProgress& progress) {
        if (progress.steps == 64) {
          stop.request();
        }
      });
      for (const TrainJob& job : jobs) {
        EXPECT_EQ(job.summary.termination, Termination::interrupted);
        EXPECT_LT(job.summary.steps, 1000000000U);
      }
    }
  }
}

TEST(Train, TellsItsProgress) {
  const auto objective = make_callable_objective(slope());
  Workers workers(1);
  Evaluators evaluators(*objective, workers);
  std::vector<TrainJob> jobs{walk({8.0, 7.0}), walk({100.0, 1.0})};
  jobs[1].theta[0] = 200.0F;
  std::vector<std::vector<std::pair<std::size_t, double>>> seen(2);
  train(evaluators, jobs, walking(), nullptr, [&](const TrainProgress& progress) {
    const double start = progress.job == 0 ? 10.0 : 200.0;
    EXPECT_EQ(progress.metric, start - static_cast<double>(progress.steps));
    seen[progress.job].emplace_back(progress.steps, progress.target);
  });
  // The first look, every 64th, and those that reach a target.
  using Looks = std::vector<std::pair<std::size_t, double>>;
  EXPECT_EQ(seen[0], (Looks{{0, 8.0}, {2, 8.0}, {3, 7.0}}));
  EXPECT_EQ(seen[1], (Looks{{0, 100.0}, {64, 100.0}, {100, 100.0}, {164, 1.0}, {199, 1.0}}));
}

TEST(Train, PassesOnWhatAWorkerThrows) {
  for (const std::size_t population : {1U, 4U}) {
    for (const std::size_t threads : {1U, 2U}) {
      std::atomic<int> calls{0};
      CallableOptions options = slope();
      options.population = population;
      options.loss = [&](std::span<const float>, std::span<float> gradient) {
        if (++calls == 50) {
          throw std::runtime_error("the model broke");
        }
        if (!gradient.empty()) {
          gradient[0] = 0.0F;
        }
        return 1.0;
      };
      const auto objective = make_callable_objective(options);
      // Without the throw these jobs would go on for ever: the others must be told.
      TrainOptions forever = walking();
      forever.max_steps = std::numeric_limits<std::size_t>::max();
      std::vector<TrainJob> jobs(8, walk({0.5}));
      EXPECT_THROW(train_with(*objective, jobs, forever, threads), std::runtime_error);
    }
  }
}

std::string refusal(const TrainOptions& options, const TrainJob& job = walk({1.0})) {
  const auto objective = make_callable_objective(slope());
  std::vector<TrainJob> jobs{walk({1.0}), job};
  try {
    train_with(*objective, jobs, options);
  } catch (const UsageError& error) {
    EXPECT_EQ(jobs[0].theta[0], 10.0F) << "something was trained before the error";
    return error.what();
  }
  return "accepted";
}

// One step of plain SGD with decay, beside the same step without: the difference is the decay's.
TEST(Train, DecaysTheTensorsThatAreNamed) {
  const auto objective = make_surface_objective(double_well(4));
  const Tensor& tensor = objective->layout().tensors().front();
  TrainOptions options = quick_options();
  options.optimizer = Sgd{.learning_rate = 0.125};
  options.max_steps = 1;
  const double never = -1.0;
  std::vector<TrainJob> without = jobs_of(*objective, 1, never);
  const std::vector<float> start = without[0].theta;
  train_with(*objective, without, options);
  options.weight_decay = {{tensor.name, 0.5}};
  std::vector<TrainJob> with = jobs_of(*objective, 1, never);
  train_with(*objective, with, options);
  for (std::size_t i = 0; i < tensor.size(); ++i) {
    EXPECT_NEAR(with[0].theta[i], without[0].theta[i] - 0.125 * 0.5 * start[i], 1e-6);
  }
  options.weight_decay = {{"7.weight", 0.5}};
  std::vector<TrainJob> unknown = jobs_of(*objective, 1, never);
  try {
    train_with(*objective, unknown, options);
    FAIL() << "accepted";
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("7.weight"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find(tensor.name), std::string::npos) << error.what();
  }
}

TEST(Train, RefusesInvalidOptions) {
  TrainOptions options = walking();
  options.check_every = 0;
  EXPECT_EQ(refusal(options), "check-every: expected at least 1, got 0");
  options = walking();
  options.max_steps = 0;
  EXPECT_EQ(refusal(options), "max-steps: expected at least 1, got 0");
  options = walking();
  options.clip_norm = -1.0;
  EXPECT_EQ(refusal(options), "clip-norm: expected a finite number >= 0, got -1");
  options = walking();
  options.divergence_factor = std::numeric_limits<double>::infinity();
  EXPECT_EQ(refusal(options), "divergence_factor: expected a finite value >= 0, got inf");
  options = walking();
  options.schedule = {.kind = Schedule::Kind::staircase, .every = 0.0};
  EXPECT_EQ(refusal(options), "schedule every: expected a value > 0, got 0");
  options = walking();
  options.optimizer = Adam{.learning_rate = -1.0};
  EXPECT_EQ(refusal(options), "adam learning_rate: expected a value > 0, got -1");
  options = walking();
  options.metric = Metric::error_rate;
  EXPECT_EQ(refusal(options), "metric: this objective cannot compute error_rate");
}

TEST(Train, RefusesJobsThatDoNotFit) {
  EXPECT_EQ(refusal(walking(), walk({})), "job 1: targets: expected at least one, got none");
  EXPECT_EQ(refusal(walking(), walk({1.0, 2.0})),
            "job 1: targets: expected finite, descending values, got 2 after 1");
  TrainJob wide = walk({1.0});
  wide.theta.resize(4);
  EXPECT_EQ(refusal(walking(), wide), "job 1: theta: expected P = 1 numbers, got 4");
}

TEST(Train, DoesNothingWithoutJobs) {
  const auto objective = make_callable_objective(slope());
  std::vector<TrainJob> none;
  EXPECT_NO_THROW(train_with(*objective, none, walking()));
}

TEST(Termination, HasNamesThatReadBack) {
  for (const Termination termination : {Termination::reached,
                                        Termination::budget,
                                        Termination::diverged,
                                        Termination::interrupted}) {
    EXPECT_EQ(named<Termination>(name_of(termination)), termination);
  }
  EXPECT_THROW(named<Termination>("done"), UsageError);
}

}  // namespace
}  // namespace isthmus
