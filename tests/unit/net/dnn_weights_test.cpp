// SPDX-License-Identifier: MIT
// Batches whose samples have weights, against their samples one by one.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "isthmus/core/rng.h"
#include "isthmus/net/engine.h"

namespace isthmus {
namespace {

Network ending_in(std::size_t outputs, std::vector<Layer> layers) {
  layers.emplace_back(Flatten{});
  layers.emplace_back(Linear{.out_features = outputs});
  return {.input = {2, 6, 6}, .layers = std::move(layers)};
}

// A convolution, a perceptron, and last layers of many outputs, whose losses are made in tiles.
std::vector<Network> networks() {
  return {ending_in(5, {Conv2d{.out_channels = 3, .kernel = 3}, Activation{}}),
          ending_in(10, {}),
          ending_in(1600, {}),
          ending_in(1700, {Conv2d{.out_channels = 2, .kernel = 3}, Activation{}})};
}

TEST(DnnWeights, MultiplyTheLossAndTheGradientOfEverySample) {
  for (const Network& network : networks()) {
    ASSERT_TRUE(takes_weights(network));
    constexpr std::size_t count = 7;
    const std::size_t outputs = output_size(network);
    Rng rng(outputs);
    std::vector<float> theta(layout_of(network).dimension());
    initialise(network, rng, theta);
    std::vector<float> inputs(count * 72);
    std::vector<std::int32_t> labels(count);
    std::vector<float> weights(count);
    std::ranges::generate(inputs, [&] { return static_cast<float>(rng.normal()); });
    std::ranges::generate(labels, [&] { return static_cast<std::int32_t>(rng.below(outputs)); });
    std::ranges::generate(weights, [&] { return static_cast<float>(rng.uniform(0.0, 3.0)); });
    std::vector<float> told(count);
    BatchView batch{.count = count, .inputs = inputs.data(), .labels = labels.data()};
    batch.weights = weights.data();
    batch.sample_losses = told.data();
    const auto engine = make_engine(network, count);
    double loss = 0.0;
    std::vector<float> gradient(theta.size());
    engine->losses_and_gradients(theta, batch, Loss::cross_entropy, nullptr, {&loss, 1}, gradient);

    const auto single = make_engine(network, 1);
    double expected = 0.0;
    std::vector<double> sum(theta.size());
    std::vector<float> one(theta.size());
    for (std::size_t i = 0; i < count; ++i) {
      const BatchView sample{
          .count = 1, .inputs = inputs.data() + 72 * i, .labels = labels.data() + i};
      double alone = 0.0;
      single->losses_and_gradients(theta, sample, Loss::cross_entropy, nullptr, {&alone, 1}, one);
      EXPECT_NEAR(told[i], alone, 1e-5 * alone);
      const auto weight = static_cast<double>(weights[i]) / count;
      expected += weight * alone;
      for (std::size_t k = 0; k < sum.size(); ++k) {
        sum[k] += weight * static_cast<double>(one[k]);
      }
    }
    EXPECT_NEAR(loss, expected, 1e-5 * expected);
    double norm = 0.0;
    double difference = 0.0;
    for (std::size_t k = 0; k < sum.size(); ++k) {
      norm += sum[k] * sum[k];
      difference += (gradient[k] - sum[k]) * (gradient[k] - sum[k]);
    }
    EXPECT_LT(std::sqrt(difference), 1e-5 * std::sqrt(norm)) << outputs;
  }
}

TEST(DnnWeights, AreNotForSmallPerceptrons) {
  EXPECT_FALSE(takes_weights({.input = {2}, .layers = {Linear{.out_features = 3}}}));
}

}  // namespace
}  // namespace isthmus
