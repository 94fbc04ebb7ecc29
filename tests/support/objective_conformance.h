// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "isthmus/objective/objective.h"

namespace isthmus::testing {

inline std::vector<float> starting_points(const Objective& objective, std::size_t count) {
  const std::size_t dimension = objective.dimension();
  std::vector<float> thetas(count * dimension);
  for (std::size_t i = 0; i < count; ++i) {
    objective.initialise(17, i, std::span(thetas).subspan(i * dimension, dimension));
  }
  return thetas;
}

inline void expect_equal_bits(double a, double b) {
  if (!(std::isnan(a) && std::isnan(b))) {
    EXPECT_EQ(a, b);
  }
}

/// Metrics of many thetas are those of each alone, by any way of asking, and the same again.
inline void expect_consistent_metrics(const Objective& objective, Metric metric, Split split) {
  const std::size_t dimension = objective.dimension();
  const std::size_t count = 9;
  const std::vector<float> thetas = starting_points(objective, count);
  const auto evaluator = objective.evaluator();
  std::vector<double> together(count);
  evaluator->metrics(split, metric, thetas, together);
  std::vector<double> again(count);
  objective.evaluator()->metrics(split, metric, thetas, again);
  for (std::size_t i = 0; i < count; ++i) {
    const auto theta = std::span(thetas).subspan(i * dimension, dimension);
    expect_equal_bits(again[i], together[i]);
    double alone = 0.0;
    evaluator->metrics(split, metric, theta, std::span(&alone, 1));
    expect_equal_bits(alone, together[i]);
    // A bound that is met is never exceeded: the pass is complete.
    const Evaluation whole = evaluator->metric_unless_above(split, metric, theta, together[i]);
    EXPECT_TRUE(whole.complete);
    EXPECT_EQ(whole.samples, objective.samples(split));
    expect_equal_bits(whole.value, together[i]);
  }
}

/// A stop before the end of a pass tells a value above the bound that the whole pass confirms.
inline void expect_valid_early_stops(const Objective& objective, Metric metric, Split split) {
  const std::vector<float> theta = starting_points(objective, 1);
  const auto evaluator = objective.evaluator();
  double full = 0.0;
  evaluator->metrics(split, metric, theta, std::span(&full, 1));
  for (const double fraction : {0.0, 0.1, 0.5, 0.9, 0.999, 1.0, 1.5}) {
    const double bound = full * fraction;
    const Evaluation evaluation = evaluator->metric_unless_above(split, metric, theta, bound);
    EXPECT_LE(evaluation.value, full);
    EXPECT_EQ(evaluation.value > bound, full > bound);
    EXPECT_EQ(evaluation.complete, evaluation.samples == objective.samples(split));
    if (evaluation.complete) {
      EXPECT_EQ(evaluation.value, full);
    } else {
      EXPECT_GT(evaluation.value, bound);
    }
  }
}

/// Margins tell the error rate, of a whole pass bit for bit; those of some samples are the same to
/// rounding, in any order, and a pass ends early as an error rate's does.
inline void expect_valid_margins(const Objective& objective, Split split) {
  const std::size_t samples = objective.samples(split);
  const std::vector<float> theta = starting_points(objective, 1);
  const auto evaluator = objective.evaluator();
  const double never = std::numeric_limits<double>::infinity();
  std::vector<float> all(samples);
  const Evaluation whole = evaluator->margins(split, theta, {}, never, all);
  double rate = 0.0;
  evaluator->metrics(split, Metric::error_rate, theta, std::span(&rate, 1));
  EXPECT_EQ(whole.value, rate);
  EXPECT_TRUE(whole.complete);
  EXPECT_EQ(whole.samples, samples);
  const auto is_wrong = [&](std::uint32_t i) { return !(all[i] > 0.0F); };
  for (const std::size_t count : {std::size_t{1}, std::size_t{15}, std::size_t{70}, samples}) {
    std::vector<std::uint32_t> some;
    for (std::size_t i = 0; i < std::min(count, samples); ++i) {
      some.push_back(static_cast<std::uint32_t>((samples - 1 - i) * 7 % samples));
    }
    std::vector<float> found(some.size());
    const Evaluation part = evaluator->margins(split, theta, some, never, found);
    EXPECT_TRUE(part.complete);
    EXPECT_GE(part.samples, some.size());
    EXPECT_EQ(
        part.value,
        static_cast<double>(std::ranges::count_if(some, is_wrong)) / static_cast<double>(samples));
    for (std::size_t i = 0; i < some.size(); ++i) {
      EXPECT_NEAR(found[i], all[some[i]], 1e-5F * (1.0F + std::abs(all[some[i]]))) << some[i];
    }
  }
  std::vector<float> early(samples);
  const Evaluation stopped = evaluator->margins(split, theta, {}, 0.5 * rate, early);
  const Evaluation expected =
      evaluator->metric_unless_above(split, Metric::error_rate, theta, 0.5 * rate);
  EXPECT_EQ(stopped.samples, expected.samples);
  EXPECT_EQ(stopped.value, expected.value);
  EXPECT_EQ(stopped.complete, expected.complete);
}

/// Batches are the same for the same stream and others for another one, unless they are constant;
/// losses and gradients of many thetas are those of each alone.
inline void expect_consistent_training(const Objective& objective, std::size_t batch_size) {
  const std::size_t dimension = objective.dimension();
  const std::size_t count = 5;
  const std::vector<float> thetas = starting_points(objective, count);
  const auto evaluator = objective.evaluator();
  const auto first = objective.batches(1, 2, batch_size);
  const auto second = objective.batches(1, 2, batch_size);
  EXPECT_EQ(first->constant(), batch_size == 0);
  std::vector<double> losses(count);
  std::vector<float> gradients(count * dimension);
  for (int step = 0; step < 7; ++step) {
    const BatchView batch = first->next();
    EXPECT_EQ(batch.count, batch_size == 0 ? batch.count : batch_size);
    evaluator->losses_and_gradients(thetas, batch, nullptr, losses, gradients);
    const BatchView same = second->next();
    for (std::size_t i = 0; i < count; ++i) {
      const auto theta = std::span(thetas).subspan(i * dimension, dimension);
      double loss = 0.0;
      std::vector<float> gradient(dimension);
      evaluator->losses_and_gradients(theta, same, nullptr, std::span(&loss, 1), gradient);
      EXPECT_EQ(loss, losses[i]);
      const auto expected = std::span(gradients).subspan(i * dimension, dimension);
      EXPECT_TRUE(std::ranges::equal(gradient, expected));
    }
  }
}

/// Where a training loss is said to be a metric, the two agree to rounding.
inline void expect_true_claims(const Objective& objective) {
  const std::vector<float> theta = starting_points(objective, 1);
  const auto evaluator = objective.evaluator();
  const auto source = objective.batches(1, 2, 0);
  std::vector<float> gradient(objective.dimension());
  double loss = 0.0;
  evaluator->losses_and_gradients(theta, source->next(), nullptr, std::span(&loss, 1), gradient);
  for (const Split split : {Split::train, Split::test}) {
    for (const Metric metric : {Metric::mean_absolute_error,
                                Metric::mean_squared_error,
                                Metric::cross_entropy,
                                Metric::error_rate,
                                Metric::perplexity}) {
      if (objective.training_loss_is(metric, split)) {
        ASSERT_TRUE(objective.supports(metric));
        double value = 0.0;
        evaluator->metrics(split, metric, theta, std::span(&value, 1));
        EXPECT_NEAR(value, loss, 1e-5 * std::abs(loss));
      }
    }
  }
}

/// The losses of samples make the metric, and those of some are those of all.
inline void expect_valid_losses(const Objective& objective, Metric metric, Split split) {
  const auto evaluator = objective.evaluator();
  const std::size_t samples = objective.samples(split);
  std::vector<float> theta(objective.dimension());
  objective.initialise(5, 6, theta);
  std::vector<float> all(samples);
  const Evaluation whole = evaluator->sample_losses(split, metric, theta, {}, all);
  EXPECT_EQ(whole.samples, samples);
  double value = 0.0;
  evaluator->metrics(split, metric, theta, std::span(&value, 1));
  EXPECT_NEAR(whole.value, value, 1e-6 * std::abs(value));
  double sum = 0.0;
  for (const float loss : all) {
    sum += static_cast<double>(loss);
  }
  const double mean = sum / static_cast<double>(samples);
  EXPECT_NEAR(evaluator->metric_of_mean(metric, theta, mean), value, 1e-6 * std::abs(value));
  std::vector<std::uint32_t> some;
  for (std::size_t i = samples; i-- > 0;) {
    if (i % 3 == 0) {
      some.push_back(static_cast<std::uint32_t>(i));
    }
  }
  std::vector<float> found(some.size());
  EXPECT_GE(evaluator->sample_losses(split, metric, theta, some, found).samples, some.size());
  for (std::size_t i = 0; i < some.size(); ++i) {
    EXPECT_NEAR(found[i], all[some[i]], 1e-5F * (1.0F + std::abs(all[some[i]]))) << some[i];
  }
}

/// Everything above, for every metric that the objective supports.
inline void expect_conformance(const Objective& objective, std::size_t batch_size) {
  EXPECT_EQ(objective.dimension(), objective.layout().dimension());
  for (const Metric metric : {Metric::mean_absolute_error,
                              Metric::mean_squared_error,
                              Metric::cross_entropy,
                              Metric::error_rate,
                              Metric::perplexity}) {
    if (objective.supports(metric)) {
      SCOPED_TRACE(name_of(metric));
      for (const Split split : {Split::train, Split::test}) {
        expect_consistent_metrics(objective, metric, split);
        expect_valid_early_stops(objective, metric, split);
        if (metric != Metric::error_rate && objective.has_sample_losses(metric)) {
          expect_valid_losses(objective, metric, split);
        }
      }
    }
  }
  if (objective.has_margins()) {
    for (const Split split : {Split::train, Split::test}) {
      expect_valid_margins(objective, split);
    }
  }
  expect_consistent_training(objective, 0);
  if (batch_size > 0) {
    expect_consistent_training(objective, batch_size);
  }
  expect_true_claims(objective);
}

}  // namespace isthmus::testing
