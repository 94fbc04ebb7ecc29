// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "isthmus/core/stop.h"
#include "isthmus/path/path.h"
#include "isthmus/strings/string_options.h"
#include "isthmus/train/train.h"

namespace isthmus {

/// How short a path below a level could be. Every path from a to b crosses each hyperplane normal
/// to the straight line, so that with rho_t, the least distance in the one at c = (1 - t) a + t b
/// from c to the level set, and d = |b - a|, its normalised length is at least
///
///     max_t [sqrt(t^2 d^2 + rho_t^2) + sqrt((1 - t)^2 d^2 + rho_t^2)] / d
///
/// rho_t is found by a local search, which may miss the nearest point: an estimate, and no proof.
struct LengthEstimate {
  double ratio = 1.0;  ///< of lengths to d
  double t = 0.0;      ///< where the maximum is
  double rho = 0.0;    ///< there
  std::uint64_t gradient_samples = 0;
};

struct LengthSearch {
  std::size_t places = 19;  ///< hyperplanes, at equal distances; >= 1
  std::size_t iterations = 1000;
  double learning_rate = 0.03;  ///< of Adam
};

/// Of paths between the end points of `path`, a polyline along which the metric of the string's
/// grid is at most its bound: no more than its own length. Nothing where the full training loss is
/// not that metric: there is no gradient then. Throws Interrupted when `stop` is raised.
std::optional<LengthEstimate> estimate_length(Evaluators& evaluators,
                                              const Path& path,
                                              const StringOptions& string,
                                              const LengthSearch& search = {},
                                              const Stop* stop = nullptr);

}  // namespace isthmus
