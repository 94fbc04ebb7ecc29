// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include "isthmus/certify/enclosure.h"
#include "isthmus/net/engine.h"

namespace isthmus {

/// What a block of samples should give.
struct BlockTargets {
  std::size_t count = 0;    ///< samples; the lanes behind them are copies and do not count
  std::int32_t label = -1;  ///< of all samples (cross-entropy, error counts): outputs are margins
  Rows targets;             ///< (outputs), for absolute and squared errors
};

/// The summed loss of some samples between two t:
///
///     F(s) <= (1 - s) left + s right + s (1 - s) ((1 - s) bend_left + s bend_right) + error
///
/// and at the ends |F - left|, |F - right| <= error.
struct LossSums {
  double left = 0.0;
  double right = 0.0;
  double bend_left = 0.0;
  double bend_right = 0.0;
  double error = 0.0;
  double magnitude = 0.0;     ///< sum of the magnitudes of all terms
  std::size_t additions = 0;  ///< that any term has gone through, at most

  void add(const LossSums& other);
  /// Not below F(s) / samples for every s in [0, 1].
  double bound(std::size_t samples) const;
  /// Bounds on F / samples at the two ends.
  double least_left(std::size_t samples) const;
  double least_right(std::size_t samples) const;

 private:
  double rounding() const;
};

/// The sums of one block, from the values of the last step and their deviation.
LossSums loss_sums(Loss loss,
                   const Rows& left,
                   const Rows& right,
                   const Deviation& deviation,
                   const BlockTargets& targets);

}  // namespace isthmus
