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
  /// Ends a string whose beads no longer cut a segment: one that fails and is longer than .9 of the
  /// one that it was cut from has the count of that plus 1, any other 0; at this count it ends.
  /// Segments that count are cut again in the same round, before all others. 0: never.
  std::size_t stagnation = 0;
  /// How often a bead that stays above the bound is taken out, and its segment cut elsewhere (at a
  /// quarter, at three quarters, at the half again, ...) while the others go on; then, and at 0,
  /// it ends the string.
  std::size_t stuck_tries = 0;
  /// How far beads begin from their segment, in parts of the way to the curve through the beads
  /// around it (place_start); in [0, 2].
  double bead_bend = 0.0;
};

/// How the beads of a round are trained, by their places; none: GrowingString::train_beads.
using TrainRound = std::function<void(GrowingString& string, std::span<const std::size_t> places)>;

/// The rounds of greedy sampling on a string that is under way: a bead into every segment that
/// fails, its training, new checks, until every segment passes or a limit is met. Of `options` what
/// greedy sampling alone is told counts, the rest is the string's. Returns the finished string.
StringSummary grow_greedily(GrowingString& string,
                            const GreedyOptions& options,
                            const TrainRound& train = {});

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

/// Goes down at both ends first: where the straight line fails the string begins as a, a', b', b,
/// whose inner beads train from the end points themselves to alpha times the threshold. Then what
/// is to be joined lies as far below the threshold as alpha says, which end points of networks that
/// have just reached it do not. Otherwise as connect_greedy().
StringSummary connect_greedy_down(Evaluators& evaluators,
                                  std::span<const float> a,
                                  std::span<const float> b,
                                  const GreedyOptions& options,
                                  const StringCallbacks& callbacks = {});

/// The same from a polyline as the first guess: `beads` (P each) from one end point to the other.
/// Inner ones that exceed the bound are trained first, as beads of a round are.
StringSummary connect_greedy_along(Evaluators& evaluators,
                                   std::span<const std::span<const float>> beads,
                                   const GreedyOptions& options,
                                   const StringCallbacks& callbacks = {});

}  // namespace isthmus
