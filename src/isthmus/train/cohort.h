// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include "isthmus/train/run.h"

namespace isthmus {

/// Trains jobs that share a batch on one worker, at most `capacity` at once, until nobody has any
/// left.
void train_in_step(TrainPlan& plan, Evaluator& evaluator, std::size_t capacity);

/// Trains one job alone.
void train_alone(TrainPlan& plan, Evaluator& evaluator, std::size_t job);

}  // namespace isthmus
