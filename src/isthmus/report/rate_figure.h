// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace isthmus {

/// A quantity that falls with the width, for one input dimension.
struct RateLine {
  std::size_t inputs = 0;                         ///< n
  std::vector<std::pair<double, double>> points;  ///< (width, value), all positive
  double slope = 0.0;
  double error = 0.0;  ///< of the slope
};

/// The figure of `isthmus theory rate` as SVG, both axes logarithmic: the points of each line,
/// joined, and from its first point a dashed line of slope -1/(n - 1) and a dotted one of -1/n.
/// Throws UsageError for no line, or one without points.
std::string svg_rate(const std::vector<RateLine>& lines);

}  // namespace isthmus
