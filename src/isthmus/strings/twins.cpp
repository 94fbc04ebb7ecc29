// SPDX-License-Identifier: MIT
#include "isthmus/strings/twins.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "isthmus/net/symmetry/recognise.h"
#include "isthmus/strings/curve.h"

namespace isthmus {
namespace {

constexpr double tolerance = 1e-5;

// Between 65 beads whose factors go from 1 to 1000, weights before and behind a unit multiply to
// at most 1.003.
constexpr std::size_t most_rounds = 6;

}  // namespace

double Twins::factor() const {
  return std::max(extent.largest_factor, 1.0 / extent.least_factor);
}

bool Twins::scaled() const {
  return factor() > 1.0 + tolerance;
}

std::optional<Twins> twins_among(const Objective& objective,
                                 std::span<const float> a,
                                 std::span<const float> b) {
  if (objective.network() == nullptr) {
    return std::nullopt;
  }
  Recognition found = recognise(symmetries_of(*objective.network()), a, b, tolerance);
  Twins twins{.symmetry = std::move(found.symmetry), .difference = found.difference};
  twins.extent = extent_of(twins.symmetry);
  if (!found.equal || !(twins.moved() || twins.scaled())) {
    return std::nullopt;
  }
  return twins;
}

std::vector<float> unscaled_twin(const Objective& objective,
                                 std::span<const float> a,
                                 const Twins& twins) {
  Symmetry moves = twins.symmetry;
  for (UnitMap& map : moves) {
    for (double& factor : map.factor) {
      factor = std::copysign(1.0, factor);
    }
  }
  std::vector<float> theta(a.begin(), a.end());
  apply(symmetries_of(*objective.network()), moves, theta);
  return theta;
}

StringSummary connect_twins(Evaluators& evaluators,
                            std::span<const float> unscaled,
                            std::span<const float> b,
                            const Twins& twins,
                            const StringOptions& options,
                            const StringCallbacks& callbacks) {
  const SymmetryGroup group = symmetries_of(*evaluators.objective().network());
  Symmetry scaling = identity_of(group);
  for (std::size_t d = 0; d < scaling.size(); ++d) {
    std::ranges::transform(twins.symmetry[d].factor, scaling[d].factor.begin(), [](double factor) {
      return std::abs(factor);
    });
  }
  const Curve curve = [&](double t) {
    std::vector<float> theta(unscaled.begin(), unscaled.end());
    apply(group, power(scaling, t), theta);
    return theta;
  };
  StringOptions limited = options;
  limited.max_rounds = std::min(options.max_rounds, most_rounds);
  limited.grid.stop_at_failure = true;
  StringSummary summary = connect_along(evaluators, unscaled, b, curve, limited, callbacks);
  if (summary.verdict == Verdict::connected) {
    summary.ending.kind = Ending::Kind::symmetry;
    summary.ending.factor = twins.factor();
    summary.ending.difference = twins.difference;
  }
  return summary;
}

}  // namespace isthmus
