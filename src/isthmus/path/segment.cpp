// SPDX-License-Identifier: MIT
#include "isthmus/path/segment.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "isthmus/core/error.h"
#include "isthmus/path/path.h"

namespace isthmus {
namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

// One check under way.
class Check {
 public:
  Check(Evaluator& evaluator,
        std::span<const float> a,
        std::span<const float> b,
        const SegmentGrid& grid,
        const Stop* stop)
      : evaluator_(evaluator), a_(a), b_(b), grid_(grid), stop_(stop), seen_(grid.points, false) {
    result_.values.assign(grid.points, unknown);
  }

  // Takes a full-split value that is known already. Returns whether the check should go on.
  bool take(std::size_t k, double value, bool complete = true) {
    seen_[k] = true;
    if (complete) {
      result_.values[k] = value;
    }
    // Of equal values (error rates) the smallest t counts, so that the order of looking does not.
    const bool equal = !worse(value, result_.worst_value) && !worse(result_.worst_value, value);
    if (looked_ == 0 || worse(value, result_.worst_value) ||
        (equal && grid_.t(k) < result_.worst_t)) {
      result_.worst_value = value;
      result_.worst_t = grid_.t(k);
    }
    ++looked_;
    failed_ = failed_ || !reaches(value, grid_.bound, grid_.comparison);
    return !failed_ || !grid_.stop_at_failure;
  }

  // Looks at some points, in order. Returns whether the check should go on.
  bool look(std::span<const std::size_t> points) {
    theta_.resize(a_.size());
    for (const std::size_t k : points) {
      if (seen_[k]) {
        continue;
      }
      if (stop_ && stop_->requested()) {
        throw Interrupted("stopped on request in the middle of a segment");
      }
      interpolate(a_, b_, grid_.t(k), theta_);
      const double bound =
          grid_.stop_at_failure ? grid_.bound : std::numeric_limits<double>::infinity();
      const Evaluation evaluation =
          evaluator_.metric_unless_above(grid_.split, grid_.metric, theta_, bound);
      result_.samples += evaluation.samples;
      if (!take(k, evaluation.value, evaluation.complete)) {
        return false;
      }
    }
    return true;
  }

  std::vector<std::size_t> all() const {
    std::vector<std::size_t> points(grid_.points);
    std::iota(points.begin(), points.end(), std::size_t{0});
    return points;
  }

  // The grid points nearest to the eighths of the segment, the middle first.
  std::vector<std::size_t> coarse() const {
    std::vector<std::size_t> points;
    for (const std::size_t eighth : {4, 2, 6, 1, 3, 5, 7, 0, 8}) {
      const std::size_t k = std::min((eighth * grid_.points) / 8, grid_.points - 1);
      if (std::ranges::find(points, k) == points.end()) {
        points.push_back(k);
      }
    }
    return points;
  }

  // The points not looked at, the one with the largest interpolated value first. All values seen
  // before are numbers: any other ends a check that stops at failures.
  std::vector<std::size_t> rest() const {
    std::vector<std::pair<double, std::size_t>> expected;
    std::size_t left = 0;  // the coarse points include both ends of the grid
    std::size_t right = 0;
    for (std::size_t k = 0; k < grid_.points; ++k) {
      if (seen_[k]) {
        left = k;
        continue;
      }
      for (right = std::max(right, k); right + 1 < grid_.points && !seen_[right];) {
        ++right;
      }
      const double s = static_cast<double>(k - left) / static_cast<double>(right - left);
      expected.emplace_back(-(1.0 - s) * result_.values[left] - s * result_.values[right], k);
    }
    std::ranges::stable_sort(expected, {}, [](const auto& entry) { return entry.first; });
    std::vector<std::size_t> points;
    points.reserve(expected.size());
    for (const auto& [value, k] : expected) {
      points.push_back(k);
    }
    return points;
  }

  SegmentCheck finish() {
    result_.passed = !failed_ && looked_ == grid_.points;
    return std::move(result_);
  }

 private:
  Evaluator& evaluator_;
  std::span<const float> a_;
  std::span<const float> b_;
  const SegmentGrid& grid_;
  const Stop* stop_;
  std::vector<bool> seen_;
  std::vector<float> theta_;
  std::size_t looked_ = 0;
  bool failed_ = false;
  SegmentCheck result_;
};

}  // namespace

void SegmentGrid::validate() const {
  if (points < 2 || points > most_points) {
    throw UsageError(
        fmt::format("points: expected at least 2 and at most {}, got {}", most_points, points));
  }
  if (std::isnan(bound)) {
    throw UsageError("threshold: expected a number, got nan");
  }
}

SegmentCheck check_segment(Evaluator& evaluator,
                           std::span<const float> a,
                           std::span<const float> b,
                           const SegmentGrid& grid,
                           std::optional<double> value_a,
                           std::optional<double> value_b,
                           const Stop* stop) {
  ISTHMUS_ASSERT(a.size() == b.size(), "end points of one length");
  Check check(evaluator, a, b, grid, stop);
  bool go_on = !value_a || check.take(0, *value_a);
  if (go_on && value_b && grid.include_end) {
    go_on = check.take(grid.points - 1, *value_b);
  }
  if (!grid.stop_at_failure) {
    check.look(check.all());
  } else if (go_on && check.look(check.coarse())) {
    check.look(check.rest());
  }
  return check.finish();
}

SegmentCheck prove_segment(Evaluator& evaluator,
                           const SegmentProver& prover,
                           std::span<const float> a,
                           std::span<const float> b,
                           const SegmentGrid& grid,
                           std::optional<double> value_a,
                           std::optional<double> value_b,
                           const Stop* stop) {
  SegmentGrid middle = grid;
  middle.points = 3;
  middle.include_end = true;
  middle.stop_at_failure = true;
  SegmentCheck result = check_segment(evaluator, a, b, middle, value_a, value_b, stop);
  std::vector<double> values(grid.points, unknown);
  for (std::size_t k = 0; k < grid.points; ++k) {
    const double place = 2.0 * grid.t(k);
    if (place == std::floor(place)) {
      values[k] = result.values[static_cast<std::size_t>(place)];
    }
  }
  result.values = std::move(values);
  if (!result.passed) {
    return result;
  }
  CertifyOptions options;
  options.threshold = grid.bound;
  options.max_evaluations = prover.max_evaluations;
  const SegmentProof proof = prover.certifier.certify(a, b, options, prover.workers, stop);
  result.passed = proof.outcome == SegmentProof::Outcome::proven;
  result.samples += proof.samples;
  if (worse(proof.largest_seen, result.worst_value)) {
    result.worst_value = proof.largest_seen;
    result.worst_t = proof.t;
  }
  if (result.passed) {
    result.bound = proof.bound;
  } else if (proof.outcome == SegmentProof::Outcome::undecided) {
    result.undecided = true;
    result.worst_value = std::isfinite(proof.bound) ? proof.bound : unknown;
  }
  return result;
}

}  // namespace isthmus
