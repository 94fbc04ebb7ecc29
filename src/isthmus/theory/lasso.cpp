// SPDX-License-Identifier: MIT
#include "isthmus/theory/lasso.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace isthmus::theory {
namespace {

// One pass of block descent; `slope` is C - G beta. Returns the largest move, in units of what the
// feature makes of it.
double sweep(const Quadratic& quadratic,
             double kappa,
             const std::vector<Index>& places,
             Matrix& beta,
             Matrix& slope) {
  double largest = 0.0;
  for (const Index i : places) {
    const double square = quadratic.gram(i, i);
    if (square <= 0.0) {  // never active: its weight costs, if anything
      beta.row(i) *= kappa > 0.0 ? 0.0 : 1.0;
      continue;
    }
    const Vector pull = slope.row(i).transpose() + square * beta.row(i).transpose();
    const double norm = pull.norm();
    const double shrink = norm > 0.0 ? std::max(0.0, 1.0 - 0.5 * kappa / norm) : 0.0;
    const Vector move = shrink / square * pull - beta.row(i).transpose();
    if (move.squaredNorm() > 0.0) {
      beta.row(i) = shrink / square * pull.transpose();
      slope.noalias() -= quadratic.gram.col(i) * move.transpose();
      largest = std::max(largest, move.norm() * std::sqrt(square));
    }
  }
  return largest;
}

}  // namespace

Quadratic::Quadratic(const ReluSamples& samples, const Matrix& z)
    : z_mean(Vector::Zero(z.cols())), y_mean(Vector::Zero(samples.y.cols())) {
  const auto count = static_cast<double>(z.rows());
  gram = z.transpose() * z / count;
  correlation = z.transpose() * samples.y / count;
  if (samples.biases) {
    z_mean = z.colwise().mean();
    y_mean = samples.y.colwise().mean();
    gram -= z_mean * z_mean.transpose();
    correlation -= z_mean * y_mean.transpose();
  }
}

std::vector<Index> all_places(Index count) {
  std::vector<Index> places(static_cast<std::size_t>(count));
  std::iota(places.begin(), places.end(), static_cast<Index>(0));
  return places;
}

std::vector<Index> active_places(const Matrix& beta) {
  std::vector<Index> places = all_places(beta.rows());
  std::erase_if(places, [&](Index i) { return beta.row(i).squaredNorm() == 0.0; });
  return places;
}

void descend(const Quadratic& quadratic,
             double kappa,
             const std::vector<Index>& support,
             std::size_t sweeps,
             Matrix& beta) {
  Matrix slope = quadratic.correlation - quadratic.gram * beta;
  const double scale = std::sqrt(quadratic.correlation.squaredNorm() + 1e-300);
  const double still = 1e-12 * std::max(scale, beta.norm());
  while (sweeps > 0) {
    --sweeps;
    if (sweep(quadratic, kappa, support, beta, slope) <= still) {
      return;
    }
    std::vector<Index> active = support;
    std::erase_if(active, [&](Index i) { return beta.row(i).squaredNorm() == 0.0; });
    for (std::size_t k = 0; k < 20 && sweeps > 0; ++k) {
      --sweeps;
      if (sweep(quadratic, kappa, active, beta, slope) <= still) {
        break;
      }
    }
  }
}

double duality_gap(const ReluSamples& samples, const Matrix& z, const Units& units) {
  const auto count = static_cast<double>(samples.x.rows());
  Matrix residual = (samples.y - z * units.beta).rowwise() - units.c.transpose();
  if (samples.biases) {
    residual.rowwise() -= residual.colwise().mean().eval();
  }
  const double steepest = (2.0 / count * z.transpose() * residual).rowwise().norm().maxCoeff();
  const double scale = steepest <= samples.kappa ? 1.0 : samples.kappa / steepest;
  if (scale == 0.0) {
    return std::numeric_limits<double>::infinity();
  }
  Matrix target = samples.y;
  if (samples.biases) {
    target.rowwise() -= target.colwise().mean().eval();
  }
  const double dual = (target.squaredNorm() - (target - scale * residual).squaredNorm()) / count;
  return value_of(samples, z, units).total - dual;
}

}  // namespace isthmus::theory
