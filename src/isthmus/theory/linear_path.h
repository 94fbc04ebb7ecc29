// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "isthmus/theory/linear_network.h"

namespace isthmus {

/// A continuous path of linear networks, piece after piece. The end of a piece is the start of the
/// next bit for bit, and the ends of the path are the networks that were given. Immutable, safe to
/// share.
class LinearPath {
 public:
  struct Data;
  explicit LinearPath(std::shared_ptr<const Data> data);

  std::size_t pieces() const;
  /// What a piece does, e.g. "A: scale W_1".
  const std::string& name(std::size_t piece) const;
  /// theta at t in [0, 1] of a piece.
  std::vector<double> point(std::size_t piece, double t) const;

 private:
  std::shared_ptr<const Data> data_;
};

/// Throws UsageError unless every hidden width exceeds m = min(inputs, outputs): Proposition 2.2 of
/// Freeman & Bruna (2017) with the strict inequality that it needs (docs/theory.md).
void require_wide(const std::vector<std::size_t>& widths);

/// From `a` to `b` with a loss of at most the larger end's, for every convex loss of the product
/// W_K ... W_1 and any data, without a look at either. Each end goes to a normal form, in which
/// all layers but the last are [I 0; 0 0], by moves that keep the product; between the normal
/// forms the last layer moves straight. 6 K - 5 pieces. Throws UsageError for networks of
/// different shapes, or as validate() and require_wide().
LinearPath connect_linear(const LinearNetwork& a, const LinearNetwork& b);

/// From `start` to a global minimum of the data term: the product kept until the normal form, then
/// a straight line of the last layer on which F = F* + (1 - t)^2 (F(start) - F*). Throws as
/// connect_linear(), and UsageError if `start` is a global minimum up to 1000 times
/// LinearLoss::rounding(), or the loss has a ridge.
LinearPath descend_linear(const LinearNetwork& start, const LinearLoss& loss);

/// From `a` to `b`, two layers, for a convex loss of the product plus ridge * ||theta||^2: each end
/// goes to the balanced factors of its product W, W_1 = (W^T W)^(1/4) and W_2 = W (W^T W)^(-1/4),
/// by moves that keep the product and never raise the norm; between, the product moves straight
/// with balanced factors, whose squared norm 2 ||W||_* (nuclear norm) is convex. Throws as
/// connect_linear(), and UsageError unless there are two layers.
LinearPath connect_ridge(const LinearNetwork& a, const LinearNetwork& b);

/// The loss along a path, at `points` places of every piece, its ends among them.
struct LinearPathLoss {
  double first = 0.0;
  double last = 0.0;
  double maximum = 0.0;
  std::size_t piece = 0;  ///< of the maximum
  double rise = 0.0;      ///< the largest increase from one place to a later one
  double rounding = 0.0;  ///< the larger LinearLoss::rounding() of the two ends

  /// By how much the path exceeds its larger end.
  double excess() const;
};

/// Throws UsageError for fewer than two points.
LinearPathLoss measure(const LinearPath& path, const LinearLoss& loss, std::size_t points);

}  // namespace isthmus
