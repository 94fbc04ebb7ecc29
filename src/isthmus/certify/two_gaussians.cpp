// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <queue>
#include <utility>

#include "isthmus/certify/lower_bound.h"
#include "isthmus/core/error.h"
#include "isthmus/core/rng.h"

namespace isthmus {
namespace {

constexpr std::size_t most_boxes = 1000000;

// Networks 2-2-k: all pairs of directions of the two units.
struct OutputWeights {
  std::array<std::array<double, 2>, 2> of{};  // [output][unit]
};

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

// The best output weights for two features, from their scalar products.
struct LeastSquares {
  double energies[2] = {0.0, 0.0};                      // |h_1|^2 and |h_2|^2
  double product = 0.0;                                 // h_1 . h_2
  std::array<std::array<double, 2>, 2> correlations{};  // [output][unit]

  // With `single`, those of one unit alone, the better one.
  OutputWeights weights(bool single) const {
    const double determinant = energies[0] * energies[1] - product * product;
    OutputWeights result;
    if (single) {
      const std::size_t unit = gain_of(0) >= gain_of(1) ? 0 : 1;
      for (std::size_t k = 0; k < 2; ++k) {
        result.of[k][unit] = energies[unit] > 0.0 ? correlations[k][unit] / energies[unit] : 0.0;
      }
      return result;
    }
    for (std::size_t k = 0; k < 2; ++k) {
      const auto [p, q] = correlations[k];
      result.of[k] = {(energies[1] * p - product * q) / determinant,
                      (energies[0] * q - product * p) / determinant};
    }
    return result;
  }

  double gain_of(std::size_t unit) const {
    const double sum = correlations[0][unit] * correlations[0][unit] +
                       correlations[1][unit] * correlations[1][unit];
    return energies[unit] > 0.0 ? sum / energies[unit] : 0.0;
  }

  // By how much they lower the sum of squares.
  double gain(bool single) const {
    const OutputWeights best = weights(single);
    double sum = 0.0;
    for (std::size_t k = 0; k < 2; ++k) {
      sum += best.of[k][0] * correlations[k][0] + best.of[k][1] * correlations[k][1];
    }
    return sum;
  }
};

std::array<double, 2> direction_at(double turns) {
  const double angle = 2.0 * std::numbers::pi * turns;
  return {std::cos(angle), std::sin(angle)};
}

// The directions of both units, in turns.
using Directions = std::array<double, 2>;

// Two features of nearly one direction need large weights that jump at equality: there one is used.
bool nearly_equal(double distance) {
  return std::abs(distance - std::round(distance)) < 1.0 / 100.0;
}

OutputWeights best_weights(const RegressionData& data, Directions turns) {
  const std::size_t outputs = outputs_of(data);
  const std::array<std::array<double, 2>, 2> u{direction_at(turns[0]), direction_at(turns[1])};
  LeastSquares sums;
  for (std::size_t i = 0; i < data.inputs.size() / 2; ++i) {
    const double x = data.inputs[2 * i];
    const double y = data.inputs[2 * i + 1];
    const double h[2] = {positive(u[0][0] * x + u[0][1] * y), positive(u[1][0] * x + u[1][1] * y)};
    sums.product += h[0] * h[1];
    for (std::size_t unit = 0; unit < 2; ++unit) {
      sums.energies[unit] += h[unit] * h[unit];
      for (std::size_t k = 0; k < outputs; ++k) {
        sums.correlations[k][unit] += h[unit] * data.targets[i * outputs + k];
      }
    }
  }
  return sums.weights(nearly_equal(turns[0] - turns[1]));
}

// (size * size): the loss at best_weights() of units with the directions k / size and l / size of a
// turn; infinite where a unit is never active.
std::vector<double> least_losses(const RegressionData& data, std::size_t size) {
  const std::size_t outputs = outputs_of(data);
  const std::size_t samples = data.inputs.size() / 2;
  std::vector<double> values(size * samples);
  std::vector<std::array<double, 2>> correlations(size);
  const double energy = mean_square(data.targets) * static_cast<double>(data.targets.size());
  for (std::size_t k = 0; k < size; ++k) {
    const auto u = direction_at(static_cast<double>(k) / static_cast<double>(size));
    for (std::size_t i = 0; i < samples; ++i) {
      const double value = positive(u[0] * data.inputs[2 * i] + u[1] * data.inputs[2 * i + 1]);
      values[k * samples + i] = value;
      for (std::size_t c = 0; c < outputs; ++c) {
        correlations[k][c] += value * data.targets[i * outputs + c];
      }
    }
  }
  const auto product = [&](std::size_t k, std::size_t l) {
    return std::inner_product(values.begin() + static_cast<std::ptrdiff_t>(k * samples),
                              values.begin() + static_cast<std::ptrdiff_t>((k + 1) * samples),
                              values.begin() + static_cast<std::ptrdiff_t>(l * samples),
                              0.0);
  };
  std::vector<double> losses(size * size, std::numeric_limits<double>::infinity());
  for (std::size_t k = 0; k < size; ++k) {
    for (std::size_t l = 0; l <= k; ++l) {
      const LeastSquares sums{
          {product(k, k), product(l, l)},
          product(k, l),
          {{{correlations[k][0], correlations[l][0]}, {correlations[k][1], correlations[l][1]}}}};
      const bool single = nearly_equal(static_cast<double>(k - l) / static_cast<double>(size));
      const double loss = (energy - sums.gain(single)) / static_cast<double>(samples);
      if (std::isfinite(loss)) {
        losses[k * size + l] = losses[l * size + k] = loss;
      }
    }
  }
  return losses;
}

// The eight neighbours of a point of the grid of pairs of directions, which closes to a torus.
std::array<std::size_t, 8> neighbours(std::size_t node, std::size_t size) {
  std::array<std::size_t, 8> result{};
  std::size_t count = 0;
  for (const std::size_t first : {std::size_t{0}, std::size_t{1}, size - 1}) {
    for (const std::size_t second : {std::size_t{0}, std::size_t{1}, size - 1}) {
      if (first + second > 0) {
        result[count++] = (node / size + first) % size * size + (node % size + second) % size;
      }
    }
  }
  return result;
}

// The smallest possible largest value on a way from `start` to `goal`.
double bottleneck(const std::vector<double>& values,
                  std::size_t size,
                  std::size_t start,
                  std::size_t goal) {
  using Entry = std::pair<double, std::size_t>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue;
  std::vector<bool> seen(values.size());
  queue.push({values[start], start});
  seen[start] = true;
  double largest = 0.0;
  while (!seen[goal] || queue.top().second != goal) {
    const auto [value, node] = queue.top();
    queue.pop();
    largest = std::max(largest, value);
    for (const std::size_t next : neighbours(node, size)) {
      if (!seen[next]) {
        seen[next] = true;
        queue.push({values[next], next});
      }
    }
  }
  return std::max(largest, values[goal]);
}

// A way of fewest steps over values of at most `level`.
std::vector<std::size_t> shortest_way(const std::vector<double>& values,
                                      std::size_t size,
                                      std::size_t start,
                                      std::size_t goal,
                                      double level) {
  std::vector<std::size_t> before(values.size(), values.size());
  std::vector<std::size_t> queue{goal};  // backwards, so that the way reads forwards
  before[goal] = goal;
  for (std::size_t k = 0; k < queue.size() && queue[k] != start; ++k) {
    for (const std::size_t next : neighbours(queue[k], size)) {
      if (before[next] == values.size() && values[next] <= level) {
        before[next] = queue[k];
        queue.push_back(next);
      }
    }
  }
  ISTHMUS_ASSERT(before[start] != values.size(), "there is a way at the level of the bottleneck");
  std::vector<std::size_t> way{start};
  while (way.back() != goal) {
    way.push_back(before[way.back()]);
  }
  return way;
}

void append(std::vector<double>& path,
            std::array<double, 2> one,
            std::array<double, 2> two,
            const OutputWeights& weights,
            std::size_t outputs) {
  path.insert(path.end(), {one[0], one[1], two[0], two[1]});
  for (std::size_t k = 0; k < outputs; ++k) {
    path.insert(path.end(), {weights.of[k][0], weights.of[k][1]});
  }
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

// A polygon through directions of both units, with output weights by least squares.
class PathBuilder {
 public:
  PathBuilder(const RegressionData& data, const ReluNetwork& network, double level)
      : data_(data), network_(network), level_(level) {}

  void begin(const std::vector<double>& theta, Directions turns) {
    path_ = theta;
    turns_ = turns;
  }

  // Goes on to `turns`, over as many points between as keep the loss at the level.
  void go(Directions turns) {
    std::vector<double> theta;
    const auto [one, two] = turns;
    append(
        theta, direction_at(one), direction_at(two), best_weights(data_, turns), network_.outputs);
    go_to(theta, turns, 0);
  }

  void go_to(const std::vector<double>& theta, Directions turns, int depth) {
    constexpr int deepest = 8;
    const std::size_t last = path_.size() - network_.dimension();
    const LossMaximum found = maximum_on_segment(
        network_, data_, Loss::squared, std::span<const double>(path_).subspan(last), theta);
    if (depth == deepest || found.upper * static_cast<double>(network_.outputs) <= level_) {
      path_.insert(path_.end(), theta.begin(), theta.end());
      turns_ = turns;
      return;
    }
    const Directions middle{0.5 * (turns_[0] + turns[0]), 0.5 * (turns_[1] + turns[1])};
    std::vector<double> between;
    append(between,
           direction_at(middle[0]),
           direction_at(middle[1]),
           best_weights(data_, middle),
           network_.outputs);
    go_to(between, middle, depth + 1);
    go_to(theta, turns, depth + 1);
  }

  std::vector<double> path() && { return std::move(path_); }
  Directions turns() const { return turns_; }

 private:
  const RegressionData& data_;
  const ReluNetwork& network_;
  double level_;
  std::vector<double> path_;
  Directions turns_{};  // of its last point
};

// `k` / `size` of a turn, on the side of `before` that is nearer.
double nearest_turn(std::size_t k, std::size_t size, double before) {
  const double turn = static_cast<double>(k) / static_cast<double>(size);
  return turn + std::round(before - turn);
}

// From the axes to the exchanged axes.
std::vector<double> best_path(const RegressionData& data,
                              const ReluNetwork& network,
                              const TwoGaussiansOptions& options) {
  const std::size_t size = options.directions;
  const std::vector<double> losses = least_losses(data, size);
  const std::size_t start = size / 4;        // directions 0 and 90 degrees
  const std::size_t goal = size / 4 * size;  // 90 and 0 degrees
  const double level = bottleneck(losses, size, start, goal);
  const std::vector<std::size_t> way = shortest_way(losses, size, start, goal, level * (1 + 2e-4));
  OutputWeights weights = exact_weights(options.target);
  std::vector<double> end;
  append(end, {1.0, 0.0}, {0.0, 1.0}, weights, network.outputs);
  PathBuilder builder(data, network, level * (1 + 5e-4));
  builder.begin(end, {0.0, 0.25});
  for (std::size_t k = 1; k + 1 < way.size(); ++k) {
    const Directions before = builder.turns();
    builder.go({nearest_turn(way[k] / size, size, before[0]),
                nearest_turn(way[k] % size, size, before[1])});
  }
  for (auto& row : weights.of) {
    std::swap(row[0], row[1]);
  }
  end.clear();
  append(end, {0.0, 1.0}, {1.0, 0.0}, weights, network.outputs);
  const Directions before = builder.turns();
  builder.go_to(
      end, {nearest_turn(size / 4, size, before[0]), nearest_turn(0, size, before[1])}, 0);
  return std::move(builder).path();
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

void draw(const TwoGaussiansOptions& options, BarrierBounds& bounds) {
  Rng rng(options.seed, stream_name({0x6761757373U}));
  const double small = std::sqrt(options.covariance);
  const bool symmetric = options.sample == GaussianSample::symmetric;
  const std::size_t draws = symmetric ? options.samples / 8 : options.samples;
  for (std::size_t i = 0; i < draws; ++i) {
    const double along = rng.normal();
    const double across = small * rng.normal();
    if (!symmetric) {
      add(options.target, i % 2 == 0 ? along : across, i % 2 == 0 ? across : along, bounds);
      continue;
    }
    for (const double x : {along, -along}) {
      for (const double y : {across, -across}) {
        add(options.target, x, y, bounds);
        add(options.target, y, x, bounds);
      }
    }
  }
}

}  // namespace

std::string_view name_of(GaussianTarget target) {
  switch (target) {
    case GaussianTarget::outputs:
      return "outputs";
    case GaussianTarget::difference:
      return "difference";
    case GaussianTarget::sum:
      break;
  }
  return "sum";
}

std::string_view name_of(GaussianSample sample) {
  return sample == GaussianSample::symmetric ? "symmetric" : "independent";
}

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
      "target: "
      "{}",
      options.samples,
      name_of(options.sample),
      options.covariance,
      options.covariance,
      options.seed,
      name_of(options.target));
  draw(options, bounds);
  const RegressionData data{bounds.inputs, bounds.targets};
  const Minimum minimum = minimum_on_singular_set(data, options.tolerance);
  bounds.lower = minimum.lower;
  bounds.boxes = minimum.boxes;
  bounds.lower_rests_on = fmt::format(
      "det W1 has opposite signs at the two ends, so every path meets det W1 = 0, where both units "
      "see one line of directions; the least loss there lies in [{}, {}] by branch and "
      "bound "
      "in interval arithmetic",
      minimum.lower,
      minimum.upper);
  bounds.path = best_path(data, bounds.network, options);
  // The exact maximum is of the mean over the outputs.
  const LossMaximum maximum = maximum_on_path(bounds.network, data, Loss::squared, bounds.path);
  bounds.upper = round_up(maximum.upper * static_cast<double>(bounds.network.outputs));
  bounds.upper_rests_on = fmt::format(
      "a polygon of {} networks found on a grid of {} directions of each unit; the maximum of its "
      "piecewise quartic loss over all real t is enclosed in interval arithmetic",
      bounds.path_points(),
      options.directions);
  return bounds;
}

}  // namespace isthmus
