// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>

#include "isthmus/train/train.h"

namespace isthmus::testing {

/// Trains jobs with evaluators of their own.
inline void train_on(const Objective& objective,
                     std::span<TrainJob> jobs,
                     const TrainOptions& options,
                     std::size_t threads = 1) {
  Workers workers(threads);
  Evaluators evaluators(objective, workers);
  train(evaluators, jobs, options);
}

/// The metric of a job's theta on all samples.
inline double value_of(const Objective& objective,
                       const TrainOptions& options,
                       const TrainJob& job) {
  double value = 0.0;
  objective.evaluator()->metrics(options.split, options.metric, job.theta, std::span(&value, 1));
  return value;
}

}  // namespace isthmus::testing
