// SPDX-License-Identifier: MIT
#include "isthmus/theory/oracle.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <utility>

namespace isthmus::theory {
namespace {

constexpr std::size_t sweeps = 60;

// What giving up each unit costs, by the quadratic part: |beta_i|^2 / (G^-1)_ii.
Vector prices(const Matrix& gram, const Matrix& beta) {
  const double ridge = 1e-10 * gram.trace() / static_cast<double>(gram.rows()) + 1e-300;
  const Matrix damped = gram + ridge * Matrix::Identity(gram.rows(), gram.cols());
  const Matrix inverse = damped.ldlt().solve(Matrix::Identity(gram.rows(), gram.cols()));
  return beta.rowwise().squaredNorm().cwiseQuotient(inverse.diagonal().cwiseMax(1e-300));
}

// Back onto the cone around where it began, or into the ball.
void hold(const Freedom& freedom, const Matrix& began, Matrix& w) {
  for (Index i = 0; i < w.rows(); ++i) {
    const double length = w.row(i).norm();
    if (!std::isfinite(freedom.angle)) {
      if (length > freedom.radius) {
        w.row(i) *= freedom.radius / length;
      }
      continue;
    }
    const double kept = began.row(i).norm();
    if (kept == 0.0 || length == 0.0) {
      w.row(i) = began.row(i);
      continue;
    }
    const Vector axis = began.row(i).transpose() / kept;
    const Vector unit = w.row(i).transpose() / length;
    const double cosine = axis.dot(unit);
    Vector aside = unit - cosine * axis;
    const double sine = aside.norm();
    // A little within, so that rounding to float32 does not lead outside.
    const double most = freedom.angle * (1.0 - 1e-6);
    if (sine > 0.0 && std::atan2(sine, cosine) > most) {
      w.row(i) = kept * (std::cos(most) * axis + std::sin(most) / sine * aside).transpose();
    } else {
      w.row(i) = kept * unit.transpose();
    }
  }
}

void refit(const ReluSamples& samples, const Matrix& z, Units& units) {
  const Quadratic quadratic(samples, z);
  descend(quadratic, samples.kappa, all_places(units.count()), sweeps, units.beta);
  if (samples.biases) {
    units.c = quadratic.bias(units.beta);
  }
}

}  // namespace

std::vector<Index> elimination_order(const Quadratic& quadratic, double kappa, Matrix beta) {
  std::vector<Index> left = active_places(beta);
  std::vector<Index> order;
  while (left.size() > 1) {
    const Vector price = prices(quadratic.gram(left, left), beta(left, Eigen::all));
    std::vector<Index> cheapest = all_places(price.size());
    std::ranges::stable_sort(cheapest, {}, [&](Index i) { return price(i); });
    const std::size_t going =
        left.size() > 64 ? std::max<std::size_t>(1, (left.size() - 64) / 8) : 1;
    for (std::size_t k = 0; k < going; ++k) {
      const Index place = left[static_cast<std::size_t>(cheapest[k])];
      order.push_back(place);
      beta.row(place).setZero();
    }
    std::erase_if(left, [&](Index i) { return beta.row(i).squaredNorm() == 0.0; });
    descend(quadratic, kappa, left, sweeps, beta);
    // Those that the fit gave up itself go next, for nothing.
    std::erase_if(left, [&](Index i) {
      const bool gone = beta.row(i).squaredNorm() == 0.0;
      if (gone) {
        order.push_back(i);
      }
      return gone;
    });
  }
  order.insert(order.end(), left.begin(), left.end());
  return order;
}

Units polish(const ReluSamples& samples, Units units, const Freedom& freedom, std::size_t rounds) {
  if (units.count() == 0) {
    return units;
  }
  const Matrix began = units.w;
  const Index d = samples.x.cols();
  const double ridge = 1e-6 * samples.sigma.trace() / static_cast<double>(d) + 1e-300;
  const Eigen::LLT<Matrix> metric(samples.sigma + ridge * Matrix::Identity(d, d));
  Matrix z = features(samples, units.w);
  refit(samples, z, units);
  double now = value_of(samples, z, units).total;
  double rate = 1.0;
  for (std::size_t round = 0, failed = 0; round < rounds && failed < 8; ++round) {
    const Matrix residual = (z * units.beta - samples.y).rowwise() + units.c.transpose();
    const Matrix active = (z.array() > 0.0).cast<double>();
    const Matrix pull = (residual * units.beta.transpose()).cwiseProduct(active);
    Matrix step = metric.solve(samples.x.transpose() * pull / static_cast<double>(samples.x.rows()))
                      .transpose();
    for (Index i = 0; i < units.count(); ++i) {
      step.row(i) /= units.beta.row(i).squaredNorm() + 1e-300;
    }
    step = (units.beta.rowwise().squaredNorm().array() > 0.0).replicate(1, d).select(step, 0.0);
    Units trial = units;
    trial.w -= rate * step;
    hold(freedom, began, trial.w);
    Matrix trial_z = features(samples, trial.w);
    refit(samples, trial_z, trial);
    const double then = value_of(samples, trial_z, trial).total;
    if (then < now) {
      failed = now - then > 1e-9 * now ? 0 : failed + 1;
      units = std::move(trial);
      z = std::move(trial_z);
      now = then;
      rate *= 1.5;
    } else {
      ++failed;
      rate *= 0.5;
    }
  }
  return units;
}

}  // namespace isthmus::theory
