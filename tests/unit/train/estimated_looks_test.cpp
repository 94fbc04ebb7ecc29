// SPDX-License-Identifier: MIT
// Estimated looks at a loss: what they save, and that nothing else than a look at all samples
// counts.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <limits>
#include <memory>
#include <vector>

#include "isthmus/objective/network_objective.h"
#include "isthmus/train/train.h"
#include "support/plain_objective.h"
#include "support/training.h"

namespace isthmus {
namespace {

using testing::train_on;
using testing::value_of;

// Points of three classes around three places, `share` of the labels being another class's.
Samples clouds(std::size_t count, std::uint64_t stream, double share = 0.0) {
  Rng rng(31, stream);
  Samples samples;
  samples.count = count;
  samples.input_shape = {2};
  for (std::size_t i = 0; i < count; ++i) {
    const auto label = static_cast<std::int32_t>(rng.below(3));
    const double angle = 2.1 * label;
    samples.values.push_back(static_cast<float>(std::cos(angle) + rng.uniform(-0.6, 0.6)));
    samples.values.push_back(static_cast<float>(std::sin(angle) + rng.uniform(-0.6, 0.6)));
    const bool wrong = rng.uniform(0.0, 1.0) < share;
    samples.labels.push_back(wrong ? (label + 1) % 3 : label);
  }
  return samples;
}

std::unique_ptr<Objective> objective_of(Samples train, Samples test, std::size_t width = 16) {
  auto data = std::make_shared<Dataset>();
  data->name = "clouds";
  data->classes = 3;
  data->train = std::move(train);
  data->test = std::move(test);
  NetworkObjectiveOptions options;
  options.network = {.input = {2},
                     .layers = {Linear{.out_features = width},
                                Activation{Activation::Kind::relu},
                                Linear{.out_features = 3}}};
  options.data = std::move(data);
  options.loss = Loss::cross_entropy;
  return make_network_objective(std::move(options));
}

TrainOptions options_of(LookKind looks) {
  return {.optimizer = Sgd{.learning_rate = 0.02, .momentum = 0.9},
          .batch_size = 32,
          .metric = Metric::cross_entropy,
          .split = Split::train,
          .check_every = 5,
          .looks = looks,
          .max_steps = 2000};
}

std::vector<TrainJob> jobs_of(const Objective& objective, std::vector<double> targets) {
  std::vector<TrainJob> jobs(3);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    jobs[i].theta.resize(objective.dimension());
    jobs[i].seed = 3;
    jobs[i].stream = i;
    jobs[i].targets = targets;
    objective.initialise(3, i, jobs[i].theta);
  }
  return jobs;
}

void expect_same(const TrainJob& job, const TrainJob& expected) {
  EXPECT_EQ(job.theta, expected.theta);
  EXPECT_EQ(job.summary.termination, expected.summary.termination);
  EXPECT_EQ(job.summary.steps, expected.summary.steps);
  EXPECT_EQ(job.summary.first_metric, expected.summary.first_metric);
  EXPECT_EQ(job.summary.last_metric, expected.summary.last_metric);
  EXPECT_EQ(job.summary.best_metric, expected.summary.best_metric);
  EXPECT_EQ(job.summary.forward_samples, expected.summary.forward_samples);
  EXPECT_EQ(job.summary.denied, expected.summary.denied);
}

// Wide ones run on the other engine.
TEST(EstimatedLooks, ReachTheTargetWithFarFewerSamples) {
  for (const std::size_t width : {16U, 80U}) {
    SCOPED_TRACE(width);
    const auto objective = objective_of(clouds(20000, 1), clouds(100, 2), width);
    TrainOptions full = options_of(LookKind::full);
    full.optimizer = Sgd{.learning_rate = 0.002, .momentum = 0.9};
    TrainOptions estimated = full;
    estimated.looks = LookKind::estimated;
    std::vector<TrainJob> reference = jobs_of(*objective, {0.2, 0.1});
    train_on(*objective, reference, full);
    std::vector<TrainJob> jobs = jobs_of(*objective, {0.2, 0.1});
    train_on(*objective, jobs, estimated);
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      ASSERT_EQ(reference[i].summary.termination, Termination::reached);
      ASSERT_EQ(jobs[i].summary.termination, Termination::reached);
      const double value = value_of(*objective, estimated, jobs[i]);
      EXPECT_LE(value, 0.1);
      EXPECT_NEAR(value, jobs[i].summary.last_metric, 1e-6 * value);
      EXPECT_LT(5 * jobs[i].summary.forward_samples, reference[i].summary.forward_samples);
      EXPECT_LE(jobs[i].summary.steps, reference[i].summary.steps + 50);
    }
    for (const std::size_t threads : {2U, 3U}) {
      std::vector<TrainJob> more = jobs_of(*objective, {0.2, 0.1});
      train_on(*objective, more, estimated, threads);
      for (std::size_t i = 0; i < jobs.size(); ++i) {
        expect_same(more[i], jobs[i]);
      }
    }
  }
}

TEST(EstimatedLooks, TellEveryTargetOnceAllSamplesReachIt) {
  const auto objective = objective_of(clouds(5000, 1), clouds(100, 2));
  const TrainOptions options = options_of(LookKind::estimated);
  std::vector<TrainJob> jobs = jobs_of(*objective, {0.3, 0.2, 0.1});
  std::vector<double> told;
  jobs[0].on_target = [&](std::size_t, const Snapshot& snapshot) {
    double value = 0.0;
    objective->evaluator()->metrics(
        options.split, options.metric, snapshot.theta, std::span(&value, 1));
    EXPECT_LE(value, snapshot.target);
    told.push_back(snapshot.target);
  };
  train_on(*objective, std::span(jobs).first(1), options);
  EXPECT_EQ(told, jobs[0].targets);
}

TEST(EstimatedLooks, GoOnFromTheirStateWithTheSameBits) {
  const auto objective = objective_of(clouds(5000, 1), clouds(100, 2));
  const TrainOptions options = options_of(LookKind::estimated);
  std::vector<TrainJob> unbroken = jobs_of(*objective, {0.2, 0.08});
  train_on(*objective, std::span(unbroken).first(1), options);
  ASSERT_EQ(unbroken[0].summary.termination, Termination::reached);
  const std::filesystem::path file =
      std::filesystem::path(::testing::TempDir()) / "estimated_looks.state";
  Workers workers(1);
  Evaluators evaluators(*objective, workers);
  const std::size_t steps = unbroken[0].summary.steps;
  for (std::size_t stop_at = 1; stop_at < steps; stop_at += steps / 23 + 1) {
    SCOPED_TRACE(stop_at);
    std::vector<TrainJob> jobs = jobs_of(*objective, {0.2, 0.08});
    const std::span<TrainJob> job = std::span(jobs).first(1);
    job[0].checkpoint = TrainCheckpoint{.file = file};
    Stop stop;
    job[0].modify_gradient = [&](std::size_t step, std::span<const float>, std::span<float>) {
      if (step + 1 == stop_at) {
        stop.request();
      }
    };
    train(evaluators, job, options, &stop);
    ASSERT_EQ(job[0].summary.termination, Termination::interrupted);
    std::vector<TrainJob> again = jobs_of(*objective, {0.2, 0.08});
    again[0].checkpoint = TrainCheckpoint{.file = file};
    train(evaluators, std::span(again).first(1), options);
    expect_same(again[0], unbroken[0]);
  }
}

TEST(EstimatedLooks, NeedNoLossesOfSamples) {
  const auto inner = objective_of(clouds(20000, 1), clouds(100, 2));
  const testing::PlainObjective objective(*inner);
  const TrainOptions options = options_of(LookKind::estimated);
  std::vector<TrainJob> jobs = jobs_of(objective, {0.1});
  train_on(objective, jobs, options);
  std::vector<TrainJob> reference = jobs_of(objective, {0.1});
  train_on(objective, reference, options_of(LookKind::full));
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    ASSERT_EQ(jobs[i].summary.termination, Termination::reached);
    EXPECT_EQ(value_of(objective, options, jobs[i]), jobs[i].summary.last_metric);
    EXPECT_LT(2 * jobs[i].summary.forward_samples, reference[i].summary.forward_samples);
  }
}

// Batches have the labels right, the test split a tenth of them wrong: it stays above what batches
// promise. The bead goes on to its budget, and tells how often it was denied.
TEST(EstimatedLooks, GoOnWhereTheSplitDeniesWhatBatchesPromise) {
  const auto inner = objective_of(clouds(5000, 1), clouds(5000, 2, 0.1));
  const testing::PlainObjective without(*inner);
  for (const Objective* objective : std::array<const Objective*, 2>{inner.get(), &without}) {
    TrainOptions options = options_of(LookKind::estimated);
    options.split = Split::test;
    options.max_steps = 600;
    std::vector<TrainJob> jobs = jobs_of(*objective, {0.2});
    train_on(*objective, jobs, options);
    for (const TrainJob& job : jobs) {
      EXPECT_EQ(job.summary.termination, Termination::budget);
      EXPECT_EQ(job.summary.steps, 600U);
      EXPECT_GT(job.summary.best_metric, 0.2);
      const double value = value_of(*objective, options, job);
      EXPECT_NEAR(value, job.summary.last_metric, 1e-6 * value);
      EXPECT_EQ(job.summary.denied > 0, objective == &without);
    }
  }
}

TEST(EstimatedLooks, LookAtAllOfASmallSplit) {
  const auto objective = objective_of(clouds(100, 1), clouds(100, 2));
  std::vector<TrainJob> jobs = jobs_of(*objective, {0.1});
  const TrainOptions options = options_of(LookKind::estimated);
  train_on(*objective, jobs, options);
  for (const TrainJob& job : jobs) {
    EXPECT_EQ(job.summary.termination, Termination::reached);
    EXPECT_LE(value_of(*objective, options, job), 0.1 * (1.0 + 1e-6));
    EXPECT_EQ(job.summary.denied, 0U) << "an estimate from all samples is the value";
  }
}

TEST(EstimatedLooks, TakeFewSamplesForWhatIsOutOfReach) {
  const auto objective = objective_of(clouds(20000, 1), clouds(100, 2));
  TrainOptions options = options_of(LookKind::estimated);
  options.max_steps = 1000;
  std::vector<TrainJob> jobs = jobs_of(*objective, {1e-9});
  train_on(*objective, jobs, options);
  for (const TrainJob& job : jobs) {
    EXPECT_EQ(job.summary.termination, Termination::budget);
    // 200 looks were due; a twentieth was taken, of a part, and the last one of all.
    EXPECT_LT(job.summary.forward_samples, 3U * 20000U + 20U * 2100U);
    EXPECT_EQ(job.summary.denied, 0U);
  }
}

TEST(EstimatedLooks, EndWithTheBatchThatIsNotANumber) {
  Samples train = clouds(320, 1);
  train.values[2 * 317] = std::numeric_limits<float>::quiet_NaN();
  const auto objective = objective_of(std::move(train), clouds(5000, 2));
  TrainOptions options = options_of(LookKind::estimated);
  options.split = Split::test;
  std::vector<TrainJob> jobs = jobs_of(*objective, {1e-3});
  train_on(*objective, jobs, options);
  for (const TrainJob& job : jobs) {
    EXPECT_EQ(job.summary.termination, Termination::diverged);
    EXPECT_LT(job.summary.steps, 10U) << "an epoch has ten batches";
    EXPECT_TRUE(std::isfinite(job.summary.last_metric));
  }
}

// Full batches tell their loss for free: nothing is estimated.
TEST(EstimatedLooks, LeaveFullBatchesAsTheyAre) {
  const auto objective = objective_of(clouds(500, 1), clouds(100, 2));
  std::vector<std::vector<TrainJob>> runs;
  for (const LookKind looks : {LookKind::full, LookKind::estimated}) {
    TrainOptions options = options_of(looks);
    options.batch_size = 0;
    runs.push_back(jobs_of(*objective, {0.3}));
    train_on(*objective, runs.back(), options);
  }
  for (std::size_t i = 0; i < runs[0].size(); ++i) {
    ASSERT_EQ(runs[0][i].summary.termination, Termination::reached);
    expect_same(runs[1][i], runs[0][i]);
  }
}

}  // namespace
}  // namespace isthmus
