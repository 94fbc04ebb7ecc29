// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "isthmus/objective/callable_objective.h"

namespace isthmus {

/// A minimum or another place of interest of a Surface, with the value there.
struct SurfacePoint {
  std::vector<float> theta;
  double value = 0.0;
};

/// A loss in closed form that carries its own answers: what a search for paths must find.
struct Surface {
  std::string name;
  std::size_t dimension = 0;
  LossFunction loss;  ///< safe to call from several threads
  SurfacePoint from;  ///< two minima ...
  SurfacePoint to;    ///< ... to be joined
  /// The largest value on the straight line between them.
  double straight_barrier = 0.0;
  /// The smallest possible maximum on a path between them: the two are connected in the level set
  /// {loss <= L} if and only if L >= pass_value.
  double pass_value = 0.0;
};

/// (x^2 - 1)^2 + |y|^2, y of `dimension` - 1 numbers: two wells and nothing around them, so the
/// pass (1, at 0) lies on the straight line. dimension >= 1.
Surface double_well(std::size_t dimension);

/// (E + 146.6995...) / 100 for the surface E of K. Mueller and L. Brown (Theoretica Chimica Acta
/// 53, 1979): the deepest minimum has value 0; the way to the second one is bent, over a third
/// minimum and two passes.
Surface mueller_brown();

/// (r^2 - 1)^2 + |y|^2 with r^2 = x_1^2 + x_2^2: a valley of value 0 around the unit circle. Two
/// opposite points of it are connected at every level, but the straight line between them climbs
/// to 1. dimension >= 2.
Surface ring(std::size_t dimension);

/// The surface as an Objective with one weight tensor "theta"; `population` as in CallableOptions.
std::unique_ptr<Objective> make_surface_objective(const Surface& surface,
                                                  std::size_t population = 1);

}  // namespace isthmus
