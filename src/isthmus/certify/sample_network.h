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
  // Of each output, filled up with zeros to whole panels.
  std::vector<double> bias_a;
  std::vector<double> bias_b;
  std::vector<double> size;    ///< Euclidean norm of the row of (a + b) / 2, not below it
  std::vector<double> change;  ///< of b - a
  double row_sum = 0.0;        ///< the largest sum of max(|a|, |b|) over a row, not below it
  double bias = 0.0;           ///< the largest max(|a|, |b|) of a bias
};

/// A step as one sample takes it: rows in the order (position, output) behind a linear step and a
/// maximum behind that, which spares a transposition.
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

  /// Linear, of several positions: (positions, inputs) the row of each column, in_rows where that
  /// lies outside.
  std::vector<std::uint32_t> rows;
  /// Linear: the units behind it that are taken along, tile by tile: a maximum over the positions
  /// of a tile (else a tile has one position), a ReLU. Tile w has tiled[tile_first[w] ..
  /// tile_first[w + 1]). How many of the next steps these are.
  std::vector<std::uint32_t> tiled;
  std::vector<std::size_t> tile_first;
  bool pools = false;
  bool relu = false;
  std::size_t joined() const { return (pools ? 1U : 0U) + (relu ? 1U : 0U); }
  std::size_t tiles() const { return tile_first.size() - 1; }

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
