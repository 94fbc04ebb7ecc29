// SPDX-License-Identifier: MIT
#include "isthmus/path/measures.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "isthmus/core/error.h"

namespace isthmus {
namespace {

double worst_of(double a, double b) {
  return worse(a, b) ? a : b;
}

// What made a segment fail, if that is none of its points, which end the profile.
void add_failure(std::vector<ProfilePoint>& profile,
                 const SegmentCheck& check,
                 ProfilePoint start,
                 double length) {
  const auto first = std::ranges::find(profile, start.segment, &ProfilePoint::segment);
  const bool known = std::any_of(first, profile.end(), [&](const ProfilePoint& point) {
    return !worse(check.worst_value, point.value);
  });
  if (check.passed || known) {
    return;
  }
  const auto behind = std::find_if(
      first, profile.end(), [&](const ProfilePoint& point) { return point.t > check.worst_t; });
  start.t = check.worst_t;
  start.arc_length += check.worst_t * length;
  start.value = check.worst_value;
  profile.insert(behind, start);
}

}  // namespace

std::vector<ProfilePoint> profile_of(const Path& path,
                                     const Layout& layout,
                                     std::span<const SegmentCheck> segments,
                                     const SegmentGrid& grid) {
  ISTHMUS_ASSERT(segments.size() == path.segments(), "one check for each segment");
  std::vector<ProfilePoint> profile;
  double start = 0.0;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const double length = distance(path.bead(i), path.bead(i + 1), layout, Coordinates::all);
    for (std::size_t k = 0; k < segments[i].values.size(); ++k) {
      if (segments[i].proven() && std::isnan(segments[i].values[k])) {
        continue;  // not looked at
      }
      profile.push_back({.segment = i,
                         .t = grid.t(k),
                         .arc_length = start + grid.t(k) * length,
                         .value = segments[i].values[k]});
    }
    add_failure(profile, segments[i], {.segment = i, .arc_length = start}, length);
    start += length;
  }
  return profile;
}

Barrier barrier_of(std::span<const ProfilePoint> profile,
                   double length,
                   double value_a,
                   double value_b) {
  const double end = worst_of(value_a, value_b);
  double largest = end;
  double above_line = 0.0;
  for (const ProfilePoint& point : profile) {
    const double s = length > 0.0 ? point.arc_length / length : 0.0;
    largest = worst_of(point.value, largest);
    above_line = worst_of(point.value - ((1.0 - s) * value_a + s * value_b), above_line);
  }
  return {.over_max = largest - end,
          .over_mean = largest - (value_a + value_b) / 2.0,
          .over_linear = above_line};
}

LargestValue largest_on(Evaluators& evaluators,
                        const Path& path,
                        std::span<const SegmentCheck> segments,
                        const SegmentGrid& grid,
                        Split split,
                        OtherSplit which,
                        const Stop* stop) {
  ISTHMUS_ASSERT(segments.size() == path.segments(), "one check for each segment");
  if (which == OtherSplit::none) {
    return {.value = std::numeric_limits<double>::quiet_NaN()};
  }
  std::atomic<std::uint64_t> points_seen{0};
  std::vector<double> largest(segments.size(), -std::numeric_limits<double>::infinity());
  evaluators.workers().for_each(segments.size(), [&](std::size_t i, std::size_t worker) {
    std::vector<double> points;
    if (which == OtherSplit::grid) {
      // A bead between two segments is looked at as the end of the one before it.
      for (std::size_t k = i > 0 && grid.include_end ? 1 : 0; k < grid.points; ++k) {
        points.push_back(grid.t(k));
      }
    } else {
      points.push_back(segments[i].worst_t);
    }
    points_seen += points.size();
    std::vector<float> theta(path.dimension);
    for (const double t : points) {
      if (stop && stop->requested()) {
        throw Interrupted("stopped on request");
      }
      interpolate(path.bead(i), path.bead(i + 1), t, theta);
      double value = 0.0;
      evaluators.of(worker).metrics(split, grid.metric, theta, {&value, 1});
      largest[i] = worst_of(value, largest[i]);
    }
  });
  double result = largest.empty() ? std::numeric_limits<double>::quiet_NaN() : largest.front();
  for (const double value : largest) {
    result = worst_of(value, result);
  }
  return {.value = result, .samples = points_seen * evaluators.objective().samples(split)};
}

std::vector<SegmentCheck> check_path(Evaluators& evaluators,
                                     const Path& path,
                                     const SegmentGrid& grid,
                                     const Stop* stop) {
  grid.validate();
  std::vector<SegmentCheck> checks(path.segments());
  evaluators.workers().for_each(checks.size(), [&](std::size_t i, std::size_t worker) {
    checks[i] =
        check_segment(evaluators.of(worker), path.bead(i), path.bead(i + 1), grid, {}, {}, stop);
  });
  return checks;
}

}  // namespace isthmus
