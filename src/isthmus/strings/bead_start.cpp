// SPDX-License-Identifier: MIT
#include "isthmus/strings/bead_start.h"

#include <array>

#include "isthmus/core/error.h"
#include "isthmus/path/path.h"

namespace isthmus {

void place_start(const SegmentPlace& place, double t, double bend, std::span<float> theta) {
  const std::array beads{place.before, place.left, place.right, place.behind};
  if (bend == 0.0 || (place.before.empty() && place.behind.empty())) {
    interpolate(place.left, place.right, t, theta);
    return;
  }
  // Lagrange's weights of the beads that there are.
  std::array<double, 4> weights{};
  for (std::size_t i = 0; i < beads.size(); ++i) {
    if (beads[i].empty()) {
      continue;
    }
    ISTHMUS_ASSERT(beads[i].size() == theta.size(), "vectors of one length");
    double weight = 1.0;
    for (std::size_t k = 0; k < beads.size(); ++k) {
      if (k != i && !beads[k].empty()) {
        weight *=
            (t + 1.0 - static_cast<double>(k)) / (static_cast<double>(i) - static_cast<double>(k));
      }
    }
    weights[i] = bend * weight;
  }
  weights[1] += (1.0 - bend) * (1.0 - t);
  weights[2] += (1.0 - bend) * t;
  for (std::size_t j = 0; j < theta.size(); ++j) {
    double value = 0.0;
    for (std::size_t i = 0; i < beads.size(); ++i) {
      value += beads[i].empty() ? 0.0 : weights[i] * static_cast<double>(beads[i][j]);
    }
    theta[j] = static_cast<float>(value);
  }
}

}  // namespace isthmus
