// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <vector>

#include "isthmus/train/looks.h"
#include "isthmus/train/run.h"

namespace isthmus {

/// Runs that advance in step on one worker, their thetas side by side in memory: a new job is taken
/// as soon as one ends. With a capacity of 1, a run that trains alone.
class Cohort {
 public:
  Cohort(TrainPlan& plan, Evaluator& evaluator, std::size_t capacity);

  /// Trains jobs until nobody has any left.
  void train_all();
  /// Trains one job alone.
  void train_one(std::size_t job);

 private:
  TrainRows rows();
  void advance_to_end();
  void take_jobs();
  void add(std::size_t job);
  void interrupt();
  void advance();
  void finish_step(TrainRun& run, std::span<float> theta, std::span<float> gradient, double loss);
  void remove_ended();

  TrainPlan& plan_;
  Evaluator& evaluator_;
  std::size_t capacity_;
  std::size_t dimension_;
  Looks looks_;
  std::vector<TrainRun> runs_;
  std::vector<float> thetas_;     // (capacity, P), row i of run i; unused if capacity is 1
  std::vector<float> gradients_;  // (capacity, P)
  std::vector<double> losses_;    // (capacity)
  bool any_ended_ = false;
  bool refills_ = false;
};

}  // namespace isthmus
