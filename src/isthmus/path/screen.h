// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <span>
#include <string>

#include "isthmus/core/stop.h"
#include "isthmus/objective/objective.h"
#include "isthmus/path/segment.h"

namespace isthmus {

/// Why a metric of an objective cannot be screened, or nothing.
std::optional<std::string> reason_not_screened(const Objective& objective, Metric metric);

/// Looks at the grid of a segment as check_segment does, but at each inner point only at those
/// samples that may be misread on one side and read on the other of some place nearby: the others
/// count as at the ends of their interval. Which these are is told by the margins (see
/// Evaluator::margins) of all samples at both ends, and by how far the margins that are looked at
/// deviate from the straight line between those ends: an estimate with a safety factor, no proof
/// (docs/checks.md). A grid that stops at failures ends as soon as a point is known to fail. With
/// it a segment that passes costs one to a few passes, whatever the number of points.
///
/// The metric of the grid is an error rate of an objective with margins. a, b (P); margins_a,
/// margins_b (samples of the split), of a whole pass each. Allocates about grid.points + 8 numbers
/// a sample. Throws Interrupted between two looks when `stop` is raised.
SegmentCheck screen_segment(Evaluator& evaluator,
                            std::span<const float> a,
                            std::span<const float> b,
                            const SegmentGrid& grid,
                            std::span<const float> margins_a,
                            std::span<const float> margins_b,
                            const Stop* stop = nullptr);

}  // namespace isthmus
