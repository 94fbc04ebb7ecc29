// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "isthmus/core/verdict.h"
#include "isthmus/path/path.h"
#include "isthmus/path/segment.h"
#include "isthmus/strings/ending.h"

namespace isthmus {

struct StringCost {
  std::uint64_t gradient_samples_beads = 0;
  std::uint64_t forward_samples_beads = 0;  ///< looks at the metric while beads train
  std::uint64_t forward_samples_checks = 0;

  StringCost& operator+=(const StringCost& other);
};

/// Where a metric was seen on a string, or what made it fail there.
struct StringPlace {
  double value = std::numeric_limits<double>::quiet_NaN();
  std::size_t segment = 0;
  double t = 0.0;          ///< in [0, 1] within the segment
  bool undecided = false;  ///< see SegmentCheck::undecided
};

/// How a bead came onto its string: as (1 - t) left + t right, trained from there on.
struct BeadBirth {
  std::size_t round = 0;  ///< that put it in; 0: it was there from the beginning
  std::size_t left = 0;   ///< number of the bead before it then
  std::size_t right = 0;  ///< and of the one behind it
  double t = 0.0;

  bool operator==(const BeadBirth&) const = default;
};

/// A string as it ended, whatever the method.
struct StringSummary {
  Verdict verdict = Verdict::not_connected;  ///< that of the ending
  Ending ending;
  Path path;
  std::vector<SegmentCheck> segments;     ///< (M - 1), proven, or every grid point looked at
  std::vector<std::size_t> bead_numbers;  ///< (M): see GrowingString; 0 and 1 are the end points
  std::vector<BeadBirth> births{};        ///< (M)
  double value_a = 0.0;                   ///< full-split metric of the end points
  double value_b = 0.0;
  /// The metric is proven to be nowhere larger on the path; NaN where a segment was sampled.
  double bound = std::numeric_limits<double>::quiet_NaN();
  /// Largest value seen: over the grids, or the places proofs looked at. Of a string that failed
  /// the value that made it fail, be it the bound of a proof that stayed undecided, is among them.
  double max_metric = 0.0;
  double max_t = 0.0;   ///< (segment + t) / (M - 1) of it
  StringPlace worst{};  ///< the same place
  /// The smallest of the largest values seen after each round: the nearest that the string came to
  /// passing. Checks that stop at failures see less than the maximum, so it is a lower bound of the
  /// smallest barrier. NaN: some segment was never looked at.
  double best_max_metric = std::numeric_limits<double>::quiet_NaN();
  std::size_t beads_inserted = 0;
  std::size_t beads_unreached = 0;  ///< trainings that did not reach their target
  std::size_t rounds = 0;
  StringCost cost;
};

/// One string of two that meet: the last bead of `left` is the first of `right`, and becomes an
/// inner bead with a number of its own. Counts and costs are added, what was seen is the worse of
/// both; the ending is that of the leg that failed, of the left one if both did. Throws UsageError
/// if they do not meet.
StringSummary joined(StringSummary left, StringSummary right);

}  // namespace isthmus
