// SPDX-License-Identifier: MIT
#include "isthmus/data/generated.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"

namespace isthmus {
namespace {

Samples empty_samples(std::size_t count) {
  if (count == 0) {
    throw UsageError("points of a generated task: expected at least 1, got 0");
  }
  Samples samples;
  samples.count = count;
  samples.input_shape = {1};
  samples.values.reserve(count);
  samples.targets.reserve(count);
  return samples;
}

// The target belongs to the input as the network sees it, rounded to float.
void add_sample(Samples& samples, Polynomial task, double x) {
  const auto input = static_cast<float>(x);
  samples.values.push_back(input);
  samples.targets.push_back(static_cast<float>(value_at(task, static_cast<double>(input))));
}

}  // namespace

double value_at(Polynomial task, double x) {
  if (task == Polynomial::quadratic) {
    return (0.5 * x + 0.25) * x + 0.1;
  }
  return ((8.0 * x - 10.0) * x + 3.0) * x;
}

Samples midpoint_samples(Polynomial task, std::size_t points) {
  Samples samples = empty_samples(points);
  for (std::size_t i = 0; i < points; ++i) {
    add_sample(samples, task, (static_cast<double>(i) + 0.5) / static_cast<double>(points));
  }
  return samples;
}

Samples random_samples(Polynomial task,
                       std::size_t count,
                       std::uint64_t seed,
                       std::uint64_t stream) {
  Samples samples = empty_samples(count);
  Rng rng(seed, stream);
  for (std::size_t i = 0; i < count; ++i) {
    add_sample(samples, task, rng.uniform());
  }
  return samples;
}

std::vector<double> two_gaussians_points(double covariance,
                                         std::size_t count,
                                         bool symmetric,
                                         std::uint64_t seed) {
  Rng rng(seed, stream_name({0x6761757373U}));
  const double small = std::sqrt(covariance);
  std::vector<double> points;
  points.reserve(2 * count);
  while (points.size() < 2 * count) {
    const double along = rng.normal();
    const double across = small * rng.normal();
    if (!symmetric) {
      const bool first = points.size() % 4 == 0;
      points.insert(points.end(), {first ? along : across, first ? across : along});
      continue;
    }
    for (const int signs : {0, 1, 2, 3}) {
      const double x = signs % 2 == 0 ? along : -along;
      const double y = signs / 2 == 0 ? across : -across;
      points.insert(points.end(), {x, y, y, x});
    }
  }
  return points;
}

Samples two_gaussians_samples(double covariance, std::size_t count, std::uint64_t seed) {
  if (!(covariance > 0.0 && covariance <= 1e6)) {
    throw UsageError(fmt::format("covariance: expected a number in (0, 1e6], got {}", covariance));
  }
  if (count == 0 || count > 100000 || count % 8 != 0) {
    throw UsageError(
        fmt::format("samples: expected a multiple of 8 from 8 to 100000, got {}", count));
  }
  Samples samples;
  samples.count = count;
  samples.input_shape = {2};
  for (const double x : two_gaussians_points(covariance, count, true, seed)) {
    samples.values.push_back(static_cast<float>(x));
    samples.targets.push_back(std::max(0.0F, static_cast<float>(x)));
  }
  return samples;
}

std::array<double, 2> poor_minimum_target(std::size_t row, double x, double y) {
  if (row + 1 < poor_minimum_rows) {
    return {std::max(0.0, x), std::max(0.0, y)};
  }
  const auto& [first, second] = poor_minimum_units;
  return {std::max(0.0, first[0] * x + first[1] * y), std::max(0.0, second[0] * x + second[1] * y)};
}

Samples poor_minimum_samples(double covariance, std::size_t count, std::uint64_t seed) {
  const Samples points = two_gaussians_samples(covariance, count, seed);
  Samples samples;
  samples.count = poor_minimum_rows * count;
  samples.input_shape = {2};
  for (std::size_t i = 0; i < count; ++i) {
    const float x = points.values[2 * i];
    const float y = points.values[2 * i + 1];
    for (std::size_t row = 0; row < poor_minimum_rows; ++row) {
      samples.values.insert(samples.values.end(), {x, y});
      for (const double target : poor_minimum_target(row, x, y)) {
        samples.targets.push_back(static_cast<float>(target));
      }
    }
  }
  return samples;
}

Points equilateral_points() {
  const double height = 0.5 * std::sqrt(3.0);
  return {{{1.0, 0.0}, {-0.5, height}, {-0.5, -height}}};
}

Samples permuted_points_samples(const Points& points) {
  Samples samples;
  samples.count = points.size();
  samples.input_shape = {2};
  for (std::size_t i = 0; i < points.size(); ++i) {
    for (const double x : points[i]) {
      samples.values.push_back(static_cast<float>(x));
    }
    for (const double y : points[(i + 1) % points.size()]) {
      samples.targets.push_back(static_cast<float>(y));
    }
  }
  return samples;
}

}  // namespace isthmus
