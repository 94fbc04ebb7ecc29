// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "isthmus/strings/growing_string.h"

namespace isthmus {

/// The parameter vector (P) at t in (0, 1) of a curve from one end point to the other.
using Curve = std::function<std::vector<float>(double t)>;

/// Grows a string along a curve until every segment passes, or a limit is met: each that fails gets
/// a bead half-way in t between its own, or where there is no curve at its largest value: the
/// polyline itself is the curve. Ends at once where a bead that was put in exceeds the bound: the
/// curve does so there. `times` are those of the beads. Returns the finished string.
StringSummary grow_along(GrowingString& string, std::vector<double> times, const Curve& curve);

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
