// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "isthmus/theory/relu_path.h"

namespace isthmus {

/// A pair of dense networks of one hidden ReLU layer, without biases and without a penalty (kappa =
/// 0): inputs N(0, I), the target sin <a, x> + cos <b, x> / 2 with random unit vectors a and b,
/// unit columns drawn at random, and output weights of ridge regression with the penalty ridge * m
/// / 8. Optimal l1 weights would be sparse and lose nothing; dense ones show a rate.
struct RateOptions {
  std::size_t inputs = 3;      ///< n
  std::size_t hidden = 64;     ///< m, even
  std::size_t samples = 2000;  ///< N
  double ridge = 1e-3;
  std::uint64_t seed = 1;
};

/// What Corollary 2.5 does to such a pair: columns are merged with near ones until m / 2 carry all
/// output weights, and the path of Theorem 2.4 goes through what is left, l = m / 2.
struct RateCase {
  ReluProblem problem;
  std::vector<double> points;  ///< (12, P), see ReluPath::points
  double level = 0.0;          ///< lambda: the larger loss of the two ends
  double epsilon = 0.0;        ///< the largest loss of the merged ends and of the oracle
  /// Of the end for which it is larger: v = sqrt |Sigma| sum |beta_k| d_k over the columns that
  /// were given up, d_k the distance to the one that took the weight; it bounds the next.
  double perturbation = 0.0;
  double change = 0.0;  ///< E (f - f merged)^2
};

/// Case `index`. Equal arguments give equal numbers. Throws UsageError for an odd number of hidden
/// units or less than 4, a ridge that is not positive and finite, and as validate().
RateCase rate_case(const RateOptions& options, std::size_t index);

/// The least-squares line through (log x, log y).
struct PowerLaw {
  double slope = 0.0;
  double error = 0.0;  ///< standard error of the slope; NaN for fewer than three points
};

/// Throws UsageError unless there are as many x as y, at least two different x, all positive.
PowerLaw fit_power_law(std::span<const double> x, std::span<const double> y);

}  // namespace isthmus
