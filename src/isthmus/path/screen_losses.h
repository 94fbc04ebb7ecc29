// SPDX-License-Identifier: MIT
#pragma once

#include <span>

#include "isthmus/core/stop.h"
#include "isthmus/objective/objective.h"
#include "isthmus/path/segment.h"

namespace isthmus {

/// An end of a segment, looked at on all samples.
struct ScreenEnd {
  std::span<const float> theta;   ///< (P)
  std::span<const float> losses;  ///< (samples of the split), see Evaluator::sample_losses
  double value = 0.0;             ///< the metric
};

/// Looks at the grid of a segment as check_segment does, but at its inner points at a part of the
/// samples (LossSample, by the larger loss of the two ends): the mean loss there is the chord of
/// those of the ends, which are known of all samples, and the mean deviation from it, which is
/// estimated with a standard error. A point passes, or fails, where the estimate is 3 standard
/// errors away from the bound; where not, the largest estimate is looked at on all samples, whose
/// losses become a third place for the chords to run through, and so on until each point passes by
/// 2 errors at least or was looked at in full. An estimate of the risk taken, and no proof:
/// docs/checks.md.
///
/// The metric of the grid is not an error rate, and the objective has the losses of samples. The
/// values are estimates; SegmentCheck::error tells that of the largest. Allocates grid.points + 4
/// numbers a sample. Throws Interrupted between two looks when `stop` is raised.
SegmentCheck screen_losses(Evaluator& evaluator,
                           const ScreenEnd& a,
                           const ScreenEnd& b,
                           const SegmentGrid& grid,
                           const Stop* stop = nullptr);

}  // namespace isthmus
