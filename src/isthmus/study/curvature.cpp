// SPDX-License-Identifier: MIT
#include "isthmus/study/curvature.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <numeric>

#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"
#include "isthmus/path/tridiagonal.h"
#include "isthmus/study/value_ledger.h"

namespace isthmus {
namespace {

constexpr std::size_t most_samples = 4096;
constexpr std::size_t drawn_samples = 1000;
constexpr std::uint64_t curvature_purpose = 0x6c616e63;  // "lanc"

using Vector = std::vector<double>;

double dot(const Vector& a, const Vector& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

double norm(const Vector& a) {
  return std::sqrt(dot(a, a));
}

// Products of the Hessian with unit vectors.
class Hessian {
 public:
  Hessian(Evaluator& evaluator,
          const Objective& objective,
          std::span<const float> theta,
          std::uint64_t seed)
      : evaluator_(evaluator),
        theta_(theta),
        source_(
            objective.batches(seed,
                              stream_name({curvature_purpose}),
                              objective.samples(Split::train) <= most_samples ? 0 : drawn_samples)),
        batch_(source_->next()),
        moved_(theta.size()),
        gradient_(theta.size()) {
    batch_.state = nullptr;  // every pass begins from zero
    double squares = 0.0;
    for (const float value : theta) {
      squares += static_cast<double>(value) * value;
    }
    step_ = 1e-3 * std::max(std::sqrt(squares), 1.0);
  }

  Vector times(const Vector& unit, double steps = 1.0) {
    Vector product(unit.size());
    const double step = steps * step_;
    add_gradient(unit, step, 0.5 / step, product);
    add_gradient(unit, -step, -0.5 / step, product);
    return product;
  }

 private:
  void add_gradient(const Vector& unit, double step, double factor, Vector& sum) {
    for (std::size_t i = 0; i < unit.size(); ++i) {
      moved_[i] = static_cast<float>(theta_[i] + step * unit[i]);
    }
    double loss = 0.0;
    evaluator_.losses_and_gradients(moved_, batch_, nullptr, {&loss, 1}, gradient_);
    for (std::size_t i = 0; i < sum.size(); ++i) {
      sum[i] += factor * gradient_[i];
    }
  }

  Evaluator& evaluator_;
  std::span<const float> theta_;
  std::unique_ptr<BatchSource> source_;
  BatchView batch_;
  std::vector<float> moved_;
  std::vector<float> gradient_;
  double step_ = 0.0;
};

Vector random_unit(std::size_t size, std::uint64_t seed) {
  Rng random(seed, stream_name({curvature_purpose, size}));
  Vector vector(size);
  for (double& value : vector) {
    value = 2.0 * random.uniform() - 1.0;
  }
  const double length = norm(vector);
  for (double& value : vector) {
    value /= length;
  }
  return vector;
}

// The basis of Krylov's space and the tridiagonal matrix on it.
struct Lanczos {
  std::vector<std::vector<float>> basis;
  Vector diagonal;
  Vector beside;  // the last one leads out of the space
};

Lanczos lanczos(Hessian& hessian, Vector unit, std::size_t steps, const Stop* stop) {
  Lanczos space;
  for (std::size_t k = 0; k < steps; ++k) {
    if (stop && stop->requested()) {
      throw Interrupted("stopped on request: repeat the command to go on");
    }
    space.basis.emplace_back(unit.begin(), unit.end());
    Vector next = hessian.times(unit);
    space.diagonal.push_back(dot(next, unit));
    // Twice is enough for orthogonality to working precision.
    for (int pass = 0; pass < 2; ++pass) {
      for (const std::vector<float>& other : space.basis) {
        const double along = std::inner_product(next.begin(), next.end(), other.begin(), 0.0);
        for (std::size_t i = 0; i < next.size(); ++i) {
          next[i] -= along * other[i];
        }
      }
    }
    space.beside.push_back(norm(next));
    if (space.beside.back() <= 1e-6 * std::abs(space.diagonal.front())) {
      break;  // the space is closed
    }
    for (double& value : next) {
      value /= space.beside.back();
    }
    unit = std::move(next);
  }
  return space;
}

// How far the Rayleigh quotient of a Ritz vector hangs on the step of the differences.
double step_error(Hessian& hessian, const Lanczos& space, std::span<const double> weights) {
  Vector ritz(space.basis.front().size());
  for (std::size_t k = 0; k < weights.size(); ++k) {
    for (std::size_t i = 0; i < ritz.size(); ++i) {
      ritz[i] += weights[k] * space.basis[k][i];
    }
  }
  const double length = norm(ritz);
  for (double& value : ritz) {
    value /= length;
  }
  return std::abs(dot(ritz, hessian.times(ritz)) - dot(ritz, hessian.times(ritz, 2.0)));
}

}  // namespace

SpectrumEnds spectrum_ends(Evaluator& evaluator,
                           const Objective& objective,
                           std::span<const float> theta,
                           std::size_t products,
                           std::uint64_t seed,
                           const Stop* stop) {
  if (products == 0) {
    throw UsageError("curvature: expected at least one product");
  }
  Hessian hessian(evaluator, objective, theta, seed);
  const Lanczos space =
      lanczos(hessian, random_unit(theta.size(), seed), std::min(products, theta.size()), stop);
  const std::size_t size = space.diagonal.size();
  const TridiagonalEigen eigen =
      tridiagonal_eigen(space.diagonal, std::span(space.beside).first(size - 1));
  const auto error_of = [&](std::size_t which) {
    const std::span<const double> weights = eigen.vector(which);
    return space.beside.back() * std::abs(weights.back()) + step_error(hessian, space, weights);
  };
  return {.smallest = eigen.values.front(),
          .smallest_error = error_of(0),
          .largest = eigen.values.back(),
          .largest_error = error_of(size - 1),
          .products = size + 4};
}

std::vector<CurvatureRow> curvature_along(Evaluators& evaluators,
                                          const Path& path,
                                          std::size_t products,
                                          const std::filesystem::path& unfinished,
                                          const std::string& key,
                                          const Stop* stop,
                                          const std::function<void(std::size_t)>& progress) {
  constexpr std::size_t width = 5;
  ValueLedger ledger(path.size(), width, unfinished, key, progress);
  try {
    evaluators.workers().for_each(path.size(), [&](std::size_t i, std::size_t worker) {
      if (ledger.known(i)) {
        return;
      }
      const SpectrumEnds ends = spectrum_ends(
          evaluators.of(worker), evaluators.objective(), path.bead(i), products, 1, stop);
      ledger.keep(i,
                  std::array{ends.smallest,
                             ends.smallest_error,
                             ends.largest,
                             ends.largest_error,
                             static_cast<double>(ends.products)});
    });
  } catch (const Interrupted&) {
    ledger.write();
    throw;
  }
  ledger.write();
  std::vector<CurvatureRow> rows;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const std::span<const double> ends = std::span(ledger.values()).subspan(i * width, width);
    rows.push_back({.bead = i,
                    .smallest = ends[0],
                    .smallest_error = ends[1],
                    .largest = ends[2],
                    .largest_error = ends[3],
                    .products = static_cast<std::size_t>(ends[4])});
  }
  return rows;
}

}  // namespace isthmus
