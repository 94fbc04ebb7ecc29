// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace isthmus {

/// An interval of t is looked at in so many equal parts.
inline constexpr std::size_t kink_parts = 8;

/// One number for each part.
struct alignas(64) Parts {
  std::array<double, kink_parts> at{};

  double& operator[](std::size_t part) { return at[part]; }
  double operator[](std::size_t part) const { return at[part]; }
};

/// Rows of coefficients end in so many numbers that may be read, and written, beyond their width.
inline constexpr std::size_t kink_margin = 16;

/// Some rows and columns of a matrix, row by row.
struct PickedMatrix {
  const double* weights = nullptr;
  std::size_t inputs = 0;  ///< columns of the whole matrix
  std::span<const std::uint32_t> rows;
  std::span<const std::uint32_t> columns;
};

/// out(i, c) = sum over k of weights(rows[i], columns[k]) in(k, c) for c < width, each a sum in
/// double in some order, fused or not; rows of `in` and `out` are `stride` apart.
void multiply_picked(const PickedMatrix& matrix,
                     const double* in,
                     double* out,
                     std::size_t stride,
                     std::size_t width);

/// The ranges of the functions of s that a form is made of.
struct KinkTables {
  std::span<const Parts> low;
  std::span<const Parts> high;
  std::span<const Parts> size;      ///< the larger magnitude of both
  std::span<const double> largest;  ///< that of all parts
};

/// What one unit's coefficients make of them.
struct KinkSums {
  Parts low;  ///< of the sum of plain(k) f_k
  Parts high;
  Parts turned;            ///< sum of |turned(k)| size_k
  double magnitude = 0.0;  ///< sum of (|plain(k)| + |turned(k)|) largest_k
};
void sum_tables(const double* plain,
                const double* turned,
                const KinkTables& tables,
                KinkSums& sums);

}  // namespace isthmus
