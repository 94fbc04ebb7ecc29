// SPDX-License-Identifier: MIT
#include "isthmus/theory/rate.h"

#include <fmt/format.h>

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <limits>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"
#include "isthmus/theory/decompositions.h"
#include "isthmus/theory/relu_nodes.h"

namespace isthmus {
namespace {

using theory::Index;
using theory::Matrix;
using theory::Units;
using theory::Vector;

constexpr std::uint64_t rate_purpose = 0x72617465;  // "rate"

struct Merged {
  Units units;
  double cost = 0.0;  // sum |beta_k| d_k
};

// Gives up columns until `left` carry weights, always the one for which |beta_k| times the distance
// to the nearest that is left is least; that one takes its weight.
Merged merge(Units units, Index left) {
  const Index m = units.count();
  Matrix distance(m, m);
  for (Index i = 0; i < m; ++i) {
    distance.col(i) = (units.w.rowwise() - units.w.row(i)).rowwise().norm();
    distance(i, i) = std::numeric_limits<double>::infinity();
  }
  Merged merged;
  for (Index count = m; count > left; --count) {
    Index giver = 0;
    Index taker = 0;
    double least = std::numeric_limits<double>::infinity();
    for (Index k = 0; k < m; ++k) {
      Index nearest = 0;
      const double price = std::abs(units.beta(k, 0)) * distance.col(k).minCoeff(&nearest);
      if (price < least) {
        least = price;
        giver = k;
        taker = nearest;
      }
    }
    merged.cost += least;
    units.beta(taker, 0) += units.beta(giver, 0);
    units.beta(giver, 0) = 0.0;
    distance.row(giver).setConstant(std::numeric_limits<double>::infinity());
    distance.col(giver).setConstant(std::numeric_limits<double>::infinity());
  }
  merged.units = theory::rounded(units);
  return merged;
}

Units drawn_units(const theory::ReluSamples& samples, Index m, double ridge, Rng& random) {
  Units units{.w = Matrix(m, samples.x.cols()), .beta = {}, .c = Vector::Zero(1)};
  for (Index i = 0; i < m; ++i) {
    for (Index j = 0; j < units.w.cols(); ++j) {
      units.w(i, j) = random.normal();
    }
    units.w.row(i).normalize();
  }
  units.w = theory::rounded(units.w);
  const Matrix z = theory::features(samples, units.w);
  const auto count = static_cast<double>(z.rows());
  const Matrix gram =
      z.transpose() * z / count + ridge * static_cast<double>(m) / 8.0 * Matrix::Identity(m, m);
  units.beta = theory::rounded(gram.llt().solve(z.transpose() * samples.y / count));
  return units;
}

ReluProblem drawn_problem(const RateOptions& options, Rng& random) {
  ReluProblem problem{.network = {.inputs = options.inputs, .hidden = options.hidden, .outputs = 1},
                      .inputs = std::vector<double>(options.samples * options.inputs),
                      .targets = std::vector<double>(options.samples),
                      .kappa = 0.0};
  const auto n = static_cast<Index>(options.inputs);
  Matrix directions(n, 2);
  for (Index k = 0; k < 2; ++k) {
    for (Index j = 0; j < n; ++j) {
      directions(j, k) = random.normal();
    }
    directions.col(k).normalize();
  }
  for (std::size_t s = 0; s < options.samples; ++s) {
    Vector x(n);
    for (Index j = 0; j < n; ++j) {
      x(j) = problem.inputs[s * options.inputs + static_cast<std::size_t>(j)] = random.normal();
    }
    problem.targets[s] =
        std::sin(directions.col(0).dot(x)) + 0.5 * std::cos(directions.col(1).dot(x));
  }
  return problem;
}

}  // namespace

RateCase rate_case(const RateOptions& options, std::size_t index) {
  const ReluNetwork network{.inputs = options.inputs, .hidden = options.hidden, .outputs = 1};
  check_sizes(network, options.samples);
  if (options.hidden < 4 || options.hidden % 2 != 0) {
    throw UsageError(fmt::format(
        "widths: expected even numbers of hidden units from 4 on, half of them free, got {}",
        options.hidden));
  }
  if (!(options.ridge > 0.0 && options.ridge <= 1e30)) {
    throw UsageError(fmt::format("ridge: expected a finite number > 0, got {}", options.ridge));
  }
  Rng random(options.seed, stream_name({rate_purpose, options.inputs, options.hidden, index}));
  RateCase found{.problem = drawn_problem(options, random), .points = {}};
  validate(found.problem);
  const theory::ReluSamples samples(found.problem);
  const auto m = static_cast<Index>(options.hidden);
  const double norm = std::sqrt(theory::largest_eigenvalue(samples.sigma));
  Units start[2];
  Merged merged[2];
  double loss[2];
  for (int end = 0; end < 2; ++end) {
    start[end] = drawn_units(samples, m, options.ridge, random);
    merged[end] = merge(start[end], m / 2);
    const Matrix z = theory::features(samples, start[end].w);
    loss[end] = value_of(samples, z, merged[end].units).total;
    found.level = std::max(found.level, value_of(samples, z, start[end]).total);
    found.perturbation = std::max(found.perturbation, norm * merged[end].cost);
    const Matrix difference = z * (start[end].beta - merged[end].units.beta);
    found.change = std::max(found.change, difference.squaredNorm() / static_cast<double>(z.rows()));
  }
  found.epsilon = std::max(loss[0], loss[1]);
  const Units& best = merged[loss[0] <= loss[1] ? 0 : 1].units;
  std::vector<Index> used;
  for (Index i = 0; i < m; ++i) {
    if (best.beta(i, 0) != 0.0) {
      used.push_back(i);
    }
  }
  found.points =
      theory::path_nodes(network,
                         {.start = start[0], .lasso = start[0], .pruned = merged[0].units},
                         {.start = start[1], .lasso = start[1], .pruned = merged[1].units},
                         best.at(used),
                         static_cast<std::size_t>(m / 2));
  return found;
}

PowerLaw fit_power_law(std::span<const double> x, std::span<const double> y) {
  double mean_x = 0.0;
  double mean_y = 0.0;
  const auto count = static_cast<double>(x.size());
  for (std::size_t i = 0; i < x.size() && x.size() == y.size(); ++i) {
    if (!(x[i] > 0.0 && y[i] > 0.0)) {
      throw UsageError("power law: expected positive numbers");
    }
    mean_x += std::log(x[i]) / count;
    mean_y += std::log(y[i]) / count;
  }
  double square = 0.0;
  double product = 0.0;
  for (std::size_t i = 0; i < x.size() && x.size() == y.size(); ++i) {
    square += std::pow(std::log(x[i]) - mean_x, 2);
    product += (std::log(x[i]) - mean_x) * (std::log(y[i]) - mean_y);
  }
  if (!(square > 0.0)) {
    throw UsageError("power law: expected as many x as y, two different x at least");
  }
  PowerLaw law{.slope = product / square, .error = std::numeric_limits<double>::quiet_NaN()};
  double residual = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    residual += std::pow(std::log(y[i]) - mean_y - law.slope * (std::log(x[i]) - mean_x), 2);
  }
  if (x.size() > 2) {
    law.error = std::sqrt(residual / (count - 2.0) / square);
  }
  return law;
}

}  // namespace isthmus
