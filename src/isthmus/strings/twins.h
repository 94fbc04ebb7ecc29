// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "isthmus/net/symmetry/symmetry.h"
#include "isthmus/strings/growing_string.h"

namespace isthmus {

/// Two end points that are one network: the units of one, moved and scaled, are the other.
struct Twins {
  Symmetry symmetry{};      ///< applied to a gives b, up to `difference`
  SymmetryExtent extent{};  ///< of it
  double difference = 0.0;  ///< ||symmetry(a) - b|| / ||b||

  bool moved() const { return extent.moved > 0 || extent.flipped > 0; }
  /// The largest factor of a unit, or the inverse of the least one.
  double factor() const;
  bool scaled() const;
};

/// Whether two end points (P) of an objective are twins: number by number, up to 1e-5 of the
/// weights of each unit and layer (float32 files of one network differ by 1e-6 or less). Nothing
/// for an objective without a network, for two that differ otherwise, and for two that are equal as
/// they stand. Takes the time of a few passes over the parameters, and no sample.
std::optional<Twins> twins_among(const Objective& objective,
                                 std::span<const float> a,
                                 std::span<const float> b);

/// `a` with its units where b has them and their signs as there, but none of the factors: b itself
/// where twins are not scaled(), a where they are not moved().
std::vector<float> unscaled_twin(const Objective& objective,
                                 std::span<const float> a,
                                 const Twins& twins);

/// Joins the unscaled_twin() of twins to b along the curve of factors s^t, on which the network
/// stays the same: see connect_along(). At most 6 rounds, so 65 beads, unless the options allow
/// less. A string that passes ends as Ending::Kind::symmetry, with the largest factor and the
/// difference. No gradient is computed.
StringSummary connect_twins(Evaluators& evaluators,
                            std::span<const float> unscaled,
                            std::span<const float> b,
                            const Twins& twins,
                            const StringOptions& options,
                            const StringCallbacks& callbacks = {});

}  // namespace isthmus
