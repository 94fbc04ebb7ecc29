// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "isthmus/net/layout.h"

namespace isthmus {

/// A string: the polyline through M parameter vectors (beads), end points included.
struct Path {
  std::size_t dimension = 0;  ///< P
  std::vector<float> beads;   ///< (M, P) row-major, from end point A to end point B

  std::size_t size() const { return dimension == 0 ? 0 : beads.size() / dimension; }
  std::size_t segments() const { return size() < 2 ? 0 : size() - 1; }
  std::span<const float> bead(std::size_t i) const {
    return std::span(beads).subspan(i * dimension, dimension);
  }
};

/// theta(t) = (1 - t) a + t b, computed in double and rounded once to float: the definition of the
/// points between two beads everywhere in this project. t = 0 and t = 1 give a and b themselves,
/// bit for bit, whatever they hold.
void interpolate(std::span<const float> a,
                 std::span<const float> b,
                 double t,
                 std::span<float> theta);

/// ||b - a||^2, summed in double in the order of the numbers.
double squared_distance(std::span<const float> a, std::span<const float> b);

/// Euclidean lengths, summed in double.
struct PathLength {
  double length = 0.0;             ///< sum over segments of ||b_{i+1} - b_i||
  double endpoint_distance = 0.0;  ///< ||b_{M-1} - b_0||
  /// length / endpoint_distance; 1 for a path that does not leave one point, infinite for one that
  /// leaves it and comes back.
  double normalized = 1.0;
};

enum class Coordinates {
  all,      ///< every parameter
  weights,  ///< tensors of role weight alone: the convention of the published lengths
};

/// ||b - a|| over the chosen coordinates.
double distance(std::span<const float> a,
                std::span<const float> b,
                const Layout& layout,
                Coordinates coordinates);

PathLength length_of(const Path& path, const Layout& layout, Coordinates coordinates);

}  // namespace isthmus
