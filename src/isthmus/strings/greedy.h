// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <span>

#include "isthmus/core/names.h"
#include "isthmus/strings/growing_string.h"

namespace isthmus {

/// Where a segment that fails gets its bead.
enum class TStar {
  half,    ///< t = 1/2
  argmax,  ///< the grid point with the largest value (every point is looked at then)
};

template <>
inline constexpr auto enum_names<TStar> =
    name_table<TStar>("t-star", {{TStar::half, "half"}, {TStar::argmax, "argmax"}});

/// Greedy Dynamic String Sampling: Freeman & Bruna 2017, Algorithm 1, as its authors ran it. Every
/// segment that exceeds the threshold gets a bead at t*, which is trained to alpha times the
/// threshold; round after round, until every segment passes or a limit is met.
struct GreedyOptions : StringOptions {
  TStar t_star = TStar::half;
  /// true: the first bead is put in without a look at the straight line, and the end points need
  /// not reach the threshold (the published scripts).
  bool always_insert = false;
};

/// How the beads of a round are trained, by their places; none: GrowingString::train_beads.
using TrainRound = std::function<void(GrowingString& string, std::span<const std::size_t> places)>;

/// The rounds of greedy sampling on a string that is under way: a bead into every segment that
/// fails, its training, new checks, until every segment passes or a limit is met. Returns the
/// finished string.
StringSummary grow_greedily(GrowingString& string, TStar t_star, const TrainRound& train = {});

/// Joins two end points. a and b (P) stay as they are, and are the first and the last bead. Beads
/// and segments of a round run in parallel; the result does not depend on the number of workers.
/// Throws UsageError for invalid options and Interrupted when the stop is raised, and passes on
/// what the objective or the journal throw, after all workers have come to rest; that a bead does
/// not reach its target, or the string does not close, is an outcome with its numbers.
StringSummary connect_greedy(Evaluators& evaluators,
                             std::span<const float> a,
                             std::span<const float> b,
                             const GreedyOptions& options,
                             const StringCallbacks& callbacks = {},
                             const TrainRound& train = {});

}  // namespace isthmus
