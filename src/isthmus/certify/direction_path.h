// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "isthmus/certify/exact.h"

namespace isthmus {

/// W2 of a network of two hidden units and at most two outputs: of[output][unit].
struct OutputWeights {
  std::array<std::array<double, 2>, 2> of{};
};

/// A path of low loss from the network 2-2-k without biases with W1 = I and W2 = `weights` to the
/// same with its units exchanged, (M, dimension) row-major.
///
/// With W1 fixed the best W2 solves least squares, and the loss is a function of the directions of
/// the two units. On a grid of `directions` (a multiple of 4) for each, the way whose largest loss
/// is smallest is found exactly (Dijkstra's algorithm with maxima for sums), then one of fewest
/// steps that is as good up to 2e-4; steps that rise above that level by more than 5e-4 are halved.
/// No bound: ask maximum_on_path().
std::vector<double> best_exchange_path(const RegressionData& data,
                                       const ReluNetwork& network,
                                       OutputWeights weights,
                                       std::size_t directions);

}  // namespace isthmus
