// SPDX-License-Identifier: MIT
#include "isthmus/net/network.h"

#include <functional>
#include <numeric>
#include <variant>

namespace isthmus {

std::size_t size_of(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::size_t{1}, std::multiplies<>());
}

std::size_t output_size(const Network& network) {
  return size_of(shapes(network).back());
}

bool is_recurrent(const Network& network) {
  return state_size(network) > 0;
}

std::size_t state_size(const Network& network) {
  std::size_t size = 0;
  for (const Layer& layer : network.layers) {
    if (const auto* lstm = std::get_if<Lstm>(&layer)) {
      size += 2 * lstm->features;
    }
  }
  return size;
}

bool is_perceptron(const Network& network) {
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const Layer& layer = network.layers[i];
    const auto* activation = std::get_if<Activation>(&layer);
    const bool elementwise = activation && activation->kind != Activation::Kind::softmax;
    const bool leading_flatten = i == 0 && std::holds_alternative<Flatten>(layer);
    if (!std::holds_alternative<Linear>(layer) && !elementwise && !leading_flatten) {
      return false;
    }
  }
  return !network.layers.empty();
}

}  // namespace isthmus
