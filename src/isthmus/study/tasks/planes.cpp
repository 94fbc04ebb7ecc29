// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "isthmus/core/error.h"
#include "isthmus/study/tasks/families.h"

namespace isthmus {
namespace {

// 2-hidden-2, ReLU, no biases.
Network plane_network(std::size_t hidden) {
  Linear first{
      .out_features = hidden, .bias = false, .weight_init = {Initializer::Kind::normal, 1.0}};
  Linear second = first;
  second.out_features = 2;
  return {.input = {2}, .layers = {first, Activation{Activation::Kind::relu}, second}};
}

void set_plane(StudyOptions& options) {
  if (options.protocol == Protocol::paper) {
    throw UsageError(
        fmt::format("protocol: the paper has no script for {}; use strict", options.problem.task));
  }
  set_generated(options);
  options.problem.loss = Loss::squared;
  options.problem.risk_points = 400;
  options.string.grid.metric = Metric::mean_squared_error;
  options.endpoints.max_steps = 20000;
  options.string.training.max_steps = 5000;  // a bead in a gap never arrives
}

}  // namespace

std::vector<Task> plane_tasks() {
  return {
      {.name = "two-gaussians",
       .summary = "(max(0, x_1), max(0, x_2)) on two crossed Gaussians, 2-2-2 ReLU net without "
                  "biases, mean squared error; see `isthmus lower-bound`",
       .data = "two-gaussians",
       .threshold = 0.01,
       .network = [] { return plane_network(2); },
       .set = set_plane},
      {.name = "poor-minimum",
       .summary = "two networks' targets mixed 2 to 1 on two crossed Gaussians, 2-2-2 ReLU net "
                  "without biases, mean squared error; see `isthmus lower-bound`",
       .data = "poor-minimum",
       .threshold = 0.04,
       .network = [] { return plane_network(2); },
       .set = set_plane},
      {.name = "permuted-points",
       .summary = "three points onto each other in a circle, 2-3-2 ReLU net without biases, mean "
                  "squared error; see `isthmus lower-bound`",
       .data = "permuted-points",
       .threshold = 0.01,
       .network = [] { return plane_network(3); },
       .set = set_plane},
  };
}

}  // namespace isthmus
