// SPDX-License-Identifier: MIT
#include "isthmus/objective/network_objective.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <string>

#include "isthmus/core/error.h"
#include "isthmus/data/generated.h"
#include "isthmus/objective/batches.h"
#include "isthmus/objective/gradient_check.h"
#include "support/objective_conformance.h"

namespace isthmus {
namespace {

Network polynomial_network() {
  Linear hidden{.out_features = 4};
  const Activation sigmoid{Activation::Kind::sigmoid};
  return {.input = {1}, .layers = {hidden, sigmoid, hidden, sigmoid, Linear{.out_features = 1}}};
}

NetworkObjectiveOptions oracle(std::size_t points = 256) {
  auto data = std::make_shared<Dataset>();
  data->name = "quadratic";
  data->train = midpoint_samples(Polynomial::quadratic, points);
  data->test = data->train;
  NetworkObjectiveOptions options;
  options.network = polynomial_network();
  options.data = data;
  options.loss = Loss::absolute;
  return options;
}

NetworkObjectiveOptions empirical() {
  NetworkObjectiveOptions options = oracle();
  auto data = std::make_shared<Dataset>(*options.data);
  data->test = random_samples(Polynomial::quadratic, 1000, 3, 4);
  options.data = data;
  options.draw_training_set = [](std::uint64_t seed, std::uint64_t stream) {
    return random_samples(Polynomial::quadratic, 300, seed, stream);
  };
  return options;
}

// Bytes and labels: points of a 3 x 3 image, whose class is the brightest column.
Samples images(std::size_t count, std::uint64_t stream) {
  Rng rng(23, stream);
  Samples samples;
  samples.count = count;
  samples.input_shape = {1, 3, 3};
  for (std::size_t i = 0; i < count; ++i) {
    const auto label = static_cast<std::int32_t>(rng.below(3));
    samples.labels.push_back(label);
    for (std::int32_t pixel = 0; pixel < 9; ++pixel) {
      const std::uint64_t base = pixel % 3 == label ? 100 : 0;
      samples.bytes.push_back(static_cast<std::uint8_t>(base + rng.below(156)));
    }
  }
  return samples;
}

NetworkObjectiveOptions classification(Network network) {
  auto data = std::make_shared<Dataset>();
  data->name = "columns";
  data->classes = 3;
  data->train = images(700, 1);
  data->test = images(500, 2);
  NetworkObjectiveOptions options;
  options.network = std::move(network);
  options.data = data;
  options.loss = Loss::cross_entropy;
  return options;
}

Network small_classifier() {
  return {.input = {1, 3, 3},
          .layers = {Flatten{},
                     Linear{.out_features = 8},
                     Activation{Activation::Kind::tanh},
                     Linear{.out_features = 3}}};
}

// Too wide for the population engine: evaluated in blocks by the other one.
Network wide_classifier() {
  return {.input = {1, 3, 3},
          .layers = {Conv2d{.out_channels = 8, .kernel = 3, .padding = Padding::same},
                     Activation{Activation::Kind::relu},
                     Flatten{},
                     Linear{.out_features = 3}}};
}

Network with_dropout() {
  Network network = wide_classifier();
  network.layers.insert(network.layers.begin() + 2, Dropout{});
  return network;
}

TEST(NetworkObjective, ConformsWithGeneratedTasks) {
  testing::expect_conformance(*make_network_objective(oracle()), 32);
  testing::expect_conformance(*make_network_objective(empirical()), 50);
}

TEST(NetworkObjective, ConformsWithImages) {
  testing::expect_conformance(*make_network_objective(classification(small_classifier())), 64);
  testing::expect_conformance(*make_network_objective(classification(wide_classifier())), 64);
}

TEST(NetworkObjective, AgreesWithTheReference) {
  for (const Network& network : {small_classifier(), wide_classifier()}) {
    const auto options = classification(network);
    const auto objective = make_network_objective(options);
    const std::vector<float> theta = testing::starting_points(*objective, 1);
    const std::vector<double> exact(theta.begin(), theta.end());
    SampleBlock block;
    const Samples& test = options.data->test;
    const BatchView all = block.range(test, 0, test.count);
    const auto evaluator = objective->evaluator();
    double value = 0.0;
    evaluator->metrics(Split::test, Metric::cross_entropy, theta, std::span(&value, 1));
    const double expected = reference_loss(network, exact, all, Loss::cross_entropy);
    EXPECT_NEAR(value, expected, 1e-5 * expected);
    evaluator->metrics(Split::test, Metric::perplexity, theta, std::span(&value, 1));
    EXPECT_NEAR(value, std::exp(expected), 1e-4);

    std::vector<double> logits(test.count * 3);
    reference_forward(network, exact, all, logits);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < test.count; ++i) {
      const auto row = logits.begin() + static_cast<std::ptrdiff_t>(3 * i);
      const auto arg_max = std::max_element(row, row + 3) - row;
      wrong += arg_max == test.labels[i] ? 0 : 1;
    }
    evaluator->metrics(Split::test, Metric::error_rate, theta, std::span(&value, 1));
    EXPECT_DOUBLE_EQ(value, static_cast<double>(wrong) / static_cast<double>(test.count));
  }
}

TEST(NetworkObjective, CountsTiesAndNanAsWrong) {
  const auto objective = make_network_objective(classification(small_classifier()));
  const auto evaluator = objective->evaluator();
  std::vector<float> theta(objective->dimension());  // all logits are 0
  double value = 0.0;
  evaluator->metrics(Split::test, Metric::error_rate, theta, std::span(&value, 1));
  EXPECT_EQ(value, 1.0);
  theta.back() = std::numeric_limits<float>::quiet_NaN();
  evaluator->metrics(Split::test, Metric::error_rate, theta, std::span(&value, 1));
  EXPECT_EQ(value, 1.0);
  std::vector<float> margins(500);
  EXPECT_EQ(evaluator->margins(Split::test, theta, {}, 1.0, margins).value, 1.0);
  EXPECT_TRUE(std::ranges::any_of(margins, [](float margin) { return std::isnan(margin); }));
  evaluator->metrics(Split::test, Metric::cross_entropy, theta, std::span(&value, 1));
  EXPECT_TRUE(std::isnan(value));
}

TEST(NetworkObjective, StopsAPassOnceTheErrorRateIsKnownToExceedTheBound) {
  NetworkObjectiveOptions options = classification(wide_classifier());
  const auto plain = make_network_objective(options);
  // A constant classifier: only the bias of class 0 is not zero.
  std::vector<float> theta(plain->dimension());
  theta[theta.size() - 3] = 1.0F;
  const auto& labels = options.data->test.labels;
  const auto others = std::count_if(labels.begin(), labels.end(), [](auto l) { return l != 0; });
  const double rate = static_cast<double>(others) / static_cast<double>(labels.size());
  // Wrong samples first: the first block decides any bound below its share.
  options.test_order.resize(labels.size());
  std::iota(options.test_order.begin(), options.test_order.end(), 0U);
  std::stable_partition(
      options.test_order.begin(), options.test_order.end(), [&](auto i) { return labels[i] != 0; });
  const auto sorted = make_network_objective(options);
  for (const auto* objective : {plain.get(), sorted.get()}) {
    double value = 0.0;
    objective->evaluator()->metrics(Split::test, Metric::error_rate, theta, std::span(&value, 1));
    EXPECT_DOUBLE_EQ(value, rate);
  }
  const double bound = 0.2;
  const auto early =
      sorted->evaluator()->metric_unless_above(Split::test, Metric::error_rate, theta, bound);
  EXPECT_FALSE(early.complete);
  EXPECT_EQ(early.samples, 128U);
  EXPECT_DOUBLE_EQ(early.value, 128.0 / 500.0);
  const auto late =
      plain->evaluator()->metric_unless_above(Split::test, Metric::error_rate, theta, bound);
  EXPECT_GT(late.samples, early.samples);
  EXPECT_GT(late.value, bound);
}

TEST(NetworkObjective, SharesOneBatchAmongOracleRuns) {
  const auto objective = make_network_objective(oracle());
  const BatchView a = objective->batches(1, 1, 0)->next();
  const BatchView b = objective->batches(2, 2, 0)->next();
  EXPECT_EQ(a.inputs, b.inputs);
  EXPECT_EQ(a.count, 256U);
  EXPECT_TRUE(objective->training_loss_is(Metric::mean_absolute_error, Split::train));
  EXPECT_TRUE(objective->training_loss_is(Metric::mean_absolute_error, Split::test));
  EXPECT_FALSE(objective->training_loss_is(Metric::mean_squared_error, Split::test));
}

TEST(NetworkObjective, DrawsATrainingSetForEachEmpiricalRun) {
  const auto objective = make_network_objective(empirical());
  const auto inputs = [&](std::uint64_t seed, std::uint64_t stream) {
    const auto source = objective->batches(seed, stream, 0);
    const BatchView batch = source->next();
    EXPECT_EQ(batch.count, 300U);
    return std::vector<float>(batch.inputs, batch.inputs + batch.count);
  };
  EXPECT_EQ(inputs(1, 1), inputs(1, 1));
  EXPECT_NE(inputs(1, 1), inputs(1, 2));
  EXPECT_NE(inputs(1, 1), inputs(2, 1));
  EXPECT_FALSE(objective->training_loss_is(Metric::mean_absolute_error, Split::train));
  EXPECT_EQ(objective->samples(Split::test), 1000U);
}

TEST(NetworkObjective, SharesOneFloatCopyOfBytesForFullBatches) {
  const auto objective = make_network_objective(classification(small_classifier()));
  const auto first = objective->batches(1, 1, 0);
  const auto second = objective->batches(1, 2, 0);
  EXPECT_EQ(first->next().inputs, second->next().inputs);
  EXPECT_EQ(first->next().count, 700U);
  EXPECT_TRUE(objective->training_loss_is(Metric::cross_entropy, Split::train));
  EXPECT_FALSE(objective->training_loss_is(Metric::cross_entropy, Split::test));
}

TEST(NetworkObjective, DoesNotTakeALossWithDropoutForAMetric) {
  const auto objective = make_network_objective(classification(with_dropout()));
  EXPECT_FALSE(objective->training_loss_is(Metric::cross_entropy, Split::train));
}

TEST(Epochs, VisitEverySampleOnceInANewOrder) {
  auto samples = std::make_shared<Samples>(images(10, 5));
  for (std::size_t i = 0; i < 10; ++i) {
    samples->bytes[9 * i] = static_cast<std::uint8_t>(i);  // its name
  }
  const auto source = make_epochs(samples, 3, 1, 2);
  std::set<std::vector<int>> orders;
  for (int epoch = 0; epoch < 20; ++epoch) {
    std::vector<int> order;
    for (int step = 0; step < 3; ++step) {
      const BatchView batch = source->next();
      for (std::size_t i = 0; i < batch.count; ++i) {
        const int name = static_cast<int>(std::lround(batch.inputs[9 * i] * 255.0F));
        EXPECT_EQ(batch.labels[i], samples->labels[static_cast<std::size_t>(name)]);
        order.push_back(name);
      }
    }
    EXPECT_EQ(std::set<int>(order.begin(), order.end()).size(), 9U);
    orders.insert(order);
  }
  EXPECT_GT(orders.size(), 15U);
}

TEST(SampleBlock, TurnsBytesIntoTheFloatsOfTheDataset) {
  const Samples samples = images(20, 6);
  SampleBlock block;
  const BatchView range = block.range(samples, 5, 7);
  std::vector<float> expected(9);
  for (std::size_t i = 0; i < 7; ++i) {
    samples.copy_input(5 + i, expected.data());
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), range.inputs + 9 * i));
  }
  SampleBlock other;
  const std::vector<std::uint32_t> indices{3, 3, 19};
  const BatchView gathered = other.gather(samples, indices);
  samples.copy_input(19, expected.data());
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), gathered.inputs + 18));
  EXPECT_EQ(gathered.labels[2], samples.labels[19]);
}

TEST(GradientCheck, PassesTheEngines) {
  Rng rng(3);
  for (const auto& options : {oracle(32),
                              classification(small_classifier()),
                              classification(wide_classifier()),
                              classification(with_dropout())}) {
    std::vector<float> theta(layout_of(options.network).dimension());
    initialise(options.network, rng, theta);
    SampleBlock block;
    const BatchView batch = block.range(options.data->train, 0, 32);
    const GradientCheck check = check_gradient(options.network, options.loss, batch, theta);
    EXPECT_TRUE(check.passed);
    for (const TensorCheck& tensor : check.tensors) {
      EXPECT_EQ(tensor.failed, 0U) << tensor.name << " " << tensor.worst_error;
    }
  }
}

std::string refusal(const NetworkObjectiveOptions& options) {
  try {
    make_network_objective(options);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

template <typename Change>
std::string refusal_after(NetworkObjectiveOptions options, const Change& change) {
  auto data = std::make_shared<Dataset>(*options.data);
  change(*data);
  options.data = data;
  return refusal(options);
}

TEST(NetworkObjective, RefusesDataThatDoesNotFit) {
  NetworkObjectiveOptions options = classification(small_classifier());
  options.data = nullptr;
  EXPECT_EQ(refusal(options), "data: expected a data set, got none");
  options = classification(small_classifier());
  EXPECT_EQ(refusal_after(options, [](Dataset& data) { data.test = {}; }),
            "data set columns, test: expected at least one sample, got none");
  EXPECT_EQ(refusal_after(options, [](Dataset& data) { data.train.labels[7] = 3; }),
            "data set columns, train: expected labels in [0, 3) (the network's outputs), got 3");
  EXPECT_EQ(refusal_after(options, [](Dataset& data) { data.train.labels.clear(); }),
            "data set columns, train: expected a label for each of 700 samples, got 0 (for real "
            "targets, choose the loss absolute or squared)");
  options.network.input = {10};
  EXPECT_EQ(refusal(options),
            "data set columns, train: expected 10 numbers in each sample (the network's input), "
            "got 9");
  options = classification(small_classifier());
  options.loss = Loss::squared;
  EXPECT_EQ(refusal(options),
            "data set columns, train: the loss squared needs 3 targets for each sample (the "
            "network's outputs), got 0");
  options = classification(small_classifier());
  options.test_order = {0, 1, 1};
  EXPECT_EQ(refusal(options),
            "test_order: expected every index of the 500 test samples once, got another list of 3");
}

TEST(NetworkObjective, RefusesABatchLargerThanItsData) {
  const auto objective = make_network_objective(oracle(16));
  EXPECT_THROW(objective->batches(1, 1, 17), UsageError);
  EXPECT_NO_THROW(objective->batches(1, 1, 16));
}

TEST(NetworkObjective, DrawsItsStart) {
  const auto objective = make_network_objective(oracle());
  std::vector<float> a(objective->dimension());
  std::vector<float> b(objective->dimension());
  objective->initialise(1, 2, a);
  objective->initialise(1, 2, b);
  EXPECT_EQ(a, b);
  objective->initialise(1, 3, b);
  EXPECT_NE(a, b);
}

}  // namespace
}  // namespace isthmus
