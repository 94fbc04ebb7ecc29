// SPDX-License-Identifier: MIT
// Training whose candidate is a moving average (TrainOptions::average).
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"
#include "isthmus/objective/network_objective.h"
#include "isthmus/objective/surfaces.h"
#include "isthmus/train/train.h"
#include "support/fake_objective.h"
#include "support/temporary_folder.h"
#include "support/training.h"

namespace isthmus {
namespace {

using testing::expect_error;
using testing::train_on;
using testing::value_of;

constexpr double decay = 0.95;
constexpr double never = -1.0;

// Points of three classes around three places; a batch of 16 tells little of all of them.
std::unique_ptr<Objective> clouds(std::size_t units = 16, double shift = 0.0) {
  Rng rng(31, 1);
  Samples samples;
  samples.count = 3000;
  samples.input_shape = {2};
  for (std::size_t i = 0; i < samples.count; ++i) {
    const auto label = static_cast<std::int32_t>(rng.below(3));
    const double angle = 2.1 * label;
    samples.values.push_back(static_cast<float>(shift + std::cos(angle) + rng.uniform(-0.9, 0.9)));
    samples.values.push_back(static_cast<float>(shift + std::sin(angle) + rng.uniform(-0.9, 0.9)));
    samples.labels.push_back(label);
  }
  auto data = std::make_shared<Dataset>();
  data->name = "clouds";
  data->classes = 3;
  data->train = samples;
  data->test = std::move(samples);
  NetworkObjectiveOptions options;
  options.network = {.input = {2},
                     .layers = {Linear{.out_features = units},
                                Activation{Activation::Kind::relu},
                                Linear{.out_features = 3}}};
  options.data = std::move(data);
  options.loss = Loss::cross_entropy;
  return make_network_objective(std::move(options));
}

TrainOptions options_of(Metric metric) {
  return {.optimizer = Sgd{.learning_rate = 0.1, .momentum = 0.9},
          .batch_size = 16,
          .metric = metric,
          .split = Split::train,
          .check_every = 5,
          .average = decay,
          .max_steps = 400};
}

TrainJob job_of(const Objective& objective, std::vector<double> targets, std::uint64_t stream = 4) {
  TrainJob job;
  job.theta.resize(objective.dimension());
  job.targets = std::move(targets);
  job.seed = 3;
  job.stream = stream;
  objective.initialise(3, stream, job.theta);
  return job;
}

// The thetas behind each step, which train() itself tells nobody.
std::vector<std::vector<float>> thetas_of(const Objective& objective, const TrainOptions& options) {
  std::vector<std::vector<float>> thetas;
  TrainOptions raw = options;
  raw.average = 0.0;
  TrainJob job = job_of(objective, {never});
  job.modify_theta = [&](std::size_t, std::span<float> theta) {
    thetas.emplace_back(theta.begin(), theta.end());
  };
  train_on(objective, {&job, 1}, raw);
  return thetas;
}

// The formula as it is written, in the arithmetic of float.
std::vector<std::vector<float>> averages_of(std::vector<float> average,
                                            const std::vector<std::vector<float>>& thetas) {
  std::vector<std::vector<float>> averages;
  for (std::size_t n = 0; n < thetas.size(); ++n) {
    const double d = std::min(decay, static_cast<double>(n + 1) / static_cast<double>(n + 10));
    const auto share = static_cast<float>(1.0 - d);
    for (std::size_t i = 0; i < average.size(); ++i) {
      average[i] = average[i] + share * (thetas[n][i] - average[i]);
    }
    averages.push_back(average);
  }
  return averages;
}

TEST(Average, IsThatOfTheStepsAndEndsTheTraining) {
  const auto objective = clouds();
  for (const Metric metric : {Metric::cross_entropy, Metric::error_rate}) {
    const TrainOptions options = options_of(metric);
    const std::vector<float> start = job_of(*objective, {never}).theta;
    const auto averages = averages_of(start, thetas_of(*objective, options));
    ASSERT_EQ(averages.size(), options.max_steps);
    // The first one that is looked at and is that low, of every target.
    TrainJob job = job_of(*objective, {never});
    std::vector<double> values{value_of(*objective, options, job)};
    for (std::size_t step = 5; step <= options.max_steps; step += 5) {
      job.theta = averages[step - 1];
      values.push_back(value_of(*objective, options, job));
    }
    const double lowest = *std::ranges::min_element(values);
    std::vector<double> targets{0.5 * (values[0] + lowest), 1.01 * lowest};
    job = job_of(*objective, targets);
    std::vector<Snapshot> told;
    job.on_target = [&](std::size_t, const Snapshot& snapshot) { told.push_back(snapshot); };
    train_on(*objective, {&job, 1}, options);
    ASSERT_EQ(job.summary.termination, Termination::reached);
    ASSERT_EQ(told.size(), 2U);
    for (std::size_t i = 0; i < 2; ++i) {
      const auto first = std::ranges::find_if(values, [&](double v) { return v <= targets[i]; });
      const auto step = 5 * static_cast<std::size_t>(first - values.begin());
      EXPECT_EQ(told[i].summary.steps, step);
      ASSERT_GT(step, 0U);
      EXPECT_EQ(told[i].theta, averages[step - 1]);
      EXPECT_NEAR(told[i].summary.last_metric, *first, 1e-6 * *first);
    }
    EXPECT_EQ(job.theta, told[1].theta);
    // A budget that ends it gives the average too.
    TrainJob spent = job_of(*objective, {never});
    train_on(*objective, {&spent, 1}, options);
    EXPECT_EQ(spent.summary.termination, Termination::budget);
    EXPECT_EQ(spent.theta, averages.back());
    if (metric == Metric::cross_entropy) {  // a rate that misses is an estimate
      EXPECT_NEAR(spent.summary.last_metric, values.back(), 1e-6 * values.back());
    }
  }
}

// What it is for: noise of the batches that a constant rate keeps is averaged out of the candidate.
TEST(Average, LiesBelowTheThetasThatItIsOf) {
  const auto objective = clouds();
  TrainOptions options = options_of(Metric::cross_entropy);
  options.looks = LookKind::estimated;
  for (std::uint64_t stream = 0; stream < 5; ++stream) {
    TrainJob averaged = job_of(*objective, {never}, stream);
    train_on(*objective, {&averaged, 1}, options);
    TrainOptions raw = options;
    raw.average = 0.0;
    TrainJob job = job_of(*objective, {never}, stream);
    train_on(*objective, {&job, 1}, raw);
    EXPECT_LT(averaged.summary.last_metric, job.summary.last_metric) << stream;
    EXPECT_NEAR(value_of(*objective, options, averaged), averaged.summary.last_metric, 1e-6);
  }
}

// Full batches tell the loss of theta, which is not that of the average: looks are taken.
TEST(Average, IsLookedAtWhereTheLossOfThetaWouldBeFree) {
  const fake::FakeObjective objective({.surface = fake::ring(), .loss_is_metric = true});
  TrainOptions options{.optimizer = Sgd{.learning_rate = 0.02, .momentum = 0.5},
                       .metric = Metric::mean_squared_error,
                       .average = decay,
                       .max_steps = 60};
  std::vector<TrainJob> jobs(1);
  jobs[0].theta = {0.3F, 0.4F};
  jobs[0].targets = {never};
  std::vector<std::vector<float>> thetas;
  jobs[0].modify_theta = [&](std::size_t, std::span<float> theta) {
    thetas.emplace_back(theta.begin(), theta.end());
  };
  train_on(objective, jobs, options);
  std::vector<std::vector<float>> expected = averages_of({0.3F, 0.4F}, thetas);
  expected.insert(expected.begin(), {0.3F, 0.4F});
  EXPECT_EQ(objective.looked_at(), expected);
  EXPECT_EQ(jobs[0].theta, expected.back());
  EXPECT_EQ(jobs[0].summary.forward_samples, 61U);
}

TEST(Average, GivesAPopulationTheBitsOfSingles) {
  const TrainOptions options{.optimizer = Adam{.learning_rate = 0.03},
                             .metric = Metric::mean_squared_error,
                             .check_every = 3,
                             .average = decay,
                             .max_steps = 500};
  const auto single = make_surface_objective(ring(5));
  const auto jobs_on = [&](const Objective& objective, std::size_t threads) {
    std::vector<TrainJob> jobs;
    for (std::size_t i = 0; i < 23; ++i) {
      jobs.push_back(job_of(objective, {1e-2, 1e-3}, i));
    }
    train_on(objective, jobs, options, threads);
    return jobs;
  };
  const std::vector<TrainJob> expected = jobs_on(*single, 1);
  for (const std::size_t threads : {1U, 2U, 3U}) {
    const std::vector<TrainJob> jobs = jobs_on(*make_surface_objective(ring(5), 8), threads);
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      EXPECT_EQ(jobs[i].theta, expected[i].theta);
      EXPECT_EQ(jobs[i].summary.termination, Termination::reached);
      EXPECT_EQ(jobs[i].summary.steps, expected[i].summary.steps);
      EXPECT_EQ(jobs[i].summary.last_metric, expected[i].summary.last_metric);
      EXPECT_EQ(jobs[i].summary.forward_samples, expected[i].summary.forward_samples);
      EXPECT_LE(value_of(*single, options, jobs[i]), 1e-3);
    }
  }
}

TEST(Average, GoesOnFromItsStateWithTheSameBits) {
  const auto objective = clouds(80);
  for (const double importance : {0.0, 0.5}) {
    const Metric metric = importance > 0.0 ? Metric::cross_entropy : Metric::error_rate;
    TrainOptions options = options_of(metric);
    options.looks = LookKind::estimated;
    options.importance = importance;
    const testing::TemporaryFolder folder;
    TrainJob unbroken = job_of(*objective, {never});
    train_on(*objective, {&unbroken, 1}, options);
    for (std::size_t stop_at = 1; stop_at < options.max_steps; stop_at += 37) {
      Workers workers(1);
      Evaluators evaluators(*objective, workers);
      Stop stop;
      TrainJob job = job_of(*objective, {never});
      job.checkpoint = TrainCheckpoint{.file = folder / "state"};
      job.modify_theta = [&](std::size_t step, std::span<float>) {
        if (step + 1 == stop_at) {
          stop.request();
        }
      };
      train(evaluators, {&job, 1}, options, &stop);
      ASSERT_EQ(job.summary.termination, Termination::interrupted);
      TrainJob again = job_of(*objective, {never});
      again.checkpoint = job.checkpoint;
      train(evaluators, {&again, 1}, options);
      EXPECT_EQ(again.theta, unbroken.theta);
      EXPECT_EQ(again.summary.last_metric, unbroken.summary.last_metric);
      EXPECT_EQ(again.summary.best_metric, unbroken.summary.best_metric);
      EXPECT_EQ(again.summary.forward_samples, unbroken.summary.forward_samples);
      EXPECT_EQ(again.summary.gradient_samples, unbroken.summary.gradient_samples);
    }
  }
}

TEST(Importance, IsForBatchesOfObjectivesThatHaveIt) {
  TrainOptions options = options_of(Metric::cross_entropy);
  options.importance = 0.5;
  const auto large = clouds(80);
  EXPECT_NO_THROW(options.validate_for(*large));
  const auto small = clouds(16);
  EXPECT_FALSE(small->has_importance());
  expect_error<UsageError>([&] { options.validate_for(*small); },
                           {"importance", "small perceptron", "use 0"});
  options.batch_size = 0;
  expect_error<UsageError>([&] { options.validate_for(*large); }, {"importance", "batch_size 0"});
  options.batch_size = 16;
  options.importance = 1.0;
  expect_error<UsageError>([&] { options.validate_for(*large); }, {"importance", "[0, 1)"});
}

// The inputs of clouds, far from 0: the rate is too high for the direction of their mean.
TEST(Damping, TrainsAtARateThatThrowsOffWhatIsNotCentred) {
  const auto objective = clouds(16, 6.0);
  TrainOptions options = options_of(Metric::cross_entropy);
  const auto trained = [&](double damping) {
    options.damping = damping;
    TrainJob job = job_of(*objective, {never});
    train_on(*objective, {&job, 1}, options);
    return value_of(*objective, options, job);
  };
  const double damped = trained(1.0);
  EXPECT_LT(damped, 0.6);
  EXPECT_GT(trained(0.0), 1.3 * damped);
  EXPECT_NE(trained(0.5), damped);
}

TEST(Damping, IsForSgdWhereThereIsAFirstLayerToDamp) {
  TrainOptions options = options_of(Metric::cross_entropy);
  options.damping = 1.0;
  const auto objective = clouds();
  EXPECT_NO_THROW(options.validate_for(*objective));
  options.optimizer = Adam{};
  expect_error<UsageError>([&] { options.validate_for(*objective); },
                           {"damping", "sgd or momentum"});
  options.optimizer = Sgd{};
  options.damping = 1.5;
  expect_error<UsageError>([&] { options.validate_for(*objective); }, {"damping", "[0, 1]", "1.5"});
  const auto surface = make_surface_objective(ring(5), 8);
  TrainOptions plain{.optimizer = Sgd{}, .metric = Metric::mean_squared_error, .damping = 1.0};
  expect_error<UsageError>([&] { plain.validate_for(*surface); },
                           {"damping", "linear layer or a convolution", "use 0"});
}

// The noise of its batches is smaller, by the same number of samples.
TEST(Importance, LowersTheNoiseOfTheGradient) {
  const auto objective = clouds(80);
  TrainJob trained = job_of(*objective, {never});
  train_on(*objective, {&trained, 1}, options_of(Metric::cross_entropy));
  const auto whole = objective->batches(0, 0, 0);
  const auto evaluator = objective->evaluator();
  double loss = 0.0;
  std::vector<float> mean(trained.theta.size());
  evaluator->losses_and_gradients(trained.theta, whole->next(), nullptr, {&loss, 1}, mean);
  const auto noise = [&](BatchSource& source) {
    std::vector<float> gradient(mean.size());
    double sum = 0.0;
    for (int step = 0; step < 1200; ++step) {
      evaluator->losses_and_gradients(trained.theta, source.next(), nullptr, {&loss, 1}, gradient);
      for (std::size_t i = 0; i < mean.size() && step >= 600; ++i) {
        sum += (gradient[i] - mean[i]) * (gradient[i] - mean[i]);
      }
    }
    return sum;
  };
  EXPECT_LT(noise(*objective->importance_batches(1, 2, 16, 0.5, {})),
            0.7 * noise(*objective->batches(1, 2, 16)));
}

// A state that was left at the last target has both: what is told again is the average, what trains
// on is theta.
TEST(Average, SmallerTargetsGoOnFromTheLastState) {
  const auto objective = clouds();
  const TrainOptions options = options_of(Metric::cross_entropy);
  const testing::TemporaryFolder folder;
  const auto run = [&](std::vector<double> targets, const char* file) {
    TrainJob job = job_of(*objective, std::move(targets));
    job.checkpoint = TrainCheckpoint{
        .file = folder / file, .seconds = 1e9, .targets_known = 1, .keep_last = true};
    train_on(*objective, {&job, 1}, options);
    EXPECT_EQ(job.summary.termination, Termination::reached);
    return job;
  };
  const TrainJob whole = run({0.8, 0.3}, "whole");
  const TrainJob first = run({0.8}, "parts");
  EXPECT_LE(value_of(*objective, options, first), 0.8 * (1.0 + 1e-6));
  const TrainJob second = run({0.8, 0.3}, "parts");
  EXPECT_EQ(second.theta, whole.theta);
  EXPECT_EQ(second.summary.steps, whole.summary.steps);
  EXPECT_GT(second.summary.steps, first.summary.steps);
}

TEST(Average, IsRefusedOutOfItsRange) {
  TrainOptions options = options_of(Metric::cross_entropy);
  for (const double wrong : {-0.1, 1.0, std::numeric_limits<double>::quiet_NaN()}) {
    options.average = wrong;
    expect_error<UsageError>([&] { options.validate(); }, {"average", "[0, 1)", "got"});
  }
  options.average = 0.5;
  options.loss_window = 5;
  expect_error<UsageError>([&] { options.validate(); }, {"average", "loss_window", "5 steps"});
}

}  // namespace
}  // namespace isthmus
