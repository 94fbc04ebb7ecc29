// SPDX-License-Identifier: MIT
#include "isthmus/net/engine.h"

#include <algorithm>

#include "isthmus/core/error.h"
#include "isthmus/net/dnn/loss.h"

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

bool takes_weights(const Network& network) {
  return !fits_population(network);
}

void losses_of_outputs(Loss loss,
                       const BatchView& batch,
                       std::span<const float> outputs,
                       std::span<double> losses) {
  ISTHMUS_ASSERT(losses.size() == batch.count && batch.count > 0, "a loss for every sample");
  const std::size_t width = outputs.size() / batch.count;
  for (std::size_t i = 0; i < losses.size(); ++i) {
    const BatchView sample{
        .count = 1,
        .targets = batch.targets == nullptr ? nullptr : batch.targets + i * width,
        .labels = batch.labels == nullptr ? nullptr : batch.labels + i};
    losses[i] = dnn::sum_of_losses(loss, sample, width, outputs.data() + i * width, nullptr, 0.0);
  }
}

}  // namespace isthmus
