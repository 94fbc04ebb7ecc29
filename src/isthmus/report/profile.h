// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "isthmus/report/format.h"
#include "isthmus/report/run.h"

namespace isthmus {

/// A value of the metric somewhere on a path.
struct ProfileSample {
  std::size_t segment = 0;
  double t = 0;           ///< within the segment; 0 and 1 are its beads
  double arc_length = 0;  ///< from end point A
  double value = 0;       ///< NaN: not a number there
};

/// The metric along one path, and what it is drawn with.
struct PathProfile {
  std::string title;
  MetricLabel metric;
  std::string split;
  double threshold = 0;
  double endpoint_distance = 0;           ///< in the unit of the arc lengths; 0: they are one point
  std::vector<ProfileSample> path;        ///< by ascending arc length
  std::vector<ProfileSample> straight{};  ///< the one segment from A to B, or empty
  /// The greatest value is not one that was seen, but the bound that a proof could not bring down.
  bool undecided = false;
};

/// The profile that a run keeps of one of its cells (the file cells/THRESHOLD_PAIR.json); nothing
/// if the cell is not finished, or the run has so many that it keeps none. Throws DataError if the
/// file is damaged. `straight` is empty: runs do not keep it.
std::optional<PathProfile> read_profile(const RunRecord& run, double threshold, std::size_t pair);

/// The metric against the arc length, both as they are on the path: beads marked, the threshold
/// dashed, the straight line from A to B grey for comparison (it ends where the arc length is the
/// distance of the end points), places where the metric is not a number shaded from top to bottom.
/// The metric's axis is logarithmic where values exceed the threshold
/// tenfold and none is 0. The same profile gives the same bytes.
std::string svg_profile(const PathProfile& profile);

}  // namespace isthmus
