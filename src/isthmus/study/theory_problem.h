// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "isthmus/objective/objective.h"
#include "isthmus/study/problem.h"
#include "isthmus/theory/dropout_path.h"
#include "isthmus/theory/relu_path.h"

namespace isthmus {

/// The sizes of a perceptron of ReLU layers; a flatten first and dropout anywhere are passed over.
/// Throws UsageError that names the first layer that such a network does not have: another kind of
/// layer, another activation, one behind the last linear layer, or biases of some layers alone.
Perceptron perceptron_of(const Network& network);

/// Theorem 2.4's problem for a network of one hidden layer on a split: targets as they are, labels
/// as unit vectors. Throws UsageError for another depth, text, or as validate().
ReluProblem relu_problem(const Objective& objective, Split split, double kappa);

/// The inputs (N, features) of samples, and their targets (N, outputs), labels as unit vectors.
std::vector<double> inputs_of(const Samples& samples);
std::vector<double> targets_of(const Samples& samples, std::size_t outputs);

/// What a path file needs besides its path, so that `verify` takes it (see read_path).
std::map<std::string, std::string> path_metadata(const Problem& problem,
                                                 double threshold,
                                                 Metric metric,
                                                 Split split);

}  // namespace isthmus
