// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace isthmus {

/// Outputs that are computed together, one cache line of weights in float32.
inline constexpr std::size_t sample_panel = 16;

/// The most columns of one product.
inline constexpr std::size_t most_columns = 4;

/// One term of a sum: the column of the matrix and the number of the input.
struct Entry {
  std::uint32_t column = 0;
  std::uint32_t input = 0;
};

/// Products of two matrices with the same inputs, in double:
///     out_a[j][o] = sum over entries of a(column, o) * inputs[input][j]
/// for `columns` = 1, 2 or 4 numbers j and sample_panel outputs o; out_b likewise. a, b: (columns
/// of the matrix, sample_panel). Sums in some order, fused or not.
void multiply_ends(const float* a,
                   const float* b,
                   std::span<const Entry> entries,
                   const double* inputs,
                   std::size_t columns,
                   double* out_a,
                   double* out_b);

/// Products of the matrices w = a + time (b - a), another time for each number j, in float32: with
/// pairs (m, p) as inputs
///     sum of w * m,   sum of (b - a) * m,   sum of (|w| + half |b - a|) * p
/// go to out.middle, out.turned and out.spread, each as above.
struct DeviationWeights {
  const float* a;
  const float* b;
  const float* times;  ///< (columns)
  float half;
};
struct DeviationProducts {
  float* middle;
  float* turned;
  float* spread;
};
void multiply_deviations(const DeviationWeights& weights,
                         std::span<const Entry> entries,
                         const float* inputs,
                         std::size_t columns,
                         const DeviationProducts& out);

}  // namespace isthmus
