// SPDX-License-Identifier: MIT
#include "isthmus/strings/constrained.h"

#include <cmath>
#include <vector>

#include "isthmus/strings/hyperplane.h"
#include "isthmus/strings/option_table.h"

namespace isthmus {
namespace {

void add_spring(std::span<const float> theta,
                std::span<const float> end,
                double strength,
                std::span<float> gradient) {
  const double squares = squared_distance(theta, end);
  if (squares == 0.0) {
    return;
  }
  const double factor = strength / std::sqrt(squares);
  for (std::size_t i = 0; i < theta.size(); ++i) {
    gradient[i] =
        static_cast<float>(static_cast<double>(gradient[i]) +
                           factor * (static_cast<double>(theta[i]) - static_cast<double>(end[i])));
  }
}

// The hooks of one training. Neighbours stay as they are while a round trains: it has one bead a
// segment.
void constrain(const GrowingString& string,
               std::size_t place,
               const ConstrainedTerms& terms,
               TrainJob& job) {
  const std::span<const float> a = string.bead(place - 1).theta;
  const std::span<const float> b = string.bead(place + 1).theta;
  if (terms.hyperplane == Hyperplane::penalty) {
    job.modify_gradient =
        [a, b, terms](std::size_t step, std::span<const float> theta, std::span<float> gradient) {
          add_constraints(theta, a, b, terms, terms.scale_at(step), gradient);
        };
    return;
  }
  const NormalHyperplane middle(a, b);
  job.modify_gradient = [a, b, terms, middle](std::size_t step,
                                              std::span<const float> theta,
                                              std::span<float> gradient) {
    const double strength = terms.zeta * terms.scale_at(step);
    add_spring(theta, a, strength, gradient);
    add_spring(theta, b, strength, gradient);
    middle.take_off(middle.along(gradient), gradient);
  };
  job.modify_theta = [middle](std::size_t, std::span<float> theta) {
    middle.take_off(middle.height(theta), theta);
  };
}

// Trains the beads of a round; those that stay above their target inside the hyperplane go on
// outside of it.
void train_constrained(GrowingString& string,
                       const ConstrainedTerms& terms,
                       std::span<const std::size_t> places) {
  string.train_beads(
      places, [&](std::size_t place, TrainJob& job) { constrain(string, place, terms, job); });
  if (terms.hyperplane == Hyperplane::penalty) {
    return;
  }
  std::vector<std::size_t> high;
  for (const std::size_t place : places) {
    const StringOptions& options = string.options();
    if (!reaches(*string.bead(place).value, options.target(), options.grid.comparison)) {
      high.push_back(place);
    }
  }
  if (!high.empty() && !string.steps_are_spent(high.size())) {
    string.train_beads(high);
  }
}

}  // namespace

double ConstrainedTerms::scale_at(std::size_t step) const {
  const std::size_t halvings = step / halving;
  return std::exp2(-static_cast<double>(halvings));
}

void add_constraints(std::span<const float> theta,
                     std::span<const float> a,
                     std::span<const float> b,
                     const ConstrainedTerms& terms,
                     double scale,
                     std::span<float> gradient) {
  add_spring(theta, a, terms.zeta * scale, gradient);
  add_spring(theta, b, terms.zeta * scale, gradient);
  const NormalHyperplane middle(a, b);
  const double height = middle.height(theta);
  if (height != 0.0) {
    middle.take_off(std::copysign(terms.kappa * scale, -height), gradient);
  }
}

StringSummary connect_constrained(Evaluators& evaluators,
                                  std::span<const float> a,
                                  std::span<const float> b,
                                  const GreedyOptions& options,
                                  const ConstrainedTerms& terms,
                                  const StringCallbacks& callbacks) {
  check_options(constrained_option_table(), terms);
  return connect_greedy(evaluators,
                        a,
                        b,
                        options,
                        callbacks,
                        [&](GrowingString& string, std::span<const std::size_t> places) {
                          train_constrained(string, terms, places);
                        });
}

}  // namespace isthmus
