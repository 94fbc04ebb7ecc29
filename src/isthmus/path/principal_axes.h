// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "isthmus/path/path.h"

namespace isthmus {

/// The principal axes of the beads of a path (appendix D of Freeman & Bruna), exact for any number
/// of parameters: they follow from the inner products of the M centred beads. A projection shows
/// part of the truth: `shares` and `off` say how large a part.
struct PrincipalAxes {
  std::size_t beads = 0;            ///< M
  std::vector<double> variances;    ///< (K <= M - 1): of the beads along each axis, descending,
                                    ///< divided by M; those that rounding leaves are not listed
  std::vector<double> shares;       ///< (K): of the sum of all variances
  std::vector<double> coordinates;  ///< (M, K): of the beads, from their mean; along each axis the
                                    ///< last bead is not before the first
  /// Coordinate of bead i along axis k; 0 for an axis that the beads do not have.
  double at(std::size_t i, std::size_t k) const {
    return k < variances.size() ? coordinates[i * variances.size() + k] : 0.0;
  }
  /// Distance of bead i from the space of the first `shown` axes.
  double off(std::size_t i, std::size_t shown) const;
};

/// Inner products of the beads, from their mean: (M, M), row-major, summed in double. Takes
/// M^2 P / 2 multiplications and memory for some blocks of M numbers beside the path.
std::vector<double> centred_products(const Path& path);

/// Throws UsageError for fewer than two beads. Beads that are all one point have no axis.
PrincipalAxes principal_axes(const Path& path);

}  // namespace isthmus
