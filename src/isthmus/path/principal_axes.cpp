// SPDX-License-Identifier: MIT
#include "isthmus/path/principal_axes.h"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>

#include "isthmus/core/error.h"

namespace isthmus {
namespace {

constexpr std::size_t block = 1024;  // parameters: 26 beads of them stay in the cache

using Products = Eigen::MatrixXd;

Products products_of(const Path& path) {
  const auto beads = static_cast<Eigen::Index>(path.size());
  Products products = Products::Zero(beads, beads);
  Eigen::MatrixXd part(beads, static_cast<Eigen::Index>(block));
  for (std::size_t first = 0; first < path.dimension; first += block) {
    const auto width = static_cast<Eigen::Index>(std::min(block, path.dimension - first));
    auto centred = part.leftCols(width);
    for (Eigen::Index i = 0; i < beads; ++i) {
      const auto bead = path.bead(static_cast<std::size_t>(i)).subspan(first);
      for (Eigen::Index k = 0; k < width; ++k) {
        centred(i, k) = bead[static_cast<std::size_t>(k)];
      }
    }
    centred.rowwise() -= centred.colwise().mean().eval();
    products.selfadjointView<Eigen::Lower>().rankUpdate(centred);
  }
  products.triangularView<Eigen::StrictlyUpper>() = products.transpose();
  return products;
}

}  // namespace

double PrincipalAxes::off(std::size_t i, std::size_t shown) const {
  double squares = 0.0;
  for (std::size_t k = shown; k < variances.size(); ++k) {
    squares += at(i, k) * at(i, k);
  }
  return std::sqrt(squares);
}

std::vector<double> centred_products(const Path& path) {
  const Products products = products_of(path);
  return {products.data(), products.data() + products.size()};
}

PrincipalAxes principal_axes(const Path& path) {
  if (path.size() < 2) {
    throw UsageError("principal axes: expected at least two beads");
  }
  const auto beads = static_cast<Eigen::Index>(path.size());
  const Eigen::SelfAdjointEigenSolver<Products> solver(products_of(path));
  const double largest = solver.eigenvalues()(beads - 1);
  // What rounding leaves of a zero.
  const double least = largest * 1e-14 * static_cast<double>(beads);
  PrincipalAxes axes;
  axes.beads = path.size();
  double sum = 0.0;
  for (Eigen::Index k = beads - 1; k > 0 && solver.eigenvalues()(k) > std::max(least, 0.0); --k) {
    axes.variances.push_back(solver.eigenvalues()(k) / static_cast<double>(beads));
    sum += axes.variances.back();
  }
  const std::size_t count = axes.variances.size();
  axes.coordinates.resize(path.size() * count);
  for (std::size_t k = 0; k < count; ++k) {
    const auto column = beads - 1 - static_cast<Eigen::Index>(k);
    const Eigen::VectorXd along =
        solver.eigenvectors().col(column) * std::sqrt(solver.eigenvalues()(column));
    const double sign = along(beads - 1) < along(0) ? -1.0 : 1.0;
    for (std::size_t i = 0; i < path.size(); ++i) {
      axes.coordinates[i * count + k] = sign * along(static_cast<Eigen::Index>(i));
    }
    axes.shares.push_back(axes.variances[k] / sum);
  }
  return axes;
}

}  // namespace isthmus
