// SPDX-License-Identifier: MIT
#include "isthmus/certify/penalty_bound.h"

#include <algorithm>
#include <cmath>

#include "isthmus/certify/rounding.h"

namespace isthmus {
namespace {

// One number's share of R at two t, of how far R lies below its chord between them, in multiples of
// q, and of what rounding is measured by.
struct Share {
  double left = 0.0;
  double right = 0.0;
  double sag = 0.0;
  double size = 0.0;
};

// Where x changes its sign, |x| is the larger of two lines.
Share absolute_share(double x0, double x1, double largest) {
  const double d0 = std::abs(x0);
  const double d1 = std::abs(x1);
  const bool crosses = (x0 < 0.0) != (x1 < 0.0);
  return {d0, d1, crosses ? 2.0 * std::min(d0, d1) : 0.0, largest};
}

// A parabola: x^2 lies exactly q (x1 - x0)^2 below its chord.
Share square_share(double x0, double x1, double largest) {
  const double change = x1 - x0;
  return {x0 * x0, x1 * x1, change * change, largest * largest};
}

}  // namespace

PenaltyBound::PenaltyBound(const Penalty& penalty,
                           std::span<const IndexRange> over,
                           std::span<const float> a,
                           std::span<const float> b)
    : penalty_(penalty), over_(over), a_(a), b_(b) {
}

LossSums PenaltyBound::sums(double t0, double t1, std::size_t samples) const {
  LossSums sums;
  if (!penalty_.any()) {
    return sums;
  }
  const auto share_of = penalty_.kind == Penalty::Kind::l1 ? absolute_share : square_share;
  Share total;
  std::size_t terms = 0;
  for (const IndexRange& range : over_) {
    for (std::size_t i = range.offset; i < range.offset + range.size; ++i) {
      const auto a = static_cast<double>(a_[i]);
      const auto b = static_cast<double>(b_[i]);
      const Share share = share_of(
          (1.0 - t0) * a + t0 * b, (1.0 - t1) * a + t1 * b, std::max(std::abs(a), std::abs(b)));
      total.left += share.left;
      total.right += share.right;
      total.sag += share.sag;
      total.size += share.size;
    }
    terms += range.size;
  }
  const double scale = penalty_.strength * static_cast<double>(samples);
  sums.left = scale * total.left;
  sums.right = scale * total.right;
  sums.bend_left = -scale * total.sag;
  sums.bend_right = -scale * total.sag;
  sums.error = up(4.0 * gamma(terms + 16) * (scale * total.size));
  sums.magnitude = sums.left + sums.right + scale * total.sag;
  return sums;
}

}  // namespace isthmus
