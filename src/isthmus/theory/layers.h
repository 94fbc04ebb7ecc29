// SPDX-License-Identifier: MIT
#pragma once

#include <Eigen/Core>
#include <span>
#include <vector>

#include "isthmus/theory/linear_network.h"

// Within the room: the layers of a linear network as matrices.
namespace isthmus::theory {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;
using Index = Eigen::Index;
using Layers = std::vector<Matrix>;
using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// W_1, ..., W_K.
Layers layers_of(const std::vector<std::size_t>& widths, std::span<const double> theta);
std::vector<double> theta_of(const Layers& layers);

/// The network of the transposed product: the list reversed, each layer transposed.
Layers turned(const Layers& layers);

/// W_K ... W_1.
Matrix product_of(const Layers& layers);

/// Samples as columns: (features, N).
Matrix columns_of(std::span<const double> values, std::size_t features);

/// The W of rank at most `rank` with the least ||W X - Y||, (outputs, inputs), of the least norm
/// where X does not decide it.
Matrix regression(const Matrix& x, const Matrix& y, Index rank);

}  // namespace isthmus::theory
