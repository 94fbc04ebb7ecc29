// SPDX-License-Identifier: MIT
// The last layer of many outputs with its cross-entropy, a tile of outputs at a time, against the
// double-precision reference.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/json.h"
#include "isthmus/core/rng.h"
#include "isthmus/net/dnn/head.h"
#include "isthmus/net/engine.h"

namespace isthmus {
namespace {

struct Wide {
  Network network;
  std::size_t count = 0;
  std::size_t streams = 1;
  std::vector<float> theta{};
  std::vector<float> inputs{};
  std::vector<std::int32_t> labels{};

  BatchView batch() const {
    return {.count = count, .inputs = inputs.data(), .labels = labels.data(), .streams = streams};
  }
  std::vector<double> theta_in_double() const { return {theta.begin(), theta.end()}; }
};

// `classes` outputs from six inputs, by way of a hidden layer (propagates) or not.
Wide dense(std::size_t classes, bool bias, bool hidden, std::size_t count) {
  Wide made{.network = {.input = {6}, .layers = {}}, .count = count};
  if (hidden) {
    made.network.layers.emplace_back(Linear{.out_features = 5});
    made.network.layers.emplace_back(Activation{Activation::Kind::tanh});
  }
  made.network.layers.emplace_back(Linear{.out_features = classes, .bias = bias});
  Rng rng(stream_name({classes, bias, hidden, count}));
  made.theta.resize(layout_of(made.network).dimension());
  std::ranges::generate(made.theta, [&] { return static_cast<float>(rng.normal()); });
  made.inputs.resize(6 * count);
  std::ranges::generate(made.inputs, [&] { return static_cast<float>(rng.normal()); });
  for (std::size_t i = 0; i < count; ++i) {
    made.labels.push_back(static_cast<std::int32_t>(i == 0 ? classes - 1 : rng.below(classes)));
  }
  return made;
}

// A language model of tied embeddings.
Wide tied(std::size_t words) {
  Wide made{.network = {.input = {1},
                        .layers = {Embedding{.tokens = words, .features = 4},
                                   Lstm{.features = 4},
                                   Linear{.out_features = words, .tied = true}}},
            .count = 12,
            .streams = 3};
  Rng rng(words);
  made.theta.resize(layout_of(made.network).dimension());
  std::ranges::generate(made.theta, [&] { return static_cast<float>(rng.normal()); });
  for (std::size_t i = 0; i < made.count; ++i) {
    made.inputs.push_back(static_cast<float>(rng.below(words)));
    made.labels.push_back(static_cast<std::int32_t>(rng.below(words)));
  }
  return made;
}

// Whole tiles alone, a narrow last tile, one that fills its vectors and one that does not; and more
// samples than a block of evaluation has.
std::vector<Wide> cases() {
  return {dense(1536, true, true, 3),
          dense(1537, true, false, 1),
          dense(1600, false, true, 7),
          dense(2000, true, true, 150),
          tied(1700)};
}

double loss_of(Engine& engine, const Wide& wide) {
  double loss = 0.0;
  engine.losses(wide.theta, wide.batch(), Loss::cross_entropy, {&loss, 1});
  return loss;
}

struct Result {
  double loss = 0.0;
  std::vector<float> gradient;
  bool operator==(const Result&) const = default;
};

Result differentiate(Engine& engine, const Wide& wide) {
  Result result{.gradient = std::vector<float>(wide.theta.size(), 7.0F)};
  engine.losses_and_gradients(
      wide.theta, wide.batch(), Loss::cross_entropy, nullptr, {&result.loss, 1}, result.gradient);
  return result;
}

TEST(DnnHead, SuitsLastLayersOfManyOutputsAlone) {
  EXPECT_TRUE(dnn::Head::suits(dense(1536, true, false, 1).network));
  EXPECT_FALSE(dnn::Head::suits(dense(1535, true, false, 1).network));
  Network followed = dense(1600, true, false, 1).network;
  followed.layers.emplace_back(Activation{Activation::Kind::relu});
  EXPECT_FALSE(dnn::Head::suits(followed));
}

TEST(DnnHead, LossesAreThoseOfTheReference) {
  for (const Wide& wide : cases()) {
    SCOPED_TRACE(to_json(wide.network).dump());
    const double expected =
        reference_loss(wide.network, wide.theta_in_double(), wide.batch(), Loss::cross_entropy);
    const auto engine = make_dnn_engine(wide.network, 128);
    EXPECT_NEAR(loss_of(*engine, wide), expected, 2e-6 * expected);
    EXPECT_NEAR(differentiate(*engine, wide).loss, expected, 2e-6 * expected);
  }
}

TEST(DnnHead, LossesAreThoseOfTheOutputs) {
  for (const Wide& wide : cases()) {
    const auto engine = make_dnn_engine(wide.network, 128);
    std::vector<float> outputs(wide.count * engine->outputs());
    engine->forward(wide.theta, wide.batch(), outputs);
    std::vector<double> losses(wide.count);
    losses_of_outputs(Loss::cross_entropy, wide.batch(), outputs, losses);
    double mean = 0.0;
    for (const double loss : losses) {
      mean += loss / static_cast<double>(wide.count);
    }
    EXPECT_NEAR(loss_of(*engine, wide), mean, 2e-6 * mean);
  }
}

TEST(DnnHead, GradientsAreDerivativesOfTheReference) {
  for (const Wide& wide : cases()) {
    SCOPED_TRACE(to_json(wide.network).dump());
    const auto engine = make_dnn_engine(wide.network, 128);
    const Result result = differentiate(*engine, wide);
    std::vector<double> theta = wide.theta_in_double();
    const auto loss = [&] {
      return reference_loss(wide.network, theta, wide.batch(), Loss::cross_entropy);
    };
    Rng rng(3);
    const Layout layout = layout_of(wide.network);
    for (const Tensor& tensor : layout.tensors()) {
      // The last number is of the last tile; that of the label is not small.
      for (const std::size_t at : {rng.below(tensor.size()), tensor.size() - 1}) {
        const std::size_t i = tensor.offset + at;
        const double kept = theta[i];
        constexpr double step = 1e-5;
        theta[i] = kept + step;
        const double above = loss();
        theta[i] = kept - step;
        const double below = loss();
        theta[i] = kept;
        EXPECT_NEAR(result.gradient[i], (above - below) / (2.0 * step), 2e-5) << tensor.name;
      }
    }
  }
}

// Every tile has a larger logit than all before it, so the sums change their reference each time.
TEST(DnnHead, LogitsThatGrowFromTileToTileAreSummedRight) {
  Wide wide = dense(2000, true, true, 2);
  for (std::size_t k = 0; k < 2000; ++k) {
    wide.theta[wide.theta.size() - 2000 + k] = 0.05F * static_cast<float>(k);
  }
  const double expected =
      reference_loss(wide.network, wide.theta_in_double(), wide.batch(), Loss::cross_entropy);
  const auto engine = make_dnn_engine(wide.network, 2);
  EXPECT_NEAR(loss_of(*engine, wide), expected, 2e-6 * expected);
  const Result result = differentiate(*engine, wide);
  double sum = 0.0;  // of the derivatives by the biases: shares less hits
  for (std::size_t k = 0; k < 2000; ++k) {
    sum += static_cast<double>(result.gradient[wide.theta.size() - 2000 + k]);
  }
  EXPECT_NEAR(sum, 0.0, 1e-5);
}

TEST(DnnHead, HugeLogitsHaveAFiniteLoss) {
  Wide wide = dense(1600, true, false, 1);
  std::ranges::fill(wide.theta, 0.0F);
  float* const bias = wide.theta.data() + wide.theta.size() - 1600;
  bias[3] = 2e4F;
  bias[1599] = -2e4F;  // the label of the first sample
  const auto engine = make_dnn_engine(wide.network, 1);
  EXPECT_DOUBLE_EQ(loss_of(*engine, wide), 4e4);
  const Result result = differentiate(*engine, wide);
  EXPECT_EQ(result.gradient[wide.theta.size() - 1600 + 3], 1.0F);
  EXPECT_EQ(result.gradient[wide.theta.size() - 1], -1.0F);
}

TEST(DnnHead, ANanInAnyTileReachesTheLoss) {
  const Wide whole = dense(1700, true, true, 3);
  const auto engine = make_dnn_engine(whole.network, 3);
  for (const std::size_t output : {0UL, 400UL, 1699UL}) {
    Wide wide = whole;
    wide.theta[wide.theta.size() - 1700 + output] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_TRUE(std::isnan(loss_of(*engine, wide))) << output;
    const Result result = differentiate(*engine, wide);
    EXPECT_TRUE(std::isnan(result.loss)) << output;
    EXPECT_TRUE(std::isnan(result.gradient[0])) << output;
  }
}

TEST(DnnHead, ResultsDependOnTheArgumentsAlone) {
  const Wide wide = dense(2000, true, true, 20);
  const auto first = make_dnn_engine(wide.network, 20);
  const Result expected = differentiate(*first, wide);
  const double loss = loss_of(*first, wide);
  differentiate(*first, dense(2000, true, true, 3));
  EXPECT_TRUE(differentiate(*first, wide) == expected);
  std::vector<Result> found(2);
  std::vector<double> losses(2);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < 2; ++i) {
    threads.emplace_back([&, i] {
      const auto engine = make_dnn_engine(wide.network, 20);
      losses[i] = loss_of(*engine, wide);
      found[i] = differentiate(*engine, wide);
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_TRUE(found[i] == expected);
    EXPECT_EQ(losses[i], loss);
  }
}

TEST(DnnHead, RefusesLabelsThatAreNotThere) {
  Wide wide = dense(1600, true, false, 2);
  const auto engine = make_dnn_engine(wide.network, 2);
  wide.labels[1] = 1600;
  EXPECT_THROW(loss_of(*engine, wide), UsageError);
  EXPECT_THROW(differentiate(*engine, wide), UsageError);
  wide.labels[1] = -1;
  EXPECT_THROW(loss_of(*engine, wide), UsageError);
  BatchView batch = wide.batch();
  batch.labels = nullptr;
  double loss = 0.0;
  EXPECT_THROW(engine->losses(wide.theta, batch, Loss::cross_entropy, {&loss, 1}), UsageError);
}

TEST(DnnHead, OtherLossesHaveTheirOutputs) {
  const Wide wide = dense(1600, true, true, 4);
  std::vector<float> targets(4 * 1600, 0.5F);
  BatchView batch = wide.batch();
  batch.targets = targets.data();
  const auto engine = make_dnn_engine(wide.network, 4);
  double loss = 0.0;
  engine->losses(wide.theta, batch, Loss::squared, {&loss, 1});
  const double expected =
      reference_loss(wide.network, wide.theta_in_double(), batch, Loss::squared);
  EXPECT_NEAR(loss, expected, 1e-5 * expected);
}

}  // namespace
}  // namespace isthmus
