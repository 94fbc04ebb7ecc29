// SPDX-License-Identifier: MIT
#pragma once

#include <span>

namespace isthmus {

/// Bounds on the deviation from the chord, in multiples of q = s (1 - s): with end values z0 and
/// z1, z(s) lies in (1 - s) z0 + s z1 + q [low, high].
struct Bounds {
  double low = 0.0;
  double high = 0.0;
};

/// What a nonlinearity makes of such a unit: bounds around the chord of its values at the two ends.
/// docs/certificate.md has the proofs; results hold in spite of their own rounding.

Bounds bound_relu(double z0, double z1, Bounds z);
/// `radius`: a further deviation of z, not in multiples of q (it moves the slopes, no more).
Bounds bound_sigmoid(double z0, double z1, Bounds z, double radius);
Bounds bound_tanh(double z0, double z1, Bounds z, double radius);

struct Candidate {
  double left = 0.0;
  double right = 0.0;
  Bounds bounds;
};

/// The largest of several units (at least one).
Bounds bound_maximum(std::span<const Candidate> candidates);

}  // namespace isthmus
