// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace isthmus {

/// Eigenvalues of a symmetric tridiagonal matrix, ascending, and its unit eigenvectors.
struct TridiagonalEigen {
  std::vector<double> values;   ///< (N)
  std::vector<double> vectors;  ///< (N, N), a row an eigenvector

  std::span<const double> vector(std::size_t which) const {
    return std::span(vectors).subspan(which * values.size(), values.size());
  }
};

/// diagonal (N >= 1), beside (N - 1).
TridiagonalEigen tridiagonal_eigen(std::span<const double> diagonal,
                                   std::span<const double> beside);

}  // namespace isthmus
