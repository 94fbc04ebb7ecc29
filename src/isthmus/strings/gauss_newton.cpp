// SPDX-License-Identifier: MIT
#include "isthmus/strings/gauss_newton.h"

#include <fmt/format.h>

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/net/engine.h"

namespace isthmus {
namespace {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;

constexpr std::array<double, 2> places{0.25, 0.75};  // of a segment
constexpr std::array<double, 4> stages{1.0, 3.0, 10.0, 30.0};

// Orthonormal Legendre polynomials at the inputs, over their range: (moments, samples).
Matrix legendre(const BatchView& batch, std::size_t moments) {
  const Eigen::Map<const Eigen::VectorXf> inputs(batch.inputs,
                                                 static_cast<Eigen::Index>(batch.count));
  const Eigen::ArrayXd raw = inputs.cast<double>().array();
  const double low = raw.minCoeff();
  const double high = raw.maxCoeff();
  const Eigen::ArrayXd x = (2.0 * raw - (low + high)) / std::max(high - low, 1e-30);
  const auto rows = static_cast<Eigen::Index>(moments);
  Matrix values(rows, x.size());
  for (Eigen::Index j = 0; j < rows; ++j) {
    const auto n = static_cast<double>(j);
    if (j == 0) {
      values.row(0).setOnes();
    } else if (j == 1) {
      values.row(1) = x.transpose();
    } else {
      values.row(j) = ((2.0 * n - 1.0) * x.transpose() * values.row(j - 1).array() -
                       (n - 1.0) * values.row(j - 2).array()) /
                      n;
    }
  }
  for (Eigen::Index j = 0; j < rows; ++j) {
    values.row(j) *= std::sqrt(2.0 * static_cast<double>(j) + 1.0);
  }
  return values;
}

// The residual at one theta, in few numbers.
struct Residual {
  double loss = 0.0;
  Vector moments;   // (m)
  Matrix jacobian;  // (m, P)
};

// Computes residuals; one a worker. The engine gives gradients of losses: that of a squared loss
// whose targets lie half a polynomial below the outputs is the gradient of the moment.
class Residuals {
 public:
  Residuals(const Objective& objective, const BatchView& batch, const Matrix& polynomials)
      : engine_(make_engine(*objective.network(), batch.count)),
        loss_(objective.loss()),
        batch_(batch),
        polynomials_(polynomials),
        outputs_(batch.count * engine_->outputs()),
        targets_(outputs_.size()),
        gradient_(engine_->dimension()) {}

  Residual at(std::span<const float> theta, double above) {
    Residual found;
    engine_->losses(theta, batch_, loss_, {&found.loss, 1});
    if (found.loss <= above) {
      return found;
    }
    engine_->forward(theta, batch_, outputs_);
    const std::size_t width = engine_->outputs();
    const Eigen::Index kinds = polynomials_.rows();
    found.moments.resize(kinds * static_cast<Eigen::Index>(width));
    found.jacobian.resize(found.moments.size(), static_cast<Eigen::Index>(theta.size()));
    for (std::size_t k = 0; k < width; ++k) {
      for (Eigen::Index j = 0; j < kinds; ++j) {
        row(theta, k, j, static_cast<Eigen::Index>(k) * kinds + j, found);
      }
    }
    return found;
  }

 private:
  void row(std::span<const float> theta,
           std::size_t output,
           Eigen::Index kind,
           Eigen::Index place,
           Residual& found) {
    const std::size_t width = engine_->outputs();
    targets_ = outputs_;
    double moment = 0.0;
    for (std::size_t i = 0; i < batch_.count; ++i) {
      const double polynomial = polynomials_(kind, static_cast<Eigen::Index>(i));
      const std::size_t at = i * width + output;
      moment += polynomial *
                (static_cast<double>(outputs_[at]) - static_cast<double>(batch_.targets[at]));
      targets_[at] -= static_cast<float>(0.5 * static_cast<double>(width) * polynomial);
    }
    BatchView batch = batch_;
    batch.targets = targets_.data();
    double unused = 0.0;
    engine_->losses_and_gradients(theta, batch, Loss::squared, nullptr, {&unused, 1}, gradient_);
    found.moments[place] = moment / static_cast<double>(batch_.count);
    for (std::size_t p = 0; p < theta.size(); ++p) {
      found.jacobian(place, static_cast<Eigen::Index>(p)) = static_cast<double>(gradient_[p]);
    }
  }

  std::unique_ptr<Engine> engine_;
  Loss loss_;
  BatchView batch_;
  const Matrix& polynomials_;
  std::vector<float> outputs_;   // (samples, K)
  std::vector<float> targets_;   // (samples, K)
  std::vector<float> gradient_;  // (P)
};

// A symmetric positive definite system with blocks of P on its diagonal and beside it.
class BlockSystem {
 public:
  BlockSystem(std::size_t blocks, std::size_t size)
      : diagonal_(blocks, Matrix::Zero(index(size), index(size))),
        beside_(blocks, Matrix::Zero(index(size), index(size))),
        right_(blocks, Vector::Zero(index(size))) {}

  Matrix& diagonal(std::size_t i) { return diagonal_[i]; }
  Matrix& beside(std::size_t i) { return beside_[i]; }  // block (i, i + 1)
  Vector& right(std::size_t i) { return right_[i]; }

  // Cholesky's factorisation block by block, in place.
  std::vector<Vector> solve() {
    const std::size_t blocks = right_.size();
    std::vector<Eigen::LLT<Matrix>> factors;
    for (std::size_t i = 0; i < blocks; ++i) {
      if (i > 0) {
        const Matrix bridge = factors[i - 1].solve(beside_[i - 1]);
        diagonal_[i].noalias() -= beside_[i - 1].transpose() * bridge;
        right_[i].noalias() -= bridge.transpose() * right_[i - 1];
      }
      factors.emplace_back(diagonal_[i]);
    }
    for (std::size_t i = blocks; i-- > 0;) {
      if (i + 1 < blocks) {
        right_[i].noalias() -= beside_[i] * right_[i + 1];
      }
      right_[i] = factors[i].solve(right_[i]);
    }
    return std::move(right_);
  }

 private:
  static Eigen::Index index(std::size_t i) { return static_cast<Eigen::Index>(i); }

  std::vector<Matrix> diagonal_;
  std::vector<Matrix> beside_;
  std::vector<Vector> right_;
};

Vector as_double(std::span<const float> values) {
  return Eigen::Map<const Eigen::VectorXf>(values.data(), static_cast<Eigen::Index>(values.size()))
      .cast<double>();
}

class Straightening {
 public:
  Straightening(Evaluators& evaluators, Path& path, const GaussNewtonOptions& options)
      : workers_(evaluators.workers()),
        objective_(evaluators.objective()),
        path_(path),
        options_(options),
        source_(objective_.batches(0, 0, 0)),
        batch_(source_->next()),
        polynomials_(legendre(batch_, options.moments)),
        residuals_(workers_.size()),
        found_(path.segments() * places.size()) {
    const Vector chord = as_double(path.bead(path.size() - 1)) - as_double(path.bead(0));
    pull_ = static_cast<double>(path.segments()) / chord.squaredNorm();
  }

  std::uint64_t run(const Stop* stop) {
    for (const double stage : stages) {
      const std::size_t steps = stage == 1.0 ? options_.iterations : options_.iterations / 4;
      for (std::size_t i = 0; i < steps; ++i) {
        if (stop && stop->requested()) {
          throw Interrupted("stopped on request: a relaxation begins anew");
        }
        look();
        move(options_.mu * stage);
      }
    }
    return samples_;
  }

 private:
  std::size_t inner() const { return path_.size() - 2; }

  void look() {
    workers_.for_each(found_.size(), [&](std::size_t i, std::size_t worker) {
      std::unique_ptr<Residuals>& residuals = residuals_[worker];
      if (!residuals) {
        residuals = std::make_unique<Residuals>(objective_, batch_, polynomials_);
      }
      std::vector<float> theta(path_.dimension);
      const std::size_t segment = i / places.size();
      interpolate(path_.bead(segment), path_.bead(segment + 1), places[i % places.size()], theta);
      found_[i] = residuals->at(theta, options_.aim * options_.level);
    });
    for (const Residual& residual : found_) {
      samples_ += batch_.count * (1 + static_cast<std::size_t>(residual.moments.size()));
    }
  }

  // The terms of the path's length.
  void add_length(BlockSystem& system) const {
    for (std::size_t i = 0; i < inner(); ++i) {
      const Vector bend = as_double(path_.bead(i)) + as_double(path_.bead(i + 2)) -
                          2.0 * as_double(path_.bead(i + 1));
      system.right(i) += pull_ * bend;
      system.diagonal(i).diagonal().array() += 2.0 * pull_;
      if (i + 1 < inner()) {
        system.beside(i).diagonal().array() -= pull_;
      }
    }
  }

  // The terms of one place, which moves as the two beads of its segment do.
  void add_place(BlockSystem& system, std::size_t place, double mu) const {
    const Residual& residual = found_[place];
    const std::size_t segment = place / places.size();
    const double t = places[place % places.size()];
    const double weight = mu / (options_.level * options_.level);
    const double excess = 1.0 - options_.aim * options_.level / residual.loss;
    const Matrix square = weight * residual.jacobian.transpose() * residual.jacobian;
    const Vector force = -weight * excess * residual.jacobian.transpose() * residual.moments;
    const bool left = segment > 0;
    const bool right = segment < inner();
    if (left) {
      system.diagonal(segment - 1) += (1.0 - t) * (1.0 - t) * square;
      system.right(segment - 1) += (1.0 - t) * force;
    }
    if (right) {
      system.diagonal(segment) += t * t * square;
      system.right(segment) += t * force;
    }
    if (left && right) {
      system.beside(segment - 1) += t * (1.0 - t) * square;
    }
  }

  void move(double mu) {
    BlockSystem system(inner(), path_.dimension);
    add_length(system);
    for (std::size_t i = 0; i < found_.size(); ++i) {
      if (found_[i].moments.size() > 0) {
        add_place(system, i, mu);
      }
    }
    const std::vector<Vector> steps = system.solve();
    double largest = 0.0;
    for (const Vector& step : steps) {
      largest = std::max(largest, step.norm());
    }
    const double scale = std::min(1.0, options_.largest_step / largest);
    for (std::size_t i = 0; i < inner(); ++i) {
      float* bead = path_.beads.data() + (i + 1) * path_.dimension;
      for (std::size_t p = 0; p < path_.dimension; ++p) {
        bead[p] = static_cast<float>(static_cast<double>(bead[p]) +
                                     scale * steps[i][static_cast<Eigen::Index>(p)]);
      }
    }
  }

  Workers& workers_;
  const Objective& objective_;
  Path& path_;
  const GaussNewtonOptions& options_;
  std::unique_ptr<BatchSource> source_;
  BatchView batch_;
  Matrix polynomials_;
  std::vector<std::unique_ptr<Residuals>> residuals_;  // of each worker
  std::vector<Residual> found_;                        // of each place
  double pull_ = 0.0;
  std::uint64_t samples_ = 0;
};

}  // namespace

std::optional<std::string> reason_no_gauss_newton(const Objective& objective) {
  if (!objective.network() || objective.network()->input != Shape{1}) {
    return "Gauss-Newton steps need a network of one input";
  }
  if (objective.loss() == Loss::cross_entropy) {
    return "Gauss-Newton steps need an absolute or squared loss";
  }
  if (!objective.batches(0, 0, 0)->constant() || objective.penalty().any()) {
    return "Gauss-Newton steps need one batch of all samples, and no penalty";
  }
  return std::nullopt;
}

std::uint64_t straighten(Evaluators& evaluators,
                         Path& path,
                         const GaussNewtonOptions& options,
                         const Stop* stop) {
  if (const auto reason = reason_no_gauss_newton(evaluators.objective())) {
    throw UsageError(*reason);
  }
  if (path.size() < 3) {
    return 0;
  }
  return Straightening(evaluators, path, options).run(stop);
}

}  // namespace isthmus
