// SPDX-License-Identifier: MIT
// The dnn engine against the double-precision reference, on random stacks of all layer kinds.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "isthmus/core/json.h"
#include "isthmus/core/rng.h"
#include "isthmus/net/engine.h"

namespace isthmus {
namespace {

template <class Value>
Value one_of(Rng& rng, std::initializer_list<Value> values) {
  return values.begin()[rng.below(values.size())];
}

Activation random_activation(Rng& rng) {
  return {one_of(rng, {Activation::Kind::relu, Activation::Kind::sigmoid, Activation::Kind::tanh})};
}

// Image layers until the image is small or the depth is used up, then dense ones.
Network random_network(Rng& rng) {
  Network network{
      .input = {one_of<std::size_t>(rng, {1, 2, 3, 16, 17}), 5 + rng.below(6), 5 + rng.below(6)},
      .layers = {}};
  const std::size_t depth = 1 + rng.below(4);
  for (std::size_t i = 0; i < depth; ++i) {
    const Shape shape = shapes(network).back();
    const std::size_t smallest = std::min(shape[1], shape[2]);
    const auto padding = one_of(rng, {Padding::same, Padding::valid});
    const Padding around{.rows = rng.below(4), .columns = rng.below(4)};
    const bool in_numbers = rng.below(3) == 0;
    const std::size_t kernel = 1 + rng.below(std::min<std::size_t>(smallest, 5));
    const std::size_t stride = 1 + rng.below(3);
    if (rng.below(5) == 0) {
      network.layers.emplace_back(LocalResponseNorm{.size = 1 + 2 * rng.below(5),
                                                    .alpha = rng.uniform(0.0, 2.0),
                                                    .beta = one_of(rng, {0.75, 0.5, 1.3}),
                                                    .k = rng.uniform(0.5, 2.0)});
    } else if (rng.below(3) > 0) {
      network.layers.emplace_back(
          Conv2d{.out_channels = one_of<std::size_t>(rng, {1, 3, 8, 16, 20}),
                 .kernel = kernel,
                 .stride = stride,
                 .padding = in_numbers ? around : padding,
                 .bias = rng.below(4) > 0});
      if (rng.below(4) > 0) {
        network.layers.emplace_back(random_activation(rng));
      }
    } else {
      network.layers.emplace_back(
          Pool2d{.kind = one_of(rng, {Pool2d::Kind::max, Pool2d::Kind::average}),
                 .kernel = kernel,
                 .stride = stride,
                 .padding = in_numbers ? Padding{.rows = std::min(around.rows, kernel / 2),
                                                 .columns = std::min(around.columns, kernel / 2)}
                                       : padding,
                 .count_padding = rng.below(2) == 0});
    }
  }
  network.layers.emplace_back(Flatten{});
  if (rng.below(2) == 0) {
    network.layers.emplace_back(
        Linear{.out_features = 1 + rng.below(20), .bias = rng.below(4) > 0});
    network.layers.emplace_back(random_activation(rng));
  }
  network.layers.emplace_back(Linear{.out_features = 2 + rng.below(4)});
  if (rng.below(4) == 0) {
    network.layers.emplace_back(Activation{Activation::Kind::softmax});
  }
  return network;
}

struct Case {
  Network network;
  std::size_t count = 0;
  Loss loss = Loss::squared;
  std::vector<float> theta;
  std::vector<float> inputs;
  std::vector<float> targets;
  std::vector<std::int32_t> labels;

  explicit Case(std::uint64_t seed) {
    Rng rng(seed);
    network = random_network(rng);
    count = 1 + rng.below(5);
    loss = one_of(rng, {Loss::absolute, Loss::squared, Loss::cross_entropy});
    const auto draw = [&](std::vector<float>& values, std::size_t size, double scale) {
      values.resize(size);
      std::ranges::generate(values, [&] { return static_cast<float>(scale * rng.normal()); });
    };
    const Shape& input = network.input;
    const std::size_t outputs = output_size(network);
    theta.resize(layout_of(network).dimension());
    initialise(network, rng, theta);
    draw(inputs, count * input[0] * input[1] * input[2], 1.0);
    draw(targets, count * outputs, 1.0);
    labels.resize(count);
    std::ranges::generate(labels, [&] { return static_cast<std::int32_t>(rng.below(outputs)); });
  }

  BatchView batch() const {
    return {.count = count,
            .inputs = inputs.data(),
            .targets = targets.data(),
            .labels = labels.data()};
  }
};

class DnnReference : public testing::TestWithParam<std::uint64_t> {
 protected:
  const Case case_{stream_name({GetParam(), 924})};
  const std::string described_ = to_json(case_.network).dump();
};

TEST_P(DnnReference, OutputsAndLossesAgree) {
  SCOPED_TRACE(described_);
  const auto engine = make_dnn_engine(case_.network, case_.count);
  const std::vector<double> theta(case_.theta.begin(), case_.theta.end());
  std::vector<double> expected(case_.count * engine->outputs());
  reference_forward(case_.network, theta, case_.batch(), expected);
  std::vector<float> outputs(expected.size());
  engine->forward(case_.theta, case_.batch(), outputs);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(outputs[i], expected[i], 1e-5 * (1.0 + std::abs(expected[i])));
  }
  const double loss = reference_loss(case_.network, theta, case_.batch(), case_.loss);
  double evaluated = 0.0;
  engine->losses(case_.theta, case_.batch(), case_.loss, {&evaluated, 1});
  EXPECT_NEAR(evaluated, loss, 1e-5 * (1.0 + loss));
}

// Along random directions, one a tensor and one through all: <gradient, d> against the central
// difference of the reference in double, whose own error is far below float's. The step is small
// enough for kinks to be met rarely; a direction that meets one is seen by the two one-sided
// differences and skipped.
TEST_P(DnnReference, GradientIsTheDerivativeOfTheReference) {
  SCOPED_TRACE(described_);
  const auto engine = make_dnn_engine(case_.network, case_.count);
  double loss = 0.0;
  std::vector<float> gradient(case_.theta.size());
  engine->losses_and_gradients(
      case_.theta, case_.batch(), case_.loss, nullptr, {&loss, 1}, gradient);
  const double norm =
      std::sqrt(std::inner_product(gradient.begin(), gradient.end(), gradient.begin(), 0.0));
  const Layout layout = layout_of(case_.network);
  Rng rng(GetParam(), 1);
  const auto at = [&](const std::vector<double>& direction, double step) {
    std::vector<double> theta(case_.theta.begin(), case_.theta.end());
    for (std::size_t i = 0; i < theta.size(); ++i) {
      theta[i] += step * direction[i];
    }
    return reference_loss(case_.network, theta, case_.batch(), case_.loss);
  };
  std::size_t kinks = 0;
  for (const Tensor& tensor : layout.tensors()) {
    std::vector<double> direction(case_.theta.size(), 0.0);
    double length = 0.0;
    for (std::size_t i = tensor.offset; i < tensor.offset + tensor.size(); ++i) {
      direction[i] = rng.normal();
      length += direction[i] * direction[i];
    }
    double product = 0.0;
    for (std::size_t i = 0; i < direction.size(); ++i) {
      direction[i] /= std::sqrt(length);
      product += direction[i] * gradient[i];
    }
    constexpr double step = 1e-6;
    const double centre = at(direction, 0.0);
    const double right = (at(direction, step) - centre) / step;
    const double left = (centre - at(direction, -step)) / step;
    const double tolerance = 2e-5 * (norm + 1.0);
    if (std::abs(right - left) > tolerance) {
      ++kinks;
      continue;
    }
    EXPECT_NEAR(product, 0.5 * (left + right), tolerance) << tensor.name;
  }
  EXPECT_LE(kinks, 1U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, DnnReference, testing::Range<std::uint64_t>(0, 100));

}  // namespace
}  // namespace isthmus
