// SPDX-License-Identifier: MIT
// An objective as another program would write it: its samples are its own business, batches say
// which of them are asked for, and its metrics have names of their own.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/objective/gradient_check.h"
#include "isthmus/objective/index_batches.h"
#include "isthmus/objective/network_objective.h"
#include "isthmus/strings/greedy.h"
#include "support/objective_conformance.h"

namespace isthmus {
namespace {

constexpr std::size_t samples_of_circle = 48;
constexpr Metric loss_metric = own_metric(0);
constexpr Metric worst_metric = own_metric(1);

// Sample i asks for u_i (x^2 + y^2 - 1) = 0 with its own weight u_i: minima are the unit circle.
double weight_of(std::size_t i) {
  return 0.5 + static_cast<double>(i % 7) / 6.0;
}

class CircleEvaluator final : public Evaluator {
 public:
  void metrics(Split,
               Metric metric,
               std::span<const float> thetas,
               std::span<double> values) override {
    for (std::size_t b = 0; b < values.size(); ++b) {
      const double excess = excess_at(thetas.data() + 2 * b);
      double sum = 0.0;
      double worst = 0.0;
      for (std::size_t i = 0; i < samples_of_circle; ++i) {
        const double loss = weight_of(i) * excess * excess;
        sum += loss;
        worst = std::max(worst, loss);
      }
      values[b] = metric == loss_metric ? sum / samples_of_circle : worst;
    }
  }

  Evaluation metric_unless_above(Split split,
                                 Metric metric,
                                 std::span<const float> theta,
                                 double) override {
    Evaluation evaluation{.samples = samples_of_circle};
    metrics(split, metric, theta, {&evaluation.value, 1});
    return evaluation;
  }

  void losses_and_gradients(std::span<const float> thetas,
                            const BatchView& batch,
                            Rng*,
                            std::span<double> losses,
                            std::span<float> gradients) override {
    for (std::size_t b = 0; b < losses.size(); ++b) {
      const float* theta = thetas.data() + 2 * b;
      double weight = 0.0;
      for (std::size_t i = 0; i < batch.count; ++i) {
        weight +=
            weight_of(batch.indices ? batch.indices[i] : i) / static_cast<double>(batch.count);
      }
      const double excess = excess_at(theta);
      losses[b] = weight * excess * excess;
      for (std::size_t j = 0; j < 2; ++j) {
        gradients[2 * b + j] = static_cast<float>(4.0 * weight * excess * double(theta[j]));
      }
    }
  }

  std::size_t preferred_population(std::size_t) const override { return 1; }

 private:
  static double excess_at(const float* theta) {
    return double(theta[0]) * double(theta[0]) + double(theta[1]) * double(theta[1]) - 1.0;
  }
};

class Circle final : public Objective {
 public:
  Circle() { layout_.add("theta", {2}, Role::weight); }
  const Layout& layout() const override { return layout_; }
  std::size_t samples(Split) const override { return samples_of_circle; }
  Loss loss() const override { return Loss::squared; }
  Metric loss_metric() const override { return isthmus::loss_metric; }
  bool supports(Metric metric) const override {
    return metric == isthmus::loss_metric || metric == worst_metric;
  }
  std::vector<std::string> own_metrics() const override { return {"loss", "worst_sample"}; }
  std::unique_ptr<Evaluator> evaluator() const override {
    return std::make_unique<CircleEvaluator>();
  }
  std::unique_ptr<BatchSource> batches(std::uint64_t seed,
                                       std::uint64_t stream,
                                       std::size_t batch_size) const override {
    return make_index_batches(samples_of_circle, batch_size, seed, stream);
  }
  bool training_loss_is(Metric, Split) const override { return false; }
  void initialise(std::uint64_t seed, std::uint64_t stream, std::span<float> theta) const override {
    Rng rng(seed, stream);
    std::ranges::generate(theta, [&] { return static_cast<float>(rng.uniform(-1.0, 1.0)); });
  }

 private:
  Layout layout_;
};

GreedyOptions options_of(Metric metric, double threshold) {
  GreedyOptions options;
  options.threshold = threshold;
  options.grid.metric = options.training.metric = metric;
  options.training.optimizer = Adam{.learning_rate = 0.01};
  options.training.batch_size = 16;
  return options;
}

TEST(ForeignObjective, Conforms) {
  const Circle circle;
  testing::expect_conformance(circle, 16);
  EXPECT_TRUE(check_gradient(circle, std::vector<float>{0.3F, 0.4F}).passed);
}

TEST(ForeignObjective, IsConnectedByAMetricOfItsOwnOnBatchesOfIndices) {
  const Circle circle;
  const std::vector<float> a{1.0F, 0.0F};
  const std::vector<float> b{-0.5F, 0.8660254F};
  std::vector<float> beads[2];
  for (const std::size_t threads : {1U, 2U}) {
    Workers workers(threads);
    Evaluators evaluators(circle, workers);
    const StringSummary string = connect_greedy(evaluators, a, b, options_of(worst_metric, 0.05));
    EXPECT_EQ(string.verdict, Verdict::connected);
    EXPECT_GT(string.beads_inserted, 0U);
    beads[threads - 1] = string.path.beads;
  }
  EXPECT_EQ(beads[0], beads[1]);
}

TEST(ForeignObjective, IsNamedInSentencesAndRefusals) {
  const Circle circle;
  Workers workers(1);
  Evaluators evaluators(circle, workers);
  const StringSummary string = connect_greedy(evaluators,
                                              std::vector<float>{1.0F, 0.0F},
                                              std::vector<float>{0.1F, 0.0F},
                                              options_of(worst_metric, 0.01));
  EXPECT_NE(sentence(string.ending).find("have worst_sample 0 and 1.47"), std::string::npos)
      << sentence(string.ending);
  EXPECT_EQ(circle.metric_named("worst_sample"), worst_metric);
  EXPECT_EQ(circle.metric_name(worst_metric), "worst_sample");
  try {
    circle.metric_named("perplexity");
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_STREQ(error.what(), "metric: expected loss or worst_sample, got 'perplexity'");
  }
}

TEST(IndexBatches, AreRefusedWhereABatchIsLargerThanAnEpoch) {
  EXPECT_THROW(make_index_batches(10, 11, 1, 1), UsageError);
  EXPECT_TRUE(make_index_batches(10, 0, 1, 1)->constant());
  EXPECT_EQ(make_index_batches(10, 0, 1, 1)->next().count, 10U);
}

// Each sample's only feature is its index.
TEST(IndexBatches, HaveTheOrderOfBatchesWithData) {
  Dataset data;
  data.name = "indices";
  data.train.count = 37;
  data.train.input_shape = {1};
  for (std::size_t i = 0; i < data.train.count; ++i) {
    data.train.values.push_back(static_cast<float>(i));
    data.train.targets.push_back(0.0F);
  }
  data.test = data.train;
  const auto objective = make_network_objective(
      {.network = Network{.input = {1}, .layers = {Linear{.out_features = 1}}},
       .data = std::make_shared<const Dataset>(data),
       .loss = Loss::squared});
  const auto with_data = objective->batches(5, 6, 8);
  const auto without = make_index_batches(37, 8, 5, 6);
  for (int step = 0; step < 11; ++step) {
    const BatchView expected = with_data->next();
    const BatchView batch = without->next();
    ASSERT_EQ(batch.count, expected.count);
    for (std::size_t i = 0; i < batch.count; ++i) {
      EXPECT_EQ(static_cast<float>(batch.indices[i]), expected.inputs[i]);
      EXPECT_EQ(batch.indices[i], expected.indices[i]);
    }
  }
}

}  // namespace
}  // namespace isthmus
