// SPDX-License-Identifier: MIT
#include "isthmus/theory/linear_instances.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"
#include "isthmus/theory/decompositions.h"
#include "isthmus/theory/layers.h"

namespace isthmus {
namespace {

using namespace theory;

Matrix normal_matrix(Rng& rng, Index rows, Index columns) {
  Matrix result(rows, columns);
  for (double& value : std::span(result.data(), static_cast<std::size_t>(result.size()))) {
    value = rng.normal();
  }
  return result;
}

Matrix orthonormal(Rng& rng, Index rows, Index columns) {
  return householder_q_times(normal_matrix(rng, rows, columns), Matrix::Identity(rows, columns));
}

Matrix layer_of(Rng& rng, EndPoints kind, Index rows, Index columns) {
  const Index r = std::min(rows, columns);
  if (kind == EndPoints::generic) {
    return normal_matrix(rng, rows, columns) / std::sqrt(static_cast<double>(columns));
  }
  if (kind == EndPoints::deficient) {
    const auto rank =
        static_cast<Index>(rng.below(static_cast<std::uint64_t>(r)));  // 0 is a layer of zeros
    return normal_matrix(rng, rows, rank) * normal_matrix(rng, rank, columns) /
           std::sqrt(static_cast<double>(columns) * static_cast<double>(std::max<Index>(rank, 1)));
  }
  Vector s(r);
  for (Index i = 0; i < r; ++i) {
    s[i] = std::pow(10.0, rng.uniform(-18.0, 2.0));
  }
  return orthonormal(rng, rows, r) * s.asDiagonal() * orthonormal(rng, columns, r).transpose();
}

LinearNetwork network_of(Rng& rng, EndPoints kind, const std::vector<std::size_t>& widths) {
  Layers layers;
  for (std::size_t k = 1; k < widths.size(); ++k) {
    layers.push_back(
        layer_of(rng, kind, static_cast<Index>(widths[k]), static_cast<Index>(widths[k - 1])));
  }
  return {widths, theta_of(layers)};
}

std::vector<std::size_t> drawn_widths(Rng& rng, std::size_t layers) {
  constexpr std::uint64_t largest = 32;
  const std::size_t k = layers > 0 ? layers : 2 + rng.below(5);
  const std::size_t inputs = 1 + rng.below(largest - 1);
  const std::size_t outputs = 1 + rng.below(largest - 1);
  const std::size_t m = std::min(inputs, outputs);
  std::vector<std::size_t> widths{inputs};
  for (std::size_t i = 1; i < k; ++i) {
    widths.push_back(m + 1 + rng.below(largest - m));
  }
  widths.push_back(outputs);
  return widths;
}

std::vector<double> numbers_of(const Matrix& matrix) {
  return {matrix.data(), matrix.data() + matrix.size()};
}

}  // namespace

LinearInstance random_instance(const LinearInstanceOptions& options, std::size_t index) {
  if (options.samples == 0) {
    throw UsageError("samples: expected at least 1, got 0");
  }
  if (options.widths.size() == 1) {
    throw UsageError("widths: expected at least inputs and outputs, got one number");
  }
  Rng rng(options.seed, stream_name({0x6c696e656172u, index}));
  LinearInstance instance;
  instance.kind =
      std::array{EndPoints::generic, EndPoints::deficient, EndPoints::graded}[index % 3];
  instance.singular = rng.below(3) == 0;
  instance.attainable = rng.below(4) == 0;
  const std::vector<std::size_t> widths =
      options.widths.empty() ? drawn_widths(rng, options.layers) : options.widths;
  const auto inputs = static_cast<Index>(widths.front());
  const auto outputs = static_cast<Index>(widths.back());
  const auto samples = static_cast<Index>(options.samples);
  const Index rank = instance.singular ? (inputs + 1) / 2 : inputs;
  const Matrix x =
      instance.singular
          ? Matrix(normal_matrix(rng, inputs, rank) * normal_matrix(rng, rank, samples))
          : normal_matrix(rng, inputs, samples);
  Matrix y = normal_matrix(rng, outputs, inputs) * x / std::sqrt(static_cast<double>(inputs));
  if (!instance.attainable) {
    y += 0.3 * normal_matrix(rng, outputs, samples);
  }
  instance.inputs = numbers_of(x);
  instance.targets = numbers_of(y);
  instance.a = network_of(rng, instance.kind, widths);
  instance.b = network_of(rng, instance.kind, widths);
  return instance;
}

}  // namespace isthmus
