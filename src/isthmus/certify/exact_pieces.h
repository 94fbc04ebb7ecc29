// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "isthmus/certify/exact.h"
#include "isthmus/certify/interval.h"

namespace isthmus {

/// Of a squared error: the output is quadratic in t.
inline constexpr std::size_t loss_degree = 4;

/// Of a loss on a part of a segment: the coefficients of 1, t, ..., t^4.
using LossPolynomial = std::array<Interval, loss_degree + 1>;

inline void add(LossPolynomial& sum, const LossPolynomial& term) {
  for (std::size_t k = 0; k <= loss_degree; ++k) {
    sum[k] += term[k];
  }
}

/// One sample's loss on [begin, begin of its next piece): the sum over its outputs.
struct LossPiece {
  double begin = 0.0;
  std::uint32_t sample = 0;
  LossPolynomial loss;
};

/// The pieces of all samples along the segment, for sizes and numbers that maximum_on_segment
/// accepts; each sample's in the order of t, the first at 0.
std::vector<LossPiece> loss_pieces(const ReluNetwork& network,
                                   const RegressionData& data,
                                   Loss loss,
                                   std::span<const double> from,
                                   std::span<const double> to);

}  // namespace isthmus
