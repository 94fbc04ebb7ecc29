// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "isthmus/certify/sample_products.h"
#include "isthmus/certify/steps.h"

namespace isthmus {

/// The weights of a linear step at both ends of a segment, as products take them, and what bounds
/// them. Exact: the stored numbers.
struct SampleWeights {
  std::vector<float> a;  ///< (panels, columns, sample_panel), filled up with zeros
  std::vector<float> b;  ///< the same
  std::vector<double> bias_a;
  std::vector<double> bias_b;
  std::vector<double> size;    ///< (outputs) Euclidean norm of the row of (a + b) / 2, not below it
  std::vector<double> change;  ///< of b - a
  double row_sum = 0.0;        ///< the largest sum of max(|a|, |b|) over a row, not below it
  double bias = 0.0;           ///< the largest max(|a|, |b|) of a bias
};

/// A step as one sample takes it: rows in the order (position, output) behind a linear step, which
/// spares a transposition.
struct SampleStep {
  Step::Kind kind = Step::Kind::relu;
  std::size_t in_rows = 0;
  std::size_t out_rows = 0;

  /// Linear: the places at which row r is an input are places[first[r] .. first[r + 1]).
  struct Place {
    std::uint32_t position = 0;
    std::uint32_t column = 0;
  };
  std::vector<Place> places;
  /// Pooling: the rows of window p are window[first[p] .. first[p + 1]).
  std::vector<std::uint32_t> window;
  std::vector<std::size_t> first;
  double divisor = 0.0;  ///< as in Step

  std::size_t positions = 0;
  std::size_t outputs = 0;
  std::size_t inputs = 0;
  SampleWeights weights;

  std::size_t panels() const { return (outputs + sample_panel - 1) / sample_panel; }
};

/// A network between the two ends of a segment, for products of one sample at a time that pass over
/// zeros. Immutable.
class SampleNetwork {
 public:
  /// The last step is linear and dense (margins).
  SampleNetwork(const std::vector<Step>& steps, std::span<const float> a, std::span<const float> b);

  const std::vector<SampleStep>& steps() const { return steps_; }
  /// The first linear step.
  std::size_t first() const { return first_; }

 private:
  std::vector<SampleStep> steps_;
  std::size_t first_;
};

}  // namespace isthmus
