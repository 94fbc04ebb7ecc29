// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <vector>

namespace isthmus {

/// sup over u in [0, 1] of |share of points below u - u|: the star discrepancy, exact (Niederreiter
/// 1992, Theorem 2.6). Throws UsageError for no point, or one outside [0, 1].
double star_discrepancy(std::vector<double> points);

/// The sum of |values[i + 1] - values[i]|: the variation of a function on [0, 1] between places at
/// which it was computed, from below.
double variation(std::span<const double> values);

/// The difference of two means of one function, over `first` and over `second` points, is at most
/// its variation times the sum of their discrepancies (Koksma's inequality).
double koksma_bound(double variation, double first_discrepancy, double second_discrepancy);

}  // namespace isthmus
