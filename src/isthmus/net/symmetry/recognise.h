// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>

#include "isthmus/net/symmetry/symmetry.h"

namespace isthmus {

/// Whether one network is another one with its units moved and scaled.
struct Recognition {
  bool equal = false;
  Symmetry symmetry{};      ///< if equal: applied to a it gives b, up to `difference`
  double difference = 0.0;  ///< if equal: ||symmetry(a) - b|| / ||b||
  std::string reason{};     ///< if not: which units have no counterpart
};

/// Looks for an element of the group that turns a into b (P each): dimension by dimension from the
/// input on, by sorting a random projection of each unit's weights, scaled to a norm of 1 where
/// factors are free. Units that look alike from the input side are told apart by the weights that
/// read them, once all others are known. Takes the time of a few passes over the parameters.
///
/// `tolerance` bounds the relative difference of the weights of each unit and each layer: float32
/// files of one network differ by 1e-6 or less, independently trained networks by about 1. What is
/// recognised was compared number by number. Networks that are equal only through what the group
/// does not list, or of which two units are alike within the tolerance but not the same, may be
/// missed.
Recognition recognise(const SymmetryGroup& group,
                      std::span<const float> a,
                      std::span<const float> b,
                      double tolerance = 1e-4);

}  // namespace isthmus
