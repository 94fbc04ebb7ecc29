// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "isthmus/strings/growing_string.h"

namespace isthmus {

/// F. Draxler, K. Veschgini, M. Salmhofer, F. A. Hamprecht, "Essentially No Barriers in Neural
/// Network Energy Landscape", ICML 2018: AutoNEB. A band of pivots descends, each along the part of
/// its gradient that is normal to the band; stiff springs hold the distances between them: before
/// every step the pivots are put along the polyline at the shares of its length that they had when
/// they were put in. In cycles: each ends with the common check, and up to `insertions` of the
/// segments that fail get a pivot at their largest value, where that exceeds the chord between the
/// values of their ends by more than `excess` of the range of values on the band. All pivots of a
/// step see the same batch.
///
/// Optimizer and batches are those of beads; six fourteenths of the cycles have their rate, the
/// next four a tenth of it, the others a hundredth (the authors: .1, .01, .001 for residual
/// networks).
struct NebTerms {
  std::size_t pivots = 3;      ///< of the first cycle, at equal distances; >= 1
  std::size_t cycles = 14;     ///< >= 1; takes the place of StringOptions::max_rounds
  std::size_t steps = 1000;    ///< of a cycle; >= 1 (the authors: 2000 in two of theirs)
  std::size_t insertions = 2;  ///< a cycle
  double excess = 0.1;         ///< in [0, 1]
  /// After so many steps the pivots are looked at, and the cycle ends when all reach the target; 0:
  /// only after the last step, the authors' way.
  std::size_t look_every = 100;

  /// Throws UsageError that names the option, its value and its range.
  void validate() const;
};

/// The unit tangent (P) of a band at a bead, from its own and its neighbours' losses (left, bead,
/// right): towards the higher neighbour; at a maximum or minimum both differences, that towards the
/// higher neighbour weighted by the larger of the two changes of the loss, the other one by the
/// smaller (G. Henkelman, H. Jonsson, J. Chem. Phys. 113, 9978, 2000, eqs. 8 to 11). Where all
/// three losses are equal, along right - left. Zero where that is.
void improved_tangent(std::span<const float> left,
                      std::span<const float> bead,
                      std::span<const float> right,
                      const std::array<double, 3>& losses,
                      std::span<float> tangent);

/// Joins two end points by a band that begins as the straight line. a, b (P). The pivots of a cycle
/// are kept by the journal. Throws as connect_greedy(); the result does not depend on the number of
/// workers.
StringSummary connect_neb(Evaluators& evaluators,
                          std::span<const float> a,
                          std::span<const float> b,
                          const StringOptions& common,
                          const NebTerms& terms,
                          const StringCallbacks& callbacks = {});

}  // namespace isthmus
