// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "isthmus/theory/relu_path.h"

namespace isthmus {

/// Samples of a random task: inputs N(0, I), the target a sum of 20 random ReLU units of unit
/// norm with output weights N(0, 1 / 20), plus noise of deviation 0.1.
struct ReluTaskOptions {
  std::size_t inputs = 5;   ///< n
  std::size_t hidden = 32;  ///< m, of the networks that are joined
  std::size_t outputs = 1;
  std::size_t samples = 1000;  ///< N
  double kappa = 0.01;
  std::uint64_t seed = 1;
};

/// Task `index`, networks without biases. Equal arguments give equal numbers. Throws as validate().
ReluProblem random_relu_problem(const ReluTaskOptions& options, std::size_t index);

/// Two networks of a problem, (P) each, numbers of float32: columns uniform on the unit sphere
/// (biases among their coordinates), with the best output weights for F. Throws as validate().
struct ReluPair {
  std::vector<double> a;
  std::vector<double> b;
};
ReluPair random_relu_pair(const ReluProblem& problem, std::uint64_t seed, std::size_t index);

/// Inputs (N, features) on `count` random directions, (N, count), each coordinate shifted and
/// scaled to mean 0 and deviation 1. Throws UsageError for inputs that are constant there, or sizes
/// that do not fit.
std::vector<double> projected(const std::vector<double>& inputs,
                              std::size_t features,
                              std::size_t count,
                              std::uint64_t seed);

}  // namespace isthmus
