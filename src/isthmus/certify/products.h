// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "isthmus/certify/lanes.h"

namespace isthmus {

/// Outputs that are computed together.
inline constexpr std::size_t panel_width = 4;

/// A matrix (outputs, inputs) in panels of `panel_width` rows, column by column, the last panel
/// filled up with zeros.
class Panels {
 public:
  /// Keeps its memory where the shape stays; what is not set afterwards keeps its value.
  void resize(std::size_t outputs, std::size_t inputs) {
    inputs_ = inputs;
    values_.resize((outputs + panel_width - 1) / panel_width * panel_width * inputs, 0.0);
  }

  double& at(std::size_t output, std::size_t input) {
    return values_[(output / panel_width * inputs_ + input) * panel_width + output % panel_width];
  }
  double at(std::size_t output, std::size_t input) const {
    return values_[(output / panel_width * inputs_ + input) * panel_width + output % panel_width];
  }
  /// (inputs, panel_width) of the outputs from panel * panel_width.
  const double* panel(std::size_t panel) const {
    return values_.data() + panel * inputs_ * panel_width;
  }

 private:
  std::size_t inputs_ = 0;
  std::vector<double> values_;
};

/// One term of a sum: the column of the matrix and the row of the input.
struct Term {
  std::uint32_t column = 0;
  std::uint32_t row = 0;
};

using Tile = std::array<Lanes, panel_width>;

/// tile[j][lane] = sum over terms of panel(column, j) * rows[row][lane], each a sum in double in
/// some order, fused or not: an error of at most gamma_n times the sum of magnitudes.
void multiply(const double* panel, std::span<const Term> terms, const Lanes* rows, Tile& tile);

/// How many kinds of product this processor can run, of those for every processor, for AVX2 with
/// fused products, and for AVX-512.
std::size_t fused_targets();

}  // namespace isthmus
