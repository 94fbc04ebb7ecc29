// SPDX-License-Identifier: MIT
#include "isthmus/theory/risk_gap.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "isthmus/core/error.h"

namespace isthmus {

double star_discrepancy(std::vector<double> points) {
  if (points.empty()) {
    throw UsageError("discrepancy: expected at least one point");
  }
  std::ranges::sort(points);
  if (!(points.front() >= 0.0 && points.back() <= 1.0)) {
    throw UsageError(fmt::format(
        "discrepancy: expected points in [0, 1], got {} to {}", points.front(), points.back()));
  }
  const auto count = static_cast<double>(points.size());
  double largest = 0.0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const double middle = (2.0 * static_cast<double>(i) + 1.0) / (2.0 * count);
    largest = std::max(largest, 0.5 / count + std::abs(points[i] - middle));
  }
  return largest;
}

double variation(std::span<const double> values) {
  double sum = 0.0;
  for (std::size_t i = 1; i < values.size(); ++i) {
    sum += std::abs(values[i] - values[i - 1]);
  }
  return sum;
}

double koksma_bound(double variation, double first_discrepancy, double second_discrepancy) {
  return variation * (first_discrepancy + second_discrepancy);
}

}  // namespace isthmus
