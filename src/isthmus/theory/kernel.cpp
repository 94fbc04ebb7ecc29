// SPDX-License-Identifier: MIT
#include "isthmus/theory/kernel.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"
#include "isthmus/theory/decompositions.h"
#include "isthmus/theory/layers.h"

namespace isthmus {
namespace {

using namespace theory;

// The bounds for unit weights, from the kernel's value, E z(w_m)^2 and E X X^T.
struct Pair {
  Vector w1;
  Vector w2;

  Vector mean() const {
    const Vector sum = w1 + w2;
    if (sum.norm() > 0.0) {
      return sum.normalized();
    }
    return w1;  // opposite weights have none; its factor (1 + cos a) / 2 is then 0
  }
  KernelBounds bounds(double value, double mean_square, const Matrix& second_moment) const {
    const double half_gap = 0.25 * (w2 - w1).squaredNorm();  // (1 - cos a) / 2 without cancellation
    const double closeness = 0.25 * (w1 + w2).squaredNorm();
    const double cosine = closeness - half_gap;
    const double norm = largest_eigenvalue(second_moment);
    const Vector d = 0.5 * (w2 - w1);
    KernelBounds result;
    result.angle = 2.0 * std::atan2(std::sqrt(half_gap), std::sqrt(closeness));
    result.value = value;
    result.upper = closeness * mean_square;
    result.lower = result.upper - d.dot(second_moment * d);
    result.uniform = result.upper - norm * half_gap;
    // sin^2 a = 4 cos^2(a / 2) sin^2(a / 2)
    result.printed = result.upper - 2.0 * norm * (half_gap + 4.0 * half_gap * closeness);
    result.false_upper = cosine * mean_square;
    return result;
  }
};

Vector unit(std::span<const double> weights, const char* name) {
  const Vector w = Eigen::Map<const Vector>(weights.data(), static_cast<Index>(weights.size()));
  if (!(w.norm() > 0.0) || !(w.cwiseAbs().maxCoeff() <= 1e30)) {
    throw UsageError(fmt::format("{}: expected numbers of at most 1e30 that are not all 0", name));
  }
  return w.normalized();
}

// Of a centred Gaussian: the probability that both units are active, E z(w1) z(w2) and E z(w1)^2
// z(w2)^2, by the arc-cosine kernels of order 0, 1 and 2.
struct Moments {
  double active = 0.0;
  double first = 0.0;
  double second = 0.0;
};

Moments arc_cosine(const Matrix& covariance, const Vector& w1, const Vector& w2) {
  const double a = std::sqrt(w1.dot(covariance * w1));
  const double b = std::sqrt(w2.dot(covariance * w2));
  if (a == 0.0 || b == 0.0) {
    return {};
  }
  const double cosine = std::clamp(w1.dot(covariance * w2) / (a * b), -1.0, 1.0);
  const double angle = std::acos(cosine);
  const double sine = std::sin(angle);
  const double rest = std::numbers::pi - angle;
  return {.active = rest / (2.0 * std::numbers::pi),
          .first = a * b / (2.0 * std::numbers::pi) * (sine + rest * cosine),
          .second = a * a * b * b / (2.0 * std::numbers::pi) *
                    (3.0 * sine * cosine + rest * (1.0 + 2.0 * cosine * cosine))};
}

Matrix normal_matrix(Rng& rng, Index rows, Index columns) {
  Matrix result(rows, columns);
  for (double& value : std::span(result.data(), static_cast<std::size_t>(result.size()))) {
    value = rng.normal();
  }
  return result;
}

Matrix random_root(Rng& rng, Index n) {
  const Index rank = 1 + static_cast<Index>(rng.below(static_cast<std::uint64_t>(n)));
  Matrix root = normal_matrix(rng, n, rank);
  for (Index i = 0; i < rank; ++i) {
    root.col(i) *= std::pow(10.0, rng.uniform(-2.0, 0.5));
  }
  return root;
}

constexpr int degrees = 6;

double chi_square(Rng& rng) {
  double sum = 0.0;
  for (int i = 0; i < degrees; ++i) {
    const double x = rng.normal();
    sum += x * x;
  }
  return sum;
}

}  // namespace

bool KernelBounds::hold(double slack) const {
  const double s = slack * std::max(std::abs(upper), std::abs(printed));
  return printed <= uniform + s && uniform <= lower + s && lower <= value + s && value <= upper + s;
}

KernelBounds kernel_of_samples(std::span<const double> inputs,
                               std::span<const double> w1,
                               std::span<const double> w2) {
  const std::size_t n = w1.size();
  if (n == 0 || w2.size() != n || inputs.empty() || inputs.size() % n != 0) {
    throw UsageError(
        fmt::format("kernel: expected two weights of one size n > 0 and N * n inputs, got {}, {} "
                    "and {} numbers",
                    n,
                    w2.size(),
                    inputs.size()));
  }
  for (const double value : inputs) {
    if (!(std::abs(value) <= 1e30)) {
      throw UsageError(fmt::format("inputs: expected numbers of at most 1e30, got {}", value));
    }
  }
  const Pair pair{unit(w1, "w1"), unit(w2, "w2")};
  const Matrix x = columns_of(inputs, n);
  const double count = static_cast<double>(x.cols());
  const auto units = [&](const Vector& w) { return Vector((x.transpose() * w).cwiseMax(0.0)); };
  const Vector products = units(pair.w1).cwiseProduct(units(pair.w2));
  KernelBounds result = pair.bounds(
      products.mean(), units(pair.mean()).squaredNorm() / count, x * x.transpose() / count);
  if (x.cols() > 1) {
    const double variance = (products.array() - result.value).square().sum() / (count - 1.0);
    result.error = std::sqrt(variance / count);
  }
  return result;
}

KernelCase random_kernel_case(
    InputLaw law, std::size_t inputs, std::size_t samples, std::uint64_t seed, std::size_t index) {
  if (inputs < 2 || samples == 0) {
    throw UsageError(fmt::format(
        "kernel: expected at least 2 inputs and a sample, got {} and {}", inputs, samples));
  }
  Rng rng(seed, stream_name({0x6b65726e656cu, static_cast<std::uint64_t>(law), index}));
  const auto n = static_cast<Index>(inputs);
  Pair pair{normal_matrix(rng, n, 1).col(0).normalized(), {}};
  Vector other = normal_matrix(rng, n, 1).col(0);
  other = (other - other.dot(pair.w1) * pair.w1).normalized();
  const double angle = rng.uniform(0.0, std::numbers::pi);
  pair.w2 = (std::cos(angle) * pair.w1 + std::sin(angle) * other).normalized();
  std::vector<Matrix> roots{random_root(rng, n)};
  if (law == InputLaw::mixture) {
    roots.push_back(random_root(rng, n));
  }
  // E of the squared scale of the t distribution, nu / chi^2.
  const double scale = law == InputLaw::heavy_tailed
                           ? static_cast<double>(degrees) / static_cast<double>(degrees - 2)
                           : 1.0;
  KernelCase result{.law = law,
                    .w1 = {pair.w1.begin(), pair.w1.end()},
                    .w2 = {pair.w2.begin(), pair.w2.end()},
                    .inputs = {},
                    .exact = {},
                    .deviation = 0.0,
                    .active = 0.0};
  Matrix second_moment = Matrix::Zero(n, n);
  double value = 0.0;
  double square = 0.0;
  for (const Matrix& root : roots) {
    const Matrix covariance = scale / static_cast<double>(roots.size()) * root * root.transpose();
    second_moment += covariance;
    const Moments moments = arc_cosine(covariance, pair.w1, pair.w2);
    value += moments.first;
    result.active += moments.active / static_cast<double>(roots.size());
    // The covariance is a part of the mixture's, so its square is one of that part's square.
    square += static_cast<double>(roots.size()) * moments.second;
  }
  if (law == InputLaw::heavy_tailed) {
    // E of the fourth power of the scale over that of its square, squared.
    square *= static_cast<double>(degrees - 2) / static_cast<double>(degrees - 4);
  }
  result.deviation = std::sqrt(std::max(0.0, square - value * value));
  const Vector mean = pair.mean();
  result.exact = pair.bounds(value, 0.5 * mean.dot(second_moment * mean), second_moment);
  for (std::size_t i = 0; i < samples; ++i) {
    const Matrix& root = roots[rng.below(roots.size())];
    Vector x = root * normal_matrix(rng, root.cols(), 1);
    if (law == InputLaw::heavy_tailed) {
      x *= std::sqrt(static_cast<double>(degrees) / chi_square(rng));
    }
    result.inputs.insert(result.inputs.end(), x.begin(), x.end());
  }
  return result;
}

}  // namespace isthmus
