// SPDX-License-Identifier: MIT
#include "isthmus/theory/decompositions.h"

#include <Eigen/Eigenvalues>
#include <Eigen/QR>
#include <Eigen/SVD>

namespace isthmus::theory {

ThinSvd thin_svd(const Matrix& matrix) {
  const Eigen::JacobiSVD<Matrix> svd(matrix, Eigen::ComputeThinU | Eigen::ComputeThinV);
  return {svd.matrixU(), svd.singularValues(), svd.matrixV(), svd.rank()};
}

Vector singular_values(const Matrix& matrix) {
  return Eigen::JacobiSVD<Matrix>(matrix).singularValues();
}

Matrix householder_q_times(const Matrix& matrix, const Matrix& right) {
  return Eigen::HouseholderQR<Matrix>(matrix).householderQ() * right;
}

double largest_eigenvalue(const Matrix& symmetric) {
  return Eigen::SelfAdjointEigenSolver<Matrix>(symmetric, Eigen::EigenvaluesOnly)
      .eigenvalues()
      .maxCoeff();
}

}  // namespace isthmus::theory
