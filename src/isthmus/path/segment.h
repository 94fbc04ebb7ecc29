// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "isthmus/certify/certifier.h"
#include "isthmus/core/stop.h"
#include "isthmus/objective/objective.h"
#include "isthmus/train/train.h"

namespace isthmus {

/// Of one segment: every value is kept, 8 MB of them.
inline constexpr std::size_t most_points = 1'000'000;

/// Which points of a segment are looked at, and what they must satisfy.
struct SegmentGrid {
  std::size_t points = 101;  ///< 2 to most_points
  /// true: t = k / (points - 1), both ends among them. false: t = k / points, k = 0 .. points - 1,
  /// without t = 1 (the published scripts).
  bool include_end = true;
  Split split = Split::test;
  Metric metric = Metric::mean_absolute_error;
  double bound = 0.0;  ///< a point passes if its full-split value reaches this
  Comparison comparison = Comparison::at_most;
  /// true: stop at the first point that fails. false: look at every point in any case.
  bool stop_at_failure = true;

  double t(std::size_t k) const {
    return static_cast<double>(k) / static_cast<double>(include_end ? points - 1 : points);
  }
  /// Throws UsageError.
  void validate() const;
};

/// The order in which values are dangerous: larger is worse, and NaN is the worst of all.
inline bool worse(double value, double than) {
  return std::isnan(value) ? !std::isnan(than) : value > than;
}

/// What a check saw of the segment (1 - t) a + t b.
struct SegmentCheck {
  bool passed = false;         ///< every grid point was looked at on the full split and passes
  double worst_value = 0.0;    ///< largest value seen (a lower bound of it where a pass over the
                               ///< data was stopped because the bound was exceeded); NaN counts as
                               ///< the largest
  double worst_t = 0.0;        ///< the most dangerous t: the smallest where that was
  std::vector<double> values;  ///< (points): full-split values, or screened ones; NaN where the
                               ///< check did not look
  /// Of screened losses: the standard error of worst_value, 0 where that is of all samples.
  double error = 0.0;
  std::uint64_t samples = 0;  ///< forward samples spent; a proof's multiplications over those of a
                              ///< forward pass count too
  /// Of a proof: the metric is nowhere larger on the segment. NaN: the grid was sampled.
  double bound = std::numeric_limits<double>::quiet_NaN();
  /// Of a proof that failed without a value above the bound: worst_value is then what the metric
  /// can be at most, as far as it was proven (NaN: anything), and worst_t where the largest was
  /// seen.
  bool undecided = false;

  bool proven() const { return !std::isnan(bound); }
};

/// What proves a segment, within how many passes over the split.
struct SegmentProver {
  const Certifier& certifier;
  Workers& workers;
  double max_evaluations;
};

/// Looks at the middle of a segment; if it passes, proves that all of it does, or finds a place
/// that does not. `passed` means proven; an attempt that stays undecided within `max_evaluations`
/// full passes counts as failed, by the bound that it could not bring down. `values` are those of
/// the grid points that were looked at. Throws as check_segment.
SegmentCheck prove_segment(Evaluator& evaluator,
                           const SegmentProver& prover,
                           std::span<const float> a,
                           std::span<const float> b,
                           const SegmentGrid& grid,
                           std::optional<double> value_a = std::nullopt,
                           std::optional<double> value_b = std::nullopt,
                           const Stop* stop = nullptr);

/// Looks at the grid of one segment. If it is to stop at the first failure: at the eighths of the
/// segment, the middle first, then at the rest in the order of the values that interpolation
/// between those suggests, largest first, so that a failing segment costs few evaluations; else in
/// grid order. Known full-split values of the two ends cost nothing. Allocates a few vectors of
/// grid.points numbers and one of P. Throws Interrupted between two looks when `stop` is raised.
SegmentCheck check_segment(Evaluator& evaluator,
                           std::span<const float> a,
                           std::span<const float> b,
                           const SegmentGrid& grid,
                           std::optional<double> value_a = std::nullopt,
                           std::optional<double> value_b = std::nullopt,
                           const Stop* stop = nullptr);

}  // namespace isthmus
