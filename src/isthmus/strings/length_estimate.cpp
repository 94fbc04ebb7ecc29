// SPDX-License-Identifier: MIT
#include "isthmus/strings/length_estimate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/path/path.h"
#include "isthmus/strings/hyperplane.h"

namespace isthmus {
namespace {

constexpr double margin = 0.98;  // of the level: what is pushed towards
constexpr double weight = 15.0;  // of the push against the pull, as relax() has it

// Points of the level set near the straight line, one in each hyperplane: Adam on
//
//     |theta - c|^2 / d^2 + weight / level * max(0, F - margin * level)
//
// inside the plane, from where the path crosses it. Steps are constant for half of the iterations
// and fall linearly to a fiftieth behind that. The nearest point below the level that is met
// counts.
class Search {
 public:
  Search(const Path& path, double level, const LengthSearch& search)
      : plane_(path.bead(0), path.bead(path.size() - 1)),
        level_(level),
        dimension_(path.dimension),
        iterations_(search.iterations),
        optimizer_(Adam{.learning_rate = search.learning_rate}, search.places * path.dimension),
        centres_(search.places * path.dimension),
        thetas_(centres_.size()),
        gradients_(centres_.size()),
        losses_(search.places),
        nearest_(search.places, std::numeric_limits<double>::infinity()) {
    for (std::size_t i = 0; i < search.places; ++i) {
      times_.push_back(static_cast<double>(i + 1) / static_cast<double>(search.places + 1));
      interpolate(path.bead(0), path.bead(path.size() - 1), times_[i], row(centres_, i));
      start(path, i);
    }
  }

  std::span<const float> thetas() const { return thetas_; }
  std::span<float> gradients() { return gradients_; }
  std::span<double> losses() { return losses_; }

  void step(std::size_t iteration) {
    for (std::size_t i = 0; i < times_.size(); ++i) {
      force(i);
    }
    const double done = static_cast<double>(iteration) / static_cast<double>(iterations_);
    optimizer_.step(
        thetas_, gradients_, {.scale = done < 0.5 ? 1.0 : 1.0 - 0.98 * (2.0 * done - 1.0)});
    for (std::size_t i = 0; i < times_.size(); ++i) {
      const std::span<float> theta = row(thetas_, i);
      plane_.take_off(plane_.height(theta, times_[i]), theta);
    }
  }

  LengthEstimate found() const {
    LengthEstimate best;
    const double d = plane_.distance();
    for (std::size_t i = 0; i < times_.size() && d > 0.0; ++i) {
      const double rho = nearest_[i];
      if (std::isinf(rho)) {
        continue;  // nothing was found there: no claim
      }
      const double ratio =
          (std::hypot(times_[i] * d, rho) + std::hypot((1.0 - times_[i]) * d, rho)) / d;
      if (ratio > best.ratio) {
        best = {.ratio = ratio, .t = times_[i], .rho = rho};
      }
    }
    return best;
  }

 private:
  std::span<float> row(std::vector<float>& matrix, std::size_t i) const {
    return std::span(matrix).subspan(i * dimension_, dimension_);
  }

  // Where the path crosses the plane nearest to the straight line.
  void start(const Path& path, std::size_t i) {
    double least = std::numeric_limits<double>::infinity();
    std::vector<float> point(dimension_);
    for (std::size_t k = 0; k < path.segments(); ++k) {
      const double left = plane_.height(path.bead(k), times_[i]);
      const double right = plane_.height(path.bead(k + 1), times_[i]);
      if (left * right > 0.0 || left == right) {
        continue;
      }
      interpolate(path.bead(k), path.bead(k + 1), left / (left - right), point);
      const double apart = NormalHyperplane(row(centres_, i), point).distance();
      if (apart < least) {
        least = apart;
        std::ranges::copy(point, row(thetas_, i).begin());
      }
    }
  }

  // The gradient of what is minimised, in the place of the loss's.
  void force(std::size_t i) {
    const std::span<const float> theta = row(thetas_, i);
    const std::span<const float> c = row(centres_, i);
    const std::span<float> g = row(gradients_, i);
    const double d = plane_.distance();
    const double push = losses_[i] > margin * level_ ? weight / level_ : 0.0;
    double squares = 0.0;
    for (std::size_t k = 0; k < dimension_; ++k) {
      const double offset = static_cast<double>(theta[k]) - static_cast<double>(c[k]);
      squares += offset * offset;
      g[k] = static_cast<float>(push * static_cast<double>(g[k]) + 2.0 * offset / (d * d));
    }
    if (losses_[i] <= level_) {
      nearest_[i] = std::min(nearest_[i], std::sqrt(squares));
    }
    plane_.take_off(plane_.along(g), g);
  }

  NormalHyperplane plane_;
  double level_;
  std::size_t dimension_;
  std::size_t iterations_;
  Optimizer optimizer_;
  std::vector<double> times_;
  std::vector<float> centres_;  // (places, P), as thetas and gradients
  std::vector<float> thetas_;
  std::vector<float> gradients_;
  std::vector<double> losses_;
  std::vector<double> nearest_;  // distance to the nearest point seen below the level
};

}  // namespace

std::optional<LengthEstimate> estimate_length(Evaluators& evaluators,
                                              const Path& path,
                                              const StringOptions& string,
                                              const LengthSearch& search,
                                              const Stop* stop) {
  const Objective& objective = evaluators.objective();
  if (!objective.training_loss_is(string.grid.metric, string.grid.split)) {
    return std::nullopt;
  }
  Search run(path, string.bound(), search);
  const auto batches = objective.batches(0, 0, 0);
  LengthEstimate estimate;
  std::uint64_t samples = 0;
  evaluators.workers().for_each(1, [&](std::size_t, std::size_t worker) {
    for (std::size_t i = 0; i < search.iterations; ++i) {
      if (stop && stop->requested()) {
        throw Interrupted("stopped on request: an estimate of the length begins anew");
      }
      const BatchView batch = batches->next();
      evaluators.of(worker).losses_and_gradients(
          run.thetas(), batch, nullptr, run.losses(), run.gradients());
      samples += search.places * batch.count;
      run.step(i);
    }
  });
  estimate = run.found();
  estimate.gradient_samples = samples;
  return estimate;
}

}  // namespace isthmus
