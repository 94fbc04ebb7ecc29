// SPDX-License-Identifier: MIT
// Trains two networks y(x) = sum_j v_j tanh(w_j x + b_j) to sin(x) at 32 points of [-3, 3], under a
// loss that isthmus does not know (log cosh of the error), and joins them.
#include <cmath>
#include <cstdio>

#include "isthmus/objective/callable_objective.h"
#include "isthmus/strings/greedy.h"

using namespace isthmus;
constexpr std::size_t units = 8, points = 32;

// theta is w, b, v in one row; `gradient` may be empty: value only.
double loss(std::span<const float> theta, std::span<float> gradient) {
  std::vector<double> slope(theta.size());
  double sum = 0.0;
  for (std::size_t i = 0; i < points; ++i) {
    const double x = -3.0 + 6.0 * static_cast<double>(i) / (points - 1);
    double h[units], error = -std::sin(x);
    for (std::size_t j = 0; j < units; ++j) {
      h[j] = std::tanh(theta[j] * x + theta[units + j]);
      error += theta[2 * units + j] * h[j];
    }
    sum += std::log(std::cosh(error)) / points;
    for (std::size_t j = 0; j < units; ++j) {
      const double back = std::tanh(error) / points;
      const double inner = back * theta[2 * units + j] * (1.0 - h[j] * h[j]);
      slope[j] += inner * x;
      slope[units + j] += inner;
      slope[2 * units + j] += back * h[j];
    }
  }
  std::copy_n(slope.begin(), gradient.size(), gradient.begin());
  return sum;
}

int main() {
  CallableOptions network{.loss = loss, .safety = CallSafety::concurrent};
  network.layout.add("w", {units, 1}, Role::weight);
  network.layout.add("b", {units}, Role::bias);
  network.layout.add("v", {1, units}, Role::weight);
  const auto objective = make_callable_objective(network);
  Workers workers(2);
  Evaluators evaluators(*objective, workers);

  GreedyOptions options;
  options.threshold = 0.001;
  options.grid.metric = options.training.metric = network.metric;  // the name the loss goes by
  options.training.optimizer = Adam{.learning_rate = 0.01};
  std::vector<TrainJob> ends(2, {.theta = std::vector<float>(3 * units), .targets = {0.00095}});
  objective->initialise(1, 0, ends[0].theta);
  objective->initialise(1, 1, ends[1].theta);
  train(evaluators, ends, options.training);
  const StringSummary string = connect_greedy(evaluators, ends[0].theta, ends[1].theta, options);
  std::printf("%zu networks between the two, largest loss %.6f, ",
              string.beads_inserted,
              string.max_metric);
  std::puts(name_of(string.verdict).data());
}
