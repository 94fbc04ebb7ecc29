// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "isthmus/certify/products.h"
#include "isthmus/net/network.h"

namespace isthmus {

/// A layer as the enclosures see it: which rows of its input each of its outputs is made of.
/// Row c * height * width + y * width + x holds pixel (c, y, x), so that flatten is no step.
struct Step {
  enum class Kind { linear, relu, sigmoid, tanh, max_pool, average_pool };
  Kind kind = Kind::relu;
  std::size_t in_rows = 0;
  std::size_t out_rows = 0;

  /// Linear (dense: 1 position) and pooling (a position for every output row): the input rows of
  /// position p are terms[first[p] .. first[p + 1]); those of a linear step also name the column of
  /// the weights.
  std::vector<Term> terms;
  std::vector<std::size_t> first;

  /// Average pooling: what the sum of a window is divided by; 0: the number of its terms.
  double divisor = 0.0;

  /// Linear: output channel o at position p is row o * positions + p.
  std::size_t outputs = 0;
  std::size_t inputs = 0;  ///< columns of the weights
  std::size_t weight_offset = 0;
  std::optional<std::size_t> bias_offset;

  std::size_t positions() const { return first.empty() ? 0 : first.size() - 1; }
  /// Multiplications of one sample (0 unless linear).
  std::size_t multiplications() const { return kind == Kind::linear ? terms.size() * outputs : 0; }
};

/// The steps of a network in evaluation mode. Throws UsageError naming a layer that has none
/// (see layer_not_covered).
std::vector<Step> steps_of(const Network& network);

/// Which layer has no step, or nothing: softmax is not covered.
std::optional<std::string> layer_not_covered(const Network& network);

}  // namespace isthmus
