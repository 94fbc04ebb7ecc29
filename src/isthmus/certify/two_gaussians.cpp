// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <queue>

#include "isthmus/certify/direction_path.h"
#include "isthmus/certify/lower_bound.h"
#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"

namespace isthmus {
namespace {

constexpr std::size_t most_boxes = 1000000;

double positive(double value) {
  return std::max(0.0, value);
}

double mean_square(std::span<const double> values) {
  double sum = 0.0;
  for (const double value : values) {
    sum += value * value;
  }
  return sum / static_cast<double>(values.size());
}

std::size_t outputs_of(const RegressionData& data) {
  return 2 * data.targets.size() / data.inputs.size();
}

// The largest |Y^T h|^2 / |h|^2 for a feature h known in part: `energy` contains |h|^2 and
// `correlations` Y^T h; `active` bounds the |Y|^2 of the samples where h may be positive, hence the
// quotient (Cauchy-Schwarz). The least is 0 if h may vanish.
struct Feature {
  Interval energy;
  std::array<Interval, 2> correlations;
  Interval active;

  void add(Interval value, std::span<const double> target) {
    if (value.high <= 0.0) {
      return;
    }
    energy += square(value);
    for (std::size_t k = 0; k < target.size(); ++k) {
      correlations[k] += value * Interval(target[k]);
      active += square(target[k]);
    }
  }

  Interval gain() const {
    const Interval sum = square(correlations[0]) + square(correlations[1]);
    if (energy.low <= 0.0) {
      return {0.0, active.high};
    }
    const Interval quotient = sum / energy;
    return {std::max(0.0, quotient.low), std::min(quotient.high, active.high)};
  }
};

// R(u) / n for all u on the straight line from `first` to `last`.
Interval loss_between(const RegressionData& data,
                      std::array<double, 2> first,
                      std::array<double, 2> last) {
  const std::size_t outputs = outputs_of(data);
  const std::size_t samples = data.inputs.size() / 2;
  Feature ahead;
  Feature behind;
  Interval all = 0.0;
  for (std::size_t i = 0; i < samples; ++i) {
    const Interval x = data.inputs[2 * i];
    const Interval y = data.inputs[2 * i + 1];
    const auto target = data.targets.subspan(i * outputs, outputs);
    // Affine along the line, so between its values at the ends.
    const Interval value = hull(x * Interval(first[0]) + y * Interval(first[1]),
                                x * Interval(last[0]) + y * Interval(last[1]));
    ahead.add(relu(value), target);
    behind.add(relu(-value), target);
    for (const double t : target) {
      all += square(t);
    }
  }
  const Interval loss =
      (all - ahead.gain() - behind.gain()) / Interval(static_cast<double>(samples));
  return {std::max(0.0, loss.low), std::max(0.0, loss.high)};
}

// A point of half the unit circle of the norm |x| + |y|, s in [-1, 1]: the directions up to sign.
// Exact for the multiples of 2^-52 that occur.
std::array<double, 2> half_circle(double s) {
  return {1.0 - std::abs(s), s};
}

struct Minimum {
  double lower = 0.0;
  double upper = std::numeric_limits<double>::infinity();
  std::size_t boxes = 0;
};

// The minimum of R(u) / n by branch and bound, best first.
Minimum minimum_on_singular_set(const RegressionData& data, double tolerance) {
  struct Box {
    double bound;
    double a;
    double b;
    bool operator<(const Box& other) const {
      return bound != other.bound ? bound > other.bound : a > other.a;
    }
  };
  Minimum minimum;
  std::priority_queue<Box> queue;
  const auto look_at = [&](double a, double b) {
    const auto middle = half_circle(a + 0.5 * (b - a));
    minimum.upper = std::min(minimum.upper, loss_between(data, middle, middle).high);
    queue.push({loss_between(data, half_circle(a), half_circle(b)).low, a, b});
    ++minimum.boxes;
  };
  constexpr int first_boxes = 64;  // none of them holds the corner s = 0 inside
  for (int k = -first_boxes / 2; k < first_boxes / 2; ++k) {
    look_at(2.0 * k / first_boxes, 2.0 * (k + 1) / first_boxes);
  }
  // A minimum of 0 is approached by no relative tolerance.
  const double negligible = 1e-9 * mean_square(data.targets);
  while (queue.top().bound < (1.0 - tolerance) * minimum.upper && minimum.upper > negligible &&
         minimum.boxes < most_boxes && queue.top().b - queue.top().a > 0x1p-40) {
    const Box box = queue.top();
    queue.pop();
    const double middle = box.a + 0.5 * (box.b - box.a);
    look_at(box.a, middle);
    look_at(middle, box.b);
  }
  minimum.lower = queue.top().bound;
  return minimum;
}

OutputWeights exact_weights(GaussianTarget target) {
  switch (target) {
    case GaussianTarget::outputs:
      return {{{{1.0, 0.0}, {0.0, 1.0}}}};
    case GaussianTarget::difference:
      return {{{{1.0, -1.0}}}};
    case GaussianTarget::sum:
      break;
  }
  return {{{{1.0, 1.0}}}};
}

void check(const TwoGaussiansOptions& options) {
  if (!(options.covariance > 0.0 && options.covariance <= 1e6)) {
    throw UsageError(
        fmt::format("covariance: expected a number in (0, 1e6], got {}", options.covariance));
  }
  if (options.samples < 2 || options.samples > 100000) {
    throw UsageError(
        fmt::format("samples: expected a number from 2 to 100000, got {}", options.samples));
  }
  if (options.sample == GaussianSample::symmetric && options.samples % 8 != 0) {
    throw UsageError(fmt::format("samples: expected a multiple of 8 for symmetric samples, got {}",
                                 options.samples));
  }
  if (!(options.tolerance >= 1e-5 && options.tolerance <= 0.5)) {
    throw UsageError(
        fmt::format("tolerance: expected a number in [1e-5, 0.5], got {}", options.tolerance));
  }
  if (options.directions < 24 || options.directions > 1440 || options.directions % 4 != 0) {
    throw UsageError(fmt::format("directions: expected a multiple of 4 from 24 to 1440, got {}",
                                 options.directions));
  }
}

// The sample x, y and its targets.
void add(GaussianTarget target, double x, double y, BarrierBounds& bounds) {
  bounds.inputs.insert(bounds.inputs.end(), {x, y});
  if (target == GaussianTarget::outputs) {
    bounds.targets.insert(bounds.targets.end(), {positive(x), positive(y)});
  } else {
    const double sign = target == GaussianTarget::sum ? 1.0 : -1.0;
    bounds.targets.push_back(positive(x) + sign * positive(y));
  }
}

// What rests on the samples alone: the least loss where det W1 = 0.
void bound_below(BarrierBounds& bounds) {
  const Minimum minimum =
      minimum_on_singular_set({bounds.inputs, bounds.targets}, bounds.tolerance);
  bounds.lower = minimum.lower;
  bounds.boxes = minimum.boxes;
  bounds.lower_rests_on = fmt::format(
      "det W1 has opposite signs at the two ends, so every path meets det W1 = 0, where both units "
      "see one line of directions; the least loss there lies in [{}, {}] by branch and bound in "
      "interval arithmetic",
      minimum.lower,
      minimum.upper);
}

// The largest loss on the path.
void bound_above(BarrierBounds& bounds, std::size_t directions) {
  // The exact maximum is of the mean over the outputs.
  const LossMaximum maximum =
      maximum_on_path(bounds.network, {bounds.inputs, bounds.targets}, Loss::squared, bounds.path);
  bounds.upper = round_up(maximum.upper * static_cast<double>(bounds.network.outputs));
  bounds.upper_rests_on = fmt::format(
      "a polygon of {} networks found on a grid of {} directions of each unit; the maximum of its "
      "piecewise quartic loss over all real t is enclosed in interval arithmetic",
      bounds.path_points(),
      directions);
}

// The loss of one network, summed over the outputs.
Interval loss_of(const BarrierBounds& bounds, std::span<const double> theta) {
  const LossMaximum loss = maximum_on_segment(
      bounds.network, {bounds.inputs, bounds.targets}, Loss::squared, theta, theta);
  return Interval(loss.lower, loss.upper) * Interval(static_cast<double>(bounds.network.outputs));
}

// W1 as in `theta`, with the best output weights (up to rounding), two of each.
std::vector<double> with_best_outputs(const BarrierBounds& bounds, std::vector<double> theta) {
  double energies[3] = {0.0, 0.0, 0.0};  // |h_1|^2, |h_2|^2, h_1 . h_2
  double correlations[2][2] = {};        // [output][unit]
  for (std::size_t i = 0; i < bounds.samples(); ++i) {
    const double* const x = bounds.inputs.data() + 2 * i;
    const double h[2] = {positive(theta[0] * x[0] + theta[1] * x[1]),
                         positive(theta[2] * x[0] + theta[3] * x[1])};
    energies[0] += h[0] * h[0];
    energies[1] += h[1] * h[1];
    energies[2] += h[0] * h[1];
    for (std::size_t k = 0; k < 2; ++k) {
      correlations[k][0] += bounds.targets[2 * i + k] * h[0];
      correlations[k][1] += bounds.targets[2 * i + k] * h[1];
    }
  }
  const double determinant = energies[0] * energies[1] - energies[2] * energies[2];
  for (std::size_t k = 0; k < 2; ++k) {
    const auto [p, q] = correlations[k];
    theta[4 + 2 * k] = (p * energies[1] - q * energies[2]) / determinant;
    theta[5 + 2 * k] = (q * energies[0] - p * energies[2]) / determinant;
  }
  return theta;
}

}  // namespace

Interval loss_on_singular_set(const RegressionData& data, std::array<double, 2> direction) {
  return loss_between(data, direction, direction);
}

BarrierBounds two_gaussians_bounds(const TwoGaussiansOptions& options) {
  check(options);
  BarrierBounds bounds;
  bounds.network = {.inputs = 2,
                    .hidden = 2,
                    .outputs = options.target == GaussianTarget::outputs ? std::size_t{2} : 1,
                    .biases = false};
  bounds.tolerance = options.tolerance;
  bounds.data = fmt::format(
      "{} {} samples of an equal mixture of N(0, diag(1, {})) and N(0, diag({}, 1)), seed {}; "
      "target: {}",
      options.samples,
      name_of(options.sample),
      options.covariance,
      options.covariance,
      options.seed,
      name_of(options.target));
  const std::vector<double> points =
      two_gaussians_points(options.covariance,
                           options.samples,
                           options.sample == GaussianSample::symmetric,
                           options.seed);
  for (std::size_t i = 0; i < options.samples; ++i) {
    add(options.target, points[2 * i], points[2 * i + 1], bounds);
  }
  const RegressionData data{bounds.inputs, bounds.targets};
  bound_below(bounds);
  bounds.path =
      best_exchange_path(data, bounds.network, exact_weights(options.target), options.directions);
  bound_above(bounds, options.directions);
  return bounds;
}

BarrierBounds poor_minimum_bounds(const TwoGaussiansOptions& options) {
  check(options);
  BarrierBounds bounds;
  bounds.network = {.inputs = 2, .hidden = 2, .outputs = 2, .biases = false};
  bounds.tolerance = options.tolerance;
  bounds.data = fmt::format(
      "{} symmetric points of an equal mixture of N(0, diag(1, {})) and N(0, diag({}, 1)), seed "
      "{}, in three rows each: twice the target of theta, once that of theta', whose units are "
      "turned by 30 degrees",
      options.samples,
      options.covariance,
      options.covariance,
      options.seed);
  const std::vector<double> points =
      two_gaussians_points(options.covariance, options.samples, true, options.seed);
  for (std::size_t i = 0; i < points.size(); i += 2) {
    for (std::size_t row = 0; row < poor_minimum_rows; ++row) {
      const auto target = poor_minimum_target(row, points[i], points[i + 1]);
      bounds.inputs.insert(bounds.inputs.end(), {points[i], points[i + 1]});
      bounds.targets.insert(bounds.targets.end(), target.begin(), target.end());
    }
  }
  bound_below(bounds);
  const auto& [first, second] = poor_minimum_units;
  const std::vector<double> end{second[0], second[1], first[0], first[1], 0.0, 1.0, 1.0, 0.0};
  bounds.path = best_exchange_path({bounds.inputs, bounds.targets},
                                   bounds.network,
                                   exact_weights(GaussianTarget::outputs),
                                   options.directions);
  bounds.path.insert(bounds.path.end(), end.begin(), end.end());
  bound_above(bounds, options.directions);
  bounds.ends = {.a = loss_of(bounds, std::span(bounds.path).first(end.size())),
                 .b = loss_of(bounds, end),
                 .below_b = loss_of(bounds, with_best_outputs(bounds, end))};
  return bounds;
}

}  // namespace isthmus
