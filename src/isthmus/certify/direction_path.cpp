// SPDX-License-Identifier: MIT
#include "isthmus/certify/direction_path.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <numeric>
#include <queue>
#include <utility>

#include "isthmus/core/error.h"

namespace isthmus {
namespace {

std::size_t outputs_of(const RegressionData& data) {
  return 2 * data.targets.size() / data.inputs.size();
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
    const double h[2] = {std::max(0.0, u[0][0] * x + u[0][1] * y),
                         std::max(0.0, u[1][0] * x + u[1][1] * y)};
    sums.product += h[0] * h[1];
    sums.energies[0] += h[0] * h[0];
    sums.energies[1] += h[1] * h[1];
    for (std::size_t k = 0; k < outputs; ++k) {
      const double target = data.targets[i * outputs + k];
      sums.correlations[k][0] += h[0] * target;
      sums.correlations[k][1] += h[1] * target;
    }
  }
  return sums.weights(nearly_equal(turns[0] - turns[1]));
}

// The hidden values of one unit and their products with the targets.
struct Feature {
  std::vector<double> values;
  std::array<double, 2> correlations{};
};

Feature feature_of(const RegressionData& data, double turns) {
  const std::size_t outputs = outputs_of(data);
  const auto u = direction_at(turns);
  Feature feature;
  for (std::size_t i = 0; i < data.inputs.size() / 2; ++i) {
    const double value = std::max(0.0, u[0] * data.inputs[2 * i] + u[1] * data.inputs[2 * i + 1]);
    feature.values.push_back(value);
    for (std::size_t c = 0; c < outputs; ++c) {
      feature.correlations[c] += value * data.targets[i * outputs + c];
    }
  }
  return feature;
}

double product(const Feature& one, const Feature& other) {
  return std::inner_product(one.values.begin(), one.values.end(), other.values.begin(), 0.0);
}

// (size * size): the loss at best_weights() of units with the directions k / size and l / size of a
// turn; infinite where a unit is never active.
std::vector<double> least_losses(const RegressionData& data, std::size_t size) {
  const auto energy =
      std::inner_product(data.targets.begin(), data.targets.end(), data.targets.begin(), 0.0);
  const std::size_t samples = data.inputs.size() / 2;
  std::vector<Feature> features;
  std::vector<double> energies;
  for (std::size_t k = 0; k < size; ++k) {
    features.push_back(feature_of(data, static_cast<double>(k) / static_cast<double>(size)));
    energies.push_back(product(features[k], features[k]));
  }
  std::vector<double> losses(size * size);
  for (std::size_t pair = 0; pair < losses.size(); ++pair) {
    const std::size_t k = pair / size;
    const std::size_t l = pair % size;
    if (l > k) {
      continue;
    }
    const auto& first = features[k].correlations;
    const auto& second = features[l].correlations;
    const LeastSquares sums{{energies[k], energies[l]},
                            product(features[k], features[l]),
                            {{{first[0], second[0]}, {first[1], second[1]}}}};
    const bool single = nearly_equal(static_cast<double>(k - l) / static_cast<double>(size));
    const double loss = (energy - sums.gain(single)) / static_cast<double>(samples);
    losses[k * size + l] = losses[l * size + k] =
        std::isfinite(loss) ? loss : std::numeric_limits<double>::infinity();
  }
  return losses;
}

// The eight neighbours of a point of the grid of pairs of directions, which closes to a torus.
std::array<std::size_t, 8> neighbours(std::size_t node, std::size_t size) {
  const std::array<std::size_t, 3> steps{0, 1, size - 1};
  std::array<std::size_t, 8> result{};
  for (std::size_t k = 1; k < 9; ++k) {
    const std::size_t first = (node / size + steps[k / 3]) % size;
    const std::size_t second = (node % size + steps[k % 3]) % size;
    result[k - 1] = first * size + second;
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
  double largest = 0.0;
  while (!seen[goal]) {
    const auto [value, node] = queue.top();
    queue.pop();
    if (seen[node]) {
      continue;
    }
    seen[node] = true;
    largest = std::max(largest, value);
    for (const std::size_t next : neighbours(node, size)) {
      queue.push({values[next], next});
    }
  }
  return largest;
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
  const auto reach = [&](std::size_t next, std::size_t node) {
    if (before[next] == values.size() && values[next] <= level) {
      before[next] = node;
      queue.push_back(next);
    }
  };
  for (std::size_t k = 0; k < queue.size() && queue[k] != start; ++k) {
    const std::size_t node = queue[k];
    for (const std::size_t next : neighbours(node, size)) {
      reach(next, node);
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

}  // namespace

std::vector<double> best_exchange_path(const RegressionData& data,
                                       const ReluNetwork& network,
                                       OutputWeights weights,
                                       std::size_t size) {
  const std::vector<double> losses = least_losses(data, size);
  const std::size_t start = size / 4;        // directions 0 and 90 degrees
  const std::size_t goal = size / 4 * size;  // 90 and 0 degrees
  const double level = bottleneck(losses, size, start, goal);
  const std::vector<std::size_t> way = shortest_way(losses, size, start, goal, level * (1 + 2e-4));
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

}  // namespace isthmus
