// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <numeric>
#include <variant>
#include <vector>

#include "isthmus/core/rng.h"
#include "isthmus/net/engine.h"
#include "isthmus/net/symmetry/symmetry.h"

namespace isthmus::testing {

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

/// The outputs of a few random samples: tokens where the network begins with an embedding.
inline std::vector<double> forward(const Network& network,
                                   const std::vector<float>& theta,
                                   std::uint64_t seed) {
  constexpr std::size_t count = 12;
  Rng rng(seed, 3);
  const auto* embedding = std::get_if<Embedding>(&network.layers.front());
  const std::size_t features = std::accumulate(
      network.input.begin(), network.input.end(), std::size_t{1}, std::multiplies<>());
  std::vector<float> inputs(count * features);
  for (float& input : inputs) {
    input = embedding != nullptr ? static_cast<float>(rng.below(embedding->tokens))
                                 : static_cast<float>(rng.normal());
  }
  std::vector<float> outputs(count * output_size(network));
  const std::unique_ptr<Engine> engine = make_dnn_engine(network, count);
  const std::size_t streams = is_recurrent(network) ? 2 : 1;
  engine->forward(theta, {.count = count, .inputs = inputs.data(), .streams = streams}, outputs);
  return {outputs.begin(), outputs.end()};
}

}  // namespace isthmus::testing
