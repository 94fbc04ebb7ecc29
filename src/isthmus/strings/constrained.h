// SPDX-License-Identifier: MIT
#pragma once

#include "isthmus/core/names.h"
#include "isthmus/strings/greedy.h"

namespace isthmus {

/// How a bead is kept halfway between its neighbours a and b: near the hyperplane through
/// M = (a + b) / 2 with the normal u = (b - a) / |b - a|.
enum class Hyperplane {
  penalty,  ///< kappa |u . (theta - M)| is added to what the bead minimises
  exact,  ///< the bead trains inside it, and freely behind that if it stays above its target there
};

template <>
inline constexpr auto enum_names<Hyperplane> = name_table<Hyperplane>(
    "hyperplane", {{Hyperplane::penalty, "penalty"}, {Hyperplane::exact, "exact"}});

/// What a bead at theta between a and b minimises besides its loss, `step` steps after its start:
///
///     2^-floor(step / halving) (zeta (|theta - a| + |theta - b|) + kappa |u . (theta - M)|)
///
/// Freeman & Bruna 2017, appendix A, with the midpoint M where a sign is misprinted there, and
/// without the norm under its last term, which is 0 where every bead starts.
struct ConstrainedTerms {
  double zeta = 0.003;        ///< strength of the springs, loss per unit of length
  double kappa = 0.03;        ///< strength of the hyperplane, likewise
  std::size_t halving = 500;  ///< gradient steps after which both are half as strong; >= 1
  Hyperplane hyperplane = Hyperplane::penalty;

  /// What of both is left at a gradient step: 2 to the power of minus the halvings before it.
  double scale_at(std::size_t step) const;
};

/// Adds the gradient of those terms at theta (all P); `scale` is the power of two. Where a distance
/// is 0 its gradient counts as 0.
void add_constraints(std::span<const float> theta,
                     std::span<const float> a,
                     std::span<const float> b,
                     const ConstrainedTerms& terms,
                     double scale,
                     std::span<float> gradient);

/// Greedy sampling whose beads train under constraints: the strings of appendix A. Metrics, targets
/// and checks are of the loss alone. Otherwise as connect_greedy.
StringSummary connect_constrained(Evaluators& evaluators,
                                  std::span<const float> a,
                                  std::span<const float> b,
                                  const GreedyOptions& options,
                                  const ConstrainedTerms& terms,
                                  const StringCallbacks& callbacks = {});

}  // namespace isthmus
