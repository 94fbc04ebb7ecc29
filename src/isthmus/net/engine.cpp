// SPDX-License-Identifier: MIT
#include "isthmus/net/engine.h"

#include <algorithm>

namespace isthmus {
namespace {

constexpr std::size_t widest_population = 64;

bool fits_population(const Network& network) {
  if (!is_perceptron(network)) {
    return false;
  }
  return std::ranges::all_of(
      shapes(network), [](const Shape& shape) { return size_of(shape) <= widest_population; });
}

}  // namespace

std::unique_ptr<Engine> make_engine(const Network& network, std::size_t largest_batch) {
  return fits_population(network) ? make_population_engine(network)
                                  : make_dnn_engine(network, largest_batch);
}

}  // namespace isthmus
