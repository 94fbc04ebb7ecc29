// SPDX-License-Identifier: MIT
#include "isthmus/path/tridiagonal.h"

#include <Eigen/Eigenvalues>

#include "isthmus/core/error.h"

namespace isthmus {

TridiagonalEigen tridiagonal_eigen(std::span<const double> diagonal,
                                   std::span<const double> beside) {
  ISTHMUS_ASSERT(!diagonal.empty() && beside.size() + 1 == diagonal.size(), "a square matrix");
  using Vector = Eigen::VectorXd;
  const auto size = static_cast<Eigen::Index>(diagonal.size());
  Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver;
  solver.computeFromTridiagonal(Eigen::Map<const Vector>(diagonal.data(), size),
                                Eigen::Map<const Vector>(beside.data(), size - 1));
  const Eigen::MatrixXd& vectors = solver.eigenvectors();
  return {.values = {solver.eigenvalues().data(), solver.eigenvalues().data() + size},
          .vectors = {vectors.data(), vectors.data() + vectors.size()}};
}

}  // namespace isthmus
