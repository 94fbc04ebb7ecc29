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

constexpr double inside = 0.999;  // of the level: steps come to it, not below it
constexpr double damping = 0.3;   // of a step towards the point where the linearised loss is met

// Points of the level set near the straight line, one in each hyperplane: the step that is used to
// find the most probable point of failure of a structure (Rackwitz & Fiessler, Computers &
// Structures 9, 1978), damped.
class Search {
 public:
  Search(std::span<const float> a, std::span<const float> b, double level, std::size_t places)
      : plane_(a, b), level_(level), dimension_(a.size()) {
    for (std::size_t i = 1; i <= places; ++i) {
      times_.push_back(double(i) / double(places + 1));
    }
    centres_.resize(places * dimension_);
    for (std::size_t i = 0; i < places; ++i) {
      interpolate(a, b, times_[i], std::span(centres_).subspan(i * dimension_, dimension_));
    }
    thetas_ = centres_;
    gradients_.resize(thetas_.size());
    losses_.resize(places);
    nearest_.assign(places, std::numeric_limits<double>::infinity());
  }

  std::span<const float> thetas() const { return thetas_; }
  std::span<float> gradients() { return gradients_; }
  std::span<double> losses() { return losses_; }

  void step() {
    for (std::size_t i = 0; i < times_.size(); ++i) {
      step(i);
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
  void step(std::size_t i) {
    const std::span<float> theta = std::span(thetas_).subspan(i * dimension_, dimension_);
    const std::span<float> g = std::span(gradients_).subspan(i * dimension_, dimension_);
    const std::span<const float> c = std::span(centres_).subspan(i * dimension_, dimension_);
    plane_.take_off(plane_.along(g), g);
    double square = 0.0;
    double back = 0.0;  // g . (c - theta)
    double apart = 0.0;
    for (std::size_t k = 0; k < dimension_; ++k) {
      const double offset = double(c[k]) - double(theta[k]);
      square += double(g[k]) * double(g[k]);
      back += double(g[k]) * offset;
      apart += offset * offset;
    }
    if (losses_[i] <= level_) {
      nearest_[i] = std::min(nearest_[i], std::sqrt(apart));
    }
    if (!(square > 0.0) || nearest_[i] == 0.0) {
      return;
    }
    const double amount = (losses_[i] - inside * level_ + back) / square;
    for (std::size_t k = 0; k < dimension_; ++k) {
      const double aim = double(c[k]) - amount * double(g[k]);
      theta[k] = float(double(theta[k]) + damping * (aim - double(theta[k])));
    }
  }

  NormalHyperplane plane_;
  double level_;
  std::size_t dimension_;
  std::vector<double> times_;
  std::vector<float> centres_;  // (places, P), as thetas and gradients
  std::vector<float> thetas_;
  std::vector<float> gradients_;
  std::vector<double> losses_;
  std::vector<double> nearest_;  // distance to the nearest point seen below the level
};

}  // namespace

std::optional<LengthEstimate> estimate_length(Evaluators& evaluators,
                                              std::span<const float> a,
                                              std::span<const float> b,
                                              const StringOptions& string,
                                              const LengthSearch& search,
                                              const Stop* stop) {
  const Objective& objective = evaluators.objective();
  if (!objective.training_loss_is(string.grid.metric, string.grid.split)) {
    return std::nullopt;
  }
  Search run(a, b, string.bound(), search.places);
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
      run.step();
    }
  });
  estimate = run.found();
  estimate.gradient_samples = samples;
  return estimate;
}

}  // namespace isthmus
