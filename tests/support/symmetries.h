// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <numeric>
#include <variant>
#include <vector>

#include "isthmus/core/rng.h"
#include "isthmus/data/dataset.h"
#include "isthmus/net/engine.h"
#include "isthmus/net/symmetry/symmetry.h"

namespace isthmus::testing {

inline Activation activation(Activation::Kind kind) {
  return {kind};
}
inline constexpr auto relu = Activation::Kind::relu;
inline constexpr auto tanh_kind = Activation::Kind::tanh;
inline constexpr auto sigmoid = Activation::Kind::sigmoid;
inline constexpr auto softmax = Activation::Kind::softmax;

inline Linear dense(std::size_t features, bool bias = true) {
  return {.out_features = features, .bias = bias};
}

/// Every layer kind, and every way in which two of them may meet.
inline std::vector<Network> every_kind_of_network() {
  const auto conv = [](std::size_t channels, Padding padding = Padding::same) {
    return Conv2d{.out_channels = channels, .kernel = 3, .padding = padding};
  };
  const Pool2d pool{};
  const Pool2d average{.kind = Pool2d::Kind::average, .padding = Padding::same};
  const Embedding words{.tokens = 9, .features = 5};
  Linear tied = dense(9);
  tied.tied = true;
  return {
      {{6}, {dense(8), activation(relu), dense(7), activation(tanh_kind), dense(5), dense(3)}},
      {{6}, {dense(8), activation(sigmoid), dense(7), activation(sigmoid), dense(3)}},
      {{6}, {dense(8), activation(sigmoid), dense(7, false), activation(tanh_kind), dense(3)}},
      {{6}, {dense(8), activation(tanh_kind), activation(sigmoid), dense(4), activation(softmax)}},
      {{6}, {dense(8), activation(sigmoid), activation(tanh_kind), dense(4)}},
      {{6}, {dense(8), activation(softmax), Dropout{0.4}, dense(4)}},
      {{2, 9, 8},
       {conv(4),
        activation(relu),
        pool,
        conv(6),
        activation(relu),
        Flatten{},
        Dropout{},
        dense(5),
        activation(relu),
        dense(3)}},
      {{2, 9, 8},
       {conv(4),
        activation(sigmoid),
        average,
        conv(3, Padding::valid),
        activation(tanh_kind),
        average,
        Flatten{},
        dense(4)}},
      {{2, 9, 8},
       {conv(4), activation(sigmoid), conv(3), activation(sigmoid), Flatten{}, dense(4)}},
      {{2, 9, 8},
       {conv(7),
        activation(relu),
        LocalResponseNorm{.size = 3},
        conv(4),
        activation(tanh_kind),
        LocalResponseNorm{.size = 7},
        Flatten{},
        dense(4)}},
      {{1}, {words, Lstm{.features = 6}, Lstm{.features = 4}, dense(9)}},
      {{1},
       {words,
        Lstm{.features = 6},
        activation(sigmoid),
        Lstm{.features = 4},
        activation(relu),
        dense(9)}},
      {{1}, {words, Lstm{.features = 6}, Lstm{.features = 5}, tied}},
      {{1}, {words, activation(sigmoid), Lstm{.features = 5}, activation(sigmoid), tied}},
      {{1}, {words, activation(tanh_kind), tied, activation(relu), dense(4)}},
      {{1}, {words, dense(5), activation(relu), tied}},
  };
}

inline std::vector<float> random_theta(const Network& network, std::uint64_t seed) {
  Rng rng(seed, 1);
  std::vector<float> theta(layout_of(network).dimension());
  initialise(network, rng, theta);
  return theta;
}

/// Any permutations and signs that are free, and factors in [1 / range, range].
inline Symmetry random_symmetry(const SymmetryGroup& group, std::uint64_t seed, double range) {
  Rng rng(seed, 2);
  Symmetry symmetry = identity_of(group);
  for (std::size_t d = 0; d < symmetry.size(); ++d) {
    if (group.dimensions[d].permutable) {
      rng.shuffle(symmetry[d].source);
    }
    for (double& factor : symmetry[d].factor) {
      factor = group.dimensions[d].positive ? std::pow(range, rng.uniform(-1.0, 1.0)) : 1.0;
      factor *= group.dimensions[d].sign && rng.below(2) == 0 ? -1.0 : 1.0;
    }
  }
  return symmetry;
}

/// Random samples: tokens where the network begins with an embedding.
inline std::vector<float> samples_for(const Network& network,
                                      std::uint64_t seed,
                                      std::size_t count) {
  Rng rng(seed, 3);
  const auto* embedding = std::get_if<Embedding>(&network.layers.front());
  const std::size_t features = std::accumulate(
      network.input.begin(), network.input.end(), std::size_t{1}, std::multiplies<>());
  std::vector<float> inputs(count * features);
  for (float& input : inputs) {
    input = embedding != nullptr ? static_cast<float>(rng.below(embedding->tokens))
                                 : static_cast<float>(rng.normal());
  }
  return inputs;
}

/// Normal inputs of `features` numbers with labels at random, 40 samples a split.
inline std::shared_ptr<const Dataset> labelled_noise(std::size_t features,
                                                     std::size_t classes,
                                                     Rng& rng) {
  auto data = std::make_shared<Dataset>();
  for (Samples* samples : {&data->train, &data->test}) {
    samples->count = 40;
    samples->input_shape = {features};
    for (std::size_t i = 0; i < 40 * features; ++i) {
      samples->values.push_back(static_cast<float>(rng.normal()));
    }
    for (std::size_t i = 0; i < 40; ++i) {
      samples->labels.push_back(static_cast<std::int32_t>(rng.below(classes)));
    }
  }
  data->classes = classes;
  return data;
}

/// The outputs of a few of them.
inline std::vector<double> forward(const Network& network,
                                   const std::vector<float>& theta,
                                   std::uint64_t seed) {
  constexpr std::size_t count = 12;
  const std::vector<float> inputs = samples_for(network, seed, count);
  std::vector<float> outputs(count * output_size(network));
  const std::unique_ptr<Engine> engine = make_dnn_engine(network, count);
  const std::size_t streams = is_recurrent(network) ? 2 : 1;
  engine->forward(theta, {.count = count, .inputs = inputs.data(), .streams = streams}, outputs);
  return {outputs.begin(), outputs.end()};
}

}  // namespace isthmus::testing
