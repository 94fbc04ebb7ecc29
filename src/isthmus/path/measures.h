// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "isthmus/core/names.h"
#include "isthmus/path/path.h"
#include "isthmus/path/segment.h"
#include "isthmus/train/train.h"

namespace isthmus {

/// How far the maximum of a metric along a path lies above its end points, in three conventions
/// that are all in use (they differ whenever the ends do).
struct Barrier {
  double over_max = 0.0;     ///< max F - max(F(A), F(B))
  double over_mean = 0.0;    ///< max F - (F(A) + F(B)) / 2
  double over_linear = 0.0;  ///< max over the path of F - ((1 - s) F(A) + s F(B)), s the fraction
                             ///< of the arc length
};

/// One point of a path at which a metric was looked at.
struct ProfilePoint {
  std::size_t segment = 0;
  double t = 0.0;           ///< in [0, 1] within the segment
  double arc_length = 0.0;  ///< from end point A, over all parameters
  double value = 0.0;
};

/// The values that the checks of all segments of a path saw, in order. `segments` has one complete
/// check for each segment, made on `grid`, or a proof, which looks at few of its points. Of a
/// segment that failed the value that made it fail is among them, wherever that was.
std::vector<ProfilePoint> profile_of(const Path& path,
                                     const Layout& layout,
                                     std::span<const SegmentCheck> segments,
                                     const SegmentGrid& grid);

/// value_a and value_b are the full-split metric of the end points, which belong to the path even
/// if its grid left one out: no barrier is negative, except over_mean by rounding. NaN if any value
/// is.
Barrier barrier_of(std::span<const ProfilePoint> profile,
                   double length,
                   double value_a,
                   double value_b);

/// Which points of a path are looked at on the split that does not define the level set.
enum class OtherSplit {
  grid,       ///< every grid point of every segment
  dangerous,  ///< the most dangerous point of every segment: one full pass each
  none,
};

template <>
inline constexpr auto enum_names<OtherSplit> = name_table<OtherSplit>(
    "other-split",
    {{OtherSplit::grid, "grid"}, {OtherSplit::dangerous, "dangerous"}, {OtherSplit::none, "none"}});

struct LargestValue {
  double value = 0.0;         ///< NaN if one of the values is, or for no point
  std::uint64_t samples = 0;  ///< forward samples spent
};

/// The largest value of the grid's metric on `split` over the chosen points of a path. Throws
/// Interrupted when `stop` is raised.
LargestValue largest_on(Evaluators& evaluators,
                        const Path& path,
                        std::span<const SegmentCheck> segments,
                        const SegmentGrid& grid,
                        Split split,
                        OtherSplit which,
                        const Stop* stop = nullptr);

/// Re-evaluates every segment of a path on a grid, in parallel, from nothing but its beads. Throws
/// UsageError for an invalid grid and Interrupted when `stop` is raised.
std::vector<SegmentCheck> check_path(Evaluators& evaluators,
                                     const Path& path,
                                     const SegmentGrid& grid,
                                     const Stop* stop = nullptr);

}  // namespace isthmus
