// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "isthmus/theory/relu_units.h"

// Within the room: the best output weights of fixed units.
namespace isthmus::theory {

/// The quadratic part of F as a function of beta, the output's bias at its best.
struct Quadratic {
  /// z (N, m) are the features.
  Quadratic(const ReluSamples& samples, const Matrix& z);

  Matrix gram;         ///< E z z^T, (m, m), centred where there is a bias
  Matrix correlation;  ///< E z y^T, (m, outputs), likewise
  Vector z_mean;       ///< zero without a bias
  Vector y_mean;       ///< likewise

  /// The output's bias that goes with beta.
  Vector bias(const Matrix& beta) const { return y_mean - beta.transpose() * z_mean; }
};

/// Brings `beta` to the minimum of tr(beta^T G beta) - 2 tr(C^T beta) + kappa sum_i |beta_i|
/// (Euclidean norms of rows: the lasso for one output, the group lasso for several) over the rows
/// at `support`, others as they are zero, by cyclic descent over blocks (Friedman, Hastie and
/// Tibshirani 2010): sweeps over all, then over those that are not zero, until nothing moves by
/// more than 1e-12 of the largest, or `sweeps` are spent.
void descend(const Quadratic& quadratic,
             double kappa,
             const std::vector<Index>& support,
             std::size_t sweeps,
             Matrix& beta);

/// F(units) less what the dual problem proves about the minimum over its beta: scaled residuals are
/// feasible for it. Infinity without a penalty, unless the gradient vanishes.
double duality_gap(const ReluSamples& samples, const Matrix& z, const Units& units);

/// Places 0, ..., count - 1, and those of rows that are not zero.
std::vector<Index> all_places(Index count);
std::vector<Index> active_places(const Matrix& beta);

}  // namespace isthmus::theory
