// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "isthmus/certify/products.h"
#include "isthmus/certify/spectral.h"
#include "isthmus/certify/steps.h"

namespace isthmus {

/// Bounds on the weights of a linear step over the whole segment, for rounding errors: largest sums
/// over the columns of a row, rounded upwards.
struct WeightNorms {
  double weights = 0.0;     ///< of max(|a|, |b|)
  double difference = 0.0;  ///< of |b - a|
  double bias = 0.0;        ///< largest max(|a|, |b|)
};

/// A linear step at one t.
struct StepWeights {
  Panels weights;
  std::vector<double> bias;  ///< (outputs); zeros where there is none
};

/// What a linear step needs between two t, besides its weights at both.
struct StepChange {
  Panels difference;  ///< W(t1) - W(t0)
  Panels magnitude;   ///< max(|W(t0)|, |W(t1)|)
};

/// W((t0 + t1) / 2) and W(t1) - W(t0) of a linear step, row by row (outputs, inputs).
struct MiddleWeights {
  std::vector<double> middle;
  std::vector<double> difference;
};

/// The affine weights W(t) = (1 - t) a + t b of a segment in double. With `margins` the last step,
/// which must be linear, gives for each label l its outputs minus output l: one variant a label.
/// Steps before the last have one variant.
class SegmentWeights {
 public:
  SegmentWeights(const std::vector<Step>& steps,
                 std::span<const float> a,
                 std::span<const float> b,
                 bool margins);

  std::size_t variants(std::size_t step) const;
  const WeightNorms& norms(std::size_t step, std::size_t variant) const;

  /// Overwrites, and keeps the memory. A relative error of at most 3 units in the last place of
  /// max(|a|, |b|).
  void fill(double t, std::size_t step, std::size_t variant, StepWeights& weights) const;
  void fill(double t0, double t1, std::size_t step, std::size_t variant, StepChange& change) const;
  void fill(
      double t0, double t1, std::size_t step, std::size_t variant, MiddleWeights& weights) const;

  /// Those of a step's matrix; singular values with `spectral`.
  MatrixSizes sizes(std::size_t step, std::size_t variant, bool spectral) const;

 private:
  template <class Visit>
  void each_weight(std::size_t step, std::size_t variant, Visit visit) const;

  const std::vector<Step>& steps_;
  std::span<const float> a_;
  std::span<const float> b_;
  bool margins_;
  std::vector<std::vector<WeightNorms>> norms_;
};

}  // namespace isthmus
