// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace isthmus {

/// The direction in which a first layer's gradient is steepest. C, the mean of x x^T over what the
/// rows of the layer are multiplied with (its inputs, or a convolution's windows; with a 1 behind
/// x where there is a bias), is a factor of the curvature of the loss by each row of (W | b).
/// Inputs that are not centred, as images, have one eigenvalue many times the second one, whose
/// vector is about the mean input, and it alone bounds the rate at which steps of gradients are
/// stable (LeCun, Bottou, Orr & Mueller 1998, "Efficient BackProp", 4.3). A gradient that is damped
/// along it is that of centred inputs, all but for a change of variables.
struct SteepDirection {
  std::size_t weight = 0;           ///< offset of W in the flat vector, row after row
  std::size_t rows = 0;             ///< outputs, or channels
  std::size_t columns = 0;          ///< numbers of x
  std::optional<std::size_t> bias;  ///< offset of b
  std::vector<float> direction;     ///< u, of length 1: (columns), or one more with a bias
  double excess = 0.0;              ///< 1 - lambda_2 / lambda_1 of C, in [0, 1]

  /// Each row g of the gradient's (W | b) becomes g - share * excess * (g . u) u. gradient (P);
  /// share in [0, 1].
  void damp(std::span<float> gradient, double share) const;
};

}  // namespace isthmus
