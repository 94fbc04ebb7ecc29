// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "isthmus/certify/loss_bound.h"
#include "isthmus/objective/penalty.h"

namespace isthmus {

/// A penalty along the segment (1 - t) a + t b: convex in t, so that it lies below its chords.
/// Keeps references to a and b (P). Immutable, safe to share.
class PenaltyBound {
 public:
  /// `over`: see penalized().
  PenaltyBound(const Penalty& penalty,
               std::span<const IndexRange> over,
               std::span<const float> a,
               std::span<const float> b);

  /// The penalty between two dyadic t, times `samples`: what LossSums says of it. Zero where there
  /// is no penalty; infinite or NaN where it overflows.
  LossSums sums(double t0, double t1, std::size_t samples) const;

 private:
  Penalty penalty_;
  std::span<const IndexRange> over_;
  std::span<const float> a_;
  std::span<const float> b_;
};

}  // namespace isthmus
