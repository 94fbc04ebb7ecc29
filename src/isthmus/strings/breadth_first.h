// SPDX-License-Identifier: MIT
#pragma once

#include <span>

#include "isthmus/strings/greedy.h"

namespace isthmus {

/// How the level of a breadth-first string falls.
struct BreadthFirstTerms {
  double ratio = 0.8;  ///< a level is that many times the one before; in (0, 1)
  double clip = 0.1;   ///< segments are split within [clip, 1 - clip]; in [0, 0.5]
  /// true: the end points train with the beads, as in the paper, where they begin as random
  /// networks. false: they have reached the threshold, and stay as they are.
  bool from_random = false;
};

/// The breadth-first string of Freeman & Bruna 2017, appendix A: all of it comes down together. The
/// level L begins at the largest value on the straight line and falls by the ratio, to L0 at last.
/// At each level every bead above alpha L trains until it is there, on batches that are common to
/// all of them (the others wait, so no two losses of a string that trains are further apart than
/// the ratio); beads past which a straight segment passes are taken out, and so are
/// those that stay above tolerance * L; and segments above that get a bead where they are highest,
/// which is trained, for at most max_rounds rounds a level, that of the training counted. A
/// training begins with fresh moments.
///
/// End points that stay are at one level if both reach tolerance * L0, however far they are below
/// it; if one alone does, they are refused. End points that train begin at or below the first
/// level, by its definition, and the lower one waits for the other. Where the level cannot be
/// followed the ending is of the kind `level`, with its cause. Screened checks and sampled ones are
/// the same at all levels; proofs are asked for at the last one.
///
/// a, b (P); with from_random the path begins and ends where they were trained to. Throws
/// UsageError for invalid options and end points of unequal loss; otherwise as connect_greedy.
StringSummary connect_breadth_first(Evaluators& evaluators,
                                    std::span<const float> a,
                                    std::span<const float> b,
                                    const GreedyOptions& options,
                                    const BreadthFirstTerms& terms,
                                    const StringCallbacks& callbacks = {});

}  // namespace isthmus
