// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "isthmus/train/train.h"
#include "support/fake_objective.h"

namespace isthmus {
namespace {

// Of 1,000 samples in no order, a share of 0.9 - 0.1 k is misread after 64 k steps: at each of them
// theta moves by -1.
fake::FakeOptions falling_rate() {
  fake::FakeOptions options{.surface = fake::two_weights([](double x, double, double* dx, double*) {
                              *dx = 1.0;
                              return x;
                            }),
                            .metric = Metric::error_rate,
                            .samples = 1000};
  options.margin = [](std::span<const float> theta, std::size_t i) {
    const std::size_t shuffled = i * 387 % 1000;
    return static_cast<float>(static_cast<double>(shuffled) + 0.5 - 900.0 -
                              100.0 * static_cast<double>(theta[0]) / 64.0);
  };
  return options;
}

// What the looks after every 64 steps tell while `job` trains.
std::vector<TrainProgress> told_by(const fake::FakeOptions& fake_options,
                                   std::size_t steps,
                                   double target,
                                   TrainJob& job) {
  const fake::FakeObjective objective(fake_options);
  Workers workers(1);
  Evaluators evaluators(objective, workers);
  TrainOptions options{.optimizer = Sgd{.learning_rate = 1.0}, .metric = Metric::error_rate};
  options.check_every = 64;
  options.max_steps = steps;
  job.theta = {0.0F, 0.0F};
  job.targets = {target};
  std::vector<TrainProgress> told;
  train(evaluators, {&job, 1}, options, nullptr, [&](const TrainProgress& news) {
    told.push_back(news);
  });
  return told;
}

TEST(Looks, TellAnEstimateFromTheSamplesThatWereLookedAt) {
  TrainJob job;
  const std::vector<TrainProgress> told = told_by(falling_rate(), 448, 0.02, job);
  ASSERT_EQ(told.size(), 8U);
  for (const TrainProgress& news : told) {
    const double rate = 0.9 - 0.1 * static_cast<double>(news.steps) / 64.0;
    // About 30 samples are enough to miss 2 %; their share of misread ones is not far from that of
    // all.
    EXPECT_NEAR(news.metric, rate, 0.1) << news.steps;
  }
  EXPECT_EQ(told.back().metric, 0.2) << "the last look of a budget is at all samples";
  EXPECT_LT(job.summary.forward_samples, 1000U + 7U * 300U) << "no other one is";
}

// Of 1,000 samples three in ten are misread at every look, others each time.
TEST(Looks, TellARateThatIsNotTheTargetWhereSamplesChangePlaces) {
  fake::FakeOptions fake_options = falling_rate();
  fake_options.margin = [](std::span<const float> theta, std::size_t i) {
    const auto look = static_cast<std::size_t>(std::lround(-theta[0])) / 64;
    const std::size_t shuffled = (i * 387 + look * 371) % 1000;
    return shuffled < 300 ? -1.0F - static_cast<float>(shuffled) : static_cast<float>(shuffled);
  };
  TrainJob job;
  const std::vector<TrainProgress> told = told_by(fake_options, 640, 0.15, job);
  ASSERT_EQ(told.size(), 11U);
  double sum = 0.0;
  for (const TrainProgress& news : told) {
    EXPECT_GT(news.metric, 0.18) << news.steps;
    sum += news.metric;
  }
  EXPECT_NEAR(sum / 11.0, 0.3, 0.03);
}

}  // namespace
}  // namespace isthmus
