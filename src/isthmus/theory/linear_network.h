// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "isthmus/certify/exact.h"

namespace isthmus {

/// A deep linear network x -> W_K ... W_1 x in double precision. W_k is (widths[k],
/// widths[k - 1]).
struct LinearNetwork {
  std::vector<std::size_t> widths;  ///< d_0 (inputs), hidden widths, d_K (outputs)
  std::vector<double> theta;        ///< W_1, ..., W_K, each row-major

  std::size_t layers() const { return widths.size() - 1; }
};

/// Throws UsageError unless there are at least two widths, all > 0, theta has their numbers, and
/// none of it is NaN or exceeds 1e30. `name` says whose they are, e.g. "end point A".
void validate(const LinearNetwork& network, const char* name);

/// F(theta) = 1/N sum over samples of ||W_K ... W_1 x - y||^2 + ridge * ||theta||^2 (a sum over
/// outputs, as in Freeman & Bruna 2017, (1)). Immutable, safe to share.
class LinearLoss {
 public:
  /// Copies the data. Throws UsageError if they do not fit the first and the last width, a number
  /// is NaN or exceeds 1e30, or the ridge is negative or not finite.
  LinearLoss(std::vector<std::size_t> widths, const RegressionData& data, double ridge = 0.0);

  const std::vector<std::size_t>& widths() const { return widths_; }
  const std::vector<double>& inputs() const { return inputs_; }    ///< (N, d_0)
  const std::vector<double>& targets() const { return targets_; }  ///< (N, d_K)
  double ridge() const { return ridge_; }
  std::size_t samples() const { return inputs_.size() / widths_.front(); }

  /// F(theta), theta of all layers.
  double operator()(std::span<const double> theta) const;

  /// How much rounding may move F(theta), up to a factor: with P = ||X|| prod ||W_k|| (Frobenius)
  /// the residual is known to a small multiple of eps P, so F to one of
  /// eps (2 sqrt(F / N) P + eps P^2 / N + F).
  double rounding(std::span<const double> theta) const;

  /// The least data term over all W_K ... W_1, in closed form: with r the smallest width, Q an
  /// orthonormal basis of the row space of X and s_i the singular values of Y Q,
  /// (||Y||^2 - s_1^2 - ... - s_r^2) / N (reduced-rank regression; Izenman 1975). The sum is
  /// taken from its residual, so that it is exact near 0.
  double minimum() const;

 private:
  std::vector<std::size_t> widths_;
  std::vector<double> inputs_;
  std::vector<double> targets_;
  double ridge_;
};

}  // namespace isthmus
