// SPDX-License-Identifier: MIT
#pragma once

#include "isthmus/theory/layers.h"

// Within the room: the decompositions of matrices that it needs, compiled once: a source that sees
// Eigen's own takes twice as long to compile.
namespace isthmus::theory {

/// A = U S V^T of an (r, c) matrix with k = min(r, c): u (r, k), s (k) descending, v (c, k).
struct ThinSvd {
  Matrix u;
  Vector s;
  Matrix v;
  Index rank = 0;  ///< singular values above rounding, relative to the largest one
};
ThinSvd thin_svd(const Matrix& matrix);

/// min(r, c) of them, descending.
Vector singular_values(const Matrix& matrix);

/// Q `right` for the QR decomposition of an (r, c) matrix, Q of (r, r); `right` has r rows.
Matrix householder_q_times(const Matrix& matrix, const Matrix& right);

/// Of a symmetric matrix, of which the lower triangle is read.
double largest_eigenvalue(const Matrix& symmetric);

}  // namespace isthmus::theory
