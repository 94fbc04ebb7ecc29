// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <limits>
#include <vector>

#include "isthmus/theory/lasso.h"

// Within the room: networks of few units, found by descent. Each is an upper bound of a minimum
// that nobody computes.
namespace isthmus::theory {

/// Fixed units, from the best output weights down to one unit: `order` has the units whose weights
/// are not zero at the lasso's optimum in the order in which they are given up. The unit that goes
/// is the one whose loss costs least by the inverse of the Gram matrix of those that are left,
/// which are then fitted again; of more than 64 an eighth of the rest goes at once.
std::vector<Index> elimination_order(const Quadratic& quadratic, double kappa, Matrix beta);

/// How far units may move.
struct Freedom {
  double radius = 1.0;                                     ///< |w_i| stays below it
  double angle = std::numeric_limits<double>::infinity();  ///< from where w_i began; keeps |w_i|
};

/// Gradient steps on w, scaled by E x x^T, with the best beta after each; a step that does not
/// lower F is halved. Ends after `rounds`, or eight steps in a row that did not.
Units polish(const ReluSamples& samples, Units units, const Freedom& freedom, std::size_t rounds);

}  // namespace isthmus::theory
