// SPDX-License-Identifier: MIT
#include "isthmus/path/path.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "isthmus/core/error.h"

namespace isthmus {

void interpolate(std::span<const float> a,
                 std::span<const float> b,
                 double t,
                 std::span<float> theta) {
  ISTHMUS_ASSERT(a.size() == theta.size() && b.size() == theta.size(), "vectors of one length");
  // Not by the formula, which turns -0 into +0, and anything beside an infinity into NaN.
  if (t == 0.0 || t == 1.0) {
    std::ranges::copy(t == 0.0 ? a : b, theta.begin());
    return;
  }
  const double left = 1.0 - t;
  for (std::size_t i = 0; i < theta.size(); ++i) {
    theta[i] = static_cast<float>(left * static_cast<double>(a[i]) + t * static_cast<double>(b[i]));
  }
}

double squared_distance(std::span<const float> a, std::span<const float> b) {
  ISTHMUS_ASSERT(a.size() == b.size(), "vectors of one length");
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double step = static_cast<double>(b[i]) - static_cast<double>(a[i]);
    sum += step * step;
  }
  return sum;
}

double distance(std::span<const float> a,
                std::span<const float> b,
                const Layout& layout,
                Coordinates coordinates) {
  ISTHMUS_ASSERT(a.size() == layout.dimension() && b.size() == layout.dimension(),
                 "vectors of the layout");
  double sum = 0.0;
  for (const Tensor& tensor : layout.tensors()) {
    if (coordinates == Coordinates::weights && tensor.role != Role::weight) {
      continue;
    }
    for (std::size_t i = tensor.offset; i < tensor.offset + tensor.size(); ++i) {
      const double difference = static_cast<double>(b[i]) - static_cast<double>(a[i]);
      sum += difference * difference;
    }
  }
  return std::sqrt(sum);
}

PathLength length_of(const Path& path, const Layout& layout, Coordinates coordinates) {
  PathLength result;
  for (std::size_t i = 0; i < path.segments(); ++i) {
    result.length += distance(path.bead(i), path.bead(i + 1), layout, coordinates);
  }
  if (path.size() >= 2) {
    result.endpoint_distance =
        distance(path.bead(0), path.bead(path.size() - 1), layout, coordinates);
  }
  if (result.endpoint_distance > 0.0) {
    result.normalized = result.length / result.endpoint_distance;
  } else if (result.length > 0.0) {
    result.normalized = std::numeric_limits<double>::infinity();
  }
  return result;
}

}  // namespace isthmus
