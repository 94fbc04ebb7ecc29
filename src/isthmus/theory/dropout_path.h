// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace isthmus {

/// A perceptron of ReLU layers. Its flat vector is W_1, b_1, W_2, b_2, ..., row-major, as in a
/// torch.nn.Sequential; without biases the b_k are absent.
struct Perceptron {
  std::vector<std::size_t> widths;  ///< inputs, hidden widths, outputs
  bool biases = false;              ///< of all layers, or of none

  std::size_t dimension() const;
};

/// For each hidden layer of width h two disjoint sets of floor(h / 2) units: those that A keeps,
/// and those that B keeps.
struct DropoutHalves {
  std::vector<std::vector<std::size_t>> a;
  std::vector<std::vector<std::size_t>> b;
};

/// The `draw`-th random halves. Equal arguments give equal ones.
DropoutHalves random_halves(const Perceptron& network, std::uint64_t seed, std::size_t draw);

/// A path of straight pieces between two networks that lose little when half of their units are
/// dropped (Kuditipudi et al. 2019, Theorem 1 and its proof, for K >= 1 hidden layers).
struct DropoutPath {
  std::vector<float> points;       ///< (nodes, P) row-major, from A to B
  std::vector<std::string> names;  ///< of the 4 K + 1 pieces
  /// The nodes whose losses bound the path for every loss that is convex in the outputs: on each
  /// piece the network's outputs stay, or only the last layer moves. Both ends, and K of each end
  /// between them: with half of the last hidden layer, of the last two, ..., of all.
  std::vector<std::size_t> deciding;
};

/// Joins a and b (P each). The weights behind a dropped half are scaled by `factor_a` in A and
/// `factor_b` in B: 2 is what dropout in training promises. Throws UsageError for no hidden layer,
/// a hidden layer of one unit, spans that do not fit, numbers that are not finite,
/// halves that do not fit, or factors that are not.
DropoutPath connect_dropout(const Perceptron& network,
                            std::span<const float> a,
                            std::span<const float> b,
                            const DropoutHalves& halves,
                            double factor_a,
                            double factor_b);

}  // namespace isthmus
