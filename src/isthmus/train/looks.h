// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "isthmus/train/ascending.h"
#include "isthmus/train/estimated_looks.h"
#include "isthmus/train/run.h"

namespace isthmus {

/// Looks at the metric of runs on one worker.
class Looks {
 public:
  /// Of at most `capacity` runs at once.
  Looks(const TrainPlan& plan, Evaluator& evaluator, std::size_t capacity);

  /// Looks at those whose turn it is, where no training step tells the metric. True if a run has
  /// ended by that.
  bool by_evaluation(const TrainRows& rows);
  /// Looks at the loss of a training step, where that is the metric. Only a loss that reaches the
  /// target is confirmed by an evaluation.
  void for_free(TrainRun& run, std::span<const float> theta, double loss);

 private:
  void at_values(const TrainRows& rows, std::span<const std::size_t> due);
  void at_errors(TrainRun& run, std::span<const float> theta);
  /// Look at the error rate until it is known to exceed `bound`. `seen`: the rate, estimated where
  /// the look ended early.
  Evaluation in_order(std::span<const float> theta, double bound, double& seen);
  Evaluation at_margins(TrainRun& run, std::span<const float> theta, double bound, double& seen);
  /// The share of `rest`, samples that a look did not reach, which is misread, by some of them.
  double at_some(TrainRun& run, std::span<const float> theta, std::span<const std::uint32_t> rest);

  const TrainPlan& plan_;
  Evaluator& evaluator_;
  std::vector<std::size_t> due_;  // rows whose metric is looked at
  std::vector<double> values_;    // their metrics
  EstimatedLooks estimated_;
  std::vector<float> thetas_;        // (capacity, P), theirs side by side; unused if capacity is 1
  Ascending ascending_;              // of the samples of a look
  std::vector<float> found_;         // their margins
  std::vector<std::uint32_t> some_;  // of those that a look did not reach
};

}  // namespace isthmus
