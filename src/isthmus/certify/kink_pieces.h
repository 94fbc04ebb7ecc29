// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "isthmus/certify/kink_enclosure.h"
#include "isthmus/certify/loss_bound.h"
#include "isthmus/certify/wrong_times.h"

namespace isthmus {

/// The times of one sample of a block between t0 and t1, from bounds of its margins on parts.
WrongTimes wrong_times(const Rows& left,
                       const Rows& right,
                       const KinkBounds& bounds,
                       double radius,
                       std::int32_t label,
                       std::size_t lane,
                       double t0,
                       double t1);

/// The summed cross-entropy of a block on one of the parts: a bound throughout it, and no value at
/// its ends. bounds (samples).
LossSums part_sums(const Rows& left,
                   const Rows& right,
                   std::span<const KinkBounds> bounds,
                   double radius,
                   std::int32_t label,
                   std::size_t part);

}  // namespace isthmus
