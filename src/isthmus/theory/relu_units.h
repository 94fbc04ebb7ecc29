// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <vector>

#include "isthmus/theory/layers.h"
#include "isthmus/theory/relu_path.h"

// Within the room: a network of one hidden ReLU layer as its units, f(x) = sum_i beta_i z(w_i) + c.
namespace isthmus::theory {

/// Biases of the hidden layer are the last column of w (x then ends in 1), c is the output's.
struct Units {
  Matrix w;     ///< (m, d)
  Matrix beta;  ///< (m, outputs)
  Vector c;     ///< (outputs), zero without biases

  Index count() const { return w.rows(); }
  /// The units at some places, in that order.
  Units at(const std::vector<Index>& places) const;
};

/// The samples and the penalty, in the form that formulas want.
struct ReluSamples {
  explicit ReluSamples(const ReluProblem& problem);

  Matrix x;      ///< (N, d)
  Matrix y;      ///< (N, outputs)
  Matrix sigma;  ///< E x x^T, (d, d)
  double kappa = 0.0;
  bool biases = false;
};

Units units_of(const ReluNetwork& network, std::span<const double> theta);
std::vector<double> theta_of(const ReluNetwork& network, const Units& units);

/// Numbers of float32, so that a path file holds the points that were evaluated.
Matrix rounded(const Matrix& values);
Units rounded(const Units& units);

/// (N, m): z(w_i) of every sample.
Matrix features(const ReluSamples& samples, const Matrix& w);

/// F and its first term.
struct ReluValue {
  double data = 0.0;   ///< E |f - y|^2
  double total = 0.0;  ///< + kappa sum_i |beta_i|
};
ReluValue value_of(const ReluSamples& samples, const Matrix& z, const Units& units);
ReluValue value_of(const ReluSamples& samples, const Units& units);

}  // namespace isthmus::theory
