// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>

#include "isthmus/certify/interval.h"
#include "isthmus/net/engine.h"

namespace isthmus {

/// A network of one hidden ReLU layer, W2 relu(W1 x + b1) + b2, in double precision. Its flat
/// vector is W1 (hidden, inputs), b1 (hidden), W2 (outputs, hidden), b2 (outputs), row-major, as in
/// a torch.nn.Sequential; without biases b1 and b2 are absent.
struct ReluNetwork {
  std::size_t inputs = 1;
  std::size_t hidden = 1;
  std::size_t outputs = 1;
  bool biases = false;

  /// P, the length of the flat vector.
  std::size_t dimension() const;
};

/// A view of N >= 1 samples of a regression.
struct RegressionData {
  std::span<const double> inputs;   ///< (N, inputs), row-major
  std::span<const double> targets;  ///< (N, outputs), row-major
};

/// What is added to a loss along a segment: constant + slope t from `begin` to the next one's.
struct AddedLine {
  double begin = 0.0;
  Interval constant;
  Interval slope;
};

/// The maximum of a loss along a path of weights: `lower` <= maximum <= `upper`.
struct LossMaximum {
  double lower = 0.0;
  double upper = 0.0;
  std::size_t segment = 0;  ///< where a loss of at least `lower` is attained:
  double t = 0.0;           ///< at (1 - t) a + t b between the ends a, b of that segment
  std::size_t pieces = 0;   ///< polynomials of single samples that were looked at
};

/// The maximum over all real t in [0, 1] of the loss at (1 - t) `from` + t `to`, enclosed: a proof,
/// not a sample. The loss is Loss::squared or Loss::absolute, the mean over samples and outputs.
///
/// The preactivations of a sample are affine in t, so between the sorted zeros of all of them the
/// squared loss is one polynomial of degree 4, the absolute loss (between the zeros of the errors
/// as well) one of degree 2. Coefficients are intervals; a zero is known to some units in the last
/// place, and in between the unit (or the absolute error) has a constant interval as its value. The
/// largest Bernstein coefficient of a polynomial on an interval bounds it there; intervals are
/// halved until the bound is within 1e-13 of an attained value or as close as the coefficients are
/// known. upper - lower is some rounding errors of the largest terms of the sum.
///
/// `added`, the first line at 0 and the others in order, is added to the loss: a penalty that is
/// piecewise linear in t, of intervals that contain it. The sum must not be negative.
///
/// Works in O(N hidden outputs + K log K) for K zeros. Throws UsageError for another loss, spans
/// that do not fit the network, lines out of order, or numbers that are NaN or exceed 1e30.
LossMaximum maximum_on_segment(const ReluNetwork& network,
                               const RegressionData& data,
                               Loss loss,
                               std::span<const double> from,
                               std::span<const double> to,
                               std::span<const AddedLine> added = {});

/// The same along the polygon through the rows of `path`, (M, P) row-major with M >= 2.
LossMaximum maximum_on_path(const ReluNetwork& network,
                            const RegressionData& data,
                            Loss loss,
                            std::span<const double> path);

}  // namespace isthmus
