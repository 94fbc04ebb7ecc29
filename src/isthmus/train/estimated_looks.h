// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <vector>

#include "isthmus/train/run.h"

namespace isthmus {

/// Looks at a loss of runs that train on changing batches (LookKind::estimated). Whether a look
/// that is due is worth it is told by the losses of the batches, at no cost; then by a part of the
/// samples (LossSample), where the objective has their losses: those of the last look at all of
/// them are known, and only how far this part has moved is added. If that reaches the target, all
/// samples are looked at, and they decide. docs/checks.md has the rules and what they cost.
class EstimatedLooks {
 public:
  EstimatedLooks(const TrainPlan& plan, Evaluator& evaluator);

  /// Whether the looks of a run are estimated.
  bool suits(const TrainRun& run) const;
  /// Takes the look that is due, or passes it over.
  void look(TrainRun& run, std::span<const float> theta);
  /// Looks at all samples, passes the targets that they reach, and keeps their losses if the job
  /// wants them. Returns the value.
  double look_at_all(TrainRun& run, std::span<const float> theta);

 private:
  bool is_near(TrainRun& run) const;
  double estimate(TrainRun& run, std::span<const float> theta);
  void note(TrainRun& run, double value) const;

  const TrainPlan& plan_;
  Evaluator& evaluator_;
  bool batches_are_fair_;     // their losses differ from the metric by chance alone
  std::vector<float> found_;  // losses of the samples of an estimate
};

}  // namespace isthmus
