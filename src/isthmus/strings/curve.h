// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "isthmus/strings/growing_string.h"

namespace isthmus {

/// The parameter vector (P) at t in (0, 1) of a curve from one end point to the other.
using Curve = std::function<std::vector<float>(double t)>;

/// Joins two end points along a curve that is known to stay below the threshold: every segment that
/// fails its check gets a bead of the curve, half-way in t between its own, until all pass or a
/// limit is met. Nothing is trained. What was a proof along the curve becomes a checked polyline,
/// as any other string. a, b (P). Throws as connect_greedy().
StringSummary connect_along(Evaluators& evaluators,
                            std::span<const float> a,
                            std::span<const float> b,
                            const Curve& curve,
                            const StringOptions& options,
                            const StringCallbacks& callbacks = {});

}  // namespace isthmus
