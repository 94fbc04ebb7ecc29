// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"
#include "isthmus/net/engine.h"

namespace isthmus {
namespace {

constexpr auto relu = Activation{Activation::Kind::relu};
constexpr auto nan = std::numeric_limits<float>::quiet_NaN();

// A convnet of the shape of the paper's, small.
Network convnet(double dropout = 0.0) {
  Network network{.input = {1, 12, 12},
                  .layers = {Conv2d{.out_channels = 6, .kernel = 5, .padding = Padding::same},
                             relu,
                             Pool2d{},
                             Conv2d{.out_channels = 20, .kernel = 3, .padding = Padding::same},
                             relu,
                             Pool2d{},
                             Flatten{},
                             Linear{.out_features = 30},
                             relu}};
  if (dropout > 0.0) {
    network.layers.emplace_back(Dropout{dropout});
  }
  network.layers.emplace_back(Linear{.out_features = 10});
  return network;
}

// Random samples, parameters and labels for a network.
struct Problem {
  Network network;
  std::vector<float> theta;
  std::vector<float> inputs;
  std::vector<float> targets;
  std::vector<std::int32_t> labels;
  std::size_t features = 0;
  std::size_t outputs = 0;

  Problem(const Network& described, std::size_t count, std::uint64_t seed) : network(described) {
    Rng rng(seed);
    theta.resize(layout_of(network).dimension());
    initialise(network, rng, theta);
    features = std::accumulate(
        network.input.begin(), network.input.end(), std::size_t{1}, std::multiplies<>());
    outputs = output_size(network);
    inputs.resize(count * features);
    targets.resize(count * outputs);
    for (auto* values : {&inputs, &targets}) {
      std::ranges::generate(*values, [&] { return static_cast<float>(rng.normal()); });
    }
    labels.resize(count);
    std::ranges::generate(labels, [&] { return static_cast<std::int32_t>(rng.below(outputs)); });
  }

  BatchView batch(std::size_t first, std::size_t count) const {
    return {.count = count,
            .inputs = inputs.data() + first * features,
            .targets = targets.data() + first * outputs,
            .labels = labels.data() + first};
  }
  BatchView all() const { return batch(0, labels.size()); }
};

struct Result {
  double loss = 0.0;
  std::vector<float> gradient;
  bool operator==(const Result& other) const {  // bit for bit
    return loss == other.loss && std::ranges::equal(gradient, other.gradient, [](float a, float b) {
             return std::memcmp(&a, &b, sizeof a) == 0;
           });
  }
};

Result differentiate(Engine& engine,
                     const std::vector<float>& theta,
                     const BatchView& batch,
                     Loss loss = Loss::cross_entropy,
                     Rng* rng = nullptr) {
  Result result{.gradient = std::vector<float>(theta.size(), nan)};
  engine.losses_and_gradients(theta, batch, loss, rng, {&result.loss, 1}, result.gradient);
  return result;
}

double loss_of(Engine& engine, const Problem& problem, const BatchView& batch) {
  double loss = 0.0;
  engine.losses(problem.theta, batch, Loss::cross_entropy, {&loss, 1});
  return loss;
}

std::vector<float> outputs_of(Engine& engine, const Problem& problem, const BatchView& batch) {
  std::vector<float> outputs(batch.count * engine.outputs());
  engine.forward(problem.theta, batch, outputs);
  return outputs;
}

TEST(DnnEngine, KnowsItsSizes) {
  const auto engine = make_dnn_engine(convnet(), 4);
  EXPECT_EQ(engine->dimension(), layout_of(convnet()).dimension());
  EXPECT_EQ(engine->outputs(), 10U);
  EXPECT_EQ(engine->preferred_population(128), 1U);
}

TEST(DnnEngine, SplitsLargeBatches) {
  const Problem problem(convnet(), 300, 1);
  const auto engine = make_dnn_engine(problem.network, 300);
  const std::vector<float> outputs = outputs_of(*engine, problem, problem.all());
  double sum = 0.0;
  for (std::size_t i = 0; i < 300; ++i) {
    const std::vector<float> alone = outputs_of(*engine, problem, problem.batch(i, 1));
    for (std::size_t k = 0; k < 10; ++k) {
      ASSERT_NEAR(outputs[10 * i + k], alone[k], 1e-5) << "sample " << i;
    }
    sum += loss_of(*engine, problem, problem.batch(i, 1));
  }
  EXPECT_NEAR(loss_of(*engine, problem, problem.all()), sum / 300.0, 1e-6);
}

TEST(DnnEngine, GradientIsTheMeanOverSamples) {
  const Problem problem(convnet(), 7, 2);
  const auto engine = make_dnn_engine(problem.network, 7);
  const Result together = differentiate(*engine, problem.theta, problem.all());
  std::vector<double> mean(problem.theta.size(), 0.0);
  for (std::size_t i = 0; i < 7; ++i) {
    const Result alone = differentiate(*engine, problem.theta, problem.batch(i, 1));
    for (std::size_t p = 0; p < mean.size(); ++p) {
      mean[p] += alone.gradient[p] / 7.0;
    }
  }
  for (std::size_t p = 0; p < mean.size(); ++p) {
    ASSERT_NEAR(together.gradient[p], mean[p], 1e-6) << "parameter " << p;
  }
}

// At some batch size oneDNN turns to Winograd's algorithm, where it has it.
TEST(DnnEngine, WideConvolutionsOfLargeBatchesAgreeWithThoseOfSmallOnes) {
  const Conv2d conv{.out_channels = 64, .kernel = 3, .padding = Padding::same};
  const Problem problem(
      {.input = {16, 12, 12}, .layers = {conv, relu, conv, relu, Pool2d{}, Flatten{}, Linear{10}}},
      64,
      19);
  const auto engine = make_dnn_engine(problem.network, 64);
  const Result together = differentiate(*engine, problem.theta, problem.all());
  std::vector<double> mean(problem.theta.size(), 0.0);
  double loss = 0.0;
  for (std::size_t first = 0; first < 64; first += 4) {
    const Result part = differentiate(*engine, problem.theta, problem.batch(first, 4));
    loss += part.loss / 16.0;
    for (std::size_t p = 0; p < mean.size(); ++p) {
      mean[p] += part.gradient[p] / 16.0;
    }
  }
  EXPECT_NEAR(together.loss, loss, 1e-5);
  EXPECT_NEAR(loss_of(*engine, problem, problem.all()), loss, 1e-5);
  const double largest = *std::ranges::max_element(mean);
  for (std::size_t p = 0; p < mean.size(); ++p) {
    ASSERT_NEAR(together.gradient[p], mean[p], 1e-4 * largest) << "parameter " << p;
  }
}

TEST(DnnEngine, ResultsDoNotDependOnEarlierCalls) {
  const Problem problem(convnet(), 40, 3);
  const Problem other(convnet(), 40, 4);
  const auto engine = make_dnn_engine(problem.network, 40);
  const Result first = differentiate(*engine, problem.theta, problem.all());
  const double first_loss = loss_of(*engine, problem, problem.all());
  for (const std::size_t count : {40U, 7U, 1U, 33U}) {
    differentiate(*engine, other.theta, other.batch(0, count));
    loss_of(*engine, other, other.batch(0, count));
    EXPECT_TRUE(first == differentiate(*engine, problem.theta, problem.all())) << count;
    EXPECT_EQ(first_loss, loss_of(*engine, problem, problem.all())) << count;
  }
  const auto fresh = make_dnn_engine(problem.network, 1);
  EXPECT_TRUE(first == differentiate(*fresh, problem.theta, problem.all()));
}

TEST(DnnEngine, SeveralThetasAreTheSameAsEachAlone) {
  const Problem problem(convnet(), 9, 5);
  const Problem other(convnet(), 9, 6);
  const auto engine = make_dnn_engine(problem.network, 9);
  const std::size_t dimension = engine->dimension();
  std::vector<float> thetas = problem.theta;
  thetas.insert(thetas.end(), other.theta.begin(), other.theta.end());
  std::vector<double> losses(2);
  std::vector<float> gradients(2 * dimension);
  engine->losses_and_gradients(thetas, problem.all(), Loss::squared, nullptr, losses, gradients);
  for (std::size_t i = 0; i < 2; ++i) {
    const auto begin = gradients.begin() + static_cast<std::ptrdiff_t>(i * dimension);
    const Result together{
        losses[i], std::vector<float>(begin, begin + static_cast<std::ptrdiff_t>(dimension))};
    EXPECT_TRUE(
        together ==
        differentiate(*engine, i == 0 ? problem.theta : other.theta, problem.all(), Loss::squared));
  }
  std::vector<double> evaluated(2);
  engine->losses(thetas, problem.all(), Loss::squared, evaluated);
  EXPECT_NEAR(evaluated[0], losses[0], 1e-6);
  EXPECT_NEAR(evaluated[1], losses[1], 1e-6);
}

TEST(DnnEngine, TwoThreadsAtOnceAreTheSameAsOne) {
  const Problem problem(convnet(0.5), 32, 7);
  const auto work = [&](Engine& engine, std::vector<Result>& results) {
    for (std::uint64_t step = 0; step < 20; ++step) {
      Rng rng(11, step);
      results.push_back(
          differentiate(engine, problem.theta, problem.all(), Loss::cross_entropy, &rng));
      results.push_back({loss_of(engine, problem, problem.all()), {}});
    }
  };
  const auto alone = make_dnn_engine(problem.network, 32);
  std::vector<Result> expected;
  work(*alone, expected);
  std::vector<std::unique_ptr<Engine>> engines;
  std::vector<std::vector<Result>> found(2);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < 2; ++i) {
    engines.push_back(make_dnn_engine(problem.network, 32));
  }
  for (std::size_t i = 0; i < 2; ++i) {
    threads.emplace_back([&, i] { work(*engines[i], found[i]); });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_TRUE(found[0] == expected);
  EXPECT_TRUE(found[1] == expected);
}

// The alignment of the caller's vectors must not matter.
TEST(DnnEngine, ThetaMayLieAnywhere) {
  const Problem problem(convnet(), 16, 8);
  const auto engine = make_dnn_engine(problem.network, 16);
  const Result expected = differentiate(*engine, problem.theta, problem.all());
  for (std::size_t shift = 1; shift < 5; ++shift) {
    std::vector<float> theta(problem.theta.size() + shift);
    std::vector<float> gradient(problem.theta.size() + shift);
    std::vector<float> inputs(problem.inputs.size() + shift);
    std::ranges::copy(problem.theta, theta.begin() + static_cast<std::ptrdiff_t>(shift));
    std::ranges::copy(problem.inputs, inputs.begin() + static_cast<std::ptrdiff_t>(shift));
    BatchView batch = problem.all();
    batch.inputs = inputs.data() + shift;
    Result found;
    engine->losses_and_gradients(std::span<const float>(theta).subspan(shift),
                                 batch,
                                 Loss::cross_entropy,
                                 nullptr,
                                 {&found.loss, 1},
                                 std::span<float>(gradient).subspan(shift));
    found.gradient.assign(gradient.begin() + static_cast<std::ptrdiff_t>(shift), gradient.end());
    EXPECT_TRUE(found == expected) << "shift " << shift;
  }
}

TEST(DnnEngine, NanInAnyTensorReachesTheLoss) {
  const Problem problem(convnet(), 5, 9);
  const auto engine = make_dnn_engine(problem.network, 5);
  const Layout layout = layout_of(problem.network);
  for (const Tensor& tensor : layout.tensors()) {
    Problem broken = problem;
    broken.theta[tensor.offset + tensor.size() / 2] = nan;
    EXPECT_TRUE(std::isnan(loss_of(*engine, broken, broken.all()))) << tensor.name;
    EXPECT_TRUE(std::isnan(differentiate(*engine, broken.theta, broken.all()).loss)) << tensor.name;
  }
}

TEST(DnnEngine, NanInOneSampleStaysThere) {
  Problem problem(convnet(), 5, 10);
  problem.inputs[2 * problem.features + 60] = nan;
  const auto engine = make_dnn_engine(problem.network, 5);
  const std::vector<float> outputs = outputs_of(*engine, problem, problem.all());
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(std::isnan(outputs[10 * i]), i == 2) << "sample " << i;
  }
  EXPECT_TRUE(std::isnan(loss_of(*engine, problem, problem.all())));
}

TEST(DnnEngine, NanTargetsReachTheLoss) {
  Problem problem(convnet(), 3, 11);
  problem.targets[7] = nan;
  const auto engine = make_dnn_engine(problem.network, 3);
  for (const Loss loss : {Loss::absolute, Loss::squared}) {
    double value = 0.0;
    engine->losses(problem.theta, problem.all(), loss, {&value, 1});
    EXPECT_TRUE(std::isnan(value)) << name_of(loss);
  }
}

TEST(DnnEngine, HugeLogitsHaveAFiniteLoss) {
  const Network network{.input = {1}, .layers = {Linear{.out_features = 2, .bias = false}}};
  const std::vector<float> theta{-2e4F, 2e4F};
  const float input = 1.0F;
  const std::int32_t label = 0;
  const BatchView batch{.count = 1, .inputs = &input, .labels = &label};
  const auto engine = make_dnn_engine(network, 1);
  const Result result = differentiate(*engine, theta, batch);
  EXPECT_DOUBLE_EQ(result.loss, 4e4);
  EXPECT_EQ(result.gradient, (std::vector<float>{-1.0F, 1.0F}));
}

// Dropout on a network that passes its input through: outputs show the mask.
class DnnDropoutRate : public testing::TestWithParam<double> {
 protected:
  static constexpr std::size_t width = 64;
  static constexpr std::size_t count = 512;

  static Network network(double probability) {
    return {.input = {1},
            .layers = {Linear{.out_features = width, .bias = false}, Dropout{probability}}};
  }
};

TEST_P(DnnDropoutRate, KeepsTheStatedShareAndTheMean) {
  const double probability = GetParam();
  const auto engine = make_dnn_engine(network(probability), count);
  const std::vector<float> theta(width, 1.0F);
  const std::vector<float> inputs(count, 1.0F);
  const std::vector<float> targets(count * width, 0.0F);
  const BatchView batch{.count = count, .inputs = inputs.data(), .targets = targets.data()};
  Rng rng(12);
  const Result result = differentiate(*engine, theta, batch, Loss::absolute, &rng);
  // With all values 1: the loss is the mean of the mask's factors, expected 1.
  const double numbers = static_cast<double>(count * width);
  const double deviation = std::sqrt(probability / (1.0 - probability) / numbers);
  EXPECT_NEAR(result.loss, 1.0, 5.0 * deviation);
  // Each unit's gradient is the mean of its own factors over the batch, divided by the width.
  const double unit_deviation = std::sqrt(probability / (1.0 - probability) / count);
  for (const float derivative : result.gradient) {
    EXPECT_NEAR(derivative * width, 1.0, 5.5 * unit_deviation);
  }
  double loss = 0.0;
  engine->losses(theta, batch, Loss::absolute, {&loss, 1});
  EXPECT_EQ(loss, 1.0) << "evaluation drops nothing";
}

INSTANTIATE_TEST_SUITE_P(Probabilities, DnnDropoutRate, testing::Values(0.1, 0.5, 0.75));

TEST(DnnDropout, DrawsAreThoseOfTheGenerator) {
  const Problem problem(convnet(0.5), 6, 13);
  const auto engine = make_dnn_engine(problem.network, 6);
  const auto at = [&](std::uint64_t seed) {
    Rng rng(seed);
    return differentiate(*engine, problem.theta, problem.all(), Loss::cross_entropy, &rng);
  };
  const Result first = at(1);
  EXPECT_TRUE(first == at(1));
  EXPECT_FALSE(first == at(2));
  Rng rng(1);
  differentiate(*engine, problem.theta, problem.all(), Loss::cross_entropy, &rng);
  EXPECT_FALSE(first ==
               differentiate(*engine, problem.theta, problem.all(), Loss::cross_entropy, &rng));
}

TEST(DnnDropout, ZeroProbabilityIsTheIdentity) {
  Network network = convnet(0.5);
  std::get<Dropout>(network.layers[9]).probability = 0.0;
  const Problem problem(network, 6, 14);
  const auto engine = make_dnn_engine(network, 6);
  Rng rng(1);
  const Result result =
      differentiate(*engine, problem.theta, problem.all(), Loss::cross_entropy, &rng);
  EXPECT_NEAR(result.loss, loss_of(*engine, problem, problem.all()), 1e-6);
}

// Under a fixed mask the gradient is that of the loss with that mask, images included.
TEST(DnnDropout, GradientIsThatOfTheMaskedLoss) {
  Network network = convnet(0.5);
  network.layers.insert(network.layers.begin() + 3, Dropout{0.25});
  Problem problem(network, 6, 15);
  const auto engine = make_dnn_engine(network, 6);
  const auto at = [&](const std::vector<float>& theta) {
    Rng rng(16);
    return differentiate(*engine, theta, problem.all(), Loss::cross_entropy, &rng);
  };
  const Result centre = at(problem.theta);
  double squares = 0.0;
  for (const float g : centre.gradient) {
    squares += static_cast<double>(g) * g;
  }
  const double step = 1e-3 / std::sqrt(squares);
  const auto moved = [&](double sign) {
    std::vector<float> theta = problem.theta;
    for (std::size_t i = 0; i < theta.size(); ++i) {
      theta[i] += static_cast<float>(sign * step * centre.gradient[i]);
    }
    return at(theta).loss;
  };
  EXPECT_NEAR((moved(1.0) - moved(-1.0)) / (2.0 * step) / squares, 1.0, 3e-3);
}

TEST(DnnEngine, RefusesWrongArguments) {
  const Problem problem(convnet(0.5), 4, 17);
  const auto engine = make_dnn_engine(problem.network, 4);
  std::vector<float> gradient(problem.theta.size());
  double loss = 0.0;
  Rng rng(1);
  const std::span<const float> short_theta(problem.theta.data(), problem.theta.size() - 1);
  EXPECT_THROW(engine->losses(short_theta, problem.all(), Loss::cross_entropy, {&loss, 1}),
               UsageError);
  EXPECT_THROW(engine->losses(problem.theta, {}, Loss::cross_entropy, {&loss, 1}), UsageError);
  EXPECT_THROW(
      engine->losses_and_gradients(
          problem.theta, problem.all(), Loss::cross_entropy, nullptr, {&loss, 1}, gradient),
      UsageError);
  EXPECT_THROW(engine->losses_and_gradients(problem.theta,
                                            problem.all(),
                                            Loss::cross_entropy,
                                            &rng,
                                            {&loss, 1},
                                            {gradient.data(), 5}),
               UsageError);
  std::vector<float> outputs(39);
  EXPECT_THROW(engine->forward(problem.theta, problem.all(), outputs), UsageError);

  BatchView without = problem.all();
  without.labels = nullptr;
  EXPECT_THROW(engine->losses(problem.theta, without, Loss::cross_entropy, {&loss, 1}), UsageError);
  without.targets = nullptr;
  EXPECT_THROW(engine->losses(problem.theta, without, Loss::squared, {&loss, 1}), UsageError);
  for (const std::int32_t label : {-1, 10}) {
    const std::vector<std::int32_t> labels{0, 1, label, 3};
    BatchView wrong = problem.all();
    wrong.labels = labels.data();
    try {
      engine->losses(problem.theta, wrong, Loss::cross_entropy, {&loss, 1});
      ADD_FAILURE() << "label " << label << " was taken";
    } catch (const UsageError& error) {
      EXPECT_EQ(std::string(error.what()),
                "loss cross_entropy: expected labels in [0, 10), got " + std::to_string(label) +
                    " at sample 2");
    }
  }
}

TEST(DnnEngine, NetworksWithoutParametersHaveLosses) {
  const Network network{.input = {2, 4, 4}, .layers = {Pool2d{}, relu, Flatten{}}};
  const Problem problem(network, 3, 18);
  const auto engine = make_dnn_engine(network, 3);
  EXPECT_EQ(engine->dimension(), 0U);
  const Result result = differentiate(*engine, {}, problem.all(), Loss::squared);
  EXPECT_GT(result.loss, 0.0);
}

}  // namespace
}  // namespace isthmus
