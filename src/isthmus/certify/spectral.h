// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace isthmus {

/// An upper bound of the largest singular value of a matrix (rows, columns), row by row. It exceeds
/// the value by less than a twentieth for up to 512 rows or columns, whichever are fewer; infinity
/// where numbers overflow.
double spectral_bound(std::span<const double> matrix, std::size_t rows, std::size_t columns);
/// The multiplications of one call.
double spectral_work(std::size_t rows, std::size_t columns);

/// The Euclidean norm of some numbers, rounded upwards.
double norm_bound(std::span<const double> numbers);

/// What a matrix W(t) = (1 - t) a + t b can do to the length of a vector, for every t in [0, 1].
/// All numbers are rounded upwards.
struct MatrixSizes {
  std::vector<double> rows;         ///< Euclidean norms of W(t)'s rows
  std::vector<double> row_changes;  ///< of those of b - a
  double spectral = 0.0;            ///< largest singular value of W(t); 0 where not asked for
  double spectral_change = 0.0;     ///< of b - a; 0 where not asked for
  double all_rows = 0.0;            ///< Euclidean norm of `rows`
  double all_changes = 0.0;         ///< of `row_changes`
};

/// a, b (rows, columns).
MatrixSizes matrix_sizes(std::span<const double> a,
                         std::span<const double> b,
                         std::size_t rows,
                         std::size_t columns,
                         bool spectral);

}  // namespace isthmus
