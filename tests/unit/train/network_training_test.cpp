// SPDX-License-Identifier: MIT
// Training of networks on data: that neither the company of other jobs nor the number of workers
// changes a bit, for every way in which batches are made.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "isthmus/data/generated.h"
#include "isthmus/objective/network_objective.h"
#include "isthmus/train/train.h"
#include "support/plain_objective.h"

namespace isthmus {
namespace {

struct Case {
  std::string name;
  std::unique_ptr<Objective> objective;
  TrainOptions options;
  double target = 0.0;
};

NetworkObjectiveOptions quadratic() {
  const Linear hidden{.out_features = 4};
  const Activation sigmoid{Activation::Kind::sigmoid};
  auto data = std::make_shared<Dataset>();
  data->name = "quadratic";
  data->train = midpoint_samples(Polynomial::quadratic, 100);
  data->test = data->train;
  NetworkObjectiveOptions options;
  options.network = {.input = {1},
                     .layers = {hidden, sigmoid, hidden, sigmoid, Linear{.out_features = 1}}};
  options.data = data;
  options.loss = Loss::absolute;
  return options;
}

Samples stripes(std::size_t count, std::uint64_t stream) {
  Rng rng(29, stream);
  Samples samples;
  samples.count = count;
  samples.input_shape = {1, 6, 6};
  for (std::size_t i = 0; i < count; ++i) {
    const auto label = static_cast<std::int32_t>(rng.below(3));
    samples.labels.push_back(label);
    for (std::int32_t pixel = 0; pixel < 36; ++pixel) {
      const std::uint64_t base = pixel % 3 == label ? 120 : 0;
      samples.bytes.push_back(static_cast<std::uint8_t>(base + rng.below(136)));
    }
  }
  return samples;
}

NetworkObjectiveOptions stripes_with_dropout() {
  auto data = std::make_shared<Dataset>();
  data->name = "stripes";
  data->classes = 3;
  data->train = stripes(400, 1);
  data->test = stripes(300, 2);
  NetworkObjectiveOptions options;
  options.network = {.input = {1, 6, 6},
                     .layers = {Conv2d{.out_channels = 8, .kernel = 3},
                                Activation{Activation::Kind::relu},
                                Dropout{},
                                Flatten{},
                                Linear{.out_features = 3}}};
  options.data = data;
  options.loss = Loss::cross_entropy;
  return options;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  const TrainOptions every_step{.optimizer = Adam{.learning_rate = 0.01}, .max_steps = 600};
  all.push_back({"oracle", make_network_objective(quadratic()), every_step, 0.05});
  // Minibatches, and a metric that no step tells for free.
  TrainOptions sampled = every_step;
  sampled.batch_size = 20;
  sampled.check_every = 7;
  sampled.split = Split::train;
  all.push_back({"minibatches", make_network_objective(quadratic()), sampled, 0.05});
  NetworkObjectiveOptions empirical = quadratic();
  empirical.draw_training_set = [](std::uint64_t seed, std::uint64_t stream) {
    return random_samples(Polynomial::quadratic, 150, seed, stream);
  };
  TrainOptions rounds = every_step;
  rounds.check_every = 15;
  rounds.loss_window = 5;
  rounds.comparison = Comparison::below;
  all.push_back({"empirical", make_network_objective(empirical), rounds, 0.05});
  const TrainOptions errors{.optimizer = Adam{.learning_rate = 0.01},
                            .batch_size = 32,
                            .metric = Metric::error_rate,
                            .check_every = 5,
                            .max_steps = 300};
  all.push_back({"dropout", make_network_objective(stripes_with_dropout()), errors, 0.1});
  return all;
}

std::vector<TrainJob> jobs_of(const Case& task, std::size_t count) {
  std::vector<TrainJob> jobs(count);
  for (std::size_t i = 0; i < count; ++i) {
    jobs[i].theta.resize(task.objective->dimension());
    jobs[i].seed = 3;
    jobs[i].stream = i;
    jobs[i].targets = {2.0 * task.target, task.target};
    task.objective->initialise(3, i, jobs[i].theta);
  }
  return jobs;
}

void train_on(const Case& task, std::span<TrainJob> jobs, std::size_t threads) {
  Workers workers(threads);
  Evaluators evaluators(*task.objective, workers);
  train(evaluators, jobs, task.options);
}

TEST(NetworkTraining, DoesNotDependOnCompanyOrWorkers) {
  for (const Case& task : cases()) {
    SCOPED_TRACE(task.name);
    std::vector<TrainJob> expected = jobs_of(task, 19);
    std::size_t reached = 0;
    for (TrainJob& job : expected) {
      train_on(task, std::span(&job, 1), 1);
      reached += job.summary.termination == Termination::reached ? 1 : 0;
    }
    EXPECT_GT(reached, 10U);
    for (const std::size_t threads : {1U, 2U}) {
      std::vector<TrainJob> jobs = jobs_of(task, 19);
      train_on(task, jobs, threads);
      for (std::size_t i = 0; i < jobs.size(); ++i) {
        EXPECT_EQ(jobs[i].theta, expected[i].theta) << i;
        EXPECT_EQ(jobs[i].summary.termination, expected[i].summary.termination);
        EXPECT_EQ(jobs[i].summary.steps, expected[i].summary.steps);
        EXPECT_EQ(jobs[i].summary.last_metric, expected[i].summary.last_metric);
        EXPECT_EQ(jobs[i].summary.gradient_samples, expected[i].summary.gradient_samples);
        EXPECT_EQ(jobs[i].summary.forward_samples, expected[i].summary.forward_samples);
      }
    }
  }
}

TEST(NetworkTraining, ReachesWhatItSaysItReached) {
  for (const Case& task : cases()) {
    SCOPED_TRACE(task.name);
    std::vector<TrainJob> jobs = jobs_of(task, 6);
    train_on(task, jobs, 1);
    for (const TrainJob& job : jobs) {
      double value = 0.0;
      task.objective->evaluator()->metrics(
          task.options.split, task.options.metric, job.theta, std::span(&value, 1));
      // In the empirical case the mean training loss of a window may have decided.
      if (job.summary.termination == Termination::reached && task.options.loss_window == 0) {
        EXPECT_TRUE(reaches(value, task.target, task.options.comparison));
        EXPECT_EQ(value, job.summary.last_metric);
      }
    }
  }
}

// The dropout masks and the batches of a job come from its own stream.
TEST(NetworkTraining, GivesEveryStreamItsOwnNoise) {
  const std::vector<Case> all = cases();
  const Case& task = all.back();
  std::vector<TrainJob> jobs = jobs_of(task, 2);
  jobs[1].theta = jobs[0].theta;
  train_on(task, jobs, 1);
  EXPECT_NE(jobs[0].theta, jobs[1].theta);
}

TEST(NetworkTraining, LooksAtErrorsOnlyUntilTheTargetIsMissed) {
  std::vector<Case> all = cases();
  Case& task = all.back();
  task.options.optimizer = Adam{.learning_rate = 0.0003};
  task.options.check_every = 1;
  std::vector<TrainJob> jobs = jobs_of(task, 1);
  jobs[0].targets = {task.target};
  // A start that is mostly wrong: the last layer, turned around.
  const std::size_t last_layer = 3 * 128 + 3;
  for (std::size_t i = jobs[0].theta.size() - last_layer; i < jobs[0].theta.size(); ++i) {
    jobs[0].theta[i] = -jobs[0].theta[i];
  }
  train_on(task, jobs, 1);
  const TrainSummary& summary = jobs[0].summary;
  ASSERT_EQ(summary.termination, Termination::reached);
  const std::size_t looks = summary.steps + 1;
  EXPECT_GT(looks, 10U);
  EXPECT_LT(summary.forward_samples, looks * 200);
  // What is told of a look that stopped early is the rate among the samples seen.
  EXPECT_GT(summary.first_metric, 0.5);
}

TEST(NetworkTraining, KeepsTheMarginsOfTheLookThatReachedTheTarget) {
  std::vector<Case> all = cases();
  Case& task = all.back();
  task.options.keep_per_sample = true;
  std::vector<TrainJob> jobs = jobs_of(task, 2);
  jobs[1].targets = {-1.0};  // out of reach
  for (TrainJob& job : jobs) {
    job.per_sample = {1.0F};  // of another training
  }
  task.options.max_steps = 300;
  train_on(task, jobs, 1);
  ASSERT_EQ(jobs[0].summary.termination, Termination::reached);
  ASSERT_NE(jobs[1].summary.termination, Termination::reached);
  const Split split = task.options.split;
  std::vector<float> expected(task.objective->samples(split));
  const Evaluation again =
      task.objective->evaluator()->margins(split, jobs[0].theta, {}, 1.0, expected);
  EXPECT_EQ(again.value, jobs[0].summary.last_metric);
  EXPECT_EQ(jobs[0].per_sample, expected);
  EXPECT_TRUE(jobs[1].per_sample.empty());
}

TEST(NetworkTraining, KeepsTheLossesOfTheLookThatReachedTheTarget) {
  std::vector<Case> all = cases();
  Case& task = all.back();
  task.options.keep_per_sample = true;
  task.options.metric = Metric::cross_entropy;
  std::vector<TrainJob> jobs = jobs_of(task, 2);
  jobs[0].targets = {0.5};
  jobs[1].targets = {-1.0};  // out of reach
  train_on(task, jobs, 1);
  ASSERT_EQ(jobs[0].summary.termination, Termination::reached);
  std::vector<float> expected(task.objective->samples(task.options.split));
  const Evaluation again = task.objective->evaluator()->sample_losses(
      task.options.split, Metric::cross_entropy, jobs[0].theta, {}, expected);
  EXPECT_EQ(again.value, jobs[0].summary.last_metric);
  EXPECT_EQ(jobs[0].per_sample, expected);
  EXPECT_TRUE(jobs[1].per_sample.empty());
}

TEST(NetworkTraining, LooksAtDifficultSamplesFirstAndEndsAtTheSameStep) {
  std::vector<Case> all = cases();
  Case& task = all.back();
  task.options.optimizer = Adam{.learning_rate = 0.0003};
  task.options.check_every = 1;
  std::vector<TrainJob> first = jobs_of(task, 3);
  std::vector<TrainJob> reference = jobs_of(task, 3);
  Workers workers(1);
  Evaluators evaluators(*task.objective, workers);
  train(evaluators, first, task.options);
  const testing::PlainObjective plain(*task.objective);
  Evaluators plain_evaluators(plain, workers);
  train(plain_evaluators, reference, task.options);
  TrainOptions keeping = task.options;
  keeping.keep_per_sample = true;
  EXPECT_THROW(train(plain_evaluators, reference, keeping), UsageError);
  for (std::size_t i = 0; i < first.size(); ++i) {
    ASSERT_EQ(first[i].summary.termination, Termination::reached);
    EXPECT_GT(first[i].summary.steps, 5U);
    EXPECT_EQ(first[i].theta, reference[i].theta);
    EXPECT_EQ(first[i].summary.steps, reference[i].summary.steps);
    EXPECT_EQ(first[i].summary.last_metric, reference[i].summary.last_metric);
    EXPECT_LT(first[i].summary.forward_samples, reference[i].summary.forward_samples);
  }
}

}  // namespace
}  // namespace isthmus
