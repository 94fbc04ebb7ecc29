// SPDX-License-Identifier: MIT
#include "isthmus/study/tasks/families.h"

namespace isthmus {
namespace {

// 1-4-4-1, a sigmoid after every layer, no biases: 24 parameters.
Network quadratic_network() {
  const Linear hidden{
      .out_features = 4, .bias = false, .weight_init = {Initializer::Kind::uniform, 1.0}};
  Linear output = hidden;
  output.out_features = 1;
  const Activation sigmoid{Activation::Kind::sigmoid};
  return {.input = {1}, .layers = {hidden, sigmoid, hidden, sigmoid, output, sigmoid}};
}

// 1-4-4-1 with biases and a linear output: 33 parameters.
Network cubic_network() {
  const Linear hidden{.out_features = 4,
                      .weight_init = {Initializer::Kind::uniform, 1.0},
                      .bias_init = {Initializer::Kind::normal, 1.0}};
  Linear output = hidden;
  output.out_features = 1;
  const Activation sigmoid{Activation::Kind::sigmoid};
  return {.input = {1}, .layers = {hidden, sigmoid, hidden, sigmoid, output}};
}

}  // namespace

void set_generated(StudyOptions& options) {
  options.problem.loss = Loss::absolute;
  options.string.grid.metric = Metric::mean_absolute_error;
  options.string.grid.points = 101;
  options.string.alpha = 0.95;
  options.endpoints.optimizer = Adam{.learning_rate = 0.001};
  options.endpoints.max_steps = 400000;
  options.string.training.optimizer = Adam{.learning_rate = 0.01};
  options.string.training.max_steps = 50000;
  options.repair.tries = 20;
  options.other_split = OtherSplit::grid;
  if (options.protocol == Protocol::strict) {
    return;
  }
  // QUADRATICS.py and CUBICS.py: end points look at the test set after rounds of 500 steps and at
  // the mean training loss of every 5; beads look at the test set after every 15.
  options.string.tolerance = 1.1;
  options.endpoints.check_every = 500;
  options.endpoints.loss_window = 5;
  options.string.training.optimizer = Adam{.learning_rate = 0.001};
  options.string.training.check_every = 15;
  options.string.training.max_steps = 200000;
}

std::vector<Task> polynomial_tasks() {
  return {
      {.name = "quadratic",
       .summary = "y = 0.5 x^2 + 0.25 x + 0.1 on [0, 1], 1-4-4-1 sigmoid net, mean absolute error",
       .data = "quadratic",
       .threshold = 0.01,
       .network = quadratic_network,
       .set = set_generated,
       .published_thresholds =
           {0.125, 0.1, 0.075, 0.05, 0.025, 0.01, 0.0075, 0.005, 0.0025, 0.001}},
      {.name = "cubic",
       .summary = "y = 8 x^3 - 10 x^2 + 3 x on [0, 1], 1-4-4-1 sigmoid net with biases, mean "
                  "absolute error",
       .data = "cubic",
       .threshold = 0.05,
       .network = cubic_network,
       .set = set_generated,
       .published_thresholds = {0.32,  0.24,  0.2,   0.18,  0.17, 0.168, 0.164, 0.162, 0.16,
                                0.158, 0.156, 0.154, 0.152, 0.15, 0.14,  0.12,  0.1,   0.08,
                                0.07,  0.06,  0.05,  0.04,  0.03, 0.02,  0.01}},
  };
}

}  // namespace isthmus
